"""Quantities over time: a page each with its plots, the index of them, and the page of steps and drifts."""

from __future__ import annotations

from functools import cached_property
from math import inf

from analysis.contract import Procedure, Quantity
from analysis.series import date_of
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import quantity_words, render, words
from builder.render.format import Shown, number
from builder.render.page import Crumb, Page
from builder.render.pages_home import HOME
from builder.render.regressions import Shift, newest_first, shifts_of, worst_first
from builder.render.trend_plots import TrendPlot, plots, ranges
from builder.report import DrawnFigure
from builder.trend_series import Followed, Group, Overlay, Spot
from campaign.frozen import dataclass

CRUMBS = (HOME, Crumb("Trends", a.TRENDS))
WORST = 10
"""How many of the most significant steps and drifts stand at the top of their page."""


@dataclass(frozen=True)
class SeriesRow:
    """A series in the table of its page: where its latest value stands."""

    of: Followed
    shifts: tuple[Shift, ...]

    @property
    def latest(self) -> Spot | None:
        """The latest value that is used."""
        index = self.of.found.latest
        return None if index is None else self.of.spots[index]

    @property
    def shown(self) -> Shown | None:
        """The latest value as people read it."""
        spot = self.latest
        return None if spot is None or spot.value is None else number(spot.value, spot.uncertainty)

    @property
    def level(self) -> Shown | None:
        """The level that the series has now."""
        found = self.of.found
        return None if found.level is None else number(found.level, found.level_uncertainty)

    @property
    def outlying(self) -> list[Spot]:
        """The values that deviate, newest first."""
        return [self.of.spots[n] for n in reversed(self.of.found.outliers)]

    @property
    def lately_out(self) -> bool:
        """Whether the latest value deviates."""
        return self.of.found.latest in self.of.found.outliers


@dataclass(frozen=True)
class GroupRow:
    """A quantity in the index."""

    group: Group
    held: list[Followed]
    unit: str

    @property
    def values(self) -> int:
        """How many values there are."""
        return sum(one.values for one in self.held)

    @property
    def last(self) -> float:
        """The time of the latest [days since 1970]."""
        return max(one.spots[-1].time for one in self.held)

    @property
    def steps(self) -> int:
        """How many steps were found."""
        return sum(len(one.found.steps) for one in self.held)

    @property
    def drifts(self) -> int:
        """How many series drift."""
        return sum(one.found.drift is not None for one in self.held)

    @property
    def lately_out(self) -> int:
        """Of how many series the latest value deviates."""
        return sum(one.found.latest in one.found.outliers for one in self.held)


@dataclass(frozen=True)
class PlotShown:
    """A plot with the rows of its series."""

    plot: TrendPlot
    rows: tuple[SeriesRow, ...]

    @cached_property
    def figure(self) -> DrawnFigure:
        """The plot as a figure."""
        return self.plot.figure()


def declared(book: Book, group: Group) -> tuple[Procedure | None, Quantity | None]:
    """The procedure and the declaration of a quantity; None for both where it is of a table of the campaign's own."""
    procedure = book.procedures.get(group[0])
    found = next((q for q in procedure.quantities if q.name == group[1]), None) if procedure else None
    return procedure, found


def trend_page(book: Book, group: Group) -> Page:
    """The page of a quantity over time."""
    path = a.trend_page(*group)
    held = book.report.trends.groups[group]
    rows = {id(one): SeriesRow(one, tuple(shifts_of(one))) for one in held}
    drawn = [PlotShown(p, tuple(rows[id(one)] for one in p.held)) for p in plots(book, group)]
    plotted = {id(one) for p in drawn for one in p.plot.held}
    shifts = sorted((s for r in rows.values() for s in r.shifts), key=lambda s: (-s.stop, -s.significance))
    procedure, quantity = declared(book, group)
    table = next((t for t in book.report.campaign.series if t.name == group[0]), None)
    with_value = [one for one in held if one.values]
    context = {
        "book": book, "group": group, "procedure": procedure, "quantity": quantity, "table": table, "unit": held[0].unit,
        "plots": drawn, "shifts": shifts, "ranges": ranges(with_value),
        "single": [rows[id(one)] for one in held if id(one) not in plotted and one.values],
        "never": sum(not one.values for one in held),
        "left_out": [(one, s) for one in held for s in one.spots if s.excluded],
        "overlays": list(dict.fromkeys(o for one in held for o in one.overlays)),
        "date_of": date_of, "lasts": _lasts, "infinity": inf,
    }  # fmt: skip
    title = f"{quantity_words(group[1])} of {words(group[0])}"
    sections = (
        ("plots", "Plots"),
        ("shifts", "Steps and drifts"),
        ("events", "What happened"),
        ("single", "Single values"),
    )
    text = " ".join(dict.fromkeys(f"{one.key.detector} {one.key.setting}" for one in held))
    body = render("trend.html.j2", path, context, book.absent)
    lead = f"{quantity_words(group[1])} over time, by detector, channel and setting"
    return Page(path, f"Trend: {title}", body, "trend", CRUMBS, sections, text, lead)


def _lasts(over: Overlay) -> bool:
    return over.end is not None and over.end != inf


def trends_page(book: Book) -> Page:
    """The index of quantities over time."""
    trends = book.report.trends
    rows = [GroupRow(g, held, held[0].unit) for g, held in trends.groups.items()]
    by_name: dict[str, list[GroupRow]] = {}
    for row in rows:
        by_name.setdefault(row.group[0], []).append(row)
    context = {
        "book": book, "groups": by_name, "single": trends.single, "undated": trends.undated, "date_of": date_of,
        "shifts": len(newest_first(trends)),
    }  # fmt: skip
    body = render("trends.html.j2", a.TRENDS, context, book.absent)
    text = " ".join(f"{words(p)} {quantity_words(q)}" for p, q in trends.groups)
    return Page(a.TRENDS, "Trends", body, "campaign", (HOME,), (), text, "Quantities over time")


def regressions_page(book: Book) -> Page:
    """All steps and drifts, the newest first, with the most significant above."""
    held = newest_first(book.report.trends)
    context = {
        "book": book,
        "shifts": held,
        "worst": worst_first(held)[:WORST],
        "date_of": date_of,
        "infinity": inf,
    }
    body = render("regressions.html.j2", a.REGRESSIONS, context, book.absent)
    text = " ".join(dict.fromkeys(f"{s.of.procedure} {s.of.quantity} {s.subject}" for s in held))
    return Page(
        a.REGRESSIONS, "Steps and drifts", body, "campaign", CRUMBS, (), text, "Steps and drifts of all quantities"
    )  # fmt: skip
