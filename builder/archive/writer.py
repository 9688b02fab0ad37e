"""Writing the payload of a version: each file once, checked against what it must be, linked where nothing changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from builder.archive import pages
from builder.archive.asbuilt import AGAIN
from builder.archive.bag import PAYLOAD, read_bag
from builder.archive.digests import PIECE, Digest, copy, digest_bytes, digest_file, each
from builder.archive.errors import ArchiveError, NotAsBuiltError
from builder.archive.payload import Payload
from builder.archive.versions import STATEMENT, folders

FORMER = 5
"""How many former versions are looked through for files that did not change."""


class Writer:
    """Writes the payload into the folder of a version, linking what former versions have already."""

    def __init__(self, part: Path, place: Path, payload: Payload) -> None:
        self.part, self.payload = part, payload
        self.linked = self.bytes = 0
        self.notes: list[str] = []
        self._apart: list[str] = []  # why files that did not change could not be linked
        self._former: dict[str, tuple[Path, Digest]] = {}
        for former in list(folders(place).values())[-FORMER:]:
            try:
                entries = read_bag(former).entries
            except ArchiveError as error:
                self.notes.append(f"{error} Nothing is shared with it.")
                continue
            for path, digest in entries.items():
                self._former[digest.sha256] = (former / path, digest)

    def all(self, facts: dict[str, Any]) -> dict[str, Digest]:
        """Write everything, and last the statement of the version with its counts; digests by path in the bag."""
        names = sorted(self.payload.files)
        for parent in sorted({(self.part / PAYLOAD / name).parent for name in names}):
            parent.mkdir(parents=True, exist_ok=True)
        done = each(self._one, names)
        entries = {f"{PAYLOAD}/{name}": digest for name, (digest, _) in zip(names, done, strict=True)}
        self.linked = sum(linked for _, linked in done)
        self.bytes = sum(digest.size for digest, linked in done if not linked)
        facts |= {"files": len(entries) + 1, "bytes": sum(e.size for e in entries.values())}
        statement = pages.as_json(facts)
        (self.part / STATEMENT).write_bytes(statement)
        if self._apart:
            count = len(self._apart)
            self.notes.append(
                f"{count} unchanged files were copied, since they could not be linked: {self._apart[0]}"
            )
        return {**entries, STATEMENT: digest_bytes(statement)}

    def _one(self, name: str) -> tuple[Digest, bool]:
        source, target = self.payload.files[name], self.part / PAYLOAD / name
        when = None
        if isinstance(source, Path):
            stat = source.stat()
            when = (stat.st_mtime_ns, stat.st_mtime_ns)
            if stat.st_size <= PIECE:
                source = source.read_bytes()  # read once only
        digest = digest_bytes(source) if isinstance(source, bytes) else digest_file(source)
        former = self._former.get(digest.sha256)
        if former and self._link(former[0], former[1], target):
            self._check(name, digest)
            return digest, True
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            digest = copy(source, target)
        if when:
            os.utime(target, ns=when)
        self._check(name, digest)
        return digest, False

    def _check(self, name: str, digest: Digest) -> None:
        expected = self.payload.expected.get(name)
        if expected and not digest.blake3.startswith(expected):
            raise NotAsBuiltError(
                f"{name.removeprefix('site/')} was changed after the site was built. {AGAIN}"
            )

    def _link(self, former: Path, digest: Digest, target: Path) -> bool:
        try:
            if digest_file(former, sha256=False).blake3 != digest.blake3:
                self.notes.append(f"{former} is damaged: the new version has a whole copy of its own.")
                return False
            os.link(former, target)
        except OSError as error:
            target.unlink(missing_ok=True)
            self._apart.append(error.strerror or str(error))
            return False
        return True
