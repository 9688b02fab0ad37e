"""The linearity procedure on ladders whose response is known exactly, and what it says where data do not reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.contract import ContractError, FrameInput, Measurement, Results, TableProduct
from analysis.figures import Plot
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from analysis.linearity import PROCEDURE
from analysis.linearity.results import QUANTITIES
from campaign.geometry import Channel, Geometry, Region, quadrants, single
from campaign.model import Detector

SHUTTERS = Path(__file__).resolve().parents[3] / "shared" / "data" / "vis" / "ogse_profiles"
STL1001 = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"
TIMES = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
Response = Callable[[float], float]


def bent(k: float, full: float = 65535.0) -> Response:
    """The level N read for light x, where x = N (1 + k N / full): a correction that is a straight line."""
    return lambda x: float((-1.0 + np.sqrt(1.0 + 4.0 * k * x / full)) / (2.0 * k / full)) if k else x


def deviation(
    k: float, levels: NDArray[np.float64], low: float, high: float, full: float = 65535.0
) -> NDArray[np.float64]:
    """N / (a F) − 1 of ``bent`` for the line that has none on average from low to high."""
    grid = np.linspace(low, high, 200_001)
    usual = (1.0 / (1.0 + k * grid / full)).mean()
    out: NDArray[np.float64] = 1.0 / (1.0 + k * levels / full) / usual - 1.0
    return out


BENT = bent(0.03)


@dataclass(frozen=True)
class Shots:
    """A ladder without noise: level = response(rate × (time + shutter) × lamp), in floating point unless told otherwise."""

    response: Response = BENT
    rate: float = 6000.0
    shutter: float = 0.0
    lamp: Callable[[float], float] = lambda n: 1.0
    geometry: Geometry = single(rows=24, columns=32, overscan=12)  # noqa: RUF009
    repeats: int = 1
    stability: float | None = 4.5
    offset: float = 1000.0
    noise: float = 0.0
    dtype: str = "float32"

    @property
    def detector(self) -> Detector:
        return detector(self.geometry)

    def told(self, times: Sequence[float]) -> list[float]:
        """The times in the order of exposure."""
        out: list[float] = []
        for time in times:
            out += [time] * self.repeats + ([] if self.stability is None else [self.stability])
        return out

    def image(self, level: float, rng: np.random.Generator) -> NDArray[np.generic]:
        image = np.full(self.geometry.shape, self.offset)
        for channel in self.geometry.channels:
            # texture of mean one: pixels that are all alike are those of a converter that clamps
            texture = 1.0 + 0.005 * np.linspace(-1.0, 1.0, channel.image.size)
            image[channel.image.slices] += level * np.random.default_rng(3).permutation(texture).reshape(
                channel.image.shape
            )
        if self.noise:
            image += rng.normal(0.0, self.noise, image.shape)
            for channel in self.geometry.channels:
                box = channel.image.slices
                image[box] += rng.normal(0.0, np.sqrt(max(level, 0.0) / 3.0), channel.image.shape)
        return digitised(image) if self.dtype == "uint16" else image.astype(np.float32)

    def flats(
        self, times: Sequence[float] = TIMES, first: int = 0, **fields: str | float
    ) -> list[FrameInput]:
        rng = np.random.default_rng(7)
        return [
            frame_input(
                self.image(self.response(self.rate * (time + self.shutter) * self.lamp(first + n)), rng),
                self.detector, "flat", 100 + first + n, time, **fields,
            )
            for n, time in enumerate(self.told(times))
        ]  # fmt: skip

    def biases(self, n: int = 2) -> list[FrameInput]:
        rng = np.random.default_rng(8)
        return [frame_input(self.image(0.0, rng), self.detector, "bias", k) for k in range(n)]


def run(
    shots: Shots,
    flats: Sequence[FrameInput] | None = None,
    biases: Sequence[FrameInput] = (),
    **parameters: float | str,
) -> Results:
    given = inputs(
        PROCEDURE,
        shots.detector,
        {"flat": shots.flats() if flats is None else flats, "bias": biases},
        **parameters,
    )
    return measured(PROCEDURE, given)


def number(results: Results, quantity: str, channel: str = "A") -> float:
    found = value(results, quantity, channel)
    assert found.value is not None, found
    return found.value


LOW, QUARTER, HALF = 0.02 * 65535.0, 0.25 * 65535.0, 0.5 * 65535.0


@pytest.mark.parametrize("estimator", ["spline", "polynomial"])
@pytest.mark.parametrize("k", [0.03, -0.02])
def test_a_ladder_without_noise_gives_its_response_back(estimator: str, k: float) -> None:
    """Single precision holds levels to 6e-8 of them: 1e-4 % is what that leaves of a deviation."""
    found = run(Shots(bent(k), shutter=0.02, lamp=lambda n: 1.0 + 0.02 * n / 27.0), estimator=estimator)
    top = number(found, "max_level")
    levels = np.linspace(LOW, top, 2001)
    truth = deviation(k, levels, LOW, top)
    assert number(found, "max_deviation") == pytest.approx(100 * np.abs(truth).max(), abs=3e-3)
    at = deviation(k, np.array([HALF]), LOW, QUARTER)[0]
    assert number(found, "reference_deviation") == pytest.approx(100 * (1 - 1 / (1 + at)), abs=3e-3)
    assert number(found, "shutter_offset") == pytest.approx(0.02, abs=2e-5)
    # ln(1 + n) is not quite a parabola
    assert number(found, "lamp_drift") == pytest.approx(2.0, abs=2e-3)
    assert number(found, "lamp_scatter") == pytest.approx(0.0, abs=1e-3)


def test_a_steady_lamp_and_a_true_shutter_leave_rounding_alone() -> None:
    found = run(Shots(bent(0.03)), lamp_degree=0, shutter="0")
    top = number(found, "max_level")
    truth = 100 * np.abs(deviation(0.03, np.linspace(LOW, top, 2001), LOW, top)).max()
    assert number(found, "max_deviation") == pytest.approx(truth, abs=1e-4)
    assert number(found, "residual") < 1e-4


def test_the_sign_is_measured_less_linear() -> None:
    """ESO: (R − L)/R, negative where the response sags; HAWK-I's LIN.EFF (true − R)/R has the opposite sign."""
    sagging, rising = run(Shots(bent(0.03))), run(Shots(bent(-0.03)))
    assert number(sagging, "reference_deviation") < -0.5
    assert number(rising, "reference_deviation") > 0.5
    assert number(sagging, "max_deviation") > 0 and number(rising, "max_deviation") > 0
    definition = next(q for q in QUANTITIES if q.name == "reference_deviation").definition
    assert "negative where the response sags" in definition


