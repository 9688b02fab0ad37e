"""Which frames belong to which test, and where plan, record, headers and disk disagree.

A test claims frames by its record row (exposure ranges, folder or pattern of files, date) and frames name their test in the
header; ``[data] assign`` says which counts. Where both speak and disagree, the record wins and it is said.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from builder.acquired.compare import check_test, is_pattern
from builder.acquired.tally import Tally
from campaign.findings import Finding
from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.model import Campaign
from campaign.record import Test

_NUMBERED = re.compile(r"\s*(?:[.#]\d+|\(\d+\))$")


@dataclass(frozen=True)
class Matching:
    """Frames by test key, in order of exposure and detector.

    ``frames`` are all frames with their block (also where only the match told it), each once: what pages and
    measurements should use. ``duplicates`` were left out. ``expected`` is how many exposures the record asks for.
    """

    by_test: dict[str, tuple[Frame, ...]]
    unmatched: tuple[Frame, ...]
    expected: dict[str, int | None]
    findings: list[Finding]
    frames: tuple[Frame, ...] = ()
    duplicates: tuple[Frame, ...] = ()


def match(campaign: Campaign, tests: Sequence[Test], frames: Sequence[Frame]) -> Matching:
    """Assign frames to tests and tell every discrepancy."""
    tally = Tally()
    placed = [_in_block(f, campaign, tests, tally) for f in frames]
    single, duplicates = _each_once(placed, tally)
    by_block: dict[str, list[Frame]] = defaultdict(list)
    for frame in single:
        by_block[frame.block].append(frame)
    of_block: dict[str, list[Test]] = defaultdict(list)
    for test in tests:
        of_block[test.block].append(test)
    claimed: dict[str, list[Frame]] = {t.key: [] for t in tests}
    unmatched: list[Frame] = []
    for block, held in by_block.items():
        assigner = _Assigner(of_block.get(block, []), held, campaign.data.assign, tally)
        for frame in held:
            keys = assigner.tests_of(frame)
            for key in keys:
                claimed[key].append(frame)
            if not keys:
                unmatched.append(frame)
    _tell_unmatched(unmatched, tally)
    by_test = {key: tuple(sorted(held, key=_order)) for key, held in claimed.items()}
    for test in tests:
        check_test(campaign, test, by_test[test.key], test.block in by_block, tally)
    expected = {t.key: expected_exposures(t) for t in tests}
    return Matching(by_test, tuple(unmatched), expected, tally.findings(), tuple(single), tuple(duplicates))


def expected_exposures(test: Test) -> int | None:
    """How many exposures the record asks for: its count, else the size of its ranges; None when it does not say."""
    if test.frames is not None:
        return test.frames
    return sum(max(0, last - first + 1) for first, last in test.exposures) if test.exposures else None


def _order(frame: Frame) -> tuple[float, str, str]:
    return (frame.number if frame.number is not None else float("inf"), frame.exposure, frame.detector)


def _holds(test: Test, frame: Frame) -> bool:
    number = frame.number
    return number is not None and any(first <= number <= last for first, last in test.exposures)


def _in_block(frame: Frame, campaign: Campaign, tests: Sequence[Test], tally: Tally) -> Frame:
    """The frame with its block, where its folder did not tell it: by exposure number, name of the test, and dates."""
    if frame.block:
        return frame
    name = str(frame.fields.get("test") or "").casefold()
    blocks = list(dict.fromkeys(t.block for t in tests if _holds(t, frame)))
    if not blocks and name:
        blocks = list(dict.fromkeys(t.block for t in tests if t.name.casefold() == name))
    if len(blocks) > 1 and frame.date is not None:
        day = frame.date.date()
        by_date = [
            b.id for b in campaign.blocks
            if b.id in blocks and (b.start or b.end) and (b.start or day) <= day <= (b.end or day)
        ]  # fmt: skip
        blocks = by_date or blocks
    if len(blocks) > 1:
        tally.add("unmatched-frame", f"Exposures that several blocks claim ({', '.join(sorted(blocks))}), and neither folder nor date tells which",
                  _place(frame), todo="Put them into a folder named as the block, or set [data.block_folders].")  # fmt: skip
    return replace(frame, block=blocks[0]) if len(blocks) == 1 else frame


def _each_once(frames: Iterable[Frame], tally: Tally) -> tuple[list[Frame], list[Frame]]:
    """(frames, duplicates): of frames with the same id in a block the first is kept."""
    first: dict[tuple[str, str], Frame] = {}
    duplicates = []
    for frame in frames:
        folder = "" if frame.block else frame.file.path.rpartition("/")[0]
        kept = first.setdefault((f"{frame.block}/{folder}", frame.id), frame)
        if kept is not frame:
            duplicates.append(frame)
            tally.add("duplicate-frame", f"Another file is {frame.id} too; {_place(kept)} is used", _place(frame),
                      block=frame.block, todo="Delete one of them, or correct its header.")  # fmt: skip
    return list(first.values()), duplicates


class _Assigner:
    """Finds the tests of a block's frames."""

    def __init__(self, tests: Sequence[Test], frames: Sequence[Frame], assign: str, tally: Tally) -> None:
        self.tests, self.assign, self.tally = tests, assign, tally
        self.folders = {f.file.path.rpartition("/")[0] for f in frames}
        self.exact: dict[str, list[Test]] = defaultdict(list)
        self.plain: dict[str, list[Test]] = defaultdict(list)
        for test in tests:
            self.exact[test.name.casefold()].append(test)
            self.plain[_NUMBERED.sub("", test.name).casefold()].append(test)
        self.in_folders = {t.key: self._folders_of(t) for t in tests if not is_pattern(t.folder)}
        days = [t.date for t in tests if t.date and not t.exposures and not t.folder]
        self.ranges = _Ranges(tests)
        self.without_ranges = [t for t in tests if not t.exposures and (t.folder or t.date)]
        self.lone_days = {d for d in days if days.count(d) == 1}

    def tests_of(self, frame: Frame) -> list[str]:
        """Keys of the tests that a frame belongs to; several when the record says so."""
        recorded = self._recorded(frame) if self.assign != "header" else []
        if self.assign == "record":
            return [t.key for t in recorded]
        name = str(frame.fields.get("test") or "").strip().casefold()
        named = self.exact.get(name) or self.plain.get(name) or []
        if not recorded:
            by_name = [t for t in named if self.assign == "header" or self._open(t)]
            if len(by_name) > 1:
                self.tally.add("unmatched-frame", f"The header names the test {name!r}, which stands in several rows of the record",
                               _place(frame), block=frame.block, todo="Give each row its exposure numbers.")  # fmt: skip
                return []
            return [t.key for t in by_name]
        if name and not any(t in named for t in recorded):
            self._disagree(recorded, frame)
        return [t.key for t in recorded]

    def _disagree(self, recorded: Sequence[Test], frame: Frame) -> None:
        for test in recorded:
            self.tally.add("contradiction", f"The record gives frames to {test.name}, their header names another test; the record is used",
                           _place(frame), detail=str(frame.fields.get("test")), block=test.block, test=test.name, apart=12,
                           todo="Correct the exposure numbers of the record, or accept the header as wrong.")  # fmt: skip

    @staticmethod
    def _open(test: Test) -> bool:
        """Whether a row leaves its exposures to the headers: one that lists them does not take others by name."""
        return not test.exposures

    def _recorded(self, frame: Frame) -> list[Test]:
        """The tests whose rows claim a frame: by exposure number (in the row's folder), else by folder or by date."""
        folder = frame.file.path.rpartition("/")[0]
        day = frame.date.date() if frame.date else None
        out = []
        for test in self.ranges.tests_at(frame.number):
            held = self.in_folders.get(test.key)
            if _fits(test, frame) if held is None else not held or folder in held:
                out.append(test)
        for test in self.without_ranges:
            if test.folder:
                held = self.in_folders.get(test.key)
                inside = _fits(test, frame) if held is None else folder in held
                if inside and (not test.date or not day or test.date == day):
                    out.append(test)
            elif test.date in self.lone_days and test.date == day and not self._names_another(frame, test):
                out.append(test)
        return out

    def _names_another(self, frame: Frame, test: Test) -> bool:
        """Whether a frame's header names another test of the record: a date alone does not outweigh that."""
        name = str(frame.fields.get("test") or "").strip().casefold()
        named = self.exact.get(name) or self.plain.get(name) or []
        return bool(named) and test not in named

    def _folders_of(self, test: Test) -> set[str]:
        """Folders on disk that a row's folder names: its parts in a row, or (for a path elsewhere) its last part."""
        parts = [p for p in re.split(r"[\\/]+", test.folder.strip()) if p not in ("", ".", "..")]
        if not parts:
            return set()
        found = {f for f in self.folders if _contains(f.split("/"), parts)}
        return found or {f for f in self.folders if _contains(f.split("/"), parts[-1:])}


