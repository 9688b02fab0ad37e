"""What the pages and files of trends show, part by part, as digests; and the files beside the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from builder.digests import digest
from builder.engine import Engine
from builder.render import addresses as a
from builder.render.facts import Facts
from builder.render.regressions import feed, newest_first, shifts_of
from builder.render.trend_plots import every_plot, plot_files
from builder.render.write import Site
from builder.trend_series import Group

Parts = Mapping[str, str]
Rows = dict[str, tuple[str, str, str]]
"""What is recorded of files: address → (key of what they show, digest of their bytes, '')."""

MOST_UNDER_WAY = 100_000
"""Values of plots that are handed to the worker beside the build before it has made any: they take memory twice."""


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


def begin_trend_files(
    facts: Facts,
    site: Site,
    known: Mapping[str, tuple[str, str]],
    code: str,
    engine: Engine | None = None,
) -> Callable[[], Rows]:
    """Pictures and data of all plots and the feed, each made only when what it shows changed; what comes back writes them.

    Until then the engine's worker beside the build makes them. What comes back hands back what is to be recorded.
    """
    book = facts.book
    campaign = book.report.campaign
    plots: list[tuple[dict[str, str], str, Callable[[], dict[str, bytes]] | None]] = []
    under_way = 0
    for plot in every_plot(book):
        own, paths = digest(plot.digest, facts.analysis, code), plot.paths
        make: Callable[[], dict[str, bytes]] | None = None
        if not all(_as_it_was(site, known, path, own) for path in paths.values()):
            make = partial(plot_files, plot)
            if engine is not None and under_way < MOST_UNDER_WAY:
                make = engine.begin(plot_files, plot)
                under_way += plot.values
        plots.append((paths, own, make))

    def finish() -> Rows:
        out = {}
        for paths, own, make in plots:
            made = make() if make else {}
            for ending, path in paths.items():
                if made:
                    site.write(path, made[ending])
                out[path] = own, site.digest(path), ""
        named = digest(facts.shifts, campaign.id, campaign.title, code)
        if not _as_it_was(site, known, a.FEED, named):
            site.write(a.FEED, feed(campaign.id, campaign.title, newest_first(book.report.trends)))
        out[a.FEED] = named, site.digest(a.FEED), ""
        return out

    return finish


def _as_it_was(site: Site, known: Mapping[str, tuple[str, str]], path: str, own: str) -> bool:
    before = known.get(path, ("", ""))
    return before[0] == own and site.keep(path, before[1])
