"""Figures: the same bytes each time, nothing lost in the data, colours that all readers can tell apart."""

from __future__ import annotations

import csv
import json
import re
from io import BytesIO, StringIO
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.figures import ImageMap, Mark, Panel, Plot, Series
from builder import draw as drawing
from builder.draw import CHANNELS, CHANNELS_DARK, DARK, channel_index, draw
from builder.draw_image import binned, limits
from builder.draw_plot import thinned
from builder.preview import preview
from campaign.geometry import Channel, Region, quadrants
from campaign.model import Detector

STYLES = Path(__file__).parents[2] / "site_src" / "_static" / "calbook.css"
RNG = np.random.default_rng(20150914)


def transfer(*channels: str) -> Plot:
    x = np.linspace(500.0, 60000.0, 12)
    series = tuple(
        s
        for n, c in enumerate(channels)
        for s in (
            Series(x, x / (3.3 + 0.1 * n), "measured", c, yerr=0.01 * x),
            Series(x, x / 3.4, "fit", c, style="line"),
        )
    )
    return Plot((Panel("signal [ADU]", "variance [ADU²]", series, (Mark("L-12", y=16000.0),), "CCD1"),))


def image(shape: tuple[int, int] = (100, 80)) -> ImageMap:
    return ImageMap(
        np.arange(np.prod(shape), dtype=np.float64).reshape(shape), "offset [ADU]",
        outlines=(("E", 0, 50, 0, 40),), points=((10.0, 20.0),),
    )  # fmt: skip


@pytest.mark.parametrize("figure", [transfer("E", "F"), image(), Plot(())], ids=["plot", "image", "empty"])
def test_bytes_depend_on_the_figure_alone(figure: Plot | ImageMap) -> None:
    first, second = draw(figure), draw(figure)
    assert first == second
    for picture in (first.light, first.dark):
        root = ElementTree.fromstring(picture)
        assert root.tag.endswith("svg")
        assert b"<metadata" not in picture and b"dc:date" not in picture


def test_the_dark_picture_differs_in_colours_alone() -> None:
    drawn = draw(transfer("E", "F", "G", "H"))
    back = {dark: light for light, dark in DARK.items()}
    assert re.sub("|".join(back), lambda m: back[m[0]], drawn.dark.decode()) == drawn.light.decode()
    assert drawn.dark != drawn.light


def test_hostile_and_mathematical_text_is_only_text() -> None:
    panel = Panel("<script>x</script> $\\frac", "a & b", (Series([1, 2], [3, 4], "$_{", "E"),), title="]]>")
    drawn = draw(Plot((panel,)))
    texts = [t.text for t in ElementTree.fromstring(drawn.light).iter("{http://www.w3.org/2000/svg}text")]
    assert "<script>x</script> $\\frac" in texts
    assert "<script" not in drawn.script
    assert "\\u003cscript" in drawn.script


def test_the_data_hold_every_value() -> None:
    y = RNG.normal(1000.0, 3.0, 30000)
    y[7] = np.nan
    drawn = draw(Plot((Panel("row", "level [ADU]", (Series(np.arange(30000), y, "level", "E"),)),)))
    rows = list(csv.DictReader(StringIO(drawn.csv)))
    assert len(rows) == 30000
    assert rows[7]["y"] == ""
    kept = [float(r["y"]) for r in rows if r["y"]]
    np.testing.assert_array_equal(kept, y[np.isfinite(y)])
    assert drawn.script == ""  # too many for a browser
    assert len(drawn.light) < 400_000


def test_thinning_keeps_the_extremes() -> None:
    y = RNG.normal(0.0, 1.0, 100_000)
    y[54_321] = 50.0
    y[12_345] = np.nan
    keep = thinned(y)
    assert len(keep) <= 4000
    assert 54_321 in keep
    assert y[keep].min() == np.nanmin(y)


def test_the_interactive_form_holds_what_the_picture_shows() -> None:
    plot = Plot(
        (
            Panel(
                "x",
                "y",
                (Series([0.0, 1.0, 10.0], [1.0, -2.0, np.inf], "a", "F"),),
                xscale="log",
                yscale="log",
            ),
        )
    )
    script = draw(plot).script
    data = json.loads(script.removeprefix("window.calbookFigure(").rstrip().removesuffix(");"))
    series = data["panels"][0]["series"][0]
    assert series["x"] == [None, 1.0, 10.0]
    assert series["y"] == [1.0, None, None]
    assert series["channel"] == channel_index("F")


def test_the_words_for_a_plot_say_what_is_in_it() -> None:
    alt = draw(transfer("E", "F")).alt
    assert "variance [ADU²] against signal [ADU]" in alt
    assert "E, F: measured, fit" in alt and "48 values" in alt


def test_channels_keep_their_colour() -> None:
    assert [channel_index(c) for c in "EFGH"] == [0, 1, 2, 3]
    assert [channel_index(c) for c in "AB"] == [0, 1]
    # with the others of its detector known or not: only where two would look the same they count
    for names in ("EFGH", "QRS", ["amp1", "amp2", "amp8"], ["UL", "UR", "LL", "LR"]):
        assert [channel_index(c, names) for c in names] == [channel_index(c) for c in names]
    assert [channel_index(c, "ABCDEFGH") for c in "ABCDEFGH"] == list(range(8))
    assert channel_index("amp07") == 7
    assert all(0 <= channel_index(n) < len(CHANNELS) for n in ("", "ξ", "left side"))


