"""What the persistence procedure declares: quantities, parameters, figures and products."""

from __future__ import annotations

from analysis.contract import FigureSpec, PanelSpec, Parameter, ProductSpec, Quantity
from analysis.correction_steps import corrections

STATISTICS = ("clipped mean", "mean", "median")
"""How the pixels within the mask are averaged; the first is the default."""

_DIFFERENCE = "mean within the saturation mask less that outside, in the dark less the mean of the darks before the light"

QUANTITIES = (
    Quantity(
        "saturated_fraction", "f_sat", "", "Share of the pixels that the light saturated",
        "count in the saturation mask of all exposures to light; error from the pixels that noise carries over the bound", "engineering",
    ),
    Quantity(
        "residual", "P", "ADU", "What the first dark after the light holds more than the darks before it, where the light saturated",
        f"{_DIFFERENCE}; clipped (or plain) means or the inner median; error from pixel noise, shot noise and the reference's noise",
    ),
    Quantity(
        "residual_e", "P", "e⁻", "The same in electrons", "residual times the gain measured by photon transfer, else the nominal gain",
        unplotted="residual times one number",
    ),
    Quantity(
        "residual_fraction", "P/S", "", "The residual over the level that the saturated pixels had reached",
        "residual over the mean exposed level within the mask",
        unplotted="residual over one number",
    ),
    Quantity(
        "outside", "P_out", "ADU", "Control: what the first dark after the light holds more than those before it, outside the mask",
        "clipped mean of the difference outside the mask and its margin; error from pixel noise and the offsets' errors", "health",
    ),
    Quantity(
        "decay_time", "τ", "s", "Time in which the residual fades to 1/e",
        "generalised least squares of an exponential integrated over the darks' exposures; linearised error", "performance",
    ),
    Quantity(
        "decay_index", "p", "", "Index of the power of time by which the residual fades",
        "generalised least squares of a power law integrated over the darks' exposures; linearised error", "performance",
    ),
)  # fmt: skip
"""What the persistence procedure measures, per channel."""

STEPS = ("offset", "rows", "crosstalk", "bias", "nonlinearity", "defects")
"""Steps of correction that are offered. Dark signal is in the darks before the light as well; charge that was held back did not fall as light, so no flat divides it, and it is far too little to
move borders of pixels."""

PARAMETERS = (
    Parameter("statistic", "clipped mean", f"average over the mask: {', '.join(STATISTICS)}"),
    Parameter("threshold", 0.0, "a pixel is saturated from this level above the offset on too, where the full well ends below the converter; 0 for the detector's saturation level alone", "ADU", 0.0),
    Parameter("sigma", 5.0, "clipping of the averages: cosmic rays of the darks", "σ", 2.5, 20.0),
    Parameter("levels", 12, "bins of exposed level in which the residual is shown", "", 3, 100),
    Parameter("least_fraction", 0.002, "least share of saturated pixels that the test is made for", "", 0.0, 1.0),
    Parameter("most_fraction", 0.2, "greatest share of saturated pixels that the test is made for", "", 0.0, 1.0),
    corrections("offset", *STEPS),
)  # fmt: skip
"""What a campaign may set."""

FIGURES = (
    FigureSpec(
        "fading", "Residual against time",
        "Residual of each dark against the time since the light ended, with the law that fits better; below it the control. Look for a residual that no longer fades, for a law that misses "
        "the points, and for a control that moves: then offsets or temperatures did.",
        (
            PanelSpec("Residual [ADU] with errors against the time since the end of the light [s], with the better law that was fitted."),
            PanelSpec("Control: level outside the mask less that of the darks before [ADU] against the same time, with errors."),
        ),
        ("residual", "decay_time", "decay_index", "outside"),
    ),
    FigureSpec(
        "by_level", "Residual against exposed level",
        "Residual in the first dark of all pixels by the level that they had been exposed to. Look for where it sets in: below saturation, light is held back by traps that lesser charge reaches too.",
        (PanelSpec("Mean residual [ADU] with errors against the level above the offset that the light had reached [ADU]; the dashed line is the mean within the mask."),),
        ("residual",),
    ),
    FigureSpec(
        "map", "Map of the first dark after the light", "First dark after the light less the mean of those before it, and less the background. What was saturated shows if it persists; streaks along columns are charge that spilled.",
        (PanelSpec("First dark less the darks before it [ADU] at its place on the detector."),),
        ("residual", "saturated_fraction"),
    ),
)  # fmt: skip
"""What the persistence procedure draws."""

PRODUCTS = (
    ProductSpec("residual_map", "fits", "first dark after the light less the mean of those before it and less the background [ADU]"),
    ProductSpec("mask", "fits", "bits of the one mask table: saturated by the light; persistent where the first dark stands 5 σ above its background"),
    ProductSpec("residuals", "ecsv", "residual of each dark after the light, by channel"),
    ProductSpec("levels", "ecsv", "residual in the first dark by exposed level and channel"),
)  # fmt: skip
"""What it hands on."""
