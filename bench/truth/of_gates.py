"""Flats of known faults: unequal codes, torn edges, an overscan that follows the light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Inputs
from analysis.gates import PROCEDURE
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.case import Case, Found
from bench.truth.of_bias import extent, of, read_out
from builder.simulate.effects.converter import code_widths, converted
from campaign.geometry import quadrants

ROWS, COLUMNS = 200, 256
GEOMETRY = quadrants(rows=ROWS, columns=COLUMNS, prescan=10, overscan=20, parallel=0)
GAIN = 2.0
NOISE = 3.0
OFFSET = 1000.0

Levels = NDArray[np.float64]
Change = Callable[[int, Levels, Levels], None]
"""Changes, of one channel, the response and the offset (order of reading) in place."""


def given(
    rng: np.random.Generator,
    electrons: tuple[float, ...],
    change: Change | None = None,
    widths: list[NDArray[np.float64]] | None = None,
) -> Inputs:
    """Flats of such levels [e⁻] and three bias frames; ``widths`` are those of the codes of each channel's converter."""
    camera = detector(GEOMETRY)
    boxes = [extent(c) for c in GEOMETRY.channels]
    responses, offsets = [], []
    for i, (channel, box) in enumerate(zip(GEOMETRY.channels, boxes, strict=True)):
        response = 1.0 + 0.01 * rng.standard_normal(channel.image.shape)
        offset = np.full((box[0].stop - box[0].start, box[1].stop - box[1].start), OFFSET)
        if change is not None:
            change(i, response, offset)
        responses.append(response)
        offsets.append(offset)
    frames: dict[str, list[NDArray[np.uint16]]] = {"bias": [], "flat": []}
    for kind, levels in (("bias", (0.0,) * 3), ("flat", electrons)):
        for level in levels:
            image = OFFSET + rng.normal(0.0, NOISE, GEOMETRY.shape)
            for channel, box, response, offset in zip(
                GEOMETRY.channels, boxes, responses, offsets, strict=True
            ):
                if kind == "flat":
                    image[box] += read_out(offset - OFFSET, channel)
                    light = rng.poisson(level * response).astype(np.float64)
                    image[channel.image.slices] += read_out(light, channel) / GAIN
            stored = digitised(image)
            for i, box in enumerate(boxes):
                if widths is not None:
                    stored[box] = converted(image[box], widths[i])
            frames[kind].append(stored)
    held = {
        kind: [
            frame_input(image, camera, kind, 10 * (kind == "flat") + i, float(kind == "flat"))
            for i, image in enumerate(images)
        ]
        for kind, images in frames.items()
    }
    return inputs(PROCEDURE, camera, held)


def found(what: Inputs, quantity: str, truth: list[float]) -> list[Found]:
    """The values of all channels beside their truths."""
    results = measured(PROCEDURE, what)
    names = [c.name for c in what.detector.geometry.channels]
    return [of(value(results, quantity, name), true) for name, true in zip(names, truth, strict=True)]


def dnl(seed: int) -> list[Found]:
    """Converters whose codes' widths scatter by 5 %."""
    rng = np.random.default_rng([1, seed])
    widths = [code_widths(4096, 0.05, rng) for _ in range(4)]
    return found(given(rng, (2000.0, 2100.0, 2200.0, 2300.0), widths=widths), "dnl", [5.0] * 4)


def tearing(seed: int) -> list[Found]:
    """The last column lacks 2 to 5 % of its charge, and one of its pixels all of it."""
    rng = np.random.default_rng([2, seed])
    sizes, dead = rng.uniform(0.02, 0.05, 4), rng.integers(20, ROWS - 20, 4)

    def change(i: int, response: Levels, offset: Levels) -> None:
        response[:, -1] *= 1.0 - sizes[i]
        response[dead[i], -1] = 0.0

    # the column's own pixels differ from the mean of all: that is what its error is made of
    return found(given(rng, (20000.0,) * 4, change), "tearing", (-100 * sizes).tolist())


def slope(seed: int) -> list[Found]:
    """An overscan that rises by an ADU or so from the first row to the last, in flats."""
    rng = np.random.default_rng([3, seed])
    rises = rng.uniform(-1.0, 1.0, 4)

    def change(i: int, response: Levels, offset: Levels) -> None:
        offset += rises[i] * np.linspace(-0.5, 0.5, offset.shape[0])[:, np.newaxis]

    return found(given(rng, (10000.0,) * 3, change), "overscan_slope", rises.tolist())


def shift(seed: int) -> list[Found]:
    """An overscan that lies lower by half an ADU or so in flats."""
    rng = np.random.default_rng([4, seed])
    sizes = rng.uniform(-1.0, 0.0, 4)

    def change(i: int, response: Levels, offset: Levels) -> None:
        offset += sizes[i]

    return found(given(rng, (10000.0,) * 3, change), "overscan_change", sizes.tolist())


_WHAT = f"four channels of {ROWS} × {COLUMNS}, noise {NOISE} ADU, {GAIN} e⁻/ADU"

CASES: tuple[Case, ...] = (
    Case("gates", "dnl", f"code widths of 5 % rms, 4 flats of {_WHAT}", dnl, 200, 20, pull=0.2),
    Case("gates", "tearing", f"2 … 5 % in the last column and a dead pixel there, 4 flats of {_WHAT}", tearing, 200, 15, pull=0.2),
    Case("gates", "overscan_slope", f"an ADU or less over the rows, 3 flats of {_WHAT}", slope, 200, 15, pull=0.2),
    Case("gates", "overscan_change", f"an ADU or less, 3 flats and 3 bias frames of {_WHAT}", shift, 200, 15, pull=0.2),
)  # fmt: skip


def full_size(seed: int) -> Inputs:
    """Six flats and three bias frames of four channels of 2048 × 2048."""
    geometry = quadrants(rows=2048, columns=2048, prescan=51, overscan=20, parallel=20)
    rng = np.random.default_rng([9, seed])
    camera = detector(geometry)
    pattern = 1.0 + 0.01 * rng.standard_normal(geometry.shape, dtype=np.float32)

    def frame(level: float) -> NDArray[np.uint16]:
        image = rng.standard_normal(geometry.shape, dtype=np.float32) * np.float32(NOISE) + np.float32(OFFSET)
        for channel in geometry.channels:
            light = pattern[channel.image.slices] * np.float32(level)
            noise = rng.standard_normal(light.shape, dtype=np.float32) * np.sqrt(light)
            image[channel.image.slices] += (light + noise) / np.float32(GAIN)
        return digitised(image)

    flats = [
        frame_input(frame(e), camera, "flat", 10 + i, 1.0)
        for i, e in enumerate((5e3, 1e4, 2e4, 4e4, 6e4, 8e4))
    ]
    biases = [frame_input(frame(0.0), camera, "bias", i, 0.0) for i in range(3)]
    return inputs(PROCEDURE, camera, {"flat": flats, "bias": biases})
