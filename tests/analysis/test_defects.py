"""The defects procedure: planted pixels, mirrored channels, faults, the peers' defects, and real frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.bias.master import halves
from analysis.contract import FrameInput, ImageProduct, Made, RegionProduct, Results, TableProduct, Take
from analysis.defects import PROCEDURE
from analysis.defects.series import beside_biases, scatter_of
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from analysis.masks import BITS, MEANINGS
from analysis.procedures import builtin
from builder.plan import waves
from builder.plugins import Known, Reference
from campaign.geometry import quadrants, single, with_gains
from campaign.model import Detector

GAIN, NOISE = 2.0, 3.0
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"
CHANNEL = single(rows=96, columns=96, overscan=16).channels[0]


def camera(gain: float | None = GAIN) -> Detector:
    geometry = single(rows=96, columns=96, overscan=16)
    return detector(with_gains(geometry, {"A": gain}) if gain else geometry)


def frames(
    eye: Detector,
    rng: np.random.Generator,
    kind: str,
    number: int,
    signal: np.ndarray | float,  # type: ignore[type-arg]
    time: float,
    first: int = 0,
    whole: bool = True,
) -> list[FrameInput]:
    """Frames with that signal [e⁻] in the image of the channel A."""
    out = []
    for i in range(number):
        image = 1000.0 + rng.normal(0, NOISE, eye.geometry.shape)
        charge = np.broadcast_to(np.asarray(signal, dtype=float), CHANNEL.image.shape)
        image[CHANNEL.image.slices] += rng.poisson(charge) / GAIN
        stored = digitised(image) if whole else image.astype(np.float32)
        out.append(frame_input(stored, eye, kind, first + i, time))
    return out


def scene(
    seed: int, *, gain: float | None = GAIN, biases: int = 6, darks: int = 6, flats: int = 6, whole: bool = True, **parameters: float
) -> Results:  # fmt: skip
    """A detector with one defect of nearly every class, measured."""
    eye, rng = camera(gain), np.random.default_rng(seed)
    rate = np.full(CHANNEL.image.shape, 0.05)
    rate[10, 10], rate[20, 20], rate[30:34, 30] = 10.0, 1.0, 12.0
    response = np.ones_like(rate)
    response[40, 40], response[50, 50], response[60, 60] = 0.6, 0.02, 1.5
    given = {
        "bias": frames(eye, rng, "bias", biases, 0.0, 0.0, whole=whole),
        "dark": frames(eye, rng, "dark", darks, rate * 100.0, 100.0, 50, whole),
        "flat": frames(eye, rng, "flat", flats, 20_000.0 * response, 5.0, 100, whole),
    }
    return measured(PROCEDURE, inputs(PROCEDURE, eye, given, **parameters))


def mask_of(results: Results, channel: str = "A") -> np.ndarray:  # type: ignore[type-arg]
    product = results.products["mask"]
    assert isinstance(product, ImageProduct)
    return product.planes[channel]


@pytest.mark.parametrize("whole", [True, False])
def test_each_class_is_where_it_was_planted(whole: bool) -> None:
    results = scene(1, whole=whole)
    mask = mask_of(results)
    assert mask.dtype == np.int32
    for name, places in {
        "hot": {(10, 10), (30, 30), (31, 30), (32, 30), (33, 30)}, "warm": {(20, 20)}, "dark": {(40, 40)}, "dead": {(50, 50)}, "bright": {(60, 60)},
    }.items():  # fmt: skip
        assert set(zip(*np.nonzero(mask & BITS[name]), strict=True)) == places, name
        m = value(results, name)
        assert m.value == len(places) and m.n == 96 * 96 and "expected by chance" in m.note
    assert value(results, "clusters").value == 1 and value(results, "largest_cluster").value == 4
    assert value(results, "columns").value == 0
    area = value(results, "bad_area")
    assert area.value == pytest.approx(100 * 9 / 96**2)
    assert value(results, "detector_bad_area", None).value == area.value
    chance = value(results, "by_chance").value
    assert chance is not None and 0.001 < chance < 0.1


def test_both_thresholds_are_told_and_both_are_asked() -> None:
    results = scene(1)
    assert "5 σ" in value(results, "warm").note and "e⁻/s" in value(results, "warm").note
    assert "0.8 of the level" in value(results, "dark").note and "%" in value(results, "dark").note
    strict = scene(1, warm_rate=3.0, dark=0.5)
    assert value(strict, "warm").value == 0 and value(strict, "dark").value == 0
    assert value(strict, "hot").value == 5 and value(strict, "dead").value == 1
    loose = scene(1, hot_rate=0.5)
    assert value(loose, "hot").value == 6


def test_without_a_gain_hot_is_a_matter_of_noise() -> None:
    m = value(scene(1, gain=None), "hot")
    assert m.value == 5 and "no gain is known" in m.note and "nominal-gain" not in m.flags
    assert "nominal-gain" in value(scene(1), "hot").flags


def test_the_products_have_the_table_of_bits_and_regions() -> None:
    results = scene(2)
    mask, table = results.products["mask"], results.products["defects"]
    assert isinstance(mask, ImageProduct) and isinstance(table, TableProduct)
    assert [mask.cards[f"BIT{n}"][0] for n in range(len(MEANINGS))] == list(MEANINGS)
    regions = results.products["regions"]
    assert isinstance(regions, RegionProduct) and list(regions.regions) == list(table.columns["region"])
    rows = list(zip(*table.columns.values(), strict=True))
    names = list(table.columns)
    dead = next(dict(zip(names, r, strict=True)) for r in rows if "dead" in r)
    assert (dead["y"], dead["x"], dead["unit"]) == (50, 50, "response") and abs(dead["value"] - 0.02) < 0.02
    assert str(dead["region"]).startswith("box(51,51,1,1,0)")
    cluster = next(dict(zip(names, r, strict=True)) for r in rows if "cluster" in r)
    assert (cluster["y"], cluster["x"], cluster["rows"], cluster["columns"], cluster["pixels"]) == (
        30,
        30,
        4,
        1,
        4,
    )


def test_mirrored_channels_have_mirrored_masks() -> None:
    geometry = quadrants(rows=64, columns=64, prescan=4, overscan=12, parallel=0)
    eye = detector(with_gains(geometry, {c.name: GAIN for c in geometry.channels}))
    rng = np.random.default_rng(3)
    quadrant = {c.name: c for c in geometry.channels}["H"]
    held: dict[str, list[FrameInput]] = {"bias": [], "dark": [], "flat": []}
    rate = np.full((64, 64), 0.05)
    rate[7, 11], rate[20:24, 40] = 9.0, 8.0
    for kind, number, time in (("bias", 5, 0.0), ("dark", 5, 100.0), ("flat", 4, 5.0)):
        for i in range(number):
            own = 1000.0 + rng.normal(0, NOISE, (64, 80))
            light = {"bias": 0.0 * rate, "dark": rate * time, "flat": 20_000.0 + 0 * rate}[kind]
            own[:, 4:68] += rng.poisson(light) / GAIN
            whole = np.concatenate([own, own[:, ::-1]], axis=1)
            image = np.concatenate([whole, whole[::-1]])
            held[kind].append(frame_input(digitised(image), eye, kind, i, time))
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, held))
    assert quadrant.image.x0 == 4
    first = mask_of(results, "H")
    assert first[7, 11] & BITS["hot"] and first[20, 40] & BITS["cluster"]
    for name, turned in (("G", first[:, ::-1]), ("E", first[::-1]), ("F", first[::-1, ::-1])):
        np.testing.assert_array_equal(mask_of(results, name), turned)


def test_a_cosmic_ray_makes_no_noisy_pixel_and_telegraph_noise_does() -> None:
    eye, rng = camera(), np.random.default_rng(4)
    held = frames(eye, rng, "bias", 10, 0.0, 0.0)
    for i, frame in enumerate(held):
        image = frame.pixels.image  # type: ignore[attr-defined]
        image[70, 70] += 60 * (i % 2)
        if i == 3:
            image[80, 80] += 5000
    again = [frame_input(f.pixels.image, eye, "bias", i) for i, f in enumerate(held)]  # type: ignore[attr-defined]
    dark = frames(eye, rng, "dark", 3, 5.0, 100.0, 50)
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, {"bias": again, "dark": dark}))
    assert set(zip(*np.nonzero(mask_of(results) & BITS["noisy"]), strict=True)) == {(70, 70)}
    assert value(results, "dark").reason == "too-few-frames"
    assert "not looked for: dark" in value(results, "bad_area").note


def test_a_pixel_that_changes_is_unstable_and_a_steady_hot_one_is_not() -> None:
    eye, rng = camera(), np.random.default_rng(5)
    before = np.full(CHANNEL.image.shape, 5.0)
    before[10, 10], before[20, 20] = 2000.0, 100.0
    after = before.copy()
    after[20, 20] = 400.0
    darks = [*frames(eye, rng, "dark", 4, before, 100.0), *frames(eye, rng, "dark", 4, after, 100.0, 10)]
    mask = mask_of(measured(PROCEDURE, inputs(PROCEDURE, eye, {"dark": darks})))
    assert set(zip(*np.nonzero(mask & BITS["unstable"]), strict=True)) == {(20, 20)}
    assert mask[10, 10] & BITS["hot"]


def test_a_pixel_that_does_not_follow_the_light_is_non_linear() -> None:
    eye, rng = camera(), np.random.default_rng(6)
    held = []
    for n, level in enumerate((5000.0, 20_000.0)):
        signal = np.full(CHANNEL.image.shape, level)
        signal[33, 44] *= 1.0 - 0.3 * level / 20_000.0
        signal[55, 66] *= 0.7
        held += frames(eye, rng, "flat", 5, signal, 1.0 + n, 10 * n)
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, {"flat": held}))
    mask = mask_of(results)
    assert set(zip(*np.nonzero(mask & BITS["non-linear"]), strict=True)) == {(33, 44)}
    assert mask[55, 66] & BITS["dark"]
    one_level = measured(PROCEDURE, inputs(PROCEDURE, eye, {"flat": held[5:]}))
    assert value(one_level, "non_linear").reason == "not-reached"
    assert value(one_level, "hot").reason == "too-few-frames"


def test_saturated_columns_bloom() -> None:
    eye, rng = camera(), np.random.default_rng(7)
    signal = np.full(CHANNEL.image.shape, 5.0)
    signal[20:60, 30] = 3000.0
    signal[38:42, 30] = 1e6
    mask = mask_of(
        measured(PROCEDURE, inputs(PROCEDURE, eye, {"dark": frames(eye, rng, "dark", 5, signal, 100.0)}))
    )
    assert (mask[38:42, 30] & BITS["saturated"]).all() and (mask[20:38, 30] & BITS["bloom"]).all()
    assert (mask[20:60, 30] & BITS["column"]).all() and not (mask[:, 29] & BITS["column"]).any()


def test_vignetting_is_no_defect_and_a_light_leak_is_no_heat() -> None:
    """CRIRES normalised by the median of a partly lit array and counted the vignetted pixels as bad; vison's dark was dominated by stray light."""
    eye, rng = camera(), np.random.default_rng(8)
    y, x = np.mgrid[0:96, 0:96] / 95.0
    lit = 20_000.0 * (1.0 - 0.6 * x - 0.05 * x**2)  # to a third within 96 pixels
    leak = 40.0 + 400.0 * y
    given = {"flat": frames(eye, rng, "flat", 5, lit, 5.0), "dark": frames(eye, rng, "dark", 5, leak, 100.0)}
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, given))
    assert not mask_of(results).any()


