"""Gain stability against amplifiers of known drift, and what it says where it cannot tell."""

from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from analysis.contract import FrameInput, Measurement, Results, TableProduct
from analysis.figures import Plot
from analysis.gain_stability import PROCEDURE
from analysis.gain_stability.pairs_in_time import gain_of_pair
from analysis.gain_stability.trends import fit_trend
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from campaign.geometry import single

STL1001 = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"
CAMERA = detector(single(rows=128, columns=128))
GAIN, NOISE, OFFSET, A00 = 2.0, 6.0, 1000.0, -2.0e-6


def biases(rng: np.random.Generator, n: int = 4) -> list[FrameInput]:
    shape = (128, 128)
    return [
        frame_input(digitised(OFFSET + rng.normal(0, NOISE / GAIN, shape)), CAMERA, "bias", k)
        for k in range(n)
    ]


def flats(
    rng: np.random.Generator,
    pairs: int = 12,
    *,
    drift: float = 0.0,
    per_kelvin: float = 0.0,
    lamp: float = 0.0,
    warmth: str = "varies",
    times: tuple[float | None, ...] = (10.0,),
    light: float = 30_000.0,
) -> list[FrameInput]:
    """Pairs, one each half hour, of gains that drift [1/h], follow the temperature [1/K], under a lamp that drifts [1/h]."""
    out: list[FrameInput] = []
    for k in range(pairs):
        hours, kelvin = (
            0.5 * k,
            {"varies": float(rng.normal(0, 2.0)), "steady": 0.0, "follows": 0.3 * k}.get(warmth, 0.0),
        )
        gain = GAIN * np.exp(drift * hours + per_kelvin * kelvin)
        time = times[k % len(times)]
        mean = light * np.exp(lamp * hours) * (time or 10.0) / 10.0
        spread = sqrt(np.expm1(2 * A00 * mean) / (2 * A00) + NOISE**2)
        fields = {} if warmth == "unknown" else {"temperature": -100.0 + kelvin}
        for _ in range(2):
            image = digitised(OFFSET + rng.normal(mean, spread, (128, 128)) / gain)
            out.append(frame_input(image, CAMERA, "flat", len(out), time, interval=900.0, **fields))
    return out


def run(
    frames: list[FrameInput],
    dark: list[FrameInput],
    a00: float | None = A00,
    a00_error: float = 0.0,
    **parameters: float,
) -> Results:
    used = (
        {}
        if a00 is None
        else {("photon_transfer", "a00"): {"A": Measurement("a00", "A", "", a00, a00_error, "1/e⁻", "", 1)}}
    )
    return measured(
        PROCEDURE, inputs(PROCEDURE, CAMERA, {"flat": frames, "bias": dark}, used=used, **parameters)
    )


def pull(found: Measurement, truth: float) -> float:
    assert found.value is not None and found.uncertainty is not None, found
    return (found.value - truth) / found.uncertainty


def test_a_steady_camera_is_steady() -> None:
    rng = np.random.default_rng(1)
    found = run(flats(rng), biases(rng))
    assert abs(pull(value(found, "gain_mean"), GAIN)) < 4
    for quantity in ("gain_drift", "gain_temperature", "level_drift"):
        assert abs(pull(value(found, quantity), 0.0)) < 4
        assert (
            "consistent-with-zero" in value(found, quantity).flags
            or abs(pull(value(found, quantity), 0.0)) > 3
        )
    scatter = value(found, "gain_scatter")
    assert scatter.value is not None and scatter.uncertainty is not None
    assert 0 <= scatter.value < 4 * scatter.uncertainty and "unstable" not in scatter.flags
    assert value(found, "pairs_used").value == 12
    table = found.products["pairs"]
    assert isinstance(table, TableProduct) and list(table.columns["hours"])[:2] == [0.125, 0.625]
    for figure, panels in (("stability", 2), ("temperature", 1)):
        plot = found.figures[figure]
        assert isinstance(plot, Plot) and len(plot.panels) == panels


def test_drifts_come_back_apart_from_each_other() -> None:
    rng = np.random.default_rng(2)
    found = run(flats(rng, 16, drift=0.01, per_kelvin=-0.01, lamp=0.02), biases(rng))
    assert abs(pull(value(found, "gain_drift"), 1.0)) < 4 and pull(value(found, "gain_drift"), 0.0) > 5
    assert (
        abs(pull(value(found, "gain_temperature"), -1.0)) < 4
        and pull(value(found, "gain_temperature"), 0.0) < -5
    )
    assert abs(pull(value(found, "level_drift"), 1.0)) < 4


