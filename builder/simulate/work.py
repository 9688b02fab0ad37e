"""A worker's share: frames of one detector of one block, made one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from builder.engine import Engine
from builder.simulate.headers import Style
from builder.simulate.settings import Settings, Truth
from builder.simulate.shots import Shot
from campaign.frozen import dataclass
from campaign.model import Detector

if TYPE_CHECKING:
    from builder.simulate.scene import Scene

SHARE = 24
"""Frames of a job: enough to make the detector's maps worth their while, few enough to show progress."""


@dataclass(frozen=True)
class Job:
    """Frames of one detector of one block, with all that is needed to make them."""

    root: Path
    seed: int
    style: Style
    truth: Truth
    detector: Detector
    shots: tuple[Shot, ...]

    @property
    def label(self) -> str:
        """'BORN CCD1 1201'."""
        last = self.shots[-1].exposure
        return f"{last.block} {self.detector.name} {last.number}"


def jobs(root: Path, style: Style, settings: Settings, shots: Sequence[Shot]) -> list[Job]:
    """Shots shared out, each job one detector of one block."""
    out: list[Job] = []
    for (block, _), group in groupby(shots, lambda s: (s.exposure.block, s.detector.name)):
        mine = tuple(group)
        out += [
            Job(root, settings.seed, style, settings.truth_of(block), mine[0].detector, mine[i : i + SHARE])
            for i in range(0, len(mine), SHARE)
        ]
    return out


def work(todo: Sequence[Job], workers: int) -> Iterator[tuple[Job, int]]:
    """Do the jobs, here or on several processes; yields each with the bytes it wrote, as they end."""
    if workers <= 1 or len(todo) <= 1:
        for job in todo:
            yield job, make(job)
        return
    with Engine(min(workers, len(todo))) as engine:
        for job, size in engine.run(make, todo, small=2):
            if isinstance(size, Exception):
                raise size
            yield job, size


def make(job: Job) -> int:
    """Write the frames of a job. Returns the bytes written."""
    from builder.simulate.files import write_whole

    scene, size = scene_of(job), 0
    for shot in job.shots:
        content = frame(job, shot, scene)
        if write_whole(job.root / shot.path, content):
            size += len(content)
    return size


def scene_of(job: Job) -> Scene:
    """The maps of the job's detector."""
    from builder.simulate.scene import scene
    from builder.simulate.truth import draw

    block, name, geometry = job.shots[0].exposure.block, job.detector.name, job.detector.geometry
    channels = draw(job.seed, block, name, geometry, job.truth)
    return scene(job.seed, block, name, geometry, job.truth, channels)


def frame(job: Job, shot: Shot, scene: Scene) -> bytes:
    """The bytes of one frame, the same wherever and whenever it is made."""
    from builder.simulate.expose import expose
    from builder.simulate.files import damaged, fits_bytes, misshapen

    exposure, name = shot.exposure, job.detector.name
    image = expose(job.seed, exposure, name, job.detector.geometry, job.truth, scene, shot.before)
    cards = job.style.cards(exposure, shot.block, name, job.truth)
    extension = name if job.style.euclid else ""
    return damaged(fits_bytes(misshapen(image, exposure, name), cards, extension=extension), exposure, name)
