"""What dark frames tell beyond the dark current: the distribution of rates, warm pixels, glow, leaks, temperature."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.contract import ContractError, ImageProduct
from analysis.dark import PROCEDURE
from analysis.dark.master import clipping_factor
from analysis.dark.temperature import Rates, law_of
from analysis.in_memory import measured, value
from analysis.masks import BITS
from bench.truth.of_dark import COLUMNS, EQUAL, GAIN, ROWS, given
from builder.simulate.effects.glow import amplifier_glow, arrhenius


def test_the_upper_quantile_does_not_depend_on_the_number_of_frames() -> None:
    """Of rate and noise together it did: pixels of one rate differed by what their noise differed by."""
    for frames in (3, 8):
        rng = np.random.default_rng([1, frames])
        maps = [rng.normal(0.3, 0.04, (ROWS, COLUMNS)) for _ in range(4)]
        results = measured(PROCEDURE, given(rng, EQUAL[:1] * frames, lambda i, t, m=maps: m))  # type: ignore[misc]
        for name, one in zip("EFGH", maps, strict=True):
            m = value(results, "dark_current_95", name)
            assert m.value is not None and m.uncertainty is not None
            assert abs(m.value - np.quantile(one, 0.95) / GAIN) < 5 * m.uncertainty


def test_equal_pixels_have_no_upper_tail() -> None:
    rng = np.random.default_rng(2)
    m = value(measured(PROCEDURE, given(rng, EQUAL, lambda i, t: [0.1] * 4)), "dark_current_95", "E")
    assert m.value is not None and m.uncertainty is not None
    assert abs(m.value - 0.1 / GAIN) < 4 * m.uncertainty
    one = value(measured(PROCEDURE, given(rng, EQUAL[:1], lambda i, t: [0.1] * 4)), "dark_current_95", "E")
    assert one.reason == "too-few-frames"


def test_clipping_a_mean_costs_a_few_per_cent() -> None:
    """Asymptotically a mean clipped at 3 σ has the variance 1 / (P − 2 k φ(k)) = 1.030 of a mean."""
    assert 1.0 < clipping_factor(20, 3.0) < 1.03
    assert clipping_factor(2, 5.0) < 1.01


def test_warm_and_hot_pixels_are_told_apart_and_masked_by_the_common_bits() -> None:
    rng = np.random.default_rng(3)
    rates = np.full((ROWS, COLUMNS), 0.1)
    rates[10, 5:15] += 5.0
    rates[20, 5:25] += 0.13
    results = measured(PROCEDURE, given(rng, EQUAL, lambda i, t: [rates] * 4))
    assert value(results, "hot_pixels", "H").value == 10
    warm = value(results, "warm_pixels", "H").value
    assert warm is not None and 17 <= warm <= 22
    mask = results.products["dark_mask"]
    assert isinstance(mask, ImageProduct)
    found = mask.planes["H"]
    assert (found[10, 5:15] == BITS["hot"]).all()
    assert np.count_nonzero(found & BITS["warm"]) == warm


def test_a_saturated_pixel_is_masked_as_such() -> None:
    rng = np.random.default_rng(4)
    rates = np.full((ROWS, COLUMNS), 0.1)
    rates[30, 40] = 2e5 / EQUAL[0]
    results = measured(PROCEDURE, given(rng, EQUAL, lambda i, t: [rates] * 4))
    mask = results.products["dark_mask"]
    assert isinstance(mask, ImageProduct)
    assert int(mask.planes["H"][30, 40]) & BITS["saturated"]
    assert np.count_nonzero(mask.planes["H"] & BITS["saturated"]) == 1


def test_glow_is_told_at_the_corner_that_is_read_first() -> None:
    rng = np.random.default_rng(5)
    glowing = 0.05 + amplifier_glow((ROWS, COLUMNS), 0.5, 20.0)
    results = measured(PROCEDURE, given(rng, EQUAL, lambda i, t: [glowing] * 4))
    for name in "EFGH":
        m = value(results, "glow", name)
        assert m.value is not None and m.uncertainty is not None and m.value > 20 * m.uncertainty
    even = measured(PROCEDURE, given(rng, EQUAL, lambda i, t: [0.05] * 4))
    assert "consistent-with-zero" in value(even, "glow", "E").flags


@pytest.mark.parametrize("estimator", ["slope", "single", "stacked"])
def test_estimators_agree_on_clean_frames(estimator: str) -> None:
    rng = np.random.default_rng(6)
    times = (50.0, 100.0, 150.0, 200.0, 200.0)
    results = measured(PROCEDURE, given(rng, times, lambda i, t: [0.2] * 4, estimator=estimator))
    for name in "EFGH":
        m = value(results, "dark_current", name)
        assert m.value is not None and m.uncertainty is not None
        assert abs(m.value - 0.2 / GAIN) < 4.5 * m.uncertainty


def test_an_estimator_that_there_is_not_is_refused() -> None:
    with pytest.raises(ContractError, match="estimator"):
        measured(PROCEDURE, given(np.random.default_rng(7), EQUAL, lambda i, t: [0.2] * 4, estimator="guess"))


def test_a_steady_level_is_no_leak_and_one_that_grows_is() -> None:
    rng = np.random.default_rng(8)
    steady = value(
        measured(PROCEDURE, given(rng, EQUAL, lambda i, t: [0.2] * 4, interval=900.0)), "light_leak", "E"
    )
    assert "consistent-with-zero" in steady.flags
    growing = value(
        measured(PROCEDURE, given(rng, EQUAL, lambda i, t: [0.2 + 0.05 * i] * 4, interval=900.0)),
        "light_leak",
        "E",
    )
    assert growing.value is not None and growing.uncertainty is not None
    assert abs(growing.value - 0.05 / GAIN * 4.0) < 4.5 * growing.uncertainty
    assert "unstable" in growing.flags
    few = value(
        measured(PROCEDURE, given(rng, (50.0, 100.0, 200.0), lambda i, t: [0.2] * 4)), "light_leak", "E"
    )
    assert few.reason == "too-few-frames"


def test_one_temperature_tells_no_law_and_two_do() -> None:
    rng = np.random.default_rng(9)
    one = measured(PROCEDURE, given(rng, EQUAL, lambda i, t: [0.2] * 4))
    assert value(one, "activation_energy", "E").reason == "not-varied"
    assert "within 0 °C" in value(one, "activation_energy", "E").note
    two = measured(
        PROCEDURE,
        given(
            rng,
            EQUAL[:1] * 4,
            lambda i, t: [arrhenius(t, -10.0, 0.3, 0.55)] * 4,
            temperatures=(-20.0, -20.0, -5.0, -5.0),
        ),
    )
    energy, doubling = value(two, "activation_energy", "E"), value(two, "doubling", "E")
    assert energy.value is not None and energy.uncertainty is not None
    assert abs(energy.value - 0.55) < 4.5 * energy.uncertainty
    assert "few-levels" in energy.flags
    assert doubling.value == pytest.approx(8.617e-5 * 260.65**2 * np.log(2) / energy.value, rel=0.01)


def test_a_law_is_exact_without_noise_and_none_where_nothing_grows() -> None:
    at = np.array([-30.0, -20.0, -10.0, 0.0])
    rates = np.array([arrhenius(t, -10.0, 2.0, 0.6) for t in at])
    law = law_of(Rates(at, rates, 0.01 * rates))
    assert law is not None and law.energy == pytest.approx(0.6, rel=1e-6)
    assert law_of(Rates(at, rates[::-1].copy(), 0.01 * rates)) is None
    assert law_of(Rates(at, np.array([-1.0, 0.0, 0.0, 1.0]), np.ones(4))) is None
