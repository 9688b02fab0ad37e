"""Defects over epochs: masks of known stable, appearing, annealed and flickering pixels, counted by hand; laws of merging; what noise makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr

from analysis.contract import Epoch, ImageProduct, Measurement, Product, RegionProduct, Results, TableProduct
from analysis.defect_history import PROCEDURE
from analysis.defect_history.noise import about_threshold, come_and_go, flips, likeness_error, steadiness
from analysis.defects.declared import PIXELS
from analysis.defects.epochs import agreed, united
from analysis.figures import ImageMap, Plot
from analysis.in_memory import detector, inputs, measured, value
from analysis.masks import BITS, MEANINGS, Mask
from campaign.geometry import single
from campaign.model import Detector

SIDE = 12
EYE: Detector = detector(single(rows=SIDE, columns=SIDE))
HOT, WARM, DARK, NOISY, COLUMN, UNSEEN = (
    BITS[n] for n in ("hot", "warm", "dark", "noisy", "column", "no-value")
)


def empty() -> Mask:
    return np.zeros((SIDE, SIDE), np.int32)


def epoch(number: int, mask: Mask, looked: Sequence[str] = PIXELS, sigma: float = 0.5, **more: str) -> Epoch:
    """An epoch with that mask, in which so many classes were looked for, the count of each known to ``sigma``."""
    told = [
        Measurement(kind.replace("-", "_"), "A", "", float(np.count_nonzero(mask & BITS[kind])), sigma, "pixels", "count", mask.size)
        if kind in looked
        else Measurement(kind.replace("-", "_"), "A", "", None, None, "pixels", "count", 0, reason="too-few-frames")
        for kind in PIXELS
    ]  # fmt: skip
    told.append(Measurement("by_chance", "A", "", 0.25, None, "pixels", "tail", mask.size))
    place = {"block": "BLOCK", "test": f"TEST{number:02d}", "time": f"2025-01-{number:02d}T00:00:00+00:00"}
    place |= more

    def read() -> Product:
        return ImageProduct({"A": mask.astype(">i4")}, "")  # as a FITS file gives it

    return Epoch(place["block"], place["test"], place["time"], tuple(told), read)


def history(epochs: Sequence[Epoch], **parameters: float | bool) -> Results:
    """What the procedure makes of epochs, for the test that the latest is of."""
    given_to = inputs(PROCEDURE, EYE, {}, epochs={("defects", "mask"): epochs}, **parameters)
    if epochs:
        given_to = replace(given_to, block=epochs[-1].block, test=epochs[-1].test)
    return measured(PROCEDURE, given_to)


def mask_of(results: Results) -> NDArray[np.generic]:
    product = results.products["mask"]
    assert isinstance(product, ImageProduct)
    return product.planes["A"]


def number(results: Results, quantity: str) -> float | None:
    return value(results, quantity).value


def rows(results: Results, name: str) -> list[dict[str, object]]:
    product = results.products[name]
    assert isinstance(product, TableProduct)
    return [dict(zip(product.columns, v, strict=True)) for v in zip(*product.columns.values(), strict=True)]


@pytest.fixture(scope="module")
def four() -> list[Mask]:
    """Four epochs: 5 stable hot pixels, 3 that appear in the third, 2 that anneal after the first, 1 that flickers, 1 that is warm or hot."""
    held = [empty() for _ in range(4)]
    for n, mask in enumerate(held):
        mask[0, :5] = HOT
        if n >= 2:
            mask[1, :3] = HOT
        if n < 1:
            mask[2, :2] = DARK
        if n % 2:
            mask[3, 0] = WARM
        mask[4, 0] = WARM if n % 2 else HOT
    return held


def test_every_course_is_counted_exactly(four: list[Mask]) -> None:
    results = history([epoch(n, m) for n, m in enumerate(four, 1)])
    # half of four epochs: stable, those that appeared in the third, the flicker, and the one that is always bad
    assert {q: number(results, q) for q in ("epochs", "hot", "warm", "dark")} == {"epochs": 4, "hot": 9, "warm": 2, "dark": 0}  # fmt: skip
    assert number(results, "bad_area") == pytest.approx(100.0 * 10 / SIDE**2)
    assert mask_of(results)[4, 0] == HOT | WARM and mask_of(results)[3, 0] == WARM
    assert (number(results, "added"), number(results, "removed")) == (1, 0)  # the flicker
    assert number(results, "likeness") == pytest.approx(9 / 10)
    assert number(results, "flickering") == 1
    changed = {(r["y"], r["x"]): (r["course"], r["epochs"], r["changes"]) for r in rows(results, "changed")}
    assert changed == {
        **{(1, x): ("appeared", "0011", 1) for x in range(3)},
        **{(2, x): ("gone", "1000", 1) for x in range(2)},
        (3, 0): ("comes-and-goes", "0101", 3),
    }
    regions = results.products["regions"]
    assert isinstance(regions, RegionProduct)
    assert sum("tag={appeared}" in r for r in regions.regions) == 3 and "box(1,2,1,1,0)" in regions.regions[0]
    hot = [(r["pixels"], r["added"], r["removed"]) for r in rows(results, "epochs") if r["class"] == "hot"]
    assert hot[1:] == [(5, 0.0, 1.0), (9, 4.0, 0.0), (8, 0.0, 1.0)] and hot[0][0] == 6 and np.isnan(hot[0][1])  # type: ignore[call-overload]


def test_the_fraction_and_the_number_of_epochs_are_as_asked(four: list[Mask]) -> None:
    epochs = [epoch(n, m) for n, m in enumerate(four, 1)]
    assert np.array_equal(mask_of(history(epochs, fraction=0.0)), united(four))
    all_of = history(epochs, fraction=1.0)
    assert (number(all_of, "hot"), number(all_of, "warm")) == (6, 1)  # of the pixel that is always bad both
    assert np.array_equal(mask_of(history(epochs, last=1)), four[3])
    two = history(epochs, last=2, fraction=1.0)
    assert number(two, "epochs") == 2 and number(two, "hot") == 9
    other = [replace(epochs[0], block="OTHER"), *epochs[1:]]
    assert number(history(other, block_only=True), "epochs") == 3


def test_the_header_tells_bits_and_epochs(four: list[Mask]) -> None:
    product = history([epoch(n, m) for n, m in enumerate(four[:2], 1)]).products["mask"]
    assert isinstance(product, ImageProduct)
    assert [product.cards[f"BIT{n}"][0] for n in range(len(MEANINGS))] == list(MEANINGS)
    assert product.cards["EPOCHS"][0] == 2 and product.cards["FRACTION"][0] == 0.5
    assert product.cards["EPOCH2"][0] == "BLOCK/TEST02 2025-01-02T00:00:00+00:00"


def test_one_epoch_is_its_own_mask_and_compares_nothing(four: list[Mask]) -> None:
    results = history([epoch(1, four[0])])
    assert np.array_equal(mask_of(results), four[0])
    for quantity in ("added", "removed", "flips", "likeness", "flickering"):
        assert value(results, quantity).reason == "too-few-epochs"
    assert value(results, "hot").uncertainty == 0.5  # that of the epoch itself
    assert set(results.absent) == {"changes", "persistence"}
    assert (
        value(history([epoch(n, m) for n, m in enumerate(four[:2], 1)]), "flickering").reason
        == "too-few-epochs"
    )


def test_without_any_epoch_all_is_missing_with_a_reason() -> None:
    results = history([])
    assert {m.reason for m in results.measurements} == {"no-reference"} and not results.products


def test_what_an_epoch_did_not_look_for_counts_neither_way() -> None:
    """Hot pixels of an epoch without darks are not gone, and two of two that looked are all."""
    first, second, third = empty(), empty(), empty()
    first[0, 0] = second[0, 0] = HOT
    first[1, 0] = second[1, 0] = third[1, 0] = DARK
    third[5, 5] = DARK
    first[:, 7] |= COLUMN  # found by its hot pixels
    seeing = tuple(k for k in PIXELS if k not in ("hot", "warm", "unstable"))
    results = history([epoch(1, first), epoch(2, second), epoch(3, third, seeing)], fraction=1.0)
    assert mask_of(results)[0, 0] == HOT
    assert (number(results, "added"), number(results, "removed")) == (1, 0)
    assert "not in both epochs: hot, warm, unstable" in value(results, "added").note
    assert value(results, "hot").note == "in 2 of 2 epochs at least"
    assert len(rows(results, "changed")) == 1  # neither the hot pixel nor the column
    blind = history([epoch(n, first, seeing) for n in (1, 2)])
    assert value(blind, "hot").reason == "too-few-frames"


def test_pixels_that_were_not_seen_neither_come_nor_go() -> None:
    first, second, third = empty(), empty(), empty()
    first[0, 0], second[0, 0], third[0, 0] = HOT, UNSEEN, HOT
    first[0, 1], second[0, 1], third[0, 1] = HOT, UNSEEN, 0
    results = history([epoch(n, m) for n, m in enumerate((first, second, third), 1)])
    (row,) = rows(results, "changed")
    assert (row["x"], row["epochs"], row["course"], row["share"]) == (1, "1-0", "gone", 0.5)
    assert (number(results, "added"), number(results, "removed")) == (0, 0)


def test_a_mask_of_another_shape_is_left_out_with_a_caveat(four: list[Mask]) -> None:
    small = Epoch("OLD", "TEST00", "", (), lambda: ImageProduct({"A": np.zeros((4, 4), np.int32)}, ""))
    other = Epoch("OLD", "TEST01", "", (), lambda: ImageProduct({"B": four[0]}, ""))
    results = history([small, other, epoch(1, four[0])])
    assert number(results, "epochs") == 1
    assert results.caveats == ["A: the mask of OLD/TEST00 is left out, it has the shape (4, 4), not (12, 12)"]
    assert "A: OLD/TEST01 has no mask of it" in results.log


def test_a_test_without_a_mask_of_its_own_says_so(four: list[Mask]) -> None:
    given_to = inputs(PROCEDURE, EYE, {}, epochs={("defects", "mask"): [epoch(2, four[0])]})
    assert measured(PROCEDURE, given_to).caveats == ["This test has no mask of its own: the latest epoch is BLOCK/TEST02."]  # fmt: skip


def test_masks_are_read_one_at_a_time(four: list[Mask]) -> None:
    """However many epochs: what one read hands out is forgotten before the next."""
    held: list[int] = []
    alive = 0

    class Counted(dict[str, NDArray[np.generic]]):
        def __init__(self, mask: Mask) -> None:
            nonlocal alive
            super().__init__(A=mask)
            alive += 1
            held.append(alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def reading(mask: Mask) -> Epoch:
        return replace(epoch(1, mask), read=lambda: ImageProduct(Counted(mask.copy()), ""))

    history([replace(reading(m), test=f"T{n}") for n, m in enumerate(four * 5)])
    assert max(held) <= 2


def test_figures_tell_few_epochs_by_name_and_many_by_time(four: list[Mask]) -> None:
    few = history([epoch(n, m) for n, m in enumerate(four, 1)])
    named = few.figures["over_time"]
    assert isinstance(named, Plot) and named.panels[0].xnames == ("TEST01", "TEST02", "TEST03", "TEST04")
    likeness = few.figures["persistence"]
    assert isinstance(likeness, ImageMap) and likeness.data[0, -1] == pytest.approx(6 / 12)
    many = [epoch(n, four[n % 4]) for n in range(1, 13)]
    timed = history(many).figures["over_time"]
    assert isinstance(timed, Plot) and timed.panels[1].xlabel == "days since 2025-01-01 00:00"
    assert timed.panels[1].series[0].x[-1] == 11.0
    timeless = history([replace(e, time="") for e in many[:3]]).figures["over_time"]
    assert isinstance(timeless, Plot) and timeless.panels[0].xlabel == "epoch"
    unknown = history([replace(many[0], time=""), *many[1:]]).figures["changes"]
    assert isinstance(unknown, Plot) and unknown.panels[0].xlabel == "number of the epoch"


MASKS = st.lists(st.lists(st.integers(0, 2 ** len(BITS) - 1), min_size=4, max_size=4), min_size=1, max_size=6)


@given(MASKS, st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.randoms(use_true_random=False))
def test_laws_of_merging(values: list[list[int]], one: float, other: float, random: object) -> None:
    masks = [np.array([v], np.int32) & ~UNSEEN for v in values]
    low, high = sorted((one, other))
    all_of, any_of = np.bitwise_and.reduce(masks), united(masks)
    loose, strict = agreed(masks, low), agreed(masks, high)
    assert not (loose & ~any_of).any() and not (strict & ~loose).any() and not (all_of & ~strict).any()
    assert np.array_equal(agreed(masks, 1.0) != 0, np.logical_and.reduce([m != 0 for m in masks]))
    mixed = list(masks)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert np.array_equal(agreed(mixed, low), loose) and np.array_equal(united(mixed), any_of)


def test_expectations_of_noise_are_those_of_drawing() -> None:
    """Pixels evenly about the threshold, drawn over and over: flips, merged counts and pixels that come and go scatter as is said."""
    rng, epochs, runs = np.random.default_rng(7), 5, 4000
    depth = np.linspace(-12.0, 12.0, 481)
    variance = float((ndtr(depth) * ndtr(-depth)).sum())
    found = rng.standard_normal((runs, epochs, depth.size)) < depth
    new = (found[:, 1] & ~found[:, 0]).sum(axis=1)
    assert abs(new.mean() - flips(variance, variance)) < 4.0 * new.std() / sqrt(runs)
    for needed in (1, 3, 5):
        merged = (found.sum(axis=1) >= needed).sum(axis=1)
        # a variance of n normal values is known to √(2/n) of itself
        assert merged.var(ddof=1) == pytest.approx(steadiness(epochs, needed) * variance, rel=4.0 * sqrt(2.0 / runs))  # fmt: skip
    often = ((found[:, 1:] != found[:, :-1]).sum(axis=1) > 1).sum(axis=1)
    assert abs(often.mean() - come_and_go(epochs) * variance) < 4.0 * often.std() / sqrt(runs)
    wide = rng.standard_normal((runs, depth.size)) * 2.0 < depth
    mixed = (wide & ~found[:, 0]).sum(axis=1)
    assert abs(mixed.mean() - flips(variance, 2.0 * variance)) < 4.0 * mixed.std() / sqrt(runs)
    assert about_threshold(lambda p: p * (1.0 - p)) == pytest.approx(1.0)
    assert steadiness(1, 1) == 1.0 and come_and_go(2) == 0.0


def test_the_error_of_likeness_is_that_of_its_counts() -> None:
    rng = np.random.default_rng(8)
    added, removed = rng.poisson(40.0, 20_000), rng.poisson(40.0, 20_000)
    drawn = (1000 - removed) / (1000 + added)
    assert drawn.std() == pytest.approx(
        likeness_error(960, 40, 40, 40.0), rel=0.03
    )  # √(1/2·20000) is 0.5 %; second order the rest
    assert likeness_error(0, 0, 0, 0.0) == 0.0


def test_uncertainties_of_two_epochs_follow_from_theirs() -> None:
    held = [empty(), empty()]
    for mask in held:
        mask[0, :6] = HOT
    results = history([epoch(1, held[0], sigma=0.5), epoch(2, held[1], sigma=1.0)])
    flipped = len(PIXELS) * sqrt(0.5 * (0.25**2 + 1.0))
    assert number(results, "flips") == pytest.approx(flipped)
    assert value(results, "added").uncertainty == pytest.approx(sqrt(flipped))
    assert value(results, "hot").uncertainty == pytest.approx(sqrt(0.5 * (0.25 + 1.0) * steadiness(2, 1)))
    own = len(PIXELS) * 0.625 * steadiness(2, 1) + 0.25  # and the false pixels of one epoch more
    assert value(results, "bad_area").uncertainty == pytest.approx(100.0 * sqrt(own) / SIDE**2)
