"""What is gathered of one frame while the rows of its images pass: statistics by channel and every few pixels for the preview."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.region_counts import CodeCounts, Gathered, Values, gathered
from analysis.summary import details_of, regions_of, summary_of
from builder.acquired.pixels import FilePixels
from builder.acquired.plane import Plane
from builder.acquired.reading import ReadTask
from builder.details import SUFFIX, details_bytes
from builder.preview import picture, preview, step_of
from builder.store import put_object
from builder.summary_rows import row_text
from campaign.frames import Frame
from campaign.geometry import Region
from campaign.model import Detector

_SIGN = 0x8000


class FrameGather:
    """One frame of a file that is being read. ``error`` says why it cannot be had."""

    def __init__(self, detector: Detector, hdus: Mapping[str, int]) -> None:
        self.detector, self.hdus, self.error = detector, hdus, ""
        self._step = step_of(detector.geometry.shape)
        self._open: dict[int, list[tuple[str, str, Region, CodeCounts | Values]]] = {}
        self._sampled: dict[int, NDArray[np.float32]] = {}
        self._found: dict[str, dict[str, Gathered]] = {c.name: {} for c in detector.geometry.channels}
        self._picture = b""

    def begin(self, plane: Plane, dtype: np.dtype[np.generic], *, raw: bool) -> None:
        """Make ready for an image. ``raw``: its rows come as stored in the file; else decompressed, of ``dtype``."""
        rows, columns = (-(-n // self._step) for n in (plane.rows, plane.columns))
        self._sampled[plane.hdu] = np.zeros((rows, columns), np.float32)
        self._open[plane.hdu] = [
            (channel.name, name, region, _counter(plane, region.shape, dtype, raw))
            for channel in self.detector.geometry.channels
            if self.hdus.get(channel.name, self.hdus.get("")) == plane.hdu
            for name, region in regions_of(channel).items()
        ]
        self._decode = plane.decode if raw else None

    def add(self, plane: Plane, block: NDArray[np.generic], row: int) -> None:
        """Rows of an image from ``row`` on, shape (n, columns), in order."""
        end = row + block.shape[0]
        for channel, name, region, counter in self._open[plane.hdu]:
            first, last = max(region.y0, row), min(region.y1, end)
            if first < last:
                counter.add(block[first - row : last - row, region.x0 : region.x1], first - region.y0)
                if last == region.y1:
                    self._found[channel][name] = counter.finished()
        first = -(-row // self._step)
        part = block[first * self._step - row :: self._step, :: self._step]
        if part.size:
            values = self._sampled[plane.hdu][first : first + part.shape[0]]
            if self._decode is None:
                np.copyto(values, part, casting="unsafe")
            else:
                self._decode(np.ascontiguousarray(part), values)

    def from_file(self, task: ReadTask) -> None:
        """Read all of it from its file, where that is too large or too packed to pass only once."""
        held = FilePixels(Frame("", "", self.detector.name, task.file, self.hdus), task.path)
        try:
            for channel in self.detector.geometry.channels:
                regions = regions_of(channel).items()
                self._found[channel.name] = {n: gathered(held.read(channel, r)) for n, r in regions}
            self._picture = preview(held, self.detector)
        except (OSError, ValueError) as error:
            self.error = f"{type(error).__name__}: {error}"
        finally:
            held.close()

    def stored(self, objects: Path) -> str:
        """The row of the frame's summaries; its preview and details are stored. Raises OSError."""
        geometry = self.detector.geometry
        sampled = {
            c.name: self._sampled.get(self.hdus.get(c.name, self.hdus.get("", -1)), _NOTHING)
            for c in geometry.channels
        }
        shown = self._picture or picture(sampled, self.detector, self._step)
        details = {name: details_of(found) for name, found in self._found.items()}
        return row_text(
            {name: summary_of(found, geometry.saturation) for name, found in self._found.items()},
            preview=put_object(objects, shown, ".webp"),
            details=put_object(objects, details_bytes(details), SUFFIX),
        )


_NOTHING = np.zeros((0, 0), np.float32)


def _counter(
    plane: Plane, shape: tuple[int, int], dtype: np.dtype[np.generic], raw: bool
) -> CodeCounts | Values:
    """What a region's pixels are gathered in: counted by code where values are whole numbers of 8 or 16 bits."""
    if plane.lowest is not None and dtype.kind in "iu" and dtype.itemsize * 8 == plane.bitpix:
        signed = plane.bitpix == 16 and (raw or dtype.kind == "i")
        return CodeCounts(shape, plane.lowest, swapped=raw, flip=_SIGN if signed else 0, bits=plane.bitpix)
    return Values(shape, plane.dtype, plane.decode if raw else None)
