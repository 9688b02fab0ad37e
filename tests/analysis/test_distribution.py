"""Distributions: exact quantiles and clipped statistics against sorting the whole image."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.distribution import distribution
from analysis.statistics import clipped

FRACTIONS = [0.0, 0.0005, 0.16, 0.5, 0.94, 0.95, 0.9995, 1.0]


def images() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    noisy = rng.normal(1000.0, 5.0, (401, 503)).astype(np.float32)
    hot = noisy.copy()
    hot[rng.random(hot.shape) < 1e-3] += np.float32(1e6)
    lost = hot.copy()
    lost[::50, ::50], lost[1::50, ::50], lost[2::50, ::50] = np.nan, np.inf, -np.inf
    return {
        "noise": noisy,
        "outliers": hot,
        "not finite": lost,
        "steps": np.rint(noisy / 3.0).astype(np.float32),
        "one value": np.full((30, 40), 7.0, np.float32),
        "few": noisy[:5, :7],
        "one row": noisy[:1],
        "two levels": np.where(rng.random((60, 60)) < 0.2, 5.0, 3.0).astype(np.float32),
    }


@pytest.mark.parametrize("kind", images())
def test_quantiles_are_those_of_the_sorted_image(kind: str) -> None:
    image = images()[kind]
    finite = image[np.isfinite(image)].astype(np.float64)
    found = distribution(image)
    assert (found.n, found.size) == (finite.size, image.size)
    assert found.quantiles(FRACTIONS).tolist() == np.quantile(finite, FRACTIONS).tolist()


@pytest.mark.parametrize("sigma", [3.0, 5.0])
@pytest.mark.parametrize("kind", ["noise", "outliers", "not finite", "steps", "one value"])
def test_clipping_is_that_of_the_plain_twin(kind: str, sigma: float) -> None:
    """The start differs by a bin's width, which the rounds forget but for a value or two at the bounds."""
    image = images()[kind]
    found, plain = distribution(image).clipped(sigma), clipped(image, sigma)
    assert found.mean == pytest.approx(plain.mean, abs=1e-3 * plain.mean_error + 1e-9)
    assert found.std == pytest.approx(plain.std, abs=1e-2 * plain.std_error + 1e-9)
    assert found.median == plain.median and abs(found.n - plain.n) < 5 and found.n_total == plain.n_total


def test_a_histogram_counts_within_its_ends_and_what_lies_above() -> None:
    image = images()["outliers"]
    # edges that single precision holds exactly, so that no value may fall to the other side
    counts, above = distribution(image).histogram(980.0, 1020.0, 40)
    plain, _ = np.histogram(image[image < 1020.0], bins=40, range=(980.0, 1020.0))
    assert counts.tolist() == plain.tolist() and above == int((image >= 1020.0).sum())


def test_nothing_finite_has_no_quantiles() -> None:
    empty = distribution(np.full((4, 5), np.nan, np.float32))
    assert empty.n == 0
    with pytest.raises(ValueError, match="no finite values"):
        empty.quantiles([0.5])
