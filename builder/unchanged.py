"""Whether there is anything to build: one digest of all that a build is made of.

It costs a look at every file's size, time and inode, and opens none of them. When it is as at the end of the last
complete build, and that build's site is untouched, results need not even be loaded.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from builder import VERSION
from builder.archive.versions import seen_versions
from builder.digests import digest
from builder.libraries import version_of
from builder.render.links import linked_files
from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.model import Campaign
from campaign.record import Snapshot

CHECKOUT = Path(__file__).resolve().parent.parent
ROOMS = ("analysis", "builder", "campaign", "site_src", "conf.py")
LIBRARIES = (
    "numpy", "scipy", "astropy", "numba", "matplotlib", "sphinx", "pydata-sphinx-theme", "myst-parser", "docutils",
    "jinja2", "pydantic", "pyarrow", "orjson",
)  # fmt: skip

Stat = tuple[str, int, int, int]
"""(path, size, modification time [ns], inode)."""


@dataclass(frozen=True)
class Look:
    """Data directories to be looked at, wherever they can be seen."""

    campaign_root: Path
    roots: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    """A data directory as it was found: whether it is there, and a digest of all its files' sizes, times and inodes."""

    root: str
    there: bool
    files: str


def look(task: Look) -> tuple[Data, ...]:
    """Look at data directories, here or in a worker that sees them. Raises nothing for what cannot be looked at."""
    tops = [(root, task.campaign_root / root) for root in dict.fromkeys(task.roots)]
    return tuple(Data(root, top.is_dir(), digest(list(_walk(top)))) for root, top in tops)


def inputs_digest(
    campaign: Campaign,
    snapshots: Sequence[Snapshot],
    findings: Iterable[Finding],
    data: Sequence[Data],
    today: date | None = None,
) -> str:
    """A digest of what a build of this campaign is made of, as it is now, and of the day that promises are held against.

    That is: what the folder says and the records held, with all findings so far; the files of the data directories
    (``look``), of ``procedures/`` and those that pages link to; the report versions; calbook itself with its templates, and the libraries'
    versions.
    """
    root = campaign.root
    return digest(
        campaign.model_dump(),
        today,
        list(snapshots),
        list(findings),
        list(data),
        list(_walk(root / "procedures")),
        seen(root, linked_files(campaign).values()),
        seen_code(),
        seen_versions(root),
        [VERSION, platform.python_version(), *(version_of(name) for name in LIBRARIES)],
    )


def seen_code() -> list[tuple[str, list[Stat]]]:
    """Size, modification time and inode of all that calbook is made of, room by room."""
    return [(room, list(_walk(CHECKOUT / room))) for room in ROOMS]


def seen(root: Path, paths: Iterable[str]) -> dict[str, list[int] | None]:
    """Size and modification time [ns] of files, by their paths relative to the root; None where there is none."""
    out: dict[str, list[int] | None] = {}
    for path in paths:
        try:
            stat = (root / path).stat()
        except (OSError, ValueError):
            out[path] = None
        else:
            out[path] = [stat.st_size, stat.st_mtime_ns]
    return out


def _walk(top: Path) -> Iterator[Stat]:
    """Every file below a folder (or the one file), folder by folder in order of names; hidden ones and caches are passed over.

    Links are followed, each folder once. What cannot be looked at is told with an error's number in place of its size.
    """
    visited: set[tuple[int, int]] = set()
    left = [str(top)]
    while left:
        folder = left.pop()
        try:
            info = os.stat(folder)  # noqa: PTH116 - by the hundred thousand a Path costs more than the call
            if (info.st_dev, info.st_ino) in visited:
                continue
            visited.add((info.st_dev, info.st_ino))
            with os.scandir(folder) as found:
                files, folders = _looked_at(found)
        except NotADirectoryError:
            yield folder, info.st_size, info.st_mtime_ns, info.st_ino
            continue
        except OSError as error:
            yield folder, -(error.errno or 1), 0, 0
            continue
        yield from sorted(files)
        left += sorted(folders)


def _looked_at(entries: Iterable[os.DirEntry[str]]) -> tuple[list[Stat], list[str]]:
    """Files and folders of a folder, looked at in the order in which the disk gives them: by name takes twice the time."""
    files: list[Stat] = []
    folders: list[str] = []
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        try:
            if entry.is_dir():
                folders.append(entry.path)
                continue
            info = entry.stat()
        except OSError as error:
            files.append((entry.path, -(error.errno or 1), 0, 0))
        else:
            files.append((entry.path, info.st_size, info.st_mtime_ns, info.st_ino))
    return files, folders
