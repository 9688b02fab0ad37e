"""The way to the node: transfers counted from any geometry, checked by transfers that are really made; pixels in the order of reading."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.charge_transfer.eper import cti_of
from analysis.charge_transfer.register import (
    first_transfers,
    lines_after,
    lines_before,
    trailing,
    transfers,
)
from analysis.in_memory import detector, frame_input
from builder.simulate.effects.deferred_charge import shifted_out
from campaign.geometry import Channel, Region, decam, quadrants, single


def moved(register: np.ndarray, cti: float, after: int = 20) -> np.ndarray:
    return shifted_out(register[np.newaxis, :], cti, after)[0]


@pytest.mark.parametrize("cti", [2e-6, 1e-5, 1e-4])
@pytest.mark.parametrize("prescan", [0, 12, 51])
def test_edge_response_divides_by_all_transfers_of_the_last_pixel(cti: float, prescan: int) -> None:
    """Peers leave the prescan out (high by prescan over width), or count one transfer more than the last column."""
    columns = 1024
    geometry = single(rows=4, columns=columns, prescan=prescan, overscan=20)
    register = np.r_[np.zeros(prescan), np.full(columns, 50_000.0)]
    out = moved(register, cti)
    end = prescan + columns
    ratio = out[end : end + 2].sum() / out[end - 1]
    n = transfers(geometry.channels[0], "serial")
    assert n == prescan + columns
    # all charge is accounted for: a Poisson distribution is off the binomial one by half of c at most
    assert cti_of(ratio, 0.0, n, 2)[0] == pytest.approx(cti, rel=cti + 1e-9)
    peers = ratio / (columns + 1)
    assert abs(peers / cti - 1) > 0.5 * abs(prescan - 1) / columns


def test_charge_deferred_more_often_than_pixels_summed_is_put_back() -> None:
    out = moved(np.full(4096, 1000.0), 1e-4)
    one = out[4096] / out[4095]
    assert one / 4096 < 0.83e-4  # a fifth of it lies farther behind
    for pixels in (1, 2, 3):
        ratio = out[4096 : 4096 + pixels].sum() / out[4095]
        value, error = cti_of(ratio, 0.01 * ratio, 4096, pixels)
        assert value == pytest.approx(1e-4, rel=2e-4)
        up = cti_of(ratio * 1.01, 0.0, 4096, pixels)[0]
        assert error == pytest.approx(up - value, rel=0.02)
    assert cti_of(-1e-4, 1e-5, 100, 2) == pytest.approx((-1e-6, 1e-7))


@given(st.floats(1e-7, 3e-4), st.integers(100, 900), st.integers(1, 4))
def test_any_register_gives_back_its_cti(cti: float, elements: int, pixels: int) -> None:
    out = moved(np.full(elements, 1.0), cti, 6)
    ratio = out[elements : elements + pixels].sum() / out[elements - 1]
    # a Poisson distribution is off the binomial one by half of c
    assert cti_of(ratio, 0.0, elements, pixels)[0] == pytest.approx(cti, rel=1.1 * cti + 1e-9)


@pytest.mark.parametrize("prescan", [10, 51])
def test_first_pixels_lack_the_transfers_of_the_prescan(prescan: int) -> None:
    out = moved(np.r_[np.zeros(prescan), np.full(400, 1.0)], 1e-5)
    geometry = single(rows=4, columns=400, prescan=prescan, overscan=4)
    assert first_transfers(geometry.channels[0]) == prescan + 1
    level = out[prescan + 20]
    for pixels in (1, 2, 4):
        missing = (level - out[prescan : prescan + pixels]).sum() / level
        assert missing == pytest.approx(prescan * 1e-5, rel=5e-3 if pixels == 1 else 1e-4)


def test_transfers_of_presets_and_of_columns_that_no_region_names() -> None:
    quadrant = quadrants().channels[0]
    assert transfers(quadrant, "serial") == 51 + 2048
    assert transfers(quadrant, "parallel") == 2066
    assert transfers(quadrant, "serial", 4) == 51 + 2048 + 4
    # DECam keeps the overscan between prescan and image: it is no part of the register
    assert [transfers(c, "serial") for c in decam().channels] == [1030, 1030]
    gap = Channel("A", Region(0, 10, 20, 120), Region(0, 10, 0, 8), Region(0, 10, 120, 130))
    assert transfers(gap, "serial") == 8 + 12 + 100
    mirrored = Channel(
        "A", Region(0, 10, 10, 110), Region(0, 10, 122, 130), Region(0, 10, 0, 10), corner="lower-right"
    )
    assert transfers(mirrored, "serial") == 8 + 12 + 100


def test_pixels_come_in_the_order_of_reading_from_any_corner() -> None:
    geometry = quadrants(rows=6, columns=5, prescan=2, overscan=3, parallel=4)
    height, width = 10, 10
    scene = np.arange(height * width, dtype=np.float64).reshape(height, width)
    image = np.zeros(geometry.shape)
    for channel in geometry.channels:
        upper, right = channel.corner.startswith("upper"), channel.corner.endswith("right")
        turned = scene[:: -1 if upper else 1, :: -1 if right else 1]
        y, x = height * upper, width * right
        image[y : y + height, x : x + width] = turned
    frame = frame_input(image, detector(geometry), "flat", 0)
    for channel in geometry.channels:
        assert (lines_after(frame, channel, "serial") == scene[:6, 6:10]).all()
        assert (lines_after(frame, channel, "parallel") == scene[5:, 2:7].T).all()
        before, prescan = lines_before(frame, channel, 3)
        assert prescan == 2 and (before == scene[:6, :5]).all()


def test_regions_that_are_not_there_or_not_beside_the_image() -> None:
    channel = single(rows=8, columns=8).channels[0]
    frame = frame_input(np.zeros((8, 8)), detector(single(rows=8, columns=8)), "flat", 0)
    assert trailing(channel, "serial") is None and trailing(channel, "parallel") is None
    for direction in ("serial", "parallel"):
        with pytest.raises(ValueError, match="no region"):
            lines_after(frame, channel, direction)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no prescan"):
        lines_before(frame, channel, 3)
    wide = replace(channel, image=Region(2, 6, 0, 4), overscan=Region(0, 8, 4, 8))
    assert trailing(wide, "serial") == Region(2, 6, 4, 8)  # only beside the image
    assert trailing(replace(wide, overscan=Region(6, 8, 4, 8)), "serial") is None