def test_a_threshold_is_crossed_and_not_touched() -> None:
    """CPL masks flagged a perfectly linear pixel because its value was equal to the bound: without noise nothing stands out."""
    eye = camera()
    image = np.full(eye.geometry.shape, 1000, np.uint16)
    lit = image.copy()
    lit[CHANNEL.image.slices] = 11_000
    lit[50, 50] = 1000 + 8000  # exactly the threshold of 0.8
    given = {
        "dark": [frame_input(image, eye, "dark", i, 100.0) for i in range(3)],
        "flat": [frame_input(lit, eye, "flat", 10 + i, 5.0) for i in range(3)],
    }
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, given))
    assert not mask_of(results).any()
    assert value(results, "warm").value == 0 and value(results, "dark").value == 0


def test_edges_are_told_and_not_counted() -> None:
    eye, rng = camera(), np.random.default_rng(9)
    lit = np.full(CHANNEL.image.shape, 20_000.0)
    lit[:, :3] *= 0.3
    lit[40, 40] = 1000.0
    given = {"flat": frames(eye, rng, "flat", 5, lit, 5.0)}
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, given, edge=3))
    mask = mask_of(results)
    assert set(np.unique(mask[:, :3])) == {BITS["edge"]}
    assert value(results, "dead").value == 1 and value(results, "dark").value == 0


