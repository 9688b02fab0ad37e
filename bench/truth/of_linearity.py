"""Linearity on ladders of known response: deviations, turnoff, lamp and shutter, and frames that were corrected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import hypot

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs, Measurement, ParameterValue, Product, Results
from analysis.in_memory import detector, digitised, frame_input, inputs, measured
from analysis.linearity import PROCEDURE
from bench.truth.case import Case, Found
from builder.simulate.effects.lamp import attenuated, drift, flicker, time_open
from builder.simulate.effects.non_linearity import polynomial
from campaign.geometry import Geometry, quadrants
from campaign.model import Detector

Floats = NDArray[np.float64]

SATURATION = 65535.0
FULL = 58_000.0
"""Level [ADU] of 100 % of the ladder, before the response bends it."""

SMALL = quadrants(rows=128, columns=128, prescan=6, overscan=12, parallel=4)

PERCENTS = (
    0.5,
    0.7,
    1.0,
    2.0,
    3.0,
    5.0,
    10.0,
    15.0,
    20.0,
    25.0,
    35.0,
    50.0,
    60.0,
    70.0,
    80.0,
    85.0,
    90.0,
    95.0,
    100.0,
)
BENT = ((-0.012,), (-0.02, 0.008), (0.004, -0.014), (0.01, -0.004))
"""Coefficients of ``polynomial`` for the four channels: the response sags or rises to its end."""
TWO_SIDED = ((0.030, -0.030), (-0.04, 0.04), (0.03, -0.09, 0.06), (-0.02, 0.06, -0.04))
"""Responses whose deviation has two extremes of all but equal size: where a maximum is most deceived by noise."""
SLIGHT = ((-0.0008,), (0.001,), (-0.0012, 0.0004), (0.0006, -0.001))
"""Responses all but linear."""


@dataclass(frozen=True)
class Campaign:
    """A ladder of flats and the detector under it; nothing here is known to the procedure."""

    responses: tuple[tuple[float, ...], ...] = BENT
    geometry: Geometry = SMALL
    gain: float = 3.3  # e⁻/ADU
    noise: float = 3.6  # e⁻
    rate: float = 5800.0  # ADU/s
    shutter: float = 0.006  # s
    drift: tuple[float, ...] = (-0.015, 0.008)
    scatter: float = 0.0
    gradient: float = 0.03
    full: float = FULL  # ADU at 100 %
    repeats: int = 2
    stability: float = 50.0  # %
    two_lights: bool = False
    biases: int = 4
    parameters: tuple[tuple[str, ParameterValue], ...] = ()

    @property
    def detector(self) -> Detector:
        """The detector."""
        return detector(self.geometry)


@dataclass(frozen=True)
class Shot:
    """A flat to be taken: the light's name, its rate [ADU/s], and the time told to the shutter [s]."""

    light: str
    rate: float
    told: float


def shots(campaign: Campaign) -> list[Shot]:
    """The ladder in the order of exposure: after each rung the stability frame."""
    bright = Shot("bright", campaign.rate, 0.0)
    faint = Shot("neutral density", attenuated(campaign.rate, 1.0), 0.0)
    ladder = []
    for percent in PERCENTS:
        of = [bright]
        if campaign.two_lights:
            of = [faint] * (percent <= 25.0) + [bright] * (percent >= 15.0)
        for light in of:
            time = round(0.01 * percent * campaign.full / light.rate, 4)
            ladder += [replace(light, told=time)] * campaign.repeats
            ladder.append(
                replace(bright, told=round(0.01 * campaign.stability * campaign.full / campaign.rate, 4))
            )
    return ladder


@dataclass(frozen=True)
class Scene:
    """What stays the same in all frames of one detector: response of pixels with a gradient of the light, and structure of the bias [ADU]."""

    pixels: Floats
    structure: Floats

    @classmethod
    def of(cls, campaign: Campaign, rng: np.random.Generator) -> Scene:
        """Drawn anew for each detector."""
        shape = campaign.geometry.shape
        pixels = 1.0 + 0.01 * rng.standard_normal(shape)
        pixels *= np.linspace(1.0 - campaign.gradient, 1.0 + campaign.gradient, shape[0])[:, np.newaxis]
        for channel in campaign.geometry.channels:
            pixels[channel.image.slices] /= pixels[channel.image.slices].mean()
        return cls(pixels, 1.5 * np.sin(np.arange(shape[1]) / 9.0)[np.newaxis, :] + np.zeros(shape))


