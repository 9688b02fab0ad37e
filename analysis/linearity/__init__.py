"""Linearity: how far levels are from the light that made them, and what has to be added to correct them."""

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
from analysis.correction_steps import corrections, takes
from analysis.linearity.quantities import QUANTITIES

STEPS = ("offset", "rows", "crosstalk", "bias", "defects")
"""Steps of correction that are offered, and ``nonlinearity``, which takes the procedure's own table and serves to check it on frames that come with one.

Dark signal, flat, the flats' own mask and the kernel of brighter-fatter may rest on this table themselves; the response of pixels is the same in all flats and cancels.
"""


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.linearity.measuring``."""
    from analysis.linearity import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="linearity",
    title="Linearity",
    purpose="How far each channel's levels are from being proportional to the light, and the correction that makes them so.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version("1.1", "2026-11-21", "The table of corrections tells the parts of its error, from which the covariance of any two levels follows. No number moves."),
    ),
    roles=(
        Role("flat", ("flat",), 3, "flats of a ladder of exposure times; one time, repeated through the ladder, tells the lamp's drift"),
        Role("bias", ("bias",), 0, "bias frames: structure, and the offset where there is no overscan", elsewhere=True),
    ),
    takes=takes(*STEPS, but="flat"),
    parameters=(
        corrections("offset bias", *STEPS[:-1], "nonlinearity", STEPS[-1]),
        Parameter("estimator", "spline", "the curve's form: spline, or polynomial"),
        Parameter("knots", 6, "knots of the spline, even in level; fewer where rungs are lacking", "", 2, 40),
        Parameter("degree", 4, "degree of the polynomial response: level against light", "", 2, 9),
        Parameter("setting_fields", "wavelength", "fields by which flats are told apart as settings, each with a curve of its own"),
        Parameter(
            "join_fields", "source",
            "fields whose values are lights of different strength within a setting (lamps, neutral density): one curve, with a free ratio for each",
        ),
        Parameter("time_field", "exptime", "field or header keyword with the time of the exposure, or with what a monitor of the light gathered"),
        Parameter("shutter", "fit", "time that the shutter is open longer than it is told: fit, or seconds (0 where times are true)"),
        Parameter("lamp_degree", 2, "degree of the lamp's drift in time; 0 for a lamp that does not drift", "", 0, 6),
        Parameter("range_low", 0.0, "lower end of the range of max_deviation; 0: a fiftieth of saturation, or the lowest level if higher", "ADU", 0.0),
        Parameter("range_high", 0.0, "upper end of that range; 0: the highest level measured", "ADU", 0.0),
        Parameter("linear_low", 0.0, "lower end of the low levels' line; 0: as range_low", "ADU", 0.0),
        Parameter("linear_high", 0.0, "upper end of the low levels' line; 0: a quarter of saturation", "ADU", 0.0),
        Parameter("reference_level", 0.0, "level of reference_deviation; 0: half of saturation", "ADU", 0.0),
        Parameter("turnoff", 1.0, "deviation from the low levels' line at the turnoff", "%", 0.0, 50.0),
        Parameter("residual_tolerance", 0.02, "residual from which a curve that noise does not explain is flagged", "%", 0.0),
        Parameter("lamp_tolerance", 0.5, "scatter of the light from frame to frame from which it is flagged", "%", 0.0),
        Parameter("tile", 64, "side of the tiles whose scatter gives the error of a level", "pixels", 4),
        Parameter("clip", 5.0, "pixels farther than this from their tile's median are left out", "σ", 3.0, 10.0),
        Parameter("pile_fraction", 0.001, "fraction of pixels at one end of the range from which a flat is clamped or saturated", "", 0.0, 1.0),
    ),
    quantities=QUANTITIES,
    figures=(
        FigureSpec(
            "response", "Level against time",
            "Levels against the time that the shutter was open (its offset added), each light with its line, and by how much they lie off it, the lamp's drift "
            "taken out. Look for rungs off the line, and for lights that do not meet.",
            (
                PanelSpec("Level above the offset [ADU] against time open [s], with the line of the whole range for each light."),
                PanelSpec("Level less that line, over it [%], flat by flat, with the noise of its pixels."),
            ),
            ("max_level", "min_level", "shutter_offset"),
        ),
        FigureSpec(
            "deviation", "Deviation from a straight line",
            "N/(a F) − 1, measured less linear, of the smooth curve with a band of one σ, and of each rung's mean. The same curve by both definitions: the "
            "line a F is that of the whole range, or that of the low levels. They differ by the slope of their lines: name the one you quote.",
            (
                PanelSpec("Deviation [%] against level above the offset [ADU], from the line through zero of the whole range: max_deviation is its largest size."),
                PanelSpec("The same from the line through zero of the low levels: reference_deviation is read at the reference level, turnoff where the threshold is crossed."),
            ),
            ("max_deviation", "max_deviation_level", "reference_deviation", "turnoff"),
        ),
        FigureSpec(
            "residuals", "After correction",
            "Rungs' mean levels after correction less the line, with the light's scatter in their errors. Look for a shape that the curve could not follow: more knots, "
            "or a lamp that drifts otherwise than a polynomial.",
            (PanelSpec("Corrected level less line, over the line [%], against level above the offset [ADU]."),),
            ("residual", "fit_chi2"),
        ),
        FigureSpec(
            "lamp", "Light over time",
            "The light that each flat tells, non-linearity and exposure time taken out, and the drift that was fitted. Look for jumps, and for scatter that pixels do "
            "not explain.",
            (PanelSpec("Light less its mean course [%] against the time since the first flat [h], or the number of the flat where dates are not known."),),
            ("lamp_drift", "lamp_scatter"),
        ),
    ),
    products=(
        ProductSpec("correction", "ecsv", "what to add to levels above the offset [ADU], with its error, by channel and setting; zero to the highest level measured"),
        ProductSpec("curve", "ecsv", "deviations by both definitions, with errors, by channel, setting and level"),
        ProductSpec("points", "ecsv", "the flats: light, time, level, lamp, residual, and whether they were used"),
    ),
    acceptance=(
        "max_deviation and reference_deviation are within their limits, and quoted with their lines.",
        "residual is a small part of max_deviation, and no flag says poor-fit or unstable.",
        "A turnoff or a deviation that is not reached passes no limit: the ladder ended before it.",
    ),
    caveats=("No drift of the lamp could be taken out: it would look like non-linearity.",),
    algorithm="""\
