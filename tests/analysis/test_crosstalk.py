"""Crosstalk against frames whose matrix is known: where pixels correspond in time, what may be used, what cannot be told, and its removal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.contract import ContractError, FrameInput, Inputs, Product, Results, TableProduct
from analysis.correction import chain
from analysis.crosstalk import PROCEDURE
from analysis.crosstalk.readout import Grid, basis, serial_start, turned
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from analysis.masks import BITS
from bench.truth.of_crosstalk import NAMES, Scene, simulated, table
from builder.simulate.effects.crosstalk import as_read, coupled, noise_in_common, spots
from builder.simulate.scene import extent
from campaign.geometry import Geometry, quadrants, single
from campaign.model import Detector

GEOMETRY = quadrants(rows=120, columns=130, prescan=6, overscan=16, parallel=4)
CAMERA = detector(GEOMETRY)
MATRIX = {("E", "F"): 1e-3, ("H", "E"): -4e-4, ("G", "H"): 2e-4}


def lit(
    rng: np.random.Generator, camera: Detector, charge: float = 4e4, number: int = 4
) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Signals [ADU] of spots in the order of readout, prescan first."""
    out = {}
    for c in camera.geometry.channels:
        whole = np.zeros(extent(c).shape)
        start = c.prescan.shape[1] if c.prescan else 0
        rows, columns = c.image.shape
        whole[:rows, start : start + columns] = spots(rng, (rows, columns), number, 3.0, charge, charge)
        out[c.name] = whole
    return out


def image(
    camera: Detector, levels: dict[str, np.ndarray], noise: float, rng: np.random.Generator
) -> np.ndarray:  # type: ignore[type-arg]
    made = np.full(camera.geometry.shape, 1000.0)
    for c in camera.geometry.channels:
        made[extent(c).slices] = 1000.0 + as_read(levels[c.name], c.corner)
    return np.asarray(made + noise * rng.standard_normal(made.shape))


def exposures(
    number: int = 2, noise: float = 0.0, stored: str = "float", matrix: dict[tuple[str, str], float] = MATRIX, camera: Detector = CAMERA, seed: int = 5
) -> list[FrameInput]:  # fmt: skip
    rng = np.random.default_rng(seed)
    out = []
    for n in range(number):
        made = image(camera, coupled(lit(rng, camera), matrix), noise, rng)
        held = (
            digitised(made)
            if stored == "uint16"
            else made.astype(np.float32 if stored == "float" else np.float64)
        )
        out.append(frame_input(held, camera, "point", n, 10.0))
    return out


def given(frames: list[FrameInput], camera: Detector = CAMERA, **parameters: Any) -> Inputs:
    return replace(
        inputs(PROCEDURE, camera, {"light": frames}, **parameters), detectors={camera.name: camera}
    )


def measure(frames: list[FrameInput], camera: Detector = CAMERA, **parameters: Any) -> Results:
    return measured(PROCEDURE, given(frames, camera, **parameters))


@pytest.mark.parametrize("method", ["masked ratio", "stamp fit"])
def test_without_noise_the_matrix_is_found(method: str) -> None:
    rows = table(measure(exposures(4), method=method))
    assert len(rows) == 12
    for pair, row in rows.items():
        # single precision of 40,000 ADU is 0.004 ADU, and far wings are part of the background
        assert row["coefficient"] == pytest.approx(MATRIX.get(pair, 0.0), abs=3e-6), pair


