"""Axes that can be read: ticks with their numbers, no text over another or outside, limits that poor points do not rule."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest

from analysis.figures import ImageMap, Mark, Panel, Plot, Series
from builder.draw import draw
from builder.draw_axes import even_ticks, log_ticks, place_range, text_width, value_range, wrapped
from builder.draw_image import without_columns

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float, str]


def texts_of(figure: Plot | ImageMap) -> set[str]:
    picture = draw(figure).light.decode()
    return set(re.findall(r"<text[^>]*>([^<]*)</text>", picture))


def boxes(figure: Plot | ImageMap) -> tuple[list[Box], float, float]:
    """Where each text of the drawn figure lies (left, right, top, foot, text) [pt], upright or turned, and the size of the figure."""
    root = ElementTree.fromstring(draw(figure).light)
    out: list[Box] = []
    for node in root.iter(f"{SVG}text"):
        text, style = node.text or "", node.attrib.get("style", "")
        size = float(re.search(r"([\d.]+)px", style)[1])  # type: ignore[index]
        where = node.attrib.get("transform", "")
        turn = float(m[1]) if (m := re.search(r"rotate\((-?[\d.]+)", where)) else 0.0
        x, y = (float(v) for v in re.search(r"translate\((-?[\d.]+)[ ,]+(-?[\d.]+)\)", where).groups()) if "translate" in where else (float(node.attrib["x"]), float(node.attrib["y"]))  # type: ignore[union-attr]  # fmt: skip
        wide = 72.0 * text_width(text, size)
        start = {"middle": -0.5, "end": -1.0}.get((re.search(r"text-anchor: (\w+)", style) or ["", ""])[1], 0.0) * wide  # fmt: skip
        if abs(turn) > 45:  # reads upwards
            out.append((x - 0.75 * size, x + 0.1 * size, y - start - wide, y - start, text))
        else:
            out.append((x + start, x + start + wide, y - 0.75 * size, y + 0.1 * size, text))
    return out, float(root.attrib["width"][:-2]), float(root.attrib["height"][:-2])


def unreadable(figure: Plot | ImageMap) -> list[str]:
    """Texts of a figure that lie over another, or reach outside."""
    found, width, height = boxes(figure)
    bad = [t for left, right, top, foot, t in found if t and (left < -1 or right > width + 1 or top < -1 or foot > height + 1)]  # fmt: skip
    for a, b in combinations([f for f in found if f[4]], 2):
        if min(a[1], b[1]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[2], b[2]) > 0.5:
            bad.append(f"{a[4]} | {b[4]}")
    return bad


def frame(plot: Plot) -> tuple[float, float]:
    """Left and top of the (last) axes frame [pt]."""
    x, y = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"', draw(plot).light.decode())[-1]
    return float(x), float(y)


def markers(plot: Plot) -> list[tuple[float, float]]:
    """Where the markers of the series are [pt], those of the legend left out."""
    held = re.findall(r'<g clip-path="[^"]*">(.*?)</g>', draw(plot).light.decode(), re.S)
    return [
        (float(x), float(y)) for g in held for x, y in re.findall(r'<use [^>]*?x="([\d.]+)" y="([\d.]+)"', g)
    ]


def channels(x: np.ndarray, scale: float = 1.0, **more: str) -> tuple[Series, ...]:
    return tuple(Series(x, scale * (n + 1) * x, c, c, yerr=0.1 * scale * x) for n, c in enumerate("EFGH"))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(18670.0, 18740.0, {"18680", "18740"}), (2.0, 9.0, {"2", "8"}), (3.0, 30000.0, {"10", "1000", "10000"})],
)
def test_logarithmic_axis_has_its_numbers(low: float, high: float, ticks: set[str]) -> None:
    series = Series([1.0, 2.0, 3.0], [low, (low + high) / 2, high])
    assert ticks <= texts_of(Plot((Panel("exposure", "level [ADU]", (series,), yscale="log"),)))


@pytest.mark.parametrize("low", [1.0, 2.1, 3.3, 7.0])
@pytest.mark.parametrize("decades", [0.05, 0.3, 0.9, 1.1, 1.6, 2.4, 3.5, 6.0, 14.0])
@pytest.mark.parametrize(("name", "room"), [("x", 3.2), ("x", 4.8), ("y", 1.8), ("y", 2.5)])
def test_every_logarithmic_axis_has_three_numbers_apart(
    low: float, decades: float, name: str, room: float
) -> None:
    high = low * 10**decades
    found = log_ticks(low, high, room, name)
    assert len(found) >= 3
    assert all(low <= v <= high for v, _ in found)
    at = [room * np.log10(v / low) / decades for v, _ in found]
    half = [0.5 * text_width(t) if name == "x" else 0.07 for _, t in found]
    assert all(b - a > p + q for a, b, p, q in zip(at, at[1:], half, half[1:], strict=False))


@pytest.mark.parametrize(("low", "high"), [(15004.1, 15005.4), (-2e-6, 1e-6), (0.0, 6.5e8), (1201.0, 1203.0)])
def test_even_ticks_have_room(low: float, high: float) -> None:
    for room in (2.0, 3.2, 4.8):
        found = even_ticks(low, high, room, "x")
        assert len(found) >= 2 and len({t for _, t in found}) == len(found)
        assert sum(text_width(t) for _, t in found) < room


def test_long_labels_and_many_panels_do_not_meet() -> None:
    x = np.linspace(100.0, 45000.0, 9)
    label = "covariance of neighbours in the same row, over the level [ADU]"
    panels = tuple(
        Panel(
            "last image pixel above offset, of the same row [ADU]", label, channels(x, 1e-9), title=f"lag {n}"
        )
        for n in range(4)
    )
    for columns in (1, 2):
        assert unreadable(Plot(panels, columns=columns)) == []


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e7])
@pytest.mark.parametrize("logarithmic", [True, False])
def test_text_stays_within_the_figure_whatever_the_numbers(scale: float, logarithmic: bool) -> None:
    x = np.geomspace(150.0, 60000.0, 12)
    panel = Panel("level [ADU]", "variance [ADU²]", channels(x, scale), (Mark("E turnoff", x=4e4), Mark("F turnoff", x=4.05e4)),
        xscale="log" if logarithmic else "linear", yscale="log" if logarithmic else "linear")  # fmt: skip
    assert unreadable(Plot((panel,))) == []


def test_lines_at_one_height_share_a_label() -> None:
    marks = tuple(Mark(f"{c}: within the mask", y=25.0 + 0.05 * n) for n, c in enumerate("EFGH"))
    plot = Plot((Panel("level [ADU]", "residual [ADU]", channels(np.arange(1.0, 7.0)), marks),))
    assert "E, F, G, H within the mask" in texts_of(plot)
    assert unreadable(plot) == []


def test_poor_points_do_not_rule_an_axis() -> None:
    x = np.arange(10.0)
    y, e = np.cos(x), np.full(10, 0.3)
    e[7] = 18000.0
    low, high = value_range(Panel("time [h]", "gain less its mean [%]", (Series(x, y, "E", "E", e),)))
    assert -3.0 < low < -1.3 and 1.3 < high < 3.0
    far = y.copy()
    far[7] = 900.0  # drawn at the edge, as a triangle
    plot = Plot((Panel("time [h]", "gain less its mean [%]", (Series(x, far, "E", "E", e),)),))
    assert not [t for t in texts_of(plot) if re.fullmatch(r"\d{3,}", t)]
    _, top = frame(plot)
    assert re.search(
        rf'<use [^>]*y="{top:g}" style="fill: #ffffff; stroke: #0b62b0', draw(plot).light.decode()
    )


def test_a_point_far_off_with_a_small_error_is_shown() -> None:
    y = np.array([1.0, 1.1, 0.9, 60.0])
    _, high = value_range(
        Panel("exposure", "noise [ADU]", (Series(np.arange(4.0), y, "E", "E", 0.1 * np.ones(4)),))
    )
    assert high > 60.0


def test_a_line_far_away_is_told_at_the_edge() -> None:
    near = Series([1.0, 2.0], [2000.0, 2100.0], "E", "E")
    plot = Plot((Panel("exposure", "level [ADU]", (near,), (Mark("saturation", y=65535.0),)),))
    assert value_range(plot.panels[0])[1] < 2200.0
    assert "↑ saturation" in texts_of(plot)


def test_what_stands_at_one_place_is_set_side_by_side() -> None:
    series = tuple(Series([15005.0 + 0.1 * n], [1.0], c, c, [0.1]) for n, c in enumerate("EFGH"))
    panel = Panel("level [ADU]", "PRNU [%]", series)
    low, high = place_range(panel)
    assert high - low > 100.0
    assert "15005" in texts_of(Plot((panel,)))
    at = np.unique([x for x, _ in markers(Plot((panel,)))])
    assert len(at) == 4 and min(np.diff(at)) > 10


def test_the_legend_hides_no_point() -> None:
    x = np.linspace(0.0, 1.0, 400)
    rng = np.random.default_rng(5)
    names = [f"a level of {n}0000 ADU" for n in range(1, 6)]
    panel = Panel("column", "level", tuple(Series(x, rng.random(400), n) for n in names), title="E")
    found, _, _ = boxes(Plot((panel,)))
    foot = max(f for _, _, _, f, t in found if t in names)
    assert len(markers(Plot((panel,)))) >= 2000
    assert min(y for _, y in markers(Plot((panel,)))) > foot


def test_names_on_an_axis_are_all_there() -> None:
    names = (
        "hot",
        "warm",
        "dark",
        "dead",
        "non-linear",
        "unstable",
        "column",
        "cluster",
        "saturated",
        "no-value",
    )
    series = tuple(Series(np.arange(10.0), np.geomspace(1e-4, 1.0, 10), c, c) for c in "EF")
    plot = Plot((Panel("class", "area [%]", series, yscale="log", xnames=names),))
    assert set(names) <= texts_of(plot)
    assert unreadable(plot) == []


def test_an_image_names_its_cells_and_corners() -> None:
    matrix = ImageMap(
        np.kron(np.arange(4.0).reshape(2, 2), np.ones((24, 24))), "coefficient [10⁻⁶]", xlabel="bright", ylabel="listens",
        xnames=("E", "F"), ynames=("G", "H"),
    )  # fmt: skip
    assert {"bright", "listens", "E", "F", "G", "H"} <= texts_of(matrix)
    assert unreadable(matrix) == []
    image = ImageMap(1e-7 * np.random.default_rng(3).random((60, 80)), "kernel [pixel²/e⁻]",
        outlines=(("E", 0, 60, 0, 40), ("F", 0, 60, 40, 80)), corners=("lower-left", "upper-right"))  # fmt: skip
    found, width, height = boxes(image)
    at = {
        t: (0.5 * (left + right) / width, 0.5 * (top + foot) / height) for left, right, top, foot, t in found
    }
    assert at["E"][0] < 0.35 and at["E"][1] > 0.6  # in the corners, not in the middle
    assert at["F"][0] > 0.5 and at["F"][1] < 0.25
    assert unreadable(image) == []


def test_lines_of_channels_differ_in_more_than_colour() -> None:
    x = np.linspace(0.0, 60.0, 61)
    series = tuple(Series(x, n + x, c, c, style="line") for n, c in enumerate("EF"))
    picture = draw(Plot((Panel("row", "level [ADU]", series),))).light.decode()
    assert len(set(re.findall(r'xlink:href="#(m\w+)"[^>]*fill: #(?:0b62b0|b84700)', picture))) == 2


def test_levels_do_not_wear_channels_colours() -> None:
    series = tuple(Series([1.0, 2.0], [n + 1.0, n + 2.0], f"{n + 1}000 ADU") for n in range(3))
    picture = draw(Plot((Panel("column", "level", series, title="E"),))).light.decode()
    assert not re.search("#0b62b0|#b84700|#00775a", picture)


def test_wrapping_halves_a_label() -> None:
    label = "covariance of neighbours in a row, over level [ADU]"
    lines = wrapped(label, 2.0).split("\n")
    assert " ".join(lines) == label and len(lines) == 2
    assert max(map(text_width, lines)) < 0.65 * text_width(label)
    assert wrapped("gain", 2.0) == "gain"


def test_a_bad_column_is_told_by_its_ends() -> None:
    column = [(float(y), 30.0) for y in range(60)]
    image = ImageMap(np.ones((60, 80)), "response", outlines=(("E", 0, 60, 0, 40), ("F", 0, 60, 40, 80)), points=((5.0, 6.0), *column, (9.0, 50.0)))  # fmt: skip
    points, ends = without_columns(image)
    assert points.tolist() == [[5.0, 6.0], [9.0, 50.0]]
    assert ends == [(30.0, 0.0, 60.0)]
    assert draw(image).light.count(b"#ff3b30") < 20
    half = replace(image, points=tuple(column[:29]))
    assert len(without_columns(half)[0]) == 29 and without_columns(half)[1] == []


def test_values_that_an_axis_cannot_hold_do_not_stretch_the_other() -> None:
    counts = np.where(np.arange(100) < 40, 50.0, 0.0)  # an empty tail, on a logarithmic ordinate
    panel = Panel("rate [ADU/s]", "pixels", (Series(np.arange(100.0), counts, "E", "E", style="step"),), yscale="log")  # fmt: skip
    assert place_range(panel)[1] < 45.0
    assert place_range(replace(panel, yscale="linear"))[1] > 99.0
