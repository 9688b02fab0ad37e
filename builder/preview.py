"""Previews of frames: small pictures for strips and tables."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Pixels
from campaign.geometry import Channel, Region
from campaign.model import Detector


def preview(pixels: Pixels, detector: Detector, size: int = 192) -> bytes:
    """A frame as a small WebP picture, row 0 at the bottom, longest side at most ``size`` px.

    Each channel is stretched about the median of its image region, so that
    a frame shows its structure and not the offsets between amplifiers, and the overscan stays in proportion.
    Pixels that belong to no channel are grey; NaN and infinite pixels are black.
    """
    from PIL import Image

    rows, columns = detector.geometry.shape
    step = max(1, -(-max(rows, columns) // size))
    canvas = np.full((-(-rows // step), -(-columns // step)), 96, dtype=np.uint8)
    for channel in detector.geometry.channels:
        taken = {}
        for name in ("image", "prescan", "overscan", "parallel"):
            region = channel.region(name)
            if region is not None and (lines := _lines(pixels, channel, region, step)) is not None:
                taken[name] = (region, lines)
        if "image" not in taken:
            continue
        centre, spread = _scale(taken["image"][1])
        for region, lines in taken.values():
            y, x = -(-region.y0 // step), -(-region.x0 // step)
            canvas[y : y + lines.shape[0], x : x + lines.shape[1]] = _grey(lines, centre, spread)
    out = BytesIO()
    Image.fromarray(canvas[::-1]).save(out, "WEBP", quality=70, method=2)
    return out.getvalue()


def _lines(pixels: Pixels, channel: Channel, region: Region, step: int) -> NDArray[np.float32] | None:
    """Every ``step``-th pixel of every ``step``-th row of a region; None when it is narrower than a step.

    The region is read whole: it was read for its statistics a moment ago, and one read of a region costs
    less than one of each row.
    """
    y, x = (-(-start // step) * step - start for start in (region.y0, region.x0))
    if region.y0 + y >= region.y1 or region.x0 + x >= region.x1:
        return None
    return pixels.read(channel, region)[y::step, x::step].astype(np.float32)


def _scale(values: NDArray[np.float32]) -> tuple[float, float]:
    """The median and the robust scatter, at least half a step of the converter (a constant image is even grey)."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.5
    centre = float(np.median(finite))
    return centre, max(1.4826 * float(np.median(np.abs(finite - centre))), 0.5)


def _grey(values: NDArray[np.float32], centre: float, spread: float) -> NDArray[np.uint8]:
    """Values as grey levels: a gentle arcsinh about the centre, in units of the scatter."""
    finite = np.isfinite(values)
    shown = np.arcsinh((np.where(finite, values, centre) - centre) / (2.5 * spread))
    return np.where(finite, np.clip(118 + shown * 46, 8, 255), 0).astype(np.uint8)