def exposed(
    campaign: Campaign, scene: Scene, rng: np.random.Generator, light: float, per_channel: Floats
) -> NDArray[np.uint16]:
    """A frame: charge, what each channel's response makes of it, offset, structure and read noise."""
    image = (
        1200.0
        + scene.structure
        + campaign.noise / campaign.gain * rng.standard_normal(campaign.geometry.shape)
    )
    for channel, response, factor in zip(
        campaign.geometry.channels, campaign.responses, per_channel, strict=True
    ):
        box = channel.image.slices
        if light > 0:
            mean = light * factor * scene.pixels[box] * campaign.gain
            charge = mean + np.sqrt(mean) * rng.standard_normal(mean.shape)
            image[box] += polynomial(charge / campaign.gain, response)
    return digitised(image)


def frames_of(campaign: Campaign, seed: int) -> dict[str, list[FrameInput]]:
    """Bias frames and flats of a campaign, one a minute and a half.

    The light flickers for each channel apart, which no lamp does, so that the channels are independent realisations.
    """
    rng = np.random.default_rng([seed, 51])
    scene, of = Scene.of(campaign, rng), campaign.detector
    nobody = np.ones(len(campaign.geometry.channels))
    biases = [
        frame_input(exposed(campaign, scene, rng, 0.0, nobody), of, "bias", n, 0.0, interval=90.0)
        for n in range(campaign.biases)
    ]
    ladder = shots(campaign)
    when = np.arange(len(ladder), dtype=np.float64)
    course = drift(when, when[-1], campaign.drift)
    opened = time_open(np.array([s.told for s in ladder]), campaign.shutter)
    flats = []
    for n, shot in enumerate(ladder):
        factors = flicker(rng, nobody.size, campaign.scatter)
        image = exposed(campaign, scene, rng, shot.rate * float(opened[n] * course[n]), factors)
        flats.append(
            frame_input(image, of, "flat", campaign.biases + n, shot.told, interval=90.0, source=shot.light)
        )
    return {"bias": biases, "flat": flats}


def top_level(campaign: Campaign, response: Sequence[float]) -> float:
    """Mean level [ADU] of the highest rung: of what pixels read, which is not what the mean pixel reads."""
    ladder = shots(campaign)
    course = drift(np.arange(len(ladder), dtype=np.float64), len(ladder) - 1.0, campaign.drift)
    highest = max(s.rate * s.told for s in ladder)
    light = [
        s.rate * (s.told + campaign.shutter) * c
        for s, c in zip(ladder, course, strict=True)
        if s.rate * s.told >= 0.999 * highest
    ]
    box = campaign.geometry.channels[campaign.responses.index(tuple(response))].image
    rows = np.linspace(1.0 - campaign.gradient, 1.0 + campaign.gradient, campaign.geometry.shape[0])[
        box.y0 : box.y1
    ]
    return float(polynomial(np.outer(light, rows / rows.mean()), response).mean())


def true_deviation(response: Sequence[float], levels: Floats, low: float, high: float) -> Floats:
    """N/(a F) − 1 at levels [ADU] for the line that has no deviation on average between two levels."""
    light = np.linspace(1.0, 1.2 * SATURATION, 400_001)
    read = polynomial(light, response)
    of_line = np.linspace(low, high, 20_001)
    usual = float((of_line / np.interp(of_line, read, light)).mean())
    out: Floats = levels / np.interp(levels, read, light) / usual - 1.0
    return out


LOW, LINEAR, REFERENCE = 0.02 * SATURATION, 0.25 * SATURATION, 0.5 * SATURATION


def true_maximum(campaign: Campaign, response: Sequence[float]) -> tuple[float, float]:
    """The largest deviation [%] and the level [ADU] where it is."""
    top = top_level(campaign, response)
    levels = np.linspace(LOW, top, 20_001)
    size = np.abs(true_deviation(response, levels, LOW, top))
    return 100.0 * float(size.max()), float(levels[size.argmax()])


