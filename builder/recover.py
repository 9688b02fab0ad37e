"""After a build that was cut off: what it left behind is cleared away, and what the disk lost is made again.

Objects are written whole and renamed, which no kill can spoil; but a machine that loses power may keep a name
whose content never reached the disk. So objects younger than the lock of a build that did not end are read and
compared with their name, which is a digest of their content; and every object that the database names has to
be there. What fails is removed, and its results and summaries are made anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from blake3 import blake3

from builder.store import PARTS, Store, object_names
from campaign.frozen import dataclass

UNSOUND = "unsound"
"""A file of this name in the store asks the next build to read every object."""


@dataclass
class Recovered:
    """Part files removed, objects that were damaged, and names of objects that have to be made again."""

    parts: int = 0
    damaged: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)


def sweep(folder: Path) -> int:
    """Remove files that killed writers left unfinished; returns how many. Only for the owner of the lock."""
    found = 0
    for place in (folder, folder / "objects", folder / "objects" / PARTS):
        for path in place.glob(".part-*") if place.is_dir() else ():
            path.unlink(missing_ok=True)
            found += 1
    return found


def distrust(store: Store) -> None:
    """Ask the next build to read every object of the store."""
    (store.folder / UNSOUND).touch()


def recover(store: Store, cut_off: float | None) -> Recovered:
    """Clear up, and find what has to be made again.

    ``cut_off`` is the time [s since the epoch, by the file system's clock] at which the last build began when it did
    not end in order, or None. Objects older than it were synchronised long ago, and are not read.
    """
    out = Recovered(parts=sweep(store.folder))
    flag = store.folder / UNSOUND
    since = 0.0 if flag.exists() else cut_off
    if since is None:
        return out
    present = set()
    for name, path, when in _objects(store.objects):
        if when >= since - 60 and not sound(path):
            path.unlink(missing_ok=True)
            out.damaged.append(name)
        else:
            present.add(name)
    out.lost = store.named_objects() - present
    flag.unlink(missing_ok=True)
    return out


def sound(path: Path) -> bool:
    """Whether an object's content is what its name says. False also for one that cannot be read."""
    hasher = blake3()
    try:
        hasher.update(path.read_bytes()) if path.stat().st_size < 1_000_000 else hasher.update_mmap(path)
    except OSError:
        return False
    return hasher.hexdigest()[:32] == path.stem


def touches(detail: object, lost: set[str]) -> bool:
    """Whether a result's detail or a summary's text names an object that was lost."""
    if not lost:
        return False
    if isinstance(detail, str):
        detail = json.loads(detail)
    return not lost.isdisjoint(object_names(detail))


def _objects(objects: Path) -> Iterator[tuple[str, Path, float]]:
    for folder in sorted(p for p in objects.iterdir() if p.is_dir() and p.name != PARTS):
        with os.scandir(folder) as entries:
            for entry in entries:
                yield f"{folder.name}/{entry.name}", Path(entry.path), entry.stat().st_mtime
