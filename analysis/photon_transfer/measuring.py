"""How a photon transfer curve is measured: flats paired in each setting, one curve for each channel."""

from __future__ import annotations

from analysis.contract import ContractError, Inputs, Results
from analysis.paired_flats import bounds_of, channels_with_pairs
from analysis.photon_transfer.outputs import hand_on
from analysis.photon_transfer.reduction import measure_curve
from analysis.photon_transfer.results import hand_back, nothing
from analysis.response_corrections import correction_of

MODELS = ("auto", "full", "exponential", "quadratic", "pairs")
"""What the parameter ``model`` may be."""


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see the package's ``PROCEDURE`` for the quantities."""
    if inputs.parameters["model"] not in MODELS:
        raise ContractError(
            f"photon_transfer.model cannot be {inputs.parameters['model']!r}; it is one of {', '.join(MODELS)}"
        )
    method = inputs.parameters["covariance_method"]
    if method not in ("direct", "fourier"):
        raise ContractError(
            f"photon_transfer.covariance_method cannot be {method!r}; it is direct or fourier"
        )
    biases = inputs.frames.get("bias", ())
    bounds = bounds_of(
        inputs,
        lags=int(inputs.number("lags")),
        method="fourier" if method == "fourier" else "direct",
        least_pixels=int(inputs.number("least_pixels")),
    )
    curves = []
    for setting, channel, pairs in channels_with_pairs(inputs, results, nothing):
        by = correction_of(inputs, results, channel, pairs[0])
        curve = measure_curve(inputs, channel, setting, pairs, biases, bounds, by)
        if curve is None:
            nothing(results, channel.name, setting, "no-overscan", "nothing tells the offset of the flats")
            continue
        hand_back(results, curve)
        curves.append(curve)
    hand_on(results, curves, [c.name for c in inputs.detector.geometry.channels], bounds.sigma)
