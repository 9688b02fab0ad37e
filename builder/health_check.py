"""The health check: what was tested on which day and how it went, and whether tests come as often as was promised.

Days are days of UTC, on which a test's first exposure began (see ``builder.timeline``). Nothing here reads a clock: the
day that promises are held against is given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, timedelta
from functools import cached_property

from builder.report import BlockReport, Outcome, TestReport, Verdict
from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.model import Campaign
from campaign.promises import promised

FULL_DAYS = 90
"""Days at the end of the campaign that have a column each; those before are gathered by month."""
QUIET_DAYS = 3
"""So many days in a row without any test share a column, which says how many they are."""
MOST_MONTHS = 60
"""Months that have a column, the newest."""
ORDER = (
    Verdict.ERROR, Verdict.FAIL, Verdict.WARN, Verdict.NOT_RUN, Verdict.NOT_REACHED, Verdict.PASS, Verdict.NOT_EVALUATED,
)  # fmt: skip
"""The order in which a cell's tests are told. Unlike in a test's own verdict, a test that did not run is never hidden by one that passed."""


@dataclass(frozen=True)
class Taken:
    """A test of one procedure on the day on which it was taken, with that procedure's verdict."""

    day: date
    procedure: str
    test: TestReport
    verdict: Verdict


@dataclass(frozen=True)
class Column:
    """Days of the strip, from ``first`` to ``last``: one day, a month, or a run of days without tests ('quiet')."""

    first: date
    last: date
    kind: str  # 'day', 'month' or 'quiet'

    @property
    def days(self) -> int:
        """How many days it stands for."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Cell:
    """The tests of one procedure in one column, the worst first."""

    tests: tuple[Taken, ...]

    @property
    def worst(self) -> Taken:
        """The test that stands for all."""
        return self.tests[0]


@dataclass(frozen=True)
class Strip:
    """One row of cells (None: no test) per procedure; ``earlier`` tests are older than the first column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    earlier: int = 0

    @cached_property
    def days(self) -> tuple[Column, ...]:
        """The columns of single days that hold a test."""
        held = [any(cells[n] for _, cells in self.rows) for n in range(len(self.columns))]
        return tuple(c for c, has in zip(self.columns, held, strict=True) if has and c.kind == "day")


@dataclass(frozen=True)
class Freshness:
    """When a procedure last gave a result, and whether that is as promised.

    ``every`` are the promised days between tests and ``since`` the days since the last one; None where nothing is promised.
    ``state`` is 'on time', 'late', 'not due' (no block is running) or 'no promise'.
    """

    procedure: str
    every: int | None
    last: date | None
    test: TestReport | None
    since: int | None
    state: str


def day_of(test: TestReport) -> date | None:
    """The day [UTC] on which a test was taken; None where nothing tells."""
    when = test.at
    return when.astimezone(UTC).date() if when else None


def taken(
    tests: Iterable[TestReport],
    procedures_of: Callable[[TestReport], Collection[str]],
    verdict_of: Callable[[TestReport, str], Verdict],
) -> tuple[list[Taken], list[TestReport]]:
    """Every test of every procedure that analyses it, and tests that no day is known of. Planned ones are left out."""
    found, undated = [], []
    for test in tests:
        names = procedures_of(test)
        if test.verdict == Verdict.PLANNED or not names:
            continue
        day = day_of(test)
        if day is None:
            undated.append(test)
            continue
        found += [Taken(day, name, test, verdict_of(test, name)) for name in names]
    return found, undated


def strip(held: Sequence[Taken], procedures: Sequence[str], today: date | None = None) -> Strip:
    """The strip of a campaign, newest first: the last days one by one, older ones by month.

    The last day is that of the newest test, or ``today`` where that is not ``FULL_DAYS`` later: a campaign that is over
    ends with its last test, and one that is on shows that nothing was taken of late.
    """
    if not held:
        return Strip((), ())
    newest = max(t.day for t in held)
    end = today if today and newest <= today < newest + timedelta(days=FULL_DAYS) else newest
    start = end - timedelta(days=FULL_DAYS - 1)
    columns = [
        *_days({t.day for t in held}, start, end),
        *_months({t.day for t in held if t.day < start}, start),
    ]
    cells: dict[tuple[str, Column], list[Taken]] = {}
    place: dict[date | tuple[int, int], Column] = {c.first: c for c in columns if c.kind == "day"}
    place |= {(c.first.year, c.first.month): c for c in columns if c.kind == "month"}
    earlier = 0
    for one in held:
        column = place.get(one.day if one.day >= start else (one.day.year, one.day.month))
        if column is None:
            earlier += 1
        else:
            cells.setdefault((one.procedure, column), []).append(one)
    rows = [
        (name, tuple(_cell(cells.get((name, c))) for c in columns))
        for name in procedures
        if any(t.procedure == name for t in held)
    ]
    return Strip(tuple(columns), tuple(rows), earlier)


