"""The charge transfer procedure against registers, traps and electronics of known truth, and against what peers get wrong."""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.charge_transfer import PROCEDURE
from analysis.contract import ContractError, FrameInput, Measurement, Results, TableProduct
from analysis.in_memory import ArrayPixels, detector, digitised, frame_input, inputs, measured, value
from builder.simulate.effects.deferred_charge import (
    exponential_release,
    local_offset,
    power_release,
    shifted_out,
    trapped_released,
)
from builder.simulate.effects.non_linearity import polynomial
from campaign.geometry import Channel, Geometry, Region, quadrants, single

STL1001 = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"
Floats = NDArray[np.float64]

ROWS, COLUMNS, PRESCAN, OVERSCAN, PARALLEL = 96, 80, 12, 16, 12
QUADRANTS = quadrants(rows=ROWS, columns=COLUMNS, prescan=PRESCAN, overscan=OVERSCAN, parallel=PARALLEL)
N_SERIAL, N_PARALLEL = PRESCAN + COLUMNS, ROWS
OFFSET = 1000.0


def corner(level: float, serial: float = 0.0, parallel: float = 0.0) -> Floats:
    """What the pixels of one channel are read as [ADU above the offset], in the order of reading, without noise."""
    rows = shifted_out(np.full((COLUMNS, ROWS), level), parallel, PARALLEL).T
    return shifted_out(np.pad(rows, ((0, 0), (PRESCAN, 0))), serial, OVERSCAN)


def mosaic(parts: Sequence[Floats]) -> Floats:
    """An image of four channels, each mirrored to its corner."""
    image = np.zeros(QUADRANTS.shape)
    height, width = parts[0].shape
    for channel, part in zip(QUADRANTS.channels, parts, strict=True):
        upper, right = channel.corner.startswith("upper"), channel.corner.endswith("right")
        y, x = height * upper, width * right
        image[y : y + height, x : x + width] = part[:: -1 if upper else 1, :: -1 if right else 1]
    return image


def noisy(rng: np.random.Generator, mean: Floats, noise: float = 3.0) -> Floats:
    """With shot noise at one electron per ADU, and noise of reading."""
    return (
        OFFSET + rng.poisson(np.maximum(mean, 0)) + np.minimum(mean, 0) + rng.normal(0.0, noise, mean.shape)
    )


def run(
    images: Sequence[NDArray[np.generic]],
    geometry: Geometry = QUADRANTS,
    biases: Sequence[NDArray[np.generic]] = (),
    times: Sequence[float | None] = (),
    **parameters: float | str,
) -> Results:
    device = detector(geometry)
    flats = [
        frame_input(image, device, "flat", n, times[n] if times else 10.0) for n, image in enumerate(images)
    ]
    zero = [frame_input(image, device, "bias", 100 + n) for n, image in enumerate(biases)]
    return measured(PROCEDURE, inputs(PROCEDURE, device, {"flat": flats, "bias": zero}, **parameters))


def flats(
    seed: int,
    level: float = 30_000.0,
    serial: float = 0.0,
    parallel: float = 0.0,
    frames: int = 3,
    noise: float = 3.0,
) -> list[NDArray[np.uint16]]:
    rng = np.random.default_rng(seed)
    part = corner(level, serial, parallel)
    return [digitised(mosaic([noisy(rng, part, noise) for _ in range(4)])) for _ in range(frames)]


def pull(found: Measurement, truth: float) -> float:
    assert found.value is not None and found.uncertainty is not None, found
    return (found.value - truth) / found.uncertainty


def test_without_noise_the_cti_is_that_of_the_registers() -> None:
    image = OFFSET + mosaic([corner(30_000.0, 2e-5, 5e-5)] * 4)
    found = run([image])
    for name in "EFGH":
        assert value(found, "serial_cti", name).value == pytest.approx(2e-5, rel=1e-4)
        assert value(found, "parallel_cti", name).value == pytest.approx(5e-5, rel=2e-4)
        # each line of the parallel direction begins with the loss of the serial one, and so on: a few 1e-5 of it
        assert value(found, "serial_deferred", name).value == pytest.approx(
            2e-5 * N_SERIAL * 30_000, rel=1e-3
        )
        assert value(found, "parallel_deferred", name).value == pytest.approx(
            5e-5 * N_PARALLEL * 30_000, rel=1e-3
        )
    serial = value(found, "serial_cti", "E")
    assert serial.note.startswith("92 transfers: 80 image columns + 12 elements before them; at 29998 ADU")
    assert "96 transfers: 96 image rows" in value(found, "parallel_cti", "E").note
    # more transfers than the file shows: fewer for each
    more = run([image], more_serial=8, more_parallel=4)
    assert value(more, "serial_cti", "E").value == pytest.approx(2e-5 * 92 / 100, rel=1e-4)
    assert value(more, "parallel_cti", "E").value == pytest.approx(5e-5 * 96 / 100, rel=2e-4)


