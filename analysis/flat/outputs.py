"""Figures and products of the flat procedure."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ImageProduct, Results
from analysis.figures import ImageMap, Mark, Panel, Plot, Series, binned, small_multiples
from analysis.flat.levels import Levels
from analysis.flat.master import Master
from analysis.maps import map_of
from analysis.masks import MEANINGS
from campaign.frozen import dataclass
from campaign.geometry import Channel
from campaign.model import Detector

_BINS = 121
_LONGEST = 200
"""Points of a profile that are drawn, each the mean of its neighbours."""
_MARKED = 2000


@dataclass
class OfChannel:
    """What was found of one channel in one setting; ``exposures`` name the frames of ``levels``."""

    channel: Channel
    setting: str
    exposures: tuple[str, ...]
    levels: Levels
    wavelength: float | None = None
    master: Master | None = None


def hand_on(results: Results, detector: Detector, found: Sequence[OfChannel]) -> None:
    """All figures and products, or why there are none."""
    if found:
        results.figure("levels", _levels(found))
    else:
        results.without("levels", "too-few-frames")
    have = [(one, one.master) for one in found if one.master is not None]
    if not have:
        for name in ("master", "response", "profiles", "prnu", "master_flat", "defects"):
            results.without(name, "too-few-frames", "no two flats are free of flags" if found else "")
        return
    by_setting = [
        [(o, m) for o, m in have if o.setting == s] for s in dict.fromkeys(o.setting for o, _ in have)
    ]
    results.figure("response", small_multiples(*([_response(o, m) for o, m in held] for held in by_setting)))
    results.figure(
        "profiles", small_multiples(*([_profile(of, axis) for of in _by_channel(have)] for axis in (0, 1)))
    )
    if any(m.pattern is not None for _, m in have):
        results.figure("prnu", Plot((_prnu(have, False), _prnu(have, True)), columns=2))
    else:
        results.without("prnu", "no-reference")
    several = len({one.setting for one, _ in have}) > 1
    names = [f"{o.channel.name} {o.setting}" if several else o.channel.name for o, _ in have]
    for (
        _,
        master,
    ) in have:  # in place: new memory costs more than the division, and nobody asks for the level again
        np.divide(master.image, np.float32(master.level), out=master.image)
    normal = {n: m.image for n, (_, m) in zip(names, have, strict=True)}
    results.figure("master", _map(results, detector, have, list(normal.values())))
    results.product("master_flat", ImageProduct(normal, "", {"NORMAL": (1.0, "mean response of each plane")}))
    masks: dict[str, NDArray[np.generic]] = {n: m.defects for n, (_, m) in zip(names, have, strict=True)}
    bits = {f"BIT{n}": (name, f"meaning of bit {n}") for n, name in enumerate(MEANINGS)}
    results.product("defects", ImageProduct(masks, "", bits))


def _name(one: OfChannel) -> str:
    return f"{one.channel.name} {one.setting}".strip()


def _levels(found: Sequence[OfChannel]) -> Plot:
    series = []
    for one in found:
        y = np.array(one.levels.values)
        x = [float(e) if e.isdigit() else float(i) for i, e in enumerate(one.exposures)]
        error = 100 * np.array(one.levels.errors) / y.mean()
        series.append(Series(x, 100 * (y / y.mean() - 1), _name(one), one.channel.name, error))
    marks = (Mark("mean", y=0.0),)
    numbered = all(e.isdigit() for one in found for e in one.exposures)
    abscissa = "exposure" if numbered else "flat of its setting, in order from 0"
    return Plot((Panel(abscissa, "level less its mean [%]", tuple(series), marks),))


def _map(
    results: Results, detector: Detector, have: Sequence[tuple[OfChannel, Master]], normal: Sequence[NDArray[np.float32]]
) -> ImageMap:  # fmt: skip
    """The masters of the first setting on the detector, over their levels, defects marked."""
    first = have[0][0].setting
    shown = [(one, m, plane) for (one, m), plane in zip(have, normal, strict=True) if one.setting == first]
    if len(shown) < len(have):
        results.say(f"the map shows {first}")
    planes = {o.channel.name: plane for o, _, plane in shown}
    bad = {o.channel.name: _places(m) for o, m, _ in shown}
    if sum(y.size for y, _ in bad.values()) > _MARKED:  # so many marks would hide the image
        bad = {}
    return map_of(planes, detector, "level over its mean", {n: (y, x) for n, (y, x) in bad.items()})


def _places(master: Master) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the defects."""
    odd = master.told.odd[master.defects.ravel()[master.told.odd] != 0]
    return odd // master.image.shape[1], odd % master.image.shape[1]


