"""Pairs of flats: the variance is right and as certain as it says, and light that changed does not enter it."""

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.flat_frames import by_setting, electronic_noise, offsets_of
from analysis.flat_pairs import Bounds, bias_difference, flat_difference
from analysis.in_memory import detector, digitised, frame_input
from analysis.paired_flats import pair_up
from campaign.geometry import single

GAIN, NOISE, OFFSET = 2.0, 5.0, 1000.0  # e⁻/ADU, e⁻, ADU
DETECTOR = detector(single(rows=128, columns=128))


def flat(
    rng: np.random.Generator, electrons: float, scene: NDArray[np.floating] | float = 1.0, size: int = 128
) -> NDArray[np.uint16]:
    charge = rng.poisson(electrons * np.broadcast_to(scene, (size, size))) + rng.normal(
        0, NOISE, (size, size)
    )
    return digitised(charge / GAIN + OFFSET)


def variance_of(electrons: float) -> float:
    return (electrons + NOISE**2) / GAIN**2 + 1 / 12


def test_variance_is_unbiased_and_its_errors_are_right() -> None:
    rng = np.random.default_rng(1)
    pulls = []
    for _ in range(150):
        found = flat_difference(flat(rng, 8000), flat(rng, 8000), (OFFSET, OFFSET))
        pulls.append((found.variance - variance_of(8000)) / found.variance_error)
        assert not found.flags
    assert abs(np.mean(pulls)) < 4 / sqrt(150)
    assert abs(np.std(pulls) - 1) < 4 / sqrt(2 * 150)


def test_fixed_pattern_and_illumination_cancel() -> None:
    rng = np.random.default_rng(2)
    scene = (1 + 0.05 * rng.normal(size=(128, 128))) * np.linspace(0.7, 1.3, 128)[:, np.newaxis]
    found = flat_difference(flat(rng, 20000, scene), flat(rng, 20000, scene), (OFFSET, OFFSET))
    assert abs(found.variance - variance_of(20000 * scene.mean())) < 4 * found.variance_error
    assert abs(found.level - 20000 * scene.mean() / GAIN) < 4 * found.level_error


def test_drift_of_the_lamp_cancels_to_first_order_though_flagged() -> None:
    rng = np.random.default_rng(3)
    scene = 1 + 0.05 * rng.normal(size=(128, 128))
    first, second = flat(rng, 20000, scene), flat(rng, 17000, scene)
    found = flat_difference(first, second, (OFFSET, OFFSET))
    assert found.flags == ("lamp-drift",)
    assert abs(found.drift - (-3000 / 18500)) < 0.001
    # the harmonic mean is the level whose variance this is: unweighted, the pattern would add 5 % of 1500 ADU squared
    assert abs(found.variance - variance_of(found.level * GAIN)) < 4 * found.variance_error
    assert 0.5 * np.var(first.astype(float) - second) > 1.5 * found.variance


def test_defects_cosmic_rays_saturated_and_unreal_pixels_do_not_count() -> None:
    rng = np.random.default_rng(4)
    first, second = (flat(rng, 20000).astype(np.float32) for _ in range(2))
    first[5, 5:9] = 40000  # a cosmic ray in one of them
    for image in (first, second):
        image[20:22, 20:22] = 1001.0  # dead
        image[60, 3] = 65535.0
    second[99, 99] = np.nan
    found = flat_difference(first, second, (OFFSET, OFFSET))
    assert found.flags == () and found.pixels <= 128 * 128 - 10
    assert abs(found.variance - variance_of(20000)) < 4 * found.variance_error


def test_flickering_clamped_and_saturated_pairs_are_flagged() -> None:
    rng = np.random.default_rng(5)
    ruled = flat(rng, 20000, 1 + 0.01 * rng.normal(size=(128, 1)))
    found = flat_difference(ruled, flat(rng, 20000), (OFFSET, OFFSET))
    assert "flicker" in found.flags and "rows" in found.note
    at_rail = np.minimum(flat(rng, 20000), 11050)
    assert flat_difference(flat(rng, 20000), at_rail, (OFFSET, OFFSET)).flags == ("clamped",)
    full = np.minimum(flat(rng, 129000), 65535)
    assert {"saturated", "clamped"} <= set(flat_difference(full, full.copy(), (OFFSET, OFFSET)).flags)


def test_no_light_and_no_pixels_are_refused() -> None:
    rng = np.random.default_rng(6)
    dark = digitised(rng.normal(OFFSET - 20, 3, (128, 128)))
    with pytest.raises(ValueError, match="no light"):
        flat_difference(dark, dark, (OFFSET, OFFSET))
    with pytest.raises(ValueError, match="no finite"):
        flat_difference(np.full((64, 64), np.nan), np.full((64, 64), np.nan), (OFFSET, OFFSET))


