"""Previews of frames: small pictures for strips and tables, from few rows of a frame."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Pixels
from campaign.geometry import Channel, Region
from campaign.model import Detector


def preview(pixels: Pixels, detector: Detector, size: int = 192) -> bytes:
    """A frame as a small WebP picture, row 0 at the bottom, longest side at most ``size`` px.

    Only rows that are shown are read. Each channel is stretched about its own median, so that a frame shows
    its structure and not the offsets between amplifiers; regions that belong to no channel stay grey.
    """
    from PIL import Image

    rows, columns = detector.geometry.shape
    step = max(1, -(-max(rows, columns) // size))
    canvas = np.full((-(-rows // step), -(-columns // step)), 96, dtype=np.uint8)
    for channel in detector.geometry.channels:
        for name in ("image", "prescan", "overscan", "parallel"):
            region = channel.region(name)
            if region is not None:
                _place(canvas, pixels, channel, region, step)
    out = BytesIO()
    Image.fromarray(canvas[::-1]).save(out, "WEBP", quality=70, method=2)
    return out.getvalue()


def _place(canvas: NDArray[np.uint8], pixels: Pixels, channel: Channel, region: Region, step: int) -> None:
    """Read every ``step``-th row of a region, stretch it and put it where it belongs."""
    lines = range(-(-region.y0 // step) * step, region.y1, step)
    first = -(-region.x0 // step) * step
    if not lines or first >= region.x1:
        return
    taken = np.stack(
        [
            np.asarray(pixels.read(channel, Region(y, y + 1, region.x0, region.x1)), dtype=np.float32)[
                0, first - region.x0 :: step
            ]
            for y in lines
        ]
    )
    y0, x0 = lines[0] // step, first // step
    canvas[y0 : y0 + taken.shape[0], x0 : x0 + taken.shape[1]] = stretched(taken)


def stretched(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values as grey levels: a gentle arcsinh about the median, in units of the robust scatter.

    NaN and infinite values are black.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, dtype=np.uint8)
    centre = np.median(values[finite])
    scatter = 1.4826 * np.median(np.abs(values[finite] - centre))
    spread = max(float(scatter), 0.5)  # half a step of the converter: a constant image is even grey
    shown = np.arcsinh((np.where(finite, values, centre) - centre) / (2.5 * spread))
    grey = np.clip(118 + shown * 46, 8, 255)
    return np.where(finite, grey, 0).astype(np.uint8)
