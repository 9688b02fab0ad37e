"""Images on a detector's geometry as SVG: binned to fit a page, with a scale, outlines and marked pixels."""

from __future__ import annotations

import csv
from base64 import b64encode
from io import BytesIO, StringIO

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray
from PIL import Image

from analysis.figures import ImageMap
from builder.draw_plot import DPI, SETTINGS, save_svg

SIDE = 640
"""Largest side of the drawn image, in binned pixels."""
COLOUR_MAP = "cividis"
"""Perceptually even, and the same to readers with and without colour vision deficiency."""
MARKED = 3000
"""Marked pixels that are drawn."""
TABLE_SIDE = 128
"""Largest side of the table behind an image; the pixels themselves are in the products."""
WHITE, BLACK = "#fefefe", "#010101"
"""What is drawn over the image: not among the colours that the dark picture replaces."""
LEFT, BOTTOM = 0.75, 0.5
"""Room for labels [inch]."""


def binned(data: NDArray[np.floating], side: int = SIDE) -> tuple[NDArray[np.float64], int]:
    """The image averaged over squares of n × n pixels so that it fits, and n. NaN pixels are left out.

    A last incomplete row or column of squares averages the pixels that it has.
    """
    rows, columns = data.shape
    n = max(1, -(-max(rows, columns) // side))
    values = np.asarray(data, dtype=np.float32)
    if n == 1:
        return values.astype(np.float64), 1
    good = np.isfinite(values)
    starts = np.arange(0, rows, n), np.arange(0, columns, n)

    def total(array: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.add.reduceat(np.add.reduceat(array, starts[0], axis=0, dtype=np.float64), starts[1], axis=1)

    count = total(good.astype(np.float32))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total(np.where(good, values, np.float32(0))) / count, np.nan), n


def limits(image: ImageMap, data: NDArray[np.floating]) -> tuple[float, float]:
    """The scale: as the figure says, else the 1st and 99th percentile of what is drawn."""
    finite = data[np.isfinite(data)]
    low, high = (float(v) for v in np.percentile(finite, (1, 99))) if finite.size else (0.0, 1.0)
    low = low if image.low is None else image.low
    high = high if image.high is None else image.high
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def image_svg(image: ImageMap) -> tuple[bytes, int, int, str]:
    """An image as an SVG with a scale, its width and height in px, and in words. Row 0 is at the bottom."""
    data, squares = binned(image.data)
    side = squares * image.side
    rows, columns = image.shape or image.data.shape
    low, high = limits(image, data)
    marked = f"; {len(image.points)} pixels marked" if image.points else ""
    alt = f"Image of {image.label}, {rows} rows by {columns} columns, scale {low:.5g} to {high:.5g}{marked}"
    wide = 4.4
    tall = min(max(wide * rows / columns, 1.2), 5.4)
    shown = min(wide, tall * columns / rows)
    width, height = LEFT + shown + 1.05, tall + BOTTOM + 0.15
    with rc_context({**SETTINGS, "axes.grid": False}):
        canvas = Canvas(figsize=(width, height), dpi=DPI)
        axes = canvas.add_axes(
            (LEFT / width, BOTTOM / height, shown / width, tall / height), facecolor="none"
        )
        axes.set(xlabel="column [px]", ylabel="row [px]", xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5))
        axes.set_title("", y=1.0)  # see draw_plot: else time goes into finding a place for it
        _drawn_over(axes, image)
        scale = canvas.add_axes(
            ((LEFT + shown + 0.12) / width, BOTTOM / height, 0.14 / width, tall / height), facecolor="none"
        )
        scale.set(ylim=(low, high), ylabel=image.label, xticks=())
        scale.yaxis.set_label_position("right")
        scale.yaxis.tick_right()
        svg = save_svg(canvas).decode()
    top = (height - BOTTOM - tall) * 72
    ramp = np.linspace(0, 1, 256)[:, None]
    # the last squares may reach beyond the image: they keep their size, and the axes end where it ends
    across, up = 72 * shown * side * data.shape[1] / columns, 72 * tall * side * data.shape[0] / rows
    picture = _placed(_picture((data - low) / (high - low)), LEFT * 72, top + tall * 72 - up, across, up)
    picture += _placed(_picture(ramp), (LEFT + shown + 0.12) * 72, top, 0.14 * 72, tall * 72)
    paper_end = svg.index("</g>", svg.index('id="patch_1"')) + len("</g>")
    svg = svg[:paper_end] + picture + svg[paper_end:]
    return svg.encode(), round(width * DPI), round(height * DPI), alt


def _drawn_over(axes: Axes, image: ImageMap) -> None:
    """Outlines and marked pixels."""
    for label, y0, y1, x0, x1 in image.outlines:
        around = ([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0])
        axes.plot(*around, color=WHITE, linewidth=1.6, alpha=0.8)
        axes.plot(*around, color=BLACK, linewidth=0.7)
        axes.text(
            (x0 + x1) / 2, (y0 + y1) / 2, label, color=BLACK, ha="center", va="center", fontsize=9, weight="bold",
            bbox={"facecolor": WHITE, "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    if image.points:
        y, x = np.asarray(image.points[:MARKED], dtype=float).T
        axes.plot(
            x, y, linestyle="none", marker="s", markersize=5, markerfacecolor="none",
            markeredgecolor="#ff3b30", markeredgewidth=0.9,
        )  # fmt: skip


def _picture(values: NDArray[np.floating]) -> bytes:
    """Values 0 … 1 in the colour map, as WebP; not-a-number is grey. Row 0 at the bottom."""
    table = (colormaps[COLOUR_MAP](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    table = np.vstack([table, [[128, 128, 128]]]).astype(np.uint8)
    known = np.isfinite(values)
    index = np.where(known, np.clip(np.where(known, values, 0) * 255, 0, 255).round(), 256).astype(np.intp)
    out = BytesIO()
    Image.fromarray(table[index[::-1]]).save(out, "WEBP", quality=82, method=2)
    return out.getvalue()


def _placed(picture: bytes, x: float, y: float, width: float, height: float) -> str:
    """An image element at a place in points."""
    data = b64encode(picture).decode()
    return (
        f'\n<image x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" xlink:href="data:image/webp;base64,{data}"/>'
    )


def image_csv(image: ImageMap) -> str:
    """The image averaged over squares, one row of the table each: its first row and column, side and mean."""
    data, n = binned(image.data, TABLE_SIDE)
    n *= image.side
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "column", "bin", image.label])
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            value = data[y, x]
            writer.writerow([y * n, x * n, n, f"{value:.8g}" if np.isfinite(value) else ""])
    return out.getvalue()