def test_exposure_times_may_alternate() -> None:
    rng = np.random.default_rng(3)
    found = run(flats(rng, 16, drift=0.01, times=(5.0, 20.0)), biases(rng))
    assert abs(pull(value(found, "gain_drift"), 1.0)) < 4 and abs(pull(value(found, "level_drift"), -1.0)) < 4
    assert value(found, "gain_mean").n == 16
    assert value(run(flats(rng, 15, times=(5.0, 20.0)), biases(rng), None), "gain_mean").n == 8


def test_the_mean_gain_is_no_better_known_than_the_coefficient_it_is_freed_by() -> None:
    rng = np.random.default_rng(5)
    frames, dark = flats(rng, 12), biases(rng)
    known, guessed = (run(frames, dark, a00_error=error) for error in (0.0, 1e-7))
    first, second = (value(found, "gain_mean") for found in (known, guessed))
    assert first.value == second.value and first.uncertainty is not None and second.uncertainty is not None
    other = value(run(frames, dark, A00 + 1e-7), "gain_mean").value
    assert other is not None and first.value is not None
    added = np.sqrt(second.uncertainty**2 - first.uncertainty**2)
    assert added == pytest.approx(abs(other - first.value), rel=0.02)
    for quantity in ("gain_drift", "gain_scatter"):
        assert value(known, quantity) == value(guessed, quantity)


def test_light_that_drifts_is_not_taken_for_gain() -> None:
    """Without a₀₀ a lamp that fades by half moves the gain of pairs by 3 %; with it the gain stays."""
    rng = np.random.default_rng(4)
    frames, dark = flats(rng, 24, lamp=-0.06), biases(rng)
    assert abs(pull(value(run(frames, dark), "gain_drift"), 0.0)) < 4
    naive = value(run(frames, dark, None), "gain_drift")
    assert (
        naive.value is not None
        and naive.value < -0.1
        and "not taken out" in value(run(frames, dark, None), "gain_mean").note
    )


def test_gain_of_a_pair_solves_equation_16() -> None:
    mean = 60_000.0
    signal = np.expm1(2 * A00 * mean) / (2 * A00) / GAIN**2
    gain, lever = gain_of_pair(mean / GAIN, float(signal), A00)
    assert gain == pytest.approx(GAIN, rel=1e-9)
    assert lever == pytest.approx(
        -np.log(gain_of_pair(mean / GAIN, float(signal) * 1.001, A00)[0] / gain) / 0.001, rel=5e-3
    )
    assert gain_of_pair(1000.0, 500.0, 0.0) == (2.0, 1.0)


def test_what_cannot_be_told_says_why() -> None:
    rng = np.random.default_rng(5)
    dark = biases(rng)
    assert (
        value(run(flats(rng, 6, warmth="unknown"), dark), "gain_temperature").reason == "temperature-unknown"
    )
    steady = run(flats(rng, 6, warmth="steady"), dark)
    assert (
        value(steady, "gain_temperature").reason == "not-varied"
        and value(steady, "gain_drift").value is not None
    )
    follows = value(run(flats(rng, 6, warmth="follows"), dark), "gain_temperature")
    assert follows.reason == "not-varied" and "changed with time" in follows.note
    timeless = [
        replace(f, frame=replace(f.frame, fields={**f.frame.fields, "date": None})) for f in flats(rng, 6)
    ]
    found = run(timeless, dark)
    assert (
        value(found, "gain_drift").reason == "time-unknown"
        and value(found, "gain_temperature").value is not None
    )
    assert "stability" in found.absent and "temperature" in found.figures
    two = run(flats(rng, 2), dark)
    assert value(two, "gain_scatter").reason == value(two, "gain_drift").reason == "too-few-frames"
    assert value(two, "gain_mean").value is not None
    assert value(run(flats(rng, 3), []), "gain_mean").reason == "no-overscan"
    assert value(run(flats(rng, 3), dark[:1]), "gain_mean").reason == "no-reference"
    assert value(run(flats(rng, 3, times=(None,)), dark), "gain_mean").reason == "exposure-time-unknown"
    assert value(run(flats(rng, 3)[::2], dark), "gain_mean").value is not None
    assert value(run(flats(rng, 1)[:1], dark), "gain_mean").reason == "too-few-frames"
    assert value(run(flats(rng, 3, light=2e5), dark), "gain_mean").reason == "saturated"


