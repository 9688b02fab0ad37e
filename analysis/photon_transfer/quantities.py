"""What photon transfer measures: each quantity with its definition and its estimator."""

from __future__ import annotations

from analysis.contract import Quantity

MATRIX = "fit of the whole covariance matrix over all pairs (Astier et al. 2019, eq. 20), pairs weighted by the covariance of their elements"
FROM_PAIRS = (
    "two flats and two biases: level over variance, both above the offset frames', mean of disjoint pairs"
)
NOISE_FIT = "intercept of the fitted curve, less the rounding of the converter (1/12 ADU²)"
NOISE_DIRECT = {
    "bias": "half the variance of differences of bias frames, less the rounding of the converter (1/12 ADU²)",
    "overscan": "half the variance of differences of the flats' overscans, less the rounding of the converter (1/12 ADU²)",
}
_BLOOMING = "half-way from the highest level that follows the fitted law to the next, which lies below it by 4 σ and 0.5 %; half of that step is the error"

QUANTITIES = (
    Quantity("gain", "g", "e⁻/ADU", "Electrons for one step of the converter (e⁻/ADU, not its inverse)", MATRIX),
    Quantity(
        "gain_pairs", "g₂", "e⁻/ADU", "The gain from pairs at one level, as a cross-check: high by the fraction −a₀₀ g μ",
        FROM_PAIRS, "health",
    ),
    Quantity(
        "read_noise", "σ_R", "e⁻", "Noise of reading one pixel, in electrons", NOISE_FIT, unplotted="read_noise_adu times the gain"
    ),
    Quantity(
        "read_noise_adu", "σ_R", "ADU", "Noise of reading one pixel", NOISE_FIT,
        unplotted="the intercept of the curve, too near to zero to be read off it",
    ),
    Quantity(
        "read_noise_direct", "σ_R,0", "e⁻", "Noise of reading one pixel, from frames or pixels without light, as a cross-check of the fit's",
        f"{NOISE_DIRECT['bias']}, times the gain", "health", unplotted="a number of the bias frames, which the procedure bias shows",
    ),
    Quantity(
        "a00", "a₀₀", "1/e⁻", "Relative change of a pixel's area by each electron in it (brighter-fatter effect)", MATRIX
    ),
    Quantity(
        "a10", "a₁₀", "1/e⁻", "Relative change of the area of the next pixel along the row (serial direction) by each electron in a pixel", MATRIX
    ),
    Quantity(
        "a01", "a₀₁", "1/e⁻", "Relative change of the area of the next pixel along the column (parallel direction) by each electron in a pixel",
        MATRIX,
    ),
    Quantity(
        "area_sum", "Σ a", "1/e⁻", "All changes of area by one electron together, to the largest lag: zero where area is only moved",
        "sum of the fitted elements over both signs of the lags, with their covariances", "health",
    ),
    Quantity(
        "row_mean_ratio", "R_row", "", "Variance of the means of rows of a difference, over twice the signal by the pixels of a row: 1 for shot noise alone",
        "sum over the fitted pairs, the noise of the electronics taken off, over Σ 2 μ/(g N); the note tells what the matrix makes one expect", "health",
        unplotted="one number over all pairs",
    ),
    Quantity(
        "full_well", "FW", "e⁻", "Signal at which the variance turns over",
        "level of the largest mean variance of an exposure time, times the gain; half-way to its neighbours is the error",
        unplotted="full_well_adu times the gain",
    ),
    Quantity(
        "full_well_adu", "FW", "ADU", "Level above the offset at which the variance turns over",
        "level of the largest mean variance of an exposure time; half-way to its neighbours is the error",
    ),
    Quantity(
        "full_well_blooming", "FW_b", "e⁻", "Signal from which the variance lags behind the fitted law: charge spills over, or the converter clips",
        f"{_BLOOMING}; times the gain", unplotted="full_well_blooming_adu times the gain",
    ),
    Quantity(
        "full_well_blooming_adu", "FW_b", "ADU", "Level above the offset from which the variance lags behind the fitted law", _BLOOMING
    ),
    Quantity(
        "max_level", "μ_max", "ADU", "Highest level above the offset of a pair without flags",
        "harmonic mean of the pair's levels", "engineering",
    ),
    Quantity(
        "fit_chi2", "χ²/ν", "", "Squared residuals of the fit over the degrees of freedom",
        "squares of residuals over their sampling errors (of the whole matrix with the covariances of its elements), summed, over elements less parameters",
        "health",
    ),
    Quantity(
        "pairs_used", "N", "pairs", "Pairs of flats that the gain rests on", "count", "engineering",
        unplotted="a count; crosses in the transfer curve are the pairs left out",
    ),
)  # fmt: skip
"""What the photon transfer procedure measures, per channel and setting."""
