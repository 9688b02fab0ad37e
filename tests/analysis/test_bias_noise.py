"""What bias frames tell beyond their level: correlation of channels, jumps, periods, other estimators of the read noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.bias import PROCEDURE
from analysis.bias.jumps import jumps_of
from analysis.bias.pattern import spectrum_of
from analysis.contract import ContractError, FrameInput, Results, TableProduct
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.of_bias import extent, read_out
from builder.simulate.effects.pattern_noise import jump, period, shared_noise
from campaign.geometry import Geometry, quadrants, single

ROWS, COLUMNS = 200, 120
GEOMETRY = quadrants(rows=ROWS, columns=COLUMNS, prescan=6, overscan=20, parallel=0)
NOISE = 4.0
Levels = NDArray[np.floating]


def frames(
    rng: np.random.Generator, n: int, change: Callable[[int, str, Levels], Levels], rho: float = 0.0
) -> list[FrameInput]:
    """Frames of four channels, each changed in order of reading."""
    camera = detector(GEOMETRY)
    boxes = {c: extent(c) for c in GEOMETRY.channels}
    first = boxes[GEOMETRY.channels[0]]
    shape = (first[0].stop - first[0].start, first[1].stop - first[1].start)
    out = []
    for f in range(n):
        image = np.zeros(GEOMETRY.shape)
        noise = shared_noise(shape, NOISE, rho, len(boxes), rng)
        for own, (channel, box) in zip(noise, boxes.items(), strict=True):
            image[box] = read_out(change(f, channel.name, 1000.0 + own), channel)
        out.append(frame_input(digitised(image), camera, "bias", f))
    return out


def run(given: list[FrameInput], geometry: Geometry = GEOMETRY, **parameters: float) -> Results:
    return measured(
        PROCEDURE, inputs(PROCEDURE, detector(geometry), {"bias": given}, used=None, **parameters)
    )


def same(f: int, name: str, levels: Levels) -> Levels:
    return levels


def test_a_jump_is_found_in_its_frame_and_row_at_each_corner() -> None:
    """As eo_pipe's finder was run: a step of 2 ADU; here for each corner of reading."""
    rng = np.random.default_rng(1)
    found = run(frames(rng, 6, lambda f, c, x: jump(x, 120, 6.0) if f == 2 else x))
    for name in "EFGH":
        count, size = value(found, "bias_jumps", name), value(found, "largest_jump", name)
        assert count.value == 1 and "unstable" in count.flags
        assert size.value is not None and size.uncertainty is not None
        assert abs(size.value - 6.0) < 4.5 * size.uncertainty
    table = found.products["jumps"]
    assert isinstance(table, TableProduct)
    assert all(abs(int(str(row)) - 120) <= 3 for row in table.columns["row"])
    assert set(table.columns["frame"]) == {"2/CCD1"}


def test_a_jump_at_the_same_row_of_all_frames_is_found_too() -> None:
    found = run(frames(np.random.default_rng(2), 6, lambda f, c, x: jump(x, 100, 6.0)))
    table = found.products["jumps"]
    assert isinstance(table, TableProduct)
    assert set(table.columns["frame"]) == {"all"}
    assert np.allclose(np.array(table.columns["size"], float), 6.0, atol=1.5)


def test_noise_and_ramps_are_no_jumps_and_say_what_would_be_found() -> None:
    def ramp(f: int, name: str, levels: Levels) -> Levels:
        return levels + 5.0 * np.exp(-np.arange(levels.shape[0]) / 30.0)[:, np.newaxis]

    found = run(frames(np.random.default_rng(3), 6, ramp))
    for name in "EFGH":
        assert value(found, "bias_jumps", name).value == 0
        m = value(found, "largest_jump", name)
        assert m.reason == "none-found" and "would be found" in m.note


def test_a_level_that_settles_in_every_frame_is_no_jump_and_a_sudden_one_is() -> None:
    """Quiet frames of few rows, whose level settles over a sixth of them: once each of these counted as a jump."""
    camera = detector(single(rows=128, columns=128, overscan=20))
    channel, rng = camera.geometry.channels[0], np.random.default_rng(6)
    rows = np.arange(128.0)[:, np.newaxis]
    settling = 1000.0 + 4.0 * np.exp(-rows / 21.0)
    told = []
    for level in (settling, settling + 3.0 * (rows >= 64)):
        images = [digitised(level + rng.normal(0.0, 1.2, camera.geometry.shape)) for _ in range(8)]
        found = jumps_of([frame_input(i, camera, "bias", n) for n, i in enumerate(images)], channel, 5.5)
        assert not isinstance(found, str)
        told.append([(j.frame, j.row) for j in found.found])
    assert told[0] == []
    assert len(told[1]) == 1 and told[1][0][0] == "" and abs(told[1][0][1] - 64) <= 3


