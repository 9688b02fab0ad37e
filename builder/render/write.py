"""Writing the site: atomic, only when bytes differ, and nothing left behind that is no longer made.

What was written is kept in a manifest beside the site's pages, so that an unchanged file costs one ``stat``.
A journal names new files before they are written: a build that was killed leaves nothing that the next one
does not know of. Files that calbook did not make are never touched.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TextIO

from blake3 import blake3

MANIFEST = ".calbook-manifest.json"
JOURNAL = ".calbook-journal"
PART = ".calbook-part"
"""Where each file is written before it is renamed into place: one name, so that a kill leaves one file at most."""

PIECE = 1 << 20
"""Bytes of a large file that are read at once."""


class Site:
    """The built site's folder."""

    def __init__(self, out: Path) -> None:
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        # a kill may have left it as a second name of an object: writing to it would change the object
        (out / PART).unlink(missing_ok=True)
        self._folders = {str(out)}
        self._known = self._load()
        self._made: dict[str, tuple[str, int, int]] = {}
        self._journal: TextIO | None = None
        self.written: list[str] = []

    def write(self, path: str, data: str | bytes) -> bool:
        """Write a file; True when its bytes were new. ``path`` is relative to the site, '/'-separated.

        Raises ValueError for a path that leaves the site.
        """
        raw = data.encode("utf-8") if isinstance(data, str) else data
        digest = blake3(raw).hexdigest(length=16)
        if self.keep(path, digest):
            return False
        target = self._announce(path)
        temporary = self.out / PART
        with open(temporary, "wb") as stream:  # noqa: PTH123 - three times as fast as Path.write_bytes here
            stream.write(raw)
        os.replace(temporary, target)  # noqa: PTH105
        self._record(path, digest, target)
        return True

    def copy(self, path: str, source: Path) -> bool:
        """Copy a file into the site; True when it was new or changed. Raises OSError when it cannot be read."""
        hasher = blake3()
        hasher.update_mmap(source)
        digest = hasher.hexdigest(length=16)
        if self.keep(path, digest):
            return False
        target = self._announce(path)
        temporary = self.out / PART
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)  # noqa: PTH105
        self._record(path, digest, target)
        return True

    def move(self, path: str, source: Path) -> bool:
        """Take a file of this build's own into the site; True when its bytes were new. Raises OSError when it cannot be read."""
        digest = _digest_of(source)
        if self.keep(path, digest):
            source.unlink()
            return False
        target = self._announce(path)
        try:
            os.replace(source, target)  # noqa: PTH105
        except OSError:  # the store is on another file system
            return self.copy(path, source)
        self._record(path, digest, target)
        return True

    def link(self, path: str, source: Path, digest: str) -> bool:
        """Give the site a file of the store, whose content has this digest, without a second copy on the disk.

        Where the file system has no hard links it is copied. Raises OSError when it cannot be read.
        """
        if self.keep(path, digest):
            return False
        target = self._announce(path)
        temporary = self.out / PART
        temporary.unlink(missing_ok=True)
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        os.replace(temporary, target)  # noqa: PTH105
        temporary.unlink(missing_ok=True)  # a rename onto a link of the same file leaves it
        self._record(path, digest, target)
        return True

    def keep(self, path: str, digest: str = "") -> bool:
        """Say that a file is still wanted; False when it is not there as it was written (or not of that digest)."""
        known = self._made.get(path) or self._known.get(path)
        if known is None or (digest and known[0] != digest) or not self._untouched(path, known):
            return False
        self._made[path] = known
        return True

    def keep_all(self) -> bool:
        """Say that every file of the last build is still wanted; False when one is not as it was written."""
        return (
            bool(self._known) and not (self.out / JOURNAL).exists() and all(self.keep(p) for p in self._known)
        )

    def digest(self, path: str) -> str:
        """The digest of a file as it was last written; '' when the site has no such file."""
        known = self._made.get(path) or self._known.get(path)
        return known[0] if known else ""

    def finish(self) -> list[str]:
        """Remove files of earlier builds that were not made now, store the manifest; returns what was removed."""
        stale = sorted(set(self._known) - set(self._made))
        for path in stale:
            (self.out / path).unlink(missing_ok=True)
            self._prune((self.out / path).parent)
        # file by file: json.dumps would hold each of their numbers as a text of its own
        entries = (
            f'{json.dumps(path)}:["{digest}",{size},{moved}]'
            for path, (digest, size, moved) in sorted(self._made.items())
        )
        text = f"{{{','.join(entries)}}}"
        manifest = self.out / MANIFEST
        if not manifest.exists() or manifest.read_text(encoding="utf-8") != text:
            temporary = manifest.with_suffix(".new")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(manifest)
        if self._journal:
            self._journal.close()
            self._journal = None
        (self.out / JOURNAL).unlink(missing_ok=True)
        (self.out / PART).unlink(missing_ok=True)
        self._known = dict(self._made)
        return stale

    def __iter__(self) -> Iterator[str]:
        """Paths of the files made or kept so far."""
        return iter(sorted(self._made))

    def _announce(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or ".." in parts or path in (MANIFEST, JOURNAL, PART):
            raise ValueError(f"{path!r} is no place inside the site")
        if path not in self._known and path not in self._made:
            if self._journal is None:
                self._journal = (self.out / JOURNAL).open("a", encoding="utf-8", buffering=1)
            self._journal.write(json.dumps(path) + "\n")
        target = self.out.joinpath(*parts)
        folder = str(target.parent)
        if folder not in self._folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        return target

    def _record(self, path: str, digest: str, target: Path) -> None:
        stat = target.stat()
        self._made[path] = (digest, stat.st_size, stat.st_mtime_ns)
        self.written.append(path)

    def _untouched(self, path: str, known: tuple[str, int, int]) -> bool:
        try:
            stat = os.stat(f"{self.out}/{path}")  # noqa: PTH116 - a Path for each of thousands of files costs more
        except OSError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == known[1:]

    def _load(self) -> dict[str, tuple[str, int, int]]:
        known: dict[str, tuple[str, int, int]] = {}
        try:
            stored = json.loads((self.out / MANIFEST).read_text(encoding="utf-8"))
            known = {str(k): (str(v[0]), int(v[1]), int(v[2])) for k, v in stored.items()}
        except (OSError, ValueError, AttributeError, TypeError, IndexError):
            known = {}
        try:
            lines = (self.out / JOURNAL).read_text(encoding="utf-8").splitlines()
        except OSError:
            return known
        for line in lines:
            try:
                known.setdefault(str(json.loads(line)), ("", -1, -1))
            except ValueError:
                continue  # the line that was being written when the build was killed: its file never was
        return known

    def _prune(self, folder: Path) -> None:
        while folder != self.out:
            try:
                folder.rmdir()
            except OSError:
                return
            self._folders.discard(str(folder))
            folder = folder.parent


def _digest_of(path: Path) -> str:
    """The digest of a large file, read piece by piece: mapped, all of it would count as this process's memory."""
    hasher = blake3()
    with path.open("rb") as stream:
        while piece := stream.read(PIECE):
            hasher.update(piece)
    return hasher.hexdigest(length=16)
