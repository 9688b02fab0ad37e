"""Brighter-fatter: how charge moves the borders of pixels, the kernel that undoes it, and whether it does."""

from __future__ import annotations

from analysis.brighter_fatter.area import ESTIMATORS
from analysis.brighter_fatter.curves import FULL_WELL, measure_curve
from analysis.brighter_fatter.outputs import hand_on
from analysis.brighter_fatter.results import QUANTITIES, hand_back, nothing
from analysis.contract import (
    ContractError,
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
from analysis.paired_flats import PARAMETERS, bounds_of, channels_with_pairs
from analysis.response_corrections import TAKES, correction_of


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see ``PROCEDURE`` for the quantities."""
    if inputs.parameters["estimator"] not in ESTIMATORS:
        raise ContractError(
            f"brighter_fatter.estimator cannot be {inputs.parameters['estimator']!r}; it is one of {', '.join(ESTIMATORS)}"
        )
    biases = inputs.frames.get("bias", ())
    bounds = bounds_of(inputs)
    curves = []
    for setting, channel, pairs in channels_with_pairs(inputs, results, nothing):
        by = correction_of(inputs, results, channel, pairs[0])
        curve = measure_curve(inputs, channel, setting, pairs, biases, bounds, by)
        hand_back(inputs, results, curve)
        curves.append(curve)
    hand_on(results, curves, [c.name for c in inputs.detector.geometry.channels], int(inputs.number("order")))


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
    ),
    roles=(
        Role("flat", ("flat",), 2, "flats in pairs of equal exposure time, in the order they were taken"),
        Role(
            "bias", ("bias",), 0, "bias frames, for the noise without light, and for the offset where there is no overscan",
            elsewhere=True,
        ),
    ),
    uses=(GAIN, FULL_WELL),
    takes=TAKES,
    parameters=(
        Parameter("estimator", "astier", "of the coefficients of area: astier, guyonnet or coulton"),
        Parameter("lags", 8, "largest lag of covariances and kernel", "pixels", 2, 16),
        Parameter("background", 2, "degree of the surface that is taken off each difference", "", 0, 5),
        Parameter("order", 2, "order of the correction that is checked: 1 as published by Coulton et al.; 2: borders move all the time, as in the chain of corrections", "", 1, 2),
        Parameter("window", 512, "side of the middle of a channel in which the correction is checked; 0: all of it", "pixels", 0),
        Parameter("max_level", 0.0, "highest level above the offset that is used; 0: up to the turnoff of the variance", "ADU", 0.0),
        Parameter("half_well", 32768.0, "peak of the point source whose growth is predicted", "ADU", 1.0),
        Parameter("spot_fwhm", 2.0, "full width at half maximum of that point source", "pixels", 0.5, 20.0),
        Parameter("pitch", 12.0, "pitch of the pixels, for widths", "µm", 0.1),
        *PARAMETERS,
    ),
    quantities=QUANTITIES,
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
            "The same pairs before (filled) and after (open) the correction by a kernel of other pairs. Variance over level has to become flat, covariances zero.",
            (
                PanelSpec("Variance over level [ADU] against level above the offset [ADU], before and after, with sampling errors; lines are straight laws."),
                PanelSpec("Covariance of neighbours in the same row over level [ADU], likewise."),
            ),
            ("a00_after", "a10_after", "a01_after", "curvature_ratio"),
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
    F = L + ½ B(L, L) + ⅙ B(L, B(L, L)),  B(L, F) = −∇·(L ∇(K ⊗ F))
    F: image as read [e⁻];  L: the corrected image, by iteration until no pixel changes by more than 0.05 e⁻ and a millionth of the brightest

The growth of a point source is that of the second moments of a Gaussian spot under the same law, as full widths.

The check: pairs of each exposure time are dealt to two halves. The kernel of one corrects the frames of the other, in the middle of the channel, whose covariances are measured again and fitted by
C_ij = δ_ij μ/g + a′_ij μ² + N_ij. Shot noise came in while borders moved; what even a right correction leaves of it, (1/12) (a⊗a)_ij g μ³, is taken off
((5/12) for order 1). Errors are those of both halves.""",
    references=(
        "P. Antilogus et al., 2014, JINST 9, C03048 (the effect, and its correlations in flats).",
        "A. Guyonnet et al., 2015, A&A 575, A41 (displacements of borders, smooth law).",
        "W. R. Coulton et al., 2018, AJ 155, 258 (kernel and correction).",
        "P. Astier et al., 2019, A&A 629, A36 (equation 20: covariances to higher orders).",
        "M. J. Box, 1971, J. R. Stat. Soc. B 33, 171 (bias of fits that are not linear).",
        "A. Broughton et al., 2024, PASP 136, 045003 (kernels from covariances at different levels).",
    ),
    comments=(
        "Lags are told as the paper does: a₁₀ is that of the neighbour in the same row, a₀₁ that of the neighbour in the same column, whatever corner is read.",
        "The coefficients are taken to be the same at all levels (b = 0): where charge clouds shift under the field, a poor fit says so.",
        "Flats whose light varies over a channel by the relative scatter s make the effect read high by the fraction s².",
        "A converter that is not linear adds to a₀₀ what photon transfer says: with the step nonlinearity levels and covariances are corrected as there, the table's error is in the coefficients', and the kernel is for corrected frames, whose step comes before it in the chain. Let photon transfer, whose gain may be used, be corrected too.",
        "With one pair for each exposure time the check rests on the kernel's own pairs and is flagged few-frames.",
    ),
    measure=measure,
)  # fmt: skip
