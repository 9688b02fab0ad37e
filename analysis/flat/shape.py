"""What the response of pixels is told from: the smooth shape of the illumination by a spline, and dark regions that are dust."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.distribution import distribution

_CLIP = 5.0
_SMOOTH = 5
_SIGNIFICANT = 5.0


def spline(image: NDArray[np.float32], side: float) -> tuple[NDArray[np.float32], float]:
    """The bicubic spline through the means of cells of about ``side`` pixels, of the image's shape; and what it leaves of the variance of independent pixels.

    Each cell's mean is without what lies beyond 5 robust σ of its median. A cell's mean takes part of its own pixels' deviations with it:
    of a linear smoother S = S_y ⊗ S_x of N pixels 1 − 2 tr S / N + tr SᵀS / N is left. Raises ValueError when nothing is finite.
    """
    from analysis import tile_kernels

    edges = [np.linspace(0, n, max(round(n / side), 1) + 1).astype(np.int64) for n in image.shape]
    means = tile_kernels.cell_means(
        np.ascontiguousarray(image, np.float32), edges[0], edges[1], 1 if side < 16 else 2, _CLIP
    )
    if not np.isfinite(means).any():
        raise ValueError("no finite pixel to fit a smooth shape to")
    across, trace, squares = [], 1.0, 1.0
    for e in edges:
        matrix, own, square = _interpolation(e)
        across.append(matrix)
        trace *= own
        squares *= square
    shape: NDArray[np.float32] = across[0].astype(np.float32) @ (_filled(means) @ across[1].T).astype(
        np.float32
    )
    return shape, max(1.0 - (2.0 * trace - squares) / image.size, 0.1)


def _interpolation(edges: NDArray[np.int64]) -> tuple[NDArray[np.float64], float, float]:
    """The matrix (pixels, cells) that takes means of cells to the spline through them; tr S and tr SᵀS of the smoother along this axis."""
    from scipy.interpolate import make_interp_spline

    widths = np.diff(edges)
    centres = (edges[1:] + edges[:-1] - 1) / 2.0
    n = int(edges[-1])
    if centres.size == 1:
        matrix = np.ones((n, 1))
    else:
        matrix = make_interp_spline(centres, np.eye(centres.size), k=min(3, centres.size - 1))(np.arange(n))
    cell = np.repeat(np.arange(widths.size), widths)
    own = float((matrix[np.arange(n), cell] / widths[cell]).sum())
    return matrix, own, float(((matrix**2).sum(axis=0) / widths).sum())


def _filled(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of cells, those without a finite pixel that of the nearest with one."""
    lacking = ~np.isfinite(means)
    if not lacking.any():
        return means
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(lacking, return_distances=False, return_indices=True)
    out: NDArray[np.float64] = means[tuple(nearest)]
    return out


def dust(
    response: NDArray[np.float32], bad: NDArray[np.bool_], depth: float, least: int
) -> tuple[int, int, NDArray[np.bool_]]:
    """Dark regions of a response: how many, of how many pixels, and where.

    The mean of 5 × 5 pixels (``bad`` ones count as 1) lies below 1 by ``depth`` and by five of its robust σ, in ``least`` connected pixels or more that are three rows high and three columns wide at least
    (a column is no dust).
    """
    from scipy.ndimage import find_objects, label, uniform_filter

    filled = np.where(bad | ~np.isfinite(response), np.float32(1.0), response)
    mean = uniform_filter(filled, _SMOOTH, mode="nearest")
    spread = distribution(mean)
    core = spread.clipped()
    low = mean < np.float32(min(core.median - depth, core.median - _SIGNIFICANT * core.std))
    labels, _ = label(low)
    where, count = np.zeros(response.shape, np.bool_), 0
    for i, box in enumerate(find_objects(labels), start=1):
        own = labels[box] == i
        if own.sum() >= least and min(own.shape) >= 3 + _SMOOTH - 1:
            where[box] |= own
            count += 1
    return count, int(where.sum()), where
