"""The example made of real frames: its numbers against the textbook's method, done here by hand in numpy."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from math import hypot, sqrt
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from builder.build import Built, Options, build
from builder.progress import Progress
from builder.report import Verdict
from campaign.lint import lint
from campaign.load import load

FOLDER = Path(__file__).parents[2] / "examples" / "stl1001"
FRAMES = Path(__file__).parents[3] / "shared" / "data" / "stl1001"
ROUNDING = 1 / 12

Values = dict[tuple[str, str], tuple[float | None, float | None, str]]
"""(value, uncertainty, flags) by test and procedure.quantity."""


def read(name: str) -> NDArray[np.float64]:
    return np.asarray(fits.getdata(FRAMES / name), dtype=np.float64)


def variance(difference: NDArray[np.float64]) -> float:
    """Variance within 5 σ of the median: cosmic rays and defects left out, next to no noise cut."""
    centred = difference - np.median(difference)
    sigma = 1.4826 * float(np.median(np.abs(centred)))
    for _ in range(5):
        kept = centred[np.abs(centred) < 5 * sigma]
        sigma = float(kept.std())
    return sigma**2


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("stl1001")
    options = Options(FOLDER, lambda: datetime(2025, 3, 1, tzinfo=UTC), {}, out, workers=1)
    return build(options, Progress(quiet=True))


@pytest.fixture(scope="module")
def values(built: Built) -> Values:
    """All numbers, from the published table."""
    with (built.home.parent / "data" / "measurements.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["test"], f"{row['procedure']}.{row['quantity']}"): (
                float(row["value"]) if row["value"] else None,
                float(row["uncertainty"]) if row["uncertainty"] else None,
                row["flags"],
            )
            for row in csv.DictReader(file)
        }


@pytest.fixture(scope="module")
def biases() -> list[NDArray[np.float64]]:
    return [read(f"biases-Neg5-Vis.0000000{i}.BIAS.FIT") for i in range(5)]


@pytest.fixture(scope="module")
def two_flats_two_biases(biases: list[NDArray[np.float64]]) -> Iterator[tuple[list[float], float]]:
    """(gains of the three pairs [e⁻/ADU], read noise [ADU, rounding taken out])."""
    flats = [read(f"flat-expos23s-Neg5-Vis.0000000{i}.FIT") for i in range(6)]
    electronic = float(np.mean([variance(a - b) for a, b in pairwise(biases)]))
    gains = []
    for one, two in zip(flats[::2], flats[1::2], strict=True):
        signal = float((one + two).mean()) - 2 * float(np.mean([b.mean() for b in biases]))
        gains.append(signal / (variance(one - two) - electronic))
    yield gains, sqrt(electronic / 2 - ROUNDING)


def test_folder_says_nothing_wrong() -> None:
    campaign, findings = load(FOLDER)
    assert campaign is not None
    assert [f for f in findings if f.kind != "missing-folder"] == []
    assert lint(campaign) == []
    assert all("not a requirement" in x.document or "headers state" in x.document for x in campaign.limits)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(not FRAMES.is_dir(), reason=f"the camera's frames are not at {FRAMES}")
class TestRealFrames:
    def test_every_frame_has_its_test_and_all_analyses_ran(self, built: Built) -> None:
        held = {t.test.name: (len(t.frames), t.expected) for t in built.report.tests()}
        assert held == {
            "BIAS_M5": (5, 5), "DARK_M5": (9, 9), "BIAS_M10": (5, 5), "DARK_M10": (6, 6), "FLAT_M5": (6, 6), "PTC_M5": (6, 6),
        }  # fmt: skip
        assert {o.status for o in built.report.outcomes()} == {"done"}
        assert built.report.counts()[Verdict.FAIL] == built.report.counts()["missing"] == 0

    def test_only_the_wrong_file_names_are_found(self, built: Built) -> None:
        ours = [f for f in built.report.findings if not f.where.startswith(("guide/", "contents"))]
        assert [f.kind for f in ours] == ["contradiction"]
        assert "file name 1, header EXPTIME" in ours[0].what
        assert ours[0].where.count("darks-expos1-Neg5") == 3

    def test_gain_is_that_of_two_flats_and_two_biases(
        self,
        values: Values,
        two_flats_two_biases: tuple[list[float], float],
    ) -> None:
        gains, _ = two_flats_two_biases
        value, error, flags = values["PTC_M5", "photon_transfer.gain"]
        assert value is not None and error is not None
        # the same frames: only the two methods differ, by less than the sampling error that either has
        assert abs(value - np.mean(gains)) < error
        # and that error is what the scatter of the pairs says, as far as three pairs can say it (99 %: a factor of 10)
        scatter = float(np.std(gains, ddof=1)) / sqrt(len(gains))
        assert 0.1 < scatter / error < 2.15
        assert "lamp-drift" not in flags and "flicker" not in flags

    def test_read_noise_is_that_of_two_flats_and_two_biases(
        self,
        values: Values,
        two_flats_two_biases: tuple[list[float], float],
    ) -> None:
        gains, noise = two_flats_two_biases
        value, error, _ = values["PTC_M5", "photon_transfer.read_noise"]
        assert value is not None and error is not None
        assert abs(value - noise * np.mean(gains)) < error
        in_adu, error_adu, _ = values["PTC_M5", "photon_transfer.read_noise_adu"]
        assert in_adu is not None and error_adu is not None
        assert abs(in_adu - noise) < error_adu
        # the bias procedure clips at 3 σ for a normal distribution; the real one has slightly wider tails
        bias, _, _ = values["BIAS_M5", "bias.read_noise"]
        assert bias is not None
        assert bias < noise and bias == pytest.approx(noise, rel=0.003)

    @pytest.mark.parametrize(
        ("test", "name", "bias"),
        [("DARK_M5", "Neg5", "biases-Neg5-Vis"), ("DARK_M10", "Neg10", "bias-Neg10-Vis")],
    )
    def test_dark_current_is_the_slope_of_the_levels(
        self,
        test: str,
        name: str,
        bias: str,
        values: Values,
    ) -> None:
        offset = float(np.mean([np.median(read(f"{bias}.0000000{i}.BIAS.FIT")) for i in range(5)]))
        slopes = [
            (float(np.median(read(f"darks-expos{t}s-{name}-Vis.00000000.DARK.FIT"))) - offset) / t
            for t in (150, 300)
        ]
        value, error, flags = values[test, "dark.dark_current"]
        assert value is not None and error is not None
        # offsets of single frames move by about an ADU here: 1 / 150 s of it; the mode of a skewed distribution is not its median
        assert value == pytest.approx(float(np.mean(slopes)), abs=3 * hypot(1 / 150, error))
        assert "negative" not in flags

    def test_dark_current_halves_in_five_degrees(self, values: Values) -> None:
        warm, cold = (values[t, "dark.dark_current_e"][0] for t in ("DARK_M5", "DARK_M10"))
        assert warm is not None and cold is not None
        # silicon with a mid-gap energy of 0.55 to 0.75 eV, between 263 K and 268 K
        assert 1.5 < warm / cold < 2.2

    def test_what_one_level_cannot_tell_is_not_told(self, values: Values) -> None:
        assert values["PTC_M5", "photon_transfer.full_well"] == (None, None, "reason:not-reached")
        assert values["BIAS_M5", "bias.offset_overscan"][2] == "reason:no-overscan"