def _response(one: OfChannel, master: Master) -> Panel:
    """Histogram of the response with the normal distribution of PRNU and noise."""
    pattern = 0.0 if master.pattern is None else sqrt(max(master.pattern.value, 0.0))
    sigma = max(hypot(pattern, master.noise / master.level), 1e-6)
    from analysis import image_kernels

    edges = np.linspace(1 - 8 * sigma, 1 + 8 * sigma, _BINS + 1)
    counts = np.zeros(_BINS + 2, np.int64)
    step = 16 * sigma / _BINS
    pixels = master.told.pixels
    n = pixels.size - image_kernels.fill(pixels, edges[0] - step, 1.0 / step, counts)
    at = 0.5 * (edges[1:] + edges[:-1])
    width = edges[1] - edges[0]
    normal = n * width * np.exp(-0.5 * ((at - 1) / sigma) ** 2) / (sigma * sqrt(2 * np.pi))
    series = (
        Series(at, counts[1:-1].astype(np.float64), "pixels", one.channel.name, style="step"),
        Series(at[normal > 0.5], normal[normal > 0.5], "PRNU and noise", style="line"),
    )
    return Panel("response", "pixels", series, title=_name(one), yscale="log")


def _by_channel(have: Sequence[tuple[OfChannel, Master]]) -> list[list[tuple[OfChannel, Master]]]:
    return [
        [(o, m) for o, m in have if o.channel.name == name]
        for name in dict.fromkeys(o.channel.name for o, _ in have)
    ]


def _profile(have: Sequence[tuple[OfChannel, Master]], axis: int) -> Panel:
    """The profiles of a channel in its settings."""
    series = []
    for one, master in have:
        profile, first = (
            (master.told.rows, one.channel.image.y0)
            if axis == 0
            else (master.told.columns, one.channel.image.x0)
        )
        series.append(Series(*binned(profile, _LONGEST, first), _name(one), one.channel.name, style="line"))
    where = "row" if axis == 0 else "column"
    return Panel(where, f"mean response of the {where}", tuple(series), title=have[0][0].channel.name)


def _prnu(have: Sequence[tuple[OfChannel, Master]], by_wavelength: bool) -> Panel:
    """PRNU of each setting against its level or wavelength (its place among the settings, where no wavelength is known)."""
    settings = list(dict.fromkeys(one.setting for one, _ in have))
    known = by_wavelength and all(one.wavelength is not None for one, _ in have)
    points: dict[str, list[tuple[float, float, float]]] = {}
    for one, master in have:
        if master.pattern is None:
            continue
        rms, error, _ = master.pattern.root()
        place = float(settings.index(one.setting) + 1)
        at = (one.wavelength or 0.0) if known else place if by_wavelength else master.level
        points.setdefault(one.channel.name, []).append((at, 100 * rms, 100 * error))
    series = []
    for name, held in points.items():
        x, y, e = zip(*sorted(held), strict=True)
        series.append(Series(x, y, name, name, e))
    place_of = "setting, in order from 1 (no wavelength is known)"
    return Panel(
        "wavelength [nm]" if known else place_of if by_wavelength else "level [ADU]",
        "PRNU [%]",
        tuple(series),
    )
