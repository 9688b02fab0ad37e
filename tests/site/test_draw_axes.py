"""Axes that can be read, also where the values span little."""

from __future__ import annotations

import re

import pytest

from analysis.figures import Panel, Plot, Series
from builder.draw import draw


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(18670.0, 18740.0, {"18680", "18740"}), (2.0, 9.0, {"2", "8"}), (3.0, 30000.0, {"10", "1000", "10000"})],
)
def test_logarithmic_axis_has_its_numbers(low: float, high: float, ticks: set[str]) -> None:
    series = Series([1.0, 2.0, 3.0], [low, (low + high) / 2, high])
    picture = draw(Plot((Panel("exposure", "level [ADU]", (series,), yscale="log"),))).light.decode()
    assert ticks <= set(re.findall(r"<text[^>]*>([^<]*)</text>", picture))
