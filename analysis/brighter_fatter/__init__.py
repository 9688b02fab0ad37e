"""Brighter-fatter: how charge moves the borders of pixels, the kernel that undoes it, and whether it does."""

from __future__ import annotations

from analysis.brighter_fatter.quantities import FULL_WELL, OF_SPOTS, QUANTITIES
from analysis.contract import (
    FigureSpec,
    Inputs,
    PanelSpec,
    Parameter,
    Procedure,
    ProductSpec,
    Results,
    Role,
    Version,
)
from analysis.conversion import GAIN
from analysis.paired_flats_declared import PARAMETERS, TAKES


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.brighter_fatter.measuring``."""
    from analysis.brighter_fatter import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="brighter_fatter",
    title="Brighter-fatter effect",
    purpose="How charge in one pixel changes the areas of those around it, by how much that widens bright point sources, and the kernel by which images are "
    "corrected for it, checked on flats that it was not made of.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1", "2026-11-21",
            "Products of noisy coefficients do not average out: their mean effect is taken off (a₀₀ read low by a tenth of its error with quarter-megapixel channels, less with larger ones). "
            "Outliers are told by the scatter of their own tile. The correction is checked in the middle of each channel (parameter window), for the check of whole "
            "channels cost as much as reading the frames many times over: the errors of what is left are larger where channels are.",
        ),
        Version(
            "1.2", "2026-11-21",
            "What a right correction leaves is taken off to all orders: to the second alone it made the correction look a thirtieth of a₀₀ too strong where |a₀₀| μ g came to a half. "
            "Pairs are dealt to kernel and check by turns in order of exposure time, so that a ladder of single pairs is checked on pairs the kernel was not made of. Pixels are corrected "
            "in a smaller window, and all of the channel's are carried through the law of the correction: errors of the check are those of all pixels, a quarter of what they were. The correction itself needs half the convolutions, and is the more right the more charge there is: third order within 1/72 of B(L, B(L, B(L, L))), not 1/24. Widths of point sources against their peaks are measured where there are frames of them.",
        ),
        Version(
            "1.3", "2026-11-22",
            "Pixels are rounded to 1/256 of their scatter for products with others (1/512 before): covariances other than the variance move by a thousandth of their errors or so.",
        ),
    ),
    roles=(
        Role("flat", ("flat",), 2, "flats in pairs of equal exposure time, in the order they were taken"),
        Role(
            "bias", ("bias",), 0, "bias frames, for the noise without light, and for the offset where there is no overscan",
            elsewhere=True,
        ),
        Role("spot", ("point",), 0, "frames of point sources of different brightness on a dark field, for their widths against it", elsewhere=True),
    ),
    uses=(GAIN, FULL_WELL),
    takes=TAKES,
    parameters=(
        Parameter("estimator", "astier", "of the coefficients of area: astier, guyonnet or coulton"),
        Parameter("lags", 8, "largest lag of covariances and kernel", "pixels", 2, 16),
        Parameter("background", 2, "degree of the surface that is taken off each difference", "", 0, 5),
        Parameter("order", 2, "order of the correction that is checked: 1 as published by Coulton et al.; 2: borders move all the time, as in the chain of corrections", "", 1, 2),
        Parameter("window", 128, "side of the middle of a channel whose pixels are corrected for the check; 0: all of it", "pixels", 0),
        Parameter("max_level", 0.0, "highest level above the offset that is used; 0: up to the turnoff of the variance", "ADU", 0.0),
        Parameter("half_well", 32768.0, "peak of the point source whose growth is predicted", "ADU", 1.0),
        Parameter("spot_fwhm", 2.0, "full width at half maximum of that point source", "pixels", 0.5, 20.0),
        Parameter("stamp", 8, "half side of the stamps on which point sources are measured: nothing else may be as near", "pixels", 4, 64),
        Parameter("pitch", 12.0, "pitch of the pixels, for widths", "µm", 0.1),
        *PARAMETERS,
    ),
    quantities=(*QUANTITIES, *OF_SPOTS),
    figures=(
        FigureSpec(
            "covariances", "Covariances against level",
            "Variance and covariances of one frame over its level, with the fitted law. Without the effect the variance is flat and covariances are zero; with it they "
            "go as straight lines that bend a little. Look for points off the lines, and for covariances that do not start at zero: the electronics' own.",
            (
                PanelSpec("Variance over level [ADU] against level above the offset [ADU]: points are pairs with sampling errors, lines the fit."),
                PanelSpec("Covariance of neighbours in the same row over level [ADU], likewise."),
                PanelSpec("Covariance of neighbours in the same column over level [ADU], likewise."),
                PanelSpec("Covariance of diagonal neighbours over level [ADU], likewise."),
            ),
            ("a00", "a10", "a01", "fit_chi2", "max_level"),
        ),
        FigureSpec(
            "kernel_image", "Kernel", "The kernel of the correction, lag zero in the middle of each square. Its centre has to be the smallest element, and its edges have to be near zero.",
            (PanelSpec("Kernel [pixel²/e⁻] of each channel side by side, of its first setting, by lag along column and row."),),
            ("kernel_centre",),
        ),
        FigureSpec(
            "falloff", "Coefficients of area against distance",
            "How fast the effect falls off, and whether all of it was seen: what one pixel loses its neighbours gain, so that the sum has to come to zero within its errors.",
            (
                PanelSpec("Coefficients of area [1/e⁻], means of equal distance with errors, against distance [pixels]; those not above zero are not shown. Lines: smooth borders (Guyonnet et al.)."),
                PanelSpec("Sum of the coefficients within a distance [1/e⁻], with errors, against it [pixels]."),
            ),
            ("a00", "kernel_sum", "fwhm_x", "fwhm_y"),
        ),
        FigureSpec(
            "straight", "Photon transfer before and after the correction",
            "The same pairs before (filled) and after (open) the correction by a kernel of other pairs: what the correction does is measured in a window, and carried to all pixels. Variance over level has to become flat, covariances zero.",
            (
                PanelSpec("Variance over level [ADU] against level above the offset [ADU], before and after, with sampling errors; lines are straight laws."),
                PanelSpec("Covariance of neighbours in the same row over level [ADU], likewise."),
            ),
            ("a00_after", "a10_after", "a01_after", "curvature_ratio"),
        ),
        FigureSpec(
            "spots", "Widths of point sources against their peaks",
            "Point sources as measured, with the law fitted to them. They get wider in proportion to the charge, along columns and rows each by its own; points off the line by more than the others "
            "scatter are blends or sit where the optics are different.",
            (
                PanelSpec("Full width along rows [µm] of each source against its peak [ADU], with the fitted line."),
                PanelSpec("Full width along columns [µm], likewise."),
            ),
            ("spot_width_x", "spot_width_y", "spot_growth_x", "spot_growth_y"),
        ),
    ),
    products=(
        ProductSpec("kernel", "fits", "kernel of the correction [pixel²/e⁻] for images in electrons, and its error (…_ERR), lag zero in the middle"),
        ProductSpec("area_matrix", "ecsv", "coefficients of area with errors, displacements of borders, kernel, by lag"),
        ProductSpec("covariance_points", "ecsv", "covariances of every pair by lag"),
    ),
    acceptance=(
        "a₀₀ is below zero, a₁₀ and a₀₁ are above, and the sum over all lags is consistent with zero.",
        "The curvature after the correction is consistent with zero, and the kernel bears no flag.",
    ),
    caveats=(
        "A kernel whose centre is not its smallest element, or whose edges are not zero within their errors, is published with a caveat.",
        "Fixed noise that neighbours share is fitted; noise shared by pixels that grows with the light (a flickering lamp, a non-linear chain) is not told from the effect.",
    ),
    algorithm="""\
