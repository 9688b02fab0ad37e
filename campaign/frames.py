"""Frames: what was acquired, as headers, logs and file names tell it. No pixels here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from campaign.frozen import dataclass

FieldValue = str | int | float | bool | None

FIELDS: dict[str, str] = {
    "exposure": "Number or name of the exposure, unique in a block",
    "detector": "The detector",
    "type": "bias, dark, flat, point or other",
    "exptime": "Exposure time [s]",
    "date": "When the exposure began (UTC)",
    "test": "Test that the acquisition system named",
    "program": "Programme",
    "object": "Object",
    "wavelength": "Wavelength or filter",
    "temperature": "Detector temperature [°C]",
    "mode": "Readout mode",
    "serial": "Serial number of the detector",
    "operator": "Who took it",
    "shutter": "Whether the shutter was open",
    "source": "Light source",
}


@dataclass(frozen=True)
class FrameFile:
    """A file of a data directory.

    ``path`` is relative to the root, '/' separated. ``state`` is 'ok' or why it is not used: 'empty',
    'truncated', 'foreign' (no FITS), 'unreadable', 'wrong-shape'; ``reason`` says it in words.
    ``fingerprint`` is the BLAKE3 digest of the content (hex), '' while it was not needed.
    """

    root: str
    path: str
    size: int
    mtime_ns: int = field(repr=False)  # not what the file is: a touched file changes no page
    inode: int = field(repr=False)
    state: str = "ok"
    reason: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Frame:
    """One exposure's image of one detector.

    ``id`` is 'exposure/detector', unique within a block. ``fields`` are the mapped fields (see FIELDS);
    ``sources`` says for each where it came from ('header EXPTIME', 'log Exptime', 'file name', 'setting');
    ``hdus`` are the image extensions that hold it, by channel name, or {'': n} when one image holds all channels.
    The raw header is not held: there are too many frames (see ``analysis.contract.FrameInput.header``).
    """

    id: str
    exposure: str
    detector: str
    file: FrameFile
    hdus: Mapping[str, int]
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    block: str = ""

    @property
    def type(self) -> str:
        """bias, dark, flat, point or other."""
        return str(self.fields.get("type") or "other")

    @property
    def exptime(self) -> float | None:
        """Exposure time [s]; None when it is not known."""
        value = self.fields.get("exptime")
        return float(value) if isinstance(value, int | float) else None

    @property
    def date(self) -> datetime | None:
        """When the exposure began; None when it is not known."""
        value = self.fields.get("date")
        if not isinstance(value, str):
            return None
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None

    @property
    def number(self) -> int | None:
        """The exposure's number, where it is one."""
        return int(self.exposure) if self.exposure.isdecimal() else None
