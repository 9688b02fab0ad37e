"""How the gain is followed: flats paired in each setting, one run of pairs for each channel."""

from __future__ import annotations

from analysis.contract import Inputs, Results
from analysis.gain_stability.outputs import hand_on
from analysis.gain_stability.pairs_in_time import pairs_in_time
from analysis.gain_stability.results import hand_back, nothing
from analysis.paired_flats import bounds_of, channels_with_pairs
from analysis.response_corrections import correction_of


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see the package's ``PROCEDURE`` for the quantities."""
    biases = inputs.frames.get("bias", ())
    bounds = bounds_of(inputs)
    runs, followed = [], []
    for setting, channel, pairs in channels_with_pairs(inputs, results, nothing):
        by = correction_of(inputs, results, channel, pairs[0])
        run = pairs_in_time(inputs, channel, setting, pairs, biases, bounds, by)
        if run is None:
            nothing(results, channel.name, setting, "no-overscan", "nothing tells the offset of the flats")
            continue
        runs.append(run)
        found = hand_back(results, run, inputs.number("least_range"), inputs.number("tolerance"))
        if found is not None:
            followed.append(found)
    hand_on(results, runs, followed)
