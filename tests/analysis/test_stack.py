from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.stack import Stack, clipped_mean_stack, median_stack
from campaign.geometry import Region

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
