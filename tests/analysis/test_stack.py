from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.in_memory import ArrayPixels, detector, frame_input
from analysis.pairs import Differences, difference_histogram
from analysis.stack import (
    Stack,
    clipped_mean_stack,
    clipped_mean_stacks,
    half_stacks,
    in_halves,
    median_stack,
    median_stacks,
    reader,
)
from analysis.stack_network import sorting_network
from campaign.geometry import Channel, Region, quadrants, single

SHAPE = (23, 701)  # no multiple of any block
WHOLE = Region(0, *SHAPE[:1], 0, SHAPE[1])


def readers(cube: NDArray[np.generic]) -> list[Callable[[Region], NDArray[np.generic]]]:
    return [lambda region, image=image: image[region.slices] for image in cube]


def cube(n: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    out = (1000.0 + rng.normal(0.0, 5.0, (n, *SHAPE))).astype(np.float32)
    out[rng.random(out.shape) < 0.01] += 400.0
    return out


def by_scatter(values: NDArray[np.float32], sigma: float, rounds: int) -> NDArray[np.float64]:
    """The plain twin: masks over a whole cube, in double precision."""
    x = np.ma.masked_invalid(values.astype(np.float64))
    for _ in range(rounds):
        centre, reach = x.mean(axis=0), sigma * x.std(axis=0)
        x = np.ma.masked_where((x < centre - reach) | (x > centre + reach), x)
    return np.ma.filled(x, np.nan)


def by_noise(values: NDArray[np.float32], sigma: float, noise: float) -> NDArray[np.float64]:
    x = values.astype(np.float64)
    centre = np.nanmedian(x, axis=0)
    for _ in range(10):
        kept = np.where(np.abs(x - centre) <= sigma * noise, x, np.nan)
        centre = np.nanmean(kept, axis=0)
    return kept


def same(stack: Stack, kept: NDArray[np.float64]) -> None:
    assert (stack.count == np.isfinite(kept).sum(axis=0)).all()
    np.testing.assert_allclose(stack.mean, np.nanmean(kept, axis=0), atol=2e-3)
    np.testing.assert_allclose(stack.variance, np.nanvar(kept, axis=0, ddof=1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("sigma", "rounds"), [(3.0, 1), (3.0, 10), (2.0, 10)])
@pytest.mark.parametrize("n", [5, 16, 33])
def test_clipping_by_scatter_is_that_of_the_plain_twin(n: int, sigma: float, rounds: int) -> None:
    values = cube(n)
    same(
        clipped_mean_stack(readers(values), WHOLE, sigma=sigma, rounds=rounds),
        by_scatter(values, sigma, rounds),
    )


def test_clipping_by_noise_is_that_of_the_plain_twin() -> None:
    values = cube(9)
    same(clipped_mean_stack(readers(values), WHOLE, noise=5.0), by_noise(values, 3.0, 5.0))


def test_one_round_is_what_ccdproc_does() -> None:
    ccdproc = pytest.importorskip("ccdproc")
    from astropy.nddata import CCDData

    values = cube(14, seed=4)
    theirs = ccdproc.combine(
        [CCDData(v.astype(np.float64), unit="adu") for v in values],
        method="average", sigma_clip=True, sigma_clip_low_thresh=3, sigma_clip_high_thresh=3,
    )  # fmt: skip
    ours = clipped_mean_stack(readers(values), WHOLE, sigma=3.0, rounds=1)
    np.testing.assert_allclose(ours.mean, np.asarray(theirs.data), atol=2e-3)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 10, 33])
def test_median_is_numpys(n: int) -> None:
    values = cube(n, seed=n)
    values[0, 3, 4] = np.nan
    values[:, 5, 6] = np.inf
    stack = median_stack(readers(values), WHOLE)
    finite = np.where(np.isfinite(values), values, np.nan)
    good = np.isfinite(finite).any(axis=0)
    np.testing.assert_allclose(stack.mean[good], np.nanmedian(finite[:, good], axis=0), atol=1e-3)
    assert np.isnan(stack.mean[5, 6]) and stack.count[5, 6] == 0


