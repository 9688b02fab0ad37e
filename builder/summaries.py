"""Frames → summaries: each new file is read once, for its fingerprint, its statistics and its preview."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from analysis.contract import ChannelSummary
from builder.build_log import BuildLog
from builder.engine import Engine
from builder.recover import touches
from builder.store import Store, put_object
from campaign.findings import Finding
from campaign.frames import Frame, FrameFile
from campaign.model import Campaign, Detector

VERSION = "1"
"""Raise it when the meaning of a summary changes: all frames are then summarised anew."""

FrameKey = tuple[str, str]
"""(block, frame id)."""


@dataclass(frozen=True)
class FileTask:
    """One file to read: where it is, and the frames it holds with their detectors."""

    campaign_root: Path
    file: FrameFile
    frames: tuple[tuple[Frame, Detector], ...]
    objects: Path


@dataclass
class Summarised:
    """What is known of the pixels of all frames."""

    fingerprints: dict[str, str] = field(default_factory=dict)
    channels: dict[FrameKey, dict[str, ChannelSummary]] = field(default_factory=dict)
    previews: dict[FrameKey, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    read: int = 0


def file_key(file: FrameFile) -> str:
    """The name of a file in the caches."""
    return f"{file.root}/{file.path}"


def frame_key(frame: Frame) -> FrameKey:
    """The name of a frame, unique in the campaign."""
    return frame.block, frame.id


def _stat(file: FrameFile) -> str:
    return f"{file.size}-{file.mtime_ns}-{file.inode}"


def summary_key(fingerprint: str, frame: Frame, detector: Detector) -> str:
    """What a summary depends on: the file's content, where in it the frame is, and the geometry."""
    place = json.dumps([sorted(frame.hdus.items()), asdict(detector.geometry)], sort_keys=True)
    return f"{fingerprint}-{hashlib.sha256(place.encode()).hexdigest()[:12]}-{VERSION}"


def summarise_file(task: FileTask) -> tuple[str, list[dict[str, Any]]]:
    """Fingerprint a file and summarise its frames. Runs in a worker.

    Returns the fingerprint and, per frame, {'channels', 'preview'} or {'error'}.
    """
    from analysis.summary import summarise as summarise_pixels
    from builder.acquired.pixels import fingerprint, open_pixels
    from builder.preview import preview

    digest = fingerprint(task.campaign_root / task.file.root / task.file.path)
    out: list[dict[str, Any]] = []
    for frame, detector in task.frames:
        try:
            pixels = open_pixels(frame, task.campaign_root)
            channels = {name: asdict(s) for name, s in summarise_pixels(pixels, detector).items()}
            picture = put_object(task.objects, preview(pixels, detector), ".webp")
        except Exception as error:  # a damaged frame costs only itself
            out.append({"error": f"{type(error).__name__}: {error}"})
        else:
            out.append({"channels": channels, "preview": picture})
    return digest, out


def summarise(
    campaign: Campaign,
    frames: Sequence[Frame],
    store: Store,
    engine: Engine,
    advance: Callable[[int, int], None],
    log: BuildLog | None = None,
) -> Summarised:
    """Summaries of all frames, reading only the files that are new or changed."""
    out = Summarised()
    known = store.fingerprints()
    cached = store.cached("summaries")
    todo: dict[str, list[tuple[Frame, Detector]]] = {}
    for frame in frames:
        detector = campaign.detector(frame.detector)
        if detector is None:
            continue
        key = file_key(frame.file)
        stat, digest = known.get(key, ("", ""))
        text = cached.get(summary_key(digest, frame, detector)) if stat == _stat(frame.file) else None
        if text is None or touches(text, store.lost):
            todo.setdefault(key, []).append((frame, detector))
        else:
            out.fingerprints[key] = digest
            _take(out, frame, json.loads(text))
    tasks = [FileTask(campaign.root, held[0][0].file, tuple(held), store.objects) for held in todo.values()]
    new_prints: list[tuple[str, str, str]] = []
    new_rows: dict[str, str] = {}
    for done, (task, result) in enumerate(engine.run(summarise_file, tasks), start=1):
        key = file_key(task.file)
        if log:
            log.file_read(
                key, len(task.frames), task.file.size, str(result) if isinstance(result, Exception) else ""
            )
        if isinstance(result, Exception):
            out.findings.append(
                Finding(
                    "damaged-file", f"The file could not be read: {result}", key, "Check or replace the file.",
                    block=task.frames[0][0].block or None,
                )
            )  # fmt: skip
            continue
        digest, summaries = result
        out.read += 1
        out.fingerprints[key] = digest
        new_prints.append((key, _stat(task.file), digest))
        for (frame, detector), summary in zip(task.frames, summaries, strict=True):
            if "error" not in summary:  # a failure is not kept: a full disk today says nothing of tomorrow
                new_rows[summary_key(digest, frame, detector)] = json.dumps(summary)
            _take(out, frame, summary)
        if len(new_rows) >= 64 or done == len(tasks):
            store.save_fingerprints(new_prints)
            store.save_cached("summaries", new_rows)
            new_prints, new_rows = [], {}
        advance(done, len(tasks))
    return out


def _take(out: Summarised, frame: Frame, summary: dict[str, Any]) -> None:
    where = file_key(frame.file)
    if "error" in summary:
        out.findings.append(
            Finding(
                "damaged-file", f"The pixels of {frame.id} could not be read: {summary['error']}", where,
                "Check or replace the file.", block=frame.block or None, detector=frame.detector,
            )
        )  # fmt: skip
        return
    channels = {name: ChannelSummary(**values) for name, values in summary["channels"].items()}
    out.channels[frame_key(frame)] = channels
    out.previews[frame_key(frame)] = summary["preview"]
    if bad := sum(s.not_finite for s in channels.values()):
        out.findings.append(
            Finding(
                "bad-pixels", f"{bad} pixels of {frame.id} are NaN or infinite and are left out", where,
                "Find out how they came into the file.", block=frame.block or None, detector=frame.detector,
            )
        )  # fmt: skip
