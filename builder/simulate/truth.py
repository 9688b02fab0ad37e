"""The truth of each channel: drawn once from the block's settings, and stated beside the frames."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from builder.simulate.settings import PerChannel, Truth
from campaign.frozen import dataclass
from campaign.geometry import Channel, Geometry

DRAWN = ("gain", "read_noise", "offset", "dark_current", "full_well")


@dataclass(frozen=True)
class ChannelTruth:
    """What a channel really is: gain [e⁻/ADU], noise [e⁻], offset [ADU], dark [e⁻/s], full well [e⁻].

    Defects are pixels of the whole image, zero based: (y, x, dark current [e⁻/s]), (y, x, response) and
    (x, response) of a column within the channel's image region. Of pixels that change with time (``telegraph``, ``late``, ``annealed``) it is
    the dark current while they are hot: ``hot_now`` of ``builder.simulate.gathered`` says when.
    """

    gain: float
    read_noise: float
    offset: float
    dark_current: float
    full_well: float
    hot: tuple[tuple[int, int, float], ...] = ()
    dead: tuple[tuple[int, int, float], ...] = ()
    columns: tuple[tuple[int, float], ...] = ()
    noisy: tuple[tuple[int, int, float], ...] = ()
    bent: tuple[tuple[int, int, float], ...] = ()
    telegraph: tuple[tuple[int, int, float], ...] = ()
    late: tuple[tuple[int, int, float], ...] = ()
    annealed: tuple[tuple[int, int, float], ...] = ()


def generator(*parts: object) -> np.random.Generator:
    """Random numbers that depend on nothing but the parts: the same in any order and any process."""
    digest = hashlib.blake2b("\x1f".join(str(p) for p in parts).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def common(value: PerChannel, detector: str, channel: str) -> tuple[float, bool]:
    """A setting's value for a channel, and whether it is that channel's own (then nothing is drawn).

    Raises KeyError when a table of detectors or channels lacks this one.
    """
    if not isinstance(value, Mapping):
        return value, False
    inner = value[detector]
    return (inner[channel], True) if isinstance(inner, Mapping) else (inner, False)


def nominal_gain(truth: Truth) -> float:
    """The gain [e⁻/ADU] that turns the lamp's ADU/s into e⁻/s: the mean of what the settings say."""

    if not isinstance(truth.gain, Mapping):
        return truth.gain
    found: list[float] = []
    for inner in truth.gain.values():
        found += inner.values() if isinstance(inner, Mapping) else [inner]
    return sum(found) / len(found)


def draw(seed: int, block: str, detector: str, geometry: Geometry, truth: Truth) -> dict[str, ChannelTruth]:
    """The truth of a detector's channels, in the order of the geometry."""
    return {
        channel.name: _channel(
            generator(seed, block, detector, channel.name, "truth"), detector, channel, truth
        )
        for channel in geometry.channels
    }


def _channel(rng: np.random.Generator, detector: str, channel: Channel, truth: Truth) -> ChannelTruth:
    values: dict[str, float] = {}
    for name in DRAWN:
        base, own = common(getattr(truth, name), detector, channel.name)
        deviation = float(rng.standard_normal())  # always drawn: a setting never shifts the next one's draw
        values[name] = base if own else base * (1.0 + truth.scatter * deviation)
    image = channel.image
    rows, columns = image.shape
    spots = rng.permutation(rows * columns)[: truth.hot_pixels + truth.dead_pixels]
    ys, xs = np.divmod(spots, columns)
    pixels = [(int(y) + image.y0, int(x) + image.x0) for y, x in zip(ys, xs, strict=True)]
    currents = truth.hot_current * (0.5 + 0.5 * rng.standard_exponential(len(pixels)))
    responses = rng.uniform(0.0, 0.3, len(pixels))
    hot = [(y, x, float(c)) for (y, x), c in zip(pixels, currents, strict=True)][: truth.hot_pixels]
    dead = [(y, x, float(r)) for (y, x), r in zip(pixels, responses, strict=True)][truth.hot_pixels :]
    bad = rng.permutation(columns)[: truth.bad_columns]
    low = rng.uniform(0.2, 0.5, truth.bad_columns)
    lines = tuple((int(x) + image.x0, float(r)) for x, r in zip(bad, low, strict=False))
    of = truth.effects.defects
    # after all else, so that older settings draw what they always drew
    kinds = (of.noisy, of.bent, of.telegraph, of.late, of.annealed)
    more = np.divmod(rng.permutation(rows * columns)[: sum(kinds)], columns)
    spare = iter([(int(y) + image.y0, int(x) + image.x0) for y, x in zip(*more, strict=True)])
    noisy, bent, *changing = ([next(spare) for _ in range(number)] for number in kinds)
    telegraph, late, annealed = (tuple((y, x, of.excess) for y, x in held) for held in changing)
    return ChannelTruth(
        **values,
        hot=tuple(hot),
        dead=tuple(dead),
        columns=lines,
        noisy=tuple((y, x, of.noise) for y, x in noisy),
        bent=tuple((y, x, of.loss) for y, x in bent),
        telegraph=telegraph,
        late=late,
        annealed=annealed,
    )
