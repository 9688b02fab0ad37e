"""Previews of frames: small pictures for strips and tables."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Pixels
from campaign.geometry import Channel, Region
from campaign.model import Detector

SIZE = 192
"""The longest side of a preview [px]."""


def step_of(shape: tuple[int, int], size: int = SIZE) -> int:
    """Every how many-th pixel of an image of that shape is in its preview."""
    return max(1, -(-max(shape) // size))


def preview(pixels: Pixels, detector: Detector, size: int = SIZE) -> bytes:
    """A frame as a small WebP picture, from its pixels (see ``picture``). Raises what ``pixels.read`` raises."""
    step = step_of(detector.geometry.shape, size)
    rows, columns = (-(-n // step) for n in detector.geometry.shape)
    sampled = {}
    for channel in detector.geometry.channels:
        plane = np.zeros((rows, columns), np.float32)
        for region in _regions(channel).values():
            y, x = -(-region.y0 // step), -(-region.x0 // step)
            lines = _lines(pixels, channel, region, step)
            plane[y : y + lines.shape[0], x : x + lines.shape[1]] = lines
        sampled[channel.name] = plane
    return picture(sampled, detector, step)


def picture(sampled: Mapping[str, NDArray[np.float32]], detector: Detector, step: int) -> bytes:
    """A frame as a WebP picture of every ``step``-th pixel of every ``step``-th row, row 0 at the bottom.

    ``sampled`` holds, by channel, these pixels of the whole image that holds it, from row and column 0. Each channel is
    stretched about the median of its image region, so that a frame shows its structure and not the offsets between
    amplifiers, and the overscan stays in proportion. Pixels that belong to no channel are grey; NaN and
    infinite pixels are black.
    """
    from PIL import Image, WebPImagePlugin  # noqa: F401 - named, or Pillow loads all its formats to find it

    rows, columns = (-(-n // step) for n in detector.geometry.shape)
    canvas = np.full((rows, columns), 96, dtype=np.uint8)
    for channel in detector.geometry.channels:
        regions = _regions(channel)
        plane = sampled[channel.name]
        image = plane[_sampled(regions["image"], step)]
        if not image.size:
            continue
        centre, spread = _scale(image)
        # all of a channel's regions lie side by side as a rule: one stretch of what spans them, then each its part
        held = [_sampled(r, step) for r in regions.values()]
        y0, x0 = (min(s[axis].start for s in held) for axis in (0, 1))
        y1, x1 = (max(s[axis].stop for s in held) for axis in (0, 1))
        grey = _grey(plane[y0:y1, x0:x1], centre, spread)
        for y, x in held:
            canvas[y, x] = grey[y.start - y0 : y.stop - y0, x.start - x0 : x.stop - x0]
    out = BytesIO()
    Image.fromarray(canvas[::-1]).save(out, "WEBP", quality=70, method=0)
    return out.getvalue()


def _regions(channel: Channel) -> dict[str, Region]:
    names = ("image", "prescan", "overscan", "parallel")
    return {name: region for name in names if (region := channel.region(name)) is not None}


def _sampled(region: Region, step: int) -> tuple[slice, slice]:
    """Where a region lies in the sampled image; nothing when it is narrower than a step and between two."""
    return slice(-(-region.y0 // step), -(-region.y1 // step)), slice(
        -(-region.x0 // step), -(-region.x1 // step)
    )


def _lines(pixels: Pixels, channel: Channel, region: Region, step: int) -> NDArray[np.float32]:
    """Every ``step``-th pixel of every ``step``-th row of a region, which is read whole."""
    y, x = (-(-start // step) * step - start for start in (region.y0, region.x0))
    return pixels.read(channel, region)[y::step, x::step].astype(np.float32)


def _scale(values: NDArray[np.float32]) -> tuple[float, float]:
    """The median and the robust scatter, at least half a step of the converter (a constant image is even grey)."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.5
    centre = _median(finite)
    return centre, max(1.4826 * _median(np.abs(finite - np.float32(centre))), 0.5)


def _median(values: NDArray[np.float32]) -> float:
    middle = values.size // 2
    if values.size % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1]
    return float((low + high) / 2)


def _grey(values: NDArray[np.float32], centre: float, spread: float) -> NDArray[np.uint8]:
    """Values as grey levels: a gentle arcsinh about the centre, in units of the scatter."""
    finite = np.isfinite(values)
    shown = np.arcsinh((np.where(finite, values, centre) - centre) / (2.5 * spread))
    return np.where(finite, np.clip(118 + shown * 46, 8, 255), 0).astype(np.uint8)
