"""Photon transfer: gain, read noise and full well from the noise of pairs of flats."""

from __future__ import annotations

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
from analysis.flat_frames import by_setting
from analysis.flat_pairs import Bounds, pair_up
from analysis.photon_transfer.outputs import hand_on
from analysis.photon_transfer.points import measure_curve
from analysis.photon_transfer.results import QUANTITIES, hand_back, nothing

MODELS = ("auto", "exponential", "quadratic", "pairs")
"""What the parameter ``model`` may be."""


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see ``PROCEDURE`` for the quantities."""
    if inputs.parameters["model"] not in MODELS:
        raise ContractError(
            f"photon_transfer.model cannot be {inputs.parameters['model']!r}; it is one of {', '.join(MODELS)}"
        )
    biases = inputs.frames.get("bias", ())
    bounds = Bounds(
        inputs.number("clip"),
        int(inputs.number("tile")),
        inputs.detector.geometry.saturation,
        inputs.number("lamp_tolerance"),
        inputs.number("flicker_ratio"),
        inputs.number("pile_fraction"),
    )
    curves = []
    for setting, frames in by_setting(inputs.frames.get("flat", ()), inputs.setting):
        pairs, left = pair_up(frames, inputs.number("time_tolerance"))
        if left:
            names = ", ".join(f.frame.exposure for f in left)
            results.say(f"{setting or 'flats'}: without a partner of equal exposure time: {names}")
        for channel in inputs.detector.geometry.channels:
            curve = None
            if not pairs:
                known = any(f.frame.exptime is not None for f in frames)
                reason = "too-few-frames" if known else "exposure-time-unknown"
                nothing(results, channel.name, setting, reason, f"{len(frames)} flats make no pair")
            else:
                curve = measure_curve(inputs, channel, setting, pairs, biases, bounds)
                if curve is None:
                    nothing(
                        results, channel.name, setting, "no-overscan", "nothing tells the offset of the flats"
                    )
            if curve is not None:
                hand_back(results, curve)
                curves.append(curve)
    hand_on(results, curves, [c.name for c in inputs.detector.geometry.channels])


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
    ),
    roles=(
        Role("flat", ("flat",), 2, "flats in pairs of equal exposure time, in the order they were taken"),
        Role(
            "bias", ("bias",), 0, "bias frames, for the noise without light, and for the offset where there is no overscan",
            elsewhere=True,
        ),
    ),
    parameters=(
        Parameter("model", "auto", "exponential, quadratic or pairs; auto: exponential from four levels on, quadratic with three, pairs with fewer"),
        Parameter("time_tolerance", 0.005, "largest difference of the exposure times of a pair", "s", 0.0),
        Parameter("clip", 5.0, "clipping of the differences; at 5 σ it costs no normal noise", "σ", 3.0, 10.0),
        Parameter("tile", 64, "side of the tiles about whose means the variance is taken", "pixels", 8),
        Parameter("pair_level", 0.0, "level of the cross-check by pairs; 0: a quarter of the highest", "ADU", 0.0),
        Parameter("lamp_tolerance", 0.01, "relative change of the light within a pair from which it is not used", "", 0.0, 1.0),
        Parameter("flicker_ratio", 1.5, "variance of row or column means over that of pixel noise from which a pair is not used", "", 1.0),
        Parameter("pile_fraction", 0.001, "fraction of pixels at one end of the range from which a flat is clamped or saturated", "", 0.0, 1.0),
    ),
    quantities=QUANTITIES,
    figures=(
        FigureSpec(
            "transfer_curve", "Photon transfer curve",
            "Variance of one frame against its level above the offset, with the fitted curves. Crosses are pairs left out; the "
            "thin lines are the turnoffs, where full well is read. Look for pairs off the curve, and for variance that sags before its turnoff.",
            (PanelSpec("Variance of one frame [ADU²] against level above the offset [ADU]: points are pairs, lines the fits."),),
            ("gain", "a00", "full_well_adu", "max_level"),
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
    ),
    products=(ProductSpec("points", "ecsv", "the points of the curves: levels, variances, errors, flags, and whether they were used"),),
    acceptance=(
        "The gain lies in the range required of the channel.",
        "The reduced χ² is near one, and no flag says that a pair was left out below full well.",
    ),
    caveats=(
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

The curve is fitted up to the turnoff of the variance, and to where points follow the model, with weights from the fitted law. With too few
levels for a fit, the gain is that of two flats and two biases, averaged over pairs.

    exponential:  C(μ) = [exp(2 a₀₀ g μ) − 1] / (2 g² a₀₀) + n / g²
    quadratic:  C(μ) = μ / g + a₀₀ μ² + n / g²
    pairs:  g = μ / (C − C₀)
    g: gain [e⁻/ADU];  a₀₀ [1/e⁻], below zero where charge repels charge;  n [e⁻²]: noise at zero level;  C₀ [ADU²]: variance without light

The read noise is that of the intercept, σ² = n − g²/12 (less the rounding of the converter), where that is known to a tenth; else that of bias frames,
else of the overscan, times the gain. The estimator beside each number says which. The full well is read at the turnoff, the level of largest variance, so no finer than the
steps of exposure time; it is the onset of blooming or of the converter's end, not the end of linearity.""",
    references=(
        "P. Astier et al., 2019, A&A 629, A36 (equation 16: shape of the curve, with a₀₀ alone; the quadratic is its expansion).",
        "J. Janesick, Photon Transfer, SPIE Press 2007, chapters 5 and 6 (pairs, read noise).",
        "EMVA Standard 1288, release 4.0 (rounding noise).",
    ),
    comments=(
        "Two levels give a gain by pairs; a fit with its brighter-fatter term needs four, and levels up to the turnoff for a full well.",
        "Covariances between neighbouring pixels are not fitted: a₀₀ is that of the curve's bend alone.",
    ),
    measure=measure,
)  # fmt: skip
