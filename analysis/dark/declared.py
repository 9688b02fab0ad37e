"""What the dark procedure declares: quantities, figures, products and parameters."""

from __future__ import annotations

from analysis.contract import FigureSpec, PanelSpec, Parameter, ProductSpec, Quantity
from analysis.correction_steps import corrections

_STACK = "clipped mean of the long exposures' rates, bias structure taken off"

QUANTITIES = (
    Quantity(
        "dark_current", "D", "ADU/s", "Dark signal of a typical pixel per second",
        "weighted straight line of clipped level over exposure time, or level less offset over time; error from pixel noise and offsets, by scatter about the line where that is larger",
        "performance",
    ),
    Quantity(
        "dark_current_e", "D", "e⁻/s", "Dark signal of a typical pixel per second, in electrons",
        "dark_current times the gain measured by photon transfer, else the nominal gain",
        unplotted="dark_current times one number",
    ),
    Quantity(
        "dark_current_median", "D₅₀", "ADU/s", "Rate that half of the pixels do not exceed", f"median of the {_STACK}; error that of dark_current and of a median of normal values"
    ),
    Quantity(
        "dark_current_mean", "⟨D⟩", "ADU/s", "Mean rate of all pixels, hot ones included", f"plain mean of the {_STACK}; error that of dark_current and the noise of the master"
    ),
    Quantity(
        "dark_current_95", "D₉₅", "ADU/s", "Rate that 95 % of the pixels do not exceed, the master's noise taken out",
        f"median plus the distance of the 95 % quantile from it in the {_STACK}, less in quadrature that of its noise, which differences of the frames tell; "
        "error from the sampling of quantiles and noise",
    ),
    Quantity("hot_pixels", "N_hot", "pixels", "Pixels whose rate exceeds the threshold", f"count in the {_STACK}", "health"),
    Quantity(
        "hot_columns", "N_col", "columns", "Columns with at least hot_column_pixels hot pixels, and more than chance gives", f"count in the {_STACK}", "health"
    ),
    Quantity("warm_pixels", "N_warm", "pixels", "Pixels whose rate exceeds the threshold for warm, but not that for hot", f"count in the {_STACK}", "health"),
    Quantity(
        "warm_columns", "N_wcol", "columns", "Columns with at least hot_column_pixels warm or hot pixels, and more than chance gives, that are not hot",
        f"count in the {_STACK}", "health",
    ),
    Quantity(
        "glow", "G", "ADU/s", "Rate in the corner beside the readout node (an eighth of rows and columns) less that in the middle",
        f"means of cells of 8 × 8 pixels of the {_STACK}, outliers of each left out; middle half of rows and columns; error from the scatter within cells", "health",
    ),
    Quantity(
        "glow_rows", "G_y", "ADU/s", "Rate of the last tenth of the rows read less that of the first",
        "means of row medians of the master", "health",
    ),
    Quantity(
        "glow_columns", "G_x", "ADU/s", "Rate of the last tenth of the columns read less that of the first",
        "means of column medians of the master", "health",
    ),
    Quantity(
        "light_leak", "dD/dt", "ADU/s/h", "Change of the rate with the time of day, at equal exposure time",
        "weighted straight line of the level over exposure time against when it was taken, with a level of its own for each exposure time; error from the levels' errors, "
        "by scatter where that is larger", "health",
    ),
    Quantity(
        "activation_energy", "E_a", "eV", "Activation energy of the dark current", "weighted fit of an Arrhenius law to the dark currents of two temperatures or more; error from theirs, by scatter where that is larger",
        "engineering",
    ),
    Quantity(
        "doubling", "ΔT₂", "K", "Warming that doubles the dark current, at the mean temperature", "k T² ln 2 / activation_energy, with its error", "engineering",
        unplotted="activation_energy in other words",
    ),
)  # fmt: skip
"""What the dark procedure measures, per channel."""


