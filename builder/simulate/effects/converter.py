"""Faults of analogue-to-digital converters: codes of unequal width, bits that are stuck, a range that ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def code_widths(codes: int, rms: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Widths of all codes [steps], mean 1: differential non-linearity of that ``rms``, normal, cut at ± 0.9."""
    widths = 1.0 + np.clip(rms * rng.standard_normal(codes), -0.9, 0.9)
    out: NDArray[np.float64] = widths / widths.mean()
    return out


def paired_widths(codes: int, rms: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """The same where each odd code lacks what the even one before it has too much, as of a weak lowest bit: levels stay right over many codes.

    Of an odd number of codes the last has width 1.
    """
    excess = np.clip(rms * rng.standard_normal(codes // 2), -0.9, 0.9)
    out = np.ones(codes)
    out[0 : 2 * excess.size : 2] += excess
    out[1 : 2 * excess.size : 2] -= excess
    return out


def converted(levels: NDArray[np.floating], widths: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Codes of levels [ADU] by a converter of such widths: code k begins half a step below the sum of the widths before it."""
    edges = np.cumsum(widths) - 0.5
    out: NDArray[np.uint16] = np.minimum(
        np.searchsorted(edges, levels, side="right"), widths.size - 1
    ).astype(np.uint16)
    return out


def stuck(codes: NDArray[np.uint16], bit: int, value: bool) -> NDArray[np.uint16]:
    """Codes of which one bit (0 is the lowest) is always set, or never."""
    mask = np.uint16(1 << bit)
    return codes | mask if value else codes & ~mask


def clamp(codes: NDArray[np.uint16], low: int, high: int) -> NDArray[np.uint16]:
    """Codes of a converter whose range ends at ``low`` and ``high``."""
    return np.clip(codes, low, high).astype(np.uint16)
