"""Trends against the truth they were simulated with: steps and drifts where there are none, and where there are.

The larger run, by length and with red noise, and the table of penalties: ``python -m bench.bench_trends``.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.bench_trends import false_alarms, found, slope_pulls

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("noise", ["white", "Student, 5 degrees", "unequal errors"])
def test_series_without_steps_have_none_in_99_of_100(noise: str) -> None:
    """1,000 series of 10 to 1,000 points; drifts are a second question, of 0.27 % chance."""
    steps, drifts = false_alarms(noise, 1000, seed=1)
    assert steps <= 10
    assert drifts <= 10


@pytest.mark.parametrize("noise", ["white", "unequal errors"])
def test_steps_of_three_sigma_that_last_five_points_are_found(noise: str) -> None:
    """Steps anywhere from the fifth point to the fifth from the end, of series of 10 to 1,000 points."""
    tally = found(noise, 300, seed=2)
    assert tally.steps == 300
    assert tally.found >= 0.95 * tally.steps
    assert tally.near >= 0.9 * tally.found
    assert tally.covered >= 0.93 * tally.found
    assert tally.more <= 0.02 * tally.steps
    assert 0.9 < np.std(tally.pulls) < 1.15 and abs(np.mean(tally.pulls)) < 0.2


def test_excursions_of_three_sigma_are_found_on_both_sides() -> None:
    """Going back after 5 to 50 points, which costs two steps: from a hundred points on."""
    tally = found("white", 150, seed=3, pulse=True, low=100)
    assert tally.found >= 0.95 * tally.steps
    assert tally.near >= 0.9 * tally.found


@pytest.mark.parametrize("noise", ["white", "Student, 5 degrees", "understated errors"])
def test_slopes_are_as_uncertain_as_they_say(noise: str) -> None:
    told, pulls = slope_pulls(noise, 200, seed=4)
    assert told >= 0.9 * 200
    assert 0.9 < pulls.std() < 1.1 and abs(pulls.mean()) < 0.2