def _fits(test: Test, frame: Frame) -> bool:
    """Whether a file's path below its root, or its end, fits the pattern of a row; in any case of letters."""
    pattern = test.folder.strip().replace("\\", "/").lstrip("/").casefold()
    path = f"/{frame.file.path.casefold()}"
    return fnmatchcase(path, f"/{pattern}") or fnmatchcase(path, f"*/{pattern}")


class _Ranges:
    """Tests by exposure number: the ranges' edges cut the numbers into stretches with the same tests."""

    def __init__(self, tests: Sequence[Test]) -> None:
        edges = {e for t in tests for first, last in t.exposures for e in (first, last + 1)}
        self.edges = sorted(edges)
        self.tests: list[list[Test]] = [[] for _ in self.edges]
        for test in tests:
            for first, last in test.exposures:
                for i in range(bisect_left(self.edges, first), bisect_left(self.edges, last + 1)):
                    if test not in self.tests[i]:
                        self.tests[i].append(test)

    def tests_at(self, number: int | None) -> Sequence[Test]:
        """The tests whose ranges hold a number."""
        if number is None or (i := bisect_right(self.edges, number)) == 0:
            return ()
        return self.tests[i - 1]


def _contains(folder: Sequence[str], parts: Sequence[str]) -> bool:
    low = [p.casefold() for p in parts]
    own = [p.casefold() for p in folder]
    return any(own[i : i + len(low)] == low for i in range(len(own) - len(low) + 1))


def _tell_unmatched(frames: Sequence[Frame], tally: Tally) -> None:
    for frame in frames:
        folder = f"{frame.file.root}/{frame.file.path}".rpartition("/")[0]
        named = frame.fields.get("test")
        named_so = f" (their header names {named})" if named else ""
        tally.add("unmatched-frame", f"Frames of type {frame.type} in {folder} belong to no test of the record{named_so}", _place(frame),
                  block=frame.block, todo="Add their exposures to a row of the record, or their test to [data.fields] test.")  # fmt: skip


def _place(frame: Frame) -> str:
    return f"{frame.file.root}/{frame.file.path}"
