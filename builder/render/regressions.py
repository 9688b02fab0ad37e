"""Steps and drifts of all series: as rows for pages, and as an Atom feed (RFC 4287)."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from math import isfinite

from builder.digests import digest
from builder.render import addresses as a
from builder.render.format import number
from builder.render.trend_plots import moment
from builder.trend_series import Followed, Trends
from campaign.frozen import dataclass

NEVER = "1970-01-01T00:00:00Z"
"""When a feed without entries was changed last: times of their own are all that a feed tells."""


@dataclass(frozen=True)
class Shift:
    """A step or a drift of a series.

    ``start`` and ``stop`` [days since 1970] are the values on either side of a step, or the first and last value of a drift;
    of a drift ``size`` is per year. ``id`` stays while the place of a step stays.
    """

    of: Followed
    kind: str
    start: float
    stop: float
    before: float | None
    after: float | None
    size: float
    uncertainty: float
    significance: float
    coincides: tuple[str, ...]
    id: str

    @property
    def page(self) -> str:
        """Where it is drawn."""
        return a.trend_plot(self.of.procedure, self.of.quantity, self.of.key.detector, self.of.key.setting)

    @property
    def subject(self) -> str:
        """The series in words: 'CCD1 E (15081-07-02) at wavelength=730'."""
        key = self.of.key
        where = " ".join(filter(None, (key.detector, key.channel, key.device and f"({key.device})")))
        return " at ".join(filter(None, (where, key.setting))) or "whole instrument"

    @property
    def told(self) -> str:
        """Its size in words: '−4.81 ± 0.12 °C'."""
        unit = f" {self.of.unit}" if self.of.unit not in ("", "1") else ""
        return (
            f"{number(self.size, self.uncertainty).text}{unit}{' per year' if self.kind == 'drift' else ''}"
        )


def shifts_of(one: Followed) -> list[Shift]:
    """The steps of a series, in order of time, and its drift."""
    found, out = one.found, []
    for step in found.steps:
        name = digest(list(one.key), "step", moment(step.stop))
        out.append(
            Shift(
                one, "step", step.start, step.stop, step.before, step.after, step.size, step.uncertainty,
                step.significance, step.coincides, name,
            )
        )  # fmt: skip
    if found.drift is not None:
        slope, uncertainty, _ = found.drift
        first, last = found.lines[0][0], found.lines[-1][2]
        name = digest(list(one.key), "drift")
        significance = found.drift_significance
        out.append(Shift(one, "drift", first, last, None, None, slope, uncertainty, significance, (), name))
    return out


def newest_first(trends: Trends) -> list[Shift]:
    """All steps and drifts, by the time of the first value after a step, or of the latest value that drifts; then the worst first."""
    held = (s for some in trends.groups.values() for one in some for s in shifts_of(one))
    return sorted(held, key=lambda s: (-s.stop, -s.significance, s.of.key))


def worst_first(held: Iterable[Shift]) -> list[Shift]:
    """The most significant first."""
    return sorted(held, key=lambda s: (-s.significance, -s.stop, s.of.key))


def feed(campaign: str, title: str, held: Iterable[Shift]) -> bytes:
    """An Atom feed of steps and drifts, as given. Nothing in it is of the build, so that it changes only when they do."""
    held = list(held)
    name = f"urn:calbook:{digest(campaign)}"
    changed = max((moment(s.stop) for s in held), default=NEVER)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<title>{_text(title)}: steps and drifts</title>",
        f"<id>{name}:trends</id>",
        f"<updated>{changed}</updated>",
        f"<author><name>{_text(title)}</name></author>",
        '<generator>calbook</generator><link rel="self" href="feed.xml"/><link rel="alternate" type="text/html" href="regressions.html"/>',
    ]
    for s in held:
        head = f"{s.kind} of {s.of.procedure} {s.of.quantity.replace('_', ' ')} of {s.subject}: {s.told}"
        strength = (
            f"{s.significance:.1f} times its uncertainty"
            if isfinite(s.significance)
            else "without any scatter"
        )
        text = f"{strength}, between {moment(s.start)} and {moment(s.stop)}"
        text += f"; coincides with: {'; '.join(s.coincides)}" if s.coincides else ""
        lines += [
            "<entry>",
            f"<title>{_text(head)}</title>",
            f"<id>{name}:{s.id}</id>",
            f"<updated>{moment(s.stop)}</updated>",
            f'<link rel="alternate" type="text/html" href="{_text(a.relative(a.FEED, s.page))}"/>',
            f"<summary>{_text(text)}</summary>",
            "</entry>",
        ]
    return ("\n".join([*lines, "</feed>"]) + "\n").encode("utf-8", "backslashreplace")


def _text(text: str) -> str:
    """Text for XML, without the characters that XML 1.0 cannot hold. (``xml.sax.saxutils`` would load all of HTTP.)"""
    return escape(
        "".join(
            c
            for c in text
            if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
        ),
        quote=False,
    )
