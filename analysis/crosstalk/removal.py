"""Taking crosstalk off: each channel's signal, turned to the victim's order of readout, times its coefficient."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs, Product, TableProduct
from analysis.crosstalk.readout import serial_start, turned
from analysis.masks import BITS, Mask
from analysis.offsets import offset_of
from campaign.frozen import dataclass
from campaign.geometry import Channel
from campaign.model import Detector

SIGNIFICANT = 3.0
"""Coefficients within so many errors of zero are not applied: they would add noise and take nothing off."""


@dataclass(frozen=True)
class Removal:
    """What is taken off one channel: coefficients of other channels, (detector, channel, coefficient, change per ADU of signal).

    ``frames`` hold those of other detectors by (detector, exposure); ``offsets`` [ADU] stand in for channels without overscan.
    """

    channel: Channel
    sources: tuple[tuple[Detector, Channel, float, float], ...]
    own: str
    frames: Mapping[tuple[str, str], FrameInput]
    offsets: Mapping[tuple[str, str], float]

    def apply(self, frame: FrameInput, values: NDArray[np.float32], mask: Mask) -> None:
        """Take it off an image [ADU] in place. Where an aggressor has no value, or its frame is not there, that is masked as uncorrected.

        A saturated aggressor is taken at its saturation level, and the victim's pixels are masked too: how much more it was is not known.
        """
        image, bits = turned(values, self.channel), turned(mask, self.channel)
        start, uncorrected = serial_start(self.channel), np.int32(BITS["uncorrected"])
        for detector, source, coefficient, slope in self.sources:
            other = (
                frame if detector.name == self.own else self.frames.get((detector.name, frame.frame.exposure))
            )
            signal = None if other is None else self._signal(other, detector, source)
            if signal is None:
                bits |= uncorrected
                continue
            shift = serial_start(source) - start
            rows = min(image.shape[0], signal.shape[0])
            first, last = max(0, shift), min(image.shape[1], signal.shape[1] + shift)
            if first >= last:
                continue
            part = signal[:rows, first - shift : last - shift]
            lost = ~np.isfinite(part)
            known = np.where(lost, np.float32(0.0), part)
            image[:rows, first:last] -= np.float32(coefficient) * known
            if slope:
                image[:rows, first:last] -= np.float32(slope) * known * known
            full = lost | (part >= np.float32(self._top(detector, other, source)))
            bits[:rows, first:last][full] |= uncorrected

    def _level(self, frame: FrameInput | None, detector: Detector, source: Channel) -> float | None:
        found = None if frame is None else offset_of(frame, source)
        return found.value if found is not None else self.offsets.get((detector.name, source.name))

    def _top(self, detector: Detector, frame: FrameInput | None, source: Channel) -> float:
        return detector.geometry.saturation - (self._level(frame, detector, source) or 0.0)

    def _signal(self, frame: FrameInput, detector: Detector, source: Channel) -> NDArray[np.float32] | None:
        """An aggressor's turned image above its offset [ADU]; None where it has no offset or no pixels."""
        level = self._level(frame, detector, source)
        if level is None or source.name not in frame.summaries:
            return None
        image = frame.pixels.read(source, source.image).astype(np.float32)
        image -= np.float32(level)
        return np.asarray(turned(image, source), np.float32)


def removal(inputs: Inputs, channel: Channel, matrix: Product | None) -> Removal | str:
    """What the matrix of crosstalk takes off a channel; else why nothing can be.

    Coefficients of other detectors need their frames of the same exposures among the inputs (a role of ``every_detector``).
    The change with signal is applied where it is significant itself.
    """
    if not isinstance(matrix, TableProduct):
        return "there is no matrix of crosstalk of this detector"
    detectors = {inputs.detector.name: inputs.detector, **inputs.detectors}
    columns = matrix.columns
    sources = []
    rows = 0
    for n, victim in enumerate(columns["victim"]):
        if str(victim) != channel.name:
            continue
        rows += 1
        c, error, slope, slope_error = (
            float(str(columns[k][n])) for k in ("coefficient", "error", "slope", "slope_error")
        )
        detector = detectors.get(str(columns["aggressor_detector"][n]))
        if detector is None or not abs(c) > SIGNIFICANT * error:
            continue
        bends = abs(slope) > SIGNIFICANT * slope_error
        level = float(str(columns["signal"][n])) if bends else 0.0  # where the coefficient holds
        source = next((x for x in detector.geometry.channels if x.name == str(columns["aggressor"][n])), None)
        if source is not None:
            sources.append((detector, source, c - slope * level if bends else c, slope if bends else 0.0))
    if not rows:
        return "the matrix of crosstalk has no row of this channel"
    frames = {
        (f.frame.detector, f.frame.exposure): f
        for held in inputs.frames.values()
        for f in held
        if f.frame.detector != inputs.detector.name
    }
    return Removal(channel, tuple(sources), inputs.detector.name, frames, _offsets(inputs))


def _offsets(inputs: Inputs) -> dict[tuple[str, str], float]:
    """Mean levels of bias frames [ADU] by (detector, channel): offsets of channels that have no columns to tell."""
    held: dict[tuple[str, str], list[float]] = {}
    for frame in inputs.frames.get("bias", ()):
        for name, summary in frame.summaries.items():
            if summary.n > 1:
                held.setdefault((frame.frame.detector, name), []).append(summary.mean)
    return {name: float(np.mean(levels)) for name, levels in held.items()}
