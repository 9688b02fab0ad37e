"""Images on a detector's geometry as SVG: binned to fit a page, with a scale, outlines and marked pixels."""

from __future__ import annotations

import csv
from base64 import b64encode
from io import BytesIO, StringIO
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray
from PIL import Image

from analysis.figures import ImageMap
from builder.draw_axes import text_width, wrapped
from builder.draw_plot import DPI, SETTINGS, save_svg
from builder.draw_time import value_ticks

SIDE = 640
"""Largest side of the drawn image, in binned pixels."""
COLOUR_MAP = "cividis"
"""Perceptually even, and the same to readers with and without colour vision deficiency."""
MARKED = 3000
"""Marked pixels that are drawn."""
COLUMN = 10
"""Marked pixels that a column has to have at least to be told by its ends."""
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
    if not high > low and finite.size:  # nearly all alike: what differs is shown
        low, high = float(finite.min()), float(finite.max())
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
    scale_width = max((text_width(text) for _, text in value_ticks(low, high)), default=0.3)
    lines = wrapped(image.label, tall).count("\n") + 1
    width, height = LEFT + shown + 0.45 + scale_width + 0.155 * lines, tall + BOTTOM + 0.15
    with rc_context({**SETTINGS, "axes.grid": False}):
        canvas = Canvas(figsize=(width, height), dpi=DPI)
        axes = canvas.add_axes(
            (LEFT / width, BOTTOM / height, shown / width, tall / height), facecolor="none"
        )
        axes.set(
            xlabel=image.xlabel,
            ylabel=wrapped(image.ylabel, tall + 0.4),
            xlim=(-0.5, columns - 0.5),
            ylim=(-0.5, rows - 0.5),
        )
        axes.set_title("", y=1.0)  # see draw_plot: else time goes into finding a place for it
        for axis, names, size in ((axes.xaxis, image.xnames, columns), (axes.yaxis, image.ynames, rows)):
            if names:
                axis.set_ticks((np.arange(len(names)) + 0.5) * size / len(names) - 0.5, labels=names)
        _drawn_over(axes, image, columns / (72 * shown), rows / (72 * tall))
        scale = canvas.add_axes(
            ((LEFT + shown + 0.12) / width, BOTTOM / height, 0.14 / width, tall / height), facecolor="none"
        )
        ticks = value_ticks(low, high)
        scale.set(
            ylim=(low, high), ylabel=wrapped(image.label, tall), xticks=(), yticks=[v for v, _ in ticks]
        )
        scale.set_yticklabels([text for _, text in ticks])
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


def _drawn_over(axes: Axes, image: ImageMap, across: float, up: float) -> None:
    """Outlines with their names and readout corners, and marked pixels; ``across`` and ``up`` are pixels in a point.

    A name stands in a corner, the readout corner where there is one, with a dot: what is in the middle stays in sight.
    """
    for n, (label, y0, y1, x0, x1) in enumerate(image.outlines):
        around = ([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0])
        axes.plot(*around, color=WHITE, linewidth=1.6, alpha=0.8)
        axes.plot(*around, color=BLACK, linewidth=0.7)
        if not label:
            continue
        corner = image.corners[n] if n < len(image.corners) else ""
        top, right = not corner.startswith("lower"), corner.endswith("right")
        x, y = (x1 if right else x0), (y1 if top else y0)
        inward, down = (-1 if right else 1), (-1 if top else 1)
        if corner:
            axes.plot(
                x + 5 * across * inward, y + 5 * up * down, marker="o", markersize=6, color=BLACK, markeredgecolor=WHITE,
                markeredgewidth=1.0,
            )  # fmt: skip
        axes.text(
            x + (13 if corner else 3.5) * across * inward, y + 5 * up * down, label, color=BLACK, ha="right" if right else "left",
            va="center" if corner else "top" if top else "bottom", fontsize=8.5, weight="bold",
            bbox={"facecolor": WHITE, "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
    points, ends = without_columns(image)
    red: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "none", "markeredgecolor": "#ff3b30"}
    if points.size:
        axes.plot(
            points[:MARKED, 1], points[:MARKED, 0], marker="s", markersize=5, markeredgewidth=0.9, **red
        )
    for place, foot, head in ends:
        axes.plot([place], [foot], marker="^", markersize=6, markeredgewidth=1.3, clip_on=False, **red)
        axes.plot([place], [head], marker="v", markersize=6, markeredgewidth=1.3, clip_on=False, **red)


def without_columns(image: ImageMap) -> tuple[NDArray[np.float64], list[tuple[float, float, float]]]:
    """The marked pixels (y, x) that belong to no column of which most is marked, and those columns: (x, foot, top).

    Squares around each pixel of a column would hide all that is beside it: its ends are enough to find it by.
    """
    points = np.asarray(image.points, dtype=np.float64).reshape(-1, 2)
    keep = np.ones(len(points), dtype=bool)
    ends: list[tuple[float, float, float]] = []
    for _, y0, y1, x0, x1 in image.outlines:
        y, x = points.T
        inside = (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
        columns, counts = np.unique(x[inside], return_counts=True)
        whole = columns[(counts > 0.5 * (y1 - y0)) & (counts > COLUMN)]
        ends += [(float(c), float(y0), float(y1)) for c in whole]
        keep &= ~(inside & np.isin(x, whole))
    return points[keep], ends


def _picture(values: NDArray[np.floating]) -> bytes:
    """Values 0 … 1 in the colour map, as WebP; not-a-number is left open, so that the paper shows. Row 0 at the bottom."""
    table = np.zeros((257, 4), np.uint8)
    table[:256] = (colormaps[COLOUR_MAP](np.arange(256)) * 255).round()
    known = np.isfinite(values)
    index = np.where(known, np.clip(np.where(known, values, 0) * 255, 0, 255).round(), 256).astype(np.intp)
    pixels = table[index[::-1]]
    out = BytesIO()
    Image.fromarray(pixels[..., :3] if known.all() else pixels).save(out, "WEBP", quality=82, method=2)
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
