"""Photon transfer: gain, read noise and full well from the noise of pairs of flats."""

from __future__ import annotations

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
from analysis.paired_flats_declared import PARAMETERS, TAKES
from analysis.photon_transfer.quantities import QUANTITIES


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.photon_transfer.measuring``."""
    from analysis.photon_transfer import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="photon_transfer",
    title="Photon transfer",
    purpose="The gain of each channel, its read noise, the strength of the brighter-fatter effect and the full well, "
    "from how the noise of flats grows with their level.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1", "2026-11-21",
            "Where clipping begins is told by some 256 pixels of a tile, and allows for their number and for the converter's steps: with noise of few steps it "
            "began too tight, and the noise of bias frames came out some 0.1 % low. Overscan levels are those of the frames' summaries.",
        ),
        Version(
            "2.0", "2026-11-21",
            "The default is the fit of the whole covariance matrix (equation 20) where there are six levels and enough pixels: a00 may now differ from that "
            "of the bend alone, and gains by some 0.1 %, with errors that are larger for what is left free. New: a10, a01, the sum of all changes of area, "
            "the matrix and the covariances as tables, the noise of frames without light beside that of the fit, full well by blooming, and the test of row means. A clip "
            "tighter than 5 σ no longer cuts deeper with every round. The variance of bias frames is a point of the curve at level zero, where there are two or more: errors of gain and noise "
            "are smaller by factors, and the two can no longer share one.",
        ),
        Version(
            "2.1", "2026-11-21",
            "The law of the covariance matrix is equation 20 carried on to ten powers of the charge, by the differential equation that it solves. With four, where 2 |a00| times the highest "
            "charge came to 1, the law's variance was 1.5 % low there: a00 came out a σ or 6 % small, gains 0.6 σ high, and small channels were often refused the matrix.",
        ),
        Version(
            "2.2", "2026-11-22",
            "Pixels are rounded to 1/256 of their scatter for products with others (1/512 before): covariances other than the variance move by a thousandth of their errors or so.",
        ),
    ),
    roles=(
        Role("flat", ("flat",), 2, "flats in pairs of equal exposure time, in the order they were taken"),
        Role(
            "bias", ("bias",), 0, "bias frames, for the noise without light, and for the offset where there is no overscan",
            elsewhere=True,
        ),
    ),
    parameters=(
        Parameter(
            "model", "auto",
            "full (the whole covariance matrix), exponential, quadratic or pairs; auto: full from six levels on where it tells a00 from zero, exponential from four, "
            "quadratic with three, pairs with fewer",
        ),
        Parameter("lags", 8, "how far covariances are measured and fitted, in rows and in columns", "pixels", 1, 16),
        Parameter("covariance_method", "direct", "direct (products of pixels) or fourier (transforms in double precision, slower): the same to two thousandths of the errors"),
        Parameter("least_pixels", 10_000, "good pixels that covariances need", "pixels", 1000),
        Parameter("pair_level", 0.0, "level of the cross-check by pairs; 0: a quarter of the highest", "ADU", 0.0),
        *PARAMETERS,
    ),
    takes=TAKES,
    quantities=QUANTITIES,
    figures=(
        FigureSpec(
            "transfer_curve", "Photon transfer curve",
            "Variance of one frame against its level above the offset, with the fitted curves. Crosses are pairs left out; the "
            "thin lines are the turnoffs and where blooming begins: full well. Look for pairs off the curve, and for variance that sags before its turnoff.",
            (PanelSpec("Variance of one frame [ADU²] against level above the offset [ADU]: points are pairs, lines the fits."),),
            ("gain", "a00", "full_well_adu", "full_well_blooming_adu", "max_level"),
        ),
        FigureSpec(
            "residuals", "Residuals of the fit",
            "Variance less the fit, in percent of the fit, with sampling errors, up to the turnoff. Crosses are pairs that the fit leaves "
            "out. Look for a bend: a model that does not describe the data moves the gain.",
            (PanelSpec("Variance less the fit, over the fit [%], against level above the offset [ADU], with sampling errors."),),
            ("fit_chi2", "a00"),
        ),
        FigureSpec(
            "gain_by_level", "Gain of each pair",
            "Level over the variance less that of read noise, pair by pair, up to the turnoff; pairs with a flag are not shown. It rises with the "
            "level by the brighter-fatter effect, towards the gain at its low end; scatter beyond the errors means unsteady light.",
            (PanelSpec("Level over the variance less that of read noise [e⁻/ADU] against level above the offset [ADU]."),),
            ("gain", "gain_pairs"),
        ),
        FigureSpec(
            "area_matrix", "Changes of area by distance",
            "How an electron changes the area of pixels around it, by the fit of the whole matrix (equation 20), with errors. Sizes fall steeply with the distance until noise "
            "is left; near the middle the neighbours along columns and rows differ. Look for a floor above the errors: correlated noise of another kind.",
            (
                PanelSpec("Size of a [1/e⁻] against distance [pixels], all lags; the one at no distance is negative."),
                PanelSpec("a [1/e⁻] against distance [pixels], of pixels less than four away, with signs."),
            ),
            ("a00", "a10", "a01", "area_sum"),
        ),
        FigureSpec(
            "covariance_trend", "Covariances of neighbours",
            "Covariance of one frame over its level against the level, for the three nearest neighbours, with the fitted law. Charge alone makes straight lines through "
            "zero that bend a little; an intercept at low levels is correlated noise of the electronics.",
            tuple(
                PanelSpec(f"Covariance with the pixel {which} over the level [10⁻³ ADU] against level above the offset [ADU]: points are pairs, lines the fit.")
                for which in ("next along the row", "next along the column", "next on the diagonal")
            ),
            ("a10", "a01"),
        ),
    ),
    products=(
        ProductSpec("points", "ecsv", "the points of the curves: levels, variances, errors, flags, and whether they were used"),
        ProductSpec("matrix", "ecsv", "the fitted matrices a, ab and n by lag, with errors"),
        ProductSpec(
            "covariance_matrix", "fits",
            "covariances C_ij of one frame against the level, pair by pair (…_LEVEL, …_COV [ADU²]), and the fitted a, ab and n (…_A, …_AB, …_N), lag zero first, with errors (…_ERR)",
        ),
        ProductSpec("covariances", "ecsv", "measured covariances of one frame by pair and lag, with errors"),
    ),
    acceptance=(
        "The gain lies in the range required of the channel.",
        "The reduced χ² is near one, and no flag says that a pair was left out below full well.",
    ),
    caveats=(
        "A step of correction was asked for, and what it takes is not there.",
        "A drifting or flickering lamp adds variance: gains come out low. Pairs that show it are left out and the numbers flagged.",
        "A clamped or saturated converter takes variance away: gains come out high.",
    ),
    algorithm="""\