@pytest.mark.parametrize("estimator", ["eper", "first-pixel"])
def test_a_bent_converter_is_straight_once_corrected(estimator: str) -> None:
    bent = (-0.08,)
    light, levels = np.linspace(0.0, 60_000.0, 6001), np.linspace(0.0, 45_000.0, 201)
    added = np.interp(levels, polynomial(light, bent), light) - levels
    names = [c.name for c in QUADRANTS.channels]
    table = TableProduct(
        {
            "channel": np.repeat(names, 201).tolist(), "setting": [""] * 804, "level": np.tile(levels, 4),
            "correction": np.tile(added, 4), "error": np.zeros(804),
        }
    )  # fmt: skip
    device, part = detector(QUADRANTS), corner(30_000.0, 2e-5, 1e-5)
    found = {}
    for name, image, steps, products in (
        ("straight", mosaic([part] * 4), "", {}),
        ("bent", mosaic([polynomial(part, bent)] * 4), "", {}),
        ("corrected", mosaic([polynomial(part, bent)] * 4), "nonlinearity", {("linearity", "correction"): lambda: table}),
        ("without", mosaic([polynomial(part, bent)] * 4), "nonlinearity", {}),
    ):  # fmt: skip
        frame = frame_input(OFFSET + image, device, "flat", 0, 10.0)
        given = inputs(PROCEDURE, device, {"flat": [frame]}, estimator=estimator, corrections=steps)
        found[name] = measured(PROCEDURE, replace(given, products=products))
    for quantity in ("serial_cti", "parallel_cti") if estimator == "eper" else ("serial_cti",):
        cti = {name: value(r, quantity, names[1]).value for name, r in found.items()}
        assert cti["straight"] is not None and cti["bent"] is not None
        assert abs(cti["bent"] / cti["straight"] - 1.0) > 0.01
        assert cti["corrected"] == pytest.approx(cti["straight"], rel=1e-3)
        assert cti["without"] == cti["bent"]
    assert (
        "corrected: nonlinearity" in value(found["corrected"], "parallel_cti", names[1]).note
        or estimator != "eper"
    )
    assert "without the step nonlinearity" in found["without"].caveats[0]


def test_each_direction_is_its_own() -> None:
    """A peer shows the serial result under the name of the parallel one."""
    only_serial, only_parallel = run(flats(1, serial=5e-5)), run(flats(2, parallel=5e-5))
    for name in "EFGH":
        assert abs(pull(value(only_serial, "serial_cti", name), 5e-5)) < 4.5
        assert abs(pull(value(only_serial, "parallel_cti", name), 0.0)) < 4.5
        assert abs(pull(value(only_parallel, "serial_cti", name), 0.0)) < 4.5
        assert abs(pull(value(only_parallel, "parallel_cti", name), 5e-5)) < 4.5
        assert "consistent-with-zero" in value(only_parallel, "serial_cti", name).flags
        assert value(only_parallel, "parallel_cti", name).flags == ()


@pytest.mark.parametrize("estimator", ["eper", "first-pixel", "trap-model"])
def test_numbers_do_not_depend_on_the_corner(estimator: str) -> None:
    rng = np.random.default_rng(3)
    part = noisy(rng, corner(30_000.0, 5e-5, 5e-5))
    found = run([digitised(mosaic([part] * 4))] * 2, estimator=estimator)
    for quantity in PROCEDURE.quantities:
        told = {
            (m.value, m.uncertainty, m.reason, m.flags)
            for m in found.measurements
            if m.quantity == quantity.name
        }
        assert len(told) == 1, quantity.name


