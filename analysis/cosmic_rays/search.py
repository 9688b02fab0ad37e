"""Searches for hits: differences of two darks, or the Laplacian of one frame; and how many hits a search finds of those that there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.cosmic_rays.hits import Hits, Stamps, hits_above, measured_in, together
from analysis.defects.local import Local, above_level, local
from analysis.masks import Mask
from campaign.geometry import Channel

_PLANTED = 300
_AREA = 0.003  # share of the pixels that planted hits may take: so few do not hide one another
_SEED = 20_261_121
_SIDE = 32


@dataclass
class Found:
    """Hits of a channel; seconds during which its ``frames`` gathered them, ``pixels`` that could be hit; hits ``planted`` anew and how many more were found for them."""

    hits: Hits = field(default_factory=lambda: together([]))
    frames: tuple[FrameInput, ...] = ()
    pixels: int = 0
    planted: int = 0
    recovered: int = 0

    @property
    def efficiency(self) -> tuple[float, float] | None:
        """Share of hits that are found, of such as were found, and its error (binomial, of at least one lost); None when none was planted."""
        if self.planted == 0:
            return None
        lost = max(abs(self.planted - self.recovered), 1)
        return self.recovered / self.planted, float(np.sqrt(lost)) / self.planted


def pair_difference(
    frames: Sequence[FrameInput],
    channel: Channel,
    known: Mask | None,
    sigma: float,
    grow: float,
    gain: float | None,
) -> Found:
    """Hits by the differences of consecutive pairs of darks of equal times: above in the first, below in the second.

    The last of an odd number is compared with the one before, for its own hits alone. ``known`` pixels (mask of the image's shape) are passed over. Two frames
    are in memory at a time.
    """
    out, parts = Found(frames=tuple(frames)), []
    jobs: list[tuple[int, int, tuple[float, ...]]] = [
        (i, i + 1, (1.0, -1.0)) for i in range(0, len(frames) - 1, 2)
    ]
    if len(frames) % 2:
        jobs.append((len(frames) - 1, len(frames) - 2, (1.0,)))
    rng = np.random.default_rng(_SEED)
    for first, second, signs in jobs:
        a = frames[first].pixels.read(channel, channel.image).astype(np.float32)
        b = frames[second].pixels.read(channel, channel.image).astype(np.float32)
        difference = a - b
        around = local(difference, _SIDE)
        if around is None:
            continue
        residual = above_level(difference, around)
        passed = None if known is None else known != 0
        if passed is not None:
            around.significance[passed] = 0.0
        _quieten(a, b, around, gain, grow)
        out.pixels = residual.size if passed is None else int(residual.size - np.count_nonzero(passed))
        for sign, frame in zip(signs, (first, second), strict=False):
            found, stamps = hits_above(residual, around.significance, sigma, grow, frame, sign)
            parts.append(found)
            room = min(_PLANTED - out.planted, max(int(_AREA * residual.size / 12), 1))
            if found.number and room > 0:
                places = _places(rng, found, stamps, passed, residual.shape, room)
                more = _with(around.significance, places, around, sign)
                again, _ = hits_above(residual, more, sigma, grow, frame, sign)
                out.planted += places.number
                out.recovered += again.number - found.number
    out.hits = together(parts)
    return out


def _quieten(
    a: NDArray[np.float32], b: NDArray[np.float32], around: Local, gain: float | None, grow: float
) -> None:
    """Bring the significance of pixels that are bright in both frames down to what their own shot noise allows."""
    with np.errstate(invalid="ignore"):
        y, x = np.nonzero(np.abs(around.significance) > np.float32(grow))
    both = np.minimum(a[y, x], b[y, x]).astype(np.float64)
    if y.size == 0:
        return
    some = np.minimum(a[::5, ::5], b[::5, ::5])
    some = some[np.isfinite(some)]
    usual = float(np.median(some if some.size else both))
    _, sigma = around.at(y, x)
    per_level = 1.0 if gain is None else 1.0 / gain
    more = 2.0 * per_level * np.maximum(np.nan_to_num(both) - usual, 0.0)
    around.significance[y, x] *= (sigma / np.sqrt(sigma**2 + more)).astype(np.float32)


@dataclass(frozen=True)
class _Planted:
    """Pixels of hits put elsewhere, with their charge [ADU]."""

    y: NDArray[np.intp]
    x: NDArray[np.intp]
    charge: NDArray[np.float64]
    number: int


def _places(
    rng: np.random.Generator,
    found: Hits,
    stamps: Stamps,
    passed: NDArray[np.bool_] | None,
    shape: tuple[int, ...],
    most: int,
) -> _Planted:
    """Hits drawn of those found, each at a random place whose pixel is not passed over."""
    drawn = rng.integers(0, found.number, most)
    y, x = rng.integers(0, shape[0], most), rng.integers(0, shape[1], most)
    if passed is not None:
        free = ~passed[y, x]
        drawn, y, x = drawn[free], y[free], x[free]
    parts = []
    order = np.argsort(stamps.of, kind="stable")
    starts = np.searchsorted(stamps.of[order], np.arange(found.number + 1))
    for hit, row, column in zip(drawn.tolist(), y.tolist(), x.tolist(), strict=True):
        own = order[starts[hit] : starts[hit + 1]]
        parts.append(np.stack([stamps.dy[own] + row, stamps.dx[own] + column, stamps.charge[own]]))
    joined = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0))
    rows, columns = joined[0].astype(np.intp), joined[1].astype(np.intp)
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if passed is not None:
        inside[inside] = ~passed[rows[inside], columns[inside]]
    return _Planted(rows[inside], columns[inside], joined[2][inside], len(drawn))


def _with(
    significance: NDArray[np.float32], places: _Planted, around: Local, sign: float
) -> NDArray[np.float32]:
    """The significance with planted hits."""
    out = significance.copy()
    _, sigma = around.at(places.y, places.x)
    np.add.at(out, (places.y, places.x), (sign * places.charge / sigma).astype(np.float32))
    return out


def laplacian(
    frames: Sequence[FrameInput], channel: Channel, known: Mask | None, sigma: float, grow: float, gain: float | None, saturation: float
) -> Found:  # fmt: skip
    """Hits by L.A.Cosmic (P. G. van Dokkum, 2001, PASP 113, 1420), frame by frame, as the package astroscrappy does it.

    The level around is taken off first, so that all noise is that of the frame's pixels; ``sigma`` is the limit of the Laplacian over its noise, ``grow`` over
    ``sigma`` that of neighbours. Raises ImportError where astroscrappy is not installed.
    """
    from astroscrappy import detect_cosmics  # type: ignore[import-untyped]

    out, parts = Found(frames=tuple(frames)), []
    passed = None if known is None else known != 0
    rng = np.random.default_rng(_SEED)
    scale = 1.0 if gain is None else gain
    for i, frame in enumerate(frames):
        image = frame.pixels.read(channel, channel.image).astype(np.float32)
        around = local(image, _SIDE)
        if around is None:
            continue
        unreal = ~np.isfinite(around.significance)
        ignored = unreal if passed is None else unreal | passed
        out.pixels = int(image.size - np.count_nonzero(ignored))
        residual = np.where(unreal, np.float32(0.0), above_level(image, around))

        def search(
            values: NDArray[np.float32], ignored: NDArray[np.bool_] = ignored, noise: float = around.sigma
        ) -> NDArray[np.bool_]:
            struck, _ = detect_cosmics(
                np.ascontiguousarray(values * np.float32(scale)), inmask=ignored, sigclip=sigma, sigfrac=grow / sigma,
                gain=1.0, readnoise=noise * scale, satlevel=saturation * scale, niter=4, cleantype="meanmask",
            )  # fmt: skip
            return np.asarray(struck, dtype=bool) & ~ignored

        y, x = np.nonzero(search(residual))
        found, stamps = measured_in(y, x, residual, around.significance, i)
        parts.append(found)
        room = min(_PLANTED - out.planted, max(int(_AREA * residual.size / 12), 1))
        if found.number and room > 0:
            places = _places(rng, found, stamps, ignored, residual.shape, room)
            more = residual.copy()
            np.add.at(more, (places.y, places.x), places.charge.astype(np.float32))
            y, x = np.nonzero(search(more))
            again, _ = measured_in(y, x, more, around.significance, i)
            out.planted += places.number
            out.recovered += again.number - found.number
    out.hits = together(parts)
    return out