def test_esos_number_is_the_limit_of_a_line_of_ever_lower_levels() -> None:
    """A detector of P(t) = B t + C t²: LIN.EFF at R is C t*² / R, t* the root of P = R nearest to R / B."""
    rate, c = 4000.0, -12.0
    quadratic: Response = lambda x: x + c * (x / rate) ** 2  # noqa: E731
    times = (0.05, 0.06, 0.08, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
    shots = Shots(quadratic, rate=rate)
    found = run(
        shots,
        shots.flats(times),
        linear_low=210.0,
        linear_high=330.0,
        reference_level=20_000.0,
        lamp_degree=0,
        shutter="0",
    )
    root = (-rate + np.sqrt(rate**2 + 4 * c * 20_000.0)) / (2 * c)
    eso = 100 * c * root**2 / 20_000.0
    # the line is that of 270 ADU instead of zero: 270 of 20,000 of the deviation, which is proportional to the level
    assert number(found, "reference_deviation") == pytest.approx(eso * (1 - 270 / 20_000), rel=0.02)
    assert eso < 0


def test_the_line_does_not_depend_on_how_often_which_level_was_exposed() -> None:
    """Peers weight the line by the exposures there are: two codes of one team differ by a third on the same frames."""
    shots = Shots(bent(0.03))
    few = run(shots, shots.flats(TIMES), lamp_degree=0, shutter="0")
    many = run(shots, shots.flats((*TIMES, *TIMES[:6] * 4)), lamp_degree=0, shutter="0")
    assert number(many, "max_deviation") == pytest.approx(number(few, "max_deviation"), abs=3e-4)

    def peers(times: Sequence[float]) -> tuple[float, float]:
        """Largest |1 − N/(a F)| with slopes ΣF/Σ(F²/N) and n/Σ(F/N)."""
        told = np.array(times)
        level = np.array([shots.response(shots.rate * t) for t in told])
        slopes = told.sum() / (told**2 / level).sum(), told.size / (told / level).sum()
        one, two = (100 * float(np.abs(1 - level / (a * told)).max()) for a in slopes)
        return one, two

    once, often = peers(TIMES), peers((*TIMES, *TIMES[:6] * 4))
    assert abs(once[0] - once[1]) > 0.1 and abs(once[0] - often[0]) > 0.1


def test_both_definitions_are_named_where_their_numbers_stand() -> None:
    found = run(Shots(bent(0.03)))
    largest, low = value(found, "max_deviation"), value(found, "reference_deviation")
    assert "the line; line of 1310.7 …" in largest.note
    assert "at 32768 ADU; line of 1310.7 … 16384 ADU" in low.note
    assert number(found, "max_deviation") != pytest.approx(
        abs(number(found, "reference_deviation")), rel=0.05
    )


def test_times_and_units_of_light_do_not_matter() -> None:
    one = run(Shots(bent(0.03), shutter=0.01))
    flats = Shots(bent(0.03), rate=600.0, shutter=0.1, stability=45.0).flats([10 * t for t in TIMES])
    ten = run(Shots(bent(0.03)), flats)
    for quantity in ("max_deviation", "reference_deviation"):
        assert number(ten, quantity) == pytest.approx(number(one, quantity), abs=2e-4)
    assert number(ten, "shutter_offset") == pytest.approx(10 * number(one, "shutter_offset"), rel=1e-3)


def test_uneven_light_does_not_bend_the_curve() -> None:
    """Light that falls to a half over the channel: the mean of what pixels read is not what the mean pixel reads, by far more than allowed here."""
    shots = Shots(bent(0.06), stability=None)
    fall = np.linspace(0.6, 1.4, 24)[:, np.newaxis] * np.ones((24, 32))
    flats = []
    for n, time in enumerate(shots.told(TIMES)):
        image = np.full(shots.geometry.shape, 1000.0)
        image[shots.geometry.channels[0].image.slices] += np.vectorize(shots.response)(4000.0 * time * fall)
        flats.append(frame_input(image.astype(np.float32), shots.detector, "flat", n, time))
    found = run(shots, flats, shutter="0", tile=4)
    top = number(found, "max_level")
    truth = deviation(0.06, np.linspace(LOW, top, 2001), LOW, top)
    # what is left is the fall within a tile of four rows: (4 · 0.8/24)²/12 of a deviation of 6 %
    assert number(found, "max_deviation") == pytest.approx(100 * np.abs(truth).max(), abs=9e-3)
    mean = np.array([f.summaries["A"].mean - 1000.0 for f in flats])
    assert np.abs(mean / [shots.response(4000.0 * t) for t in TIMES] - 1.0).max() > 1e-3


def test_levels_may_have_any_scale() -> None:
    one = run(Shots(bent(0.03)))
    geometry = replace(single(rows=24, columns=32, overscan=12), saturation=655350.0)
    ten = run(Shots(bent(0.03, 655350.0), rate=60_000.0, geometry=geometry))
    assert number(ten, "max_deviation") == pytest.approx(number(one, "max_deviation"), abs=2e-4)
    assert number(ten, "max_level") == pytest.approx(10 * number(one, "max_level"), rel=1e-6)


@pytest.mark.parametrize(("prescan", "overscan", "parallel"), [(6, 12, 4), (0, 12, 0), (30, 0, 0)])
def test_mirrored_channels_give_the_same_numbers(prescan: int, overscan: int, parallel: int) -> None:
    """One scene seen by four corners, mirrored as they are read: the tiles are mirrored, and so is nothing else."""
    geometry = quadrants(rows=32, columns=32, prescan=prescan, overscan=overscan, parallel=parallel)
    of, rng = detector(geometry), np.random.default_rng(5)
    scene = 1.0 + 0.05 * rng.standard_normal((32, 32))
    flats = []
    for n, time in enumerate(Shots().told(TIMES)):
        image = np.full(geometry.shape, 500.0)
        seen = rng.normal(0.0, 2.0, (32, 32)) + bent(0.03)(6000.0 * time) * scene
        for channel in geometry.channels:
            up, right = channel.corner.startswith("upper"), channel.corner.endswith("right")
            image[channel.image.slices] += seen[:: -1 if up else 1, :: -1 if right else 1]
        flats.append(frame_input(image.astype(np.float32), of, "flat", n, time))
    found = measured(PROCEDURE, inputs(PROCEDURE, of, {"flat": flats, "bias": []}))
    for quantity in ("max_deviation", "reference_deviation", "lamp_scatter", "residual"):
        held = [value(found, quantity, c.name) for c in geometry.channels]
        for m in held[1:]:
            assert m.value == pytest.approx(held[0].value, rel=1e-4, abs=1e-6)
            assert m.uncertainty == pytest.approx(held[0].uncertainty, rel=1e-3, abs=1e-6)


def test_a_detector_without_columns_beside_the_image_takes_its_offset_from_bias_frames() -> None:
    shots = Shots(geometry=single(rows=24, columns=32), noise=3.0)
    found = run(shots, biases=shots.biases(3))
    truth = deviation(0.03, np.array([HALF]), LOW, QUARTER)[0]
    m = value(found, "reference_deviation")
    assert m.value is not None and m.uncertainty is not None
    assert abs(m.value - 100 * (1 - 1 / (1 + truth))) < 4 * m.uncertainty
    without = run(shots)
    assert {m.reason for m in without.measurements} == {"no-overscan"}
    assert set(without.absent) == {f.name for f in PROCEDURE.figures} | {p.name for p in PROCEDURE.products}


def test_what_the_data_do_not_reach_is_said_and_not_extrapolated() -> None:
    """A peer states a full well of 461,000 e⁻ for data that end at a tenth of it."""
    found = run(Shots(bent(0.004)))
    m = value(found, "turnoff")
    assert (m.value, m.reason) == (None, "not-reached") and "within 1 % of the line up to" in m.note
    top = number(found, "max_level")
    beyond = run(Shots(bent(0.03)), reference_level=top + 100.0, range_high=top + 100.0)
    for quantity in ("reference_deviation", "max_deviation", "max_deviation_level"):
        m = value(beyond, quantity)
        assert (m.value, m.reason) == (None, "not-reached") and "measured" in m.note
    top = number(beyond, "max_level")
    assert number(beyond, "turnoff") < top
    low = run(
        Shots(bent(0.03)), Shots(bent(0.03), stability=6.5).flats(TIMES[-5:]), linear_low=10.0, range_low=10.0
    )
    assert {value(low, q).reason for q in ("reference_deviation", "turnoff", "max_deviation")} == {
        "not-reached"
    }
    for table in ("correction", "curve"):
        product = beyond.products[table]
        assert isinstance(product, TableProduct)
        assert max(float(str(v)) for v in product.columns["level"]) == pytest.approx(top)


def test_a_turnoff_that_is_crossed_is_where_the_curve_crosses() -> None:
    found = run(Shots(bent(0.05)), lamp_degree=0, shutter="0")
    levels = np.linspace(LOW, 60_000.0, 600_001)
    truth = levels[np.argmax(np.abs(deviation(0.05, levels, LOW, QUARTER)) > 0.01)]
    assert number(found, "turnoff") == pytest.approx(truth, rel=1e-3)
    half = run(Shots(bent(0.05)), lamp_degree=0, shutter="0", turnoff=0.5)
    assert number(half, "turnoff") < number(found, "turnoff")


def test_full_well_bends_no_curve_and_is_the_turnoff() -> None:
    full = bent(0.001)
    shots = Shots(lambda x: min(full(x), 45_000.0))
    found = run(shots)
    m = value(found, "turnoff")
    assert m.value is not None and m.uncertainty is not None
    assert m.value - m.uncertainty >= 41_900 and m.value + m.uncertainty <= 45_001
    assert "fills up" in m.note and "half-way" in m.estimator
    assert number(found, "max_level") == pytest.approx(full(42_000.0), rel=1e-5)
    assert number(found, "max_deviation") < 0.1
    assert any("beyond full well" in line for line in found.log)


def test_saturated_flats_are_left_out() -> None:
    shots = Shots(bent(0.01), rate=8000.0, noise=3.0, dtype="uint16")
    found = run(shots)
    assert number(found, "max_level") < 64_600.0
    assert "then pixels saturate" in value(found, "turnoff").note
    points = found.products["points"]
    assert isinstance(points, TableProduct)
    flagged = [f for f, used in zip(points.columns["flags"], points.columns["used"], strict=True) if not used]
    assert flagged and all("saturated" in str(f) for f in flagged)
    bright = run(shots, shots.flats([20.0, 30.0, 40.0]), range_low=1.0)
    assert value(bright, "max_deviation").reason in {"too-few-frames", "saturated"}
    only = run(shots, replace(shots, stability=None).flats([20.0, 30.0, 40.0]))
    assert {m.reason for m in only.measurements} == {"saturated"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"exptime": None}, "exposure-time-unknown"),
        ({"exptime": 0.0}, "too-few-frames"),
        ({"image": np.nan}, "too-few-pixels"),
        ({"image": 1000.0}, "unphysical"),
        ({"image": 900.0}, "unphysical"),
    ],
)  # fmt: skip
def test_bad_frames_have_a_coded_reason(change: dict[str, float | None], reason: str) -> None:
    shots = Shots()
    flats = []
    for n, time in enumerate(TIMES):
        level = change.get("image")
        image = np.asarray(shots.image(6000.0 * time, np.random.default_rng(1)), np.float32)
        if "image" in change:
            box = shots.geometry.channels[0].image.slices
            # a little texture: what is constant is clamped, and that is another fault
            image[box] = (
                float(level or 0.0) + np.random.default_rng(n).normal(0.0, 0.01, image[box].shape) - 0.1
            )
        exptime = change.get("exptime", time)
        flats.append(frame_input(image, shots.detector, "flat", n, exptime))
    found = run(shots, flats)
    assert {m.reason for m in found.measurements} == {reason}