def test_too_little_is_missing_with_its_reason() -> None:
    eye, rng = camera(), np.random.default_rng(10)
    nothing = measured(PROCEDURE, inputs(PROCEDURE, eye, {}))
    assert {m.reason for m in nothing.measurements} == {"too-few-frames"} and set(nothing.absent) >= {
        "mask",
        "defects",
    }
    full = np.full(eye.geometry.shape, 65535, np.uint16)
    burnt = measured(
        PROCEDURE,
        inputs(
            PROCEDURE,
            eye,
            {
                "dark": [frame_input(full, eye, "dark", i, 9.0) for i in range(3)],
                "flat": [frame_input(full, eye, "flat", i, 9.0) for i in range(3)],
            },
        ),
    )
    assert value(burnt, "hot").reason == "saturated" and value(burnt, "dark").reason == "saturated"
    timeless = [
        frame_input(np.full(eye.geometry.shape, 1000, np.uint16), eye, "dark", i, None) for i in range(3)
    ]
    assert (
        value(measured(PROCEDURE, inputs(PROCEDURE, eye, {"dark": timeless})), "hot").reason
        == "exposure-time-unknown"
    )
    unlit = frames(eye, rng, "flat", 4, 0.0, 1.0)
    assert value(measured(PROCEDURE, inputs(PROCEDURE, eye, {"flat": unlit})), "dark").reason == "unphysical"
    few = measured(PROCEDURE, inputs(PROCEDURE, eye, {"dark": frames(eye, rng, "dark", 2, 5.0, 100.0)}))
    assert "few-frames" in value(few, "hot").flags and value(few, "unstable").reason == "too-few-frames"
    assert value(few, "noisy").reason == "too-few-frames"


