from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from analysis.contract import FrameInput, ImageProduct, Measurement, Results, TableProduct
from analysis.dark import PROCEDURE
from analysis.figures import Plot
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from campaign.geometry import single, with_gains

GAIN, NOISE = 2.0, 2.0
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"


def campaign(
    rng: np.random.Generator,
    times: list[float],
    biases: int,
    *,
    rate: float = 0.05,
    drift: float = 0.0,
    overscan: int = 0,
    hot: float = 0.0,
    light: float | None = None,
) -> Results:
    """Dark and bias frames of a small camera, measured. ``rate`` in ADU/s; ten pixels add ``hot`` ADU/s."""
    camera = detector(single(rows=48, columns=48, overscan=overscan))
    rates = np.full((48, 48), rate)
    rates.flat[: 10 * 97 : 97] += hot

    def frame(kind: str, number: int, time: float, temperature: float) -> FrameInput:
        image = 1000.3 + rng.normal(0, drift) + rng.normal(0, NOISE, camera.geometry.shape)
        positive = np.maximum(rates, 0)
        image[:, :48] += rng.poisson(positive * time * GAIN) / GAIN + np.minimum(rates, 0) * time
        return frame_input(digitised(image), camera, kind, number, time, temperature=temperature)

    darks = [frame("dark", 50 + i, t, -10.0) for i, t in enumerate(times)]
    zeros = [frame("bias", i, 0.0, -10.0 if light is None else light) for i in range(biases)]
    return measured(PROCEDURE, inputs(PROCEDURE, camera, {"dark": darks, "bias": zeros}))


@pytest.mark.parametrize(
    ("times", "biases", "drift", "overscan", "dof"),
    [
        ([10, 30, 60, 100, 150], 0, 0.0, 20, None),
        ([10, 30, 60, 100, 150], 10, 0.4, 0, 9),
        ([100] * 4, 0, 1.0, 20, None),
        ([100] * 4, 5, 1.0, 20, None),
        ([100] * 4, 10, 0.5, 0, 9),
        ([100], 10, 0.5, 0, 9),
    ],
)
def test_dark_current_and_its_uncertainty(
    times: list[float], biases: int, drift: float, overscan: int, dof: int | None
) -> None:
    rng, runs = np.random.default_rng(12), 200
    pulls = []
    for _ in range(runs):
        m = value(campaign(rng, times, biases, drift=drift, overscan=overscan), "dark_current")
        assert m.value is not None and m.uncertainty is not None
        pulls.append((m.value - 0.05) / m.uncertainty)
    # an offset's scatter known from few bias frames gives Student's tails
    wide = 1.0 if dof is None else sqrt(dof / (dof - 2))
    assert abs(np.mean(pulls)) < 5.0 * wide / sqrt(runs)
    assert 1.0 - 4.0 / sqrt(2 * runs) < np.std(pulls) < wide + 4.0 * wide / sqrt(2 * runs)


def test_a_negative_dark_current_is_never_a_clean_number() -> None:
    rng = np.random.default_rng(13)
    found = campaign(rng, [100] * 4, 10, rate=-0.05, drift=0.2)
    below = value(found, "dark_current")
    assert "negative" in value(found, "dark_current_95").flags
    assert below.value is not None and below.value < 0 and "negative" in below.flags
    nothing = value(campaign(rng, [100] * 4, 10, rate=0.0, drift=0.2), "dark_current")
    assert "consistent-with-zero" in nothing.flags and "negative" not in nothing.flags
    assert not value(campaign(rng, [100] * 4, 10, rate=0.5, drift=0.2), "dark_current").flags


def test_hot_pixels_are_counted_masked_and_listed() -> None:
    results = campaign(np.random.default_rng(14), [100.0] * 5, 5, hot=5.0)
    assert value(results, "hot_pixels").value == 10
    assert value(results, "hot_columns").value == 0
    mask, table = results.products["hot_mask"], results.products["hot_pixels"]
    assert isinstance(mask, ImageProduct) and isinstance(table, TableProduct)
    assert set(np.flatnonzero(mask.planes["A"])) == set(range(0, 970, 97))
    rates = np.array(table.columns["rate"], dtype=float)
    assert (np.diff(rates) <= 0).all()
    # shot noise of 505 ADU: √(505 / 2) ADU in each of five frames
    assert np.abs(rates - 5.05).max() < 5 * sqrt(505 / GAIN + NOISE**2) / 100 / sqrt(5)
    typical = value(results, "dark_current")
    assert typical.value is not None and typical.uncertainty is not None
    assert abs(typical.value - 0.05) < 5 * typical.uncertainty