def test_a_pair_whose_lamp_drifted_is_left_out_and_told() -> None:
    rng = np.random.default_rng(6)
    frames = flats(rng, 8)
    frames[5] = frame_input(
        digitised(OFFSET + rng.normal(14_000, 85, (128, 128))),
        CAMERA,
        "flat",
        5,
        10.0,
        interval=900.0,
        temperature=-100.0,
    )
    found = run(frames, biases(rng))
    assert value(found, "pairs_used").value == 7 and "lamp-drift" in value(found, "gain_drift").flags


def test_a_gain_that_jumps_is_unstable() -> None:
    rng = np.random.default_rng(7)
    frames = flats(rng, 6) + [
        replace(
            f,
            frame=replace(
                f.frame,
                fields={**f.frame.fields, "date": f"2020-01-01T{4 + k // 4:02d}:{15 * (k % 4):02d}:00"},
            ),
        )
        for k, f in enumerate(flats(rng, 6, drift=0.0, per_kelvin=0.05))
    ]
    scatter = value(run(frames, biases(rng)), "gain_scatter")
    assert "unstable" in scatter.flags and scatter.value is not None and scatter.value > 1.0


def test_pulls_of_trends_are_right_with_scatter_and_without() -> None:
    rng, n = np.random.default_rng(8), 24
    errors = 0.01 * (1 + rng.random(n))
    groups = [float(k % 2) for k in range(n)]
    x = np.linspace(0, 5, n)
    for extra in (0.0, 0.02):
        pulls, scatters = [], []
        for _ in range(600):
            y = 3.0 + np.array(groups) + 0.004 * x + rng.normal(0, np.hypot(errors, extra))
            found = fit_trend(y, errors, groups, [x])
            pulls.append((found.slopes[0] - 0.004) / found.errors[0])
            assert found.excess is not None
            scatters.append(found.excess)
        assert abs(np.mean(pulls)) < 4 / sqrt(600)
        assert 0.9 < np.std(pulls) < 1.1
        if extra:
            assert np.mean(scatters) == pytest.approx(
                extra, abs=4 * np.std(scatters) / sqrt(600) + 0.02 * extra
            )
    with pytest.raises(ValueError, match="does not vary"):
        fit_trend(np.ones(4), np.ones(4), [1.0] * 4, [np.zeros(4)])


@pytest.mark.real
@pytest.mark.skipif(not STL1001.is_dir(), reason="the real STL-1001E frames are not beside the checkout")
def test_real_pairs_have_the_gain_that_photon_transfer_gives() -> None:
    """Three pairs of one level: photon transfer has the pair method only, and both must say the same of the same frames."""
    from astropy.io import fits

    from analysis.photon_transfer import PROCEDURE as PHOTON_TRANSFER

    camera = detector(single(rows=1024, columns=1024))

    def read(pattern: str, kind: str, time: float) -> list[FrameInput]:
        files = sorted(STL1001.glob(pattern))
        return [
            frame_input(fits.getdata(f).astype(np.uint16), camera, kind, k, time) for k, f in enumerate(files)
        ]

    frames = {"flat": read("flat-*.FIT", "flat", 23.0), "bias": read("biases-Neg5*.FIT", "bias", 0.0)}
    found = measured(PROCEDURE, inputs(PROCEDURE, camera, frames))
    transfer = value(measured(PHOTON_TRANSFER, inputs(PHOTON_TRANSFER, camera, frames)), "gain")
    gain = value(found, "gain_mean")
    assert gain.uncertainty is not None
    # one averages logarithms, the other inverses: half the relative variance of a pair apart
    assert gain.value == pytest.approx(transfer.value, abs=0.02 * gain.uncertainty)
    assert gain.uncertainty == pytest.approx(transfer.uncertainty, rel=0.2) and gain.n == 3
    assert value(found, "gain_temperature").reason == "temperature-unknown"


def test_pairs_alone_at_their_exposure_time_are_not_drawn() -> None:
    """Each would be its own mean: a ladder without repeats has no figure, one with a repeat shows what repeats."""
    rng = np.random.default_rng(11)
    ladder = run(flats(rng, 4, times=(4.0, 6.0, 8.0, 10.0)), biases(rng))
    assert {"stability", "temperature"} <= set(ladder.absent)
    assert "two pairs" in ladder.absent["stability"]
    mixed = run(flats(rng, 5, times=(4.0, 6.0, 8.0, 10.0)), biases(rng))
    plot = mixed.figures["stability"]
    assert isinstance(plot, Plot)
    assert [len(s.x) for panel in plot.panels for s in panel.series] == [2, 2]
