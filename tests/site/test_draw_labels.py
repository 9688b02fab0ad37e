"""What a plot says in words: ticks keep their digits, lines that stand together share a label, channels head the legend."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from analysis.figures import Mark, Panel, Plot, Series
from builder.draw import draw, series_label, series_meaning

X = np.arange(1.0, 9.0)


def texts(plot: Plot) -> list[str]:
    """All words of the light picture, in order."""
    nodes = ElementTree.fromstring(draw(plot).light).iter("{http://www.w3.org/2000/svg}text")
    return [t.text or "" for t in nodes]


def test_ticks_keep_the_digits_that_tell_them_apart() -> None:
    small = Plot((Panel("exposure", "offset [ADU]", (Series(X, 0.001 * X, "level", "E"),)),))
    ticks = [t for t in texts(small) if t.startswith("0.00")]
    assert len(ticks) > 3 and len(set(ticks)) == len(ticks)


def test_counted_things_have_whole_ticks() -> None:
    few = Plot(
        (Panel("exposure", "offset [ADU]", (Series([1201.0, 1202.0, 1203.0], [1.0, 3.0, 2.0], "level"),)),)
    )
    assert {"1201", "1202", "1203"} <= set(texts(few))
    assert not [t for t in texts(few) if t.startswith("120") and "." in t]


@pytest.mark.parametrize(
    ("channel", "label", "legend", "meaning"),
    [
        ("E", "E, left out", "E, left out", "left out"),
        ("E", "E: fit", "E: fit", "fit"),
        ("E", "E", "E", ""),
        ("E", "Exposure", "E Exposure", "Exposure"),
        ("E", "", "E", ""),
        (None, "normal", "normal", "normal"),
    ],
)
def test_a_channel_is_named_once(channel: str | None, label: str, legend: str, meaning: str) -> None:
    series = Series(X, X, label, channel)
    assert series_label(series) == legend
    assert series_meaning(series) == meaning


def test_the_legend_names_channels_once_however_many_series_they_have() -> None:
    series = [Series(X, g * X, what, c) for c, g in (("E", 1.0), ("F", 1.1)) for what in (c, f"{c}, fit")]
    found = texts(Plot((Panel("signal", "variance", tuple(series)),)))
    assert found.count("E") == 1 and found.count("F") == 1
    assert [t for t in found if "fit" in t] == ["fit"]  # of all channels, once


def test_lines_that_stand_together_share_a_label() -> None:
    marks = (Mark("F turnoff", x=7.01), Mark("E turnoff", x=7.0), Mark("limit", x=2.0))
    found = texts(Plot((Panel("signal", "variance", (Series(X, X, "points"),), marks),)))
    assert "E, F turnoff" in found and "limit" in found
    assert "E turnoff" not in found
