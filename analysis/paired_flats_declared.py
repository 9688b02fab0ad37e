"""What procedures that measure pairs of flats declare alike."""

from __future__ import annotations

from analysis.contract import Parameter
from analysis.correction_steps import OFFERED, corrections, takes

PARAMETERS = (
    Parameter("time_tolerance", 0.005, "largest difference of the exposure times of a pair", "s", 0.0),
    Parameter("clip", 5.0, "clipping of the differences; at 5 σ it costs no normal noise", "σ", 3.0, 10.0),
    Parameter("tile", 64, "side of the tiles about whose means the variance is taken", "pixels", 8),
    Parameter("lamp_tolerance", 0.01, "relative change of the light within a pair from which it is not used", "", 0.0, 1.0),
    Parameter("flicker_ratio", 1.5, "variance of row or column means over that of pixel noise from which a pair is not used", "", 1.0),
    Parameter("pile_fraction", 0.001, "fraction of pixels at one end of the range from which a flat is clamped or saturated", "", 0.0, 1.0),
    corrections("", *OFFERED),
)  # fmt: skip
"""How flats are paired and measured, and which pairs are left out."""

TAKES = takes(*OFFERED, but="flat")
"""What procedures that offer both declare: of defects the mask of all, which needs no other procedure, for the flats' own may rest on non-linearity."""
