"""Masters kept: arrays that one procedure made of frames, for the next procedure (or build) that needs the same.

Each is one ``.npy`` file under ``store/masters``, named by a digest of all that its numbers depend on: the frames' contents, the
channel, what is done and in which version. Files are written whole by rename and read through a map, so that any number of
workers may share them. Deleting them costs time, never a number.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from socket import gethostname

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Made
from campaign.frozen import dataclass

VERSION = "1"
"""Raise it when the way in which masters are kept changes."""

MOST_BYTES = 4_000_000_000
"""What ``tidy`` leaves by default: the masters of some ten full-size detectors."""


@dataclass(frozen=True)
class Masters:
    """The masters of one store. ``fingerprints`` are the frames' contents by frame id: a frame without one is not kept."""

    folder: Path
    fingerprints: Mapping[str, str]

    def __call__(self, name: Made, make: Callable[[], NDArray[np.generic]]) -> NDArray[np.generic]:
        """The array of that name, read-only: kept from before, else made and kept. See ``Inputs.shared``.

        Where it cannot be kept (a full disk), it is handed out all the same.
        """
        digest = self.digest(name)
        if digest is None:
            return make()
        path = self.folder / f"{digest}.npy"
        found = _kept(path)
        if found is not None:
            return found
        made = np.ascontiguousarray(make())
        _keep(path, made)
        made.flags.writeable = False
        return made

    def digest(self, name: Made) -> str | None:
        """What an array is kept under; None when the content of one of its frames is not known."""
        prints = [self.fingerprints.get(f.frame.id) for f in name.frames]
        if not all(prints):
            return None
        parts = {
            "kept": VERSION,
            "what": name.what,
            "frames": [[p, sorted(f.frame.hdus.items())] for p, f in zip(prints, name.frames, strict=True)],
            "channel": asdict(name.channel),
            "parameters": name.parameters,
        }
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _kept(path: Path) -> NDArray[np.generic] | None:
    try:
        found: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
        os.utime(path)  # used now: ``tidy`` removes what was not used for longest
    except (OSError, ValueError):  # absent, or damaged: it is made anew and written over
        return None
    return found


def _keep(path: Path, made: NDArray[np.generic]) -> None:
    part = path.with_name(f".{path.stem}.{gethostname()}-{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.save(file, made, allow_pickle=False)
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def tidy(folder: Path, most_bytes: int = MOST_BYTES) -> int:
    """Remove the masters that were not used for longest until at most ``most_bytes`` are left, and what a killed build left half written.

    Returns the bytes that are left. For the single writer, at the end of a build: no worker may be writing.
    """
    if not folder.is_dir():
        return 0
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)
    held = sorted(((p.stat(), p) for p in folder.glob("*.npy")), key=lambda h: (-h[0].st_mtime_ns, h[1].name))
    left = 0
    for info, path in held:
        if left + info.st_size > most_bytes:
            path.unlink(missing_ok=True)
        else:
            left += info.st_size
    return left