def _cell(held: list[Taken] | None) -> Cell | None:
    return Cell(tuple(sorted(held, key=lambda t: _rank(t.verdict)))) if held else None


def _rank(verdict: Verdict) -> int:
    return ORDER.index(verdict) if verdict in ORDER else len(ORDER)


def _days(busy: Collection[date], start: date, end: date) -> list[Column]:
    """A column for each day, the newest first; runs of quiet days share one. Days before the first test have none."""
    first = max(start, min(busy))
    out: list[Column] = []
    quiet: list[date] = []
    for n in range((end - first).days + 1):
        day = end - timedelta(days=n)
        if day not in busy:
            quiet.append(day)
            continue
        out += [*_quiet(quiet), Column(day, day, "day")]
        quiet = []
    return out + _quiet(quiet)


def _quiet(days: Sequence[date]) -> list[Column]:
    """Columns of days without tests, given newest first."""
    if len(days) < QUIET_DAYS:
        return [Column(day, day, "day") for day in days]
    return [Column(days[-1], days[0], "quiet")]


def _months(days: Collection[date], start: date) -> list[Column]:
    """A column for each month that holds a test before ``start``, the newest first."""
    months = sorted({(d.year, d.month) for d in days}, reverse=True)[:MOST_MONTHS]
    out = []
    for year, month in months:
        after = date(year + month // 12, month % 12 + 1, 1)
        out.append(Column(date(year, month, 1), min(after, start) - timedelta(days=1), "month"))
    return out


def freshness(
    campaign: Campaign, blocks: Iterable[BlockReport], procedures: Iterable[str], today: date | None
) -> list[Freshness]:
    """When each procedure last gave a result, held against what is promised (``[procedures.<name>] every``).

    Promises hold while a block is running. Where no test was ever taken, days count from the first day of the block
    that began first of those running.
    """
    newest = _newest(t for b in blocks for t in b.tests)
    running = [
        b.start
        for b in campaign.blocks
        if b.status == "running" and (not b.start or not today or b.start <= today)
    ]
    begun = min((day for day in running if day), default=None)
    promises = promised(campaign)
    return [_freshness(n, promises.get(n), newest.get(n), bool(running), begun, today) for n in procedures]


def _freshness(
    name: str, every: int | None, newest: tuple[date, TestReport] | None, running: bool, begun: date | None, today: date | None
) -> Freshness:  # fmt: skip
    last, test = newest or (None, None)
    if every is None or today is None:
        return Freshness(name, every, last, test, None, "no promise")
    since = max((today - last).days, 0) if last else None
    waited = since if since is not None else (today - begun).days if begun else 0
    state = "not due" if not running else "late" if waited > every else "on time"
    return Freshness(name, every, last, test, since, state)


def _newest(tests: Iterable[TestReport]) -> dict[str, tuple[date, TestReport]]:
    """The newest test of which each procedure gave a result, with its day."""
    found: dict[str, tuple[date, TestReport]] = {}
    for test in tests:
        names = {o.procedure.name for o in test.outcomes if _gave(o)}
        day = day_of(test) if names else None
        for name in names if day else ():
            if day and (name not in found or day >= found[name][0]):
                found[name] = day, test
    return found


def _gave(outcome: Outcome) -> bool:
    return outcome.status == "done" and any(j.measurement.value is not None for j in outcome.measurements)


def late(campaign: Campaign, blocks: Sequence[BlockReport], today: date | None) -> list[Finding]:
    """A finding for each promise that is not kept. It tells no count of days, so that it stays the same from day to day."""
    out = []
    for held in freshness(campaign, blocks, promised(campaign), today):
        if held.state == "late":
            use = campaign.procedures[held.procedure]
            told = (
                f"the last was {held.test.test.name} of {held.test.block.id} on {held.last}"
                if held.test
                else "there was none"
            )
            what = f"{held.procedure} is promised every {use.every.strip()}: {told}"
            todo = "Take the test, or say in the campaign what is promised now."
            out.append(Finding("late", what, f"campaign.toml [procedures.{held.procedure}]", todo))
    return out
