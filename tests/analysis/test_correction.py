"""The chain of corrections against frames whose every part is known."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.contract import ContractError, ImageProduct, Inputs, Procedure, Role
from analysis.correction import STEPS, Corrected, chain, corrections, takes, wanted
from analysis.in_memory import detector, frame_input, inputs
from analysis.masks import BITS
from campaign.geometry import single

GEOMETRY = single(rows=32, columns=48, prescan=4, overscan=12)
CHANNEL = GEOMETRY.channels[0]
CAMERA = detector(GEOMETRY)
PROCEDURE = Procedure(
    name="p", title="P", purpose="", history=(), roles=(Role("flat", ("flat",), 1, ""), Role("bias", ("bias",), 0, "")), quantities=(),
    measure=lambda i, r: None, parameters=(corrections("offset bias"),), takes=takes("dark", "flat", "defects"),
)  # fmt: skip
RNG = np.random.default_rng(11)
STRUCTURE = (RNG.integers(-20, 21, CHANNEL.image.shape) * 2).astype(np.float32)

RATE = RNG.uniform(0.0, 2.0, CHANNEL.image.shape).astype(np.float32)
RESPONSE = RNG.uniform(0.8, 1.2, CHANNEL.image.shape).astype(np.float32)


def exposed(level: float, time: float, rows: float = 0.0) -> np.ndarray:
    """A frame without noise: 1000 ADU, a drift over the rows, structure, dark signal and light."""
    image = np.full(GEOMETRY.shape, 1000.0)
    image += rows * np.arange(GEOMETRY.shape[0])[:, np.newaxis]
    image[CHANNEL.image.slices] += STRUCTURE + RATE * time + level * RESPONSE
    return image


def given(*, products: bool = True, biases: int = 4, **parameters: str) -> Inputs:
    made = {
        ("dark", "master_dark"): lambda: ImageProduct({"A": RATE, "A_ERR": RATE}, "ADU/s"),
        ("flat", "master_flat"): lambda: ImageProduct({"A": RESPONSE}, "1"),
        ("flat", "defects"): lambda: ImageProduct({"A": np.eye(32, 48, dtype=np.uint8)}, ""),
    }
    frames = {
        "bias": [frame_input(exposed(0.0, 0.0).astype(np.float32), CAMERA, "bias", n) for n in range(biases)],
        "flat": [],
    }
    from dataclasses import replace

    return replace(inputs(PROCEDURE, CAMERA, frames, **parameters), products=made if products else {})


def corrected(steps: str, image: np.ndarray, time: float = 10.0) -> Corrected:
    found = chain(given(corrections=steps), CHANNEL)
    assert found.without == {} and found.words == ", ".join(s for s in STEPS if s in steps.split())
    return found.apply(frame_input(image.astype(np.float32), CAMERA, "flat", 9, time))


def test_all_steps_give_the_light_back() -> None:
    out = corrected("flat dark bias offset", exposed(500.0, 10.0))
    assert out.offset is not None and out.offset.value == pytest.approx(1000.0)
    assert out.good.all()
    np.testing.assert_allclose(out.values, 500.0, rtol=2e-6)


def test_a_step_takes_off_its_own_alone() -> None:
    out = corrected("offset", exposed(500.0, 10.0))
    np.testing.assert_allclose(out.values, STRUCTURE + RATE * 10.0 + 500.0 * RESPONSE, rtol=1e-5, atol=1e-3)


def test_rows_follow_a_drift() -> None:
    out = corrected("rows bias", exposed(0.0, 0.0, rows=0.5), time=0.0)
    np.testing.assert_allclose(out.values, 0.0, atol=2e-3)


def test_saturation_and_defects_are_carried_along() -> None:
    image = exposed(500.0, 0.0)
    y, x = CHANNEL.image.y0 + 3, CHANNEL.image.x0 + 7
    image[y, x], image[y, x + 1] = 65535.0, np.nan
    out = corrected("offset bias defects", image, time=0.0)
    assert out.mask[3, 7] == BITS["saturated"] and out.mask[3, 8] == BITS["no-value"]
    assert out.mask[5, 5] == BITS["dark"] and out.mask[5, 6] == 0


def test_the_mask_of_all_defects_goes_before_that_of_the_flats() -> None:
    from dataclasses import replace

    plain = given(corrections="offset defects")
    mask = np.zeros(CHANNEL.image.shape, np.int32)
    mask[2, 9] = BITS["hot"] | BITS["column"]
    both = {**plain.products, ("defects", "mask"): lambda: ImageProduct({"A": mask}, "")}
    frame = frame_input(exposed(500.0, 0.0).astype(np.float32), CAMERA, "flat", 9, 0.0)
    out = chain(replace(plain, products=both), CHANNEL).apply(frame)
    np.testing.assert_array_equal(out.mask, mask)
    merged = np.zeros_like(mask)
    merged[4, 4] = BITS["warm"]
    all_three = {**both, ("defect_history", "mask"): lambda: ImageProduct({"A": merged}, "")}
    out = chain(replace(plain, products=all_three), CHANNEL).apply(frame)
    np.testing.assert_array_equal(out.mask, merged)  # that of several epochs before that of one
    lacking = {("defects", "mask"): lambda: ImageProduct({"B": mask}, "")}
    found = chain(replace(plain, products=lacking), CHANNEL)
    assert found.without == {"defects": "there is no mask of this channel"}
    wrong = {("defects", "mask"): lambda: ImageProduct({"A": mask[1:]}, "")}
    found = chain(replace(plain, products=wrong), CHANNEL)
    assert found.without == {"defects": "the mask has the shape (31, 48), not (32, 48)"}


def test_without_columns_that_tell_the_offset_bias_frames_do() -> None:
    out = corrected("bias dark flat", exposed(500.0, 10.0))
    np.testing.assert_allclose(out.values, 500.0, rtol=2e-6)


def test_what_has_no_value_is_masked_and_not_invented() -> None:
    dead = RESPONSE.copy()
    dead[4, 4] = np.nan
    from dataclasses import replace

    product = {("flat", "master_flat"): lambda: ImageProduct({"A": dead}, "1")}
    found = chain(replace(given(corrections="offset flat"), products=product), CHANNEL)
    out = found.apply(frame_input(exposed(500.0, 0.0).astype(np.float32), CAMERA, "flat", 9, 0.0))
    assert out.mask[4, 4] == BITS["uncorrected"] and np.isfinite(out.values).all()


def test_a_step_that_cannot_be_had_says_why() -> None:
    found = chain(given(products=False, biases=1, corrections="offset bias dark flat"), CHANNEL)
    assert found.words == "offset"
    assert found.without == {
        "bias": "a master bias needs two bias frames",
        "dark": "there is no master dark of this channel",
        "flat": "there is no master flat of this channel",
    }


def test_unknown_steps_and_two_offsets_are_refused() -> None:
    with pytest.raises(ContractError, match="'polish' is no step"):
        wanted(given(corrections="offset polish"))
    with pytest.raises(ContractError, match="take off the same"):
        wanted(given(corrections="offset rows"))


def test_a_frame_whose_time_is_unknown_is_not_corrected_for_dark_signal() -> None:
    found = chain(given(corrections="offset dark"), CHANNEL)
    out = found.apply(frame_input(exposed(0.0, 0.0).astype(np.float32), CAMERA, "flat", 9, None))
    assert (out.mask == BITS["uncorrected"]).all()
