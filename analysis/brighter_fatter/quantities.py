"""What the brighter-fatter procedure measures, and what it uses."""

from __future__ import annotations

from analysis.contract import Quantity, Use

FIT = "fit of Astier's law without b to covariances of pairs against level; error from the flats' power spectrum"
_GROWTH = "second moments of a Gaussian spot under the kernel, to second order in the charge; errors of all coefficients carried through"
_AFTER = (
    "parabola fitted to covariances of pairs corrected by the kernel of the other half of the pairs, less what a right correction leaves; "
    "errors of both halves"
)

QUANTITIES = (
    Quantity("a00", "a₀₀", "1/e⁻", "Relative change of a pixel's area by each electron in it, of this fit", FIT),
    Quantity("a10", "a₁₀", "1/e⁻", "Relative change of a pixel's area by each electron in its neighbour in the same row (along the serial register)", FIT),
    Quantity("a01", "a₀₁", "1/e⁻", "Relative change of a pixel's area by each electron in its neighbour in the same column (parallel)", FIT),
    Quantity(
        "kernel_sum", "Σa", "1/e⁻", "Sum of the coefficients of area over all lags before it is forced to zero: no charge may be lost",
        "sum of the fitted coefficients; error from their covariance, that of the flats' power spectrum", "health",
    ),
    Quantity(
        "kernel_sum_significance", "Σa/σ", "σ", "The sum before it is forced to zero over its error",
        "kernel_sum over its uncertainty", "health", unplotted="kernel_sum over its error",
    ),
    Quantity(
        "kernel_centre", "K₀₀", "1/e⁻", "Central element of the kernel [pixel²/e⁻], below zero where charge repels charge",
        "Poisson equation of the coefficients, zero sum, solved by sine transforms; error from those of all coefficients", "calibration",
    ),
    Quantity("fwhm_x", "ΔW_x", "µm", "Growth along rows of the full width of a point source whose peak is at half_well", _GROWTH),
    Quantity("fwhm_y", "ΔW_y", "µm", "Growth along columns of the full width of a point source whose peak is at half_well", _GROWTH),
    Quantity(
        "fwhm_slope_x", "dW_x/dP", "µm/10 kADU", "By how much the full width along rows grows at half_well for each 10,000 ADU of the peak", _GROWTH,
        unplotted="the slope of fwhm_x",
    ),
    Quantity(
        "fwhm_slope_y", "dW_y/dP", "µm/10 kADU", "By how much the full width along columns grows at half_well for each 10,000 ADU of the peak", _GROWTH,
        unplotted="the slope of fwhm_y",
    ),
    Quantity("a00_after", "a₀₀′", "1/e⁻", "Curvature that the variance keeps after the correction", _AFTER),
    Quantity("a10_after", "a₁₀′", "1/e⁻", "Covariance with the neighbour in the row that is left after the correction", _AFTER),
    Quantity("a01_after", "a₀₁′", "1/e⁻", "Covariance with the neighbour in the column that is left after the correction", _AFTER),
    Quantity("curvature_ratio", "a₀₀′/a₀₀", "", "Fraction of the curvature that the correction leaves", "a00_after over a00; error from both"),
    Quantity(
        "fit_chi2", "χ²/ν", "", "Squared residuals of covariances of lags 0 and 1 over the degrees of freedom",
        "squares of residuals over the sampling error of each covariance by the fitted law, summed, over points less parameters", "health",
    ),
    Quantity("max_level", "μ_max", "ADU", "Highest level above the offset that the fit uses", "harmonic mean of the pair's levels", "engineering"),
    Quantity(
        "pairs_used", "N", "pairs", "Pairs of flats that the fit rests on", "count", "engineering",
        unplotted="a count; the table of covariances says which",
    ),
)  # fmt: skip
"""What the brighter-fatter procedure measures, per channel and setting."""

_LAW = "line through the widths of matched Gaussians against their peaks, weighted by the peaks; errors from the jackknife over sources"

OF_SPOTS = (
    Quantity("spot_width_x", "W₀_x", "µm", "Full width along rows that point sources have without charge", _LAW, "calibration"),
    Quantity("spot_width_y", "W₀_y", "µm", "Full width along columns that point sources have without charge", _LAW, "calibration"),
    Quantity("spot_growth_x", "s_x", "µm/10 kADU", "By how much the full width of point sources along rows grows for each 10,000 ADU of the peak, as measured", _LAW),
    Quantity("spot_growth_y", "s_y", "µm/10 kADU", "By how much the full width of point sources along columns grows for each 10,000 ADU of the peak, as measured", _LAW),
)  # fmt: skip
"""What frames of spots tell, per channel and setting."""

FULL_WELL = Use(
    "photon_transfer",
    "full_well_adu",
    "level at which the variance turns over: flats from there on are left out",
)
