"""A report of many series over time, made in memory, and its trend pages as a build makes them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from analysis.contract import Inputs, Measurement, Procedure, Quantity, Results, Version
from builder.digests import digest
from builder.engine import Engine
from builder.render.book import Book
from builder.render.facts import Facts
from builder.render.pages import trend_drafts
from builder.render.parts_trends import begin_trend_files
from builder.render.write import Site
from builder.report import BlockReport, BuildInfo, Judged, Outcome, Report, TestReport, Verdict
from builder.trend_found import Kept
from builder.trends import follow
from campaign.model import Block, Campaign, Limit
from campaign.record import Test

CHANNELS = "EFGH"
DETECTORS = 10


def _measure(inputs: Inputs, results: Results) -> None:
    raise NotImplementedError("made in memory")


def make(series: int, points: int, changed: int = 0) -> Report:
    """``series`` series (a multiple of 40) of so many points, a test a day; ``changed`` adds a value to so many of them.

    Every fifth series steps, every tenth drifts; limits change half-way.
    """
    names = [f"quantity_{n}" for n in range(series // (DETECTORS * len(CHANNELS)))]
    quantities = tuple(Quantity(n, n, "ADU", "made", "made") for n in names)
    procedure = Procedure(
        "made", "Made", "Made.", (Version("1", "2020-01-01", "first"),), (), quantities, _measure
    )
    block, first = Block(id="B1", start=date(2020, 1, 1)), date(2020, 1, 1)
    middle = first + timedelta(days=points // 2)
    limits = (
        Limit(id="OLD", quantity="made.quantity_0", low=90.0, high=112.0),
        Limit(id="NEW", quantity="made.quantity_0", low=92.0, high=115.0),
    )
    rng = np.random.default_rng(11)
    values = 100.0 + rng.normal(size=(series, points))
    values[::5, points // 2 :] += 4.0
    values[::10] += np.linspace(0.0, 5.0, points)
    tests = []
    for n in range(points + 1):
        day, outcomes = first + timedelta(days=n), []
        for d in range(DETECTORS):
            held = []
            for q, name in enumerate(names):
                for c, channel in enumerate(CHANNELS):
                    place = (q * DETECTORS + d) * len(CHANNELS) + c
                    if n == points and place >= changed:
                        continue
                    value = float(values[place, min(n, points - 1)])
                    m = Measurement(name, channel, "", value, 1.0, "ADU", "made", 10)
                    identity = f"{n}-{d}.{name}.{channel}"
                    page = f"measurements/{n}-{d}.html#{identity}"
                    held.append(Judged(identity, page, m, Verdict.PASS, limits[day >= middle]))
            if held:
                outcomes.append(
                    Outcome(f"{n}-{d}", "B1", f"T{n}", f"CCD{d}", procedure, "done", measurements=tuple(held))
                )
        tests.append(TestReport(Test("B1", f"T{n}", date=day), block, outcomes=tuple(outcomes)))
    campaign = Campaign(root=Path(), id="made", title="Made", blocks=(block,), limits=limits)
    info = BuildInfo(1, datetime(2026, 1, 1, tzinfo=UTC), "bench", {"analysis code": "bench"})
    return Report(campaign, (BlockReport(block, tuple(tests)),), (procedure,), (), (), (), info)


@dataclass
class TrendSite:
    """A site of trend pages, drawn as a build draws them: each only when what it shows changed."""

    folder: Path
    site: Site
    known: dict[str, tuple[str, str]] = field(default_factory=dict)

    def draw(self, report: Report, engine: Engine | None) -> tuple[int, int]:
        """Series, plots, pages, feed; returns how many pages and files were written."""
        self.site = Site(self.folder / "site")
        held = Kept(self.folder, "bench")
        trends = follow(report.campaign, report.blocks, report.procedures, held, engine)
        whole = Report(
            report.campaign, report.blocks, report.procedures, (), (), (), report.info, trends=trends
        )
        facts = Facts(Book(whole))
        pages = 0
        for draft in trend_drafts(facts):
            key = digest(sorted(draft.parts.items()))
            before = self.known.get(draft.path, ("", ""))
            if before[0] == key and self.site.keep(draft.path, before[1]):
                continue
            self.site.write(draft.path, draft.draw().body)
            self.known[draft.path] = key, self.site.digest(draft.path)
            pages += 1
        rows = begin_trend_files(facts, self.site, self.known, "bench")()
        self.known |= {path: row[:2] for path, row in rows.items()}
        written = len(self.site.written)
        self.site.finish()
        return pages, written - pages


@contextmanager
def trend_site() -> Iterator[TrendSite]:
    """A site in a folder of its own, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="calbook-bench-") as folder:
        yield TrendSite(Path(folder), Site(Path(folder) / "site"))
