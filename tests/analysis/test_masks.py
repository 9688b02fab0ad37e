"""The table of mask bits: permanent, and one for all."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.masks import BITS, bits, count, flagged, names

PUBLISHED = {
    "no-value": 1, "saturated": 2, "bloom": 4, "hot": 8, "warm": 16, "dark": 32, "bright": 64, "dead": 128, "noisy": 256,
    "non-linear": 512, "unstable": 1024, "column": 2048, "cluster": 4096, "cosmic": 8192, "edge": 16384, "trap": 32768,
    "persistent": 65536, "uncorrected": 131072,
}  # fmt: skip
"""As published: a change here would make masks of earlier versions lie."""


def test_bits_are_as_published() -> None:
    assert {name: BITS[name] for name in PUBLISHED} == PUBLISHED


def test_values_and_names_are_each_others_reverse() -> None:
    assert all(names(bits([name])) == [name] for name in BITS)
    assert names(bits(BITS)) == list(BITS)
    with pytest.raises(KeyError):
        bits(["warped"])


def test_pixels_with_a_bit_are_found_and_counted() -> None:
    mask = np.zeros((2, 3), np.int32)
    mask[0, 1], mask[1, 2] = bits(["hot"]), bits(["hot", "column"])
    assert flagged(mask).sum() == 2 and flagged(mask, ["column"]).sum() == 1
    assert count(mask) == {"hot": 2, "column": 1}
