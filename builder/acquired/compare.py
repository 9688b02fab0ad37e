"""What was planned and recorded against what was acquired, test by test."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from builder.acquired.headers import agree
from builder.acquired.tally import Tally
from campaign.frames import FieldValue, Frame
from campaign.model import Campaign
from campaign.record import Test

NOT_ACQUIRED = frozenset(
    {"planned", "scheduled", "to do", "todo", "cancelled", "canceled", "not run", "not done", "skipped"}
)
"""States of a test of which no frames are expected."""

MOST = 0.75
"""Share of a test's exposures that must agree before those that differ are called odd: a scan is no fault."""

LISTED = 30
PEER_FIELDS = ("wavelength", "mode", "source")

_FIND = "Find the files, or correct the record."
_CHECK = "Check the frames and the record; correct the one that is wrong."


def check_test(campaign: Campaign, test: Test, frames: Sequence[Frame], begun: bool, tally: Tally) -> None:
    """Count the discrepancies between a test's row of the record and its frames.

    ``begun`` says that the block has frames: a block that is called planned and has some is no longer planned.
    """
    if not frames:
        _check_none(campaign, test, begun, tally)
        return
    _check_count(test, frames, tally)
    _check_detectors(campaign, test, frames, tally)
    _check_exptime(test, frames, tally)
    _check_peers(campaign, test, frames, tally)
    _check_folder(test, frames, tally)


def _say(tally: Tally, kind: str, test: Test, what: str, todo: str, detector: str | None = None) -> None:
    tally.add(
        kind,
        f"{test.name}: {what}",
        test.place,
        todo=todo,
        block=test.block,
        test=test.name,
        detector=detector,
    )


def _check_none(campaign: Campaign, test: Test, begun: bool, tally: Tally) -> None:
    block, status = campaign.block(test.block), test.status.strip().casefold()
    if status in NOT_ACQUIRED or test.frames == 0 or (block is not None and block.data_archived):
        return
    if block is not None and block.status == "planned" and not begun and not status:
        return
    if test.exposures:
        what = f"no frames of exposures {_words(test.exposures)} were found"
    elif is_pattern(test.folder):
        what = f"no frame's file fits the pattern {test.folder!r}"
    elif test.folder:
        what = f"no frames were found in the folder {test.folder!r}"
    else:
        what = "the row names no exposures, and no frame's header names the test"
    _say(tally, "no-frames", test, what, _FIND)


def _check_count(test: Test, frames: Sequence[Frame], tally: Tally) -> None:
    exposures = list(dict.fromkeys(f.exposure for f in frames))
    if test.exposures:
        have = {n for f in frames if (n := f.number) is not None}
        if missing := gaps(test.exposures, have):
            _say(tally, "missing-frames", test, f"no frames of exposures {_words(missing)}", _FIND)
        held = sum(last - first + 1 for first, last in test.exposures)
        if test.frames is not None and test.frames != held:
            what = f"the record counts {test.frames} exposures, its range holds {held}"
            _say(tally, "contradiction", test, what, "Correct the record.")
    elif test.frames is not None and len(exposures) < test.frames:
        _say(tally, "missing-frames", test, f"{len(exposures)} of {test.frames} exposures were found", _FIND)
    elif test.frames is not None and len(exposures) > test.frames:
        what = f"the record counts {test.frames} exposures, {len(exposures)} were found"
        _say(tally, "contradiction", test, what, _CHECK)


def _check_detectors(campaign: Campaign, test: Test, frames: Sequence[Frame], tally: Tally) -> None:
    """Exposures of which some detectors have a frame and others have none."""
    block = campaign.block(test.block)
    wanted = [d.name for d in (campaign.detectors_of(block) if block else campaign.detectors)]
    have: dict[str, set[str]] = defaultdict(set)
    for frame in frames:
        have[frame.exposure].add(frame.detector)
    for detector in wanted:
        holes = [e for e, held in have.items() if detector not in held]
        if not holes:
            continue
        some = f"exposures {named(holes)}" if len(holes) < len(have) else "any of its exposures"
        _say(tally, "missing-frames", test, f"no frame of {detector} in {some}", _FIND, detector)


def _check_exptime(test: Test, frames: Sequence[Frame], tally: Tally) -> None:
    """Frames whose time differs from the record's by more than 0.5 %. Declared bias frames have none to differ."""
    if test.exptime is None:
        return
    odd: dict[FieldValue, list[Frame]] = defaultdict(list)
    for frame in frames:
        declared_bias = frame.type == "bias" and not frame.sources.get("type", "").startswith("rule")
        if frame.exptime is None or (declared_bias and test.exptime > 0):
            continue
        if not agree("exptime", frame.exptime, test.exptime):
            odd[frame.exptime].append(frame)
    for time, held in odd.items():
        what = f"{listed(held)} have exposure time {time} s ({_sources(held, 'exptime')}), the record says {test.exptime:g} s"
        _say(tally, "contradiction", test, what, _CHECK)


def _check_peers(campaign: Campaign, test: Test, frames: Sequence[Frame], tally: Tally) -> None:
    """Frames whose setting differs from that of nearly all others of their test, or of their own exposure."""
    names = dict.fromkeys((*campaign.data.setting, *PEER_FIELDS))
    if test.exptime is None:
        names["exptime"] = None
    by_type: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        by_type[frame.type].append(frame)
    for name in names:
        if name == "temperature":  # measured, not set: it always differs a little
            continue
        for held in by_type.values():
            _odd_ones(test, name, held, tally)