Flats are paired with the next of equal exposure time; no flat serves twice. Offsets are from the overscan, else from bias frames. Each flat of
a pair is weighted by its partner's level over the mean level; half the variance of the difference, about the means of tiles, belongs to the
harmonic mean of the two levels. Saturated pixels, defects and what lies beyond the clip are left out.

    C = ½ var(w₁ F₁ − w₂ F₂)  with  w₁ = 2 μ₂ / (μ₁ + μ₂),  w₂ = 2 μ₁ / (μ₁ + μ₂)
    μ = 2 μ₁ μ₂ / (μ₁ + μ₂)
    F: flats less their offsets [ADU];  μ: their levels [ADU];  C: variance of one frame [ADU²]

A pair is left out when its lamp drifted, its rows or columns scatter by more than pixel noise, or its pixels pile up at one level. The
flags of pairs left out below the turnoff stand beside the results. Pairs saturated at the bright end cost only themselves.

Covariances are means of products of pixels of the same difference, less a surface of second degree, over both signs of the lags. What the clip takes is made
good: by the factor F for a variance, by F² for a covariance, both of whose pixels were cut; what the surface takes, by its six parameters.

    C_ij = ½ ⟨d(y, x) d(y + i, x + j)⟩ / F²  with  F = 1 − 2 s φ(s) / (2 Φ(s) − 1)
    s: the clip in σ;  d: the weighted difference [ADU];  C_ij: covariance of one frame [ADU²]

