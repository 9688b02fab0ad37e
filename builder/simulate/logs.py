"""Exposure logs of a day: tab separated, one header line, a trailing tab, one row per detector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from builder.simulate.headers import (
    PROGRAM,
    ROE,
    day_folder,
    lamp_state,
    stamp,
    stated_time,
    stated_wavelength,
    stem,
    temperatures,
)
from builder.simulate.plan import Exposure
from builder.simulate.settings import Truth
from campaign.model import Block

COLUMNS: dict[str, Callable[[Exposure, Block, str], object]] = {
    "ObsID": lambda e, b, d: e.number,
    "File_name": lambda e, b, d: stem(e, d),
    "CCD": lambda e, b, d: d,
    "ROE": lambda e, b, d: ROE,
    "date": lambda e, b, d: stamp(e),
    "program": lambda e, b, d: PROGRAM,
    "test": lambda e, b, d: e.test,
    "calscrpt": lambda e, b, d: f"vis_CalCamp_{e.test}_v7.5.X.xlsx",
    "sn_ccd1": lambda e, b, d: b.hardware.get("CCD1", ""),
    "sn_ccd2": lambda e, b, d: b.hardware.get("CCD2", ""),
    "sn_ccd3": lambda e, b, d: b.hardware.get("CCD3", ""),
    "sn_roe": lambda e, b, d: b.hardware.get("ROE", ""),
    "sn_rpsu": lambda e, b, d: b.hardware.get("RPSU", ""),
    "BUNIT": lambda e, b, d: "ADU",
    "operator": lambda e, b, d: "sim",
    "exptime": lambda e, b, d: f"{stated_time(e, d, 'wrong-log-time'):g}",
    "vstart": lambda e, b, d: 0,
    "vend": lambda e, b, d: 2086,
    "rdmode": lambda e, b, d: "rwd_bas_v" if e.test.startswith("BIAS02") else "fwd_bas",
    "flushes": lambda e, b, d: 7,
    "source": lambda e, b, d: lamp_state(e)[0],
    "wave": lambda e, b, d: stated_wavelength(e, d),
}


def log_name(exposure: Exposure) -> str:
    """'EXP_LOG_110319.txt'."""
    return f"EXP_LOG_{exposure.begun:%d%m%y}.txt"


def by_day(exposures: Iterable[Exposure]) -> dict[str, list[Exposure]]:
    """Exposures by their day folder, in order."""
    out: dict[str, list[Exposure]] = {}
    for exposure in exposures:
        out.setdefault(day_folder(exposure), []).append(exposure)
    return out


def log_text(exposures: Sequence[Exposure], block: Block, detectors: Sequence[str], truth: Truth) -> str:
    """A day's log. Frames that were lost afterwards are in it: the log knows only the acquisition."""
    sensors = list(temperatures(exposures[0], truth))
    lines = ["\t".join((*COLUMNS, *sensors)) + "\t"]
    for exposure in exposures:
        heat = temperatures(exposure, truth)
        for detector in detectors:
            cells = [str(make(exposure, block, detector)) for make in COLUMNS.values()]
            cells += [f"{heat[sensor]:.2f}" for sensor in sensors]
            lines.append("\t".join(cells) + "\t")
    return "\n".join(lines) + "\n"
