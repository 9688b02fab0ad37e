"""Point sources: how wide they are, and by how much wider the brighter, against sources exposed with borders that move."""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.brighter_fatter import PROCEDURE
from analysis.brighter_fatter.kernel import kernel_of
from analysis.brighter_fatter.point_sources import Sources, matched
from analysis.brighter_fatter.spot import FWHM, growth
from analysis.brighter_fatter.widening import Widening, widened
from analysis.contract import FrameInput, Results
from analysis.figures import Plot
from analysis.in_memory import detector, digitised, frame_input, inputs, measured
from builder.simulate.effects import pixel_area
from campaign.geometry import single

GAIN, NOISE, OFFSET, PITCH = 2.0, 5.0, 1000.0, 12.0  # e⁻/ADU, e⁻, ADU, µm
AREA = pixel_area.area_matrix(8e-7, 5e-7, 3.0, 4)
GEOMETRY = single(rows=128, columns=120, overscan=20)
CAMERA = detector(GEOMETRY)
SIGMA = {450.0: 1.1, 850.0: 1.4}  # pixels, by wavelength [nm]
Images = NDArray[np.float32]


def scene(seed: int, sigma: float) -> tuple[Images, NDArray[np.float64]]:
    """Light [e⁻] of 36 sources 19 pixels apart, somewhere within their pixels, and their peaks [e⁻]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:128, :120].astype(np.float64)
    light, peaks = np.full((128, 120), 20.0), rng.uniform(8e3, 90e3, 36)
    for n, peak in enumerate(peaks):
        at = 12 + 19 * np.array(divmod(n, 6)) + rng.uniform(-0.5, 0.5, 2)
        light += peak * np.exp(-0.5 * ((y - at[0]) ** 2 + (x - at[1]) ** 2) / sigma**2)
    return light.astype(np.float32), peaks


def frame(seed: int, number: int, wavelength: float) -> FrameInput:
    light, _ = scene(seed, SIGMA[wavelength])
    rng = np.random.default_rng(100 + seed)
    image = rng.normal(OFFSET, NOISE / GAIN, GEOMETRY.shape)
    image[GEOMETRY.channels[0].image.slices] += (
        pixel_area.expose(light, AREA, rng, light.shape, 4000.0) / GAIN
    )
    return frame_input(digitised(image), CAMERA, "point", number, 5.0, wavelength=wavelength)


def run(spots: list[FrameInput]) -> Results:
    flat = frame_input(np.full(GEOMETRY.shape, 2000, np.uint16), CAMERA, "flat", 0, 1.0)
    return measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"flat": [flat, flat], "spot": spots}))


@cache
def found() -> Results:
    return run([frame(n, 2 + n, (450.0, 850.0)[n % 2]) for n in range(4)])


def truth(wavelength: float, axis: int) -> Widening:
    """The same law of sources exposed without noise, each alone: of the Gaussian that matches."""
    parts: list[Sources] = []
    for peak in np.linspace(8e3, 90e3, 6):
        y, x = np.mgrid[-16:17, -16:17].astype(np.float64)
        light = peak * np.exp(-0.5 * ((y - 0.2) ** 2 + (x + 0.3) ** 2) / SIGMA[wavelength] ** 2)
        stamp = pixel_area.expose(light, AREA, None, light.shape, 400.0)[np.newaxis, 8:-8, 8:-8] / GAIN
        one, sound = matched(stamp.astype(np.float64))
        assert sound.all()
        parts.append(Sources(one.places + 100 * len(parts), one.peaks, one.widths))
    law = widened(Sources.joined(parts), axis, PITCH)
    assert isinstance(law, Widening)
    return law


def test_the_matching_gaussian_of_a_gaussian_is_itself() -> None:
    y, x = np.mgrid[-8:9, -8:9].astype(np.float64)
    stamp = 500.0 + 3e4 * np.exp(-0.5 * ((y - 0.3) ** 2 / 1.3**2 + (x + 0.4) ** 2 / 1.7**2))
    one, sound = matched(stamp[np.newaxis])
    assert sound.all() and one.peaks[0] == pytest.approx(3e4, rel=1e-4)
    np.testing.assert_allclose(one.places[0], [0.3, -0.4], atol=1e-4)
    np.testing.assert_allclose(one.widths[0], [1.3 * FWHM, 1.7 * FWHM], rtol=1e-4)
    noise = np.random.default_rng(1).normal(0, 3.0, (3, 17, 17))
    assert not matched(noise)[1].all()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("wavelength", [450.0, 850.0])
def test_sources_grow_as_they_do_when_exposed_at_each_wavelength(wavelength: float, axis: int) -> None:
    letter, law = "yx"[axis], truth(wavelength, axis)
    held = {m.quantity: m for m in found().measurements if m.setting == f"wavelength={wavelength}"}
    width, slope = held[f"spot_width_{letter}"], held[f"spot_growth_{letter}"]
    for one, true in ((width, law.width[0]), (slope, law.growth[0])):
        assert one.value is not None and one.uncertainty is not None
        assert abs(one.value - true) < 4 * one.uncertainty
    assert slope.value > 8 * slope.uncertainty and "sources" in slope.note  # type: ignore[operator]
    assert width.value == pytest.approx(PITCH * FWHM * SIGMA[wavelength], rel=0.01)


def test_the_kernel_predicts_what_sources_do() -> None:
    """The core that is measured grows about twice as much as second moments do, along rows and columns alike."""
    quarter = np.pad(AREA[4:, 4:], ((0, 4), (0, 4)))
    kernel = kernel_of(quarter, np.eye(81) * 1e-18)
    told = [
        growth(kernel, np.eye(81) * 1e-18, (GAIN, 0.0), peak=25e3, width=1.1 * FWHM, pitch=PITCH, axis=axis)
        for axis in (0, 1)
    ]
    seen = [truth(450.0, axis).growth[0] for axis in (0, 1)]
    for one, other in zip(told, seen, strict=True):
        assert one is not None and 1.7 < other / one.slope < 2.4
    assert told[1].slope / told[0].slope == pytest.approx(seen[1] / seen[0], rel=0.05)  # type: ignore[union-attr]


def test_pulls_of_the_law_are_standard_normal() -> None:
    """Of 30 sources, half of them seen twice, each with a width of its own."""
    rng, pulls = np.random.default_rng(5), []
    for _ in range(200):
        of = np.concatenate([np.arange(30), np.arange(15)])
        peaks, own = rng.uniform(5e3, 45e3, 45), rng.normal(0, 0.02, 30)
        widths = 2.5 + 3e-6 * peaks + own[of] + rng.normal(0, 2.0, 45) / np.sqrt(peaks)
        places = np.stack([20.0 * of, 0.0 * of], axis=1)
        law = widened(Sources(places, peaks, np.stack([widths, widths], axis=1)), 1, PITCH)
        assert isinstance(law, Widening)
        pulls.append(
            [
                (law.growth[0] - 1e4 * PITCH * 3e-6) / law.growth[1],
                (law.width[0] - PITCH * 2.5) / law.width[1],
            ]
        )
    scatter, mean = np.std(pulls, axis=0), np.mean(pulls, axis=0)
    # the jackknife of 30 scatters itself: tails as of Student's distribution widen pulls by some per cent
    assert (np.abs(mean) < 4 / sqrt(200)).all() and (np.abs(scatter - 1.03) < 4 * 1.03 / sqrt(400)).all()


def test_what_is_no_source_is_told() -> None:
    plain = {m.reason for m in run([]).measurements if m.quantity.startswith("spot_")}
    assert plain == {"too-few-frames"}
    lit = np.random.default_rng(1).normal(9000, 90, GEOMETRY.shape)
    one = run([frame_input(digitised(lit), CAMERA, "point", 9, 5.0)])
    assert {m.reason for m in one.measurements if m.quantity.startswith("spot_")} == {"none-found"}
    assert "spots" in one.absent
    figure = found().figures["spots"]
    assert isinstance(figure, Plot) and len(figure.panels) == 2 and len(figure.panels[0].series) == 4
    alike = Sources(np.arange(20.0).reshape(10, 2) * 20, np.full(10, 1e4), np.full((10, 2), 2.5))
    assert "do not tell" in str(widened(alike, 0, PITCH))
