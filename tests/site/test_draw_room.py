"""Small multiples: what panels of one kind share is said once, each has its own place, and all of it can be read."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from test_draw_axes import boxes, unreadable

from analysis.figures import Mark, Panel, Plot, Series, binned, small_multiples
from builder.draw import draw
from builder.draw_axes import even_ticks, text_width
from builder.draw_room import TALL

RNG = np.random.default_rng(7)
X = np.arange(200.0)


def histogram(name: str, scale: float = 1.0, setting: str = "") -> Panel:
    counts = np.round(1000 * scale * np.exp(-0.5 * ((X - 100) / 15) ** 2))
    series = (
        Series(X, counts, "pixels", name, style="step"),
        Series(X, counts + 0.2, "normal", style="line"),
    )
    marks = (Mark("dark", x=40.0), Mark("bright", x=160.0))
    return Panel(
        "response over that of the pixels around",
        "pixels",
        series,
        marks,
        f"{name} {setting}".strip(),
        yscale="log",
    )


def profile(name: str, where: str) -> Panel:
    return Panel(
        where,
        f"{where} less mean [ADU]",
        (Series(X, RNG.normal(size=200), name, name, style="line"),),
        title=name,
    )


def frames_of(plot: Plot) -> list[tuple[float, float, float, float]]:
    """Left, top, right and foot of the axes of each panel [pt]."""
    picture = draw(plot).light.decode()
    found = re.findall(
        r'<g id="patch_\d+">\s*<path d="M ([\d.]+) ([\d.]+) \s*L ([\d.]+) [\d.]+ \s*L [\d.]+ ([\d.]+) ',
        picture,
    )
    return [(float(x0), float(y1), float(x1), float(y0)) for x0, y0, x1, y1 in found][
        1:
    ]  # the first is the paper


@pytest.mark.parametrize("channels", ["EFG", "EFGH", "ABCDE"])
def test_small_multiples_can_be_read(channels: str) -> None:
    plot = small_multiples(
        [histogram(c, 10.0**n) for n, c in enumerate(channels[:4])] + [histogram(c) for c in channels[4:]]
    )
    assert unreadable(plot) == []
    two = small_multiples(*([profile(c, where) for c in channels] for where in ("row", "column")))
    assert unreadable(two) == []
    long = small_multiples(
        *([histogram(c, setting=f"wavelength=800, exptime={t}") for c in channels] for t in (0.875, 2.625))
    )
    assert unreadable(long) == []


@pytest.mark.parametrize("top", [0.0163, 0.0171, 0.93, 5200.0, 61000.0, 1.0316])
def test_numbers_below_narrow_panels_do_not_touch(top: float) -> None:
    for room in (1.3, 1.5, 1.7):
        low, high = -0.2 * top, top
        at = [
            (room * (v - low) / (high - low), 0.5 * text_width(t))
            for v, t in even_ticks(low, high, room, "x")
        ]
        assert len(at) >= 2
        assert all(b - a >= p + q + 0.09 for (a, p), (b, q) in pairwise(at))  # inches, a digit between


def test_what_panels_share_is_said_once() -> None:
    plot = small_multiples(*([histogram(c, setting=f"exptime={t}") for c in "EFGH"] for t in (1, 2, 3)))
    said = [text for *_, text in boxes(plot)[0]]
    assert said.count("pixels") == 3 + 1  # of each line, and in the one legend
    assert sum("response" in text for text in said) == 4  # below the lowest of each column
    assert draw(plot).height < 6 * 96  # six lines of two panels took 16 inches


def test_panels_of_a_line_have_one_ordinate_and_places_of_their_own() -> None:
    plot = small_multiples([histogram(c, 10.0**n) for n, c in enumerate("EFGH")])
    frames = [f for f in frames_of(plot) if f[2] - f[0] > 80]
    assert len({round(f[1]) for f in frames}) == 1 and len({round(f[3]) for f in frames}) == 1
    lefts = sorted({round(f[0]) for f in frames})
    assert len(lefts) == 4
    steps = np.diff(lefts)
    assert steps.max() - steps.min() <= 1 and max(f[2] - f[0] for f in frames) < steps.min()
    # decades stand at one height in all panels: so only the first names them
    names = [t for *_, t in boxes(plot)[0]]
    decades = [t for t in ("1", "10", "1000", "10⁵", "10⁶", "10⁷", "10⁸") if t in names]
    assert len(decades) >= 2 and all(names.count(t) == 1 for t in decades)


@pytest.mark.parametrize("reach", [0.11, 0.13, 0.15, 0.19, 0.45, 0.9, 1.3, 1.9, 4.9, 7.0])
def test_a_low_frame_has_two_numbers_at_least(reach: float) -> None:
    for low, high in ((-reach, reach), (-0.9 * reach, reach), (0.99 * reach, 1.37 * reach)):
        ticks = even_ticks(low, high, TALL, "y")
        assert len(ticks) >= 2 and all(low <= v <= high for v, _ in ticks)
        steps = np.diff([v for v, _ in ticks]) / (high - low) * TALL
        assert steps.min() > 0.15  # inches: a line of text


def test_each_row_of_panels_begins_at_the_left() -> None:
    plot = small_multiples(*([profile(c, where) for c in "ABCDE"] for where in ("row", "column")))
    assert plot.columns == 3
    assert [p.xlabel for p in plot.panels] == ["row"] * 5 + [""] + ["column"] * 5 + [""]
    drawn = draw(plot)
    assert "against ;" not in drawn.alt and drawn.script.count('"title"') == 10
    assert draw(small_multiples([profile("A", "row"), profile("B", "row")])).width == 806


def test_binned_means_keep_the_sum_and_lower_the_noise() -> None:
    values = RNG.normal(5.0, 1.0, 2048)
    places, means = binned(values, 200, first=4.0)
    wide = 11
    assert places.size == means.size <= 200 and places[0] == 4.0 + 5.0
    assert np.sum(means[:-1] * wide) + means[-1] * (2048 % wide) == pytest.approx(values.sum(), rel=1e-12)
    assert np.std(means[:-1]) == pytest.approx(1 / np.sqrt(wide), rel=5 / np.sqrt(2 * means.size))
    values[22:33] = np.nan
    values[44] = np.nan
    _, means = binned(values, 200)
    assert np.isnan(means[2]) and means[4] == pytest.approx(np.nanmean(values[44:55]))
    assert (
        np.array_equal(binned(values[:150], 200)[1][:22], values[:22]) and binned(np.zeros(0), 5)[1].size == 0
    )