def test_too_few_rungs_are_no_curve() -> None:
    shots = Shots(stability=None)
    found = run(shots, shots.flats([1.0, 1.0, 2.0, 2.0]))
    assert {m.reason for m in found.measurements} == {"too-few-frames"}
    three = run(shots, shots.flats([1.0, 3.0, 9.0]))
    assert (
        "few-levels" in value(three, "max_deviation").flags
        and "few-frames" in value(three, "max_deviation").flags
    )
    assert value(three, "shutter_offset").reason == "too-few-frames"
    same = run(Shots(lambda x: 20_000.0, stability=None))
    assert value(same, "max_deviation").reason in {"bad-fit", "too-few-frames"}


def test_texts_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ContractError, match=r"linearity.estimator cannot be 'akima'"):
        run(Shots(), estimator="akima")
    for text in ("often", "nan", ""):
        with pytest.raises(ContractError, match=r"linearity.shutter cannot be"):
            run(Shots(), shutter=text)


def test_a_lamp_that_drifts_unseen_is_told_and_not_guessed() -> None:
    """Without an exposure time that comes again a drift cannot be told from non-linearity: none is taken out, and it is said."""
    shots = Shots(bent(0.0), lamp=lambda n: 1.0 - 0.001 * n, stability=None, repeats=2)
    found = run(shots, shutter="0")
    m = value(found, "lamp_drift")
    assert m.reason == "no-reference" and "part of the curve" in m.note
    assert any("no drift of the lamp was taken out of channels A" in c for c in found.caveats)
    assert number(found, "max_deviation") > 0.5  # which is the lamp's
    seen = run(replace(shots, stability=4.5, lamp=lambda n: 1.0 - 0.001 * n), shutter="0")
    assert not seen.caveats and number(seen, "max_deviation") < 1e-3


