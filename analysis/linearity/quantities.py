"""What the linearity procedure measures."""

from __future__ import annotations

from analysis.contract import Quantity

_CURVE = "smooth curve (spline or polynomial in level) fitted together with lamp and shutter"

QUANTITIES = (
    Quantity(
        "max_deviation", "|D|_max", "%",
        "Largest size of N/(a F) − 1 over the range, N the level and a F the line through zero from which the levels of that range do not deviate on average",
        f"maximum of the {_CURVE}; what noise adds to a maximum is taken off by bootstrap",
    ),
    Quantity(
        "max_deviation_level", "N_D", "ADU", "Level above the offset at which max_deviation is found",
        f"place of the maximum of the {_CURVE}",
    ),
    Quantity(
        "reference_deviation", "D_R", "%",
        "(R − L)/R at the reference level R, L what the line through zero of the low levels gives for the light that made R: negative where the response sags "
        "(measured less linear, as ESO's LIN.EFF; other pipelines have the opposite sign)",
        f"{_CURVE}, at one level",
    ),
    Quantity(
        "turnoff", "N_off", "ADU", "Lowest level above the offset that deviates from the line of the low levels by more than the parameter turnoff",
        f"crossing of the {_CURVE}; half-way between rungs where the detector fills up between them",
    ),
    Quantity(
        "residual", "ε", "%", "Scatter of the rungs about the line after correction, within the range of max_deviation",
        "root of the squared residuals of the rungs' weighted means over the degrees of freedom of the curve's test", "health",
    ),
    Quantity(
        "fit_chi2", "χ²/ν", "", "Squared residuals of the rungs' means over the degrees of freedom: whether the curve describes the data",
        "squares of the means' residuals over their errors, which contain the light's scatter from frame to frame", "health",
    ),
    Quantity(
        "lamp_drift", "Δ_lamp", "%", "Change of the light from the first to the last flat",
        "polynomial in time, fitted together with the curve; exposures of one time that are repeated through the ladder tell it", "health",
    ),
    Quantity(
        "lamp_scatter", "s_lamp", "%", "Standard deviation of the light from frame to frame, drift taken off",
        "what repeated exposures scatter beyond the noise of their pixels", "health",
    ),
    Quantity(
        "shutter_offset", "t₀", "s", "Time that the shutter is open longer than it was told",
        "additive time by which levels extrapolate to zero, fitted together with the curve", "health",
    ),
    Quantity(
        "min_level", "N_min", "ADU", "Lowest level above the offset that the curve rests on", "mean of the lowest rung", "engineering"
    ),
    Quantity(
        "max_level", "N_max", "ADU", "Highest level above the offset that the curve rests on", "mean of the highest rung", "engineering"
    ),
)  # fmt: skip
"""What the linearity procedure measures, per channel and setting."""