@pytest.mark.parametrize("scale", [0.37, 4.0])
def test_ratios_do_not_depend_on_the_unit(scale: float) -> None:
    images = [np.asarray(i, np.float64) for i in flats(4, serial=5e-5, parallel=5e-5)]
    plain, scaled = (
        run([(i - OFFSET) * s + OFFSET for i in images], geometry=replace(QUADRANTS, saturation=np.inf))
        for s in (1.0, scale)
    )
    for quantity in ("serial_cti", "parallel_cti", "hard_edge_response"):
        one, other = value(plain, quantity, "E"), value(scaled, quantity, "E")
        assert one.value is not None and one.uncertainty is not None
        assert other.value == pytest.approx(one.value, rel=1e-6)
        assert other.uncertainty == pytest.approx(one.uncertainty, rel=1e-6)
    one, other = value(plain, "serial_deferred", "E"), value(scaled, "serial_deferred", "E")
    assert one.value is not None and other.value == pytest.approx(one.value * scale, rel=1e-6)


def test_a_gradient_of_the_light_neither_moves_nor_blurs_the_ratio() -> None:
    rng = np.random.default_rng(5)
    steep = np.linspace(0.6, 1.4, ROWS)[:, np.newaxis] * np.linspace(1.2, 1.0, COLUMNS)
    rows = np.pad(30_000.0 * steep, ((0, PARALLEL), (PRESCAN, 0)))
    part = shifted_out(rows, 1e-4, OVERSCAN)
    found = run([digitised(mosaic([noisy(rng, part) for _ in range(4)])) for _ in range(3)])
    even = run(flats(6, serial=1e-4))
    for name in "EFGH":
        tilted, flat = value(found, "serial_cti", name), value(even, "serial_cti", name)
        assert abs(pull(tilted, 1e-4)) < 4.5
        assert tilted.uncertainty is not None and flat.uncertainty is not None
        assert tilted.uncertainty < 1.3 * flat.uncertainty
        level = value(found, "reference_signal", name)
        assert (
            level.uncertainty is not None and level.uncertainty < 0.004 * 30_000
        )  # rows differ by 23 %, over √96


def test_particles_and_hot_pixels_are_left_out() -> None:
    images = flats(7, serial=5e-5, parallel=5e-5)
    images[0][10, PRESCAN + COLUMNS : PRESCAN + COLUMNS + 3] += np.uint16(5000)
    images[1][ROWS + 2, 30] += np.uint16(3000)
    found = run(images)
    assert abs(pull(value(found, "serial_cti", "H"), 5e-5)) < 4.5
    assert abs(pull(value(found, "parallel_cti", "H"), 5e-5)) < 4.5
    assert "of the lines left out" in value(found, "serial_cti", "H").note


def test_drift_from_row_to_row_does_not_reach_the_serial_cti_and_is_in_the_error_of_the_parallel_one() -> (
    None
):
    rng = np.random.default_rng(8)
    images = []
    for image in flats(8, serial=5e-5, parallel=5e-5, noise=1.0):
        drift = rng.normal(0.0, 4.0, (image.shape[0], 1))
        images.append(digitised(image + drift))
    quiet, found = run(flats(8, serial=5e-5, parallel=5e-5, noise=1.0)), run(images)
    for name in "EFGH":
        serial, parallel = value(found, "serial_cti", name), value(found, "parallel_cti", name)
        assert abs(pull(serial, 5e-5)) < 4.5 and abs(pull(parallel, 5e-5)) < 4.5
        before = value(quiet, "serial_cti", name)
        assert serial.uncertainty is not None and before.uncertainty is not None
        assert serial.uncertainty < 1.2 * before.uncertainty
        # a row's drift of 4 ADU: two rows of three frames, and the offset of six
        expected = 4.0 * sqrt(2 * (1 + 2 / 6) / 3) / (30_000 * N_PARALLEL)
        assert parallel.uncertainty is not None and 0.4 * expected < parallel.uncertainty < 2.5 * expected
        assert "beyond noise" in parallel.note


@pytest.mark.parametrize("times", [5.0, 3.0])
def test_a_tail_does_not_lift_the_offset(times: float) -> None:
    """The mean of late pixels holds what the tail leaves there: at a decay of five columns a third of the CTI found."""
    rng = np.random.default_rng(9)
    part = local_offset(corner(30_000.0, 1e-5), 2e-3, times)
    after = part[:ROWS, PRESCAN + COLUMNS :].mean(axis=0)
    truth = after[:2].sum() / part[:ROWS, PRESCAN + COLUMNS - 1].mean() / N_SERIAL
    found = run([digitised(mosaic([noisy(rng, part) for _ in range(4)])) for _ in range(4)])
    for name in "EFGH":
        cti = value(found, "serial_cti", name)
        assert abs(pull(cti, truth)) < 4.5 and "fit of the tail" in cti.note
        assert cti.uncertainty is not None and 2 * after[10] / 30_000 / N_SERIAL > cti.uncertainty