def test_pixels_without_a_value_are_in_the_mask() -> None:
    eye, rng = camera(), np.random.default_rng(11)
    held = frames(eye, rng, "dark", 4, 5.0, 100.0, whole=False)
    for frame in held:
        frame.pixels.image[12, 13] = np.nan  # type: ignore[attr-defined]
    again = [frame_input(f.pixels.image, eye, "dark", i, 100.0) for i, f in enumerate(held)]  # type: ignore[attr-defined]
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, {"dark": again}))
    assert mask_of(results)[12, 13] == BITS["no-value"] and "bad-pixels" in value(results, "warm").flags


def test_times_that_differ_make_one_master() -> None:
    eye, rng = camera(), np.random.default_rng(12)
    rate = np.full(CHANNEL.image.shape, 0.05)
    rate[10, 10] = 10.0
    darks = [
        f
        for i, t in enumerate((60.0, 80.0, 100.0, 20.0))
        for f in frames(eye, rng, "dark", 1, rate * t, t, i)
    ]
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, {"dark": darks}))
    assert value(results, "hot").value == 1 and "3 darks of up to 100 s" in value(results, "hot").note


def test_whoever_takes_the_mask_makes_no_circle() -> None:
    """Thresholds use the nominal gain, so that photon transfer, which measures it, may take the mask."""
    assert not PROCEDURE.uses and not PROCEDURE.takes
    known = {p.name: Known(p, Reference(p.name)) for p in builtin()}
    taking = replace(known["photon_transfer"].procedure, takes=(Take("defects", "mask", "bad pixels"),))
    known["photon_transfer"] = Known(taking, Reference("photon_transfer"))
    order = {name: n for n, wave in enumerate(waves(known)) for name in wave}
    assert order["defects"] < order["photon_transfer"] < order["cosmic_rays"]
    assert order["defects"] < order["defect_history"] < order["persistence"]  # the merged mask as well


@pytest.mark.real
def test_real_frames_have_the_hot_pixels_that_the_dark_procedure_finds() -> None:
    if not REAL.is_dir():
        pytest.skip(f"the real frames are not there: {REAL.name} beside the checkout")
    from astropy.io import fits

    eye = detector(single(rows=1024, columns=1024))

    def read(pattern: str, kind: str) -> list[FrameInput]:
        out = []
        for i, path in enumerate(sorted(REAL.glob(pattern))):
            with fits.open(path) as file:
                image = np.clip(np.asarray(file[0].data, np.float64), 0, 65535).astype(np.uint16)
                out.append(frame_input(image, eye, kind, i, float(file[0].header["EXPTIME"])))
        return out

    given = {
        "bias": read("biases-Neg5*", "bias"),
        "dark": [*read("darks-expos300s-Neg5*", "dark"), *read("darks-expos150s-Neg5*", "dark")],
        "flat": read("flat*", "flat"),
    }
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, given))
    warm, area = value(results, "warm").value, value(results, "bad_area").value
    assert warm is not None and 100 < warm < 200_000
    assert area is not None and 0.01 < area < 20
    assert "few-frames" in value(results, "hot").flags


def test_noisy_pixels_are_the_same_whether_or_not_the_bias_frames_are_read_for_their_master() -> None:
    """Where a master was made before no pixel is read for it, and the series reads its frames itself: the same to the last bit."""
    eye, rng = camera(), np.random.default_rng(23)
    biases = frames(eye, rng, "bias", 5, 0.0, 0.0)
    given = inputs(PROCEDURE, eye, {"bias": biases, "dark": frames(eye, rng, "dark", 3, 5.0, 100.0, 50)})
    shelf: dict[str, NDArray[np.generic]] = {}

    def kept(name: Made, make: Callable[[], NDArray[np.generic]]) -> NDArray[np.generic]:
        key = f"{name.what} {name.channel.name}"
        if key not in shelf:
            shelf[key] = make()
        return shelf[key]

    first, second = (measured(PROCEDURE, replace(given, shelf=kept)) for _ in range(2))
    assert shelf and first.measurements == second.measurements
    channel = given.detector.geometry.channels[0]
    beside = beside_biases(biases, channel)
    assert beside is not None and not beside.given
    halves(given, biases, channel, 3.0, [beside])
    alone = scatter_of(biases, channel)
    assert beside.given
    for name in ("variance", "share", "count"):
        assert np.array_equal(getattr(beside, name), getattr(alone, name), equal_nan=True)
