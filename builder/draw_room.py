"""How a figure is divided among its panels: as good as a layout engine here, at a fraction of its time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from matplotlib.axes import Axes

from analysis.figures import SMALL_COLUMNS, Panel
from builder.draw_axes import text_width, value_range, wrapped
from campaign.frozen import dataclass

TALL = 1.25
"""Height of the axes of a small multiple [inch]."""


@dataclass(frozen=True)
class Room:
    """The room of each panel [inch]. ``beside`` are the panels that share the ordinate of the one left of them, ``over`` those
    that share the label of the abscissa of the one below: what is shared is said once.
    """

    columns: int
    width: float
    wide: float  # of the axes
    tall: float
    head: float  # over each row: titles and legends
    legend: float  # over all: the shared legend
    feet: tuple[float, ...]  # below each row
    beside: frozenset[int]
    over: frozenset[int]

    @property
    def small(self) -> bool:
        """Whether the panels are small multiples."""
        return self.columns >= SMALL_COLUMNS

    @property
    def height(self) -> float:
        """Of the whole figure."""
        return self.legend + sum(self.head + self.tall + foot for foot in self.feet)

    def place(self, axes: Sequence[Axes]) -> float:
        """Give the axes their places, with room for what stands left of them; where the first begins, as a part of the width."""
        left, gap = [0.12 if self.small else 0.0] * self.columns, 0.1 if self.small else 0.2
        for n, a in enumerate(axes):
            if n in self.beside or not a.axison:
                continue
            ticks = max((text_width(t.get_text()) for t in a.get_yticklabels()), default=0.0)
            lines = a.get_ylabel().count("\n") + 1 if a.get_ylabel() else 0
            left[n % self.columns] = max(left[n % self.columns], ticks + 0.155 * lines + 0.2, 0.5)
        wide = (self.width - sum(left) - gap * self.columns) / self.columns
        tops = [*accumulate((self.head + self.tall + foot for foot in self.feet), initial=self.legend)]
        for n, a in enumerate(axes):
            row, column = divmod(n, self.columns)
            x = sum(left[: column + 1]) + column * (wide + gap)
            y = self.height - tops[row] - self.head - self.tall
            a.set_position((x / self.width, y / self.height, wide / self.width, self.tall / self.height))
        return left[0] / self.width


def room_of(panels: Sequence[Panel], columns: int, width: float, shared: bool) -> Room:
    """The room of some panels in so many columns; ``shared`` where one legend stands over all."""
    rows, small = math.ceil(len(panels) / columns), columns >= SMALL_COLUMNS
    legend = 0.24 if shared else 0.0
    wide = (width - 0.75 - 0.2 * columns) / columns if small else (width - 0.9 * columns) / columns
    head = 0.3 if any(p.title for p in panels) or not shared else 0.1
    if not small:
        height = 3.4 if rows == 1 else 3.0 * rows
        height -= 0.0 if columns == 1 else 0.3 * rows
        foot = 0.55 + max((_turned(p, wide) for p in panels), default=0.0)
        tall, empty = (height - legend) / rows - head - foot, frozenset[int]()
        return Room(columns, width, wide, tall, head, legend, (foot,) * rows, empty, empty)
    head += 0.16 * max(wrapped(p.title, wide, 9.5).count("\n") for p in panels)
    beside = frozenset(n for n in range(len(panels)) if n % columns and _alike(panels[n], panels[n - 1]))
    over = frozenset(
        n for n in range(len(panels) - columns) if panels[n].xlabel == panels[n + columns].xlabel
    )
    feet = []
    for row in range(rows):
        own = [n for n in range(row * columns, min((row + 1) * columns, len(panels))) if n not in over]
        lines = max((wrapped(panels[n].xlabel, wide).count("\n") for n in own), default=0)
        feet.append(0.4 + 0.16 * lines + max(_turned(panels[n], wide) for n in own) if own else 0.25)
    return Room(columns, width, wide, TALL, head, legend, tuple(feet), beside, over)


def common_ordinates(axes: Sequence[Axes], panels: Sequence[Panel], columns: int) -> None:
    """Panels of a row that show the same quantity get the same ordinate, so that they can be compared by eye."""
    for first in range(0, len(panels), columns):
        row = range(first, min(first + columns, len(panels)))
        for n in row:
            ranges = [value_range(panels[m]) for m in row if _alike(panels[m], panels[n])]
            axes[n].set_ylim(min(low for low, _ in ranges), max(high for _, high in ranges))


def _alike(one: Panel, other: Panel) -> bool:
    return (one.ylabel, one.yscale) == (other.ylabel, other.yscale)


def _turned(panel: Panel, wide: float) -> float:
    """Room that names below the abscissa take beyond one line, where they have to be turned [inch]."""
    longest = max((text_width(n, 8.5) for n in panel.xnames), default=0.0)
    return max(longest - 0.12, 0.0) if panel.xnames and longest > 0.95 * wide / len(panel.xnames) else 0.0