def test_the_offset_of_the_electronics_is_told_from_cti() -> None:
    rng = np.random.default_rng(10)
    images, times = [], []
    for level in (5_000.0, 20_000.0, 40_000.0):
        part = local_offset(corner(level, 2e-5), 1e-3, 2.0)
        images += [digitised(mosaic([noisy(rng, part) for _ in range(4)])) for _ in range(3)]
        times += [level / 1000.0] * 3
    found, edge = run(images, times=times, estimator="trap-model"), run(images, times=times)
    for name in "EFGH":
        assert abs(pull(value(found, "serial_cti", name), 2e-5)) < 4.5
        assert abs(pull(value(found, "local_offset", name), 1e-3)) < 4.5
        assert abs(pull(value(found, "local_decay", name), 2.0)) < 4.5
        assert value(found, "trap_size", name).reason == "not-reached"
        by_edge = value(edge, "serial_cti", name)
        assert by_edge.value is not None and by_edge.value > 2.5e-5
        assert "decays as an offset of the electronics does" in by_edge.note
    assert any("Channel E, serial" in caveat for caveat in edge.caveats)
    assert not found.caveats


def test_first_pixels_need_a_dark_edge() -> None:
    found = run(flats(11, serial=2e-3, frames=4), estimator="first-pixel")
    for name in "EFGH":
        assert abs(pull(value(found, "serial_cti", name), 2e-3)) < 4.5
        assert value(found, "parallel_cti", name).reason == "no-reference"
    assert "12 transfers" in value(found, "serial_cti", "E").note
    bare = single(rows=ROWS, columns=COLUMNS, overscan=OVERSCAN)
    image = digitised(noisy(np.random.default_rng(1), corner(30_000.0)[:ROWS, PRESCAN:]))
    assert value(run([image], bare, estimator="first-pixel"), "serial_cti").reason == "no-reference"


def test_columns_that_bias_frames_have_too_are_taken_off() -> None:
    rng = np.random.default_rng(12)
    column = np.zeros(PRESCAN + COLUMNS + OVERSCAN)
    column[PRESCAN + COLUMNS :] = 3.0 * np.exp(-np.arange(OVERSCAN) / 1.5)
    images = [
        digitised(i + mosaic([np.tile(column, (ROWS + PARALLEL, 1))] * 4)) for i in flats(12, serial=1e-5)
    ]
    dark = np.tile(column, (ROWS + PARALLEL, 1))
    biases = [
        digitised(mosaic([OFFSET + dark + rng.normal(0, 3.0, dark.shape) for _ in range(4)]))
        for _ in range(6)
    ]
    found = {how: run(images, biases=biases, bias_structure=how) for how in ("auto", "always", "never")}
    for name in "EFGH":
        assert abs(pull(value(found["auto"], "serial_cti", name), 1e-5)) < 4.5
        assert (
            value(found["auto"], "serial_cti", name).value == value(found["always"], "serial_cti", name).value
        )
        assert pull(value(found["never"], "serial_cti", name), 1e-5) > 4.5


def test_the_level_from_which_serial_cti_rises() -> None:
    """CTI jumps between 30000 and 40000 ADU; a peer's half-gap error is the same, and a ladder that ends below says so."""
    images, times = [], []
    for n, level in enumerate((3_000.0, 10_000.0, 20_000.0, 30_000.0, 40_000.0, 50_000.0)):
        images += flats(20 + n, level, serial=2e-5 if level < 35_000 else 2e-4, frames=2)
        times += [level] * 2
    found = run(images, times=times)
    for name in "EFGH":
        turn = value(found, "serial_turnoff", name)
        assert turn.value == pytest.approx(30_000, rel=0.01) and turn.uncertainty == pytest.approx(
            5_000, rel=0.02
        )
    below = run(images[:8], times=times[:8])
    assert value(below, "serial_turnoff", "E").reason == "not-reached"
    assert value(run(images[:4], times=times[:4]), "serial_turnoff", "E").reason == "too-few-frames"


