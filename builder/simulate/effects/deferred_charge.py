"""Deferred charge: registers that leave some behind at each transfer, traps that hold it, electronics that remember.

Lines are rows for the serial register and columns for the parallel transfer; the first pixel of a line is nearest to its node. What
is read comes in the order of reading. Nothing here is known of how deferred charge is measured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Charge = NDArray[np.float64]
Release = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""The fraction of captured charge still held after so many transfers: 1 at 0, falling."""


def shifted_out(charge: Charge, cti: float, after: int) -> Charge:
    """What arrives at the node, transfer by transfer, when each leaves the fraction ``cti`` of every packet behind.

    ``charge`` [e⁻], shape (lines, elements of the register): elements that hold no light (a prescan) are part of it.
    ``after`` more transfers than elements are made. Returns shape (lines, elements + after). It is linear, and electrons lag one by
    one: of expectations it makes expectations, and charge that is Poisson distributed still is.
    """
    held = charge.copy()
    out = np.empty((charge.shape[0], charge.shape[1] + after))
    for step in range(out.shape[1]):
        moved = held * (1.0 - cti)
        out[:, step] = moved[:, 0]
        held *= cti
        held[:, :-1] += moved[:, 1:]
    return out


def lagged(charge: Charge, cti: float, after: int, rng: np.random.Generator | None = None) -> Charge:
    """What ``shifted_out`` gives, from the chances of how many transfers an electron is late: far faster, for a CTI well below 1.

    An electron of element i makes i + 1 moves, and is late by k transfers with the chance C(i + k, k) cti^k (1 − cti)^(i + 1); chances
    below 10⁻¹² are left out. With ``rng`` the number of those that are late by one scatters as independent electrons do, so that
    charge that was drawn before keeps its covariances; without, expectations become expectations.
    """
    elements = charge.shape[1]
    chance = (1.0 - cti) ** np.arange(1.0, elements + 1.0)
    out = np.zeros((charge.shape[0], elements + after))
    out[:, :elements] = charge * chance
    late, moves = 0, np.arange(elements, dtype=np.float64)
    while cti > 0:
        late += 1
        chance = chance * cti * (moves + late) / late
        if float(chance.max()) < 1e-12 or late > elements + after - 1:
            break
        upto = min(elements, elements + after - late)
        moved = charge[:, :upto] * chance[:upto]
        out[:, late : late + upto] += moved
        if rng is not None and late == 1:
            noise = rng.standard_normal(moved.shape) * np.sqrt(np.maximum(moved, 0.0))
            out[:, :upto] -= noise
            out[:, 1 : 1 + upto] += noise
    return out


def exponential_release(time: float) -> Release:
    """Release with a time constant [transfers]."""
    return lambda passed: np.exp(-passed / time)


def power_release(exponent: float) -> Release:
    """Release of traps of many time constants: held is (1 + transfers) to a negative power."""
    return lambda passed: (1.0 + passed) ** -exponent


def trapped(charge: Charge, size: float, share: float, time: float) -> Charge:
    """Pixels that pass a trap one after another [e⁻], shape (lines, pixels in the order of reading).

    The trap fills up to ``share`` of each packet and at most ``size`` [e⁻]; between packets it releases with the time
    constant ``time`` [transfers] into the packet that passes.
    """
    out, held = np.empty_like(charge), np.zeros(charge.shape[0])
    keeps = np.exp(-1.0 / time)
    for pixel in range(charge.shape[1]):
        freed = held * (1.0 - keeps)
        held = held - freed
        packet = charge[:, pixel] + freed
        capture = np.clip(np.minimum(size, share * charge[:, pixel]) - held, 0.0, packet)
        held = held + capture
        out[:, pixel] = packet - capture
    return out


def trapped_released(charge: Charge, share: float, held: Release, longest: int) -> Charge:
    """Pixels that lose ``share`` of their charge [e⁻] to traps, which give it to those that follow by any law of release.

    ``held`` tells the fraction kept after 0 … ``longest`` transfers; what is kept longer is lost.
    """
    left = held(np.arange(longest + 1, dtype=np.float64))
    given = left[:-1] - left[1:]
    out = charge * (1.0 - share)
    for later, fraction in enumerate(given, start=1):
        if later < charge.shape[1]:
            out[:, later:] += share * fraction * charge[:, :-later]
    return out


def local_offset(levels: Charge, scale: float, time: float) -> Charge:
    """Levels [ADU above zero] read through electronics whose offset rises with what was just read and decays.

    The offset after each pixel is ``scale`` times its level, or what is left of the one before after a decay with ``time``
    [pixels], whichever is more; it is added to the pixels after (hysteresis of the output amplifier).
    """
    out, offset = np.empty_like(levels), np.zeros(levels.shape[0])
    decay = np.exp(-1.0 / time)
    for pixel in range(levels.shape[1]):
        offset = offset * decay
        out[:, pixel] = levels[:, pixel] + offset
        offset = np.maximum(offset, scale * levels[:, pixel])
    return out
