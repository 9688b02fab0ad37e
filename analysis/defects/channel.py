"""All evidence on one channel put together: its mask, its columns and clusters, and how much of it is bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Inputs
from analysis.defects.chance import UNSEEN, beyond, crossing_variance
from analysis.defects.declared import PIXELS
from analysis.defects.found import Evidence, OfClass
from analysis.defects.shapes import Cluster, clusters, columns, edge, faint_columns, spilled
from analysis.masks import BITS, Mask
from campaign.frozen import dataclass
from campaign.geometry import Channel

_WITHOUT_LIGHT = ("hot", "warm", "noisy", "unstable")
_WITH_LIGHT = ("dark", "dead", "bright", "non-linear")
_DRAWS = 50
_SEED = 20_261_121


@dataclass
class OfChannel:
    """What was found of one channel: evidence of each kind of frames, its mask, and the shapes that bad pixels make.

    ``columns`` are the numbers of columns with the bit in the channel's image, ``cluster_error`` and ``largest_error`` how their number and the
    size of the largest would scatter on measuring again.
    """

    channel: Channel
    darks: Evidence
    flats: Evidence
    series: Evidence
    mask: Mask
    columns: NDArray[np.intp]
    column_error: float
    clusters: list[Cluster]
    cluster_error: float
    largest_error: float

    @property
    def classes(self) -> dict[str, OfClass]:
        """Classes that could be looked for, in the order of PIXELS."""
        held = self.darks.classes | self.flats.classes | self.series.classes
        return {name: held[name] for name in PIXELS if name in held}

    @property
    def missing(self) -> dict[str, tuple[str, str]]:
        """Classes that could not, with reason and note."""
        return self.darks.missing | self.flats.missing | self.series.missing

    @property
    def looked(self) -> bool:
        """Whether anything could be looked for."""
        return bool(self.classes)

    @property
    def chance(self) -> float:
        """Pixels of all classes that noise alone is expected to make."""
        return sum(c.chance for c in self.classes.values())

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """Pixels with any bit, counted along rows."""
        return np.flatnonzero(self.mask)

    @cached_property
    def held(self) -> Mask:
        """The bits of these pixels."""
        out: Mask = self.mask.ravel()[self.places]
        return out

    @property
    def bad(self) -> int:
        """Pixels with any bit."""
        return int(self.places.size)

    @property
    def bad_error(self) -> float:
        """Standard deviation of that number on measuring again: those of all classes together."""
        return sqrt(sum(c.error**2 for c in self.classes.values()))


def joined(inputs: Inputs, channel: Channel, darks: Evidence, flats: Evidence, series: Evidence) -> OfChannel:
    """The mask of a channel, and the shapes in it."""
    shape = channel.image.shape
    mask = np.zeros(shape, np.int32)
    at_edge = edge(channel, inputs.detector.geometry.channels, int(inputs.number("edge")))
    if at_edge.any():  # what lies there is known to be wrong, and is no defect
        for evidence in (darks, flats, series):
            evidence.classes = {name: found.outside(at_edge) for name, found in evidence.classes.items()}
    classes = darks.classes | flats.classes | series.classes
    for name, found in classes.items():
        mask[found.y, found.x] |= BITS[name]
    for evidence in (darks, flats):
        if evidence.no_value is not None and evidence.no_value.any():
            mask[evidence.no_value] |= BITS["no-value"]
        if evidence.saturated is not None and evidence.saturated.any():
            above = _of(classes, ("hot", "warm", "bright"), shape)
            mask[evidence.saturated] |= BITS["saturated"]
            mask[spilled(evidence.saturated, above)] |= BITS["bloom"]
    of_columns, margins, chance = _columns(inputs, classes, (darks, flats), shape)
    if of_columns.any():
        mask[of_columns] |= BITS["column"]
    if at_edge.any():
        mask[at_edge] = BITS["edge"] | (mask[at_edge] & (BITS["no-value"] | BITS["saturated"]))
    at = np.flatnonzero(mask)
    single = (mask.ravel()[at] & (BITS["column"] | BITS["edge"])) == 0
    y, x = np.divmod(at[single], shape[1])
    least = int(inputs.number("cluster_pixels"))
    islands, within = clusters(y, x, least)
    mask[y[within], x[within]] |= BITS["cluster"]
    numbers = np.flatnonzero(((mask & BITS["column"]) != 0).any(axis=0))
    scatter = _again(classes, shape, y, x, least)
    return OfChannel(
        channel, darks, flats, series, mask, numbers, sqrt(crossing_variance(margins, chance)), islands, *scatter
    )  # fmt: skip


def _of(classes: Mapping[str, OfClass], names: Sequence[str], shape: tuple[int, int]) -> NDArray[np.bool_]:
    out = np.zeros(shape, bool)
    for name in names:
        if name in classes:
            out[classes[name].y, classes[name].x] = True
    return out


def _columns(
    inputs: Inputs, classes: Mapping[str, OfClass], evidence: Sequence[Evidence], shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], float]:
    """Pixels in bad columns; how far [σ] columns are above their thresholds; and how many are expected by chance."""
    gap, whole, sigma = (
        int(inputs.number("column_gap")),
        inputs.number("column_whole"),
        inputs.number("sigma"),
    )
    out = np.zeros(shape, bool)
    margins, chance = [np.zeros(0)], 0.0
    for names, parameter in ((_WITHOUT_LIGHT, "column_hot"), (_WITH_LIGHT, "column_dark")):
        least = int(inputs.number(parameter))
        bad = _of(classes, names, shape)
        found = columns(bad, least, gap, whole)
        numbers = np.flatnonzero(found.any(axis=0))
        held = np.count_nonzero(bad[:, numbers], axis=0).astype(np.float64)
        margins.append((held - least + 0.5) / np.sqrt(held))
        out |= found
    for one in evidence:
        if one.significance is None:
            continue
        numbers, by = faint_columns(one.significance, sigma)
        margins.append(np.abs(by) - sigma)
        chance += 2.0 * shape[1] * beyond(sigma)
        out[:, numbers] = True
    return out, np.concatenate(margins), chance


def _again(
    classes: Mapping[str, OfClass],
    shape: tuple[int, int],
    y: NDArray[np.intp],
    x: NDArray[np.intp],
    least: int,
) -> tuple[float, float]:
    """Standard deviations of the number of clusters and of the size of the largest, on measuring the same detector again.

    Each pixel is drawn again with the chance that it is still above its threshold. Those that then come from below are not known;
    near the threshold they are as many as those lost, so that variances count twice; and half an island may be near its own threshold unseen.
    """
    from scipy.special import ndtr

    lost = np.ones(shape, np.float32)
    for found in classes.values():
        lost[found.y, found.x] *= ndtr(-found.margins).astype(np.float32)
    chances = np.where(lost[y, x] == 1.0, np.float32(0.0), lost[y, x])
    near = chances > 1e-6
    if not near.any():
        return sqrt(UNSEEN), sqrt(UNSEEN)
    rng = np.random.default_rng(_SEED)
    numbers, largest = [], []
    for _ in range(_DRAWS):
        kept = rng.random(y.size, dtype=np.float32) >= chances
        islands, _ = clusters(y[kept], x[kept], least)
        numbers.append(float(len(islands)))
        largest.append(float(islands[0].pixels if islands else 0))
    number, size = (sqrt(2.0 * float(np.var(drawn, ddof=1)) + UNSEEN) for drawn in (numbers, largest))
    return number, size
