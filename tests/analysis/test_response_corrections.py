"""Masters and levels of a converter that is not linear, and of pixels known to be bad: dark and flat with the table and the mask of other procedures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.contract import (
    ContractError,
    FrameInput,
    ImageProduct,
    Procedure,
    Product,
    Results,
    TableProduct,
)
from analysis.correction import chain
from analysis.dark import PROCEDURE as DARK
from analysis.flat import PROCEDURE as FLAT
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from analysis.masks import BITS
from analysis.photon_transfer import PROCEDURE as PHOTON_TRANSFER
from builder.simulate.effects.non_linearity import polynomial
from campaign.geometry import single

BENT = (-0.08,)
SIDE, GAIN = 96, 2.0
GEOMETRY = single(rows=SIDE, columns=SIDE, overscan=16)
CHANNEL = GEOMETRY.channels[0]
CAMERA = detector(GEOMETRY)
RNG = np.random.default_rng(4)
RESPONSE = 1.0 + 0.02 * RNG.standard_normal((SIDE, SIDE))
LEVELS = np.linspace(0.0, 45_000.0, 201)
LIGHT = np.linspace(0.0, 60_000.0, 6001)
TABLE = TableProduct(
    {
        "channel": ["A"] * 201, "setting": [""] * 201, "level": LEVELS,
        "correction": np.interp(LEVELS, polynomial(LIGHT, BENT), LIGHT) - LEVELS, "error": 1e-4 * LEVELS,
    }
)  # fmt: skip
BAD = np.zeros((SIDE, SIDE), np.int32)
BAD[10:14, 20:50] = BITS["unstable"]
PRODUCTS: dict[tuple[str, str], Product] = {
    ("linearity", "correction"): TABLE,
    ("defects", "mask"): ImageProduct({"A": BAD}, ""),
}


def taken(
    rng: np.random.Generator, kind: str, charge: NDArray[np.float64], times: Sequence[float], bent: bool
) -> list[FrameInput]:
    """Frames of ``charge`` [ADU] per second, read by the bent converter or a straight one: the same noise in both."""
    out = []
    for n, time in enumerate(times):
        lit = rng.poisson(charge * time * GAIN) / GAIN
        image = 1000.0 + rng.normal(0.0, 2.0, GEOMETRY.shape)
        image[CHANNEL.image.slices] += polynomial(lit, BENT) if bent else lit
        out.append(frame_input(digitised(image), CAMERA, kind, n, time))
    return out


def run(procedure: Procedure, kind: str, charge: NDArray[np.float64], times: Sequence[float], steps: str, bent: bool = True) -> Results:  # fmt: skip
    given = inputs(
        procedure,
        CAMERA,
        {kind: taken(np.random.default_rng(9), kind, charge, times, bent)},
        corrections=steps,
    )
    return measured(procedure, replace(given, products={k: lambda p=p: p for k, p in PRODUCTS.items()}))


def test_the_response_is_that_to_light_alone_once_dark_signal_is_taken_off() -> None:
    of_dark, hot = np.full((SIDE, SIDE), 40.0, np.float32), (30, 40)
    of_dark[hot] = 900.0
    made: dict[tuple[str, str], Product] = {("dark", "master_dark"): ImageProduct({"A": of_dark}, "ADU/s")}
    rng = np.random.default_rng(9)
    frames = taken(rng, "flat", 400.0 * RESPONSE + of_dark, [10.0] * 4, False)
    plain, corrected = (
        measured(FLAT, replace(inputs(FLAT, CAMERA, {"flat": frames}, corrections=steps), products={k: lambda p=p: p for k, p in made.items()}))
        for steps in ("", "dark")
    )  # fmt: skip
    assert "corrected: dark" in value(corrected, "prnu").note and not corrected.caveats
    levels = [value(r, "level").value for r in (plain, corrected)]
    assert levels[0] is not None and levels[1] is not None
    assert levels[0] - levels[1] == pytest.approx(400.0, abs=1e-3)
    # a tenth of all is dark signal here: so much lower is the response over both
    prnus = [value(r, "prnu").value for r in (plain, corrected)]
    assert prnus[0] is not None and prnus[1] is not None
    assert prnus[0] / prnus[1] == pytest.approx(1.0 / 1.1, rel=1e-4)
    assert prnus[1] == pytest.approx(100.0 * RESPONSE.std(ddof=1), rel=0.02)
    masters = [r.products["master_flat"] for r in (plain, corrected)]
    assert all(isinstance(m, ImageProduct) for m in masters)
    hots = [m.planes["A"][hot] for m in masters]  # type: ignore[union-attr]
    assert hots[0] > 2.5 and hots[1] == pytest.approx(RESPONSE[hot], abs=0.1)
    without = measured(FLAT, inputs(FLAT, CAMERA, {"flat": frames}, corrections="dark"))
    assert value(without, "prnu").value == prnus[0] and "no master dark" in without.caveats[0]


def test_a_flat_of_a_bent_converter_is_that_of_a_straight_one_once_corrected() -> None:
    charge = 4000.0 * RESPONSE
    straight, raw, corrected = (
        run(FLAT, "flat", charge, [10.0] * 4, steps, bent)
        for steps, bent in (("", False), ("", True), ("nonlinearity", True))
    )
    for quantity, least in (("level", 0.04), ("prnu", 0.03)):
        true, read, found = (value(r, quantity).value or 0.0 for r in (straight, raw, corrected))
        assert abs(read / true - 1.0) > least
        # codes of a table and of the converter, and second order in the pixels' scatter
        assert found == pytest.approx(true, rel=5e-4)
        assert "corrected: nonlinearity" in value(corrected, quantity).note
    assert (value(corrected, "level").uncertainty or 0.0) > (value(straight, "level").uncertainty or 0.0)
    planes = [r.products["master_flat"].planes["A"] for r in (straight, raw, corrected)]  # type: ignore[union-attr]
    off = [float(np.std(p / planes[0])) for p in planes[1:]]
    assert off[0] > 1e-3 > 3e-4 > off[1]


def test_hot_pixels_of_a_bent_converter_have_their_rates_once_corrected() -> None:
    charge = np.full((SIDE, SIDE), 2.0)
    hot = np.arange(0, SIDE * SIDE, 500)
    charge.flat[hot] = 300.0
    straight, raw, corrected = (
        run(DARK, "dark", charge, [100.0] * 4, steps, bent)
        for steps, bent in (("", False), ("", True), ("nonlinearity", True))
    )
    for r in (straight, raw, corrected):
        assert value(r, "hot_pixels").value == hot.size
    rates = [r.products["master_dark"].planes["A"].ravel()[hot].mean() for r in (straight, raw, corrected)]  # type: ignore[union-attr]
    assert rates[1] < 0.97 * rates[0] and rates[2] == pytest.approx(rates[0], rel=2e-4)
    currents = [value(r, "dark_current").value or 0.0 for r in (straight, raw, corrected)]
    assert abs(currents[2] - currents[0]) < abs(currents[1] - currents[0])
    assert "corrected: nonlinearity" in value(corrected, "dark_current").note


def test_a_master_flat_has_no_value_where_defects_are_known() -> None:
    found = run(FLAT, "flat", 2000.0 * np.where(BAD, 0.1, RESPONSE), [10.0] * 4, "defects")
    plain = run(FLAT, "flat", 2000.0 * np.where(BAD, 0.1, RESPONSE), [10.0] * 4, "")
    assert (
        value(plain, "dark_pixels").value == np.count_nonzero(BAD) and value(found, "dark_pixels").value == 0
    )
    master, mask = found.products["master_flat"], found.products["defects"]
    assert isinstance(master, ImageProduct) and isinstance(mask, ImageProduct)
    assert (np.isnan(master.planes["A"]) == (BAD != 0)).all()  # type: ignore[arg-type]
    assert (mask.planes["A"][BAD != 0] == BITS["no-value"]).all()


def test_flats_above_the_table_are_not_corrected_and_say_so() -> None:
    found = run(FLAT, "flat", 5000.0 * RESPONSE, [10.0] * 3, "nonlinearity")
    assert value(found, "prnu").reason == "not-reached" and "ends at 45000 ADU" in value(found, "prnu").note


@pytest.mark.parametrize(
    ("procedure", "step"), [(DARK, "defects"), (FLAT, "flat"), (PHOTON_TRANSFER, "flat")]
)
def test_a_step_that_is_not_offered_is_refused(procedure: Procedure, step: str) -> None:
    kind = "dark" if procedure is DARK else "flat"
    with pytest.raises(ContractError, match="no step that is offered"):
        run(procedure, kind, 2000.0 * RESPONSE, [10.0] * 2, step)


def test_parts_of_frames_are_corrected_as_whole_frames_are() -> None:
    """What the chain does to a frame, and what a stack does band by band, are the same bits."""
    (frame,) = taken(np.random.default_rng(2), "flat", 3000.0 * RESPONSE, [10.0], True)
    given = replace(
        inputs(FLAT, CAMERA, {"flat": [frame]}, corrections=""),
        products={k: lambda p=p: p for k, p in PRODUCTS.items()},
    )
    whole = chain(given, CHANNEL, ["offset", "nonlinearity", "defects"]).apply(frame)
    from analysis.response_corrections import correction_of

    by = correction_of(
        replace(given, parameters=given.parameters | {"corrections": "nonlinearity defects"}),
        Results(FLAT, ["A"]),
        CHANNEL,
        [frame],
    )
    assert whole.offset is not None
    for y0, y1 in ((0, 40), (40, SIDE)):
        region = CHANNEL.image.trimmed((y0, SIDE - y1), (0, 0))
        part = frame.pixels.read(CHANNEL, region).astype(np.float32) - np.float32(whole.offset.value)
        by.pixels(part, region, CHANNEL.image)
        expected = np.where(whole.good, whole.values, np.nan)[y0:y1]
        np.testing.assert_array_equal(part, expected)
