"""What the hits of a channel are reported as: rate, efficiency, charge, length, and the share of pixels they take."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Inputs, Results
from analysis.cosmic_rays.declared import ESTIMATORS
from analysis.cosmic_rays.outputs import PAIR, OfChannel


def report(inputs: Inputs, results: Results, one: OfChannel, estimator: str) -> None:
    """All quantities of one channel."""
    name, hits, n = one.channel.name, one.hits, len(one.found.frames)
    how = ESTIMATORS[estimator]
    flags = ["few-frames"] if n < 3 else []
    if any(f.summaries[name].not_finite for f in one.found.frames):
        flags.append("bad-pixels")
    if _uneven(hits.frame, n):
        flags.append("unstable")
    left = one.found.hits.number - hits.number
    note = f"{n} darks, {one.seconds:g} s in all; {left} hits left out whose pixel was hit twice"
    if one.corrected:
        note += f"; corrected: {one.corrected}"
    if n < 3:
        note += "; of so few frames pixels that jump are not told from hits"
    nothing = ["consistent-with-zero"] if hits.number == 0 else []
    error = sqrt(max(hits.number, 1))
    results.value(
        "hits", hits.number, error, channel=name, n=n, flags=[*flags, *nothing], estimator=how, note=note
    )
    found = one.found.efficiency
    if found is None:
        results.missing(
            "efficiency", "too-few-pixels", channel=name, note="no hit was found to be put elsewhere"
        )
        share, off = 1.0, 0.0
    else:
        share, off = found
        results.value(
            "efficiency", 100.0 * share, 100.0 * off, channel=name, n=one.found.planted, estimator=how
        )
    if share <= 0:
        for quantity in ("rate", "rate_area"):
            results.missing(
                quantity, "bad-fit", channel=name, note="no hit that was put elsewhere was found again"
            )
    else:
        per = 1e6 * 3600.0 / (one.found.pixels * one.seconds * share)
        rate, rate_error = hits.number * per, per * hypot(error, hits.number * off / share)
        results.value(
            "rate", rate, rate_error, channel=name, n=hits.number or n, flags=[*flags, *nothing], estimator=f"{how}; over efficiency", note=note
        )  # fmt: skip
        pitch = inputs.number("pixel_size")
        if pitch > 0:
            scale = 1.0 / (1e6 * (pitch * 1e-4) ** 2 * 60.0)
            results.value(
                "rate_area", rate * scale, rate_error * scale, channel=name, n=hits.number or n, flags=[*flags, *nothing], estimator=f"{how}; over efficiency"
            )  # fmt: skip
        else:
            results.missing(
                "rate_area", "no-pixel-size", channel=name, note="the parameter pixel_size says it"
            )
    _of_hits(results, one, flags, how)


def _of_hits(results: Results, one: OfChannel, flags: Sequence[str], how: str) -> None:
    """Charge, length and share of pixels."""
    name, hits = one.channel.name, one.hits
    if one.gain is None:
        results.missing("charge", "no-gain", channel=name)
    elif hits.number < 2:
        results.missing("charge", "too-few-pixels", channel=name, n=hits.number, note="fewer than two hits")
    else:
        middle, off = _median(hits.charge)
        value, error = one.gain.electrons(middle, off)
        results.value(
            "charge", value, error, channel=name, n=hits.number, flags=[*flags, *one.gain.flags], estimator=how,
            note=f"{value * PAIR / 1000.0:.3g} keV at {PAIR:g} eV per electron; {one.gain.note}",
        )  # fmt: skip
    if hits.number < 2:
        results.missing("length", "too-few-pixels", channel=name, n=hits.number, note="fewer than two hits")
    else:
        error = float(hits.length.std(ddof=1)) / sqrt(hits.number)
        results.value(
            "length",
            float(hits.length.mean()),
            error,
            channel=name,
            n=hits.number,
            flags=flags,
            estimator=how,
        )
    n = one.found.pixels * len(one.found.frames)
    struck, squares = float(hits.pixels.sum()), float((hits.pixels.astype(np.float64) ** 2).sum())
    error = sqrt(max(squares, 1.0))
    nothing = ["consistent-with-zero"] if hits.number == 0 else []
    results.value(
        "rejected",
        100.0 * struck / n,
        100.0 * error / n,
        channel=name,
        n=n,
        flags=[*flags, *nothing],
        estimator=how,
    )


def _median(values: NDArray[np.float64]) -> tuple[float, float]:
    """The median and its error: half the distance of the ranks one standard deviation of the binomial distribution below and above."""
    n = values.size
    low, middle, high = np.quantile(values, np.clip([0.5 - 0.5 / sqrt(n), 0.5, 0.5 + 0.5 / sqrt(n)], 0, 1))
    return float(middle), 0.5 * float(high - low)


def _uneven(frame: NDArray[np.intp], n: int) -> bool:
    """Whether frames have hits of numbers that differ by more than chance allows (Poisson, chance below 1e-6)."""
    counts = np.bincount(frame, minlength=n).astype(np.float64)
    if n < 2 or counts.mean() < 5:
        return False
    from scipy.special import chdtrc

    return bool(chdtrc(n - 1, float(((counts - counts.mean()) ** 2).sum() / counts.mean())) < 1e-6)
