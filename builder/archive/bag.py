"""BagIt 1.0 (RFC 8493): the layout that libraries and archives read, as few plain text files around ``data/``.

A bag holds ``bagit.txt``, ``bag-info.txt``, the payload manifest, and a manifest of these tag files. Beside them
``blake3.txt`` lists digest, size and path of each payload file once more: it is several times as fast to check.
Everything here is in one canonical form, so that not even a changed blank in a manifest passes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from builder.archive.digests import Digest
from builder.archive.errors import ArchiveError
from campaign.frozen import dataclass

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST, TAGS, FAST, INFO, BAGIT = (
    "manifest-sha256.txt", "tagmanifest-sha256.txt", "blake3.txt", "bag-info.txt", "bagit.txt",
)  # fmt: skip
TAG_FILES = (BAGIT, INFO, MANIFEST, FAST)
PAYLOAD = "data"


@dataclass(frozen=True)
class Bag:
    """What a bag says of itself: payload digests by path ('data/…'), and its ``seal``, the digest of its manifests."""

    folder: Path
    entries: Mapping[str, Digest]
    tags: Mapping[str, str]
    seal: str


def encoded(path: str) -> str:
    """A path as a manifest writes it: '%', line feed and carriage return escaped, nothing else.

    The standard asks for '%' too; the Library of Congress's own library (1.9) overlooks it, and calls such a file missing.
    """
    return path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def decoded(text: str) -> str:
    """The path that a manifest's text stands for."""
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def manifest_text(digests: Mapping[str, str]) -> str:
    """A manifest: one line 'digest  path' per file, by path."""
    return "".join(f"{digests[path]}  {encoded(path)}\n" for path in sorted(digests))


def fast_text(entries: Mapping[str, Digest]) -> str:
    """blake3.txt: one line 'digest  size  path' per payload file, by path."""
    return "".join(f"{entries[p].blake3}  {entries[p].size}  {encoded(p)}\n" for p in sorted(entries))


def info_text(fields: Mapping[str, str]) -> str:
    """bag-info.txt: one line 'Name: value' per field; white space within a value becomes single blanks."""
    return "".join(f"{name}: {' '.join(value.split())}\n" for name, value in fields.items() if value.strip())


def tag_texts(entries: Mapping[str, Digest], info: Mapping[str, str]) -> dict[str, str]:
    """The tag files around a payload, by name, and last the manifest of the others."""
    size = sum(e.size for e in entries.values())
    out = {
        BAGIT: DECLARATION,
        INFO: info_text({**info, "Payload-Oxum": f"{size}.{len(entries)}"}),
        MANIFEST: manifest_text({p: e.sha256 for p, e in entries.items()}),
        FAST: fast_text(entries),
    }
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in out.items()}
    return {**out, TAGS: manifest_text(digests)}


def read_bag(folder: Path) -> Bag:
    """Read the manifests of a bag. Raises ArchiveError when it is none, or one of them is not as it was written.

    That the digests are those of the files is for ``verify`` to find out.
    """
    tags = read_tags(folder)
    sha = _manifest(folder, MANIFEST, _read(folder, MANIFEST))
    fast_lines = _read(folder, FAST)
    entries = {}
    for line in fast_lines.split("\n")[:-1]:
        digest, _, rest = line.partition("  ")
        size, _, path = rest.partition("  ")
        name = decoded(path)
        if not size.isdecimal() or name not in sha:
            raise ArchiveError(f"{folder / FAST} and {MANIFEST} do not agree: {line[:80]!r}")
        entries[name] = Digest(int(size), sha[name], digest)
    if len(entries) != len(sha) or fast_text(entries) != fast_lines:
        raise ArchiveError(f"{folder / FAST} and {MANIFEST} do not agree: one of them is damaged.")
    return Bag(folder, entries, tags, seal_of(folder))


def read_tags(folder: Path) -> dict[str, str]:
    """The SHA-256 of each tag file, by name, as the tag manifest has it. Raises ArchiveError when that is damaged."""
    tags = _manifest(folder, TAGS, _read(folder, TAGS))
    if set(tags) != set(TAG_FILES):
        raise ArchiveError(f"{folder / TAGS} does not list {', '.join(TAG_FILES)}: it is damaged.")
    return tags


def seal_of(folder: Path) -> str:
    """A bag's seal, the SHA-256 of its tag manifest: it stands for every byte of the bag. Raises ArchiveError."""
    return hashlib.sha256(_read(folder, TAGS).encode()).hexdigest()


def _manifest(folder: Path, name: str, text: str) -> dict[str, str]:
    found = {}
    for line in text.split("\n")[:-1]:
        digest, _, path = line.partition("  ")
        found[decoded(path)] = digest
    if manifest_text(found) != text:
        raise ArchiveError(f"{folder / name} is damaged: it is not as calbook writes it.")
    return found


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_bytes().decode("utf-8")
    except OSError as error:
        raise ArchiveError(f"{folder} is no report version: {name}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ArchiveError(f"{folder / name} is damaged: it is not UTF-8 text.") from None
