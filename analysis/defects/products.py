"""Products of the defects procedure: the mask, and the list of defects with regions that an image viewer draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ImageProduct, RegionProduct, Results, TableProduct
from analysis.defects.channel import OfChannel
from analysis.masks import BITS, MEANINGS

LISTED = 20_000
"""Pixels of one class that are listed, the most significant ones; the mask has all."""

_COLOURS = {
    "hot": "red", "warm": "orange", "dark": "blue", "dead": "black", "bright": "yellow", "noisy": "magenta",
    "non-linear": "cyan", "unstable": "green", "column": "white", "cluster": "white",
    "appeared": "red", "gone": "green", "comes-and-goes": "orange",
}  # fmt: skip


def hand_on(results: Results, found: Sequence[OfChannel]) -> None:
    """The products, or why there are none."""
    looked = [one for one in found if one.looked]
    if not looked:
        for name in ("mask", "defects", "regions"):
            results.without(name, "too-few-frames")
        return
    planes: dict[str, NDArray[np.generic]] = {one.channel.name: one.mask for one in looked}
    results.product("mask", ImageProduct(planes, "", cards()))
    listed = table(looked)
    results.product("defects", listed)
    results.product("regions", RegionProduct([str(r) for r in listed.columns["region"]]))


def cards() -> dict[str, tuple[str | float | int | bool, str]]:
    """The table of bits as header cards: BIT0 … with the name of each and its meaning."""
    return {f"BIT{n}": (name, meaning) for n, (name, meaning) in enumerate(MEANINGS.items())}


def table(found: Sequence[OfChannel]) -> TableProduct:
    """All defects: pixels by class, then columns and clusters, by channel.

    ``region`` is text as SAOImage DS9 reads it, in pixels of the image counted from one.
    """
    names = (
        "channel",
        "class",
        "y",
        "x",
        "rows",
        "columns",
        "pixels",
        "value",
        "unit",
        "significance",
        "region",
    )
    rows: list[tuple[object, ...]] = []
    for one in found:
        name, y0, x0 = one.channel.name, one.channel.image.y0, one.channel.image.x0
        for kind, held in one.classes.items():
            order = np.argsort(-np.abs(held.significance), kind="stable")[:LISTED]
            for i in order.tolist():
                y, x = int(held.y[i]) + y0, int(held.x[i]) + x0
                value, beyond = float(held.value[i]), float(held.significance[i])
                rows.append((name, kind, y, x, 1, 1, 1, value, held.unit, beyond, region(kind, y, x, 1, 1)))
        for column in one.columns.tolist():
            run = np.flatnonzero(one.mask[:, column] & BITS["column"])
            y, high = int(run[0]) + y0, int(run[-1] - run[0]) + 1
            shape = region("column", y, column + x0, high, 1)
            rows.append((name, "column", y, column + x0, high, 1, run.size, np.nan, "", np.nan, shape))
        for c in one.clusters[:LISTED]:
            high, wide = c.y1 - c.y0, c.x1 - c.x0
            shape = region("cluster", c.y0 + y0, c.x0 + x0, high, wide)
            rows.append(
                (name, "cluster", c.y0 + y0, c.x0 + x0, high, wide, c.pixels, np.nan, "", np.nan, shape)
            )
    columns = (
        dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {n: [] for n in names}
    )
    return TableProduct(
        columns,
        {"y": "pix", "x": "pix", "rows": "pix", "columns": "pix"},
        {
            "class": "name of the bit in the mask",
            "y": "row of the (first) pixel in the image, from zero",
            "x": "column of the (first) pixel in the image, from zero",
            "rows": "extent along a column",
            "columns": "extent along a row",
            "pixels": "bad pixels in it",
            "value": "excess, response, noise or change, as the unit says",
            "unit": "of value",
            "significance": "in σ of the pixels around",
            "region": "shape for SAOImage DS9, image coordinates from one",
        },
    )


def region(kind: str, y: int, x: int, rows: int, columns: int) -> str:
    """A box around pixels from row ``y`` and column ``x`` (from zero), as DS9 writes it: centre and size in pixels from one.

    >>> region("hot", 0, 4, 1, 1)
    'box(5,1,1,1,0) # color=red tag={hot}'
    """
    centre = f"{x + 1 + (columns - 1) / 2:g},{y + 1 + (rows - 1) / 2:g}"
    return f"box({centre},{columns},{rows},0) # color={_COLOURS.get(kind, 'white')} tag={{{kind}}}"