@pytest.mark.parametrize("method", ["masked ratio", "stamp fit"])
def test_pixels_correspond_in_time_not_in_place(method: str) -> None:
    """The same signals from channels all read at the lower left give the same numbers as from mirrored ones."""
    plain = Geometry(
        "plain", GEOMETRY.shape, tuple(replace(c, corner="lower-left") for c in GEOMETRY.channels)
    )
    mirrored = exposures(3, 3.0)
    found = table(measure(mirrored, method=method))
    turned_back = []
    for n, frame in enumerate(mirrored):
        whole = frame.pixels.read(GEOMETRY.channels[0], replace(GEOMETRY.channels[0].image, y0=0, y1=GEOMETRY.shape[0], x0=0, x1=GEOMETRY.shape[1])).copy()  # fmt: skip
        for c in GEOMETRY.channels:
            whole[extent(c).slices] = as_read(whole[extent(c).slices].copy(), c.corner)
        turned_back.append((n, whole))
    channels = []
    for c in plain.channels:  # regions turn with the pixels
        box = extent(c)
        moved = {}
        for name in ("image", "prescan", "overscan", "parallel"):
            r = c.region(name)
            assert r is not None
            corner = GEOMETRY.channel(c.name).corner
            if corner.startswith("upper"):
                r = replace(r, y0=box.y0 + box.y1 - r.y1, y1=box.y0 + box.y1 - r.y0)
            if corner.endswith("right"):
                r = replace(r, x0=box.x0 + box.x1 - r.x1, x1=box.x0 + box.x1 - r.x0)
            moved[name] = r
        channels.append(replace(c, **moved))
    straight = detector(Geometry("straight", GEOMETRY.shape, tuple(channels)))
    again = table(
        measure([frame_input(w, straight, "point", n, 10.0) for n, w in turned_back], straight, method=method)
    )
    assert again == found


def test_levels_and_scales_cancel() -> None:
    """A constant added changes nothing; twice the signal and noise, twice the threshold: the same coefficients."""
    frames = exposures(2, 3.0, "double")
    first = table(measure(frames, threshold=4000.0))
    shifted, doubled = [], []
    for n, frame in enumerate(frames):
        whole = np.asarray(frame.pixels.image)  # type: ignore[attr-defined]
        shifted.append(frame_input(whole + 512.0, CAMERA, "point", n, 10.0))
        big = detector(replace(GEOMETRY, saturation=131070.0))
        doubled.append(frame_input(2.0 * whole, big, "point", n, 10.0))
    for other, camera, threshold in ((shifted, CAMERA, 4000.0), (doubled, big, 8000.0)):
        for pair, row in table(measure(other, camera, threshold=threshold)).items():
            assert row["coefficient"] == pytest.approx(first[pair]["coefficient"], abs=0.05 * row["error"])
            assert row["error"] == pytest.approx(first[pair]["error"], rel=0.01)


def test_quantities_tell_the_largest_and_the_sum() -> None:
    results = measure(exposures(4, 3.0, "uint16"))
    best, total, count = (value(results, q, "E") for q in ("largest", "total", "significant"))
    rows = table(results)
    assert best.value == rows["E", "F"]["coefficient"] and "CCD1 F" in best.note
    assert total.value == pytest.approx(sum(rows["E", a]["coefficient"] for a in "FGH"))
    assert count.value == 1 and "F" in count.note
    nothing = value(results, "largest", "F")
    assert nothing.value is not None and nothing.uncertainty is not None
    assert "consistent-with-zero" in nothing.flags and abs(nothing.value) < 3 * nothing.uncertainty


def test_a_negative_coefficient_keeps_its_sign() -> None:
    found = value(measure(exposures(4, 3.0)), "largest", "H")
    assert found.value is not None and found.uncertainty is not None
    assert abs(found.value + 4e-4) < 5 * found.uncertainty < 4e-4


def test_particles_and_sources_of_the_victim_do_not_count() -> None:
    """The peers' ratio of means takes whatever is there; here what no aggressor explains is left out."""
    clean = table(measure(exposures(3, 3.0)))
    struck = exposures(3, 3.0)
    rng = np.random.default_rng(8)
    for frame in struck:
        pixels = frame.pixels.image  # type: ignore[attr-defined]
        for c in GEOMETRY.channels:
            y = rng.integers(c.image.y0, c.image.y1, 25)
            x = rng.integers(c.image.x0, c.image.x1, 25)
            pixels[y, x] += 300.0
    for pair, row in table(measure(struck)).items():
        assert abs(row["coefficient"] - clean[pair]["coefficient"]) < 2.0 * row["error"], pair


