"""Compiled kernels over a region's 16-bit pixels: histogram, row and column sums in one go.

Importing numba costs half a second, so this module is imported only where enough pixels come (see
``analysis.region_counts``). Pixels are taken as they lie in a FITS file, the bytes of each the other way round, so
that none is written to memory decoded only to be read again.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Words = NDArray[np.uint16]
LANES = 4
"""Histograms kept side by side: neighbours are often equal, and a counter waits for its own last increment."""


@njit(cache=True, nogil=True, error_model="numpy")
def count(
    pixels: Words,
    swapped: bool,
    flip: np.uint16,
    counts: NDArray[np.uint32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    line: Words,
    sums: NDArray[np.uint32],
) -> None:
    """Add rows of pixels, shape (n, width), to counts (LANES, 65536), to the sums of their rows (n) and columns (width).

    A pixel's code is its word, bytes exchanged where ``swapped``, with the bits of ``flip`` turned over. ``line`` and
    ``sums`` (width) are working memory. At most 65,537 rows at once.
    """
    width = pixels.shape[1]
    for x in range(width):
        sums[x] = 0
    one, two, three, four = counts[0], counts[1], counts[2], counts[3]
    for y in range(pixels.shape[0]):
        row = pixels[y]
        total = np.uint64(0)
        for x in range(width):
            word = row[x]
            if swapped:
                word = np.uint16((word << np.uint16(8)) | (word >> np.uint16(8)))
            code = np.uint16(word ^ flip)
            line[x] = code
            sums[x] += np.uint32(code)
            total += np.uint64(code)
        rows[y] += np.int64(total)
        whole = width - width % 4
        for x in range(0, whole, 4):
            one[line[x]] += np.uint32(1)
            two[line[x + 1]] += np.uint32(1)
            three[line[x + 2]] += np.uint32(1)
            four[line[x + 3]] += np.uint32(1)
        for x in range(whole, width):
            one[line[x]] += np.uint32(1)
    for x in range(width):
        columns[x] += np.int64(sums[x])


def load() -> None:
    """Compile the kernel, or load it from the cache of an earlier run, for the types it is used with."""
    pixels = np.zeros((2, 5), np.uint16)[:, 1:]
    counts, rows, columns = np.zeros((LANES, 65536), np.uint32), np.zeros(2, np.int64), np.zeros(4, np.int64)
    count(pixels, True, np.uint16(0), counts, rows, columns, np.zeros(4, np.uint16), np.zeros(4, np.uint32))
