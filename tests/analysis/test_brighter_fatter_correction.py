"""The brighter-fatter correction of images, and as a step of the chain of corrections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.brighter_fatter import redistribution_kernels
from analysis.brighter_fatter.kernel import solved
from analysis.brighter_fatter.quarter import unfolded
from analysis.brighter_fatter.redistribution import ROUNDS, filled, redistributed
from analysis.contract import ImageProduct, Inputs, Procedure, Role
from analysis.conversion import GAIN
from analysis.correction import Corrected, chain, corrections, takes
from analysis.in_memory import detector, frame_input, inputs
from analysis.masks import BITS
from builder.simulate.effects import pixel_area
from campaign.geometry import single, with_gains

Image = NDArray[np.float32]

AREA = pixel_area.area_matrix(4e-7, 3e-7, 3.0, 4)
QUARTER = solved(np.pad(AREA[4:, 4:], ((0, 4), (0, 4))))
SIDE = 64


def spot(x0: float = 30.0, y0: float = 34.0, peak: float = 90e3) -> Image:
    """A star of the sky beside another, on some background [e⁻]."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    light = peak * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 4.0)
    light += 0.3 * peak * np.exp(-((x - x0 - 9) ** 2 + (y - y0 + 7) ** 2) / 3.0)
    return (light + 500.0).astype(np.float32)


def exposed(light: Image) -> Image:
    return pixel_area.expose(light, AREA, None, light.shape, 300.0)


# --- the image


def test_a_star_gets_its_charge_back() -> None:
    light = spot()
    charge = exposed(light)
    lost = float(np.abs(charge - light).max())
    first, second = redistributed(charge, QUARTER, 1), redistributed(charge, QUARTER, 2)
    assert lost > 2500
    assert np.abs(first.charge - light).max() < 0.1 * lost
    assert np.abs(second.charge - light).max() < 0.01 * lost
    assert second.converged and 3 <= second.rounds < ROUNDS