def test_known_noise_finds_a_cosmic_ray_among_three_and_scatter_cannot() -> None:
    values = np.full((3, *SHAPE), 1000.0, np.float32)
    values[1] += 2.0
    values[2, 7, 7] = 5000.0
    assert clipped_mean_stack(readers(values), WHOLE, noise=3.0).mean[7, 7] == 1001.0
    assert clipped_mean_stack(readers(values), WHOLE).count.min() == 3
    two = clipped_mean_stack(readers(values[1:]), WHOLE, noise=3.0)
    assert two.mean[7, 7] == 1002.0 and two.count[7, 7] == 1 and np.isnan(two.variance[7, 7])


def test_shot_noise_is_allowed_for() -> None:
    values = np.random.default_rng(1).poisson(10_000.0, (20, *SHAPE)).astype(np.float32)
    kept = [clipped_mean_stack(readers(values), WHOLE, noise=3.0, gain=g).count.mean() for g in (1.0, None)]
    assert kept[0] > 19.9 and kept[1] < 10.0


def test_offsets_and_rows_and_regions_and_threads() -> None:
    values = np.rint(cube(6)).astype(np.uint16)
    part = Region(2, 21, 100, 400)
    levels = [float(i) for i in range(6)]
    rows = [np.full((part.shape[0], 1), level) for level in levels]
    first = clipped_mean_stack(readers(values), part, offsets=levels, threads=1)
    for offsets in (levels, rows):
        again = clipped_mean_stack(readers(values), part, offsets=offsets, threads=2)
        for a, b in ((first.mean, again.mean), (first.variance, again.variance), (first.count, again.count)):
            np.testing.assert_array_equal(a, b)
    plain = clipped_mean_stack(readers(values - np.arange(6, dtype=np.uint16)[:, None, None]), part)
    np.testing.assert_allclose(first.mean, plain.mean, atol=1e-3)


def test_bands_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    values = cube(12)
    whole = clipped_mean_stack(readers(values), WHOLE)
    monkeypatch.setattr("analysis.stack_bands._BAND_BYTES", 12 * SHAPE[1] * 16)
    banded = clipped_mean_stack(readers(values), WHOLE)
    np.testing.assert_array_equal(whole.mean, banded.mean)


def test_senseless_stacks_are_refused() -> None:
    for bad in (
        lambda: clipped_mean_stack([], WHOLE),
        lambda: clipped_mean_stack(readers(cube(2)), WHOLE, offsets=[1.0]),
        lambda: clipped_mean_stack(readers(cube(2)), WHOLE, noise=0.0),
        lambda: clipped_mean_stack(readers(cube(2)), WHOLE, sigma=float("nan")),
    ):
        with pytest.raises(ValueError):
            bad()


def test_a_failing_reader_is_heard() -> None:
    def broken(region: Region) -> NDArray[np.generic]:
        raise OSError("the file ends early")

    with pytest.raises(OSError, match="ends early"):
        clipped_mean_stack([*readers(cube(2)), broken], WHOLE)