FIGURES = (
    FigureSpec(
        "levels", "Dark level against exposure time",
        "Clipped level of each frame, and the line whose slope is the dark current; with fewer than three exposure times it is drawn from zero and tests nothing. Look for curvature, and for a "
        "frame off the line: its offset moved, or its exposure time is wrong.",
        (PanelSpec("Level less offset [ADU] against exposure time [s], with errors; the line of each channel has the slope found."),),
        ("dark_current",),
    ),
    FigureSpec(
        "rates", "Distribution of pixel rates",
        "Rates of the master's pixels. The core is noise and the typical dark current, the tail is warm and hot pixels; "
        "the dashed lines are the dark current found and the thresholds.",
        (PanelSpec("Number of pixels by rate [ADU/s], logarithmic; the title counts pixels hotter than shown.", "channel"),),
        ("dark_current", "dark_current_median", "dark_current_mean", "dark_current_95", "hot_pixels", "warm_pixels"),
    ),
    FigureSpec(
        "master", "Master dark", "Rate of each pixel; hot pixels are marked, of very many only the hottest. Look for glow at edges and amplifiers.",
        (PanelSpec("Rate of each pixel [ADU/s] at its place on the detector, hot pixels marked."),),
        ("hot_pixels", "hot_columns", "warm_columns", "glow", "glow_rows", "glow_columns"),
    ),
    FigureSpec(
        "time", "Rate against time",
        "Level of each frame over its exposure time, less the mean of the frames of equal exposure time. Light that leaks in changes with the lamps of the room; a detector that is not yet cold falls.",
        (PanelSpec("Level over exposure time, less the mean of its exposure time [ADU/s], against hours since the first frame, with errors."),),
        ("light_leak",),
    ),
    FigureSpec(
        "temperature", "Dark current against temperature",
        "Dark current of the frames of each temperature with the Arrhenius law fitted, where there are two temperatures. Dark current that flattens at low temperature is a light leak or the offset.",
        (PanelSpec("Dark current [ADU/s] against temperature [°C], logarithmic where positive; the line is the law fitted."),),
        ("activation_energy",),
    ),
)  # fmt: skip
"""What the dark procedure draws."""

PRODUCTS = (
    ProductSpec("master_dark", "fits", "rate of each pixel, and its error (…_ERR) [ADU/s]"),
    ProductSpec("hot_mask", "fits", "1 for a hot pixel, 2 for a hot column, 3 for both"),
    ProductSpec("dark_mask", "fits", "mask of hot, warm and saturated pixels, hot and warm columns, and those without value: bits of the one table of mask bits"),
    ProductSpec("hot_pixels", "ecsv", "hot pixels: place, rate and error, hottest first"),
)  # fmt: skip
"""What the dark procedure hands on."""

OFFERED = ("nonlinearity",)
"""Steps of correction beyond offset and bias. Crosstalk of what is dark is nothing, no flat divides what did not fall as light, and the mask of defects is of the very pixels that are looked for."""

PARAMETERS = (
    Parameter(
        "estimator", "slope",
        "of the dark current: 'slope' over exposure times (level over time where there are fewer than three), 'single' exposures less bias, 'stacked' long exposures less bias",
    ),
    Parameter("sigma", 3.0, "clipping of the master", "σ", 2.5, 10.0),
    Parameter("hot_sigma", 10.0, "a pixel is hot above the median by this many σ of the master", "σ", 3.0),
    Parameter("hot_rate", 0.0, "a pixel is hot above this rate instead, where a gain is known; 0 for hot_sigma", "e⁻/s", 0.0),
    Parameter("warm_sigma", 5.0, "a pixel is warm above the median by this many σ of the master", "σ", 3.0),
    Parameter("warm_rate", 0.0, "a pixel is warm above this rate instead, where a gain is known; 0 for warm_sigma", "e⁻/s", 0.0),
    Parameter("hot_column_pixels", 20, "hot pixels that make a column hot (with warm ones: warm), if five σ more than is usual", "", 1),
    Parameter("temperature_span", 3.0, "range of temperatures that tells the temperature law", "°C", 0.5),
    corrections("", *OFFERED),
)  # fmt: skip
"""What a campaign may set."""

ESTIMATORS = ("slope", "single", "stacked")
"""Estimators of the dark current."""