@settings(max_examples=30)
@drawn(st.integers(0, 2**31), st.integers(1, 2))
def test_charge_is_conserved_whatever_the_kernel_is(seed: int, order: int) -> None:
    """Also one whose coefficients do not sum up to zero, and up to the edges."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 80e3, (24, 31)).astype(np.float32)
    made = redistributed(image, rng.normal(0, 2e-8, (5, 5)), order)
    total = image.sum(dtype=np.float64)
    assert abs(made.charge.sum(dtype=np.float64) - total) < 1e-6 * total
    assert np.abs(made.charge - image).max() > 1.0


def test_steady_light_stays_as_it_is() -> None:
    flat = np.full((40, 30), 50e3, np.float32)
    np.testing.assert_array_equal(redistributed(flat, QUARTER).charge, flat)


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_mirrored_images_are_corrected_alike(axes: tuple[int, ...]) -> None:
    charge = exposed(spot())
    once = redistributed(charge, QUARTER).charge
    turned = redistributed(np.ascontiguousarray(np.flip(charge, axes)), QUARTER).charge
    np.testing.assert_allclose(np.flip(turned, axes), once, rtol=1e-6)


def test_twice_the_charge_and_half_the_kernel_are_the_same() -> None:
    charge = exposed(spot())
    np.testing.assert_allclose(
        redistributed(2 * charge, 0.5 * QUARTER).charge, 2 * redistributed(charge, QUARTER).charge, rtol=2e-6
    )


def test_what_cannot_be_corrected_is_refused() -> None:
    with pytest.raises(ValueError, match="no correction of order 3"):
        redistributed(spot(), QUARTER, 3)
    with pytest.raises(ValueError, match="smaller than the kernel"):
        redistributed(np.ones((8, 40), np.float32), QUARTER)


def test_a_kernel_without_bounds_does_not_run_for_ever() -> None:
    made = redistributed(spot(), 300 * QUARTER)
    assert made.rounds < ROUNDS and not made.converged
    assert not redistributed(spot(), 30 * QUARTER).converged


@pytest.mark.parametrize("lags", [8, 5])
@pytest.mark.parametrize("shape", [(20, 33), (9, 9), (9, 50)])
def test_compiled_kernels_do_as_plain_arrays_do(shape: tuple[int, int], lags: int) -> None:
    rng = np.random.default_rng(2)
    image, bent = rng.normal(0, 1, (2, *shape)).astype(np.float32)
    quarter = rng.normal(0, 1, (lags + 1, lags + 1)).astype(np.float32)
    out = np.empty(shape, np.float32)
    redistribution_kernels.potential(image, quarter, out)
    padded, plain = np.pad(image.astype(float), lags, mode="symmetric"), np.zeros(shape)
    for (i, j), k in np.ndenumerate(unfolded(quarter)):
        plain += k * padded[i : i + shape[0], j : j + shape[1]]
    np.testing.assert_allclose(out, plain, atol=2e-4)
    read = rng.normal(0, 1, shape).astype(np.float32)
    farthest = redistribution_kernels.moved(read, image, bent, out)
    level, slope = image.astype(float), bent.astype(float)
    plain = np.zeros(shape)
    over = 0.5 * (level[:, 1:] + level[:, :-1]) * np.diff(slope, axis=1)
    plain[:, :-1] += over
    plain[:, 1:] -= over
    over = 0.5 * (level[1:] + level[:-1]) * np.diff(slope, axis=0)
    plain[:-1] += over
    plain[1:] -= over
    np.testing.assert_allclose(out, plain + read, atol=1e-5)
    assert farthest == np.abs(out - image).max()
    redistribution_kernels.mixed(image, np.float32(0.5), bent, np.float32(2.0), np.float32(3.0), out)
    np.testing.assert_allclose(out, 0.5 * image + 2.0 * bent - 3.0, atol=1e-5)


def test_lost_pixels_count_as_their_neighbours_do() -> None:
    image = np.add.outer(np.arange(20.0), np.arange(20.0)).astype(np.float32)
    lost = np.zeros(image.shape, bool)
    lost[7, 9], lost[0, 0] = True, True
    holed = np.where(lost, np.nan, image)
    made = filled(holed, lost)
    assert made[7, 9] == 16.0 and made[0, 0] == pytest.approx(image[:3, :3].sum() / 8)
    assert filled(holed, ~lost)[5, 5] == pytest.approx(np.median(holed[lost]), nan_ok=True)
    assert (filled(np.full((4, 4), np.nan, np.float32), np.ones((4, 4), bool)) == 0).all()
    assert filled(image, np.zeros_like(lost)) is image


# --- the step

GEOMETRY = with_gains(single(rows=SIDE, columns=SIDE, overscan=8), {"A": 2.0})
CHANNEL = GEOMETRY.channels[0]
CAMERA = detector(GEOMETRY)
PROCEDURE = Procedure(
    name="p", title="P", purpose="", history=(), roles=(Role("point", ("point",), 1, ""),), quantities=(),
    measure=lambda i, r: None, parameters=(corrections("offset brighter-fatter"),), takes=takes("brighter-fatter"), uses=(GAIN,),
)  # fmt: skip


def image_of(charge: Image, offset: float = 1000.0) -> NDArray[np.float32]:
    image = np.full(GEOMETRY.shape, offset, np.float32)
    image[CHANNEL.image.slices] += charge / np.float32(2.0)
    return image


def given(kernel: NDArray[np.floating] | None = None, camera: object = CAMERA, **parameters: str) -> Inputs:
    held = inputs(PROCEDURE, camera, {"point": []}, **parameters)  # type: ignore[arg-type]
    if kernel is None:
        return held
    return replace(held, products={("brighter_fatter", "kernel"): lambda: ImageProduct({"A": kernel}, "")})


def corrected(image: NDArray[np.float32], **parameters: str) -> Corrected:
    found = chain(given(unfolded(QUARTER), **parameters), CHANNEL)
    assert found.without == {}
    return found.apply(frame_input(image, CAMERA, "point", 0, 1.0))


def test_the_step_gives_a_star_its_charge_back() -> None:
    light = spot()
    charge = exposed(light)
    out = corrected(image_of(charge))
    assert out.good.all()
    before, after = (np.abs(v - light / 2).max() for v in (charge / 2, out.values))
    assert after < 0.01 * before
    assert out.values.sum(dtype=float) == pytest.approx(charge.sum(dtype=float) / 2, rel=1e-6)
    assert takes("brighter-fatter")[0].product == "kernel"


def test_masks_and_saturation_are_carried_along() -> None:
    light = spot()
    image = image_of(exposed(light))
    y, x = CHANNEL.image.y0, CHANNEL.image.x0
    image[y + 10, x + 10], image[y + 50, x + 50] = np.nan, 65535.0
    out = corrected(image)
    assert out.mask[10, 10] == BITS["no-value"] and np.isnan(out.values[10, 10])
    assert out.mask[50, 50] == BITS["saturated"] and out.values[50, 50] > 64000
    assert np.count_nonzero(out.mask) == 2
    # a hole in the background costs those beside it nothing
    whole = corrected(image_of(exposed(light)))
    np.testing.assert_allclose(out.values[8:13, 11:14], whole.values[8:13, 11:14], atol=0.05)
    assert abs(out.values[30, 30] - whole.values[30, 30]) < 1.0


@pytest.mark.parametrize(
    ("kernel", "parameters", "why"),
    [
        (None, {}, "there is no kernel"),
        (unfolded(QUARTER), {"corrections": "brighter-fatter"}, "offset must be taken off before"),
        (-unfolded(QUARTER), {}, "not its smallest element"),
        (np.full((5, 5), np.nan), {}, "is none"),
        (np.ones((4, 5)), {}, "is none"),
        (np.pad(unfolded(QUARTER), 60), {}, "larger than an image"),
    ],
)  # fmt: skip
def test_what_the_step_cannot_do_it_says(
    kernel: NDArray[np.float64] | None, parameters: dict[str, str], why: str
) -> None:
    found = chain(given(kernel, **parameters), CHANNEL)
    assert why in found.without["brighter-fatter"]
    assert "brighter-fatter" not in found.words


def test_without_a_gain_the_step_says_so() -> None:
    plain = detector(single(rows=SIDE, columns=SIDE, overscan=8))
    found = chain(given(unfolded(QUARTER), camera=plain), plain.geometry.channels[0])
    assert "no gain is known" in found.without["brighter-fatter"]


def test_a_kernel_that_does_not_converge_leaves_the_frame_as_it_was_and_masks_it() -> None:
    found = chain(given(300 * unfolded(QUARTER)), CHANNEL)
    charge = exposed(spot())
    out = found.apply(frame_input(image_of(charge), CAMERA, "point", 0, 1.0))
    assert (out.mask == BITS["uncorrected"]).all()
    np.testing.assert_allclose(out.values, charge / 2, rtol=1e-5)