Flats are paired with the next of equal exposure time and checked as photon transfer does: a pair with a drifting or flickering lamp, with clamped or
saturated pixels is left out. The difference of a pair, each flat weighted by its partner's level, less a smooth surface, is correlated with itself to
the largest lag, without outliers and what is within two pixels of them. What the surface takes away from all covariances alike is put back.

    C_ij = ½ ⟨d(x, y) d(x + i, y + j)⟩ + p P / N
    d: weighted difference [ADU];  p: coefficients of the surface;  P: sum of C over the nearest lags;  N: pixels

Coefficients of area are fitted to all levels below the turnoff of the variance (estimator astier), each lag with its covariance without light, weights from the
fitted law; what products of noise add to it on average is taken off, to second order. The gain is fitted with them where four levels span a factor of two, else it is that of photon transfer.

    C_ij = μ/g [δ_ij + a_ij μg + ⅔ (a⊗a)_ij (μg)² + ⅓ (a⊗a⊗a)_ij (μg)³ + …] + N_ij
    μ: level [ADU];  g: gain [e⁻/ADU];  a: coefficients of area [1/e⁻];  N [ADU²]

Other estimators are of first order: guyonnet takes slopes of C_ij/C₀₀ and smooths them by displacements of borders that decline as p E₁(q r) cos θ; coulton averages
[C_ij − δ_ij (μ/g + N₀₀)]/μ² over levels. They read some per cent to a fifth of the value low at high levels.