def _odd_ones(test: Test, name: str, frames: Sequence[Frame], tally: Tally) -> None:
    """Count detectors that differ from the others of their exposure, and exposures that differ from nearly all."""
    by_value = _grouped(name, frames)
    if len(by_value) < 2:
        return
    values: dict[str, dict[FieldValue, list[Frame]]] = defaultdict(lambda: defaultdict(list))
    for value, held in by_value.items():
        for frame in held:
            values[frame.exposure][value].append(frame)
    odd: dict[tuple[FieldValue, FieldValue], list[Frame]] = defaultdict(list)
    for of_exposure in values.values():
        usual = max(of_exposure, key=lambda v: len(of_exposure[v]))
        for value, held in of_exposure.items():
            if value != usual:
                odd[value, usual] += held
    for (value, usual), held in odd.items():
        what = f"{listed(held)} have {name} {value} ({_sources(held, name)}), other detectors of the exposure {usual}"
        _say(tally, "contradiction", test, what, _CHECK)
    _odd_exposures(test, name, {e: next(iter(v)) for e, v in values.items() if len(v) == 1}, by_value, tally)


def _odd_exposures(
    test: Test,
    name: str,
    value_of: Mapping[str, FieldValue],
    by_value: Mapping[FieldValue, Sequence[Frame]],
    tally: Tally,
) -> None:
    count = Counter(value_of.values())
    usual, most = count.most_common(1)[0] if count else (None, 0)
    if len(value_of) < 3 or most < MOST * len(value_of):
        return
    for value, frames in by_value.items():
        held = [f for f in frames if f.exposure in value_of]
        if value != usual and held:
            what = f"{listed(held)} have {name} {value} ({_sources(held, name)}), the others have {usual}"
            _say(tally, "contradiction", test, what, _CHECK)


def _grouped(name: str, frames: Iterable[Frame]) -> Mapping[FieldValue, list[Frame]]:
    """Frames by a field's value; times within 0.5 % count as one."""
    out: dict[FieldValue, list[Frame]] = {}
    for frame in frames:
        value = frame.fields.get(name)
        if value is not None:
            same = value if value in out else next((v for v in out if agree(name, v, value)), value)
            out.setdefault(same, []).append(frame)
    return out


def is_pattern(folder: str) -> bool:
    """Whether what a row calls its folder is a pattern of files, such as 'night2/flat-*': it has a wildcard."""
    return any(mark in folder for mark in "*?")


def _check_folder(test: Test, frames: Sequence[Frame], tally: Tally) -> None:
    if not (test.folder and test.exposures) or is_pattern(test.folder):
        return
    last = test.folder.replace("\\", "/").rstrip("/").rpartition("/")[2].casefold()
    away = {
        f.file.path.rpartition("/")[0] for f in frames if last not in f.file.path.casefold().split("/")[:-1]
    }
    if away:
        what = f"the record names the folder {test.folder!r}, its frames lie in {', '.join(sorted(away)[:3]) or 'the root'}"
        _say(tally, "contradiction", test, what, "Correct the folder in the record.")


def _sources(frames: Sequence[Frame], name: str) -> str:
    return ", ".join(dict.fromkeys(f.sources.get(name, "not known") for f in frames))


def listed(frames: Sequence[Frame]) -> str:
    """'1203 (CCD1, CCD2), 1205 (CCD1)': frames by exposure, cut when they are many."""
    by_exposure: dict[str, list[str]] = defaultdict(list)
    for frame in frames:
        by_exposure[frame.exposure].append(frame.detector)
    shown = [f"{e} ({', '.join(d)})" for e, d in list(by_exposure.items())[:LISTED]]
    more = len(by_exposure) - len(shown)
    return "exposures " + ", ".join(shown) + (f" and {more} more" if more else "")


def named(exposures: Iterable[str]) -> str:
    """Exposures in words: numbers as spans, names one by one."""
    held = list(exposures)
    if all(e.isdecimal() for e in held):
        return spans(int(e) for e in held)
    return ", ".join(held[:LISTED]) + (f" and {len(held) - LISTED} more" if len(held) > LISTED else "")


def spans(numbers: Iterable[int]) -> str:
    """'3, 5–9, 12': numbers as spans, cut when there are many."""
    out: list[list[int]] = []
    for number in sorted(set(numbers)):
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return _words(out)


def _words(ranges: Iterable[Sequence[int]]) -> str:
    held = list(ranges)
    shown = [str(a) if a == b else f"{a}–{b}" for a, b in held[:LISTED]]
    return ", ".join(shown) + (f" and {len(held) - LISTED} more spans" if len(held) > LISTED else "")


def gaps(ranges: Iterable[tuple[int, int]], have: Iterable[int]) -> list[tuple[int, int]]:
    """The parts of inclusive ranges that ``have`` does not hold. Costs nothing for a range of a billion."""
    numbers = sorted(set(have))
    out = []
    for first, last in ranges:
        start = first
        for number in numbers[bisect_left(numbers, first) : bisect_right(numbers, last)]:
            if number > start:
                out.append((start, number - 1))
            start = number + 1
        if start <= last:
            out.append((start, last))
    return out
