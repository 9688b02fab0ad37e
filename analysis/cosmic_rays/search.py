"""Searches for hits: differences of two darks, or the Laplacian of one frame; and how many hits a search finds of those that there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analysis.bias.correlation import Pixels, as_kernels_take
from analysis.contract import FrameInput
from analysis.correction import Chain
from analysis.cosmic_rays.hits import Hits, Outstanding, Residual, Stamps, hits_above, measured_in, together
from analysis.defects.local import Local, above_level, between, local
from analysis.flat_pairs import read_pair
from analysis.masks import Mask
from campaign.frozen import dataclass
from campaign.geometry import Channel

_PLANTED = 300
_AREA = 0.003  # share of the pixels that planted hits may take: so few do not hide one another
_SEED = 20_261_121
_SIDE = 32
_THIN = 2  # every second pixel of every second row tells the level around and its scatter, to 2 % in a cell
_SPARSE = 16


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
    steps: Chain | None = None,
) -> Found:
    """Hits by the differences of consecutive pairs of darks of equal times: above in the first, below in the second.

    The last of an odd number is compared with the one before, for its own hits alone. ``known`` pixels (mask of the image's shape) are passed over; frames go through the ``steps``, if any. Two frames
    are in memory at a time.
    """
    out, parts = Found(frames=tuple(frames)), []
    jobs: list[tuple[int, int, tuple[float, ...]]] = [
        (i, i + 1, (1.0, -1.0)) for i in range(0, len(frames) - 1, 2)
    ]
    if len(frames) % 2:
        jobs.append((len(frames) - 1, len(frames) - 2, (1.0,)))
    rng = np.random.default_rng(_SEED)
    passed = None if known is None else known != 0
    for first, second, signs in jobs:
        if steps is None:
            images = read_pair(frames[first], frames[second], channel, channel.image)
        else:
            images = (steps.apply(frames[first]).values, steps.apply(frames[second]).values)
        a, b = (as_kernels_take(image) for image in images)
        around = _around(a, b)
        if around is None:
            continue
        seen = _quieter(_outstanding(a, b, around, grow, passed), a, b, around, gain)
        residual = partial(_residual, a, b, around)
        out.pixels = a.size if passed is None else int(a.size - np.count_nonzero(passed))
        for sign, frame in zip(signs, (first, second), strict=False):
            found, stamps = hits_above(seen, residual, sigma, grow, frame, sign)
            parts.append(found)
            room = min(_PLANTED - out.planted, max(int(_AREA * a.size / 12), 1))
            if found.number and room > 0:
                places = _places(rng, found, stamps, passed, seen.shape, room)
                more = _with(seen, places, residual, around, sign)
                again, _ = hits_above(more, residual, sigma, grow, frame, sign)
                out.planted += places.number
                out.recovered += again.number - found.number
    out.hits = together(parts)
    return out


def _around(a: Pixels, b: Pixels) -> Local | None:
    """The level of a difference of two images and its scatter, of every second pixel of every second row, by cells; without the map of what stands out."""
    some = np.subtract(a[::_THIN, ::_THIN], b[::_THIN, ::_THIN], dtype=np.float32)
    found = local(some, _SIDE)
    if found is None:
        return None
    nothing = np.broadcast_to(np.float32(np.nan), a.shape)
    return replace(found, ys=found.ys * _THIN, xs=found.xs * _THIN, image=nothing)


def _outstanding(
    a: Pixels, b: Pixels, around: Local, grow: float, passed: NDArray[np.bool_] | None
) -> Outstanding:
    """The pixels of a difference that are more than ``grow`` σ off, but those passed over."""
    from analysis.cosmic_rays import search_kernels

    room, n = a.size // 64 + 64, 0
    while True:
        places, z = np.empty(room, np.int64), np.empty(room, np.float32)
        n = search_kernels.standing_out(
            a, b, around.means, around.sigmas, *between(around.ys, a.shape[0]), *between(around.xs, a.shape[1]),
            np.float32(grow), places, z,
        )  # fmt: skip
        if n <= room:
            break
        room = n
    places, z = places[:n], z[:n]
    if passed is not None:
        kept = ~passed.ravel()[places]
        places, z = places[kept], z[kept]
    return Outstanding.at((a.shape[0], a.shape[1]), places, z.astype(np.float64))


def _residual(
    a: Pixels, b: Pixels, around: Local, y: NDArray[np.intp], x: NDArray[np.intp]
) -> NDArray[np.float64]:
    """What the difference of two images is above its level at some pixels [ADU]."""
    out: NDArray[np.float64] = a[y, x].astype(np.float64) - b[y, x] - around.at(y, x)[0]
    return out


def _quieter(seen: Outstanding, a: Pixels, b: Pixels, around: Local, gain: float | None) -> Outstanding:
    """With the significance of pixels that are bright in both frames brought down to what their own shot noise allows."""
    y, x = seen.y, seen.x
    if y.size == 0:
        return seen
    both = np.minimum(a[y, x], b[y, x]).astype(np.float64)
    some = np.minimum(a[::_SPARSE, ::_SPARSE], b[::_SPARSE, ::_SPARSE])
    some = some[np.isfinite(some)]
    usual = float(np.median(some if some.size else both))
    _, sigma = around.at(y, x)
    per_level = 1.0 if gain is None else 1.0 / gain
    more = 2.0 * per_level * np.maximum(np.nan_to_num(both) - usual, 0.0)
    return replace(seen, z=seen.z * sigma / np.sqrt(sigma**2 + more))


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
    seen: Outstanding, planted: _Planted, residual: Residual, around: Local, sign: float
) -> Outstanding:
    """What stands out with planted hits."""
    columns = seen.shape[1]
    places, of = np.unique(planted.y * columns + planted.x, return_inverse=True)
    y, x = np.divmod(places, columns)
    _, sigma = around.at(y, x)
    own = residual(y, x) / sigma
    # what stood out before keeps what is known of it
    old = seen.places
    at = np.minimum(np.searchsorted(old, places), max(old.size - 1, 0))
    if old.size:
        own = np.where(old[at] == places, seen.z[at], own)
    z = own + sign * np.bincount(of, planted.charge, places.size) / sigma
    rest = ~np.isin(old, places)
    return Outstanding.at(seen.shape, np.concatenate([old[rest], places]), np.concatenate([seen.z[rest], z]))


def laplacian(
    frames: Sequence[FrameInput], channel: Channel, known: Mask | None, sigma: float, grow: float, gain: float | None, saturation: float,
    steps: Chain | None = None,
) -> Found:  # fmt: skip
    """Hits by L.A.Cosmic (P. G. van Dokkum, 2001, PASP 113, 1420), frame by frame, as the package astroscrappy does it.

    The level around is taken off first, so that all noise is that of the frame's pixels; ``sigma`` is the limit of the Laplacian over its noise, ``grow`` over
    ``sigma`` that of neighbours; frames go through the ``steps``, if any. Raises ImportError where astroscrappy is not installed.
    """
    from astroscrappy import detect_cosmics  # type: ignore[import-untyped]

    out, parts = Found(frames=tuple(frames)), []
    passed = None if known is None else known != 0
    rng = np.random.default_rng(_SEED)
    scale = 1.0 if gain is None else gain
    for i, frame in enumerate(frames):
        if steps is None:
            image = frame.pixels.read(channel, channel.image).astype(np.float32)
        else:
            image = steps.apply(frame).values
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

        found, stamps = measured_in(_marked(search(residual), around), partial(_at, residual), i)
        parts.append(found)
        room = min(_PLANTED - out.planted, max(int(_AREA * residual.size / 12), 1))
        if found.number and room > 0:
            places = _places(rng, found, stamps, ignored, residual.shape, room)
            more = residual.copy()
            np.add.at(more, (places.y, places.x), places.charge.astype(np.float32))
            again, _ = measured_in(_marked(search(more), around), partial(_at, more), i)
            out.planted += places.number
            out.recovered += again.number - found.number
    out.hits = together(parts)
    return out


def _marked(struck: NDArray[np.bool_], around: Local) -> Outstanding:
    y, x = np.nonzero(struck)
    return Outstanding((struck.shape[0], struck.shape[1]), y, x, around.significance[y, x].astype(np.float64))


def _at(image: NDArray[np.float32], y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.float64]:
    return image[y, x].astype(np.float64)