def test_hot_pixels_of_a_small_detector_leave_the_core_of_the_histogram_to_be_seen() -> None:
    results = campaign(np.random.default_rng(3), [100.0] * 5, 5, hot=5.0)
    figure = results.figures["rates"]
    assert isinstance(figure, Plot)
    (panel,) = figure.panels
    counts = np.asarray(panel.series[0].y)
    assert panel.title.endswith("10 hotter than shown")
    assert 0 <= 48 * 48 - 10 - counts.sum() <= 2  # the range begins at the quantile 0.0005
    assert (
        counts > counts.max() / 2
    ).sum() >= 5  # full width at half maximum: 2.35 σ in steps of σ/3 or more


def test_threshold_in_electrons_and_electrons_per_second() -> None:
    camera = detector(with_gains(single(rows=40, columns=40, overscan=20), {"A": 3.0}))
    rng = np.random.default_rng(15)
    images = [1000 + rng.normal(0, NOISE, camera.geometry.shape) for _ in range(4)]
    for image in images:
        image[5, 5] += 100.0
        image[6, 6] += 300.0
    given = {"dark": [frame_input(digitised(i), camera, "dark", n, 100.0) for n, i in enumerate(images)]}
    results = measured(PROCEDURE, inputs(PROCEDURE, camera, given, hot_rate=5.0))
    assert value(results, "hot_pixels").value == 1  # 9 e⁻/s is, 3 e⁻/s is not
    adu, electrons = value(results, "dark_current"), value(results, "dark_current_e")
    assert adu.value is not None and electrons.value == pytest.approx(3.0 * adu.value)
    assert "nominal-gain" in electrons.flags and "e⁻/h" in electrons.note


def test_a_hot_column_is_found() -> None:
    camera = detector(single(rows=60, columns=40, overscan=20))
    rng = np.random.default_rng(16)
    images = [1000 + rng.normal(0, NOISE, camera.geometry.shape) for _ in range(4)]
    for image in images:
        image[:40, 17] += 200.0
    given = {"dark": [frame_input(digitised(i), camera, "dark", n, 100.0) for n, i in enumerate(images)]}
    results = measured(PROCEDURE, inputs(PROCEDURE, camera, given))
    mask = results.products["hot_mask"]
    assert isinstance(mask, ImageProduct)
    assert value(results, "hot_columns").value == 1
    assert (mask.planes["A"][:40, 17] == 3).all() and (mask.planes["A"][40:, 17] == 2).all()


def test_biases_at_another_temperature_are_said() -> None:
    rng = np.random.default_rng(17)
    apart = value(campaign(rng, [100] * 3, 5, light=-5.0), "dark_current")
    assert "unstable" in apart.flags and "5.0 °C" in apart.note
    assert "unstable" not in value(campaign(rng, [100] * 3, 5, light=-9.0), "dark_current").flags


def test_what_cannot_be_had_says_why() -> None:
    rng = np.random.default_rng(18)
    assert value(campaign(rng, [100] * 3, 0), "dark_current").reason == "no-overscan"
    assert value(campaign(rng, [], 3), "dark_current").reason == "too-few-frames"
    camera = detector(single(rows=20, columns=20))
    image = digitised(1000 + rng.normal(0, NOISE, camera.geometry.shape))
    timeless = {"dark": [frame_input(image, camera, "dark", 1, None)]}
    assert value(measured(PROCEDURE, inputs(PROCEDURE, camera, timeless)), "hot_pixels").reason == (
        "exposure-time-unknown"
    )
    dead = {"dark": [frame_input(np.full((20, 20), np.nan, np.float32), camera, "dark", 1, 10.0)]}
    assert (
        value(measured(PROCEDURE, inputs(PROCEDURE, camera, dead)), "dark_current").reason == "too-few-pixels"
    )


@pytest.mark.real
def test_real_darks_double_in_five_degrees_or_so() -> None:
    if not REAL.is_dir():
        pytest.skip(f"the real frames are not there: {REAL.name} beside the checkout")
    from astropy.io import fits

    camera = detector(single(rows=1024, columns=1024))

    def read(pattern: str, kind: str) -> list[FrameInput]:
        out = []
        for number, path in enumerate(sorted(REAL.glob(pattern))):
            with fits.open(path) as hdus:
                out.append(
                    frame_input(np.asarray(hdus[0].data), camera, kind, number, hdus[0].header["EXPTIME"])
                )
        return out

    found: list[Measurement] = []
    for temperature in ("Neg5", "Neg10"):
        given = {"dark": read(f"darks*{temperature}*", "dark"), "bias": read(f"bias*{temperature}*", "bias")}
        found.append(value(measured(PROCEDURE, inputs(PROCEDURE, camera, given)), "dark_current"))
    warm, cold = found
    assert warm.value is not None and cold.value is not None
    assert warm.uncertainty is not None and warm.uncertainty < 0.02 * warm.value
    # silicon's dark current doubles every five to eight degrees
    assert 2.0 ** (5 / 8) < warm.value / cold.value < 2.0 ** (5 / 4)
