"""Frames → summaries: looked up by what they depend on; what is not there yet is read from the frame's file.

Files that are new or changed were read as they were indexed, and their summaries kept (``builder.intake``). What is left for this
stage are frames whose geometry changed, or whose detector only a changed mapping or a log told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field

import orjson

from analysis.contract import ChannelSummary
from builder.acquired.listing import file_key
from builder.acquired.reading import FileRead, ReadTask
from builder.build_log import BuildLog
from builder.engine import Engine
from builder.recover import touches
from builder.store import Store
from builder.summary_rows import Channels, FrameKey, Previews, bad_pixels
from campaign.findings import Finding
from campaign.frames import Frame, FrameFile
from campaign.frozen import dataclass
from campaign.geometry import Geometry
from campaign.model import Campaign, Detector

VERSION = "2"
"""Raise it when the meaning of a summary changes: all frames are then summarised anew."""


@dataclass
class Summarised:
    """What is known of the pixels of all frames. Rows are made into summaries when they are asked for."""

    fingerprints: dict[str, str] = field(default_factory=dict)
    rows: dict[FrameKey, str] = field(default_factory=dict, repr=False)
    findings: list[Finding] = field(default_factory=list)
    read: int = 0

    def __post_init__(self) -> None:
        self.channels: Mapping[FrameKey, Mapping[str, ChannelSummary]] = Channels(self.rows)
        self.previews: Mapping[FrameKey, str] = Previews(self.rows)


def frame_key(frame: Frame) -> FrameKey:
    """The name of a frame, unique in the campaign."""
    return frame.block, frame.id


def stat_of(file: FrameFile) -> str:
    """A file's size, time and inode, by which an unchanged one is known."""
    return f"{file.size}-{file.mtime_ns}-{file.inode}"


class SummaryKeys:
    """Names of summaries: the digest of each geometry and place is made once."""

    def __init__(self) -> None:
        self._geometries: dict[Geometry, bytes] = {}
        self._places: dict[tuple[int, tuple[tuple[str, int], ...]], str] = {}
        self._held: list[Geometry] = []  # so that no other geometry gets the id of one that is known

    def key(self, fingerprint: str, hdus: Mapping[str, int], detector: Detector) -> str:
        """What a summary depends on: the file's content, where in it the frame is, and the geometry."""
        geometry = detector.geometry
        place = (id(geometry), tuple(hdus.items()))
        if place not in self._places:
            if geometry not in self._geometries:
                self._geometries[geometry] = orjson.dumps(asdict(geometry))
            where = orjson.dumps(sorted(hdus.items())) + self._geometries[geometry]
            self._held.append(geometry)
            self._places[place] = hashlib.sha256(where).hexdigest()[:12]
        return f"{fingerprint}-{self._places[place]}-{VERSION}"


def summarise(
    campaign: Campaign,
    frames: Sequence[Frame],
    store: Store,
    engine: Engine,
    advance: Callable[[int, int], None],
    log: BuildLog | None = None,
) -> Summarised:
    """Summaries of all frames, reading only files of which a summary is lacking."""
    from builder.intake import Intake

    out = Summarised()
    known, cached, keys = store.fingerprints(), store.cached("summaries"), SummaryKeys()
    detectors = {d.name: d for d in campaign.detectors}
    todo: dict[str, list[tuple[Frame, Detector]]] = {}
    for frame in frames:
        detector = detectors.get(frame.detector)
        if detector is None:
            continue
        key = file_key(frame.file)
        stat, digest = known.get(key, ("", ""))
        text = cached.get(keys.key(digest, frame.hdus, detector)) if stat == stat_of(frame.file) else None
        if text is None or touches(text, store.lost):
            todo.setdefault(key, []).append((frame, detector))
        else:
            out.fingerprints[key] = digest
            _take(out, frame, text)
    tasks = [_task(campaign, store, held) for held in todo.values()]
    for task, found in Intake(store, engine, advance, log)(tasks) if tasks else ():
        key = file_key(task.file)
        held = todo[key]
        if isinstance(found, Exception) or found.structure is None or found.structure.state != "ok":
            out.findings.append(_unread(key, held, _why(found)))
            continue
        out.read += 1
        out.fingerprints[key] = found.fingerprint
        for (frame, _), image in zip(held, found.images, strict=True):
            if image.error:
                out.findings.append(_lost(frame, image.error))
            else:
                _take(out, frame, image.row)
    return out


def _task(campaign: Campaign, store: Store, held: Sequence[tuple[Frame, Detector]]) -> ReadTask:
    first = held[0][0]
    path = campaign.root / first.file.root / first.file.path
    images = tuple((detector, frame.hdus) for frame, detector in held)
    return ReadTask(path, first.file, first.block, store.objects, images=images)


def _why(found: FileRead | Exception) -> str:
    structure = None if isinstance(found, Exception) else found.structure
    return structure.reason if structure is not None else str(found)


def _unread(key: str, held: Sequence[tuple[Frame, Detector]], why: str) -> Finding:
    return Finding(
        "damaged-file", f"The file could not be read: {why}", key, "Check or replace the file.",
        block=held[0][0].block or None,
    )  # fmt: skip


def _lost(frame: Frame, why: str) -> Finding:
    return Finding(
        "damaged-file", f"The pixels of {frame.id} could not be read: {why}", file_key(frame.file),
        "Check or replace the file.", block=frame.block or None, detector=frame.detector,
    )  # fmt: skip


def _take(out: Summarised, frame: Frame, row: str) -> None:
    out.rows[frame_key(frame)] = row
    if bad := bad_pixels(row):
        out.findings.append(
            Finding(
                "bad-pixels", f"{bad} pixels of {frame.id} are NaN or infinite and are left out", file_key(frame.file),
                "Find out how they came into the file.", block=frame.block or None, detector=frame.detector,
            )
        )  # fmt: skip
