import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from analysis.histogram import Histogram, histogram
from analysis.pairs import centred_histogram, pair_histograms, pair_statistics
from analysis.statistics import clipped

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=7)


def normal(level: float, sigma: float, seed: int, shape: tuple[int, int] = (300, 401)) -> NDArray[np.uint16]:
    values = np.random.default_rng(seed).normal(level, sigma, shape)
    return np.clip(np.rint(values), 0, 65535).astype(np.uint16)


def twin(values: NDArray[np.generic]) -> Histogram:
    """The plain twin: NumPy's own counting of one set of values."""
    levels, counts = np.unique(values, return_counts=True)
    out = np.zeros(int(levels[-1]) - int(levels[0]) + 1, np.int64)
    out[levels.astype(np.int64) - int(levels[0])] = counts
    return Histogram(int(levels[0]), out)


def same(found: Histogram, wanted: Histogram) -> None:
    assert found.low == wanted.low
    np.testing.assert_array_equal(found.counts, wanted.counts)


@settings(max_examples=60)
@given(data=st.data())
def test_histograms_are_those_of_the_plain_twin(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    levels = st.one_of(st.integers(0, 3), st.integers(65533, 65535), st.integers(0, 65535))
    first, second = (data.draw(arrays.arrays(np.uint16, shape, elements=levels)) for _ in range(2))
    left_out = data.draw(st.one_of(st.none(), arrays.arrays(np.bool_, shape)))
    kept = np.ones(shape, bool) if left_out is None else ~left_out
    if not kept.any():
        with pytest.raises(ValueError, match="no pixels"):
            pair_histograms(first, second, left_out)
        return
    found = pair_histograms(first, second, left_out)
    same(found.first, twin(first[kept]))
    same(found.second, twin(second[kept]))
    same(found.difference, twin(first[kept].astype(np.int64) - second[kept]))
    assert found.n == kept.sum()


def test_parts_of_larger_images_are_counted_alike() -> None:
    first, second = normal(900, 9, 1), normal(905, 9, 2)
    part = (slice(3, 90), slice(7, 200))
    found, alone = (
        pair_histograms(first[part], second[part]),
        pair_histograms(*(i[part].copy() for i in (first, second))),
    )
    same(found.difference, alone.difference)


def test_statistics_are_those_of_the_pixels() -> None:
    first, second = normal(21_000, 140, 3), normal(20_500, 140, 4)
    first[5, 5], second[9, 9] = 65535, 0
    left_out = np.random.default_rng(5).random(first.shape) < 0.02
    found = pair_statistics(first, second, left_out)
    kept = ~left_out
    assert found.first == clipped(first[kept])
    assert found.second == clipped(second[kept])
    assert found.difference == clipped(first[kept].astype(np.int32) - second[kept])


def test_the_variance_is_that_of_one_frame() -> None:
    found = pair_statistics(normal(5000, 30, 6), normal(5000, 30, 7))
    assert abs(found.variance - 900 - 1 / 12) < 4 * found.variance_error
    assert found.variance_error == pytest.approx(900 * np.sqrt(2 / (300 * 401)) * 1.05, rel=0.05)


def test_floats_say_what_whole_numbers_say() -> None:
    first, second = normal(700, 12, 8), normal(700, 12, 9)
    whole = pair_statistics(first, second)
    lost = first.astype(np.float32)
    lost[4, 4] = np.nan
    found = pair_statistics(lost, second.astype(np.float32))
    assert found.first.n_total == found.second.n_total == found.difference.n_total == first.size - 1
    assert found.difference.variance == pytest.approx(whole.difference.variance, rel=5e-3)
    signed = pair_statistics(first.astype(np.int32), second.astype(np.int32))
    assert signed == whole


def test_clipping_alike_gives_astropys_numbers() -> None:
    """The same bounds give the same mean and variance: astropy's last round is redone from the histogram."""
    stats = pytest.importorskip("astropy.stats")
    first, second = normal(30_000, 170, 10), normal(30_100, 170, 11)
    first.flat[::997] = 65535
    found = pair_histograms(first, second)
    images = (first.astype(np.float64), second.astype(np.float64), first.astype(np.float64) - second)
    for image, held in zip(images, (found.first, found.second, found.difference), strict=True):
        kept, low, high = stats.sigma_clip(image, sigma=3, maxiters=None, return_bounds=True, masked=True)
        mean, median, std = stats.sigma_clipped_stats(image, sigma=3, maxiters=None)
        inside = (held.levels >= low) & (held.levels <= high)
        part, at = held.counts[inside], held.levels[inside]
        assert part.sum() == kept.count()
        assert part @ at / part.sum() == pytest.approx(mean, rel=1e-12)
        assert np.sqrt(part @ (at - mean) ** 2 / part.sum()) == pytest.approx(std, rel=1e-9)
        assert Histogram(held.low, np.where(inside, held.counts, 0)).quantile(0.5) == median


@settings(max_examples=60)
@given(
    values=arrays.arrays(np.int32, st.integers(1, 40), elements=st.integers(-40, 40)),
    twice=st.integers(-30, 30),
    reach=st.integers(1, 50),
)
def test_a_centred_histogram_is_that_of_centred_pixels(
    values: NDArray[np.int32], twice: int, reach: int
) -> None:
    centred = np.clip(np.rint(values.astype(np.float32) - twice / 2), -reach, reach).astype(np.int32)
    same(centred_histogram(histogram(values), twice / 2, reach), histogram(centred))


def test_what_is_no_pair_is_refused() -> None:
    image = normal(10, 1, 0, (4, 5))
    for bad in (
        lambda: pair_histograms(image, image[:, :4]),
        lambda: pair_histograms(image, image.astype(np.int32)),
        lambda: pair_statistics(image, image, np.zeros((4, 4), bool)),
        lambda: pair_statistics(image, image, np.zeros(image.shape, np.uint8)),  # type: ignore[arg-type]
        lambda: pair_statistics(image, image, np.ones(image.shape, bool)),
        lambda: centred_histogram(Histogram(0, np.zeros(0, np.int64)), 0.0, 3),
    ):
        with pytest.raises(ValueError):
            bad()