def test_styles_and_figures_agree() -> None:
    css = STYLES.read_text(encoding="utf-8")
    light, dark = css.split('html[data-theme="dark"] {', 1)
    for part, palette in ((light, CHANNELS), (dark, CHANNELS_DARK)):
        found = dict(re.findall(r"--channel-(\d): (#[0-9a-f]{6})", part))
        assert [found[str(n)] for n in range(len(palette))] == list(palette)
    for name, colour in (
        ("ink", drawing.INK),
        ("muted", drawing.MUTED),
        ("line", drawing.LINE),
        ("mark", drawing.MARK),
    ):
        assert f"--{name}: {colour}" in light
        assert f"--{name}: {DARK[colour]}" in dark


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_tone_can_be_read(theme: str) -> None:
    css = STYLES.read_text(encoding="utf-8")
    light, dark = css.split('html[data-theme="dark"] {', 1)
    part = light if theme == "light" else dark
    tones = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", part))
    for name in ("ink", "muted", "link", "mark", *(f"channel-{n}" for n in range(8))):
        assert contrast(tones[name], tones["paper"]) >= 4.5, name
    for name in ("pass", "warn", "fail", "error", "reached", "quiet"):
        assert contrast(tones[name], tones["paper"]) >= 4.5, name
        assert contrast(tones[name], tones[f"{name}-soft"]) >= 4.5, name
        assert contrast(tones["ink"], tones[f"{name}-soft"]) >= 4.5, name


# Machado, Oliveira & Fernandes (2009), Table 1, severity 1.0, on linear RGB
DEFICIENCIES = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}  # fmt: skip


def lab(colour: str, matrix: tuple[tuple[float, ...], ...] | None) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of a colour as it is seen with a deficiency."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if matrix is not None:
        linear = np.clip(np.array(matrix) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ linear / (0.95047, 1.0, 1.08883)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("palette", [CHANNELS[:4], CHANNELS_DARK[:4]], ids=["light", "dark"])
@pytest.mark.parametrize("kind", [None, *DEFICIENCIES])
def test_four_channels_differ_for_every_eye(palette: tuple[str, ...], kind: str | None) -> None:
    matrix = DEFICIENCIES[kind] if kind else None
    distance = min(np.linalg.norm(lab(a, matrix) - lab(b, matrix)) for a, b in combinations(palette, 2))
    assert distance > 10  # a just noticeable difference is about 2.3; markers differ too


def test_binning_averages_and_leaves_out_nan() -> None:
    data = RNG.normal(100.0, 1.0, (1500, 1300))
    data[:3, :3] = np.nan
    data[0, 0] = 7.0
    small, n = binned(data, 640)
    assert n == 3 and small.shape == (500, 434)
    assert small[0, 0] == pytest.approx(7.0)
    assert small[10, 20] == pytest.approx(data[30:33, 60:63].mean(), rel=1e-6)
    assert small[-1, -1] == pytest.approx(data[1497:, 1299:].mean(), rel=1e-6)


def test_an_image_without_a_good_pixel_is_drawn() -> None:
    empty = ImageMap(np.full((20, 30), np.nan), "offset [ADU]")
    assert limits(empty, empty.data) == (0.0, 1.0)
    assert draw(empty).light


class Held:
    """Pixels of an array in memory, with a count of what was read."""

    def __init__(self, data: NDArray[np.generic]) -> None:
        self.data, self.count = data, 0

    def dtype(self, channel: Channel) -> np.dtype[np.generic]:
        return self.data.dtype

    def read(
        self, channel: Channel, region: Region, out: NDArray[np.generic] | None = None
    ) -> NDArray[np.generic]:
        self.count += region.size
        found = self.data[region.slices]
        if out is None:
            return found
        np.copyto(out, found, casting="unsafe")
        return out


def test_a_preview_shows_structure_and_reads_each_pixel_once() -> None:
    from PIL import Image

    geometry = quadrants(rows=600, columns=500)
    data = RNG.normal(1000.0, 3.0, geometry.shape).astype(np.float32)
    e = geometry.channel("E").image
    data[e.slices] += 500.0  # an offset between amplifiers is no structure
    data[e.y0 + 100 : e.y0 + 200, e.x0 + 100 : e.x0 + 200] += 100.0
    pixels = Held(data)
    with Image.open(BytesIO(preview(pixels, Detector(name="CCD1", geometry=geometry), 192))) as picture:
        grey = np.asarray(picture.convert("L"), dtype=float)[::-1]
    assert max(grey.shape) <= 192
    assert pixels.count <= data.size
    step = -(-max(geometry.shape) // 192)

    def level(y: int, x: int) -> float:
        return float(grey[y // step - 3 : y // step + 3, x // step - 3 : x // step + 3].mean())

    plain_e, plain_h = level(e.y0 + 400, e.x0 + 400), level(300, geometry.channel("H").image.x0 + 300)
    # a patch of 36 values scatters by 46/2.5/6 ≈ 3 grey levels; four of those and the coder's rounding
    assert plain_e == pytest.approx(plain_h, abs=15)
    assert level(e.y0 + 150, e.x0 + 150) > plain_e + 60


def test_a_preview_of_nothing_but_nan_is_black() -> None:
    from PIL import Image

    geometry = quadrants(rows=40, columns=40, prescan=4, overscan=4, parallel=0)
    pixels = Held(np.full(geometry.shape, np.nan, dtype=np.float32))
    with Image.open(BytesIO(preview(pixels, Detector(name="CCD1", geometry=geometry), 96))) as picture:
        assert np.asarray(picture.convert("L")).max() < 8
