"""Merged masks of known truth: pixels about their threshold and changing ones, found again or not in each epoch by noise alone.

Each pixel of an epoch is in the mask when its depth [σ] and a normal deviate together are above zero. What each epoch measured is
what the defects procedure would say of it: the count, and its variance from the margins of those found.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Epoch, ImageProduct, Measurement, Product, Results
from analysis.defect_history import PROCEDURE
from analysis.defects.chance import crossing_variance
from analysis.in_memory import detector, inputs, measured, value
from analysis.masks import BITS
from bench.truth.case import Case, Found
from campaign.geometry import quadrants

_SIDE, _ABOUT, _NEW, _GONE, _DEEP = 96, 2000, 40, 25, 20.0
_CAMERA = detector(quadrants(rows=_SIDE, columns=_SIDE, prescan=0, overscan=0, parallel=0))
_NAMES = [c.name for c in _CAMERA.geometry.channels]


def depths(rng: np.random.Generator) -> NDArray[np.float64]:
    """Depths [σ] of a channel's pixels, deep below the threshold but for those evenly about it."""
    out = np.full(_SIDE * _SIDE, -_DEEP)
    out[rng.permutation(out.size)[:_ABOUT]] = rng.uniform(-10.0, 10.0, _ABOUT)
    return out


def epochs(rng: np.random.Generator, of: Sequence[dict[str, NDArray[np.float64]]]) -> list[Epoch]:
    """Epochs of these depths by channel, measured."""
    out = []
    for number, held in enumerate(of, start=1):
        planes: dict[str, NDArray[np.generic]] = {}
        told = []
        for name, depth in held.items():
            seen = depth + rng.standard_normal(depth.size)
            planes[name] = np.where(seen > 0, BITS["warm"], 0).astype(np.int32).reshape(_SIDE, _SIDE)
            error = sqrt(crossing_variance(seen[seen > 0]))
            told.append(
                Measurement("warm", name, "", float((seen > 0).sum()), error, "pixels", "", depth.size)
            )
        read = partial[Product](ImageProduct, planes, "")
        out.append(Epoch("BLOCK", f"TEST{number:02d}", "", tuple(told), read))
    return out


def merged(seed: int, number: int, **parameters: float) -> tuple[Results, dict[str, NDArray[np.float64]]]:
    """What the procedure says of so many epochs on which nothing changed, and the depths by channel."""
    rng = np.random.default_rng([seed, 21])
    truth = {name: depths(rng) for name in _NAMES}
    held = epochs(rng, [truth] * number)
    results = measured(PROCEDURE, inputs(PROCEDURE, _CAMERA, {}, epochs={("defects", "mask"): held}, **parameters))  # fmt: skip
    return results, truth


def chance(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance of being found in one epoch."""
    return np.array([0.5 * (1.0 + erf(d / sqrt(2.0))) for d in depth])


def half_of_five(seed: int) -> list[Found]:
    """Pixels that three of five epochs find."""
    results, truth = merged(seed, 5)
    expected = {}
    for name, depth in truth.items():
        p = chance(depth)
        expected[name] = float((10 * p**3 * (1 - p) ** 2 + 5 * p**4 * (1 - p) + p**5).sum())
    return [_found(results, "warm", name, truth) for name, truth in expected.items()]


def any_of_four(seed: int) -> list[Found]:
    """Pixels that any of four epochs finds."""
    results, truth = merged(seed, 4, fraction=0.0)
    expected = {name: float((1.0 - (1.0 - chance(d)) ** 4).sum()) for name, d in truth.items()}
    return [_found(results, "warm", name, truth) for name, truth in expected.items()]


def changed(seed: int, quantity: str) -> list[Found]:
    """Pixels that are new or gone: those planted, and those that noise makes."""
    rng = np.random.default_rng([seed, 22])
    before = {name: depths(rng) for name in _NAMES}
    after, expected = {}, {}
    for name, depth in before.items():
        spare = np.flatnonzero(depth == -_DEEP)[: _NEW + _GONE]
        now = depth.copy()
        now[spare[:_NEW]] = _DEEP
        depth[spare[_NEW:]] = _DEEP
        after[name] = now
        p, q = chance(depth), chance(now)
        expected[name] = float((q * (1 - p)).sum() if quantity == "added" else (p * (1 - q)).sum())
    held = epochs(rng, [before, after])
    results = measured(PROCEDURE, inputs(PROCEDURE, _CAMERA, {}, epochs={("defects", "mask"): held}))
    return [_found(results, quantity, name, truth) for name, truth in expected.items()]


def _found(results: Results, quantity: str, channel: str, truth: float) -> Found:
    m = value(results, quantity, channel)
    assert m.value is not None and m.uncertainty is not None
    return Found(m.value, m.uncertainty, truth)


_PIXELS = f"{_ABOUT} pixels evenly within 10 σ of the threshold, in 4 channels of {_SIDE}²"

CASES = (
    Case("defect_history", "warm", f"three of five epochs; {_PIXELS}", half_of_five, runs=60, quick=6, pull=0.15),
    Case("defect_history", "warm", f"any of four epochs; {_PIXELS}", any_of_four, runs=150, quick=6, pull=0.15),
    # flips are not quite as scattered as Poisson's numbers: 0.91 of their root
    Case("defect_history", "added", f"{_NEW} new, {_GONE} gone; {_PIXELS}", partial(changed, quantity="added"), runs=60, quick=6, pull=0.15, scatter=(0.8, 1.1)),
    Case("defect_history", "removed", f"{_NEW} new, {_GONE} gone; {_PIXELS}", partial(changed, quantity="removed"), runs=60, quick=6, pull=0.15, scatter=(0.8, 1.1)),
)  # fmt: skip
