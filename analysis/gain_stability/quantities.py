"""What gain stability measures."""

from __future__ import annotations

from analysis.contract import Quantity

_PAIR = "level over the variance of light, pair by pair, freed of brighter-fatter by a₀₀ where photon transfer gave it"
_SLOPE = "weighted fit of a mean for each exposure time and slopes with time and temperature to the logarithms of the pairs' {}; error from their noise, and from their scatter where that is larger"
_EXCESS = "variance about the same fit that makes χ² what noise explains, its root"

QUANTITIES = (
    Quantity("gain_mean", "g", "e⁻/ADU", "Mean gain of the pairs", f"{_PAIR}; weighted mean; error with those of read noise, offset and a₀₀", "health"),
    Quantity("gain_scatter", "s_g", "%", "Scatter of the gain from pair to pair beyond noise", _EXCESS, "health"),
    Quantity("gain_drift", "dg/dt", "%/h", "Change of the gain with time, at one temperature", _SLOPE.format("gains"), "health"),
    Quantity(
        "gain_temperature", "dg/dT", "%/K", "Change of the gain with the detector's temperature", _SLOPE.format("gains"), "calibration"
    ),
    Quantity("level_scatter", "s_μ", "%", "Scatter of the light from pair to pair beyond noise", _EXCESS, "health"),
    Quantity("level_drift", "dμ/dt", "%/h", "Change of the light with time", _SLOPE.format("levels"), "health"),
    Quantity(
        "pairs_used", "N", "pairs", "Pairs of flats that the numbers rest on", "count", "engineering", unplotted="a count of the points drawn"
    ),
)  # fmt: skip
"""What the procedure measures, per channel and setting."""
