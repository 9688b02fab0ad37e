"""Simulated registers and traps: charge is moved and delayed, never made or lost; electronics remember as long as they are told."""

import numpy as np
import pytest

from builder.simulate.effects.deferred_charge import (
    exponential_release,
    local_offset,
    power_release,
    shifted_out,
    trapped,
    trapped_released,
)


def test_a_register_keeps_all_charge_and_delays_what_it_leaves_behind() -> None:
    rng = np.random.default_rng(1)
    charge = rng.uniform(0, 1000, (3, 60))
    out = shifted_out(charge, 1e-3, 30)
    assert out.shape == (3, 90)
    assert out.sum(axis=1) == pytest.approx(charge.sum(axis=1), rel=1e-9)
    assert (shifted_out(charge, 0.0, 30)[:, :60] == charge).all()
    one = shifted_out(np.eye(1, 60, 59), 1e-3, 30)[0]  # a packet in the last element
    assert one[59] == pytest.approx((1 - 1e-3) ** 60)
    assert one[60] == pytest.approx(
        60 * 1e-3 * (1 - 1e-3) ** 60
    )  # it has one more transfer to lose another electron


def test_a_trap_fills_and_empties() -> None:
    charge = np.zeros((1, 200))
    charge[0, :100] = 1000.0
    out = trapped(charge, 50.0, 0.1, 3.0)[0]
    assert out.sum() == pytest.approx(charge.sum(), rel=1e-9)
    assert out[0] == 950.0 and out[50] == pytest.approx(1000.0)
    behind = 50.0 * (np.exp(1 / 3) - 1) * np.exp(-np.arange(1, 11) / 3)
    assert out[100:110] == pytest.approx(behind)
    faint = trapped(charge * 0.1, 50.0, 0.1, 3.0)[0]
    assert faint[0] == 90.0  # a packet of 100 gives a tenth of it


@pytest.mark.parametrize("law", [exponential_release(2.0), power_release(1.5)])
def test_what_traps_take_comes_back_by_their_law(law: object) -> None:
    charge = np.zeros((1, 400))
    charge[0, 0] = 1000.0
    out = trapped_released(charge, 0.01, law, 399)[0]  # type: ignore[arg-type]
    held = law(np.arange(400.0))  # type: ignore[operator]
    assert out[0] == pytest.approx(990.0)
    assert out[1:] == pytest.approx(10.0 * (held[:-1] - held[1:]))
    assert out.sum() + 10.0 * held[-1] == pytest.approx(1000.0)


def test_electronics_remember_what_was_read() -> None:
    levels = np.zeros((1, 30))
    levels[0, :10] = 1000.0
    out = local_offset(levels, 1e-3, 2.0)[0]
    assert out[0] == 1000.0
    assert out[10:15] == pytest.approx(np.exp(-np.arange(1, 6) / 2))