def test_a_ladder_climbed_up_and_down_tells_a_drift_of_first_degree() -> None:
    shots = Shots(bent(0.0), lamp=lambda n: float(np.exp(-0.001 * n)), stability=None)
    found = run(shots, shots.flats((*TIMES, *TIMES[::-1])), shutter="0")
    assert number(found, "lamp_drift") == pytest.approx(100 * (np.exp(-0.027) - 1), abs=1e-3)
    assert "degree 1" in value(found, "lamp_drift").note


def test_without_dates_the_frames_number_is_the_clock() -> None:
    shots = Shots(bent(0.03), lamp=lambda n: 1.0 + 0.02 * n / 27.0)
    flats = [
        replace(f, frame=replace(f.frame, fields={k: v for k, v in f.frame.fields.items() if k != "date"}))
        for f in shots.flats()
    ]
    found, dated = run(shots, flats), run(shots)
    assert number(found, "lamp_drift") == pytest.approx(number(dated, "lamp_drift"), abs=1e-6)
    lamp = found.figures["lamp"]
    assert isinstance(lamp, Plot) and lamp.panels[0].xlabel == "number of the flat"


def test_a_stray_flat_is_left_out_and_flagged() -> None:
    shots = Shots(bent(0.03), noise=3.0)
    flats = shots.flats()
    odd = flats[9]  # a stability frame
    dim = np.asarray(shots.image(0.97 * shots.response(6000.0 * 4.5), np.random.default_rng(3)))
    flats[9] = frame_input(dim, shots.detector, "flat", 109, odd.frame.exptime)
    good, found = run(shots), run(shots, flats)
    assert (
        "unstable" in value(found, "max_deviation").flags
        and "unstable" not in value(good, "max_deviation").flags
    )
    assert any("left out, far from others" in line and "109" in line for line in found.log)
    m = value(found, "max_deviation")
    assert (
        m.uncertainty is not None
        and abs(number(found, "max_deviation") - number(good, "max_deviation")) < m.uncertainty
    )


