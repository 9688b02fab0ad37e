"""Products of the history of defects: the merged mask, the course of each class, and the pixels that come and go."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt

import numpy as np

from analysis.contract import ImageProduct, RegionProduct, Results, TableProduct
from analysis.defect_history.course import ANY, Course
from analysis.defects.products import cards, region
from analysis.masks import names

LISTED = 20_000
"""Pixels of a channel that are listed, those that changed most often."""

COURSES = {"appeared": "bad since some epoch", "gone": "bad until some epoch", "comes-and-goes": "both"}


def hand_on(results: Results, found: Sequence[Course], fraction: float) -> None:
    """The products, or why there are none."""
    if not found:
        for name in ("mask", "epochs", "changed", "regions"):
            results.without(name, "no-reference")
        return
    planes = {one.channel.name: one.image(one.merged) for one in found}
    results.product("mask", ImageProduct(planes, "", {**cards(), **_cards(found, fraction)}))
    results.product("epochs", of_epochs(found))
    changed = of_pixels(found)
    results.product("changed", changed)
    results.product("regions", RegionProduct([str(r) for r in changed.columns["region"]]))


def _cards(found: Sequence[Course], fraction: float) -> dict[str, tuple[str | float | int | bool, str]]:
    """What was merged, and how."""
    epochs = found[0].epochs
    out: dict[str, tuple[str | float | int | bool, str]] = {
        "EPOCHS": (len(epochs), "masks that were merged"),
        "FRACTION": (fraction, "of them that have to agree; 0: any"),
    }
    for n, epoch in enumerate(epochs[:999], start=1):  # as many as keywords of eight characters can tell
        out[f"EPOCH{n}"] = (f"{epoch.block}/{epoch.test} {epoch.time}".strip(), "merged")
    return out


def of_epochs(found: Sequence[Course]) -> TableProduct:
    """Of each epoch, channel and class how many pixels there are, and how many are new and gone since the epoch before."""
    rows = []
    for one in found:
        for n, epoch in enumerate(one.epochs):
            for kind, number in one.pixels[n].items():
                step = one.steps[n].get(kind)
                held = one.noise[n].variances
                error = sqrt(sum(held.values()) if kind == ANY else held[kind])
                told = (step.added, step.removed, step.likeness) if step else (nan, nan, nan)
                rows.append((one.channel.name, n + 1, epoch.block, epoch.test, epoch.time, kind, number, error, *map(float, told)))  # fmt: skip
    return _table(
        ("channel", "epoch", "block", "test", "time", "class", "pixels", "error", "added", "removed", "likeness"),
        rows,
        {"error": "pix", "pixels": "pix", "added": "pix", "removed": "pix"},
        {
            "epoch": "number of the epoch, from one",
            "time": "of the first frame of the test (UTC)",
            "class": "name of the bit; any for all together",
            "error": "of the number of pixels on measuring the same detector again",
            "added": "not so in the epoch before",
            "removed": "so in the epoch before alone",
            "likeness": "pixels in both epochs over pixels in either",
        },
    )  # fmt: skip


def of_pixels(found: Sequence[Course]) -> TableProduct:
    """The pixels that were bad in some of the epochs that saw them and good in others."""
    rows: list[tuple[object, ...]] = []
    for one in found:
        switches, counts = one.switches(), one.counts
        moved = np.flatnonzero(switches)
        moved = np.sort(moved[np.argsort(-switches[moved], kind="stable")[:LISTED]])
        states = [(bad[moved], seen[moved]) for bad, seen in one.states()]
        ys, xs = np.divmod(counts.places[moved], counts.shape[1])
        for i, at in enumerate(moved.tolist()):
            told = "".join("-" if not seen[i] else "1" if bad[i] else "0" for bad, seen in states)
            course = "comes-and-goes" if switches[at] > 1 else "appeared" if told.strip("-").startswith("0") else "gone"  # fmt: skip
            y, x = int(ys[i]) + one.channel.image.y0, int(xs[i]) + one.channel.image.x0
            rows.append((
                one.channel.name, y, x, course, told, int(switches[at]), float(counts.share[at]), " ".join(names(int(counts.united[at]))),
                int(one.merged[at] != 0), region(course, y, x, 1, 1),
            ))  # fmt: skip
    return _table(
        ("channel", "y", "x", "course", "epochs", "changes", "share", "classes", "merged", "region"),
        rows,
        {"y": "pix", "x": "pix"},
        {
            "y": "row of the pixel in the image, from zero",
            "x": "column of the pixel in the image, from zero",
            "course": "; ".join(f"{name}: {what}" for name, what in COURSES.items()),
            "epochs": "the latest epochs in order: 1 bad, 0 good, - not seen",
            "changes": "how often it changed",
            "share": "of the epochs that saw it, in which it is bad",
            "classes": "all that it was in any epoch",
            "merged": "1 where it is bad in the merged mask",
            "region": "shape for SAOImage DS9, image coordinates from one",
        },
    )


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    units: dict[str, str],
    descriptions: dict[str, str],
) -> TableProduct:
    held = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return TableProduct({n: list(v) for n, v in zip(columns, held, strict=True)}, units, descriptions)
