"""What the charge transfer procedure measures, and by which estimators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.contract import Quantity

if TYPE_CHECKING:
    from analysis.charge_transfer.register import Direction

EPER = "charge in the first pixels after the image over that of the last image pixel and its transfers (extended pixel edge response)"
FIRST = "charge missing from the first image pixels over the level they should have and their transfers (first-pixel response)"
MODEL = "fit of CTI, decaying offset of the electronics and traps to the pixels after the image at all levels"
BLOCKS_ERROR = "; error from the covariance of blocks of lines"

QUANTITIES = (
    Quantity(
        "serial_cti", "CTI_s", "", "Fraction of a packet that stays behind at one serial transfer, at the reference level", EPER + BLOCKS_ERROR
    ),
    Quantity(
        "parallel_cti", "CTI_p", "", "Fraction of a packet that stays behind at one parallel transfer, at the reference level", EPER + BLOCKS_ERROR
    ),
    Quantity(
        "serial_deferred", "Q_s", "ADU", "Charge in the first overscan columns, per row, at the reference level",
        "sum of the mean overscan columns less the offset of late ones" + BLOCKS_ERROR,
    ),
    Quantity(
        "parallel_deferred", "Q_p", "ADU", "Charge in the first parallel overscan rows, per column, at the reference level",
        "sum of the mean overscan rows less the offset of late ones" + BLOCKS_ERROR,
    ),
    Quantity(
        "hard_edge_response", "HER", "", "First overscan column over the last image column, both above the offset, near half range; charge deferred in the "
        "register is part of it", "ratio of mean columns of the flats nearest half range" + BLOCKS_ERROR,
    ),
    Quantity(
        "serial_turnoff", "S_to", "ADU", "Level above the offset from which the serial CTI rises",
        "lowest level below levels that all lie above it; half-way to the next is the error", "health",
    ),
    Quantity(
        "local_offset", "A_L", "", "Offset of the electronics left by a pixel, over its level, at no distance", MODEL, "calibration"
    ),
    Quantity("local_decay", "τ_L", "pixels", "Distance in which the offset of the electronics decays", MODEL, "calibration"),
    Quantity("trap_size", "w_T", "ADU", "Charge that traps of the serial register hold at most", MODEL, "calibration"),
    Quantity("trap_release", "τ_T", "pixels", "Serial transfers in which traps release their charge", MODEL, "calibration"),
    Quantity(
        "reference_signal", "S_ref", "ADU", "Level of the last image column above the offset at which the serial CTI is reported",
        "mean of the column less the offset of late overscan columns", "engineering",
    ),
)  # fmt: skip
"""What the charge transfer procedure measures, per channel and setting."""

OF_DIRECTION: dict[Direction, tuple[str, ...]] = {
    "serial": (
        "serial_cti", "serial_deferred", "hard_edge_response", "serial_turnoff", "local_offset", "local_decay", "trap_size",
        "trap_release", "reference_signal",
    ),
    "parallel": ("parallel_cti", "parallel_deferred"),
}  # fmt: skip
"""The quantities of each direction."""