def test_levels_are_grouped_by_time_and_level_and_may_be_settings() -> None:
    images = [*flats(30, 10_000.0, frames=2), *flats(31, 30_000.0, frames=2), *flats(32, 20_000.0, frames=2)]
    found = run(images, times=[1.0, 1.0, 3.0, 3.0, 3.0, 3.0])  # the lamp was dimmed at the last two
    table = found.products["levels"]
    assert isinstance(table, TableProduct)
    mine = [i for i, name in enumerate(table.columns["channel"]) if name == "E"]
    serial = [i for i in mine if table.columns["direction"][i] == "serial"]
    assert [round(float(table.columns["level"][i]), -3) for i in serial] == [10_000, 20_000, 30_000]
    assert [table.columns["frames"][i] for i in serial] == [2, 2, 2]
    timeless = run(images, times=[None] * 6)
    assert value(timeless, "serial_cti", "E").value == value(found, "serial_cti", "E").value
    each = run(images, times=[1.0, 1.0, 3.0, 3.0, 2.0, 2.0], level_settings=True)
    settings = {m.setting for m in each.measurements if m.quantity == "parallel_cti"}
    assert settings == {"", "exptime=1", "exptime=2", "exptime=3"}


def test_the_order_of_frames_does_not_matter() -> None:
    images = flats(33, serial=2e-5, frames=4)
    one, other = run(images), run(images[::-1])
    for quantity in ("serial_cti", "parallel_cti"):
        first, second = value(one, quantity, "E"), value(other, quantity, "E")
        assert first.value is not None and first.value == pytest.approx(second.value, rel=1e-9)


