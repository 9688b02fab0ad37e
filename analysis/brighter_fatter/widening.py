"""By how much point sources are wider the brighter they are: measured on frames of spots, setting by setting.

    W(P) = W₀ + s P,    W the full width [µm], P the peak [ADU]

over all sources of all frames of a setting, weighted by their peaks (the variance of a width goes as 1/P), along rows and columns each. Errors are from the
jackknife over sources (one that is seen in several frames is left out of all of them at once): they hold whatever the optics make of different places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.brighter_fatter.point_sources import Floats, Sources, sources_of
from analysis.brighter_fatter.quantities import OF_SPOTS
from analysis.contract import FrameInput, Inputs, Results
from analysis.figures import Panel, Plot, Series
from analysis.flat_frames import by_setting
from campaign.frozen import dataclass

_LEAST = 6  # sources
_SPAN = 1.5  # brightest over faintest
_SAME = 2.0  # pixels: nearer sources of different frames are one
_FAR = 5.0  # robust σ from the law: cosmic rays, blends


@dataclass(frozen=True)
class Widening:
    """The law along one axis: ``width`` ± [µm] and ``growth`` ± [µm per 10,000 ADU], each with its error, of ``n`` sources.

    ``peaks`` [ADU] and ``widths`` [µm] are those used.
    """

    width: tuple[float, float]
    growth: tuple[float, float]
    peaks: Floats
    widths: Floats
    n: int


def measure_spots(inputs: Inputs, results: Results) -> None:
    """Quantities and figure of all channels, in each setting of frames of spots."""
    spots = inputs.frames.get("spot", ())
    names = {id(f) for f in spots}
    # named as the flats' settings are
    settings = [
        (name, [f for f in held if id(f) in names])
        for name, held in by_setting((*inputs.frames.get("flat", ()), *spots), inputs.setting)
    ]
    settings = [(name, held) for name, held in settings if held]
    shown: list[tuple[str, str, tuple[Widening, Widening]]] = []
    for channel in inputs.detector.geometry.channels:
        half, pitch = int(inputs.number("stamp")), inputs.number("pitch")
        limit = inputs.number("max_level") or np.inf
        if min(channel.image.shape) <= 2 * half:
            settings = []
        for setting, frames in settings:
            sources = _gathered(frames, channel.name, inputs, half, limit)
            law = tuple(widened(sources, axis, pitch) for axis in (1, 0))
            if isinstance(law[0], str) or isinstance(law[1], str):
                why = law[0] if isinstance(law[0], str) else law[1]
                reason = "not-varied" if len(sources.peaks) >= _LEAST else "none-found"
                _missing(results, channel.name, setting, reason, str(why), len(sources.peaks))
                continue
            both = (law[0], law[1])
            shown.append((channel.name, setting, both))
            for letter, found in zip("xy", both, strict=True):
                note = f"{found.n} sources, peaks from {found.peaks.min():.4g} to {found.peaks.max():.4g} ADU"
                for name, value in (("width", found.width), ("growth", found.growth)):
                    zero = ["consistent-with-zero"] if abs(value[0]) < 3.0 * value[1] else []
                    results.value(
                        f"spot_{name}_{letter}", *value, channel=channel.name, setting=setting, n=found.n, flags=zero, note=note
                    )  # fmt: skip
        if not settings:
            _missing(
                results, channel.name, inputs.setting, "too-few-frames", "there are no frames of spots", 0
            )
    if shown:
        results.figure("spots", _figure(shown))
    else:
        results.without("spots", "too-few-frames", "no point sources were measured")


def _gathered(frames: Sequence[FrameInput], name: str, inputs: Inputs, half: int, limit: float) -> Sources:
    """The sources of a channel in all frames, up to a peak [ADU]."""
    geometry = inputs.detector.geometry
    channel = next(c for c in geometry.channels if c.name == name)
    found = Sources.joined([sources_of(f, channel, half, geometry.saturation) for f in frames])
    kept = found.peaks < limit
    return Sources(found.places[kept], found.peaks[kept], found.widths[kept])


def widened(sources: Sources, axis: int, pitch: float) -> Widening | str:
    """The law along an axis (1: along rows), ``pitch`` [µm]; why there is none where sources are few or alike."""
    peaks, widths = sources.peaks, sources.widths[:, axis] * pitch
    kept = np.ones(peaks.size, np.bool_)
    for _ in range(3):
        if kept.sum() < _LEAST:
            return f"{int(kept.sum())} sources stand alone, without saturated pixels"
        low, high = float(peaks[kept].min()), float(peaks[kept].max())
        if high < _SPAN * low:
            return f"peaks from {low:.4g} to {high:.4g} ADU do not tell what grows"
        line = _line(_moments(peaks[kept], widths[kept]))
        # in units of a bright source's scatter
        off = (widths - line[0] - line[1] * peaks) * np.sqrt(peaks)
        spread = 1.4826 * float(np.median(np.abs(off[kept])))
        kept = np.abs(off) <= _FAR * max(spread, 1e-12)
    p, w = peaks[kept], widths[kept]
    groups = _groups(sources.places[kept])
    many = int(groups.max()) + 1
    if many < _LEAST or p.max() < _SPAN * p.min():
        return f"{many} sources with peaks from {p.min():.4g} to {p.max():.4g} ADU do not tell what grows"
    each = np.zeros((many, 5))
    np.add.at(each, groups, _moments(p, w, each=True))
    whole = each.sum(axis=0)
    found, without = _line(whole), np.array(_line((whole - each).T))
    errors = np.sqrt((many - 1) / many * ((without - without.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
    return Widening(
        (float(found[0]), float(errors[0])), (1e4 * float(found[1]), 1e4 * float(errors[1])), p, w, int(kept.sum())
    )  # fmt: skip


def _moments(peaks: Floats, widths: Floats, *, each: bool = False) -> Floats:
    """Sums of weight, weight times peak, its square, width, and both; or what each source adds."""
    one = np.stack([peaks, peaks**2, peaks**3, peaks * widths, peaks**2 * widths], axis=1)
    out: Floats = one if each else one.sum(axis=0)
    return out


def _line(moments: Floats) -> tuple[Floats, Floats]:
    """Constant and slope of the line of these sums, whose first axis is theirs."""
    s0, s1, s2, y0, y1 = moments
    determinant = s0 * s2 - s1**2
    return (s2 * y0 - s1 * y1) / determinant, (s0 * y1 - s1 * y0) / determinant


def _groups(places: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The number of each place's source: places near one another are of one."""
    out = np.zeros(len(places), np.int64)
    known: list[Floats] = []
    for i, place in enumerate(places):
        near = [n for n, other in enumerate(known) if np.abs(place - other).max() < _SAME]
        if not near:
            known.append(place)
        out[i] = near[0] if near else len(known) - 1
    return out


def _missing(results: Results, channel: str, setting: str, reason: str, note: str, n: int) -> None:
    for quantity in OF_SPOTS:
        results.missing(quantity.name, reason, channel=channel, setting=setting, n=n, note=note)


def _figure(shown: Sequence[tuple[str, str, tuple[Widening, Widening]]]) -> Plot:
    several = len({setting for _, setting, _ in shown}) > 1
    panels = []
    for axis, what in enumerate(("along rows", "along columns")):
        series = []
        for channel, setting, laws in shown:
            law, label = laws[axis], f"{channel} {setting}" if several else channel
            series.append(Series(law.peaks, law.widths, label, channel))
            x = np.array([0.0, float(law.peaks.max())])
            y = law.width[0] + law.growth[0] * x / 1e4
            series.append(Series(x, y, f"{label}, law", channel, style="line"))
        panels.append(Panel("peak [ADU]", f"full width {what} [µm]", tuple(series), title=what))
    return Plot(tuple(panels), columns=2)
