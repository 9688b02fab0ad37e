"""What the pages and files of trends show, part by part, as digests; and the files beside the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from builder.digests import digest
from builder.render import addresses as a
from builder.render.facts import Facts
from builder.render.regressions import feed, newest_first, shifts_of
from builder.render.trend_plots import TrendPlot, every_plot, plot_csv, plot_script
from builder.render.write import Site
from builder.trend_series import Group

Parts = Mapping[str, str]


def trend_parts(facts: Facts, group: Group) -> Parts:
    """Of the page of a quantity over time."""
    held = facts.book.report.trends.groups[group]
    procedure = facts.book.procedures.get(group[0])
    return {
        "its series": digest([one.digest for one in held], facts.analysis),
        "the procedure's declaration": facts.procedure(procedure) if procedure else "",
        "names": facts.names,
    }


def trends_parts(facts: Facts) -> Parts:
    """Of the index of trends."""
    trends = facts.book.report.trends
    held = [
        (g, [(one.unit, one.values, one.spots[-1].time, one.found.latest in one.found.outliers) for one in some])
        for g, some in trends.groups.items()
    ]  # fmt: skip
    return {
        "quantities and their latest values": digest(held),
        "quantities without a trend": digest(sorted(trends.single.items()), trends.undated),
        "steps and drifts": regressions_parts(facts)["steps and drifts"],
        "names": facts.names,
    }


def regressions_parts(facts: Facts) -> Parts:
    """Of the page of steps and drifts, and of their feed."""
    return {"steps and drifts": facts.shifts, "names": facts.names}


def digest_of_shifts(facts: Facts) -> str:
    """A digest of all steps and drifts as pages tell them."""
    some = facts.book.report.trends.groups.values()
    return digest(
        [
            (
                list(one.key),
                one.unit,
                [(s.kind, s.start, s.stop, s.told, s.significance, s.coincides) for s in found],
            )
            for held in some
            for one in held
            if (found := shifts_of(one))
        ]
    )


class _Once:
    """The pictures of a plot, drawn when the first of them is asked for."""

    def __init__(self, plot: TrendPlot) -> None:
        self._plot = plot

    @cached_property
    def pictures(self) -> tuple[bytes, bytes]:
        return self._plot.pictures()


def trend_files(
    facts: Facts, site: Site, known: Mapping[str, tuple[str, str]], code: str
) -> dict[str, tuple[str, str, str]]:
    """Write pictures and data of all plots and the feed, each only when what it shows changed; what is to be recorded."""
    book = facts.book
    campaign = book.report.campaign
    out: dict[str, tuple[str, str, str]] = {}

    def put(path: str, own: str, make: Callable[[], bytes]) -> None:
        before = known.get(path, ("", ""))
        if before[0] != own or not site.keep(path, before[1]):
            site.write(path, make())
        out[path] = own, site.digest(path), ""

    for plot in every_plot(book):
        own, once = digest(plot.digest, facts.analysis, code), _Once(plot)
        put(plot.path(".svg"), own, lambda once=once: once.pictures[0])  # type: ignore[misc]
        put(plot.path("-dark.svg"), own, lambda once=once: once.pictures[1])  # type: ignore[misc]
        put(plot.path(".csv"), own, lambda plot=plot: plot_csv(plot))  # type: ignore[misc]
        if plot.figure().interactive:
            put(plot.path(".js"), own, lambda plot=plot: plot_script(plot))  # type: ignore[misc]
    named = digest(facts.shifts, campaign.id, campaign.title, code)
    put(a.FEED, named, lambda: feed(campaign.id, campaign.title, newest_first(book.report.trends)))
    return out
