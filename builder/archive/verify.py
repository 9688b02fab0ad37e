"""Whether a version is, byte for byte, what was archived: changed, missing and added files, each by name."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from builder.archive.bag import PAYLOAD, TAGS, Bag, read_bag, read_tags
from builder.archive.digests import digest_file, each
from builder.archive.errors import ArchiveError
from builder.archive.versions import folders, home, indexed, read_version
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Problem:
    """A file that is not as it was archived. ``shared`` are other versions that hold the very same damaged file."""

    version: str
    path: str
    what: str
    shared: tuple[str, ...] = ()
    whole: str = ""

    def __str__(self) -> str:
        also = f" (shared, so damaged too, in {', '.join(self.shared)})" if self.shared else ""
        whole = f"; an undamaged copy is {self.whole}" if self.whole else ""
        return f"{self.version}: {self.path}: {self.what}{also}{whole}"


@dataclass(frozen=True)
class Verified:
    """What verifying found, and how much was read."""

    versions: tuple[str, ...]
    files: int
    bytes: int
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


def verify_folder(
    folder: Path, *, full: bool = False, seen: dict[tuple[int, int], str] | None = None
) -> Verified:
    """Verify one version: every byte of its payload and tag files, and that nothing was added.

    The payload is checked by BLAKE3, with ``full`` by SHA-256 too. ``seen`` remembers, by device and inode, the
    digest of what was read already: a file that several versions share is read once.
    """
    try:
        bag = read_bag(folder)
    except ArchiveError as error:
        return Verified((folder.name,), 0, 0, tuple(_why_unreadable(folder, error)))
    problems = [Problem(folder.name, path, what) for path, what in _tags(folder, bag.tags)]
    there, odd = _listing(folder)
    problems += [Problem(folder.name, path, what) for path, what in odd]
    payload = {path for path in there if path.startswith(f"{PAYLOAD}/")}
    known = {*bag.tags, TAGS}
    extra = sorted((payload - bag.entries.keys()) | (there - payload - known))
    problems += [Problem(folder.name, path, "added: it was not archived") for path in extra]
    missing = sorted(bag.entries.keys() - payload - {path for path, _ in odd})
    problems += [Problem(folder.name, path, "missing") for path in missing]
    checked = each(
        lambda path: _check(bag, path, full, {} if seen is None else seen),
        sorted(payload & bag.entries.keys()),
    )
    problems += [Problem(folder.name, path, what) for path, what, _ in checked if what]
    read = sum(size for _, _, size in checked)
    return Verified((folder.name,), len(checked), read, tuple(sorted(problems, key=lambda p: p.path)))


def verify(place: Path, *, full: bool = False, only: Iterable[int] = ()) -> Verified:
    """Verify a version, or all versions of a campaign folder or folder of versions (``only`` some, by number).

    For all of them also: that each is the one that its successor and ``versions.json`` name. Raises ArchiveError
    when there is nothing to verify.
    """
    alone = (place / PAYLOAD).is_dir() and not (place / "campaign.toml").exists()
    held = [place] if alone else [f for n, f in folders(place).items() if not set(only) or n in set(only)]
    if not held:
        raise ArchiveError(f"There is no version in {home(place)}.")
    seen: dict[tuple[int, int], str] = {}
    done = [verify_folder(folder, full=full, seen=seen) for folder in held]
    around = list(folders(held[0].parent).values())
    problems = [_with_sharers(p, held[0].parent / p.version, around) for d in done for p in d.problems]
    notes: list[str] = []
    if not alone:
        problems += _chain(home(place), held)
        gone = [f"{n} ({e.get('label', '')})" for n, e in indexed(place).items() if n not in folders(place)]
        notes += [f"listed, but no longer here: {', '.join(gone)}"] if gone else []
    return Verified(
        tuple(f.name for f in held), sum(d.files for d in done), sum(d.bytes for d in done), tuple(problems), tuple(notes)
    )  # fmt: skip


def _why_unreadable(folder: Path, error: ArchiveError) -> list[Problem]:
    """The tag file that is not as it was, where the tag manifest can tell; else what reading the bag said."""
    try:
        changed = _tags(folder, read_tags(folder))
    except ArchiveError:
        changed = []
    return [
        Problem(folder.name, path, f"{what}. {error}") for path, what in changed or [(TAGS, "unreadable")]
    ]


def _tags(folder: Path, tags: Mapping[str, str]) -> list[tuple[str, str]]:
    out = []
    for name, digest in tags.items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError:
            out.append((name, "missing"))
            continue
        if found != digest:
            out.append((name, f"changed: not the file that {TAGS} names"))
    return out


def _listing(folder: Path) -> tuple[set[str], list[tuple[str, str]]]:
    """The regular files of a version, and everything in it that is neither a file nor a folder with files."""
    there: set[str] = set()
    odd: list[tuple[str, str]] = []
    for at, inside, names in os.walk(folder):
        here = os.path.relpath(at, folder).replace(os.sep, "/") + "/" if at != str(folder) else ""
        for name in [*names, *(n for n in inside if os.path.islink(f"{at}/{n}"))]:  # noqa: PTH114 - thousands
            if stat.S_ISREG(os.lstat(f"{at}/{name}").st_mode):
                there.add(here + name)
            else:
                odd.append((here + name, "changed: it is no regular file"))
        if not names and not inside and here:
            odd.append((here, "added: an empty folder"))
    return there, odd


def _check(bag: Bag, path: str, full: bool, seen: dict[tuple[int, int], str]) -> tuple[str, str, int]:
    """(path, what is wrong or '', bytes read) of a payload file."""
    want = bag.entries[path]
    target = bag.folder / path
    try:
        about = target.stat()
        key = (about.st_dev, about.st_ino)
        if about.st_size != want.size:
            return path, f"changed: {about.st_size} bytes, not {want.size}", 0
        if (known := seen.get(key)) is not None and not full:
            return path, "" if known == want.blake3 else "changed: same size, other bytes", 0
        found = digest_file(target, sha256=full)
    except OSError as error:
        return path, f"cannot be read: {error.strerror or error}", 0
    seen[key] = found.blake3
    if found.blake3 != want.blake3 or (full and found.sha256 != want.sha256):
        return path, "changed: same size, other bytes", found.size
    return path, "", found.size


def _with_sharers(problem: Problem, folder: Path, around: Iterable[Path]) -> Problem:
    """The problem with the versions that share the damaged file, and where else an undamaged copy is."""
    try:
        about = (folder / problem.path).lstat()
        digest = read_bag(folder).entries[problem.path]
    except (OSError, KeyError, ArchiveError):
        return problem
    shared, whole = [], ""
    for other in around:
        if other == folder:
            continue
        try:
            entries = read_bag(other).entries
        except ArchiveError:
            continue
        for path, entry in entries.items():
            try:
                if entry.sha256 != digest.sha256:
                    continue
                found = (other / path).lstat()
                if (found.st_dev, found.st_ino) == (about.st_dev, about.st_ino):
                    shared.append(other.name)
                elif not whole and digest_file(other / path, sha256=False).blake3 == digest.blake3:
                    whole = f"{other.name}/{path}"
            except OSError:
                continue
    return Problem(problem.version, problem.path, problem.what, tuple(dict.fromkeys(shared)), whole)


def _chain(place: Path, held: Iterable[Path]) -> list[Problem]:
    """Versions that are not those which their successors and the index name."""
    out = []
    listed = indexed(place)
    numbers = {folder: number for number, folder in folders(place).items()}
    seals: dict[int, str] = {}
    for folder in folders(place).values():
        try:
            version = read_version(folder)
        except ArchiveError:
            continue  # told already, as a damaged file
        seals[numbers[folder]] = version.seal
        former = version.facts.get("previous") or {}
        before = seals.get(former.get("number", 0))
        if before is not None and before != former.get("seal"):
            name = folders(place)[former["number"]].name
            out.append(
                Problem(name, TAGS, f"its seal is not the one that {folder.name} names: it was replaced")
            )
    for folder in held:
        entry = listed.get(numbers[folder])
        seal = seals.get(numbers[folder])
        if entry is not None and seal is not None and entry.get("seal") != seal:
            out.append(
                Problem(
                    folder.name, TAGS, "its seal is not the one in versions.json: one of the two was changed"
                )
            )
    return out
