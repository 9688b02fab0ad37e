"""Gain, read noise, non-uniformity and dark current beside emva1288, the standard's own program, on the same frames.

    python -m bench.bench_emva [--quick]

Frames are simulated with a known truth: one channel, pairs of flats and of darks at each exposure time, sixteen of each at one time for the
non-uniformity. Told is the root mean square of (value − truth) / truth over some realisations, for both; without and with the brighter-fatter
effect, for which the standard makes no allowance. emva1288 knows no overscan and no masks, so frames have none of what these are for.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Product
from analysis.in_memory import detector, digitised, frame_input, inputs, measured
from analysis.procedures import builtin
from bench.table import Row, show
from campaign.geometry import single

SIDE = 512
OFFSET, GAIN, NOISE, PRNU, DARK = 1000.0, 1.8, 6.0, 0.008, 0.9  # ADU, e⁻/ADU, e⁻, of the response, e⁻/s
RATE = 900.0  # e⁻/s of light
TIMES = tuple(float(t) for t in np.linspace(3.0, 90.0, 15))
SPATIAL_TIME = 45.0
SPATIAL = 16
A00 = -2.5e-6  # 1/e⁻: variance µ + a00 µ²

Image = NDArray[np.uint16]


@dataclass(frozen=True)
class Frames:
    """Frames of one realisation: pairs by exposure time, and many of one time; lit and dark."""

    flats: dict[float, list[Image]]
    darks: dict[float, list[Image]]
    many: list[Image]
    many_dark: list[Image]
    biases: list[Image]


def simulate(seed: int, a00: float) -> Frames:
    """One realisation; ``a00`` [1/e⁻] lowers the variance, 0 for none."""
    rng = np.random.default_rng(seed)
    response = 1.0 + PRNU * rng.standard_normal((SIDE, SIDE))

    def expose(seconds: float, rate: float) -> Image:
        mean = (rate * response + DARK) * seconds
        charge = mean + np.sqrt(mean + a00 * mean**2) * rng.standard_normal(mean.shape)
        return digitised(OFFSET + (charge + NOISE * rng.standard_normal(mean.shape)) / GAIN)

    return Frames(
        {t: [expose(t, RATE), expose(t, RATE)] for t in TIMES},
        {t: [expose(t, 0.0), expose(t, 0.0)] for t in TIMES},
        [expose(SPATIAL_TIME, RATE) for _ in range(SPATIAL)],
        [expose(SPATIAL_TIME, 0.0) for _ in range(SPATIAL)],
        [expose(0.0, 0.0) for _ in range(4)],
    )


def theirs(frames: Frames) -> dict[str, float]:
    """What emva1288 makes of them: gain [e⁻/ADU], noise [e⁻], non-uniformity, dark current [e⁻/s]."""
    if not hasattr(np, "asfarray"):  # which its last release still calls, and NumPy 2 no longer has
        np.asfarray = lambda values: np.asarray(values, np.float64)  # type: ignore[attr-defined]
    from emva1288.process.data import Data1288
    from emva1288.process.results import Results1288
    from emva1288.process.routines import get_int_imgs

    def reduced(images: list[Image]) -> dict[str, Any]:
        found = get_int_imgs(images)
        return {"sum": np.sum(found["sum"]), "pvar": np.sum(found["pvar"]), "dmean": found["dmean"]}

    ns = 1e9  # it counts time in nanoseconds
    temporal = {
        t * ns: {0.0: reduced(frames.darks[t]), RATE * t: reduced(frames.flats[t])} for t in frames.flats
    }
    dark, lit = get_int_imgs(frames.many_dark), get_int_imgs(frames.many)
    spatial = {SPATIAL_TIME * ns: {0.0: dark, RATE * SPATIAL_TIME: lit}}
    held = Data1288({"temporal": temporal, "spatial": spatial, "width": SIDE, "height": SIDE}, loglevel=40)
    found = Results1288(held.data, loglevel=40)
    gain = float(found.inverse_K())
    values = {"gain": gain, "read_noise": float(found.sigma_d), "prnu": float(found.PRNU1288) / 100.0}
    return values | {"dark_current": float(found.u_I_mean_DN) * gain}


def ours(frames: Frames) -> dict[str, float]:
    """What the procedures make of them, in the same units."""
    camera = detector(single(rows=SIDE, columns=SIDE))
    number = iter(range(10_000))

    def given(images: list[Image], kind: str, seconds: float) -> list[FrameInput]:
        return [frame_input(i, camera, kind, next(number), seconds) for i in images]

    by_name = {p.name: p for p in builtin()}
    biases = given(frames.biases, "bias", 0.0)
    flats = [f for t, images in frames.flats.items() for f in given(images, "flat", t)]
    darks = [f for t, images in frames.darks.items() for f in given(images, "dark", t)]
    many = given(frames.many, "flat", SPATIAL_TIME)
    out: dict[str, float] = {}
    made: dict[tuple[str, str], Callable[[], Product | None]] = {}
    for name, roles, corrections in (
        ("photon_transfer", {"flat": flats, "bias": biases}, ""),
        ("dark", {"dark": darks, "bias": biases}, ""),
        ("flat", {"flat": many, "bias": biases}, "dark"),  # the standard takes dark signal off as well
    ):
        asked = inputs(by_name[name], camera, roles, corrections=corrections)
        results = measured(by_name[name], replace(asked, products=made))
        made |= {(name, product): partial(results.products.get, product) for product in results.products}
        for m in results.measurements:
            if m.value is not None:
                out.setdefault(f"{name}.{m.quantity}", m.value)
    return {
        "gain": out["photon_transfer.gain"],
        "read_noise": out["photon_transfer.read_noise"],
        "prnu": out["flat.prnu"] / 100.0,
        "dark_current": out["dark.dark_current"] * out["photon_transfer.gain"],
    }


def run(quick: bool) -> list[Row]:
    """A row for each quantity, without and with the brighter-fatter effect."""
    truth = {"gain": GAIN, "read_noise": NOISE, "prnu": PRNU, "dark_current": DARK}
    rows = []
    for a00, words in ((0.0, ""), (A00, ", brighter-fatter")):
        spent = [0.0, 0.0]
        off: tuple[dict[str, list[float]], dict[str, list[float]]] = (
            {q: [] for q in truth},
            {q: [] for q in truth},
        )
        for seed in range(2 if quick else 8):
            frames = simulate(seed, a00)
            for n, work in enumerate((ours, theirs)):
                begun = time.process_time()
                found = work(frames)
                spent[n] += time.process_time() - begun
                for q, true in truth.items():
                    off[n][q].append(100.0 * (found[q] - true) / true)
        for q in truth:
            mine, others = (np.array(off[n][q]) for n in (0, 1))
            note = f"mean off by {mine.mean():+.3f} %, theirs {others.mean():+.3f} %"
            rows.append(
                Row(
                    f"{q.replace('_', ' ')}{words}",
                    sqrt(np.mean(mine**2)),
                    "emva1288",
                    sqrt(np.mean(others**2)),
                    "% rms",
                    note=note,
                )
            )
        rows.append(Row(f"all four{words}", spent[0], "emva1288", spent[1], "cpu s"))
    return rows


if __name__ == "__main__":
    show("Beside emva1288", run("--quick" in sys.argv))