def test_false_jumps_are_rare() -> None:
    rng = np.random.default_rng(4)
    camera = detector(single(rows=400, columns=30, overscan=20))
    channel = camera.geometry.channels[0]
    false = 0
    for _ in range(60):
        images = [digitised(rng.normal(1000.0, 4.0, camera.geometry.shape)) for _ in range(4)]
        found = jumps_of([frame_input(i, camera, "bias", n) for n, i in enumerate(images)], channel, 5.5)
        assert not isinstance(found, str)
        false += len(found.found)
    assert false == 0


@pytest.mark.parametrize("frequency", [0.0731, 0.25, 0.3333, 0.4871])
def test_a_period_is_found_with_its_amplitude_wherever_it_lies_between_bins(frequency: float) -> None:
    rng = np.random.default_rng(5)
    given = frames(rng, 4, lambda f, c, x: period(x, 1.0, frequency, 11.7, rng))
    found = spectrum_of(given, GEOMETRY.channels[1], 0.001)
    assert found is not None and len(found.peaks) >= 1
    best = found.peaks[0]
    assert abs(best.amplitude - 1.0) < 4.5 * best.error
    assert abs(best.frequency - frequency) < 0.5 / COLUMNS


def test_periods_tell_their_frequency_in_time_where_the_time_of_a_pixel_is_known() -> None:
    rng = np.random.default_rng(6)
    given = frames(rng, 4, lambda f, c, x: period(x, 2.0, 0.25, 11.7, rng))
    table = run(given, pixel_time=10.0).products["pattern"]
    assert isinstance(table, TableProduct)
    assert float(str(table.columns["frequency_khz"][0])) == pytest.approx(25.0, rel=0.02)
    own = [replace(g, frame=replace(g.frame, fields={**g.frame.fields, "pixel_time": 5.0})) for g in given]
    assert "50" in value(run(own, pixel_time=10.0), "pattern_frequency", "E").note


def test_false_periods_come_as_rarely_as_stated() -> None:
    rng = np.random.default_rng(7)
    camera = detector(single(rows=40, columns=128))
    channel, found, runs, chance = camera.geometry.channels[0], 0, 400, 0.05
    for i in range(runs):
        frame = frame_input(
            rng.normal(1000.0, 4.0, camera.geometry.shape).astype(np.float32), camera, "bias", i
        )
        spectrum = spectrum_of([frame], channel, chance)
        assert spectrum is not None
        found += bool(spectrum.peaks)
    assert found < runs * chance + 4 * np.sqrt(runs * chance)


def test_no_period_is_consistent_with_zero() -> None:
    found = run(frames(np.random.default_rng(8), 4, same))
    assert value(found, "pattern_peaks", "E").value == 0
    assert "consistent-with-zero" in value(found, "pattern_noise", "E").flags
    assert value(found, "pattern_frequency", "E").reason == "none-found"


def test_shared_noise_is_seen_in_order_of_reading() -> None:
    """Channels read from different corners share noise at the same moment, not at the same place."""
    found = run(frames(np.random.default_rng(9), 4, same, rho=0.2))
    table = found.products["noise_correlations"]
    assert isinstance(table, TableProduct)
    rho, error = np.array(table.columns["rho"], float), np.array(table.columns["error"], float)
    assert rho.size == 12
    assert (np.abs(rho - 0.2) < 5 * error).all()
    none = run(frames(np.random.default_rng(10), 4, same))
    assert "consistent-with-zero" in value(none, "noise_correlation", "E").flags


def test_one_channel_has_nothing_to_go_with() -> None:
    rng = np.random.default_rng(11)
    camera = single(rows=60, columns=50)
    given = [
        frame_input(digitised(rng.normal(1000, 3, camera.shape)), detector(camera), "bias", i)
        for i in range(3)
    ]
    found = run(given, camera)
    assert value(found, "noise_correlation").reason == "one-channel"
    assert value(found, "offset_prescan").reason == "no-overscan"
    assert value(found, "bias_jumps").value == 0  # told from the image


def test_other_estimators_of_the_read_noise_hold_the_fixed_pattern_and_differences_do_not() -> None:
    """UVES's noise of one raw frame includes structure; a constant added to one frame changes none."""
    rng = np.random.default_rng(12)
    pattern = rng.normal(0.0, 3.0, (ROWS, COLUMNS + 26))
    given = frames(rng, 5, lambda f, c, x: x + pattern + 7.0 * (f == 1))
    plain = value(run(given), "read_noise", "E")
    assert plain.value is not None and plain.uncertainty is not None
    assert abs(plain.value - NOISE) < 4.5 * plain.uncertainty
    for estimator in ("clipped", "model"):
        m = value(run(given, estimator=estimator), "read_noise", "E")  # type: ignore[arg-type]
        assert m.value == pytest.approx(5.0, rel=0.03)
        assert "fixed pattern included" in m.estimator
    with pytest.raises(ContractError, match="estimator"):
        run(given, estimator="guess")  # type: ignore[arg-type]


def test_profiles_are_handed_on() -> None:
    table = run(frames(np.random.default_rng(13), 4, same)).products["profiles"]
    assert isinstance(table, TableProduct)
    assert len(table.columns["mean"]) == 4 * (ROWS + COLUMNS)