def test_bias_difference_is_the_read_noise_and_reports_row_jitter_without_a_flag() -> None:
    rng = np.random.default_rng(7)
    frames = [digitised(OFFSET + rng.normal(0, 3, (128, 128)) + rng.normal(0, 1, (128, 1))) for _ in range(2)]
    found = bias_difference(*frames)
    assert found.flags == ()
    assert abs(found.level - OFFSET) < 1.0
    assert abs(found.checks[0].excess - 2.0) < 4 * 2.1 * sqrt(2 / 128)
    quiet = bias_difference(*(digitised(OFFSET + rng.normal(0, 3, (128, 128))) for _ in range(2)))
    assert abs(quiet.variance - (9 + 1 / 12)) < 4 * quiet.variance_error
    low = [digitised(5 + rng.normal(0, 3, (128, 128))) for _ in range(2)]
    assert bias_difference(*low).flags == ("clamped",)


# from frames to pairs


def flats(times: list[float | None], **fields: float) -> list:  # type: ignore[type-arg]
    image = np.full((128, 128), 1500, np.uint16)
    return [frame_input(image, DETECTOR, "flat", i, t, **fields) for i, t in enumerate(times)]


def test_pairs_are_disjoint_in_order_and_of_equal_time() -> None:
    pairs, left = pair_up(flats([1.0, 2.0, 1.0, 1.004, 2.0, 1.0, 3.0, None]), 0.005)
    assert [(a.frame.exposure, b.frame.exposure) for a, b in pairs] == [("0", "2"), ("1", "4"), ("3", "5")]
    assert [f.frame.exposure for f in left] == ["7", "6"]


def test_settings_are_told_apart_by_what_differs() -> None:
    one = flats([1.0, 1.0], wavelength=700)
    two = flats([1.0003, 5.0], wavelength=800)
    assert by_setting(one, "wavelength=700") == [("wavelength=700", tuple(one))]
    groups = by_setting([*one, *two], "wavelength=700|800, mode=slow")
    assert [name for name, _ in groups] == ["wavelength=700, mode=slow", "wavelength=800, mode=slow"]
    groups = by_setting(two, "", ("wavelength", "exptime"))
    assert [name for name, _ in groups] == ["exptime=1", "exptime=5"]
    assert len(by_setting([*one, two[0]], "", ("exptime",))) == 1  # the shutter's 0.3 ms are no setting


def test_offsets_are_from_the_overscan_else_from_bias_frames_else_not_known() -> None:
    rng = np.random.default_rng(8)
    with_overscan = detector(single(rows=100, columns=80, overscan=20))
    frames = []
    for i, level in enumerate((990.0, 1010.0)):
        image = rng.normal(level, 3, (100, 100))
        image[:, :80] += 5000
        frames.append(frame_input(digitised(image), with_overscan, "flat", i, 1.0))
    found = offsets_of(frames, (), with_overscan.geometry.channels[0])
    assert found is not None and found.source == "overscan"
    assert np.allclose(found.values, (990, 1010), atol=4 * 3 / sqrt(1000))
    noise = electronic_noise(frames, (), with_overscan.geometry.channels[0], Bounds())
    assert noise is not None and noise.source == "overscan"
    assert abs(noise.variance - 9 - 1 / 12) < 4 * noise.error
    channel = DETECTOR.geometry.channels[0]
    lit = flats([1.0, 1.0])
    assert offsets_of(lit, (), channel) is None and electronic_noise(lit, (), channel, Bounds()) is None
    biases = [frame_input(digitised(rng.normal(1000, 3, (128, 128))), DETECTOR, "bias", i) for i in range(4)]
    found = offsets_of(lit, biases, channel)
    assert found is not None and found.source == "bias"
    assert abs(found.values[1] - 1000) < 4 * found.error < 0.1
    noise = electronic_noise(lit, biases, channel, Bounds())
    assert noise is not None and abs(noise.variance - 9 - 1 / 12) < 4 * noise.error


def test_whole_numbers_go_a_shorter_way_to_what_singles_say() -> None:
    """Tiles of 16 bits that lose no pixel are worked on without a mask; single precision goes through the mask everywhere."""
    rng = np.random.default_rng(12)
    for electrons, spoilt in ((40, 0), (8000, 0), (8000, 30), (90_000, 5)):
        first, second = flat(rng, electrons, size=150), flat(rng, electrons, size=150)
        for image in (first, second):
            image.flat[rng.integers(0, image.size, spoilt)] = rng.integers(0, 65536, spoilt)
        zero, bounds = (OFFSET, OFFSET + 0.5), Bounds(tile=16)
        found = flat_difference(first, second, zero, 0.0, bounds)
        plain = flat_difference(first.astype(np.float32), second.astype(np.float32), zero, 0.0, bounds)
        assert found.pixels == plain.pixels and found.n == plain.n
        assert (found.pixels == 144 * 144) == (spoilt == 0)
        assert found.variance == pytest.approx(plain.variance, rel=1e-6)
        assert found.level == pytest.approx(plain.level, rel=1e-12)
        for one, two in zip(found.checks[:2], plain.checks[:2], strict=True):
            assert one.effect == pytest.approx(two.effect, rel=1e-5)