def test_saturated_nan_and_masked_pixels_are_left_out() -> None:
    frames = exposures(3, 3.0, matrix=MATRIX)
    for frame in frames:
        pixels = frame.pixels.image  # type: ignore[attr-defined]
        high = pixels > 35000
        pixels[high] = 65535.0  # the tips of the spots: what they were is lost
        pixels[::17, ::13] = np.nan
    for pair, row in table(measure(frames)).items():
        assert abs(row["coefficient"] - MATRIX.get(pair, 0.0)) < 5.0 * row["error"], pair


def test_noise_in_common_is_seen_and_is_no_crosstalk() -> None:
    rng = np.random.default_rng(9)
    shape = extent(GEOMETRY.channels[0]).shape
    frames = []
    for n in range(6):
        noise = noise_in_common(rng, shape, 4, 4.0, 0.6)
        signals = lit(rng, CAMERA)
        levels = {c: s + noise[k] for k, (c, s) in enumerate(signals.items())}
        frames.append(frame_input(digitised(image(CAMERA, levels, 0.0, rng)), CAMERA, "point", n, 10.0))
    for method in ("masked ratio", "stamp fit"):
        results = measure(frames, method=method)
        seen = value(results, "noise_correlation", "E")
        assert seen.value is not None and seen.uncertainty is not None
        assert abs(seen.value - 0.6 * 16 / (16 + 1 / 12)) < 5 * seen.uncertainty
        assert all(abs(r["coefficient"]) < 4 * r["error"] for r in table(results).values())


def two_detectors(noise: float) -> tuple[Inputs, Detector]:
    """The second detector has a wider prescan: the same moment is another column. It couples into the first by 5e-4."""
    rng = np.random.default_rng(12)
    other = detector(single(rows=120, columns=130, prescan=20, overscan=16), "CCD2")
    here = detector(single(rows=120, columns=130, prescan=6, overscan=30), "CCD1")
    frames = []
    for n in range(4):
        there = np.zeros(other.geometry.shape)
        there[:, 20:150] = spots(rng, (120, 130), 5, 3.0, 4e4, 4e4)
        mine = 5e-4 * there[:, : here.geometry.shape[1]]
        for camera, signal in ((here, mine), (other, there)):
            made = 1000.0 + signal + noise * rng.standard_normal(signal.shape)
            frames.append(frame_input(made.astype(np.float32), camera, "point", n, 10.0))
    known = {d.name: d for d in (here, other)}
    return replace(inputs(PROCEDURE, here, {"light": frames}), detectors=known), other


def test_detectors_hear_each_other_at_the_same_moment() -> None:
    what, other = two_detectors(2.0)
    results = measured(PROCEDURE, what)
    found = value(results, "largest", "A")
    assert found.value is not None and found.uncertainty is not None and "CCD2 A" in found.note
    assert abs(found.value - 5e-4) < 4 * found.uncertainty < 1e-4
    assert serial_start(other.geometry.channels[0]) == 20


def product(results: Results) -> dict[tuple[str, str], Any]:
    made: Product = results.products["matrix"]
    return {("crosstalk", "matrix"): lambda: made}


@pytest.mark.parametrize("method", ["masked ratio", "stamp fit"])
def test_after_the_correction_nothing_is_left(method: str) -> None:
    """The matrix of some frames is taken off others, on which it is then consistent with zero."""
    scene = Scene(coefficients=(1e-3, 1e-4, 0.0), exposures=3, cosmics=0)
    first = measured(PROCEDURE, simulated(41, scene))
    what = replace(
        simulated(42, scene),
        products=product(first),
        parameters=PROCEDURE.settings({"corrections": "offset crosstalk", "method": method}),
    )
    before, after = table(first), table(measured(PROCEDURE, what))
    for victim in NAMES:
        source = NAMES[(NAMES.index(victim) + 1) % 4]
        assert before[victim, source]["coefficient"] > 50 * before[victim, source]["error"]
    pulls = []
    for pair, row in after.items():
        # that of the matrix which was taken off counts too
        pulls.append(row["coefficient"] / np.hypot(row["error"], before[pair]["error"]))
    # coefficients within three errors were not taken off: those of 1e-4 all were
    assert np.abs(pulls).max() < 4.5
    assert np.mean(np.square(pulls)) < 1.0 + 4.0 * np.sqrt(2.0 / len(pulls))


