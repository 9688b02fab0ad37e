"""What could go: versions that a rule does not keep, and raw files whose results are archived. Only ever listed.

Nothing here deletes. Both lists are for a person to decide by.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from builder.archive.bag import PAYLOAD
from builder.archive.contents import Contents, read_contents
from builder.archive.errors import ArchiveError
from builder.archive.verify import verify_folder
from builder.archive.versions import Version
from campaign.frozen import dataclass

_PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "day": lambda d: (d.year, d.month, d.day),
    "week": lambda d: tuple(d.isocalendar()[:2]),
    "month": lambda d: (d.year, d.month),
    "quarter": lambda d: (d.year, (d.month - 1) // 3),
    "year": lambda d: (d.year,),
}
RULE = "keep last N, one per day|week|month|quarter|year, label NAME; several with commas between"


@dataclass(frozen=True)
class Kept:
    """A version and the parts of the rule that keep it; none when it could go."""

    version: Version
    because: tuple[str, ...]


def retained(versions: Sequence[Version], rule: str) -> list[Kept]:
    """Which versions a rule keeps, and why. The last of each period is the one that is kept.

    Raises ArchiveError for a rule that is not understood: it would keep less than was meant.
    """
    ordered = sorted(versions, key=lambda v: v.number)
    why: dict[int, list[str]] = {v.number: [] for v in ordered}
    for part in (p.strip() for p in rule.strip().removeprefix("keep").split(",")):
        for number in _kept_by(part, ordered):
            why[number].append(part)
    return [Kept(v, tuple(why[v.number])) for v in ordered]


def _kept_by(part: str, ordered: Sequence[Version]) -> list[int]:
    if last := re.fullmatch(r"(?:the )?last ([0-9]+)", part):
        return [v.number for v in ordered[len(ordered) - min(int(last[1]), len(ordered)) :]]
    if per := re.fullmatch(r"one (?:per|a) ([a-z]+)", part):
        if per[1] in _PERIODS:
            return list({_PERIODS[per[1]](v.date): v.number for v in ordered}.values())
    elif label := re.fullmatch(r"labels? (.+)", part):
        return [v.number for v in ordered if v.label == label[1]]
    raise ArchiveError(f"{part!r} is no rule that calbook knows. A rule is: {RULE}.")


def freed(going: Iterable[Path], staying: Iterable[Path]) -> int:
    """Bytes on the disk that would be free without the folders that go: what the others share stays."""
    held = {(s.st_dev, s.st_ino) for folder in staying for s in _stats(folder)}
    lost = {(s.st_dev, s.st_ino): s.st_blocks * 512 for folder in going for s in _stats(folder)}
    return sum(size for key, size in lost.items() if key not in held)


def disk_use(folders: Iterable[Path]) -> int:
    """Bytes that folders take on the disk together, what they share counted once."""
    return freed(folders, ())


def _stats(folder: Path) -> Iterable[os.stat_result]:
    for at, inside, names in os.walk(folder):
        for name in [*names, *inside]:
            yield os.lstat(f"{at}/{name}")


@dataclass(frozen=True)
class Release:
    """A raw file that could leave the disk, or the reason why not; ``version`` holds what was made of it."""

    path: str
    size: int
    version: str
    why_not: str = ""


def releasable(
    present: Contents,
    versions: Sequence[Version],
    where: Mapping[str, Path],
    known: Mapping[str, tuple[str, str]],
) -> list[Release]:
    """The input files, each with the version that has all results and products made from it, verified just now.

    ``where`` gives the files' places by their path in ``present``; ``known`` the stored (stat, digest) of each, to tell
    that what lies on the disk is what was measured. The newest version that verifies is the one that counts.
    """
    proof, archived = None, Contents((), {}, {})
    for version in reversed(versions):
        if not verify_folder(version.folder).problems:
            proof, archived = version, read_contents(version.folder / PAYLOAD)
            break
    fingerprints = {digest for _, _, digest, used in archived.inputs if used and digest}
    makes: dict[int, list[str]] = {}
    for ident, result in present.results.items():
        for place in {n for places in result["inputs"].values() for n in places}:
            makes.setdefault(place, []).append(ident)
    out = []
    for place, (path, _, digest, used) in enumerate(present.inputs):
        file = where.get(path)
        if file is None or not file.exists():
            continue  # not on this disk
        why = ""
        if proof is None:
            why = "no version verifies"
        elif not used or not digest:
            why = "no result was made from it"
        elif digest not in fingerprints:
            why = f"its content is not among the inputs of {proof.name}"
        elif lacking := [i for i in makes.get(place, ()) if not _archived(i, present, archived)]:
            why = f"{len(lacking)} of its results are not in {proof.name}"
        elif failed := [i for i in makes.get(place, ()) if present.results[i]["status"] != "done"]:
            why = f"{len(failed)} analyses of it failed"
        elif not _as_measured(file, known.get(path)):
            why = "it changed since it was measured"
        out.append(Release(path, file.stat().st_size, proof.name if proof else "", why))
    return out


def _archived(ident: str, present: Contents, archived: Contents) -> bool:
    held = archived.results.get(ident)
    return held is not None and held["products"] == present.results[ident]["products"]


def _as_measured(file: Path, known: tuple[str, str] | None) -> bool:
    from builder.archive.digests import digest_file

    if known is None:
        return False
    about = file.stat()
    if known[0] == f"{about.st_size}-{about.st_mtime_ns}-{about.st_ino}":
        return True
    return digest_file(file, sha256=False).blake3 == known[1]