@pytest.mark.parametrize("n", [2, 5])
def test_halves_are_the_stacks_of_every_other_frame_and_their_differences_are_counted_beside(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.stack_bands._BAND_BYTES", n * SHAPE[1] * 2 * 5)
    camera = detector(single(rows=SHAPE[0], columns=SHAPE[1]))
    images = [np.rint(image).astype(np.uint16) for image in cube(n, seed=8)]
    channel = camera.geometry.channels[0]
    given = [reader(frame_input(image, camera, "bias", i), channel) for i, image in enumerate(images)]
    offsets, factors = [float(i) for i in range(n)], [1.0 + 0.01 * i for i in range(n)]
    counted = Differences(channel.image, in_halves(n))
    found = half_stacks(
        given, channel.image, sigma=3.0, noise=5.0, offsets=offsets, factors=factors, beside=(counted,)
    )
    for i, half in enumerate(found):
        scaled = [
            (v - np.float32(o)) * np.float32(f) for v, o, f in zip(images, offsets, factors, strict=True)
        ]
        identical(half, clipped_mean_stack(readers(np.array(scaled[i::2])), WHOLE, noise=5.0))
    assert counted.complete
    for i, (before, after) in enumerate(pairwise(images)):
        plain, own = difference_histogram(after, before), counted.histogram(i)
        assert own.low == plain.low and own.counts.tolist() == plain.counts.tolist()


def identical(one: Stack, two: Stack) -> None:
    for a, b in ((one.mean, two.mean), (one.variance, two.variance), (one.count, two.count)):
        np.testing.assert_array_equal(a, b)


def pixel_by_noise(
    values: NDArray[np.float32], sigma: float, rounds: int, noise: float, gain: float
) -> tuple[np.float32, np.float32, int]:
    """One pixel, step by step in float32, with nothing proved in advance: mean, variance, number."""
    f = np.float32
    finite = values[np.isfinite(values)]
    if not finite.size:
        return f(np.nan), f(np.nan), 0
    reference = finite[0]
    x = finite - reference
    ordered = np.sort(x)
    centre = f(0.5) * (ordered[(x.size - 1) // 2] + ordered[x.size // 2])
    before: tuple[int, np.float32] = (-1, f(0))
    for _ in range(rounds):
        level = max(reference + centre, f(0))
        reach = f(sigma) * np.sqrt(f(noise**2) + level * f(1 / gain))
        kept = x[(x >= centre - reach) & (x <= centre + reach)]
        centre = ordered[(x.size - 1) // 2]
        if kept.size:
            total = f(0)
            for v in kept:
                total += v
            centre = total / f(kept.size)
        if before == (kept.size, centre):
            break
        before = (kept.size, centre)
    squares = f(0)
    for v in kept:
        squares += (v - centre) * (v - centre)
    return reference + centre, squares / f(kept.size - 1) if kept.size > 1 else f(np.nan), kept.size


@settings(max_examples=80)
@given(data=st.data(), rounds=st.integers(1, 6), noise=st.sampled_from([0.7, 1.43, 4.0]))
def test_what_is_proved_of_a_pixel_is_what_the_steps_give(
    data: st.DataObject, rounds: int, noise: float
) -> None:
    near = st.integers(2690, 2712).map(float)
    some = st.one_of(near, near, near, st.sampled_from([float("nan"), float("inf"), 0.0, 9000.0]))
    values = data.draw(
        arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.just(3), st.just(5)), elements=some)
    )
    found = clipped_mean_stack(readers(values), Region(0, 3, 0, 5), noise=noise, gain=900.0, rounds=rounds)
    for y, x in np.ndindex(3, 5):
        mean, variance, count = pixel_by_noise(values[:, y, x], 3.0, rounds, noise, 900.0)
        assert found.count[y, x] == count
        np.testing.assert_array_equal(found.mean[y, x], mean)
        np.testing.assert_array_equal(found.variance[y, x], variance)


@pytest.mark.parametrize("how", [{"sigma": 2.5}, {"sigma": 3.0, "noise": 5.0}, {"noise": 3.0, "gain": 2.0}])
def test_a_pixel_does_not_know_its_neighbours(how: dict[str, float]) -> None:
    values = cube(11, seed=8)
    values[3, 4, ::17] = np.nan
    whole = clipped_mean_stack(readers(values), WHOLE, **how)  # type: ignore[arg-type]
    for part in (Region(3, 20, 5, 6), Region(0, 23, 130, 699), Region(4, 5, 0, 701)):
        alone = clipped_mean_stack(readers(values), part, **how)  # type: ignore[arg-type]
        identical(alone, Stack(*(a[part.slices] for a in (whole.mean, whole.variance, whole.count))))


def frames_of(rows: int = 41, columns: int = 60, n: int = 7) -> tuple[list[FrameInput], tuple[Channel, ...]]:
    geometry = quadrants(rows=rows, columns=columns, prescan=4, overscan=3, parallel=2)
    rng = np.random.default_rng(9)
    unit = detector(geometry)
    images = np.rint(rng.normal(1000, 6, (n, *geometry.shape))).astype(np.uint16)
    images[rng.random(images.shape) < 0.01] += 500
    return [frame_input(image, unit, "bias", i) for i, image in enumerate(images)], geometry.channels


def reads(frame: FrameInput) -> int:
    assert isinstance(frame.pixels, ArrayPixels)
    return frame.pixels.reads


def test_channels_together_are_channels_alone_and_each_row_is_read_once() -> None:
    frames, channels = frames_of()
    offsets = {c.name: [float(i + k) for i in range(7)] for k, c in enumerate(channels)}
    noise = {"E": 6.0, "F": 5.0, "G": 6.0}  # none for H
    gain = {"F": 3.0}
    before = [reads(f) for f in frames]
    found = clipped_mean_stacks(frames, channels, sigma=2.0, offsets=offsets, noise=noise, gain=gain)
    middles = median_stacks(frames, channels, offsets=offsets, threads=1)
    assert [reads(f) - b for f, b in zip(frames, before, strict=True)] == [2] * 7  # one band of each stack
    assert list(found) == list(middles) == ["E", "F", "G", "H"]
    for c in channels:
        held = [reader(f, c) for f in frames]
        alone = clipped_mean_stack(
            held, c.image, sigma=2.0, offsets=offsets[c.name], noise=noise.get(c.name), gain=gain.get(c.name)
        )
        identical(found[c.name], alone)
        identical(middles[c.name], median_stack(held, c.image, offsets=offsets[c.name]))


def test_channels_of_several_images_are_read_from_their_own() -> None:
    frames, channels = frames_of()
    split = [replace(f, frame=replace(f.frame, hdus={"E": 1, "F": 2, "": 0})) for f in frames]
    before = [reads(f) for f in split]
    found = median_stacks(split, channels)
    assert [reads(f) - b for f, b in zip(split, before, strict=True)] == [3] * 7
    for name, stack in median_stacks(frames, channels).items():
        identical(found[name], stack)


def test_whole_numbers_and_floats_give_the_same_bits() -> None:
    values = np.rint(cube(8)).astype(np.uint16)
    plain = clipped_mean_stack(readers(values), WHOLE, noise=5.0)

    class Typed:
        dtype = np.dtype(np.uint16)

        def __init__(self, image: NDArray[np.uint16]) -> None:
            self.image = image

        def __call__(self, region: Region) -> NDArray[np.generic]:
            return self.image[region.slices]

    identical(plain, clipped_mean_stack([Typed(v) for v in values], WHOLE, noise=5.0))


@pytest.mark.parametrize("n", range(1, 13))
def test_networks_sort_whatever_comes(n: int) -> None:
    """What sorts all zeros and ones sorts everything (Knuth, volume 3, theorem 5.3.4 Z)."""
    wanted = ((n - 1) // 2, n // 2)
    inputs = np.array(list(product((0, 1), repeat=n))).T
    for network, places in ((sorting_network(n), range(n)), (sorting_network(n, wanted), wanted)):
        x = inputs.copy()
        for lower, upper, kept in network:
            low, high = np.minimum(x[lower], x[upper]), np.maximum(x[lower], x[upper])
            x[lower] = low if kept & 1 else -7  # what is not kept must not be used
            x[upper] = high if kept & 2 else -7
        for place in places:
            np.testing.assert_array_equal(x[place], np.sort(inputs, axis=0)[place])