def test_the_step_takes_off_what_was_put_on() -> None:
    frame = exposures(1)[0]
    rows = [(v, a, c) for (v, a), c in MATRIX.items()]
    made = TableProduct(
        {
            "victim": [v for v, _, _ in rows], "aggressor_detector": ["CCD1"] * 3, "aggressor": [a for _, a, _ in rows],
            "coefficient": [c for _, _, c in rows], "error": [1e-7] * 3, "slope": [float("nan")] * 3, "slope_error": [float("nan")] * 3, "signal": [0.0] * 3,
        }
    )  # fmt: skip
    rng = np.random.default_rng(5)
    clean = lit(rng, CAMERA)
    what = replace(
        given([frame], corrections="offset crosstalk"), products={("crosstalk", "matrix"): lambda: made}
    )
    for name in ("E", "H", "G"):
        channel = GEOMETRY.channel(name)
        steps = chain(what, channel)
        assert steps.words == "offset, crosstalk" and steps.without == {}
        out = steps.apply(frame)
        rows_, columns = channel.image.shape
        wanted = clean[name][:rows_, 6 : 6 + columns]
        # aggressors have crosstalk themselves, which is of second order: 1e-3 of 1e-3 of 40,000 ADU
        np.testing.assert_allclose(turned(out.values, channel), wanted, atol=0.06)
        assert out.good.all()
    absent = chain(given([frame], corrections="offset crosstalk"), GEOMETRY.channel("E"))
    assert absent.without == {"crosstalk": "there is no matrix of crosstalk of this detector"}
    row_missing = chain(what, GEOMETRY.channel("F"))
    assert "no row" in row_missing.without["crosstalk"]


def test_what_a_saturated_or_absent_aggressor_gave_is_masked() -> None:
    frame = exposures(1)[0]
    pixels = frame.pixels.image  # type: ignore[attr-defined]
    source = GEOMETRY.channel("F").image
    pixels[source.y1 - 1, source.x1 - 1] = 65535.0  # the first pixel read of the upper right corner
    columns = {
        "victim": ["E"], "aggressor_detector": ["CCD1"], "aggressor": ["F"], "coefficient": [1e-3], "error": [1e-6],
        "slope": [0.0], "slope_error": [1.0], "signal": [0.0],
    }  # fmt: skip
    what = replace(
        given([frame], corrections="offset crosstalk"),
        products={("crosstalk", "matrix"): lambda: TableProduct(columns)},
    )
    victim = GEOMETRY.channel("E")
    mask = turned(chain(what, victim).apply(frame).mask, victim)
    assert mask[0, 0] == BITS["uncorrected"] and np.count_nonzero(mask) == 1
    foreign = {**columns, "aggressor_detector": ["CCD2"]}
    far = detector(GEOMETRY, "CCD2")
    what = replace(
        what,
        detectors={"CCD1": CAMERA, "CCD2": far},
        products={("crosstalk", "matrix"): lambda: TableProduct(foreign)},
    )
    assert (chain(what, victim).apply(frame).mask == BITS["uncorrected"]).all()


def test_a_coefficient_that_changes_with_signal_is_taken_off_as_it_changes() -> None:
    rng = np.random.default_rng(21)
    signals = lit(rng, CAMERA, number=12)
    bent = coupled(signals, {("E", "F"): 1e-3}, slope=0.1)
    frame = frame_input(image(CAMERA, bent, 0.0, rng).astype(np.float32), CAMERA, "point", 0, 10.0)
    columns = {
        "victim": ["E"], "aggressor_detector": ["CCD1"], "aggressor": ["F"], "coefficient": [1e-3 * (1 + 0.1 * 2.5)], "error": [1e-6],
        "slope": [1e-3 * 0.1 / 1e4], "slope_error": [1e-10], "signal": [25000.0],
    }  # fmt: skip
    what = replace(
        given([frame], corrections="offset crosstalk"),
        products={("crosstalk", "matrix"): lambda: TableProduct(columns)},
    )
    victim = GEOMETRY.channel("E")
    out = turned(chain(what, victim).apply(frame).values, victim)
    np.testing.assert_allclose(out, signals["E"][:120, 6:136], atol=0.02)


