"""Frames → summaries: looked up by what they depend on; what is not there yet is read from the frame's file.

Files that are new or changed were read as they were indexed, and their summaries kept (``builder.intake``). What is left for this
stage are frames whose geometry changed, or whose detector only a changed mapping or a log told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from itertools import islice

import orjson

from analysis.contract import ChannelSummary
from builder.acquired.listing import file_key
from builder.acquired.match import Matching
from builder.acquired.reading import FileRead, ReadTask
from builder.build_log import BuildLog
from builder.digests import digest
from builder.engine import Engine
from builder.store import Store
from builder.summary_rows import HEAD, Head, channels_of, head_of
from campaign.findings import Finding
from campaign.frames import Frame, FrameFile
from campaign.frozen import dataclass
from campaign.geometry import Geometry
from campaign.model import Campaign, Detector

VERSION = "2"
"""Raise it when the meaning of a summary changes: all frames are then summarised anew."""

FrameKey = tuple[str, str]
"""(block, frame id)."""

SOME = 500
"""Frames whose rows are looked up at once."""


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


class Summaries:
    """Summaries of the frames of a campaign, read from its store when they are asked for. It is open as long as the build's store is."""

    def __init__(self, campaign: Campaign, store: Store) -> None:
        self._store, self._keys = store, SummaryKeys()
        self._detectors = {d.name: d for d in campaign.detectors}
        self._geometries = {d.name: digest(d.geometry) for d in campaign.detectors}

    def key(self, frame: Frame, fingerprint: str) -> str:
        """The name of a frame's summary; '' for one of a detector that the campaign does not have."""
        detector = self._detectors.get(frame.detector)
        return "" if detector is None else self._keys.key(fingerprint, frame.hdus, detector)

    def detector(self, frame: Frame) -> Detector:
        """The detector of a frame that has a summary."""
        return self._detectors[frame.detector]

    def channels(self, frame: Frame) -> Mapping[str, ChannelSummary]:
        """The summaries of a frame by channel: of one that has any (``Summarised.previews``). Raises KeyError for another."""
        row = self._store.cached_row("summaries", key := self.key(frame, frame.file.fingerprint))
        if row is None:
            raise KeyError(key)
        return channels_of(row)

    def counted_from(self, frame: Frame) -> str:
        """What the summary of a frame is made of: equal names, equal numbers."""
        return f"{frame.file.fingerprint} {self._geometries[frame.detector]} {VERSION}"


@dataclass
class Summarised:
    """What is known of the pixels of all frames.

    ``matching`` has the frames with the fingerprints of their files, ``previews`` the object with the preview ('' for none) of each
    frame that has a summary.
    """

    matching: Matching
    summaries: Summaries
    previews: dict[FrameKey, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    read: int = 0

    def has(self, frame: Frame) -> bool:
        """Whether a frame has a summary."""
        return frame_key(frame) in self.previews


def frame_key(frame: Frame) -> FrameKey:
    """The name of a frame, unique in the campaign."""
    return frame.block, frame.id


def summarise(
    campaign: Campaign,
    matching: Matching,
    store: Store,
    engine: Engine,
    advance: Callable[[int, int], None],
    log: BuildLog | None = None,
) -> Summarised:
    """Summaries of all frames, reading only files of which a summary is lacking."""
    from builder.intake import Intake

    out = Summarised(matching, Summaries(campaign, store))
    fingerprints: dict[str, str] = {}
    todo: dict[str, list[Frame]] = {}
    for frame, fingerprint, head in _kept(matching.frames, out.summaries, store):
        key = file_key(frame.file)
        if head is None or not store.lost.isdisjoint((head.preview, head.details)):
            todo.setdefault(key, []).append(frame)
        else:
            fingerprints[key] = fingerprint
            _take(out, frame, head)
    tasks = [_task(campaign, store, held, out.summaries) for held in todo.values()]
    for task, found in Intake(store, engine, advance, log)(tasks) if tasks else ():
        key = file_key(task.file)
        held = todo[key]
        if isinstance(found, Exception) or found.structure is None or found.structure.state != "ok":
            out.findings.append(_unread(key, held, _why(found)))
            continue
        out.read += 1
        fingerprints[key] = found.fingerprint
        for frame, image in zip(held, found.images, strict=True):
            if image.error:
                out.findings.append(_lost(frame, image.error))
            else:
                _take(out, frame, head_of(image.row))
    out.matching = _marked(matching, fingerprints)
    return out


def _kept(
    frames: Iterable[Frame], summaries: Summaries, store: Store
) -> Iterator[tuple[Frame, str, Head | None]]:
    """Frames of the campaign's detectors, each with the fingerprint of its file and the head of its summary, where it is kept."""
    rest = iter(frames)
    while some := list(islice(rest, SOME)):
        prints = store.fingerprints({file_key(f.file) for f in some})
        names: dict[int, tuple[str, str]] = {}
        for frame in some:
            stat, fingerprint = prints.get(file_key(frame.file), ("", ""))
            if name := summaries.key(frame, fingerprint):
                names[id(frame)] = name if stat == stat_of(frame.file) else "", fingerprint
        heads = store.summary_heads({name for name, _ in names.values()}, HEAD)
        for frame in some:
            if id(frame) in names:
                name, fingerprint = names[id(frame)]
                yield frame, fingerprint, head_of(heads[name]) if name in heads else None


def _marked(matching: Matching, fingerprints: Mapping[str, str]) -> Matching:
    """The same, of frames with the fingerprints of their files."""
    files: dict[int, FrameFile] = {}
    made: dict[int, Frame] = {}
    for frame in matching.frames:
        file = files.get(id(frame.file))
        if file is None:
            fingerprint = fingerprints.get(file_key(frame.file), "")
            file = FrameFile(**{**frame.file.__dict__, "fingerprint": fingerprint})
            files[id(frame.file)] = file
        made[id(frame)] = Frame(**{**frame.__dict__, "file": file})  # ``replace`` takes three times as long
    by_test = {key: tuple(made[id(f)] for f in held) for key, held in matching.by_test.items()}
    return replace(matching, frames=tuple(made.values()), by_test=by_test)


def _task(campaign: Campaign, store: Store, held: Sequence[Frame], summaries: Summaries) -> ReadTask:
    first = held[0]
    path = campaign.root / first.file.root / first.file.path
    images = tuple((summaries.detector(frame), frame.hdus) for frame in held)
    return ReadTask(path, first.file, first.block, store.objects, images=images)


def _why(found: FileRead | Exception) -> str:
    structure = None if isinstance(found, Exception) else found.structure
    return structure.reason if structure is not None else str(found)


def _unread(key: str, held: Sequence[Frame], why: str) -> Finding:
    return Finding(
        "damaged-file", f"The file could not be read: {why}", key, "Check or replace the file.",
        block=held[0].block or None,
    )  # fmt: skip


def _lost(frame: Frame, why: str) -> Finding:
    return Finding(
        "damaged-file", f"The pixels of {frame.id} could not be read: {why}", file_key(frame.file),
        "Check or replace the file.", block=frame.block or None, detector=frame.detector,
    )  # fmt: skip


def _take(out: Summarised, frame: Frame, head: Head) -> None:
    out.previews[frame_key(frame)] = head.preview
    if head.bad:
        out.findings.append(
            Finding(
                "bad-pixels", f"{head.bad} pixels of {frame.id} are NaN or infinite and are left out", file_key(frame.file),
                "Find out how they came into the file.", block=frame.block or None, detector=frame.detector,
            )
        )  # fmt: skip
