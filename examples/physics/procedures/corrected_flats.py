"""What corrections leave: flats of two levels before and after non-linearity and brighter-fatter effect were taken off."""

import numpy as np

from analysis.contract import Procedure, Quantity, Role, Version
from analysis.conversion import GAIN
from analysis.correction import chain, corrections, takes


def measure(inputs, results):
    """Of each channel: rate of the highest exposure time against that of the lowest, raw and corrected."""
    for channel in inputs.detector.geometry.channels:
        full = chain(inputs, channel)
        for name, why in full.without.items():
            results.caveat(f"{channel.name}: without {name}: {why}")
        plain = chain(inputs, channel, ["offset"])
        good = None
        for quantity, steps in (("rate_change", full), ("rate_change_raw", plain)):
            rates: dict[float, list[float]] = {}
            for frame in inputs.frames["flat"]:
                done = steps.apply(frame)
                # the same pixels for both, or what is left out would count as a change
                good = done.good if good is None else good & done.good
                rates.setdefault(frame.frame.exptime, []).append(
                    float(done.values[good].mean()) / frame.frame.exptime
                )
            low, high = rates[min(rates)], rates[max(rates)]
            if len(rates) < 2 or min(len(low), len(high)) < 2:
                results.missing(quantity, "too-few-frames", channel=channel.name)
                continue
            ratio = np.mean(high) / np.mean(low)
            error = np.hypot(*(np.std(r, ddof=1) / np.mean(r) / np.sqrt(len(r)) for r in (low, high)))
            results.value(
                quantity,
                100 * (ratio - 1),
                100 * error,
                channel=channel.name,
                n=len(low) + len(high),
                note=f"steps: {steps.words}",
            )


PROCEDURE = Procedure(
    name="corrected_flats",
    title="Corrected flats",
    purpose="Whether levels follow the light once the corrections that other tests gave are applied.",
    history=(Version("1.0", "2026-11-21", "First version."),),
    roles=(
        Role("flat", ("flat",), 2, "flats of two exposure times, two of each at least"),
        Role("bias", ("bias",), 0, "bias frames, for the structure of the offset", elsewhere=True),
    ),
    uses=(GAIN,),
    takes=takes("nonlinearity", "brighter-fatter", "defects"),
    parameters=(corrections("offset nonlinearity brighter-fatter defects"),),
    quantities=(
        Quantity(
            "rate_change", "Δ", "%", "Change of level per second from the shorter to the longer exposure time, corrected",
            "ratio of means; error from the scatter of frames", unplotted="one number of a few frames",
        ),
        Quantity(
            "rate_change_raw", "Δ_raw", "%", "The same of flats of which the offset alone was taken off",
            "ratio of means; error from the scatter of frames", "engineering", unplotted="one number of a few frames",
        ),
    ),
    acceptance=("The corrected change is consistent with zero, or with what the lamp did.",),
    algorithm="Δ = R(longer) / R(shorter) − 1,  R: mean level of good pixels over the exposure time",
    measure=measure,
)  # fmt: skip
