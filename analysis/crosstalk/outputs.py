"""What the crosstalk procedure shows and hands on: the matrix as image, points and table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.contract import Inputs, Results, TableProduct
from analysis.crosstalk.exposures import Gathered
from analysis.crosstalk.matrix import Coefficient, largest
from analysis.figures import ImageMap, Mark, Panel, Plot, Series

_CELL = 24
"""Side of a coefficient's cell in the image of the matrix."""
_WRITTEN = 8
"""Columns of the matrix up to which its cells hold their numbers."""
Matrix = Mapping[str, Sequence[Coefficient]]


def draw(results: Results, inputs: Inputs, gathered: Gathered, matrix: Matrix) -> None:
    """All figures, or why there are none."""
    if not any(matrix.values()):
        reason = next(m.reason for m in results.measurements if m.quantity == "largest" and m.reason)
        for name in ("matrix", "coefficients", "flux"):
            results.without(name, reason, "no coefficient was measured")
        return
    results.figure("matrix", _image(inputs, gathered, matrix))
    results.figure("coefficients", Plot((_coefficients(inputs, gathered, matrix),)))
    results.figure("flux", Plot((_flux(inputs, matrix),)))


def _image(inputs: Inputs, gathered: Gathered, matrix: Matrix) -> ImageMap:
    """The matrix as cells that hold their coefficients, where there are few enough to be read."""
    cells = np.full((len(matrix), len(gathered.names)), np.nan)
    for row, found in enumerate(matrix.values()):
        for c in found:
            cells[row, gathered.names.index(c.source)] = c.value * 1e6
    top = float(np.nanmax(np.abs(cells)))
    outlines = tuple(
        (
            f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}",
            y * _CELL,
            (y + 1) * _CELL,
            x * _CELL,
            (x + 1) * _CELL,
        )
        for (y, x), value in np.ndenumerate(cells)
        if np.isfinite(value) and cells.shape[1] <= _WRITTEN
    )
    return ImageMap(
        np.kron(cells, np.ones((_CELL, _CELL))), "coefficient [10⁻⁶ ADU/ADU]", low=-top, high=top, outlines=outlines,
        xlabel="channel that is bright", ylabel="channel that listens", xnames=_sources(inputs, gathered), ynames=tuple(matrix),
    )  # fmt: skip


def _sources(inputs: Inputs, gathered: Gathered) -> tuple[str, ...]:
    """What the columns are called: by channel, and by detector too where it is another."""
    own = inputs.detector.name
    return tuple(
        channel if detector == own else f"{detector} {channel}" for detector, channel in gathered.names
    )


def _coefficients(inputs: Inputs, gathered: Gathered, matrix: Matrix) -> Panel:
    series = []
    for victim, found in matrix.items():
        if found:
            at = [float(gathered.names.index(c.source)) for c in found]
            series.append(
                Series(
                    at,
                    [c.value * 1e6 for c in found],
                    victim,
                    victim,
                    [c.error * 1e6 for c in found],
                )
            )
    return Panel(
        "channel that is bright", "coefficient [10⁻⁶ ADU/ADU]", tuple(series), (Mark("zero", y=0.0),),
        xnames=_sources(inputs, gathered),
    )  # fmt: skip


def _flux(inputs: Inputs, matrix: Matrix) -> Panel:
    series = []
    for victim, found in matrix.items():
        best = largest(found, inputs.number("significance"))
        if best is not None and best.by_flux is not None:
            signal, value, error = best.by_flux
            series.append(Series(signal, value * 1e6, f"{best.label} into {victim}", victim, error * 1e6))
    return Panel(
        "signal of the aggressor [ADU]", "coefficient [10⁻⁶ ADU/ADU]", tuple(series), (Mark("zero", y=0.0),), xscale="log"
    )  # fmt: skip


def hand_on(results: Results, inputs: Inputs, gathered: Gathered, matrix: Matrix) -> None:
    """The matrix as a table, or why there is none."""
    if not any(matrix.values()):
        reason = next(m.reason for m in results.measurements if m.quantity == "largest" and m.reason)
        results.without("matrix", reason, "no coefficient was measured")
        return
    nan = float("nan")
    rows: list[tuple[object, ...]] = []
    for victim, found in matrix.items():
        held = {c.source: c for c in found}
        own = (inputs.detector.name, victim)
        for number, name in enumerate(gathered.names):
            if name == own:
                continue
            alike = gathered.noise.correlation(own, name)
            rho = (nan, nan) if alike is None else alike[:2]
            c = held.get(name)
            if c is None:
                rows.append((victim, number, *name, nan, nan, nan, 0, nan, nan, nan, *rho))
                continue
            slope = (nan, nan) if c.slope is None or c.slope_error is None else (c.slope, c.slope_error)
            rows.append(
                (victim, number, *name, c.value, c.error, c.significance, c.n, *slope, c.signal, *rho)
            )
    names = (
        "victim", "number", "aggressor_detector", "aggressor", "coefficient", "error", "significance", "n", "slope", "slope_error", "signal",
        "noise_correlation", "noise_correlation_error",
    )  # fmt: skip
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    results.product(
        "matrix",
        TableProduct(
            columns,
            {"slope": "1 / adu", "slope_error": "1 / adu", "signal": "adu"},
            {
                "victim": "channel of this detector that listens",
                "number": "number of the aggressor, the column of the matrix",
                "aggressor_detector": "detector of the channel that is bright",
                "aggressor": "channel that is bright",
                "coefficient": "ADU in the victim per ADU in the aggressor; NaN where it was not measured",
                "significance": "coefficient over its error",
                "n": "pixels used",
                "slope": "change of the coefficient with the aggressor's signal",
                "signal": "signal of the aggressor at which the coefficient holds, where it changes with it",
                "noise_correlation": "correlation of the overscans of both channels",
            },
        ),
    )