def true_reference(response: Sequence[float]) -> float:
    """(R − L)/R at half of saturation [%]."""
    deviation = float(true_deviation(response, np.array([REFERENCE]), LOW, LINEAR)[0])
    return 100.0 * (1.0 - 1.0 / (1.0 + deviation))


def true_turnoff(campaign: Campaign, response: Sequence[float], percent: float) -> float:
    """The lowest level [ADU] that is farther off the line of the low levels."""
    levels = np.linspace(LOW, top_level(campaign, response), 200_001)
    beyond = np.abs(true_deviation(response, levels, LOW, LINEAR)) > 0.01 * percent
    return float(levels[beyond.argmax()])


Values = Mapping[tuple[str, str], Measurement]


def run(
    campaign: Campaign, seed: int, products: Mapping[tuple[str, str], Callable[[], Product]] | None = None
) -> Results:
    """The procedure's results on one realisation."""
    given = inputs(PROCEDURE, campaign.detector, frames_of(campaign, seed), **dict(campaign.parameters))
    return measured(PROCEDURE, replace(given, products=products or {}))


@lru_cache(maxsize=256)
def values(campaign: Campaign, seed: int) -> Values:
    """What was measured, by quantity and channel: several cases ask for the same realisation."""
    return {(m.quantity, m.channel or ""): m for m in run(campaign, seed).measurements}


def found(
    campaign: Campaign, quantity: str, truth: Callable[[Sequence[float]], float], seed: int
) -> list[Found]:
    """A quantity of all channels beside its truth, which follows from each channel's response."""
    held, out = values(campaign, seed), []
    for channel, response in zip(campaign.geometry.channels, campaign.responses, strict=True):
        m = held[quantity, channel.name]
        if m.value is None or m.uncertainty is None:
            raise ValueError(f"{quantity} of channel {channel.name} is missing: {m.reason}, {m.note}")
        out.append(Found(m.value, m.uncertainty, truth(response)))
    return out


def corrected_again(campaign: Campaign, seed: int) -> list[Found]:
    """Frames of a second ladder, corrected by the table of a first one, and measured: no deviation is left at the reference level.

    The error of the table is that of the first measurement.
    """
    first = run(campaign, 2 * seed)
    table = first.products["correction"]
    again = replace(campaign, parameters=(*campaign.parameters, ("corrections", "offset bias nonlinearity")))
    second = run(again, 2 * seed + 1, {("linearity", "correction"): lambda: table})
    out = []
    for channel in campaign.geometry.channels:
        one, two = (
            next(
                m for m in r.measurements if (m.quantity, m.channel) == ("reference_deviation", channel.name)
            )
            for r in (first, second)
        )
        if two.value is None or two.uncertainty is None or one.uncertainty is None:
            raise ValueError(f"nothing was measured after correction: {two.note}")
        out.append(Found(two.value, hypot(one.uncertainty, two.uncertainty), 0.0))
    return out


PLAIN = Campaign()
POLYNOMIAL = replace(PLAIN, parameters=(("estimator", "polynomial"),))
JOINED = replace(PLAIN, two_lights=True)
PEAKS = replace(PLAIN, responses=TWO_SIDED)
ALMOST = replace(PLAIN, responses=SLIGHT)
UNSTEADY = replace(PLAIN, scatter=3e-4)
CUBIC = replace(PLAIN, parameters=(("lamp_degree", 3),))
EARLY = replace(PLAIN, responses=((-0.025,), (-0.03, 0.008), (-0.01, -0.014), (0.02, 0.004)))

TILTED = replace(
    PLAIN, responses=((-0.03,), (-0.05, 0.02), (0.01, -0.035), (0.025, -0.01)), gradient=0.4, full=42_000.0
)

_LADDER = "19 rungs × 2 of 0.5 … 100 % of 58,000 ADU, repeated 50 % frames, lamp drift 1.5 %, shutter 6 ms, channels of 128²"
_WIDE = (0.85, 1.15)


