"""The plots of a quantity over time: one for each detector and setting, as pictures, as CSV and for plots.js."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from io import StringIO
from math import isfinite
from typing import TYPE_CHECKING

from analysis.series import date_of
from builder.digests import digest
from builder.draw import INTERACTIVE_POINTS, channel_index
from builder.draw_frame import HEIGHT, WIDTH, by_label, frame
from builder.draw_trend import BAND, limits_apart, trend_svg
from builder.render import addresses as a
from builder.trend_series import Bound, Followed, Group, Spot, moving
from campaign.frozen import dataclass
from campaign.names import slug

if TYPE_CHECKING:  # workers draw plots, and need no more of a report than that
    from builder.render.book import Book
    from builder.report import DrawnFigure

COLUMNS = (
    "time", "value", "uncertainty", "unit", "detector", "channel", "setting", "device", "block", "test", "verdict", "limit_id", "limit_low",
    "limit_high", "flags", "outlier", "excluded", "expected", "version", "source", "note",
)  # fmt: skip
"""Columns of the CSV beside a plot. ``expected`` is the fit at that time."""
RANGES = (30, 90, 365)
"""Days before the latest value that a plot can be narrowed to."""


@dataclass(frozen=True)
class TrendPlot:
    """The series of one detector at one setting, of all its devices; ``marker`` is the detector's place in the campaign."""

    group: Group
    detector: str
    setting: str
    held: tuple[Followed, ...]
    marker: int
    symbol: str

    @property
    def name(self) -> str:
        """Its name on its page and in its files."""
        return a.trend_name(self.detector, self.setting)

    @cached_property
    def digest(self) -> str:
        """Of all that it shows."""
        return digest([one.digest for one in self.held], self.marker, self.symbol, self.group)

    @property
    def values(self) -> int:
        """How many values it shows."""
        return sum(one.values for one in self.held)

    @property
    def unit(self) -> str:
        """The unit of its values."""
        return self.held[0].unit

    @property
    def paths(self) -> dict[str, str]:
        """The addresses of its files, by their endings."""
        endings = [".svg", "-dark.svg", ".csv", *([".js"] if self.values <= INTERACTIVE_POINTS else [])]
        return {ending: self.path(ending) for ending in endings}

    def path(self, ending: str) -> str:
        """The address of one of its files."""
        return a.trend_file(*self.group, self.detector, self.setting, ending)

    @property
    def title(self) -> str:
        """What it is of, in words."""
        return " at ".join(filter(None, (self.detector or "whole instrument", self.setting)))

    def figure(self) -> DrawnFigure:
        """It as a figure of a page."""
        from builder.report import DrawnFigure

        what = " ".join(dict.fromkeys(one.key.channel for one in self.held if one.key.channel))
        alt = f"{self.group[1].replace('_', ' ')} of {self.title} over time"
        alt += f", channels {what}" if what else ""
        return DrawnFigure(
            "trend", self.title, "", self.path(".svg"), self.path("-dark.svg"), self.path(".csv"), WIDTH, HEIGHT,
            f"{alt}; {self.values} values", self.paths.get(".js", ""),
        )  # fmt: skip

    def pictures(self) -> tuple[bytes, bytes]:
        """Its light and its dark picture."""
        return trend_svg(self.held, self.symbol + (f" [{self.unit}]" if self.unit else ""), self.marker)


def plots(book: Book, group: Group) -> list[TrendPlot]:
    """The plots of a quantity: those of detectors and settings of which a series has values of different times."""
    held: dict[tuple[str, str], list[Followed]] = {}
    for one in book.report.trends.groups[group]:
        if one.values:
            held.setdefault((one.key.setting, one.key.detector), []).append(one)
    procedure = book.procedures.get(group[0])
    declared = next((q for q in procedure.quantities if q.name == group[1]), None) if procedure else None
    symbol = declared.symbol if declared else group[1].replace("_", " ")
    places = {name: n for n, name in enumerate(book.detectors)}
    return [
        TrendPlot(group, detector, setting, tuple(some), places.get(detector, 0), symbol)
        for (setting, detector), some in held.items()
        if moving(some)
    ]


def every_plot(book: Book) -> Iterator[TrendPlot]:
    """All plots over time of the site."""
    for group in book.report.trends.groups:
        yield from plots(book, group)


def plot_files(plot: TrendPlot) -> dict[str, bytes]:
    """The files of a plot, by the ending of their addresses."""
    light, dark = plot.pictures()
    made = {".svg": light, "-dark.svg": dark, ".csv": plot_csv(plot)}
    return made | {".js": plot_script(plot)} if ".js" in plot.paths else made