@pytest.mark.parametrize(
    ("geometry", "level", "quantity", "reason"),
    [
        (single(rows=40, columns=40), 30_000.0, "serial_cti", "no-overscan"),
        (single(rows=40, columns=40, overscan=8), 30_000.0, "parallel_cti", "no-overscan"),
        (single(rows=40, columns=40, overscan=2), 30_000.0, "serial_cti", "too-few-pixels"),
        (single(rows=4, columns=40, overscan=8), 30_000.0, "serial_cti", "too-few-pixels"),
        (single(rows=40, columns=40, overscan=8), 0.0, "serial_cti", "unphysical"),
        (single(rows=40, columns=40, overscan=8), 90_000.0, "serial_cti", "saturated"),
        (single(rows=40, columns=40, overscan=4), 30_000.0, "local_offset", "too-few-pixels"),
        (single(rows=40, columns=40, overscan=8), np.nan, "serial_cti", "too-few-pixels"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_missing_with_its_reason(
    geometry: Geometry, level: float, quantity: str, reason: str
) -> None:
    rng = np.random.default_rng(40)
    image = rng.normal(OFFSET, 3.0, geometry.shape)
    image[geometry.channels[0].image.slices] += level
    stored = image if np.isnan(level) else digitised(image)
    found = run([stored], geometry)
    assert value(found, quantity).reason == reason
    assert value(found, quantity).value is None


def test_an_estimator_that_there_is_not() -> None:
    for name in ("estimator", "bias_structure"):
        with pytest.raises(ContractError, match="it is one of"):
            run(flats(1, frames=1), **{name: "best"})


def test_saturated_levels_are_shown_and_not_reported() -> None:
    images = [*flats(41, 30_000.0, serial=2e-5, frames=2), *flats(42, 64_300.0, serial=2e-5, frames=2)]
    found = run(images, times=[1.0, 1.0, 2.0, 2.0], reference_level=60_000.0)
    assert value(found, "reference_signal", "E").value == pytest.approx(30_000, rel=0.01)
    table = found.products["levels"]
    assert isinstance(table, TableProduct)
    assert {"", "saturated"} == {str(f) for f in table.columns["flags"]}


def test_a_converter_that_clamps_and_noise_below_its_step() -> None:
    rng, part = np.random.default_rng(43), corner(30_000.0)
    clamp = [digitised(mosaic([noisy(rng, part) - OFFSET for _ in range(4)]))]
    assert "clamped" in value(run(clamp), "serial_cti", "E").flags
    still = [digitised(mosaic([noisy(rng, part, 0.2) for _ in range(4)]))]
    assert "quantised" in value(run(still), "serial_cti", "E").flags


def test_frames_that_differ_by_more_than_their_noise() -> None:
    images = [
        i for n, cti in enumerate((1e-5, 1e-4, 2e-4, 4e-5)) for i in flats(50 + n, serial=cti, frames=1)
    ]
    found = value(run(images), "serial_cti", "E")
    assert "unstable" in found.flags
    assert (
        found.uncertainty is not None and found.uncertainty > 2e-5
    )  # that of four values between 1e-5 and 2e-4


def test_lost_pixels_cost_their_lines() -> None:
    images = [np.asarray(i, np.float32) for i in flats(44, serial=5e-5)]
    images[0][3, PRESCAN + COLUMNS - 1] = np.nan
    images[1][5, PRESCAN + COLUMNS + 2] = np.inf
    found = value(run(images), "serial_cti", "H")
    assert abs(pull(found, 5e-5)) < 4.5 and "bad-pixels" in found.flags


class Watched(ArrayPixels):
    """Pixels that count how many of them are read."""

    seen = 0

    def read(
        self, channel: Channel, region: Region, out: NDArray[np.generic] | None = None
    ) -> NDArray[np.generic]:
        self.seen += region.size
        return super().read(channel, region, out)


def test_only_the_edges_are_read() -> None:
    device = detector(QUADRANTS)
    frames: list[FrameInput] = []
    for n, image in enumerate(flats(45)):
        made = frame_input(image, device, "flat", n, 1.0)
        frames.append(replace(made, pixels=Watched(image)))
    measured(PROCEDURE, inputs(PROCEDURE, device, {"flat": frames}))
    regions = sum(c.overscan.size + c.parallel.size + sum(c.image.shape) for c in QUADRANTS.channels if c.overscan and c.parallel)  # fmt: skip
    more = regions - sum(sum(c.image.shape) for c in QUADRANTS.channels)  # looked at once more, for a clamp
    for frame in frames:
        assert isinstance(frame.pixels, Watched) and regions <= frame.pixels.seen <= regions + more


@pytest.mark.parametrize("law", [exponential_release(1.5), power_release(1.2)])
def test_slow_release_is_seen_as_far_as_pixels_are_read(law: object) -> None:
    """Edge response of traps is what the summed pixels hold, whatever the law of release."""
    rows = trapped_released(np.full((COLUMNS, ROWS), 30_000.0), 2e-3, law, 2000)  # type: ignore[arg-type]
    after = law(np.arange(3.0))  # type: ignore[operator]
    part = np.zeros((ROWS + PARALLEL, PRESCAN + COLUMNS + OVERSCAN))
    part[:ROWS, PRESCAN : PRESCAN + COLUMNS] = rows.T
    held = trapped_released(
        np.pad(np.full((COLUMNS, ROWS), 30_000.0), ((0, 0), (0, PARALLEL))), 2e-3, law, 2000
    )  # type: ignore[arg-type]
    part[ROWS:, PRESCAN : PRESCAN + COLUMNS] = held.T[ROWS:]
    rng = np.random.default_rng(46)
    found = run([digitised(mosaic([noisy(rng, part) for _ in range(4)])) for _ in range(4)])
    last = held[0, ROWS - 1]
    truth = held[0, ROWS : ROWS + 2].sum() / last / N_PARALLEL
    assert after[0] == 1.0
    for name in "EFGH":
        cti = value(found, "parallel_cti", name)
        assert cti.value is not None
        # what is given off slower than a power law's late rows show lifts their offset: 15 % of it here at most
        assert abs(cti.value - truth) < 4.5 * (cti.uncertainty or 0.0) + 0.15 * truth


@pytest.mark.real
@pytest.mark.skipif(not STL1001.is_dir(), reason="the real STL-1001E frames are not beside the checkout")
def test_real_frames_without_an_overscan_say_so() -> None:
    from astropy.io import fits

    images = [fits.getdata(f) for f in sorted(STL1001.glob("flat-*.FIT"))[:2]]
    found = run(images, single(rows=1024, columns=1024))
    assert {m.reason for m in found.measurements} == {"no-overscan"}
    dark = [fits.getdata(f) for f in sorted(STL1001.glob("biases-Neg5*.FIT"))[:2]]
    found = run(dark, single(rows=1024, columns=1000, overscan=24))
    assert value(found, "serial_cti").reason == "unphysical"
