"""What varies slowly over a difference of two frames: a surface through the means of its blocks, and the scatter within them."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

_BLOCK = 32
"""Side [pixels] of the blocks whose means a surface is fitted to."""

_SAMPLE = 10_000  # pixels that tell about where zero is, for sums in single precision


@dataclass(frozen=True)
class Smooth:
    """What is taken off: places of the columns and coefficients of each row (``parts``), the ``mean`` of it, how many ``parameters`` it has."""

    parts: tuple[Floats, Floats]
    mean: float
    parameters: int


def smooth_part(difference: NDArray[np.float32], lost: Mask, degree: int) -> tuple[Smooth, float]:
    """A surface of ``degree`` through the means of blocks of a difference (rows, columns) [ADU] where it is large enough, else the mean, and the scatter within blocks [ADU].

    Loses what is not finite. Raises ValueError when no pixel is left.
    """
    from analysis import covariance_kernels as kernels

    rows, columns = difference.shape
    # edges that a mirror leaves where they are: no corner of readout is another
    ys, xs = (np.rint(np.linspace(0, n, max(4, n // _BLOCK) + 1)).astype(np.int64) for n in difference.shape)
    sums, squares, counts = np.zeros((3, ys.size - 1, xs.size - 1))
    step = max(1, int(sqrt(difference.size / _SAMPLE)))
    sample = difference[::step, ::step][~lost[::step, ::step]]
    sample = sample[np.isfinite(sample)]
    shift = np.float32(sample.mean(dtype=np.float64)) if sample.size else np.float32(0.0)
    kernels.survey(difference, lost, shift, ys, xs, sums, squares, counts)
    held = counts > 0
    n = float(counts.sum())
    if n == 0:
        raise ValueError("no pixels are left")
    # blocks of few pixels tell no scatter of their own
    of_blocks = held.sum() < 0.5 * n
    taken = float((sums[held] ** 2 / counts[held]).sum() if of_blocks else sums.sum() ** 2 / n)
    within = max(float(squares.sum()) - taken, 0.0)
    scatter = sqrt(within / max(n - (held.sum() if of_blocks else 1.0), 1.0)) or 1.0
    means = sums[held] / counts[held] + float(shift)
    found = _surface(difference.shape, ys, xs, held, means, counts[held], degree) if degree else None
    if found is None:
        mean = float(sums.sum()) / n + float(shift)
        found = Smooth((np.zeros(columns), np.tile([mean, 0.0], (rows, 1))), mean, 1)
    return found, scatter


def _surface(
    shape: tuple[int, ...], ys: NDArray[np.int64], xs: NDArray[np.int64], held: Mask, means: Floats, counts: Floats, degree: int
) -> Smooth | None:  # fmt: skip
    """A surface of ``degree``, or what blocks suffice for, through the means of those that are held; None for images too small to have one."""
    if min(shape) < 8:
        return None
    lines = min(held.any(axis=1).sum(), held.any(axis=0).sum())
    while degree and (lines < degree + 2 or held.sum() < (degree + 1) * (degree + 2)):
        degree -= 1
    if not degree:
        return None
    down, across = (np.linspace(-1.0, 1.0, n) for n in shape)
    v, u = (
        0.5 * (place[edges[:-1]] + place[edges[1:] - 1])
        for place, edges in zip((down, across), (ys, xs), strict=True)
    )
    vv, uu = (grid[held] for grid in np.meshgrid(v, u, indexing="ij"))
    powers = [(i, j) for j in range(degree + 1) for i in range(degree + 1 - j)]  # of rows and columns
    terms = np.stack([vv**i * uu**j for i, j in powers], axis=1)
    weight = np.sqrt(counts)
    found = np.linalg.lstsq(terms * weight[:, None], means * weight, rcond=None)[0]
    mean = float((counts * (terms @ found)).sum() / counts.sum())
    rows_of = np.zeros((shape[0], degree + 1))
    for (i, j), value in zip(powers, found, strict=True):
        rows_of[:, j] += value * down**i
    return Smooth((across, rows_of), mean, len(powers))
