"""What was made of things that did not change, kept ready from build to build: a cache, and nothing but one.

Each thing is a file of its own under ``<store>/ready/<kind>/``, named by a digest of all that it was made of and of the code, so
that one whose makings changed is never found. A file begins with a digest of its name and of what follows: one that is damaged,
or lies in the wrong place, is as good as none.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from blake3 import blake3

from builder.digests import digest
from builder.store import write_atomically

_HEAD = 33
"""Bytes before the content: 32 digits of its digest, and the end of the line."""


class Ready:
    """Things kept ready under a folder of the store, made by code of a version. They are plain values, as JSON has them."""

    def __init__(self, folder: Path, code: str) -> None:
        self._folder, self._code = folder, code
        self._used: dict[str, set[str]] = {}

    def take(self, kind: str, *made_of: object) -> Any | None:
        """What was made of that before; None where nothing sound is there."""
        path = self._path(kind, made_of)
        try:
            held = path.read_bytes()
        except OSError:
            return None
        return orjson.loads(held[_HEAD:]) if held[:_HEAD] == _head(path.name, held[_HEAD:]) else None

    def keep(self, kind: str, content: object, *made_of: object) -> None:
        """Keep what was made of that for the next build, if the disk lets us. Raises TypeError for what is no plain value."""
        text, path = orjson.dumps(content), self._path(kind, made_of)
        with suppress(OSError):
            write_atomically(path, _head(path.name, text) + text, self._folder.parent)

    def tidy(self, kind: str) -> None:
        """Remove what this build neither took nor kept."""
        used = self._used.get(kind, set())
        place = self._folder / kind
        for path in place.iterdir() if place.is_dir() else ():
            if path.name not in used:
                with suppress(OSError):
                    path.unlink()

    def _path(self, kind: str, made_of: tuple[object, ...]) -> Path:
        name = digest(self._code, made_of)
        self._used.setdefault(kind, set()).add(name)
        return self._folder / kind / name


def _head(name: str, content: bytes) -> bytes:
    return blake3(name.encode() + content).hexdigest()[: _HEAD - 1].encode() + b"\n"