No charge is lost, so the coefficients are forced to sum up to zero, by the least change in units of their errors. The kernel solves a Poisson equation, exactly.

    ∇²K = −a,  K = 0 beyond the largest lag
    F = L + ½ B(L, L) + ⅙ B(L, B(L, L)) + …,  B(L, F) = −∇·(L ∇(K ⊗ F)),  solved as F = L + B(L, L/6 + F/3)
    F: image as read [e⁻];  L: the corrected image, by iteration until no pixel will change by more than 0.05 e⁻ and a millionth of the brightest

The predicted growth of a point source is that of the second moments of a Gaussian spot under the same law, as full widths.

The measured one is a line through widths of isolated sources against their peaks, by setting; each is the Gaussian that matches the image under itself as weight. Such widths see the core,
where most charge is moved: they grow about twice as much as second moments do.

The check: pairs in order of exposure time are dealt to two halves by turns. The kernel of one corrects the frames of the other. That is done to the pixels of a window in the middle of the
channel, whose covariances C_w are measured before and after; those of all pixels follow from the law of the correction, and from what it did beyond it:

    C′ = 𝓕⁻¹[𝓕C / T²] + C′_w − 𝓕⁻¹[𝓕C_w / T²],  T = (1 + y/6)/(1 − y/3) (order 1: 1 + y/2),  y = 𝓕a gμ

They are fitted by C′_ij = δ_ij μ/g + a′_ij μ² + N_ij, less what even a right correction leaves, for shot noise came in while borders moved: μ/g (exp 2y − 1)/(2y T²) by wave,
which is μ/g (1 + y²/12 + …) for order 2. Errors are those of both halves.""",
    references=(
        "P. Antilogus et al., 2014, JINST 9, C03048 (the effect, and its correlations in flats).",
        "A. Guyonnet et al., 2015, A&A 575, A41 (displacements of borders, smooth law).",
        "W. R. Coulton et al., 2018, AJ 155, 258 (kernel and correction).",
        "P. Astier et al., 2019, A&A 629, A36 (equation 20: covariances to higher orders).",
        "M. J. Box, 1971, J. R. Stat. Soc. B 33, 171 (bias of fits that are not linear).",
        "G. M. Bernstein & M. Jarvis, 2002, AJ 123, 583 (widths by matched weights).",
        "A. Broughton et al., 2024, PASP 136, 045003 (kernels from covariances at different levels).",
    ),
    comments=(
        "Lags are told as the paper does: a₁₀ is that of the neighbour in the same row, a₀₁ that of the neighbour in the same column, whatever corner is read.",
        "The coefficients are taken to be the same at all levels (b = 0): where charge clouds shift under the field, a poor fit says so.",
        "Flats whose light varies over a channel by the relative scatter s make the effect read high by the fraction s².",
        "A converter that is not linear adds to a₀₀ what photon transfer says: with the step nonlinearity levels and covariances are corrected as there, the table's error is in the coefficients', and the kernel is for corrected frames, whose step comes before it in the chain. Let photon transfer, whose gain may be used, be corrected too.",
        "Where halves of the pairs have less than three exposure times the check rests on the kernel's own pairs and is flagged few-frames: its uncertainty is an upper bound.",
    ),
    measure=measure,
)  # fmt: skip
