"""Measure: run one task, and turn what it hands back into stored objects. Runs in workers."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterable
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any

from analysis.contract import Epoch, FrameInput, Inputs, Measurement, Procedure, Results, make_anew
from builder import VERSION
from builder.memory import Peak
from builder.plan import Task
from builder.plugins import resolve
from builder.store import put_object
from campaign.frozen import dataclass

TRANSIENT = (OSError, MemoryError)
"""Failures that may not happen again: such results are shown but not kept, so the next build tries again."""


@dataclass
class Measured:
    """What a task gave: measurements, and figures and products as objects already stored.

    ``worker`` is the process that ran it, ``memory_mb`` the peak of its memory meanwhile [MB].
    """

    status: str
    seconds: float
    error: str = ""
    transient: bool = False
    undeclared: bool = False
    measurements: tuple[Measurement, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)
    memory_mb: float = 0.0
    worker: str = ""


def inputs_of(task: Task, objects: Path, masters: Path | None = None) -> Inputs:
    """The inputs of a task: its frames with their summaries, open pixels, headers, and what is kept of them in ``objects``.

    ``masters`` is the folder of masters that procedures share, if there is one.
    """
    from builder.acquired.pixels import FrameHeader, open_pixels
    from builder.details import read_details
    from builder.masters import Masters
    from builder.products import read_product

    kept = partial(read_details, objects)
    prints = {f.id: f.file.fingerprint for held in task.roles.values() for f in held}
    opened = {}
    for frame in (f for held in task.roles.values() for f in held):
        pixels = open_pixels(frame, task.campaign_root)
        header = FrameHeader(pixels, task.logged.get(frame.id, {}))
        opened[frame.id] = FrameInput(frame, task.summaries[frame.id], pixels, kept, header)
    return Inputs(
        task.block,
        task.test,
        task.detector,
        {role: tuple(opened[f.id] for f in held) for role, held in task.roles.items()},
        dict(task.parameters),  # which tasks share: no procedure can change those of others
        task.used,
        task.setting,
        make_anew if masters is None else Masters(masters, prints),
        {k: partial(read_product, objects / name, form) for k, (form, name) in task.products.items()},
        task.detectors,
        {
            k: tuple(
                Epoch(
                    h.block, h.test, h.time, h.measurements, partial(read_product, objects / h.object, h.form)
                )
                for h in held
            )
            for k, held in task.epochs.items()
        },
    )


def measure(job: tuple[Task, Path]) -> Measured:
    """Run a task and store its figures and products under the objects folder.

    An exception of the procedure is a result: status 'error', with the exception and where it arose.
    """
    with Peak() as peak:
        measured = _measure(*job)
    measured.memory_mb, measured.worker = peak.mb, str(os.getpid())
    return measured


def _measure(task: Task, objects: Path) -> Measured:
    begun = time.perf_counter()
    results: Results | None = None
    try:
        procedure = resolve(task.reference)
        channels = [c.name for c in task.detector.geometry.channels]
        results = Results(procedure, channels, task.setting)
        procedure.measure(inputs_of(task, objects, objects.parent / "masters"), results)
        results.check()
        detail = _store(task, procedure, results, objects)
    except Exception as error:  # procedures, plug-ins above all, may raise anything
        from analysis.contract import ContractError

        return Measured(
            "error",
            time.perf_counter() - begun,
            _explain(error),
            transient=isinstance(error, TRANSIENT),
            undeclared=isinstance(error, ContractError),
            detail={"log": list(results.log) if results else []},
        )
    return Measured(
        "done", time.perf_counter() - begun, measurements=tuple(results.measurements), detail=detail
    )


def _explain(error: Exception) -> str:
    """An exception with the places it passed, files named without their folders."""
    steps = [
        f"  {Path(step.filename).name}:{step.lineno} in {step.name}: {step.line}"
        for step in traceback.extract_tb(error.__traceback__)[1:]
    ]
    return "\n".join([f"{type(error).__name__}: {error}", *steps])


def _store(task: Task, procedure: Procedure, results: Results, objects: Path) -> dict[str, Any]:
    from builder.draw import draw

    figures = {}
    for name, figure in results.figures.items():
        drawn = draw(figure, [c.name for c in task.detector.geometry.channels])
        figures[name] = {
            "light": put_object(objects, drawn.light, drawn.suffix),
            "dark": put_object(objects, drawn.dark, drawn.suffix),
            "data": put_object(objects, drawn.csv.encode(), ".csv"),
            "interactive": put_object(objects, drawn.script.encode(), ".js") if drawn.script else "",
            "width": drawn.width,
            "height": drawn.height,
            "alt": drawn.alt,
        }
    return {
        "figures": figures,
        "products": _products(task, procedure, results, objects),
        "absent": results.absent,
        "raised": results.caveats,
        "log": results.log,
    }


def _products(task: Task, procedure: Procedure, results: Results, objects: Path) -> dict[str, Any]:
    from builder.products import Piece, ecsv_bytes, fits_pieces, put_pieces, region_bytes

    cards = [
        ("BLOCK", task.block, "tested unit"),
        ("TEST", task.test, "test of the record"),
        ("DETECTOR", task.detector.name, "detector"),
        ("PROCEDUR", procedure.name, "calbook procedure"),
        ("PROCVERS", procedure.version, "its version"),
        ("RESULTID", task.result_id, "result that this product belongs to"),
        ("CREATOR", f"calbook {VERSION}", "program that wrote this"),
    ]
    inputs = [(role, f"{f.file.path}", f.file.fingerprint) for role, held in task.roles.items() for f in held]
    out = {}
    for spec in procedure.products:
        if spec.name not in results.products:
            continue
        product = results.products[spec.name]
        named = [*cards, ("PRODUCT", spec.name, spec.meaning[:40])]
        pieces: Iterable[Piece]
        if spec.form == "fits":
            pieces = fits_pieces(product, named, inputs)  # type: ignore[arg-type]  # checked by Results.product
        elif spec.form == "reg":
            pieces = (region_bytes(product, named, inputs),)  # type: ignore[arg-type]
        else:
            pieces = (ecsv_bytes(product, named, inputs),)  # type: ignore[arg-type]
        out[spec.name] = put_pieces(objects, pieces, f".{spec.form}")
    return out