def test_a_shutter_is_fitted_given_or_believed() -> None:
    shots = Shots(bent(0.0), shutter=0.03)
    assert number(run(shots), "shutter_offset") == pytest.approx(0.03, abs=1e-5)
    given = value(run(shots, shutter="0.03"), "shutter_offset")
    assert (given.value, given.uncertainty) == (0.03, None) and "given by the parameter" in given.estimator
    assert number(run(shots, shutter="0.03"), "max_deviation") < 1e-3
    believed = run(shots, shutter="0", range_low=800.0)
    assert value(believed, "shutter_offset").reason == "too-few-frames"
    assert number(believed, "max_deviation") > 1.0  # the shutter looks like non-linearity


def test_true_times_may_come_from_another_field_or_the_header() -> None:
    shots = Shots(bent(0.03), shutter=0.03)
    told = shots.told(TIMES)
    flats = [
        replace(f, header={"OPENTIME": f"{t + 0.03:.4f}"}) for f, t in zip(shots.flats(), told, strict=True)
    ]
    found = run(shots, flats, time_field="OPENTIME", shutter="0")
    assert number(found, "max_deviation") == pytest.approx(number(run(shots), "max_deviation"), abs=1e-3)
    assert value(run(shots, time_field="OPENTIME"), "max_deviation").reason == "exposure-time-unknown"


