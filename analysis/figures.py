"""Figures as data: what a procedure wants drawn. The machine draws them; the site shows them.

A figure is panels of series with labelled axes, or an image. Channels keep their colour everywhere because
series name their channel, never a colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

Style = Literal["points", "line", "step", "bars"]


@dataclass(frozen=True)
class Series:
    """Values to draw: x and y of the same length, optional uncertainty of y, a label, a channel."""

    x: Sequence[float] | NDArray[np.floating]
    y: Sequence[float] | NDArray[np.floating]
    label: str = ""
    channel: str | None = None
    yerr: Sequence[float] | NDArray[np.floating] | None = None
    style: Style = "points"


@dataclass(frozen=True)
class Mark:
    """A thin labelled line: horizontal at y, or vertical at x."""

    label: str
    y: float | None = None
    x: float | None = None


@dataclass(frozen=True)
class Panel:
    """A pair of labelled axes (units in the labels) with series and marks.

    ``xnames`` are the names of the places 0, 1, 2 … of an abscissa that is no quantity, such as channels.
    """

    xlabel: str
    ylabel: str
    series: tuple[Series, ...] = ()
    marks: tuple[Mark, ...] = ()
    title: str = ""
    xscale: Literal["linear", "log"] = "linear"
    yscale: Literal["linear", "log"] = "linear"
    xnames: tuple[str, ...] = ()


SMALL_COLUMNS = 3
"""From so many columns on, the panels of a plot are small multiples: lower, and what neighbours share is said once."""


@dataclass(frozen=True)
class Plot:
    """One or more panels side by side or stacked (``columns`` wide; from ``SMALL_COLUMNS`` on as small multiples)."""

    panels: tuple[Panel, ...]
    columns: int = 1


def small_multiples(*rows: Sequence[Panel], most: int = 4) -> Plot:
    """Panels of one kind beside each other, as one for each channel; what each of ``rows`` holds begins on a line of its own.

    At most ``most`` stand in a line, in lines of equal length, whose free places are panels without labels. One or two of a row are no
    small multiples: they have room.
    """
    longest = max((len(row) for row in rows), default=0)
    lines = max(1, -(-longest // most))
    columns = max(1, -(-longest // lines))
    panels: list[Panel] = []
    for row in rows:
        panels += [*row, *[Panel("", "")] * (-len(row) % columns)]
    return Plot(tuple(panels), columns)


def binned(
    values: NDArray[np.floating], most: int, first: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places and means of at most ``most`` runs of neighbours, so that noise does not hide what a profile shows.

    ``values`` are at ``first``, ``first`` + 1 …; a mean is at the middle of its run, over the finite values of it (NaN where there is none).
    Every value counts: the last run may be shorter.
    """
    wide = max(1, -(-values.size // most))
    starts = np.arange(0, values.size, wide)
    known = np.isfinite(values)
    count = np.add.reduceat(known, starts, dtype=np.int64) if values.size else np.zeros(0, np.int64)
    total = (
        np.add.reduceat(np.where(known, values, 0.0), starts, dtype=np.float64)
        if values.size
        else np.zeros(0)
    )
    with np.errstate(invalid="ignore"):
        means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    ends = np.minimum(starts + wide, values.size)
    return np.asarray(first + 0.5 * (starts + ends - 1), dtype=np.float64), means


@dataclass(frozen=True)
class ImageMap:
    """An image on the detector's geometry, binned by the machine to fit a page.

    ``low`` and ``high`` limit the scale (None: robust percentiles). ``outlines`` draws rectangles
    (label, y0, y1, x0, x1) such as channels; ``points`` marks pixels (y, x), for example defects.
    Both are in pixels of the detector. ``data`` may be averaged over squares of ``side`` pixels already (see
    ``analysis.maps``); then ``shape`` is that of the whole image. ``corners`` are the readout corners of the outlines, in
    their order ('' where there is none). An image that is no detector's names its axes, and with ``xnames`` and ``ynames``
    the columns and rows of cells that it is made of.
    """

    data: NDArray[np.floating]
    label: str
    low: float | None = None
    high: float | None = None
    outlines: tuple[tuple[str, int, int, int, int], ...] = ()
    points: tuple[tuple[float, float], ...] = field(default=())
    side: int = 1
    shape: tuple[int, int] | None = None
    corners: tuple[str, ...] = ()
    xlabel: str = "column [px]"
    ylabel: str = "row [px]"
    xnames: tuple[str, ...] = ()
    ynames: tuple[str, ...] = ()


Figure = Plot | ImageMap
