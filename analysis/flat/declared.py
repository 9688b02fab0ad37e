"""What the flat procedure declares: quantities, figures and parameters."""

from __future__ import annotations

from analysis.contract import FigureSpec, PanelSpec, Parameter, Quantity
from analysis.correction_steps import OF_MASTER, corrections

QUANTITIES = (
    Quantity(
        "level", "μ", "ADU", "Level of the flats above the offset", "clipped mean of the image less the offset, mean of frames",
        "engineering", unplotted="the figure of levels is relative to it",
    ),
    Quantity(
        "stability", "s_μ", "%", "Scatter of the level from frame to frame", "standard deviation of the frames' levels over their mean",
        "health",
    ),
    Quantity(
        "prnu", "PRNU", "%", "Photo-response non-uniformity: rms of the pixels' response about its smooth shape, noise taken out",
        "root of the covariance of two half masters, each over the smooth shape of the illumination (a spline), freed of what the spline takes; error that of a covariance of normal values",
    ),
    Quantity(
        "non_uniformity", "U", "%", "Range of the illumination over the channel",
        "smooth shape of the master, 99th less 1st percentile over the median", "engineering",
    ),
    Quantity(
        "dark_pixels", "N_dark", "pixels", "Pixels whose response is far too low",
        "master over its smooth shape below the threshold, by five times its noise at least",
    ),
    Quantity(
        "bright_pixels", "N_bright", "pixels", "Pixels whose response is far too high",
        "master over its smooth shape above the threshold, by five times its noise at least",
    ),
    Quantity(
        "signal_to_noise", "S/N", "", "Level of the master over the noise of one of its pixels",
        "SN = S1 √N: noise from the clipped difference of two half masters, the lamp's drift divided out first", "engineering",
        unplotted="one number of the whole master",
    ),
    Quantity(
        "signal_to_noise_single", "S/N₁", "", "Level of a flat over the noise of one of its pixels", "S1 = signal_to_noise over the root of the number of flats", "engineering",
        unplotted="signal_to_noise over the root of the number of flats",
    ),
    Quantity(
        "lamp_drift", "dμ/dt", "%/h", "Change of the level with time, relative to its mean", "straight line through the levels of all flats against when they began; error from their scatter about it, by Student's t", "health",
    ),
    Quantity(
        "gradient_rows", "G_y", "%", "Illumination of the last tenth of the rows read less that of the first, over the mean", "smooth shape of the master; error from noise and the pixels' pattern", "engineering",
    ),
    Quantity(
        "gradient_columns", "G_x", "%", "Illumination of the last tenth of the columns read less that of the first, over the mean", "smooth shape of the master; error from noise and the pixels' pattern", "engineering",
    ),
    Quantity(
        "dust_spots", "N_dust", "spots", "Extended dark regions of the master: dust and stains",
        "connected regions of dust_pixels or more in which the mean of 5 × 5 pixels over the smooth shape is low by dust_depth and five of its robust scatter", "health",
    ),
    Quantity("dust_area", "A_dust", "pixels", "Pixels in extended dark regions", "count in these regions", "health"),
    Quantity(
        "saturated", "f_sat", "%", "Pixels at or above saturation, of all frames", "count over all pixels of all frames", "health",
        unplotted="a count; the exposure table has it frame by frame",
    ),
)  # fmt: skip
"""What the flat procedure measures, per channel and setting."""

FIGURES = (
        FigureSpec(
            "levels", "Level against exposure",
            "Level of each flat over the mean of its setting. Look for drifts common to all channels: that is the lamp.",
            (PanelSpec("Level of each flat less the mean of its setting, over that mean [%], against exposure."),),
            ("stability", "lamp_drift"),
        ),
        FigureSpec(
            "master", "Master flat", "Mean of the flats of the first setting over the mean level; defects are marked unless there are thousands, whole columns by triangles at their ends. Look for dust, bad columns, edges and the shape of the illumination.",
            (PanelSpec("Response of each pixel, one for the mean level, at its place on the detector; defects marked."),),
            ("non_uniformity", "gradient_rows", "gradient_columns", "dark_pixels", "bright_pixels", "dust_spots", "dust_area"),
        ),
        FigureSpec(
            "response", "Response of the pixels",
            "Histogram of the master over its smooth shape, with the normal distribution of PRNU and noise. Wings are defects, dust and edges.",
            (PanelSpec("Number of pixels by response, logarithmic; the curve is the normal distribution of PRNU and noise together.", "channel and setting"),),
            ("prnu", "dark_pixels", "bright_pixels"),
        ),
        FigureSpec(
            "profiles", "Rows and columns of the response", "Means of the rows and columns of the master over its smooth shape, without dark and bright pixels; each point is the mean of its neighbours where there are more than two hundred. Look for single "
            "columns, steps between blocks of the mask, and for what the smooth shape does not follow.",
            (
                PanelSpec("Mean response of each row against the row, of each setting.", "channel"),
                PanelSpec("Mean response of each column against the column, of each setting.", "channel"),
            ),
            ("prnu",),
        ),
        FigureSpec(
            "prnu", "PRNU against level and wavelength",
            "PRNU of each setting. It should not depend on the level; a fall at high levels is saturation, a rise at low ones an offset that is wrong. With wavelength it grows towards the red (fringes) and the blue (surface).",
            (
                PanelSpec("PRNU [%] of each setting against its mean level [ADU], with errors."),
                PanelSpec("PRNU [%] of each setting against wavelength (against the place of the setting, where no wavelength is known)."),
            ),
            ("prnu",),
        ),
)  # fmt: skip
"""What the flat procedure draws."""

PARAMETERS = (
    Parameter(
        "estimator", "spline",
        "what the response is over: 'spline' through the means of cells; 'polynomial', the smooth shape of that degree; 'reference', the ratio to the master of another setting, over its smooth shape",
    ),
    Parameter("cell", 25.0, "side of the cells through whose means the spline goes: what is coarser is illumination, what is finer response", "pixel", 8.0),
    Parameter("reference", "", "setting that is the reference of the others, as it stands in the table; '' for the first"),
    Parameter("degree", 5, "degree of the 2-D polynomial that is the smooth shape of the illumination", "", 0, 9),
    Parameter("dark", 0.5, "response below which a pixel counts as dark", "", 0.0, 1.0),
    Parameter("bright", 1.5, "response above which a pixel counts as bright", "", 1.0, 10.0),
    Parameter("dust_depth", 0.01, "loss of light of an extended region that is dust", "", 0.0, 1.0),
    Parameter("dust_pixels", 30, "pixels that such a region has at least", "pixels", 1),
    Parameter("stability_tolerance", 0.005, "relative scatter of the levels above which they are flagged unstable", "", 0.0, 1.0),
    Parameter("lamp_tolerance", 0.01, "relative change of the light from one frame to the next that is flagged", "", 0.0, 1.0),
    Parameter("flicker_ratio", 1.5, "variance of row or column means over that of pixel noise from which a flat is not used", "", 1.0),
    Parameter("pile_fraction", 0.001, "fraction of pixels at one end of the range from which a flat is clamped or saturated", "", 0.0, 1.0),
    corrections("", *OF_MASTER),
)  # fmt: skip
"""What a campaign may set."""

ESTIMATORS = ("spline", "polynomial", "reference")
"""What the response may be over."""
