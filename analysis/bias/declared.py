"""What the bias procedure declares: quantities, figures, products and parameters."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.contract import FigureSpec, PanelSpec, Parameter, ProductSpec, Quantity

_IMAGE = "clipped mean of the image of each frame, averaged over frames"
_COMMON = "covariance of the stacks of odd and even frames about their smooth shapes"

QUANTITIES = (
    Quantity("offset", "B", "ADU", "Level of the image without light", _IMAGE, "calibration"),
    Quantity(
        "offset_overscan", "B_over", "ADU", "Level of the overscan (else of the prescan)",
        "clipped mean of the trimmed overscan of each frame, averaged over frames", "calibration",
        unplotted="the level of each frame's overscan is in the product frame_offsets",
    ),
    Quantity(
        "offset_prescan", "B_pre", "ADU", "Level of the prescan",
        "clipped mean of the trimmed prescan of each frame, averaged over frames", "calibration",
        unplotted="the level of each frame's prescan is in the product frame_offsets",
    ),
    Quantity(
        "offset_drift", "ΔB", "ADU", "Change of the offset from the first to the last frame",
        "straight line through the frames' levels in time, slope times duration", "health",
    ),
    Quantity(
        "read_noise", "σ_R", "ADU", "Noise of reading one pixel, less rounding by the converter",
        "std of clipped differences of consecutive frames over √2, clip bias corrected, less 1/12 ADU² in variance; error from the sampling of "
        "normal noise, by scatter of pairs where that is larger",
    ),
    Quantity(
        "read_noise_e", "σ_R", "e⁻", "Noise of reading one pixel, in electrons",
        "read_noise times the gain measured by photon transfer, else the nominal gain",
        unplotted="read_noise times one number",
    ),
    Quantity(
        "structure", "σ_S", "ADU", "Rms of the master about its smooth shape, noise taken out", _COMMON, "health"
    ),
    Quantity(
        "column_structure", "σ_C", "ADU", "Rms of the means of the master's columns, noise taken out",
        f"{_COMMON}, of column means", "health",
    ),
    Quantity(
        "row_structure", "σ_L", "ADU", "Rms of the means of the master's rows, noise taken out",
        f"{_COMMON}, of row means", "health",
    ),
    Quantity(
        "fixed_pattern", "σ_F", "ADU", "Rms of what rows and columns do not explain, pixel by pixel, noise taken out",
        f"{_COMMON}, less row and column means", "health",
    ),
    Quantity(
        "gradient_rows", "G_y", "ADU", "Level of the last tenth of the rows read less that of the first",
        "means of row medians of the master", "health",
    ),
    Quantity(
        "gradient_columns", "G_x", "ADU", "Level of the last tenth of the columns read less that of the first",
        "means of column medians of the master", "health",
    ),
    Quantity(
        "noise_correlation", "ρ_max", "", "Correlation of the channel's noise, as it is read, with that of the channel it goes with most",
        "Pearson's ρ of differences of two frames at pixels read at the same moment, largest |ρ| of all other channels; the converter's rounding is part of the noise, and lowers ρ by 1/(12 σ²); error by jackknife over bands of rows",
        "health",
    ),
    Quantity(
        "bias_jumps", "N_jump", "jumps", "Steps of the level while a frame is read, in all frames",
        "steps in the overscan's row means (else the image's) beyond jump_sigma of their robust scatter: means of 30 rows before and after", "health",
    ),
    Quantity(
        "largest_jump", "ΔB_jump", "ADU", "Size of the largest of them",
        "mean of the 30 rows after less that of the 30 before, less frames without jumps; error from the robust scatter of such differences", "health",
    ),
    Quantity(
        "pattern_noise", "A_p", "ADU", "Amplitude of the strongest period along rows",
        "power of its lobe in the mean spectrum of the rows (Hann window) above the background beside it; error by jackknife over blocks of rows", "health",
    ),
    Quantity(
        "pattern_frequency", "f_p", "1/pixel", "Frequency of the strongest period along rows, where one is significant",
        "centroid of its lobe in the mean spectrum of the rows; error by jackknife over blocks of rows", "health",
    ),
    Quantity(
        "pattern_peaks", "N_p", "peaks", "Periods along rows that stand above the false-alarm level",
        "bins of the mean spectrum of the rows beyond what noise shows in one of false_alarm⁻¹ channels", "health",
    ),
)  # fmt: skip
"""What the bias procedure measures, per channel."""

FIGURES = (
    FigureSpec(
        "stability",
        "Offset and noise against exposure",
        "Level of each frame less the channel's mean, with the error from pixel noise, and the noise of each frame with the one before. "
        "Look for steps, drifts common to all channels, and a single frame that differs.",
        (
            PanelSpec(
                "Level of each frame's image less the channel's mean [ADU] against exposure; the line is the mean."
            ),
            PanelSpec(
                "Noise of each frame's difference from the one before, over √2, rounding included [ADU]."
            ),
        ),
        ("offset", "offset_drift", "read_noise"),
    ),
    FigureSpec(
        "differences",
        "Differences of consecutive frames",
        "All differences (√2 times the noise of one frame) with the normal distribution of the read noise found. Wings beyond the line are "
        "cosmic rays or unstable pixels; steps missing from the histogram are converter faults.",
        (
            PanelSpec(
                "Number of pixels by difference [ADU], logarithmic; the curve is the normal distribution of the read noise found.",
                "channel",
            ),
        ),
        ("read_noise",),
    ),
    FigureSpec(
        "profiles",
        "Rows and columns of the master",
        "Means of the master's rows and columns without outlying pixels, at their place on the detector, on one ordinate for all channels; each point is the mean of its neighbours where there are more than two hundred. Look for a rise at the first columns read, bands, single columns.",
        (
            PanelSpec("Mean of each row of the master less that of all [ADU] against the row.", "channel"),
            PanelSpec(
                "Mean of each column of the master less that of all [ADU] against the column.", "channel"
            ),
        ),
        ("row_structure", "column_structure", "gradient_rows", "gradient_columns"),
    ),
    FigureSpec(
        "master",
        "Master bias",
        "The clipped mean of all frames less each channel's level. Look for glow and patterns.",
        (PanelSpec("Level of each pixel less its channel's mean [ADU], at its place on the detector."),),
        ("structure", "fixed_pattern"),
    ),
    FigureSpec(
        "correlation",
        "Correlation of the channels' noise",
        "Each row of the matrix of correlation, with errors by jackknife. Channels that share supplies or grounds go together; look for pairs, and for a channel that goes "
        "with all others.",
        (
            PanelSpec(
                "Correlation ρ of the noise of each channel with each other one, by the other's place in the detector's list of channels (from 1)."
            ),
        ),
        ("noise_correlation",),
    ),
    FigureSpec(
        "jumps",
        "Row means during readout",
        "What the rows' means of a frame have beyond those of frames without jumps, for the frame with the largest jump of each channel (the first frame, where there is none), and the means that all "
        "have in common. Look for steps; a ramp at the first rows is structure.",
        (
            PanelSpec(
                "Mean of each row of the overscan (else of the image) of one frame, which the title names, less that of the frames without jumps [ADU], in order of reading.",
                "channel",
            ),
            PanelSpec(
                "Mean of each row over the frames without jumps, less the mean of all [ADU], in order of reading.",
                "channel",
            ),
        ),
        ("bias_jumps", "largest_jump"),
    ),
    FigureSpec(
        "spectrum",
        "Spectrum of the rows",
        "Mean power of the rows against frequency; its sum is the variance of a pixel. Peaks above the dashed false-alarm level are periods along the rows, "
        "picked up while reading; a rise to low frequencies is 1/f noise.",
        (
            PanelSpec(
                "Power per bin [ADU²] against frequency [1/pixel], logarithmic, of neighbouring frequencies the highest; the dashed line is the false-alarm level.",
                "channel",
            ),
        ),
        ("pattern_noise", "pattern_frequency", "pattern_peaks"),
    ),
)
"""What the bias procedure draws."""

PRODUCTS = (
    ProductSpec(
        "master_bias",
        "fits",
        "clipped mean of the frames, levels aligned, with the mean level, and its error (…_ERR) [ADU]",
    ),
    ProductSpec("frame_offsets", "ecsv", "level, overscan, prescan and noise of each frame and channel"),
    ProductSpec("profiles", "ecsv", "means of the master's rows and columns, with their errors [ADU]"),
    ProductSpec(
        "noise_correlations", "ecsv", "correlation of the noise of each two channels, with its error"
    ),
    ProductSpec("jumps", "ecsv", "bias jumps: frame, row, size, error and significance"),
    ProductSpec("pattern", "ecsv", "periods along the rows above the false-alarm level, the strongest first"),
)
"""What the bias procedure hands on."""

PARAMETERS = (
    Parameter("sigma", 3.0, "clipping of levels, differences and of the master", "σ", 2.5, 10.0),
    Parameter("degree", 5, "degree of the 2-D polynomial that is the smooth shape", "", 0, 9),
    Parameter(
        "estimator",
        "differences",
        "of the read noise: 'differences' of consecutive frames; 'clipped' scatter of each frame, structure included; 'model', scatter of each frame about its smooth shape",
    ),
    Parameter("remove_rounding", True, "take the 1/12 ADU² of the converter's rounding off the read noise"),
    Parameter(
        "unstable", 1.0, "range of the frames' levels that flags them unstable, over the read noise", "", 0.0
    ),
    Parameter("jump_sigma", 5.5, "significance from which a step of the level is a jump", "σ", 3.0),
    Parameter(
        "correlated_pairs", 2, "pairs of frames at most that tell the correlation of channels", "", 1, 1000
    ),
    Parameter("pattern_frames", 4, "frames at most that tell the spectrum of the rows", "", 1, 1000),
    Parameter(
        "false_alarm",
        0.001,
        "chance that noise alone shows a peak in a channel's spectrum",
        "",
        1e-12,
        0.5,
    ),
    Parameter(
        "pixel_time",
        0.0,
        "time from one pixel of a row to the next, for frequencies in kHz; 0 where it is not known",
        "µs",
        0.0,
    ),
)
"""What a campaign may set."""

ESTIMATORS: Mapping[str, str] = {
    "differences": "",
    "clipped": "clipped std of each frame, structure and fixed pattern included, rms over frames, less 1/12 ADU² in variance",
    "model": "clipped std of each frame about its smooth shape, fixed pattern included, rms over frames, less 1/12 ADU² in variance",
}
"""Estimators of the read noise; '' for the one that the quantity is declared with."""
