"""How the brighter-fatter effect is measured: one curve of covariances for each channel and setting, then the frames of point sources."""

from __future__ import annotations

from analysis.brighter_fatter.area import ESTIMATORS
from analysis.brighter_fatter.curves import measure_curve
from analysis.brighter_fatter.outputs import hand_on
from analysis.brighter_fatter.results import hand_back, nothing
from analysis.brighter_fatter.widening import measure_spots
from analysis.contract import ContractError, Inputs, Results
from analysis.paired_flats import bounds_of, channels_with_pairs
from analysis.response_corrections import correction_of


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see the package's ``PROCEDURE`` for the quantities."""
    if inputs.parameters["estimator"] not in ESTIMATORS:
        raise ContractError(
            f"brighter_fatter.estimator cannot be {inputs.parameters['estimator']!r}; it is one of {', '.join(ESTIMATORS)}"
        )
    biases = inputs.frames.get("bias", ())
    bounds = bounds_of(inputs)
    curves = []
    for setting, channel, pairs in channels_with_pairs(inputs, results, nothing):
        by = correction_of(inputs, results, channel, pairs[0])
        curve = measure_curve(inputs, channel, setting, pairs, biases, bounds, by)
        hand_back(inputs, results, curve)
        curves.append(curve)
    hand_on(results, curves, [c.name for c in inputs.detector.geometry.channels], int(inputs.number("order")))
    measure_spots(inputs, results)
