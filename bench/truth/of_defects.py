"""Defects of known truth: pixels planted above and about the thresholds, found again or counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ImageProduct, Inputs, Results
from analysis.defects import PROCEDURE
from analysis.defects.chance import beyond_with_shot_noise
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from analysis.masks import BITS
from bench.truth.case import Case, Found
from bench.truth.completeness import Completeness, Counted
from builder.simulate.effects.defects import (
    Map,
    bent,
    scattered,
    with_column,
    with_excess,
    with_noise,
    with_response,
)
from campaign.geometry import Geometry, quadrants, with_gains
from campaign.model import Detector

GAIN, NOISE, DARK, TIME, OFFSET = 2.0, 5.0, 0.02, 300.0, 1000.0
"""Gain [e⁻/ADU], read noise [e⁻], dark current [e⁻/s], time of a dark [s], offset [ADU]."""

FRAMES, BIASES, FLATS = 10, 20, 8
LIGHT = (10_000.0, 40_000.0)
"""Levels of the flats [e⁻]."""

PATTERN = 0.01
"""Rms of the response from pixel to pixel."""

SIGMA = 5.0
ABOVE = 5.0
"""How far above its threshold a planted defect lies, in σ of the master."""

_SIDE = 192
_LOW = 3.5
Places = tuple[NDArray[np.intp], NDArray[np.intp]]


def camera(side: int = _SIDE, gain: float = GAIN) -> Detector:
    """Four channels, each read at its outer corner."""
    geometry = quadrants(rows=side, columns=side, prescan=8, overscan=24, parallel=0)
    return detector(with_gains(geometry, {c.name: gain for c in geometry.channels}))


def levels(geometry: Geometry, charge: Mapping[str, Map], rng: np.random.Generator) -> Map:
    """Levels [ADU] of an image with that expected charge [e⁻] in each channel: shot noise, read noise, offset; not yet digitised."""
    image = np.zeros(geometry.shape)
    for channel in geometry.channels:
        image[channel.image.slices] = rng.poisson(charge[channel.name])
    image += rng.normal(0.0, NOISE, geometry.shape)
    out: Map = OFFSET + image / GAIN
    return out


def noise_of_dark(extra: float = 0.0) -> float:
    """σ of a pixel of the dark master [e⁻/s] with ``extra`` [e⁻/s] of signal: its own frames' noise, and the bias master's."""
    rounding = GAIN**2 / 12.0
    own = (NOISE**2 + rounding + (DARK + extra) * TIME) / FRAMES
    return sqrt(own + (NOISE**2 + rounding) / BIASES) / TIME


def noise_of_flat(light: float, response: float = 1.0) -> float:
    """σ of the response of a pixel in the flats of one level by shot and read noise alone."""
    return sqrt((light * response + NOISE**2) / FLATS) / light


def taken(
    seed: int,
    rates: Mapping[str, Map],
    responses: Mapping[str, Map] | None = None,
    noisy: Mapping[str, tuple[NDArray[np.intp], NDArray[np.intp], float]] | None = None,
    losses: Mapping[str, tuple[NDArray[np.intp], NDArray[np.intp], float]] | None = None,
    changes: Mapping[str, Map] | None = None,
    **parameters: float,
) -> Results:
    """Frames of a detector with these rates [e⁻/s] (``changes`` added in the second half of the darks), and what the procedure finds.

    With ``responses`` there are flats, with ``losses`` (y, x, fraction at the brightest) of two levels; ``noisy`` pixels (y, x, noise [e⁻]) are in the bias frames.
    """
    rng, eye = np.random.default_rng([seed, 5]), camera()
    geometry, dark = eye.geometry, {n: np.zeros_like(r) for n, r in rates.items()}
    frames: dict[str, list[object]] = {"bias": [], "dark": [], "flat": []}
    for i in range(BIASES):
        image = levels(geometry, dark, rng)
        for channel in geometry.channels if noisy else ():
            part = image[channel.image.slices]
            part[:] = with_noise(
                part, noisy[channel.name][0], noisy[channel.name][1], noisy[channel.name][2] / GAIN, rng
            )  # fmt: skip
        frames["bias"].append(frame_input(digitised(image), eye, "bias", i))
    for i in range(FRAMES):
        late = changes if changes is not None and i >= FRAMES // 2 else dark
        charge = {n: (r + late[n]) * TIME for n, r in rates.items()}
        frames["dark"].append(
            frame_input(digitised(levels(geometry, charge, rng)), eye, "dark", 100 + i, TIME)
        )
    for light in (LIGHT if losses else LIGHT[1:]) if responses else ():
        for i in range(FLATS):
            charge = {n: light * r for n, r in (responses or {}).items()}
            for name, (y, x, loss) in (losses or {}).items():
                charge[name] = bent(charge[name], y, x, loss, LIGHT[1])
            image = levels(geometry, charge, rng)
            number = 200 + i + round(light)
            frames["flat"].append(frame_input(digitised(image), eye, "flat", number, light / 1000.0))
    return measured(PROCEDURE, inputs(PROCEDURE, eye, frames, **parameters))  # type: ignore[arg-type]


def flat_rates(eye: Detector) -> dict[str, Map]:
    """The same dark current in all pixels."""
    return {c.name: np.full(c.image.shape, DARK) for c in eye.geometry.channels}


def counted(
    results: Results, planted: Mapping[str, Mapping[str, Places]], bits: Sequence[str]
) -> list[Counted]:
    """For each channel: planted pixels of all ``bits``, those that have theirs, and pixels with one that were not planted with it."""
    product = results.products["mask"]
    assert isinstance(product, ImageProduct)
    out = []
    for channel, places in planted.items():
        mask = product.planes[channel]
        number = found = false = 0
        for name in bits:
            held = (mask & BITS[name]) != 0
            right = np.zeros(mask.shape, bool)
            if name in places:
                right[places[name]] = True
            number += int(np.count_nonzero(right))
            found += int(np.count_nonzero(held & right))
            false += int(np.count_nonzero(held & ~right))
        out.append(Counted(number, found, false))
    return out


def without_light(seed: int) -> list[Counted]:
    """Warm and hot pixels, each with an expected excess of 5 σ of the master above its threshold."""
    rng, eye = np.random.default_rng([seed, 1]), camera()
    rates, planted = flat_rates(eye), {}
    noise = noise_of_dark()
    for name, rate in rates.items():
        y, x = scattered(rng, rate.shape, 300)
        hot, warm = (y[:60], x[:60]), (y[60:], x[60:])
        rates[name] = with_excess(rate, *warm, (SIGMA + ABOVE) * noise)
        rates[name] = with_excess(rates[name], *hot, 5.0 + ABOVE * noise_of_dark(5.0))
        planted[name] = {"warm": warm, "hot": hot}
    return counted(taken(seed, rates), planted, ("warm", "hot"))


def in_light(seed: int) -> list[Counted]:
    """Dark, dead and bright pixels: their response 5 σ of the master, pattern included, beyond its threshold."""
    rng, eye = np.random.default_rng([seed, 2]), camera()
    rates, planted, responses = flat_rates(eye), {}, {}
    sigma = sqrt(PATTERN**2 + noise_of_flat(LIGHT[1]) ** 2)
    for name, rate in rates.items():
        y, x = scattered(rng, rate.shape, 300)
        parts = {"dark": slice(100), "dead": slice(100, 200), "bright": slice(200, None)}
        planted[name] = {kind: (y[part], x[part]) for kind, part in parts.items()}
        response = rng.normal(1.0, PATTERN, rate.shape)
        response[y, x] = 1.0
        for kind, factor in (
            ("dark", 0.8 - ABOVE * sigma),
            ("dead", 0.1 - ABOVE * sigma),
            ("bright", 1.2 + ABOVE * sigma),
        ):
            response = with_response(response, *planted[name][kind], factor)
        responses[name] = response
    return counted(taken(seed, rates, responses), planted, ("dark", "dead", "bright"))


def noisy_pixels(seed: int) -> list[Counted]:
    """Pixels of 5 times the usual noise, in 20 bias frames."""
    rng, eye = np.random.default_rng([seed, 3]), camera()
    rates, planted, noisy = flat_rates(eye), {}, {}
    for name, rate in rates.items():
        places = scattered(rng, rate.shape, 300)
        planted[name], noisy[name] = {"noisy": places}, (*places, 5.0 * NOISE)
    return counted(taken(seed, rates, noisy=noisy), planted, ("noisy",))


def changing(seed: int) -> list[Counted]:
    """Pixels whose dark signal rises between the halves of the darks by 5 σ above the threshold."""
    rng, eye = np.random.default_rng([seed, 4]), camera()
    rates, planted, changes = flat_rates(eye), {}, {}
    # two halves of half the frames each; the bias is in both alike
    sigma = 2.0 * sqrt((NOISE**2 + GAIN**2 / 12.0 + DARK * TIME) / FRAMES) / TIME
    for name, rate in rates.items():
        places = scattered(rng, rate.shape, 300)
        planted[name] = {"unstable": places}
        # its own mean excess of half the change adds shot noise to what the threshold is taken in
        step = (SIGMA + ABOVE) * sigma
        own = sqrt(sigma**2 + 4.0 * 0.5 * step / FRAMES / TIME)
        changes[name] = with_excess(np.zeros(rate.shape), *places, (SIGMA + ABOVE) * own)
    return counted(taken(seed, rates, changes=changes), planted, ("unstable",))


def not_in_proportion(seed: int) -> list[Counted]:
    """Pixels that lose charge as they fill: their response changes between 10 000 and 40 000 e⁻ by 5 σ above the threshold."""
    rng, eye = np.random.default_rng([seed, 6]), camera()
    rates, planted, responses, losses = flat_rates(eye), {}, {}, {}
    sigma = sqrt(noise_of_flat(LIGHT[0]) ** 2 + noise_of_flat(LIGHT[1]) ** 2)
    change = (SIGMA + ABOVE) * sigma
    for name, rate in rates.items():
        places = scattered(rng, rate.shape, 300)
        planted[name] = {"non-linear": places}
        responses[name] = rng.normal(1.0, PATTERN, rate.shape)
        losses[name] = (*places, change / (1.0 - LIGHT[0] / LIGHT[1]))
    return counted(taken(seed, rates, responses, losses=losses), planted, ("non-linear",))


def columns(seed: int) -> list[Counted]:
    """Four columns in each channel whose pixels are 1 σ of the master above others, which none of them shows by itself."""
    rng, eye = np.random.default_rng([seed, 7]), camera()
    rates, planted = flat_rates(eye), {}
    for name, rate in rates.items():
        chosen = rng.choice(np.arange(8, rate.shape[1] - 8, 6), 4, replace=False)
        for x in chosen:
            rate = with_column(rate, int(x), 0, rate.shape[0], noise_of_dark())
        rates[name] = rate
        y = np.repeat(np.arange(rate.shape[0])[:, np.newaxis], 4, axis=1)
        planted[name] = {"column": (y.ravel(), np.broadcast_to(chosen, y.shape).ravel())}
    return counted(taken(seed, rates), planted, ("column",))


def normal(z: NDArray[np.floating]) -> NDArray[np.float64]:
    """The normal distribution function."""
    return np.array([0.5 * (1.0 + erf(v / sqrt(2.0))) for v in np.asarray(z).ravel()])


def warm_about(seed: int) -> tuple[Results, dict[str, float]]:
    """Pixels with an excess from nothing to twice the threshold, evenly; and how many of each channel are expected above it."""
    rng, eye = np.random.default_rng([seed, 8]), camera()
    rates, expected = flat_rates(eye), {}
    noise = noise_of_dark()
    for name, rate in rates.items():
        y, x = scattered(rng, rate.shape, 150)
        excess = rng.uniform(2.0, 10.0, y.size) * noise
        rates[name] = with_excess(rate, y, x, excess)
        own = np.array([noise_of_dark(e) for e in excess])
        expected[name] = float(normal((excess - SIGMA * noise) / own).sum())
    return taken(seed, rates), expected


def number_of_warm(seed: int) -> list[Found]:
    """Their number in each channel."""
    results, expected = warm_about(seed)
    return [_found(results, "warm", name, truth) for name, truth in expected.items()]


def area(seed: int) -> list[Found]:
    """The area of the same [%]."""
    results, expected = warm_about(seed)
    return [_found(results, "bad_area", n, 100.0 * truth / _SIDE**2) for n, truth in expected.items()]


def counted_again(seed: int) -> list[Found]:
    """Warm pixels of one and the same detector, seen anew: excesses that fall to 1/e within 2 σ, and a threshold low enough that noise lifts others over it."""
    rng, eye = np.random.default_rng([0, 10]), camera()
    rates, expected = flat_rates(eye), {}
    noise = noise_of_dark()
    rest = beyond_with_shot_noise(_LOW * noise * TIME * FRAMES, DARK * TIME * FRAMES, (noise * TIME * FRAMES) ** 2 - DARK * TIME * FRAMES)  # fmt: skip
    for name, rate in rates.items():
        y, x = scattered(rng, rate.shape, 150)
        excess = (1.0 + rng.exponential(2.0, y.size)) * noise
        rates[name] = with_excess(rate, y, x, excess)
        own = np.array([noise_of_dark(e) for e in excess])
        expected[name] = float(normal((excess - _LOW * noise) / own).sum()) + (rate.size - y.size) * rest
    results = taken(seed, rates, sigma=_LOW)
    return [_found(results, "warm", name, truth) for name, truth in expected.items()]


def number_of_dark(seed: int) -> list[Found]:
    """Pixels that respond to light about as little as the threshold asks."""
    rng, eye = np.random.default_rng([seed, 9]), camera()
    rates, responses, expected = flat_rates(eye), {}, {}
    for name, rate in rates.items():
        y, x = scattered(rng, rate.shape, 150)
        factor = rng.uniform(0.79, 0.81, y.size)
        response = rng.normal(1.0, PATTERN, rate.shape)
        response[y, x] = 1.0
        responses[name] = with_response(response, y, x, factor)
        expected[name] = float(normal((0.8 - factor) / noise_of_flat(LIGHT[1], 0.8)).sum())
    results = taken(seed, rates, responses)
    return [_found(results, "dark", name, truth) for name, truth in expected.items()]


def _found(results: Results, quantity: str, channel: str, truth: float) -> Found:
    m = value(results, quantity, channel)
    assert m.value is not None and m.uncertainty is not None
    return Found(m.value, m.uncertainty, truth)


_COMMON = f"4 channels of {_SIDE}², {GAIN:g} e⁻/ADU, noise {NOISE:g} e⁻, {BIASES} bias frames"
_DARKS = f"{FRAMES} darks of {TIME:g} s at {DARK:g} e⁻/s"
_FLATS = f"{FLATS} flats of {LIGHT[1]:g} e⁻, pattern {100 * PATTERN:g} %"

COMPLETENESS = (
    Completeness("defects", "warm and hot pixels", f"expected excess {ABOVE:g} σ of the master above the threshold ({SIGMA:g} σ; 5 e⁻/s); {_DARKS}; {_COMMON}", without_light),
    Completeness("defects", "dark, dead and bright pixels", f"expected response {ABOVE:g} σ of the master's ordinary pixels beyond the threshold (0.8, 0.1, 1.2); {_FLATS}; {_COMMON}", in_light),
    Completeness("defects", "noisy pixels", f"noise 5.1 times the usual, threshold 5 σ of χ² (twice the usual); {_COMMON}", noisy_pixels),
    Completeness("defects", "unstable pixels", f"expected change {ABOVE:g} σ above the threshold of {SIGMA:g} σ, own shot noise included; {_DARKS}; {_COMMON}", changing),
    Completeness("defects", "non-linear pixels", f"expected change of response {ABOVE:g} σ above the threshold of {SIGMA:g} σ between {LIGHT[0]:g} and {LIGHT[1]:g} e⁻; {_COMMON}", not_in_proportion),
    Completeness("defects", "columns", f"pixels of whole columns 1 σ of the master above others, by pixel; {_DARKS}; {_COMMON}", columns),
)  # fmt: skip

# Numbers are low by what planted pixels of 2 to 3 σ widen σ themselves, which clipping cannot tell from noise: 0.2 to 0.3 of the uncertainty here
CASES = (
    Case("defects", "warm", f"150 pixels of 2 to 10 σ, evenly, 0.4 % of all; {_DARKS}; {_COMMON}", number_of_warm, runs=60, quick=6, pull=0.4),
    Case("defects", "warm", f"the same detector again, threshold {_LOW:g} σ: 150 pixels 1 σ and more above others, to 1/e within 2 σ, and 9 that noise lifts there; {_DARKS}; {_COMMON}", counted_again, runs=60, quick=6, pull=0.4),
    Case("defects", "bad_area", f"the same pixels; {_DARKS}; {_COMMON}", area, runs=60, quick=6, pull=0.4),
    Case("defects", "dark", f"150 pixels that respond 0.79 to 0.81; {_FLATS}; {_COMMON}", number_of_dark, runs=60, quick=6, pull=0.2),
)  # fmt: skip


def full_size(seed: int) -> Inputs:
    """Five darks, five bias frames, and two levels of five and three flats of a detector of four channels of 2048 × 2048."""
    rng, eye = np.random.default_rng(seed), camera(2048)
    shape = eye.geometry.shape

    def image(charge: float) -> NDArray[np.uint16]:
        sigma = sqrt(charge + NOISE**2) / GAIN
        noise = rng.standard_normal(shape, dtype=np.float32) * np.float32(sigma)
        return digitised(noise + np.float32(OFFSET + charge / GAIN))

    frames = {
        "bias": [frame_input(image(0.0), eye, "bias", i) for i in range(5)],
        "dark": [frame_input(image(DARK * TIME), eye, "dark", 10 + i, TIME) for i in range(5)],
        "flat": [frame_input(image(v), eye, "flat", 20 + i, v / 1000) for i, v in enumerate([LIGHT[0]] * 3 + [LIGHT[1]] * 5)],
    }  # fmt: skip
    for kind in ("dark", "flat"):  # the offset is known from columns that saw no light
        for frame in frames[kind]:
            pixels = frame.pixels.image  # type: ignore[attr-defined]
            for channel in eye.geometry.channels:
                for region in (channel.prescan, channel.overscan):
                    if region is not None:
                        pixels[region.slices] = digitised(rng.normal(OFFSET, NOISE / GAIN, region.shape))
    remade = {
        kind: [frame_input(f.pixels.image, eye, kind, i, f.frame.exptime) for i, f in enumerate(held)]  # type: ignore[attr-defined]
        for kind, held in frames.items()
    }
    return inputs(PROCEDURE, eye, remade)
