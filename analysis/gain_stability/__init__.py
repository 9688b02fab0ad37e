"""Gain stability: gain and light against time and temperature, pair by pair."""

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
    Use,
    Version,
)
from analysis.gain_stability.quantities import QUANTITIES
from analysis.paired_flats_declared import PARAMETERS, TAKES


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.gain_stability.measuring``."""
    from analysis.gain_stability import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="gain_stability",
    title="Gain stability",
    purpose="Whether the gain of each channel stays what it is while time passes and the temperature changes, and how steady the light was meanwhile.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1", "2026-11-21",
            "The error of the mean gain holds that of a₀₀, and does not count a drift as scatter. Errors of scatters allow for being scaled by the scatter found: "
            "larger by a tenth with twenty pairs.",
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
        Parameter("least_range", 0.5, "range of the temperature from which the gain is told against it", "K", 0.0),
        Parameter("tolerance", 0.2, "scatter of the gain (or of the light) beyond noise from which it is called unstable", "%", 0.0),
        *PARAMETERS,
    ),
    quantities=QUANTITIES,
    uses=(Use("photon_transfer", "a00", "the brighter-fatter effect, which makes the gain of a pair depend on its level"),),
    takes=TAKES,
    figures=(
        FigureSpec(
            "stability", "Gain and light against time",
            "Each point is a pair of flats. Look for slopes and steps that channels have in common (the electronics, or their supply), and whether the gain follows the light: then it is "
            "the brighter-fatter effect that was not taken out, or a level that is not linear.",
            (
                PanelSpec("Gain less the mean of its exposure time [%] against time [h], with the errors of noise."),
                PanelSpec("Level less the mean of its exposure time [%] against time [h]."),
            ),
            ("gain_mean", "gain_scatter", "gain_drift", "level_scatter", "level_drift"),
        ),
        FigureSpec(
            "temperature", "Gain against temperature",
            "Each point is a pair of flats, with the error of its noise. A slope is the amplifier's; a loop, as the detector warms and cools, is heat that reaches other parts later.",
            (PanelSpec("Gain less the mean of its exposure time [%] against the detector's temperature [°C]."),),
            ("gain_temperature",),
        ),
    ),
    products=(ProductSpec("pairs", "ecsv", "pairs in order of time: gain, level, temperature, flags"),),
    acceptance=("The gain neither drifts nor scatters by more than its range allows.",),
    caveats=(
        "A step of correction was asked for, and what it takes is not there.",
        "A drift of the light alone moves the gains of pairs by the brighter-fatter effect where photon transfer gave no a₀₀.",
        "A temperature that changes steadily with time cannot be told from a drift.",
    ),
    algorithm="""\
Flats are paired with the next of equal exposure time, and measured as in photon transfer: half the variance of the weighted difference about the means of tiles,
at the harmonic mean of the levels. Pairs that show a drift of the lamp, flicker, a clamp or saturation are left out.

    g = μ γ(2 a₀₀ g μ) / (C − C₀)  with  γ(x) = (eˣ − 1) / x
    μ: level above the offset [ADU];  C: variance of one frame;  C₀: that without light [ADU²];  a₀₀ [1/e⁻] of photon transfer, else 0 and γ = 1

The logarithms of gains and of levels are fitted with a mean for each exposure time and slopes common to all: with time, and the gain with temperature where that is known, varies, and does
not simply follow time. Weights are those of noise.

    ln g_k = m(t_exp) + (dg/dt) t_k + (dg/dT) T_k

The variance beyond noise is the one which, added to each pair's own, gives χ² its expected value; where χ² has a chance below 5 % it is part of the slopes' errors.""",
    references=(
        "J. Janesick, Photon Transfer, SPIE Press 2007, chapter 5 (the gain of a pair).",
        "P. Astier et al., 2019, A&A 629, A36 (equation 16).",
        "R. DerSimonian and N. Laird, 1986, Controlled Clinical Trials 7, 177 (scatter beyond known errors).",
    ),
    comments=(
        "Drifts are per hour at one temperature: where the temperature is a part of the fit, its share is taken out of the drift.",
        "Corrected for non-linearity as photon transfer does it: then let photon transfer, whose a₀₀ is used, be corrected too.",
        "Each pair of a megapixel tells the gain to 0.15 %; slopes below a tenth of that by the hour need many.",
    ),
    measure=measure,
)  # fmt: skip
