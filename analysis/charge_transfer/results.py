"""What the levels of a channel give: the quantities, and their values."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TypedDict

import numpy as np

from analysis.charge_transfer.first_pixel import FirstPixels
from analysis.charge_transfer.levels import Ladder, Level, turnoff
from analysis.charge_transfer.quantities import BLOCKS_ERROR, FIRST, MODEL, OF_DIRECTION
from analysis.charge_transfer.trap_model import Cause, TrapModel
from analysis.contract import Results
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Found:
    """A channel's ladder in one direction with what was made of it; ``first`` and ``model`` are None where they could not be had,
    ``why_first`` and ``why_model`` then say why (a coded reason, and words). ``flags`` are of the frames themselves."""

    ladder: Ladder
    estimator: str
    reference: float
    half_range: float
    pixels: int
    rise: float
    words: str = ""
    flags: tuple[str, ...] = ()
    first: FirstPixels | None = None
    first_transfers: int = 0
    why_first: tuple[str, str] = ("no-reference", "")
    model: TrapModel | None = None
    why_model: tuple[str, str] = ("too-few-pixels", "")

    @property
    def level(self) -> Level:
        """The level that is reported. Raises ValueError when there is none."""
        return self.ladder.nearest(self.reference)


class _Place(TypedDict):
    """Where a value belongs."""

    channel: str
    setting: str


def hand_back(results: Results, found: Found) -> None:
    """All quantities of one channel in one direction."""
    ladder = found.ladder
    if not ladder.levels:
        for quantity in OF_DIRECTION[ladder.direction]:
            results.missing(
                quantity, ladder.reason, channel=ladder.channel, setting=ladder.setting, note=ladder.note
            )
        return
    if not any(level.clean for level in ladder.levels):
        results.say(f"{ladder.channel}: all levels of the {ladder.direction} direction hold saturated pixels")
    level, at = found.level, _place(ladder)
    flags = (*level.flags, *found.flags)
    _cti(results, found, flags)
    lines = level.edge.means.lines
    value, error = level.edge.deferred(found.pixels)
    note = f"in {found.pixels} pixels at {level.signal:.5g} ADU"
    results.value(
        f"{ladder.direction}_deferred",
        value,
        error,
        n=lines,
        flags=[*flags, *_sign(value, error)],
        note=note,
        **at,
    )
    if ladder.direction == "parallel":
        return
    results.value(
        "reference_signal", level.signal, level.edge.signal_error, n=lines, flags=flags, note=level.note, **at
    )
    half = ladder.nearest(found.half_range)
    value, error = half.edge.ratio(1)
    cti = found.model.cti.value if found.model else half.cti
    note = f"at {half.signal:.5g} ADU; a CTI of {max(cti, 0.0):.2g} makes {max(cti, 0.0) * ladder.transfers:.2g} of it"
    results.value(
        "hard_edge_response", value, error, n=half.edge.means.lines, note=note,
        flags=[*half.flags, *found.flags, *_zero(value, error)], **at,
    )  # fmt: skip
    _turnoff(results, found)
    _model(results, found, flags)


def _cti(results: Results, found: Found, flags: Sequence[str]) -> None:
    ladder, level = found.ladder, found.level
    name, at = f"{ladder.direction}_cti", _place(ladder)
    if found.estimator == "first-pixel":
        if found.first is None:
            results.missing(
                name, found.why_first[0], estimator=FIRST, note=found.why_first[1], flags=flags, **at
            )
            return
        n = found.first_transfers - 1  # the columns that tell the level lost one themselves
        value, error = found.first.missing / n, found.first.error / n
        note = f"{n} transfers more than the charge before them; first {found.pixels} columns; at {found.first.level:.5g} ADU"
        if found.first.structure:
            note += (
                f"; columns differ by {100 * found.first.structure:.2g} % beyond noise, which is in the error"
            )
        results.value(
            name, value, error, n=level.edge.means.lines, flags=[*flags, *_sign(value, error)], estimator=FIRST + BLOCKS_ERROR, note=note,
            **at,
        )  # fmt: skip
        return
    if found.estimator == "trap-model":
        if found.model is None or found.model.cti.error is None:
            results.missing(
                name, found.why_model[0], estimator=MODEL, note=found.why_model[1], flags=flags, **at
            )
            return
        value, error = found.model.cti.value, found.model.cti.error
        results.value(
            name, value, error, n=len(ladder.used), flags=[*flags, *_of_fit(found.model), *_sign(value, error)], estimator=MODEL,
            note=f"{found.words}; {len(ladder.used)} levels", **at,
        )  # fmt: skip
        return
    results.value(
        name, level.cti, level.error, n=level.edge.means.lines, flags=[*flags, *_sign(level.cti, level.error)],
        note="; ".join(filter(None, (found.words, f"at {level.signal:.5g} ADU", level.note, _electronics(found)))), **at,
    )  # fmt: skip


def of_each_level(results: Results, found: Found, settings: dict[str, str]) -> None:
    """The CTI by edge response of each level as a setting of its own; ``settings`` by exposure."""
    given: set[str] = set()
    for level in found.ladder.levels:
        setting = settings[level.frames[0].frame.exposure]
        if setting == found.ladder.setting or setting in given:
            continue
        given.add(setting)
        results.value(
            f"{found.ladder.direction}_cti", level.cti, level.error, channel=found.ladder.channel, setting=setting,
            n=level.edge.means.lines, flags=[*level.flags, *found.flags, *_sign(level.cti, level.error)],
            note="; ".join(filter(None, (found.words, f"at {level.signal:.5g} ADU", level.note))),
        )  # fmt: skip


def electronic_share(found: Found) -> float:
    """The fraction of the charge found behind the image that decays as an offset of the electronics does; 0 where none is seen."""
    model = found.model
    if model is None or model.offset.error is None or abs(model.offset.value) < 4.0 * model.offset.error:
        return 0.0
    own = model.offset.value * float(np.exp(-np.arange(1, found.pixels + 1) / model.decay.value).sum())
    total = found.level.edge.ratio(found.pixels)[0]
    return own / total if total else 0.0


def _electronics(found: Found) -> str:
    share = electronic_share(found)
    if not share:
        return ""
    value = found.model.cti.value if found.model else 0.0
    return (
        f"{100 * share:.3g} % of it decays as an offset of the electronics does; without, CTI is {value:.3g}"
    )


def _place(ladder: Ladder) -> _Place:
    return {"channel": ladder.channel, "setting": ladder.setting}


def _turnoff(results: Results, found: Found) -> None:
    ladder, at = found.ladder, _place(found.ladder)
    used, n = ladder.used, len(ladder.used)
    if n < 3:
        results.missing("serial_turnoff", "too-few-frames", n=n, note=f"{n} levels; three are needed", **at)
        return
    turn = turnoff(used, found.rise)
    if turn is None:
        note = f"the serial CTI does not rise up to {used[-1].signal:.5g} ADU"
        results.missing("serial_turnoff", "not-reached", n=n, note=note, **at)
        return
    results.value("serial_turnoff", *turn, n=n, flags=found.flags, **at)


def _model(results: Results, found: Found, flags: Sequence[str]) -> None:
    ladder, model = found.ladder, found.model
    at, n = _place(ladder), len(ladder.used)
    if model is None:
        for quantity in ("local_offset", "local_decay", "trap_size", "trap_release"):
            results.missing(quantity, found.why_model[0], n=n, note=found.why_model[1], flags=flags, **at)
        return
    flags = [*flags, *_of_fit(model)]
    note = f"CTI of the fit {model.cti.value:.3g}; χ² {model.chi2:.4g} with {model.dof} degrees of freedom"

    def give(quantity: str, cause: Cause | None, why: str, signed: bool = False) -> None:
        if cause is None or cause.error is None or not isfinite(cause.error) or cause.error <= 0:
            results.missing(quantity, "not-reached", n=n, note=why, flags=flags, **at)
        elif not signed and cause.error > 0.5 * cause.value:
            results.missing(
                quantity,
                "not-reached",
                n=n,
                note=f"{why}: {cause.value:.2g} ± {cause.error:.2g}",
                flags=flags,
                **at,
            )
        else:
            zero = _zero(cause.value, cause.error) if signed else ()
            results.value(quantity, cause.value, cause.error, n=n, flags=[*flags, *zero], note=note, **at)

    give("local_offset", model.offset, "the fit says nothing of it", signed=True)
    give(
        "local_decay",
        model.decay,
        f"the offset is too small for its decay to be found; {model.decay.value:g} pixels were assumed",
    )
    give("trap_size", model.size, "no trap is seen that fills up within these levels")
    give("trap_release", model.release, "no trap is seen that fills up within these levels")


def _of_fit(model: TrapModel) -> tuple[str, ...]:
    """Flags that the fit gives to what rests on it; a bad fit counts where it is off by more than threefold errors."""
    return ("poor-fit",) if model.chance < 1e-3 and model.chi2 > 9.0 * model.dof else ()


def _sign(value: float, error: float) -> tuple[str, ...]:
    return ("negative",) if value < -3.0 * error else _zero(value, error)


def _zero(value: float, error: float) -> tuple[str, ...]:
    return ("consistent-with-zero",) if abs(value) <= 3.0 * error else ()
