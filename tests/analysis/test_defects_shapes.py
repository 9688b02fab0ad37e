"""Chances, local levels, columns, clusters, edges and merged epochs: each against what can be counted by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, stats

from analysis.defects.chance import beyond, beyond_with_shot_noise, crossing_variance
from analysis.defects.epochs import agreed, changes, united
from analysis.defects.local import above_level, local, noise_of_mean, relative_to
from analysis.defects.products import region
from analysis.defects.series import over_usual
from analysis.defects.shapes import (
    _islands_of_few,
    clusters,
    columns,
    edge,
    faint_columns,
    filled,
    islands,
    spilled,
)
from analysis.masks import BITS
from campaign.geometry import decam, quadrants, single


@pytest.mark.parametrize(
    ("charge", "variance", "excess"),
    [(4.0, 25.0, 30.0), (60.0, 0.01, 40.0), (2.0, 1.0, 12.0), (0.0, 4.0, 10.0)],
)
def test_the_tail_of_poisson_and_normal_noise_together(charge: float, variance: float, excess: float) -> None:
    n = np.arange(0, int(charge + 40 * sqrt(charge + 1)) + 60)
    exact = float(
        (stats.poisson.pmf(n, charge) * stats.norm.sf((excess + charge - n) / sqrt(variance))).sum()
    )
    # a lattice's tail without smoothing is stepped: the approximation is of its middle
    assert beyond_with_shot_noise(excess, charge, variance) == pytest.approx(
        exact, rel=0.35 if variance < 0.1 else 0.05
    )
    assert beyond(5.0) == pytest.approx(stats.norm.sf(5.0), rel=1e-12)


def test_a_tail_of_nothing_is_refused() -> None:
    for wrong in ((0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 0.0, 0.0)):
        with pytest.raises(ValueError, match="no tail"):
            beyond_with_shot_noise(*wrong)


def test_the_variance_of_a_count_is_that_of_pixels_near_the_threshold() -> None:
    one = 1.0 / sqrt(np.pi)
    assert crossing_variance(np.array([0.0, 0.9, 1.1, -3.0])) == pytest.approx(2.5 * one)
    # of those near it two are expected to be false: other ones on the next occasion
    assert crossing_variance(np.array([0.1, 0.2, 0.3]), 2.0) == pytest.approx(1.5 * one + 2.0)
    # nothing near is no certainty, however far away all others are
    for far in ([], [20.0, 9.0]):
        assert sqrt(crossing_variance(np.array(far), 1e-90)) == pytest.approx(0.531, abs=1e-3)


@pytest.mark.parametrize(
    ("per_sigma", "falling", "false"),
    [(30.0, np.inf, 0.0), (2.0, np.inf, 0.0), (200.0, 2.0, 0.0), (0.0, np.inf, 8.0), (10.0, np.inf, 8.0)],
)
def test_counts_scatter_on_repetition_as_they_say(per_sigma: float, falling: float, false: float) -> None:
    rng = np.random.default_rng(11)
    far = np.arange(-4.0, 12.0, 1.0 / per_sigma) if per_sigma else np.zeros(0)
    kept = rng.random(far.size) < np.exp(-np.maximum(far + 4.0, 0.0) / falling)
    depths, low = far[kept], 4.0
    expected, pulls = float(stats.norm.cdf(depths).sum()) + false, []
    for _ in range(1500):
        seen = depths + rng.standard_normal(depths.size)
        tail = stats.norm.isf(rng.random(rng.poisson(false)) * beyond(low)) - low
        margins = np.concatenate([seen[seen > 0], tail])
        pulls.append((margins.size - expected) / sqrt(crossing_variance(margins, false)))
    # of 1500 pulls the scatter is known to 0.018; four times that is allowed
    assert 0.9 - 0.07 <= float(np.std(pulls)) <= 1.1 + 0.07


def test_level_and_noise_around_follow_slopes_and_ignore_outliers() -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:200, 0:300].astype(float)
    sigma = 2.0 + x / 300.0
    image = 1000.0 + 0.5 * y - 0.2 * x + sigma * rng.normal(0, 1, y.shape)
    image[5, 7], image[100, 100], image[150, 30:34] = np.nan, 1e6, -50.0
    around = local(image, 32)
    assert around is not None
    z = around.significance
    assert np.isnan(z[5, 7]) and z[100, 100] > 1e5 and (z[150, 30:34] < -100).all()
    good = np.abs(z) < 6
    assert float(z[good].mean()) == pytest.approx(0.0, abs=0.02)
    # σ of ~1000 values of a cell is known to 2.5 %, which widens z by half its square
    assert float(z[good].std()) == pytest.approx(1.0, abs=4 / sqrt(2 * z.size) + 0.005)
    # corners too: the level goes on straight beyond the outermost cells' centres
    assert np.abs(z[:8, :8][np.isfinite(z[:8, :8])]).max() < 5
    level, scatter = around.at(np.array([100]), np.array([150]))
    assert level[0] == pytest.approx(1000 + 50 - 30, abs=0.5) and scatter[0] == pytest.approx(2.5, rel=0.08)
    off, ratio = above_level(image, around)[100, 150], relative_to(image, around)[100, 150]
    assert off == pytest.approx(image[100, 150] - level[0], abs=1e-3)
    assert ratio == pytest.approx(image[100, 150] / level[0], rel=1e-5)


def test_scaling_changes_nothing_and_no_noise_is_no_infinity() -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(10.0, 1.0, (96, 96)).astype(np.float32)
    one, eight = local(image, 32), local(image * np.float32(8.0), 32)
    assert one is not None and eight is not None
    np.testing.assert_allclose(one.significance, eight.significance, atol=2e-4)
    flat = np.full((40, 40), 7.0, np.float32)
    flat[3, 3] = 9.0
    found = local(flat, 16)
    assert found is not None and np.isfinite(found.significance).all() and found.significance[3, 3] > 1e3
    assert np.count_nonzero(found.significance) == 1
    assert local(np.full((40, 40), np.nan), 16) is None


def test_noise_of_a_mean_is_that_of_its_frames() -> None:
    rng = np.random.default_rng(3)
    stack = rng.normal(0, 3.0, (6, 300, 300))
    assert noise_of_mean(stack.var(axis=0, ddof=1), 6) == pytest.approx(3.0 / sqrt(6), rel=0.01)
    assert noise_of_mean(np.full((3, 3), np.nan), 1) is None


@pytest.mark.parametrize("frames", [5, 20])
def test_variances_over_the_usual_are_chi_squared(frames: int) -> None:
    rng = np.random.default_rng(4)
    dof = frames - 1
    variance = (7.0 * rng.chisquare(dof, (256, 256)) / dof).astype(np.float32)
    ratio, around = over_usual(variance, dof, 32)
    assert around is not None
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.012)
    for q in (0.5, 0.99):
        assert float(np.quantile(ratio, q)) == pytest.approx(stats.chi2.ppf(q, dof) / dof, rel=0.02)


def test_columns_need_enough_and_more_than_is_usual() -> None:
    bad = np.zeros((200, 60), bool)
    bad[20:60:2, 10] = True  # twenty, every other row
    bad[5:24, 30] = True  # nineteen
    bad[::4, 40] = True  # fifty, over all of it
    out = columns(bad, 20, 30, 0.5)
    assert out[20:59, 10].all() and not out[60:, 10].any() and not out[:20, 10].any()
    assert not out[:, 30].any() and out[:, 40].all()
    everywhere = np.random.default_rng(5).random((200, 60)) < 0.2  # forty in each: none stands out
    assert not columns(everywhere, 20, 30, 0.5).any()


def test_gaps_are_filled_to_their_length_and_no_further() -> None:
    line = np.zeros(300, bool)
    line[[10, 41, 72]] = True  # thirty rows between
    assert filled(line, 3, 30, 0.9).sum() == 63 and not filled(line, 3, 29, 0.9).any()
    assert filled(line, 3, 30, 0.2).all() and not filled(np.zeros(9, bool), 2, 3, 0.5).any()


def test_faint_columns_stand_out_of_their_neighbours() -> None:
    rng = np.random.default_rng(6)
    z = rng.normal(0, 1, (400, 120)).astype(np.float32)
    z[:, 50] += 0.6  # 12 σ of the column's mean, no pixel of which shows it
    z[:, 90] -= 0.6
    z[7, 20] = 1e6  # a single pixel makes no column
    numbers, by = faint_columns(z, 5.0)
    assert numbers.tolist() == [50, 90] and by[0] > 5 and by[1] < -5
    assert faint_columns(z[:, :20], 5.0)[0].size == 0


def test_charge_spills_along_columns_alone() -> None:
    bad, saturated = np.zeros((2, 20, 20), bool)
    bad[4:12, 5], saturated[8, 5] = True, True
    bad[8, 6], bad[15, 5] = True, True
    out = spilled(saturated, bad)
    assert out.sum() == 7 and not out[8, 5] and not out[8, 6] and not out[15, 5]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=80, unique=True))
def test_islands_are_those_of_the_whole_image(points: list[tuple[int, int]]) -> None:
    y, x = np.array(points).T
    image = np.zeros((31, 31), bool)
    image[y, x] = True
    labels = ndimage.label(image, np.ones((3, 3)))[0][y, x]
    for of in (islands(y * 100, x), islands(y, x), _islands_of_few(y, x))[1:]:
        assert (
            len(set(zip(of.tolist(), labels.tolist(), strict=True)))
            == len(set(of.tolist()))
            == len(set(labels.tolist()))
        )
        assert set(of.tolist()) == set(range(int(of.max()) + 1))


def test_clusters_have_extents_and_touch_by_corners() -> None:
    y, x = np.array([3, 4, 5, 5, 20, 21, 900]), np.array([3, 4, 5, 6, 8, 8, 900])
    found, within = clusters(y, x, 4)
    assert [(c.y0, c.y1, c.x0, c.x1, c.pixels) for c in found] == [(3, 6, 3, 7, 4)]
    assert within.tolist() == [True] * 4 + [False] * 3
    assert [c.pixels for c in clusters(y, x, 1)[0]] == [4, 2, 1]
    assert clusters(y[:0], x[:0], 1)[0] == []


def test_edges_are_those_of_the_detector() -> None:
    geometry = quadrants(rows=20, columns=16)
    for channel in geometry.channels:
        at = edge(channel, geometry.channels, 2)
        assert at.sum() == 2 * 16 + 2 * 20 - 4  # the two outer sides of each quadrant
        assert (
            at[0 if "lower" in channel.corner else -1].all()
            and at[:, 0 if "left" in channel.corner else -1].all()
        )
    alone = single(rows=20, columns=16)
    assert edge(alone.channels[0], alone.channels, 3).sum() == 20 * 16 - 14 * 10
    a, _ = decam().channels
    assert edge(a, decam().channels, 1).sum() == 2 * 1024 + 4096 - 2
    assert not edge(a, decam().channels, 0).any()


def masks(*rows: list[int]) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [np.array([r], np.int32) for r in rows]


def test_epochs_are_united_or_agree() -> None:
    hot, warm, unseen = BITS["hot"], BITS["warm"], BITS["no-value"]
    held = masks([hot, hot, 0, unseen], [hot, warm, 0, unseen], [hot | warm, 0, 0, unseen], [0, 0, 0, unseen])
    assert united(held).tolist() == [[hot | warm, hot | warm, 0, unseen]]
    assert agreed(held, 0.75).tolist() == [[hot, 0, 0, unseen]]
    assert agreed(held, 0.25).tolist() == [[hot | warm, hot | warm, 0, unseen]]
    # one that did not see a pixel has no say: two of the three that did
    assert agreed(masks([hot], [hot], [0], [unseen]), 0.66).tolist() == [[hot]]
    # equality is enough, whatever rounding makes of 0.7 × 10
    assert agreed(masks(*[[hot]] * 7, *[[0]] * 3), 0.7).tolist() == [[hot]]
    assert agreed(masks(*[[hot]] * 6, *[[0]] * 4), 0.7).tolist() == [[0]]
    for wrong in (0.0, 1.1):
        with pytest.raises(ValueError, match="fraction"):
            agreed(held, wrong)
    with pytest.raises(ValueError, match="no masks"):
        united([])
    with pytest.raises(ValueError, match="different shapes"):
        united([held[0], held[0].T])


@given(st.lists(st.integers(0, 2**18 - 1), min_size=1, max_size=5), st.floats(0.01, 1.0))
def test_what_most_agree_on_some_have(values: list[int], fraction: float) -> None:
    values = [v & ~BITS["no-value"] for v in values]
    held = masks(*[[v] for v in values])
    out = int(agreed(held, fraction)[0, 0])
    assert out & ~int(united(held)[0, 0]) == 0
    assert int(agreed(held, 1.0)[0, 0]) & ~out == 0


def test_changes_see_pixels_that_moved() -> None:
    hot = BITS["hot"]
    found = changes(*masks([hot, hot, 0, 0], [hot, 0, hot, 0]))
    assert list(found) == ["hot"] and found["hot"].likeness == pytest.approx(1 / 3)
    assert (found["hot"].common, found["hot"].added, found["hot"].removed) == (1, 1, 1)


def test_regions_count_from_one_and_cover_their_pixels() -> None:
    assert region("cluster", 10, 20, 3, 2).startswith("box(21.5,12,2,3,0)")
