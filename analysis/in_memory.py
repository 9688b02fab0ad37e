"""Frames held in memory: what a procedure is given, made of arrays, for its tests and for simulations of its pulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Epoch, FrameInput, Inputs, Measurement, ParameterValue, Procedure, Results
from analysis.summary import summarise
from campaign.frames import FieldValue, Frame, FrameFile
from campaign.geometry import Channel, Geometry, Region
from campaign.model import Detector


class ArrayPixels:
    """Pixels over one image, counting its reads."""

    def __init__(self, image: NDArray[np.generic]) -> None:
        self.image = image
        self.reads = 0

    def dtype(self, channel: Channel) -> np.dtype[np.generic]:
        """The image's own."""
        return self.image.dtype

    def read(
        self, channel: Channel, region: Region, out: NDArray[np.generic] | None = None
    ) -> NDArray[np.generic]:
        """A part of the image; a view of it without ``out``."""
        self.reads += 1
        found = self.image[region.slices]
        if out is None:
            return found
        np.copyto(out, found, casting="unsafe")
        return out


def detector(geometry: Geometry, name: str = "CCD1") -> Detector:
    """A detector of that geometry."""
    return Detector(name=name, geometry=geometry)


def digitised(image: NDArray[np.floating]) -> NDArray[np.uint16]:
    """What a 16-bit converter makes of levels in ADU."""
    levels: NDArray[np.uint16] = np.clip(np.rint(image), 0, 65535).astype(np.uint16)
    return levels


def frame_input(
    image: NDArray[np.generic],
    detector: Detector,
    type: str,
    number: int,
    exptime: float | None = 0.0,
    *,
    interval: float = 60.0,
    **fields: FieldValue,
) -> FrameInput:
    """One frame, taken ``number`` × ``interval`` seconds after midnight of 2020-01-01."""
    pixels = ArrayPixels(image)
    began = datetime(2020, 1, 1) + timedelta(seconds=interval * number)
    known: dict[str, FieldValue] = {"type": type, "exptime": exptime, "date": began.isoformat(), **fields}
    frame = Frame(
        f"{number}/{detector.name}",
        str(number),
        detector.name,
        FrameFile("memory", f"{type}-{number}.fits", image.nbytes, 0, 0),
        {"": 0},
        known,
    )
    return FrameInput(frame, summarise(pixels, detector), pixels)


def inputs(
    procedure: Procedure,
    detector: Detector,
    frames: Mapping[str, Sequence[FrameInput]],
    *,
    used: Mapping[tuple[str, str], Mapping[str, Measurement]] | None = None,
    epochs: Mapping[tuple[str, str], Sequence[Epoch]] | None = None,
    **parameters: ParameterValue,
) -> Inputs:
    """What a procedure is given; parameters over its defaults."""
    return Inputs(
        "BLOCK",
        "TEST01",
        detector,
        {role: tuple(found) for role, found in frames.items()},
        procedure.settings(parameters),
        used or {},
        epochs={name: tuple(held) for name, held in (epochs or {}).items()},
    )


def measured(procedure: Procedure, given: Inputs) -> Results:
    """Run a procedure and hold it to its declaration."""
    results = Results(procedure, [c.name for c in given.detector.geometry.channels], given.setting)
    procedure.measure(given, results)
    results.check()
    return results


def value(results: Results, quantity: str, channel: str | None = "A") -> Measurement:
    """The measurement of a quantity in the default setting."""
    return next(
        m
        for m in results.measurements
        if m.quantity == quantity and m.channel == channel and m.setting == results.setting
    )
