"""Bias frames of known truth: offset, read noise, correlation of channels, jumps and periods."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.bias import PROCEDURE
from analysis.contract import Inputs, Measurement, ParameterValue
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.case import Case, Found
from builder.simulate.effects.pattern_noise import jump, period, shared_noise
from campaign.geometry import Channel, Geometry, quadrants

ROWS, COLUMNS = 256, 256
GEOMETRY = quadrants(rows=ROWS, columns=COLUMNS, prescan=10, overscan=20, parallel=0)
FRAMES = 8
NOISE = 3.3
OFFSET = 1000.37

Levels = NDArray[np.floating]
Change = Callable[[int, int, Levels, np.random.Generator], Levels]
"""Changes the levels of one channel (frame, channel, levels in order of reading)."""


def extent(channel: Channel) -> tuple[slice, slice]:
    """The rows and columns of all of a channel, pre- and overscan included."""
    regions = [r for r in (channel.image, channel.prescan, channel.overscan) if r is not None]
    return (
        slice(min(r.y0 for r in regions), max(r.y1 for r in regions)),
        slice(min(r.x0 for r in regions), max(r.x1 for r in regions)),
    )


def read_out(levels: Levels, channel: Channel) -> Levels:
    """Levels in order of reading as they lie in the image."""
    rows = levels[::-1] if channel.corner.startswith("upper") else levels
    return rows[:, ::-1] if channel.corner.endswith("right") else rows


def frames(
    rng: np.random.Generator,
    geometry: Geometry = GEOMETRY,
    n: int = FRAMES,
    rho: float = 0.0,
    change: Change | None = None,
    structure: bool = True,
) -> list[NDArray[np.uint16]]:
    """Bias frames: offset, a fixed structure, noise that channels share by ``rho``."""
    boxes = [extent(c) for c in geometry.channels]
    shape = (boxes[0][0].stop - boxes[0][0].start, boxes[0][1].stop - boxes[0][1].start)
    fixed = np.zeros(shape[1])
    if structure:
        fixed += 0.4 * np.exp(-np.arange(shape[1]) / 3.0) + 0.1 * rng.standard_normal(shape[1])
    out = []
    for f in range(n):
        image = np.full(geometry.shape, OFFSET)
        noise = shared_noise(shape, NOISE, rho, len(boxes), rng)
        for i, (channel, box) in enumerate(zip(geometry.channels, boxes, strict=True)):
            levels: Levels = noise[i] + fixed + OFFSET
            if change is not None:
                levels = change(f, i, levels, rng)
            image[box] = read_out(levels, channel)
        out.append(digitised(image))
    return out


def given(
    images: Sequence[NDArray[np.uint16]], geometry: Geometry = GEOMETRY, **parameters: ParameterValue
) -> Inputs:
    """What the procedure is given."""
    camera = detector(geometry)
    held = [frame_input(image, camera, "bias", i) for i, image in enumerate(images)]
    return inputs(PROCEDURE, camera, {"bias": held}, used=None, **parameters)


def found(what: Inputs, quantity: str, truth: Callable[[str], float | None]) -> list[Found]:
    """The values of all channels that have a truth."""
    results = measured(PROCEDURE, what)
    out = []
    for channel in what.detector.geometry.channels:
        true = truth(channel.name)
        if true is not None:
            out.append(of(value(results, quantity, channel.name), true))
    return out


def of(m: Measurement, truth: float) -> Found:
    """A measurement beside its truth. Raises ValueError when there is no value or no uncertainty."""
    if m.value is None or not m.uncertainty:
        raise ValueError(f"{m.quantity} of {m.channel}: {m.value} ± {m.uncertainty} ({m.reason})")
    return Found(m.value, m.uncertainty, truth)


def read_noise(seed: int) -> list[Found]:
    """Read noise of eight frames."""
    rng = np.random.default_rng([1, seed])
    return found(given(frames(rng)), "read_noise", lambda _: NOISE)


def offset(seed: int) -> list[Found]:
    """Level of the image, without structure, which would be part of it."""
    rng = np.random.default_rng([2, seed])
    return found(given(frames(rng, structure=False)), "offset", lambda _: OFFSET)


def correlation(seed: int) -> list[Found]:
    """Two channels of one detector that share a tenth of their noise."""
    rng = np.random.default_rng([3, seed])
    # the values of a pair of channels are one and the same: one of each detector counts
    as_read = 0.1 * NOISE**2 / (NOISE**2 + 1.0 / 12.0)  # rounding is noise that channels do not share
    pair = Geometry("pair", GEOMETRY.shape, GEOMETRY.channels[:2])
    return found(
        given(frames(rng, pair, 4, 0.1), pair),
        "noise_correlation",
        lambda name: as_read if name == "E" else None,
    )


def bias_jump(seed: int) -> list[Found]:
    """A jump of 3 ADU in one of eight frames, at another row of each channel."""
    rng = np.random.default_rng([4, seed])
    rows = rng.integers(60, ROWS - 60, 4)

    def change(f: int, i: int, levels: Levels, _: np.random.Generator) -> Levels:
        return jump(levels, int(rows[i]), 3.0) if f == 3 else levels

    return found(given(frames(rng, change=change)), "largest_jump", lambda _: 3.0)


def pattern(seed: int) -> list[Found]:
    """A period of 0.3 ADU whose phase goes on from row to row, of another frequency each time."""
    rng = np.random.default_rng([5, seed])
    frequencies = rng.uniform(0.08, 0.42, 4)

    def change(f: int, i: int, levels: Levels, rng: np.random.Generator) -> Levels:
        return period(levels, 0.3, float(frequencies[i]), 37.3, rng)

    return found(given(frames(rng, n=4, change=change)), "pattern_noise", lambda _: 0.3)


def frequency(seed: int) -> list[Found]:
    """The frequency of such a period."""
    rng = np.random.default_rng([6, seed])
    true = float(rng.uniform(0.08, 0.42))

    def change(f: int, i: int, levels: Levels, rng: np.random.Generator) -> Levels:
        return period(levels, 0.3, true, 37.3, rng)

    return found(given(frames(rng, n=4, change=change)), "pattern_frequency", lambda _: true)


_WHAT = f"four channels of {ROWS} × {COLUMNS}, {NOISE} ADU noise"

CASES: tuple[Case, ...] = (
    Case("bias", "read_noise", f"{FRAMES} frames of {_WHAT}, structure", read_noise, 150, 8, relative=0.001),
    Case("bias", "offset", f"{FRAMES} frames of {_WHAT}", offset, 150, 8, pull=0.2),
    Case("bias", "noise_correlation", f"4 frames of two channels of {ROWS} × {COLUMNS}, ρ = 0.1 before rounding", correlation, 500, 30, pull=0.2),
    Case("bias", "largest_jump", f"3 ADU in one of {FRAMES} frames of {_WHAT}", bias_jump, 150, 8, pull=0.3, scatter=(0.85, 1.15)),
    Case("bias", "pattern_noise", f"0.3 ADU in 4 frames of {_WHAT}", pattern, 150, 12, pull=0.2, scatter=(0.85, 1.15)),
    Case("bias", "pattern_frequency", f"0.3 ADU in 4 frames of {_WHAT}", frequency, 150, 12, pull=0.3, scatter=(0.85, 1.15)),
)  # fmt: skip


def full_size(seed: int) -> Inputs:
    """Ten frames of four channels of 2048 × 2048."""
    geometry = quadrants(rows=2048, columns=2048, prescan=51, overscan=20, parallel=20)
    rng = np.random.default_rng([9, seed])
    images = []
    for _ in range(10):
        image = rng.standard_normal(geometry.shape, dtype=np.float32)
        image *= np.float32(NOISE)
        image += np.float32(OFFSET)
        images.append(digitised(image))
    return given(images, geometry)