def test_what_cannot_be_had_says_why() -> None:
    rng = np.random.default_rng(3)
    dim = [frame_input(digitised(rng.normal(1000, 3, GEOMETRY.shape)), CAMERA, "point", 0, 10.0)]
    assert value(measure(dim), "largest", "E").reason == "not-reached"
    assert value(measure([]), "largest", "E").reason == "too-few-frames"
    full = [frame_input(np.full(GEOMETRY.shape, 65535, np.uint16), CAMERA, "point", 0, 10.0)]
    assert value(measure(full), "total", "E").reason == "saturated"
    one = detector(single(rows=60, columns=60, overscan=10))
    alone = [frame_input(digitised(rng.normal(1000, 3, (60, 70))), one, "point", 0, 10.0)]
    assert value(measure(alone, one), "largest").reason == "no-reference"
    assert value(measure(alone, one), "noise_correlation").reason == "no-reference"
    bare = detector(quadrants(rows=60, columns=64, prescan=0, overscan=0, parallel=0))
    frames = [frame_input(digitised(rng.normal(1000, 3, bare.geometry.shape)), bare, "point", 0, 10.0)]
    assert value(measure(frames, bare), "noise_correlation", "E").reason == "no-overscan"
    with pytest.raises(ContractError, match="method"):
        measure(dim, method="guess")


def test_a_detector_without_over_or_prescan_is_measured_all_the_same() -> None:
    bare = detector(quadrants(rows=120, columns=130, prescan=0, overscan=0, parallel=0))
    rows = table(measure(exposures(3, 3.0, camera=bare), bare))
    for pair, row in rows.items():
        assert abs(row["coefficient"] - MATRIX.get(pair, 0.0)) < 4.5 * row["error"], pair


def test_no_frame_is_read_twice_by_the_default() -> None:
    """Each channel is read once as aggressor, once as victim, its overscan once; more frames hold no more memory than one."""
    frames = exposures(3, 3.0)
    before = [f.pixels.reads for f in frames]  # type: ignore[attr-defined]
    measure(frames)
    assert all(f.pixels.reads - b <= 3 * 4 for f, b in zip(frames, before, strict=True))  # type: ignore[attr-defined]


def test_squares_count_their_bright_pixels_and_are_cut_where_lines_are_shifted() -> None:
    rng = np.random.default_rng(4)
    whole = rng.normal(0, 1, (50, 45)).astype(np.float32)
    grid = Grid(16)
    for start, corner in ((0, "lower-left"), (5, "upper-left"), (16, "lower-right"), (37, "upper-right")):
        keys, found = grid.counts(whole, corner, 1.0, start)
        cut = grid.cut(turned(whole, replace(CAMERA.geometry.channels[0], corner=corner)), start, keys)
        np.testing.assert_array_equal((cut > 1.0).sum(axis=(1, 2)), found)
        assert np.isfinite(cut).sum() == whole.size
        assert np.nansum(cut, dtype=np.float64) == pytest.approx(whole.sum(dtype=np.float64))


def test_a_basis_has_all_terms_up_to_its_order() -> None:
    assert len(basis(16, 1)) == 3
    assert len(basis(8, 2)) == 6


def test_stamps_count_what_comes_by_way_of_a_third_channel() -> None:
    """Into each channel 5e-3 of the next and 1e-3 of the one after it: by way of the next come 2.5e-5 more of the latter into its record, not into the victim."""
    off = []
    for seed in (1, 2):
        scene = Scene(coefficients=(5e-3, 1e-3, 0.0), exposures=2)
        rows = table(measured(PROCEDURE, simulated(seed, scene, parameters={"method": "stamp fit"})))
        for n, victim in enumerate(NAMES):
            row = rows[victim, NAMES[(n + 2) % 4]]
            off.append((row["coefficient"] - 1e-3) / row["error"])
    # the detour is some four errors of each of the eight coefficients
    assert abs(np.mean(off)) < 4.0 / np.sqrt(len(off))
