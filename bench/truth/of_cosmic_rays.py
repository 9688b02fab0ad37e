"""Cosmic rays of known truth: muons of a known rate, charge and place, found by both estimators."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs, Measurement, Results, TableProduct
from analysis.cosmic_rays import PROCEDURE
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.case import Case, Found
from bench.truth.completeness import Completeness, Counted
from builder.simulate.effects.cosmic_rays import Tracks, rate_to_number, struck
from campaign.geometry import quadrants, with_gains
from campaign.model import Detector

GAIN, NOISE, DARK, TIME, OFFSET = 2.0, 5.0, 0.01, 600.0, 1000.0
"""Gain [e⁻/ADU], read noise [e⁻], dark current [e⁻/s], time of a dark [s], offset [ADU]."""

FRAMES, RATE, PITCH = 6, 10.0, 12.0
"""Darks; muons [cm⁻² min⁻¹], ten times what there are at sea level so that few frames tell; side of a pixel [µm]."""

_SIDE = 320


def camera(side: int = _SIDE) -> Detector:
    """Four channels, each read at its outer corner."""
    geometry = quadrants(rows=side, columns=side, prescan=8, overscan=24, parallel=0)
    return detector(with_gains(geometry, {c.name: GAIN for c in geometry.channels}))


def gains(eye: Detector) -> dict[tuple[str, str], dict[str, Measurement]]:
    """The gain as photon transfer would have measured it, exactly."""
    one = {
        c.name: Measurement("gain", c.name, "", GAIN, 0.0, "e⁻/ADU", "truth", 1)
        for c in eye.geometry.channels
    }
    return {("photon_transfer", "gain"): one}


def taken(seed: int, estimator: str) -> tuple[Results, dict[str, list[Tracks]]]:
    """Darks with muons, what the procedure finds in them, and the muons of each channel frame by frame."""
    rng, eye = np.random.default_rng([seed, 11]), camera()
    frames: list[FrameInput] = []
    truth: dict[str, list[Tracks]] = {c.name: [] for c in eye.geometry.channels}
    for i in range(FRAMES):
        charge = rng.normal(0.0, NOISE, eye.geometry.shape)
        for channel in eye.geometry.channels:
            shape = channel.image.shape
            hits, tracks = struck(rng, shape, rate_to_number(rng, RATE, shape, PITCH, TIME))
            truth[channel.name].append(tracks)
            charge[channel.image.slices] += rng.poisson(DARK * TIME, shape) + hits
        frames.append(frame_input(digitised(OFFSET + charge / GAIN), eye, "dark", i, TIME))
    given = inputs(PROCEDURE, eye, {"dark": frames}, used=gains(eye), pixel_size=PITCH, estimator=estimator)
    return measured(PROCEDURE, given), truth


def rates(seed: int, estimator: str = "pairs") -> list[Found]:
    """The rate by area of each channel."""
    results, truth = taken(seed, estimator)
    out = []
    for name in truth:
        m = value(results, "rate_area", name)
        assert m.value is not None and m.uncertainty is not None
        out.append(Found(m.value, m.uncertainty, RATE))
    return out


def rates_by_laplacian(seed: int) -> list[Found]:
    """The same by L.A.Cosmic."""
    return rates(seed, "lacosmic")


@cache
def median_charge() -> float:
    """The median charge that muons leave within an image of a channel's size [e⁻], of very many."""
    rng = np.random.default_rng(12)
    each = []
    for _ in range(400):  # few at a time: each image's muons are told apart by their sums alone
        for _ in range(25):
            image, tracks = struck(rng, (64, 64), 1)
            inside = 16 < tracks.y[0] < 48 and 16 < tracks.x[0] < 48
            if inside:
                each.append(float(image.sum()))
    return float(np.median(each))


def charges(seed: int) -> list[Found]:
    """The median charge of each channel."""
    results, truth = taken(seed, "pairs")
    out = []
    for name in truth:
        m = value(results, "charge", name)
        assert m.value is not None and m.uncertainty is not None
        out.append(Found(m.value, m.uncertainty, median_charge()))
    return out


def found_again(seed: int, estimator: str = "pairs") -> list[Counted]:
    """Muons with a hit in their frame within two pixels of their track, and hits without a muon."""
    results, truth = taken(seed, estimator)
    table = results.products["hits"]
    assert isinstance(table, TableProduct)
    geometry = camera().geometry
    columns = {k: np.array(v) for k, v in table.columns.items()}
    out = []
    for name, frames in truth.items():
        image = geometry.channel(name).image
        planted = found = false = 0
        for i, tracks in enumerate(frames):
            own = (columns["channel"] == name) & (columns["exposure"] == str(i))
            y = columns["y"][own].astype(float) - image.y0 + 0.5
            x = columns["x"][own].astype(float) - image.x0 + 0.5
            near = np.hypot(y[:, np.newaxis] - tracks.y, x[:, np.newaxis] - tracks.x) <= tracks.length + 2.0
            planted += tracks.y.size
            found += int(near.any(axis=0).sum())
            false += int((~near.any(axis=1)).sum())
        out.append(Counted(planted, found, false))
    return out


def found_by_laplacian(seed: int) -> list[Counted]:
    """The same by L.A.Cosmic."""
    return found_again(seed, "lacosmic")


_SCENE = f"muons of 1200 e⁻ per pixel, {RATE:g} cm⁻² min⁻¹, in {FRAMES} darks of {TIME:g} s; 4 channels of {_SIDE}², noise {NOISE:g} e⁻"

CASES = (
    Case("cosmic_rays", "rate_area", _SCENE, rates, runs=60, quick=6, pull=0.2),
    Case("cosmic_rays", "rate_area", f"L.A.Cosmic; {_SCENE}", rates_by_laplacian, runs=30, quick=2, pull=0.4, estimator="lacosmic"),
    Case("cosmic_rays", "charge", _SCENE, charges, runs=60, quick=6, pull=0.3),
)  # fmt: skip

COMPLETENESS = (
    Completeness("cosmic_rays", "hits", _SCENE, found_again, quick=4, completeness=0.99, purity=0.99),
    Completeness("cosmic_rays", "hits", f"L.A.Cosmic; {_SCENE}", found_by_laplacian, quick=1, completeness=0.95, purity=0.99, estimator="lacosmic"),
)  # fmt: skip


def full_size(seed: int) -> Inputs:
    """Four darks of a detector of four channels of 2048 × 2048 with muons."""
    rng, eye = np.random.default_rng(seed), camera(2048)
    frames = []
    for i in range(4):
        sigma = np.float32(np.sqrt(NOISE**2 + DARK * TIME) / GAIN)
        image: NDArray[np.float32] = rng.standard_normal(eye.geometry.shape, dtype=np.float32) * sigma
        image += np.float32(OFFSET)
        for channel in eye.geometry.channels:
            hits, _ = struck(rng, channel.image.shape, 90)
            image[channel.image.slices] += (hits / GAIN).astype(np.float32)
        frames.append(frame_input(digitised(image), eye, "dark", i, TIME))
    return inputs(PROCEDURE, eye, {"dark": frames}, used=gains(eye), pixel_size=PITCH)