The curve is fitted up to the turnoff of the variance, and to where points follow the model. Weights are from the fitted law, not from the data: of the whole matrix, from the covariance of
all its elements with one another, which the power spectrum of the law gives. Products of scattering parameters do not average out; their mean effect is
taken off to second order. Where the matrix does not tell a₀₀ from zero by 5 σ (small channels, few pairs) gain, noise and a₀₀ are those of the
exponential, and the matrix is handed on beside them. With too few levels for a fit, the gain is that of two flats and two biases, averaged over pairs.

    full:  C_ij(μ) = (μ/g) [δ_ij + a_ij μg + ⅔ (a⊗a + ab)_ij (μg)² + ⅙ (2 a⊗a⊗a + 5 a⊗ab)_ij (μg)³] + n_ij / g²
           and so on to (μg)¹⁰, C = Σ c_n (μg)ⁿ / g² with  c₁ = δ,  n c_n = 2 a⊗c_(n−1) + 2 ab⊗c_(n−2)
    weights:  cov(C_l, C_m) = (2/N) ⟨P(k)² cos(k·l) cos(k·m)⟩,  P: power of the law, both signs of the lags pooled
    exponential:  C(μ) = [exp(2 a₀₀ g μ) − 1] / (2 g² a₀₀) + n / g²
    quadratic:  C(μ) = μ / g + a₀₀ μ² + n / g²
    pairs:  g = μ / (C − C₀)
    g: gain [e⁻/ADU];  a [1/e⁻], a₀₀ below zero where charge repels charge;  b [1/e⁻];  n [e⁻²]: noise at zero level;  C₀ [ADU²]: variance without light

Where two bias frames or more tell the variance without light and no check flags them, that is a point of the curve at level zero: it holds n, and with it the gain.

The read noise is that of the intercept, σ² = n − g²/12 (less the rounding of the converter), where that is known to a tenth; else that of bias frames,
else of the overscan, times the gain. The estimator beside each number says which. The full well is read at the turnoff, the level of largest variance, so no finer than the
steps of exposure time; it is the onset of blooming or of the converter's end, not the end of linearity. Blooming is told where the variance first lags behind the fitted law,
by four of its errors and half a per cent.

Corrected for non-linearity (parameter corrections), levels and covariances are those of the corrected signal, by the curve L of the linearity procedure, level plus correction, expanded about the level. No pixel is
touched. The gain is then that of a corrected ADU, by which corrected frames become electrons. What the table's own errors, part by part, do to the fit is in its errors.

    μ → L(μ) + ½ L″(μ) C,  C_ij → L′(μ)² C_ij
    left out: L″ s² / μ, for light that varies by s [ADU] over the pixels

Row means of a difference scatter by shot noise: their variance over 2 μ / (g N), N being the pixels of a row, is near 1, less what reaches other rows.""",
    references=(
        "P. Astier et al., 2019, A&A 629, A36 (equation 20: all covariances; equation 16: shape of the curve, with a₀₀ alone; the quadratic is its expansion).",
        "M. S. Bartlett, 1946, Suppl. J. R. Stat. Soc. 8, 27 (covariances of covariances).",
        "M. J. Box, 1971, J. R. Stat. Soc. B 33, 171 (bias of fits that are not linear).",
        "J. Janesick, Photon Transfer, SPIE Press 2007, chapters 5 and 6 (pairs, read noise).",
        "EMVA Standard 1288, release 4.0 (rounding noise).",
    ),
    comments=(
        "Two levels give a gain by pairs; a fit with its brighter-fatter term needs four, the whole matrix six, and levels up to the turnoff for a full well.",
        "a₀₀ of the exponential or the quadratic is that of the curve's bend alone, in which the covariances of neighbours have no part: where 2 |a₀₀| times the highest charge is 1, some 3 % small in size.",
        "A converter that is not linear bends the curve as the brighter-fatter effect does: one that bends by the fraction k at its full scale s moves a₀₀ by 3 k / (g s), charge of 200 ke⁻ and k of 1 % by some 5 % of a common a₀₀, and moves the gain. The step nonlinearity takes it off; corrected levels end where the table does, and with them what is told of the full well.",
        "Area that charge moves farther than the largest lag is not seen: the sum of all changes is then below zero.",
        "Indices of a are [column, row] as in the paper: a₁₀ is along the serial register. Tables name rows and columns.",
    ),
    measure=measure,
)  # fmt: skip