def plot_csv(plot: TrendPlot) -> bytes:
    """All points of a plot with their exact values, used or not."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in plot.held:
        writer.writerows(_csv_rows(one))
    return out.getvalue().encode("utf-8", "backslashreplace")


def _csv_rows(one: Followed) -> Iterator[tuple[object, ...]]:
    """The rows of a series: by the ten thousand, so that what its points share is made once."""
    astray, key, unit = set(one.found.outliers), one.key[1:], one.unit
    known: Bound | None = None
    told: tuple[object, ...] = ("", "", "")
    fits = one.found.fit([s.time for s in one.spots])
    for n, (s, fit) in enumerate(zip(one.spots, fits, strict=True)):
        if s.bound is not known:  # the points that a limit judged share its range
            known = s.bound
            told = (known.id, _exact(known.low), _exact(known.high)) if known else ("", "", "")
        yield (
            moment(s.time), _exact(s.value), _exact(s.uncertainty), unit, *key, s.block, s.test, s.verdict, *told,
            " ".join(s.flags), "yes" if n in astray else "", s.excluded, _exact(fit), s.version, s.source, s.note,
        )  # fmt: skip


@lru_cache(maxsize=16384)  # the series of a detector share their times
def moment(days: float) -> str:
    """A time as data carry it, to the second."""
    when = date_of(days)
    whole = datetime.fromtimestamp(round(when.timestamp()), when.tzinfo)
    return f"{whole:%Y-%m-%dT%H:%M:%SZ}"


def _exact(value: float | None) -> float | None:
    """What a CSV writes exactly, or as nothing."""
    return None if value is None or not isfinite(value) else float(value)


def plot_script(plot: TrendPlot) -> bytes:
    """The plot for plots.js: points that say and open where they are from, lines of the fit and of limits, ranges."""
    page = a.trend_page(*plot.group)
    axes = frame(plot.held)
    assert axes is not None  # a plot holds values
    places: dict[tuple[str, str], int] = {}
    of_test: dict[tuple[str, str], int] = {}

    def place(s: Spot) -> int:
        """Its number among the places; the address of a test is made once for all its channels."""
        if not s.test:
            return places.setdefault((s.source + (f": {s.note}" if s.note else ""), ""), len(places))
        known = of_test.get((s.block, s.test))
        if known is None:
            told = f"{s.test} of {s.block}", a.relative(page, a.test_page(s.block, s.test))
            known = of_test[s.block, s.test] = places.setdefault(told, len(places))
        return known

    series = []
    for label, some in by_label(plot.held).items():
        shown = [s for one in some for s in one.spots if s.value is not None]
        channel = some[0].key.channel
        series.append(
            {
                "label": label,
                "channel": channel_index(channel) if channel else None,
                "style": "points",
                "x": [round(s.time * 86400.0) for s in shown],
                "y": [_short(s.value) for s in shown],
                "e": [_short(s.uncertainty) for s in shown],
                "at": [place(s) for s in shown],
            }
        )
    segments, apart = [], limits_apart(plot.held)
    for one in plot.held:
        colour = f"--channel-{channel_index(one.key.channel)}" if one.key.channel else "--ink"
        wide = 0.0 if one.found.reason else BAND * (one.found.scatter or 0.0)
        segments += [
            [_seconds(x0), _short(y0), _seconds(x1), _short(y1), colour, _short(wide)]
            for x0, y0, x1, y1 in one.found.lines
        ]
        for bound, start, stop in axes.limits(one):
            ends = _seconds(start), _seconds(stop)
            line = colour if apart else "--fail"
            segments += [[ends[0], v, ends[1], v, line, -1] for v in (bound.low, bound.high) if v is not None]
    overlays = dict.fromkeys(o for one in plot.held for o in one.overlays)
    panel = {
        "title": "", "xlabel": "", "ylabel": plot.symbol + (f" [{plot.unit}]" if plot.unit else ""), "xscale": "time", "yscale": "linear",
        "yrange": [_short(axes.low), _short(axes.high)],
        "marks": [{"label": o.name or o.text, "x": _seconds(o.start), "y": None} for o in overlays],
        "series": series, "segments": segments, "places": [list(p) for p in places],
        "ranges": [[name, text, _seconds(start), _seconds(stop)] for name, text, start, stop in ranges(plot.held)],
    }  # fmt: skip
    text = json.dumps({"panels": [panel]}, ensure_ascii=False, separators=(",", ":"))
    return f"window.calbookFigure({text.replace('<', chr(92) + 'u003c')});\n".encode(
        "utf-8", "backslashreplace"
    )


def ranges(held: Sequence[Followed]) -> list[tuple[str, str, float, float]]:
    """(anchor, words, from, to) [days] of what a plot can be narrowed to: last days, a block, everything."""
    spots = [s for one in held for s in one.spots]
    first, last = min(s.time for s in spots), max(s.time for s in spots)
    margin = 0.02 * (last - first) or 0.5
    out = [(f"days-{n}", f"last {n} days", last - n, last + 0.02 * n) for n in RANGES]
    times_of: dict[str, list[float]] = {}
    for s in spots:
        if s.block:
            times_of.setdefault(s.block, []).append(s.time)
    for block, times in times_of.items():
        room = 0.05 * (max(times) - min(times)) or 0.5
        out.append((f"range-{slug(block)}", block, min(times) - room, max(times) + room))
    return [*out, ("days-all", "everything", first - margin, last + margin)]


def _seconds(days: float) -> int:
    return round(days * 86400.0)


def _short(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else float(f"{value:.7g}")