def _maximum(campaign: Campaign, conditions: str, estimator: str = "spline", quick: int = 6) -> Case:
    return Case(
        "linearity", "max_deviation", conditions,
        partial(found, campaign, "max_deviation", lambda r: true_maximum(campaign, r)[0]),
        runs=150, quick=quick, absolute=0.02, scatter=_WIDE, estimator=estimator,
    )  # fmt: skip


CASES: tuple[Case, ...] = (
    _maximum(PLAIN, _LADDER),
    _maximum(POLYNOMIAL, f"{_LADDER}; polynomial", "polynomial"),
    _maximum(JOINED, f"{_LADDER}; up to 25 % behind a neutral density of 1, from 15 % without", "spline, two lights joined"),
    _maximum(PEAKS, f"{_LADDER}; two extremes of all but equal size"),
    _maximum(ALMOST, f"{_LADDER}; deviations of 0.03 %"),
    _maximum(UNSTEADY, f"{_LADDER}; light scatters by 0.03 %"),
    _maximum(TILTED, f"{_LADDER}, up to 42,000 ADU; light falls by 40 % over each channel"),
    Case(
        "linearity", "reference_deviation", _LADDER, partial(found, PLAIN, "reference_deviation", true_reference),
        runs=150, quick=6, pull=0.2, scatter=_WIDE, estimator="spline",
    ),
    Case(
        "linearity", "reference_deviation", "frames of another ladder, corrected by the step nonlinearity: truth is zero",
        partial(corrected_again, PLAIN), runs=100, quick=4, pull=0.2, scatter=_WIDE, estimator="spline",
    ),
    Case(
        "linearity", "turnoff", f"{_LADDER}; 1 % is crossed",
        partial(found, EARLY, "turnoff", lambda r: true_turnoff(EARLY, r, 1.0)),
        runs=150, quick=6, pull=0.2, scatter=_WIDE, estimator="spline",
    ),
    Case(
        "linearity", "shutter_offset", _LADDER, partial(found, PLAIN, "shutter_offset", lambda r: PLAIN.shutter),
        runs=150, quick=6, pull=0.2, scatter=_WIDE,
    ),
    Case(
        "linearity", "lamp_drift", _LADDER, partial(found, PLAIN, "lamp_drift", lambda r: 100.0 * sum(PLAIN.drift)),
        # the light is a parabola, which the exponential of one misses by 0.00053 % of the light, −0.26 σ: hence its mean pull
        runs=150, quick=6, pull=0.2, relative=0.002, any_of=True, scatter=_WIDE,
    ),
    Case(
        "linearity", "lamp_drift", f"{_LADDER}; lamp_degree 3", partial(found, CUBIC, "lamp_drift", lambda r: 100.0 * sum(PLAIN.drift)),
        runs=150, quick=6, pull=0.2, scatter=_WIDE,  # which misses it by 3e-7 %
    ),
    Case(
        "linearity", "lamp_scatter", f"{_LADDER}; light scatters by 0.03 %",
        partial(found, UNSTEADY, "lamp_scatter", lambda r: 100.0 * UNSTEADY.scatter), runs=150, quick=6, pull=0.2, scatter=_WIDE,
    ),
)  # fmt: skip
"""Cases of the linearity procedure."""


def full_size(seed: int) -> Inputs:
    """A ladder of ten rungs and its stability frames on four channels of 2048 × 2048, for the speed of ``measure``."""
    campaign = replace(PLAIN, geometry=quadrants(rows=2048, columns=2048), repeats=1, biases=2)
    few = replace(campaign, stability=50.0)
    rng = np.random.default_rng(seed)
    scene, of = Scene.of(few, rng), few.detector
    nobody = np.ones(4)
    biases = [frame_input(exposed(few, scene, rng, 0.0, nobody), of, "bias", n, 0.0) for n in range(2)]
    flats = []
    for n, percent in enumerate((1.0, 50.0, 5.0, 10.0, 20.0, 50.0, 35.0, 65.0, 80.0, 50.0, 90.0, 100.0)):
        time = 0.01 * percent * FULL / few.rate
        image = exposed(few, scene, rng, few.rate * (time + few.shutter), nobody)
        flats.append(frame_input(image, of, "flat", 2 + n, time))
    return inputs(PROCEDURE, of, {"bias": biases, "flat": flats})
