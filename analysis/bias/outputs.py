"""What the bias procedure shows and hands on: figures, the master, the table of frames."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.channel import OfChannel
from analysis.bias.correlation import Correlations
from analysis.bias.noise_outputs import draw_noise, hand_on_noise
from analysis.contract import FrameInput, ImageProduct, Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series, binned, small_multiples
from analysis.maps import map_of
from analysis.read_noise import Noise
from campaign.model import Detector

_LONGEST = 200
"""Points of a profile that are drawn, each the mean of its neighbours."""


def draw(
    results: Results, detector: Detector, found: Sequence[OfChannel], together: Correlations | None
) -> None:
    """All figures, or why there are none."""
    if not found:
        for name in ("stability", "differences", "profiles", "master", "correlation", "jumps", "spectrum"):
            results.without(name, "too-few-frames")
        return
    draw_noise(results, found, together)
    results.figure("stability", _stability(found))
    with_noise = [one for one in found if one.noise.whole is not None]
    if with_noise:
        results.figure("differences", small_multiples([_differences(one) for one in with_noise]))
    else:
        results.without("differences", "too-few-pixels")
    profiled = [one for one in found if one.profiles is not None]
    results.figure(
        "profiles", small_multiples(*([_profile(one, axis) for one in profiled] for axis in (0, 1)))
    )
    planes = {one.channel.name: one.master.mean for one in found if one.master is not None}
    results.figure("master", map_of(planes, detector, "level less the channel's mean [ADU]"))


def _stability(found: Sequence[OfChannel]) -> Plot:
    def number(frame: FrameInput, index: int) -> float:
        return float(index if frame.frame.number is None else frame.frame.number)

    levels, noise = [], []
    numbered = all(f.frame.number is not None for one in found for f in one.frames)
    abscissa = "exposure" if numbered else "frame, in order from 0"
    for one in found:
        at = [number(f, i) for i, f in enumerate(one.frames)]
        level = np.array(one.levels)
        name = one.channel.name
        own = max(one.noise.raw, 1e-6) / np.sqrt([f.summaries[name].n for f in one.frames])
        levels.append(Series(at, level - level.mean(), name, name, own if one.noise.variances else None))
        order = {f.frame.id: x for f, x in zip(one.frames, at, strict=True)}
        rms = np.sqrt(np.maximum(one.noise.variances, 0.0))
        error = np.array(one.noise.errors) / (2.0 * np.maximum(rms, 1e-6))
        noise.append(Series([order[f.frame.id] for f in one.noise.last], rms, name, name, error))
    return Plot(
        (
            Panel(abscissa, "offset less its mean [ADU]", tuple(levels), (Mark("mean", y=0.0),)),
            Panel(abscissa, "noise, with rounding [ADU]", tuple(noise)),
        )
    )


def _differences(one: OfChannel) -> Panel:
    """Histogram of the differences of consecutive frames over √2, with the normal distribution of the read noise."""
    whole, name, sigma = one.noise.whole, one.channel.name, one.noise.raw
    assert whole is not None
    reach = max(10.0 * sigma * sqrt(2.0), 5.0)
    near = np.abs(whole.levels) <= reach
    x, y = whole.levels[near], whole.counts[near].astype(np.float64)
    series = [Series(x, y, "differences", name, style="step")]
    if sigma > 0:
        fine = np.linspace(-reach, reach, 201)
        model = np.exp(-0.25 * (fine / sigma) ** 2) * one.noise.n / (sigma * sqrt(4.0 * np.pi))
        series.append(Series(fine[model > 0.5], model[model > 0.5], "normal", style="line"))
    return Panel("difference [ADU]", "pixels", tuple(series), title=name, yscale="log")


def _profile(one: OfChannel, axis: int) -> Panel:
    assert one.profiles is not None
    profile, first = (
        (one.profiles.rows, one.channel.image.y0)
        if axis == 0
        else (one.profiles.columns, one.channel.image.x0)
    )
    name = one.channel.name
    where = "row" if axis == 0 else "column"
    series = Series(*binned(profile, _LONGEST, first), name, name, style="line")
    return Panel(where, f"{where} less mean [ADU]", (series,), (Mark("", y=0.0),), title=name)


def _profile_table(have: Sequence[OfChannel]) -> TableProduct:
    columns: dict[str, list[object]] = {n: [] for n in ("channel", "axis", "position", "mean", "error")}
    for one in have:
        assert one.profiles is not None
        noise, image, own = (
            one.noise.raw if one.noise.variances else float("nan"),
            one.channel.image,
            one.profiles,
        )
        for axis, first, profile, count in (
            ("row", image.y0, own.rows, own.of_row),
            ("column", image.x0, own.columns, own.of_column),
        ):
            columns["channel"] += [one.channel.name] * profile.size
            columns["axis"] += [axis] * profile.size
            columns["position"] += (first + np.arange(profile.size)).tolist()
            columns["mean"] += profile.tolist()
            columns["error"] += (noise / np.sqrt(np.maximum(count, 1) * len(one.frames))).tolist()
    return TableProduct(
        columns,
        {"position": "pix", "mean": "adu", "error": "adu"},
        {
            "axis": "whether it is a row or a column",
            "position": "row or column in the image, from zero",
            "mean": "mean of the master there, less the channel's level, without what stands out by five σ",
            "error": "from the read noise",
        },
    )


def hand_on(results: Results, found: Sequence[OfChannel], together: Correlations | None) -> None:
    """The products, or why there are none."""
    hand_on_noise(results, found, together)
    have = [one for one in found if one.master is not None]
    if not have:
        for name in ("master_bias", "frame_offsets", "profiles"):
            results.without(name, "too-few-frames")
        return
    results.product("profiles", _profile_table(have))
    planes: dict[str, NDArray[np.generic]] = {}
    for one in have:
        assert one.master is not None
        one.master.mean[...] += np.float32(np.mean(one.levels))  # in place: the figures are drawn
        planes[one.channel.name] = one.master.mean
        planes[f"{one.channel.name}_ERR"] = _error(one.noise, one.master.count)
    cards = {"NFRAMES": (max(len(one.frames) for one in have), "frames combined (at most, per pixel)")}
    results.product("master_bias", ImageProduct(planes, "ADU", cards))
    results.product("frame_offsets", _table(have))


def _error(noise: Noise, count: NDArray[np.float32]) -> NDArray[np.float32]:
    """Error of each pixel of the master [ADU]: the read noise over √n; NaN where no noise is known or nothing was kept."""
    # in the memory of the numbers, which nobody asks for again
    np.sqrt(count, out=count)
    with np.errstate(divide="ignore"):
        np.divide(np.float32(noise.raw if noise.variances else np.nan), count, out=count)
    count[np.isinf(count)] = np.nan
    return count


def _table(have: list[OfChannel]) -> TableProduct:
    rows = [
        (f.frame.id, one.channel.name, f.summaries[one.channel.name], offset, _noise_of(one, f))
        for one in have
        for f, offset in zip(one.frames, one.offsets, strict=True)
    ]
    nan = float("nan")
    return TableProduct(
        {
            "frame": [r[0] for r in rows],
            "channel": [r[1] for r in rows],
            "offset": [r[2].mean for r in rows],
            "std": [r[2].std for r in rows],
            "offset_overscan": [r[3].value if r[3] else nan for r in rows],
            "offset_overscan_error": [r[3].error if r[3] else nan for r in rows],
            "offset_prescan": [nan if r[2].prescan_mean is None else r[2].prescan_mean for r in rows],
            "noise": [r[4] for r in rows],
        },
        dict.fromkeys(
            ("offset", "std", "offset_overscan", "offset_overscan_error", "offset_prescan", "noise"), "adu"
        ),
        {
            "frame": "exposure/detector",
            "offset": "clipped mean of the image",
            "std": "clipped standard deviation of the image, structure included",
            "offset_overscan": "level of the overscan (else prescan); NaN where there is none",
            "offset_prescan": "level of the prescan; NaN where there is none",
            "noise": "from the difference with the frame before, rounding included; NaN for the first",
        },
    )


def _noise_of(one: OfChannel, frame: FrameInput) -> float:
    for last, variance in zip(one.noise.last, one.noise.variances, strict=True):
        if last is frame:
            return sqrt(max(variance, 0.0))
    return float("nan")
