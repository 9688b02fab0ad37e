"""What is asked of a worker that reads a file, and what it tells: plain, picklable values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from builder.acquired.fitsfile import Structure
from builder.acquired.framing import Holdings
from campaign.frames import FrameFile
from campaign.frozen import dataclass
from campaign.model import Detector

CHANGED = "it changed while it was read"


@dataclass(frozen=True)
class ReadTask:
    """A file to read, whose images ``holdings`` finds from its headers, or are ``images`` where they are known.

    ``fingerprint`` is that of the bytes it had when it was read last: if they are the same, nothing else is done. Previews and
    details are stored under ``objects``.
    """

    path: Path
    file: FrameFile
    block: str
    objects: Path
    holdings: Holdings | None = None
    images: tuple[tuple[Detector, Mapping[str, int]], ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True)
class Image:
    """A detector's image in a file: its summary as it is kept (see ``builder.summaries``), or why there is none."""

    detector: Detector
    hdus: Mapping[str, int]
    row: str = ""
    error: str = ""


@dataclass(frozen=True)
class FileRead:
    """What was read: ``structure`` is None where the bytes are those that were known. ``fingerprint`` is '' without bytes."""

    structure: Structure | None
    fingerprint: str = ""
    images: tuple[Image, ...] = field(default=())


Reader = Callable[[Sequence[ReadTask]], Iterator[tuple[ReadTask, FileRead | Exception]]]
"""Reads files, here or elsewhere, in any order, and keeps what they tell: it is known when all are read, but for files without a fingerprint."""