def attenuated(overlap: bool = True) -> list[FrameInput]:
    """Faint light to 12,000 ADU, bright from 6,000 (or 18,000) ADU on."""
    faint = Shots(bent(0.03), rate=500.0, stability=None)
    bright = Shots(bent(0.03), rate=6000.0)
    return [
        *faint.flats((1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0), source="ND"),
        *bright.flats(
            (1.0, 1.5, 2.0, 4.0, 6.0, 8.0, 9.0) if overlap else (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0),
            first=8,
            source="lamp",
        ),
    ]


def test_two_lights_that_overlap_are_one_curve_with_a_free_ratio() -> None:
    found = run(Shots(), attenuated(), shutter="0", lamp_degree=0)
    top = number(found, "max_level")
    truth = deviation(0.03, np.linspace(LOW, top, 2001), LOW, top)
    assert number(found, "max_deviation") == pytest.approx(100 * np.abs(truth).max(), abs=1e-3)
    assert number(found, "min_level") == pytest.approx(bent(0.03)(500.0), rel=1e-4)
    assert "2 lights joined" in value(found, "max_deviation").estimator
    (line,) = [words for words in found.log if "light relative to lamp" in words]
    assert float(line.split("ND ")[1].split(" ±")[0]) == pytest.approx(500.0 / 6000.0, rel=1e-4)