Level of a flat: mean of its tiles, each the mean of the pixels within clip σ of its median; its error from how tiles scatter about the shape that all flats of that light share.
Rungs beyond full well (the level rises by less than half its usual rate, or lies 10 % below it) and saturated flats are left out.

Light and level, fitted to all flats at once by weighted least squares:

    (N − o) [1 + c(N)] = rⱼ (t + t₀) ℓ(when),    c(N) = Σ cₘ Bₘ(N)
    N: level above the offset [ADU];  o: error of the offset, held to zero within its own;  rⱼ: rate of light j [ADU/s]
    t: time told to the shutter [s];  t₀: time that it is open longer [s];  ℓ: lamp, exponential of a polynomial in time
    where a light is uneven, N [1 + c(N)] stands for the mean of sN [1 + c(sN)] over its shape s, tile by tile
    B: cubic spline of even knots in level, or powers of the level, of mean zero over the levels measured

Every error is enlarged by the scatter of the light from frame to frame, which repeated exposures show beyond their pixels' noise:

    χ² of repeated exposures about their means = ν,    variance = σ² + s² N²

Deviation, measured less linear over linear; the line through zero a F is the one whose deviation, averaged evenly over the levels of its range, is zero:

    D(N) = N / (a F) − 1,    ⟨D⟩ = 0 within the range;    max_deviation = max |D|
    reference_deviation = (R − L) / R = 1 − 1 / (1 + D(R)),  L = a F for the light that made R, line of the low levels

The maximum of a noisy curve is too large; by how much is found with draws from the fit's covariance and taken off:

    |D|_max = max|D̂| − (⟨max|D̂ + δ|⟩ − max|D̂|),    δ drawn from the covariance

Correction to add to a level:

    C(N) = N / (1 + D(N)) − N""",
    references=(
        "LSST cp_pipe, cpLinearitySolve (spline in level with a slope for each group of exposures, change DM-39639, after P. Astier).",
        "ESO quality control of CRIRES and HAWK-I detectors: LIN.EFF at a reference level.",
        "EMVA Standard 1288, release 4.0 linear (deviation from a line fitted with relative weights).",
        "B. Efron, R. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall 1993, chapter 10 (bias).",
    ),
    comments=(
        "Peers state numbers that differ by a third for the same frames, because the line depends on which levels were exposed how often; here it depends on its range alone.",
        "HAWK-I's LIN.EFF is (true − R)/R, of the opposite sign to reference_deviation; ESO's polynomials take the slope at zero for the line, here it is that of linear_low … linear_high.",
        "Nothing is extrapolated: what lies above the highest level (below the lowest) is not reached.",
        "A common error of the offset and the shutter's offset are all but the same in a ladder of one light: without an overscan t₀ may contain either.",
        "What a lamp does beyond the exponential of a polynomial of degree lamp_degree stays in lamp_drift: 0.0005 % of light that goes as 1 − 0.015 w + 0.008 w² from first to "
        "last flat, −0.26 of the error of 57 flats of 128² pixels. lamp_degree 3 leaves nothing of it, and makes that error 1.8 times as large.",
        "All lights of a ladder share one drift. Lights that are joined must have rungs in common levels.",
        "No dark signal is taken off and no flat divided by: they may rest on this correction. Take flats whose dark signal is negligible.",
        "Channels see the same lamp: its scatter moves their curves together.",
    ),
    measure=measure,
)  # fmt: skip
