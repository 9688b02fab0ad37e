"""What was found in a series, small enough to be kept: found again only when the series or the code moved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from analysis.series import Key, Series, display_range, gaps
from analysis.trend import Event, Step, trend
from builder.engine import Engine, WorkerLost
from campaign.frozen import dataclass

KEPT = "trends.json"
"""The file in the store that holds what was found, by the digest of what it was found in. A cache."""

TOGETHER = 16
"""Series that go to a worker at once."""

HERE = 120
"""Fewer new series than this are looked at in this process, or by the worker beside it: all workers would take longer to be warm."""


@dataclass(frozen=True)
class Found:
    """What ``analysis.trend.trend`` tells of a series, less its arrays.

    ``lines`` are (time, value, time, value) of the fit between steps, times in days. ``drift`` is slope, uncertainty (per
    year) and chance, or None. ``gaps`` are (start, stop) [days]; ``low`` and ``high`` the axis for its values, None for a series
    without any. Indices count all points of the series.
    """

    model: str
    reason: str
    level: float | None
    level_uncertainty: float | None
    scatter: float | None
    lines: tuple[tuple[float, float, float, float], ...]
    steps: tuple[Step, ...]
    drift: tuple[float, float, float] | None
    outliers: tuple[int, ...]
    latest: int | None
    deviation: float | None
    gaps: tuple[tuple[float, float], ...]
    low: float | None
    high: float | None

    @property
    def drift_significance(self) -> float:
        """|slope| / uncertainty; 0 without a drift."""
        if self.drift is None:
            return 0.0
        slope, uncertainty, _ = self.drift
        return abs(slope) / uncertainty if uncertainty > 0.0 else float("inf")

    def fit(self, times: Sequence[float]) -> list[float | None]:
        """The fit at all points of the series, whose times these are [its unit]; None without any value to rest on."""
        if not self.lines:
            return [None] * len(times)
        out: list[float | None] = []
        for line, end in zip(self.lines, [*(step.index for step in self.steps), len(times)], strict=True):
            out += [_on(line, time) for time in times[len(out) : end]]
        return out


def _on(line: tuple[float, float, float, float], time: float) -> float:
    """The value of a line at a time."""
    x0, y0, x1, y1 = line
    return y0 if x1 == x0 else y0 + (y1 - y0) * (time - x0) / (x1 - x0)


def find(asked: tuple[Series, Sequence[Event]]) -> Found:
    """Look for steps, drift and outliers in a series, with what is known to have happened."""
    series, events = asked
    seen, used = trend(series, events), series.used
    lines: list[tuple[float, float, float, float]] = []
    if used.size:
        bounds = [0, *(int(np.searchsorted(used, s.index)) for s in seen.steps), used.size]
        for first, after in pairwise(bounds):
            i, j = used[first], used[after - 1]
            t, y = series.times, seen.fitted
            lines.append((float(t[i]), float(y[i]), float(t[j]), float(y[j])))
    low, high = display_range(series) if used.size else (None, None)
    return Found(
        seen.model, seen.reason, seen.level, seen.level_uncertainty, seen.scatter, tuple(lines), seen.steps,
        (*seen.drift.per_year, seen.drift.chance) if seen.drift else None,
        seen.outliers, seen.latest, seen.deviation, tuple((g.start, g.stop) for g in gaps(series)), low, high,
    )  # fmt: skip


def find_each(asked: Sequence[tuple[Series, Sequence[Event]]]) -> list[Found]:
    """``find`` in several series."""
    return [find(one) for one in asked]


def _look(asked: Sequence[tuple[Series, Sequence[Event]]], engine: Engine | None) -> list[Found]:
    """``find_each``, by the engine's workers where there are many."""
    if engine is None:
        return find_each(asked)
    out: dict[int, Found] = {}
    for one, found in engine.run(find, asked, TOGETHER, HERE):
        if isinstance(found, WorkerLost):
            found = find(one)
        if isinstance(found, Exception):
            raise found
        out[id(one)] = found
    return [out[id(one)] for one in asked]


def warm() -> None:
    """Load what a search needs, compiled kernels above all: half a second before the first series, nothing after."""
    times = np.arange(20.0)
    find((Series(Key("", ""), times, times % 3.0, None), ()))


def to_json(found: Found) -> dict[str, Any]:
    """Plain values; ``from_json`` reads them."""
    return asdict(found)


def from_json(held: Mapping[str, Any]) -> Found:
    """Read what ``to_json`` made. Raises KeyError, TypeError or ValueError for anything else."""
    steps = tuple(Step(**{**s, "coincides": tuple(s["coincides"])}) for s in held["steps"])
    rows = {name: tuple(tuple(x) for x in held[name]) for name in ("lines", "gaps")}
    drift = None if held["drift"] is None else tuple(held["drift"])
    return Found(**{**held, **rows, "steps": steps, "drift": drift, "outliers": tuple(held["outliers"])})


class Kept:
    """What was found before by the same code, in a file of the store's folder (None: nothing is kept)."""

    def __init__(self, folder: Path | None = None, code: str = "") -> None:
        self._path, self._code = folder / KEPT if folder else None, code
        self._found: dict[str, Any] = {}
        try:
            if self._path:
                held = json.loads(self._path.read_text("utf-8"))
                self._found = dict(held["found"]) if held["code"] == code else {}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # a cache: what is damaged is found again

    def find(
        self, asked: Mapping[str, tuple[Series, Sequence[Event]]], engine: Engine | None
    ) -> dict[str, Found]:
        """What is found in each series, by its digest; keeps that, and nothing else, for the next build.

        Raises what the search raises, which no series that can be made should.
        """
        return self.begin(asked, engine)()

    def begin(
        self, asked: Mapping[str, tuple[Series, Sequence[Event]]], engine: Engine | None
    ) -> Callable[[], dict[str, Found]]:
        """As ``find``, which what comes back ends: until then the engine's worker beside the build looks at a few new series."""
        out, new = {}, {}
        for digest, one in asked.items():
            try:
                out[digest] = from_json(self._found[digest])
            except (KeyError, TypeError, ValueError):
                new[digest] = one
        if engine is not None and engine.beside is not None and 0 < len(new) < HERE:
            look = engine.begin(find_each, list(new.values()))
        else:
            look = partial(_look, list(new.values()), engine)

        def take() -> dict[str, Found]:
            found = out | dict(zip(new, look(), strict=True))
            if new or self._found.keys() - found.keys():
                self._write({d: to_json(f) if d in new else self._found[d] for d, f in found.items()})
            return {digest: found[digest] for digest in asked}

        return take

    def _write(self, found: Mapping[str, Any]) -> None:
        self._found = dict(found)
        if self._path is None:
            return
        part = self._path.with_name(".part-trends")
        part.write_text(json.dumps({"code": self._code, "found": found}, sort_keys=True), "utf-8")
        os.replace(part, self._path)  # noqa: PTH105
