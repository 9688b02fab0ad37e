"""Masters that procedures share: made once, the same numbers either way, and kept within bounds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis import bias, dark
from analysis.bias.master import halves
from analysis.contract import FrameInput, Inputs, Made, Results
from analysis.in_memory import ArrayPixels, detector, digitised, frame_input, inputs, measured
from builder.masters import Masters, tidy
from campaign.geometry import single

CAMERA = detector(single(rows=96, columns=80, overscan=20))
CHANNEL = CAMERA.geometry.channels[0]


def biases(n: int = 6) -> list[FrameInput]:
    rng = np.random.default_rng(1)
    pattern = rng.normal(0, 1.0, CAMERA.geometry.shape)
    return [
        frame_input(digitised(1000 + pattern + rng.normal(0, 4, pattern.shape)), CAMERA, "bias", i)
        for i in range(n)
    ]


def darks() -> list[FrameInput]:
    rng = np.random.default_rng(2)
    return [
        frame_input(digitised(1000 + 60 + rng.normal(0, 5, CAMERA.geometry.shape)), CAMERA, "dark", i, 300.0)
        for i in range(10, 14)
    ]


def on_shelf(given: Inputs, folder: Path) -> Inputs:
    frames = [f for held in given.frames.values() for f in held]
    shelf = Masters(folder, {f.frame.id: f"print of {f.frame.id}" for f in frames})
    return Inputs(
        given.block,
        given.test,
        given.detector,
        given.frames,
        given.parameters,
        given.used,
        given.setting,
        shelf,
    )


def numbers(results: Results) -> list[tuple[object, ...]]:
    return [(m.quantity, m.channel, m.value, m.uncertainty, m.flags) for m in results.measurements]


def reads(frames: list[FrameInput]) -> int:
    return sum(f.pixels.reads for f in frames if isinstance(f.pixels, ArrayPixels))


def test_the_second_procedure_does_not_stack_the_same_bias_frames_again(tmp_path: Path) -> None:
    zero, lit = biases(), darks()
    of_bias = inputs(bias.PROCEDURE, CAMERA, {"bias": zero})
    of_dark = inputs(dark.PROCEDURE, CAMERA, {"dark": lit, "bias": zero})
    alone, apart = [], []
    for procedure, given in ((bias.PROCEDURE, of_bias), (dark.PROCEDURE, of_dark)):
        before = reads(zero)
        alone.append(measured(procedure, given))
        apart.append(reads(zero) - before)
    halves_alone = reads(zero)
    halves(of_bias, of_bias.frames["bias"], CHANNEL, 5.0)
    stacking = reads(zero) - halves_alone  # what a master costs in reads of its frames
    assert stacking >= len(zero)
    measured(bias.PROCEDURE, on_shelf(of_bias, tmp_path))
    before = reads(zero)
    shared = measured(dark.PROCEDURE, on_shelf(of_dark, tmp_path))
    assert reads(zero) - before <= apart[1] - stacking  # the master came from the shelf
    assert numbers(shared) == numbers(alone[1])
    plane = [r.products["master_dark"].planes["A"] for r in (shared, alone[1])]  # type: ignore[union-attr]
    assert np.array_equal(plane[0], plane[1])
    before = reads(zero)
    again = measured(bias.PROCEDURE, on_shelf(of_bias, tmp_path))
    assert numbers(again) == numbers(alone[0])
    # no stacking; but differences, which had their pixels of the stack's reading, read each frame once themselves
    assert reads(zero) - before <= apart[0] - stacking + len(zero)


def test_other_frames_channels_parameters_and_versions_have_other_names(tmp_path: Path) -> None:
    zero = tuple(biases(4))
    shelf = Masters(tmp_path, {f.frame.id: f.frame.id * 2 for f in zero})
    name = Made("master 1", zero, CHANNEL, (3.0,))
    others = [
        Made("master 2", zero, CHANNEL, (3.0,)),
        Made("master 1", zero[:3], CHANNEL, (3.0,)),
        Made("master 1", zero[::-1], CHANNEL, (3.0,)),
        Made("master 1", zero, CHANNEL, (4.0,)),
        Made("master 1", zero, single(rows=95, columns=80).channels[0], (3.0,)),
    ]
    digests = {shelf.digest(n) for n in (name, *others)}
    assert len(digests) == 6 and None not in digests
    content = Masters(tmp_path, {f.frame.id: "changed" for f in zero})
    assert content.digest(name) not in digests
    assert Masters(tmp_path, {}).digest(name) is None


def test_a_damaged_master_is_made_anew_and_a_full_disk_costs_only_the_keeping(tmp_path: Path) -> None:
    zero = tuple(biases(2))
    shelf = Masters(tmp_path / "masters", {f.frame.id: "x" for f in zero})
    name, made = Made("m", zero, CHANNEL), []

    def make() -> NDArray[np.generic]:
        made.append(1)
        return np.arange(6.0).reshape(2, 3)

    first = shelf(name, make)
    kept = next((tmp_path / "masters").glob("*.npy"))
    kept.write_bytes(kept.read_bytes()[:100])
    assert np.array_equal(shelf(name, make), first) and len(made) == 2
    assert np.array_equal(shelf(name, make), first) and len(made) == 2
    (tmp_path / "file").write_text("")
    nowhere = Masters(tmp_path / "file" / "masters", {f.frame.id: "x" for f in zero})
    assert np.array_equal(nowhere(name, make), first)


def test_tidying_removes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    for i in range(4):
        path = tmp_path / f"{i}.npy"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 - i, 1000 - i))
    (tmp_path / ".half.1.part").write_bytes(b"x")
    assert tidy(tmp_path, 250) == 200
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.npy", "1.npy"]
    assert tidy(tmp_path / "none") == 0