def test_lights_without_a_common_level_are_not_joined() -> None:
    found = run(Shots(), attenuated(overlap=False), shutter="0", lamp_degree=0)
    assert any("no rung in common" in line and "ND" in line for line in found.log)
    assert number(found, "min_level") > 17_000.0


def test_settings_have_curves_of_their_own() -> None:
    blue, red = Shots(bent(0.03)), Shots(bent(-0.01))
    found = run(blue, [*blue.flats(wavelength="500"), *red.flats(first=40, wavelength="900")])
    held = {m.setting: m.value for m in found.measurements if m.quantity == "reference_deviation"}
    assert set(held) == {"wavelength=500", "wavelength=900"}
    assert held["wavelength=500"] is not None and held["wavelength=900"] is not None
    assert held["wavelength=500"] < 0 < held["wavelength=900"]


def test_noise_of_a_linear_detector_is_no_deviation() -> None:
    found = run(Shots(bent(0.0), noise=3.0, repeats=2))
    for quantity in ("max_deviation", "reference_deviation"):
        assert "consistent-with-zero" in value(found, quantity).flags
    assert value(found, "turnoff").reason == "not-reached"


def test_a_curve_that_is_too_stiff_is_flagged() -> None:
    """A converter's wave of five periods cannot be followed by six knots; more knots can."""
    wavy: Response = lambda x: x + 60.0 * float(np.sin(2 * np.pi * x / 11_000.0))  # noqa: E731
    times = tuple(np.linspace(0.2, 9.0, 45).round(3))
    shots = Shots(wavy, noise=3.0)
    stiff = run(shots, shots.flats(times))
    assert "poor-fit" in value(stiff, "max_deviation").flags
    assert number(stiff, "fit_chi2") > 5
    supple = run(shots, shots.flats(times), knots=30)
    assert "poor-fit" not in value(supple, "max_deviation").flags
    assert number(supple, "residual") < 0.5 * number(stiff, "residual")


def test_uncertainty_grows_with_the_lamps_scatter() -> None:
    rng = np.random.default_rng(12)
    factors = 1.0 + 1e-3 * rng.standard_normal(100)
    steady = run(Shots(bent(0.03), noise=3.0, repeats=2))
    shaky = run(Shots(bent(0.03), noise=3.0, repeats=2, lamp=lambda n: float(factors[int(n)])))
    m, s = value(shaky, "reference_deviation"), value(steady, "reference_deviation")
    assert m.uncertainty is not None and s.uncertainty is not None and m.uncertainty > 2 * s.uncertainty
    scatter = value(shaky, "lamp_scatter")
    assert scatter.value is not None and scatter.uncertainty is not None
    assert abs(scatter.value - 0.1) < 4 * scatter.uncertainty


