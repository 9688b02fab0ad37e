"""What the persistence procedure shows and hands on: figures, the map, the mask, the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ImageProduct, Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series
from analysis.maps import map_of
from analysis.masks import BITS
from analysis.persistence.decay import Fade
from analysis.persistence.residual import Residual
from analysis.statistics import robust_std
from campaign.frozen import dataclass
from campaign.geometry import Channel
from campaign.model import Detector


@dataclass
class OfChannel:
    """All that was found of one channel.

    ``saturated`` are the pixels that the light saturated, counted along rows, ``top`` their mean level [ADU above the offset], ``residuals`` are in order of time, ``map`` [ADU] and
    ``levels`` (level, residual, error, pixels) those of the first; ``fades`` by law, or a coded reason; ``steps`` are those of the chain, in words.
    """

    channel: Channel
    saturated: NDArray[np.intp]
    top: float
    residuals: list[Residual] = field(default_factory=list)
    fades: dict[str, Fade | str] = field(default_factory=dict)
    levels: list[tuple[float, float, float, int]] = field(default_factory=list)
    map: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    steps: str = "offset"

    @property
    def better(self) -> str:
        """The law of the lower χ²; '' where none was fitted."""
        held = [f for f in self.fades.values() if isinstance(f, Fade)]
        return min(held, key=lambda f: f.chi2).law if held else ""


def draw(results: Results, detector: Detector, found: Sequence[OfChannel]) -> None:
    """All figures, or why there are none."""
    if not found:
        for name in ("fading", "by_level", "map"):
            results.without(name, _why(results), "see the quantities")
        return
    results.figure("fading", Plot((_fading(found), _control(found))))
    results.figure("by_level", Plot((_by_level(found),)))
    planes = {one.channel.name: one.map for one in found}
    results.figure("map", map_of(planes, detector, "residual [ADU]"))


def _why(results: Results) -> str:
    """The reason that the residuals of most channels give."""
    reasons = [m.reason for m in results.measurements if m.quantity == "residual" and m.reason]
    return max(sorted(set(reasons)), key=reasons.count) if reasons else "too-few-frames"


def _times(one: OfChannel) -> NDArray[np.float64]:
    """Time since the light ended [s]; where that is not known, the number of the dark."""
    known = [r.since for r in one.residuals]
    return np.array([float(n) if t is None else t for n, t in enumerate(known, start=1)])


def _axis(found: Sequence[OfChannel]) -> str:
    timed = all(r.since is not None for one in found for r in one.residuals)
    return "time since the light ended [s]" if timed else "number of the dark after the light"


def _fading(found: Sequence[OfChannel]) -> Panel:
    series = []
    for one in found:
        name = one.channel.name
        values, errors = [r.value for r in one.residuals], [r.error for r in one.residuals]
        series.append(Series(_times(one), values, name, name, errors))
        best = one.fades.get(one.better)
        if isinstance(best, Fade):
            series.append(Series(*best.curve, f"{name}: {best.law}", name, style="line"))
    return Panel(_axis(found), "residual [ADU]", tuple(series), (Mark("zero", y=0.0),))


def _control(found: Sequence[OfChannel]) -> Panel:
    series = [
        Series(
            _times(one),
            [r.outside for r in one.residuals],
            one.channel.name,
            one.channel.name,
            [r.outside_error for r in one.residuals],
        )
        for one in found
    ]
    return Panel(_axis(found), "level outside less that before [ADU]", tuple(series), (Mark("zero", y=0.0),))


def _by_level(found: Sequence[OfChannel]) -> Panel:
    series, marks = [], []
    for one in found:
        name = one.channel.name
        level, value, error = (np.array([row[n] for row in one.levels], np.float64) for n in range(3))
        series.append(Series(level, value, name, name, error))
        marks.append(Mark(f"{name}: within the mask", y=one.residuals[0].value))
    return Panel("exposed level above the offset [ADU]", "residual [ADU]", tuple(series), tuple(marks))


def hand_on(results: Results, found: Sequence[OfChannel]) -> None:
    """The products, or why there are none."""
    if not found:
        for name in ("residual_map", "mask", "residuals", "levels"):
            results.without(name, _why(results), "see the quantities")
        return
    planes: dict[str, NDArray[np.generic]] = {one.channel.name: one.map for one in found}
    results.product("residual_map", ImageProduct(planes, "ADU"))
    results.product("mask", ImageProduct({one.channel.name: _mask(one) for one in found}, ""))
    results.product("residuals", _residuals(found))
    results.product("levels", _levels(found))


def _mask(one: OfChannel) -> NDArray[np.generic]:
    some = one.map.ravel()[:: max(1, one.map.size // 20_000)]
    out = np.zeros(one.map.shape, np.int32)
    flat = out.ravel()
    flat[one.saturated] = BITS["saturated"]
    if np.isfinite(some).any() and (sigma := robust_std(some)) > 0:
        with np.errstate(invalid="ignore"):
            flat[one.saturated[one.map.ravel()[one.saturated] > np.float32(5.0 * sigma)]] |= BITS[
                "persistent"
            ]
    return out


def _residuals(found: Sequence[OfChannel]) -> TableProduct:
    rows = [(one.channel.name, r) for one in found for r in one.residuals]
    nan = float("nan")
    return TableProduct(
        {
            "channel": [name for name, _ in rows],
            "exposure": [r.exposure for _, r in rows],
            "since": [nan if r.since is None else r.since for _, r in rows],
            "time": [nan if r.time is None else r.time for _, r in rows],
            "residual": [r.value for _, r in rows],
            "error": [r.error for _, r in rows],
            "common_error": [float(np.sqrt(r.common)) for _, r in rows],
            "pixels": [r.n for _, r in rows],
            "outside": [r.outside for _, r in rows],
            "outside_error": [r.outside_error for _, r in rows],
            "references": [r.references for _, r in rows],
        },
        {"since": "s", "time": "s", "residual": "adu", "error": "adu", "common_error": "adu", "outside": "adu", "outside_error": "adu"},
        {
            "since": "from the end of the light to the beginning of the dark; NaN where not known",
            "time": "exposure time of the dark",
            "common_error": "part of the error that all darks of the channel share: that of the darks before the light",
            "outside": "control: level outside the mask less that of the darks before the light",
            "references": "darks before the light of the same exposure time",
        },
    )  # fmt: skip


def _levels(found: Sequence[OfChannel]) -> TableProduct:
    rows = [(one.channel.name, *row) for one in found for row in one.levels]
    names = ("channel", "level", "residual", "error", "pixels")
    return TableProduct(
        {name: [row[n] for row in rows] for n, name in enumerate(names)},
        {"level": "adu", "residual": "adu", "error": "adu"},
        {
            "level": "mean level above the offset that the light had reached",
            "error": "from the scatter of the pixels",
        },
    )
