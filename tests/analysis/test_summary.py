from math import sqrt

import numpy as np
import pytest

from analysis.in_memory import ArrayPixels, detector, digitised, frame_input
from analysis.offsets import offset_of, trimmed_columns
from analysis.summary import piled_up, summarise
from campaign.geometry import quadrants, single

CAMERA = detector(single(rows=60, columns=80, prescan=12, overscan=10))


def test_summary_of_known_pixels() -> None:
    image = digitised(np.random.default_rng(1).normal(1000.0, 3.0, CAMERA.geometry.shape))
    channel = CAMERA.geometry.channels[0]
    view = image[channel.image.slices]
    view[0, 0], view[1, 1], view[2, 2] = 0, 65535, 65535
    pixels = ArrayPixels(image)
    s = summarise(pixels, CAMERA)["A"]
    assert pixels.reads == 3
    assert (s.zeros, s.saturated, s.low, s.high, s.n) == (1, 2, 0.0, 65535.0, 4800)
    assert s.low_pile == 1 / 4800 and s.high_pile == 2 / 4800
    assert abs(s.mean - 1000.0) < 5 * 3.0 / sqrt(4800)
    assert abs(s.std - sqrt(9 + 1 / 12)) < 5 * 3.0 / sqrt(2 * 4800)
    assert s.p01 < s.median < s.p99
    assert s.overscan_mean is not None and abs(s.overscan_mean - 1000.0) < 5 * 3.0 / sqrt(60 * 6)
    assert s.prescan_mean is not None and s.prescan_std is not None


def test_floats_and_integers_agree() -> None:
    image = digitised(np.random.default_rng(2).normal(500.0, 4.0, CAMERA.geometry.shape))
    a, b = (summarise(ArrayPixels(i), CAMERA)["A"] for i in (image, image.astype(np.float32)))
    assert abs(a.mean - b.mean) < 0.02 and abs(a.std - b.std) < 0.05
    assert (a.low, a.high, a.low_pile, a.zeros, a.saturated, a.median) == (
        b.low, b.high, b.low_pile, b.zeros, b.saturated, b.median,
    )  # fmt: skip


def test_not_finite_pixels_are_counted_and_a_dead_channel_is_no_crash() -> None:
    image = np.random.default_rng(3).normal(500.0, 4.0, CAMERA.geometry.shape).astype(np.float32)
    image[5, 20:30] = np.nan
    image[6, 20] = np.inf
    s = summarise(ArrayPixels(image), CAMERA)["A"]
    assert s.not_finite == 11 and s.n == 4800 - 11 and abs(s.mean - 500.0) < 0.5
    frame = frame_input(np.full(CAMERA.geometry.shape, np.nan, np.float32), CAMERA, "bias", 1)
    dead = frame.summaries["A"]
    assert dead.n == 0 and np.isnan(dead.mean) and dead.overscan_mean is None and not piled_up(dead)
    assert offset_of(frame, CAMERA.geometry.channels[0]) is None


def test_clamped_values_are_told_from_a_normal_tail() -> None:
    noise = np.random.default_rng(4).normal(0.0, 5.0, CAMERA.geometry.shape)
    for level, clamped in ((1000.0, False), (10.0, True), (2.0, True)):
        frame = frame_input(digitised(level + noise), CAMERA, "bias", 1)
        assert piled_up(frame.summaries["A"]) is clamped
    quiet = frame_input(digitised(1000.2 + noise / 12), CAMERA, "bias", 1)
    assert not piled_up(quiet.summaries["A"])


@pytest.mark.parametrize("per_row", [False, True])
def test_offset_follows_the_overscan(per_row: bool) -> None:
    rng = np.random.default_rng(6)
    rows = np.linspace(0.0, 10.0, 60)[:, np.newaxis]
    image = 1000.0 + rows + rng.normal(0, 2.0, CAMERA.geometry.shape)
    channel = CAMERA.geometry.channels[0]
    image[channel.image.slices] += 5000.0
    found = offset_of(frame_input(digitised(image), CAMERA, "flat", 1), channel, per_row=per_row)
    assert found is not None and found.source == "overscan"
    assert abs(found.value - 1005.0) < 5 * found.error
    if per_row:
        assert found.rows is not None and found.row_error is not None
        residual = found.rows - 1000.0 - rows[:, 0]
        assert abs(residual.mean()) < 5 * found.row_error / sqrt(60)
        assert residual.std() < 1.5 * found.row_error
        assert np.shape(found.column) == (60, 1)


def test_offset_falls_back_on_the_prescan_and_then_on_nothing() -> None:
    rng = np.random.default_rng(7)
    for camera, source in (
        (detector(single(rows=40, columns=40, prescan=8)), "prescan"),
        (detector(single(rows=40, columns=40)), None),
    ):
        frame = frame_input(digitised(rng.normal(800.0, 2.0, camera.geometry.shape)), camera, "bias", 1)
        found = offset_of(frame, camera.geometry.channels[0])
        assert (found.source if found else None) == source


@pytest.mark.parametrize("width", [1, 2, 3, 6, 20, 51])
def test_trimming_leaves_columns_and_spares_those_read_first(width: int) -> None:
    geometry = quadrants(rows=20, columns=20, prescan=width, overscan=width)
    left, right = geometry.channel("H"), geometry.channel("G")
    for channel in (left, right):
        for region, trim in ((channel.prescan, (25, 5)), (channel.overscan, (5, 5))):
            assert region is not None
            assert trimmed_columns(channel, region, trim).shape[1] >= 1
    assert left.prescan is not None and right.prescan is not None
    a, b = trimmed_columns(left, left.prescan, (25, 5)), trimmed_columns(right, right.prescan, (25, 5))
    assert a.x0 - left.prescan.x0 == right.prescan.x1 - b.x1
    if width == 51:
        assert (a.x0 - left.prescan.x0, left.prescan.x1 - a.x1) == (25, 5)