def test_infinite_saturation_takes_its_ranges_from_the_highest_level() -> None:
    geometry = replace(single(rows=24, columns=32, overscan=12), saturation=np.inf)
    found = run(Shots(bent(0.03), geometry=geometry))
    top = number(found, "max_level")
    assert f"at {0.5 * top:.5g} ADU" in value(found, "reference_deviation").note


def test_channels_in_extensions_of_their_own_are_measured_alike() -> None:
    box = Region(0, 24, 0, 32)
    channels = tuple(
        Channel(name, box, None, Region(0, 24, 32, 44), None, "lower-left", hdu)
        for name, hdu in (("A", 1), ("B", 2))
    )
    found = run(Shots(geometry=Geometry("two", (24, 44), channels)))
    assert number(found, "max_deviation", "A") == number(found, "max_deviation", "B")


def test_quantities_can_be_read_off_the_figures() -> None:
    found = run(Shots(bent(0.03)))
    plot = found.figures["deviation"]
    assert isinstance(plot, Plot)
    whole, low = plot.panels
    curve = next(s for s in whole.series if s.label == "A: curve")
    inside = np.asarray(curve.x) >= LOW
    assert np.abs(np.asarray(curve.y)[inside]).max() == pytest.approx(
        number(found, "max_deviation"), abs=0.02
    )
    (reference,) = [m for m in low.marks if m.label == "reference level"]
    assert reference.x == pytest.approx(HALF)
    for one, two in pairwise(s for s in whole.series if "1 σ" in s.label):
        assert (np.asarray(one.y) >= np.asarray(two.y)).all()


@pytest.mark.real
@pytest.mark.skipif(not SHUTTERS.is_dir(), reason="the shutter tables of shared/data/vis are not here")
def test_the_real_shutters_of_two_chambers_look_like_non_linearity_until_their_times_are_known() -> None:
    """Commanded and actual times as measured: 25 to 38 ms longer, scattering by some ms."""
    for name in ("shutter_A_calibration.txt", "shutter_B_calibration.txt"):
        told, actual = (c[1:] for c in np.loadtxt(SHUTTERS / name, unpack=True))
        shots = Shots(bent(0.0), rate=3000.0)
        flats = [
            frame_input(shots.image(3000.0 * a, np.random.default_rng(1)), shots.detector, "flat", n, t, opened=float(a))
            for n, (t, a) in enumerate(zip(told, actual, strict=True))
            if a < 20.0
        ]  # fmt: skip
        believed = run(shots, flats, shutter="0")
        fitted = run(shots, flats)
        true = run(shots, flats, time_field="opened", shutter="0")
        assert number(believed, "max_deviation") > 0.5
        offset = value(fitted, "shutter_offset")
        assert offset.value is not None and offset.uncertainty is not None
        assert abs(offset.value - float(np.median((actual - told)[actual < 20.0]))) < max(
            4 * offset.uncertainty, 0.01
        )
        assert number(true, "max_deviation") < 1e-3


@pytest.mark.real
@pytest.mark.skipif(not STL1001.is_dir(), reason="the STL-1001E frames of shared/data are not here")
def test_real_flats_of_one_exposure_time_are_no_ladder() -> None:
    from astropy.io import fits

    of = detector(single(rows=1024, columns=1024))
    held = sorted(STL1001.glob("*.FIT"))
    flats = []
    for n, path in enumerate(p for p in held if "flat" in p.name.lower()):
        with fits.open(path) as opened:
            flats.append(
                frame_input(np.asarray(opened[0].data), of, "flat", n, float(opened[0].header["EXPTIME"]))
            )
    assert flats
    biases = [
        frame_input(np.asarray(fits.getdata(p)), of, "bias", 100 + n)
        for n, p in enumerate(p for p in held if "bias" in p.name.lower())
    ]
    found = measured(PROCEDURE, inputs(PROCEDURE, of, {"flat": flats, "bias": biases[:4]}))
    reasons = {m.reason for m in found.measurements}
    assert reasons == {"too-few-frames"}, reasons


def test_measurements_are_typed() -> None:
    assert all(isinstance(m, Measurement) for m in run(Shots()).measurements)
