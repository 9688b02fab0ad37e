"""What lies in the data directories: frame files and exposure logs, found without opening anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import field
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path

from campaign.findings import Finding
from campaign.frames import FrameFile
from campaign.frozen import dataclass

ENDINGS = (".fits", ".fit", ".fts")
PACKED = (".gz", ".fz")


@dataclass
class Listing:
    """Frame files and logs as (root, path), sorted, with what was wrong."""

    files: list[FrameFile] = field(default_factory=list)
    logs: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def file_key(file: FrameFile) -> str:
    """The name of a file in a campaign, and in the caches: root/path."""
    return f"{file.root}/{file.path}"


def is_frame_name(name: str) -> bool:
    """Whether a file's name ends as those of FITS files do."""
    plain = name.lower()
    for end in PACKED:
        plain = plain.removesuffix(end)
    return plain.endswith(ENDINGS)


def list_data(
    campaign_root: Path, roots: tuple[str, ...], logs: tuple[str, ...], ignore: tuple[str, ...]
) -> Listing:
    """Walk the roots. Hidden and ignored names are passed over; every folder is visited once, whatever links say."""
    out = Listing()
    visited: set[tuple[int, int]] = set()
    for root in dict.fromkeys(roots):
        top = campaign_root / root
        if not top.is_dir():
            out.findings.append(
                Finding("missing-folder", f"The data directory {root!r} is not there.", f"campaign.toml [data] roots: {root}",
                        "Create it, mount it, or correct [data] roots.")
            )  # fmt: skip
            continue
        for path, entry in _walk(top, "", root, ignore, visited, out.findings):
            if is_frame_name(entry.name):
                out.files.append(_frame_file(root, path, entry))
            elif any(fnmatchcase(path, p) or fnmatchcase(entry.name, p) for p in logs):
                out.logs.append((root, path))
    # by one text each time: half the time of pairs
    out.files.sort(key=attrgetter("path"))
    out.files.sort(key=attrgetter("root"))
    out.logs.sort()
    return out


def _walk(
    folder: Path,
    path: str,
    root: str,
    ignore: tuple[str, ...],
    visited: set[tuple[int, int]],
    findings: list[Finding],
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The files of a folder in the order in which the disk gives them, then those of its folders.

    To ask for each file's size in the order of names, which is another, costs twice the time where there are 10⁵.
    """
    folders: list[os.DirEntry[str]] = []
    nameless: list[str] = []
    try:
        info = folder.stat()
        if (info.st_dev, info.st_ino) in visited:
            return
        visited.add((info.st_dev, info.st_ino))
        with os.scandir(folder) as found:
            for entry in found:
                here = f"{path}/{entry.name}" if path else entry.name
                if entry.name.startswith(".") or any(
                    fnmatchcase(here, p) or fnmatchcase(entry.name, p) for p in ignore
                ):
                    continue
                if not _is_text(entry.name):
                    nameless.append(here.encode("utf-8", "backslashreplace").decode())
                elif _is_folder(entry):
                    folders.append(entry)
                else:
                    yield here, entry
    except OSError as error:
        findings.append(
            Finding("damaged-file", f"A folder could not be read: {error.strerror or error}.", f"{root}/{path}", "Check its permissions.")
        )  # fmt: skip
        return
    findings += [
        Finding(
            "damaged-file", "A name is not valid Unicode; it is not used.", f"{root}/{shown}", "Rename it."
        )
        for shown in sorted(nameless)
    ]
    # what a link leads to is visited as itself, where it is here too
    for entry in sorted(folders, key=lambda e: (e.is_symlink(), e.name)):
        below = f"{path}/{entry.name}" if path else entry.name
        yield from _walk(Path(entry.path), below, root, ignore, visited, findings)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _frame_file(root: str, path: str, entry: os.DirEntry[str]) -> FrameFile:
    try:
        info = entry.stat()
    except OSError:
        return FrameFile(root, path, 0, 0, 0, "unreadable", "the file is gone, or a link that leads nowhere")
    if not stat.S_ISREG(info.st_mode):
        return FrameFile(root, path, 0, info.st_mtime_ns, info.st_ino, "unreadable", "not a regular file")
    return FrameFile(root, path, info.st_size, info.st_mtime_ns, info.st_ino)
