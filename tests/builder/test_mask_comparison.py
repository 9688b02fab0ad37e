"""Masks against those of a reference test: bit by bit, of the one table of bits alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analysis.contract import ImageProduct
from analysis.defects.products import cards
from analysis.masks import BITS
from builder.products import fits_bytes
from builder.reference_images import Job, compare_images
from campaign.geometry import quadrants
from campaign.model import Detector

SHAPE = (20, 30)


def job(folder: Path, here: ImageProduct, there: ImageProduct) -> Job:
    for name, product in (("here", here), ("there", there)):
        (folder / f"{name}.fits").write_bytes(fits_bytes(product, (), ()))
    detector = Detector(name="CAM", geometry=quadrants(rows=SHAPE[0], columns=SHAPE[1]))
    return Job("digest", folder / "here.fits", folder / "there.fits", folder / "objects", detector, "mask")


def mask(**places: list[tuple[int, int]]) -> np.ndarray:
    out = np.zeros(SHAPE, np.int32)
    for name, held in places.items():
        for y, x in held:
            out[y, x] |= BITS[name]
    return out


def test_what_is_new_and_what_is_gone_is_counted_by_class(tmp_path: Path) -> None:
    before = mask(hot=[(1, 1), (2, 2), (3, 3)], dark=[(4, 4)])
    after = mask(hot=[(1, 1), (2, 2), (9, 9)], noisy=[(1, 1)])
    told = compare_images(
        job(tmp_path, ImageProduct({"E": after}, "", cards()), ImageProduct({"E": before}, "", cards()))
    )
    found = {
        (m["plane"], m["bit"]): (m["common"], m["added"], m["removed"], m["likeness"]) for m in told["masks"]
    }
    assert found == {
        ("E", "hot"): (2, 1, 1, 0.5),
        ("E", "dark"): (0, 0, 1, 0.0),
        ("E", "noisy"): (0, 1, 0, 0.0),
    }
    assert told["planes"] == [] and told["figures"] == [] and told["why"] == ""


def test_whole_numbers_of_another_meaning_and_planes_without_partner_tell_nothing(tmp_path: Path) -> None:
    one, other = mask(hot=[(1, 1)]), mask(hot=[(2, 2)])
    assert (
        compare_images(job(tmp_path, ImageProduct({"E": one}, ""), ImageProduct({"E": other}, "")))["masks"]
        == []
    )
    here, there = ImageProduct({"E": one, "F": one}, "", cards()), ImageProduct({"E": other[1:]}, "", cards())
    assert compare_images(job(tmp_path, here, there))["masks"] == []
