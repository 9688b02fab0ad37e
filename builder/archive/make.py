"""Making a report version: gathered into a folder beside, flushed to the disk, then renamed into place.

A version that can be seen is whole. What did not change since the former versions is a hard link to their file,
after that file was read and found undamaged; so ten versions cost little more than one.
"""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from builder import VERSION
from builder.archive import pages
from builder.archive.asbuilt import AGAIN, AsBuilt, as_built
from builder.archive.bag import tag_texts
from builder.archive.compare import Comparison, compare
from builder.archive.compared import counts_of, write_page
from builder.archive.contents import CONTENTS, INPUTS, Contents, present_contents
from builder.archive.digests import Digest, each, flush
from builder.archive.edition import Edition, edition_of, read_numbers
from builder.archive.errors import ArchiveError, NotAsBuiltError
from builder.archive.on_site import VERSIONS_SCRIPT, script_within
from builder.archive.payload import Payload, payload_of
from builder.archive.versions import (
    PART,
    Version,
    folder_name,
    home,
    next_number,
    read_version,
    readable,
    write_index,
    write_mark,
)
from builder.archive.writer import Writer
from builder.render.addresses import MEASUREMENTS_CSV
from builder.render.write import MANIFEST
from builder.store import Store
from campaign.frozen import dataclass
from campaign.load import load

_FLUSHES = 16
"""Flushes at once: the disk takes many in one go, so this is several times as fast as one after the other."""


@dataclass(frozen=True)
class Made:
    """A new version: how many files it has, how many of them are hard links, what it costs on the disk, what to know."""

    version: Version
    files: int
    linked: int
    written: int
    notes: tuple[str, ...]


def make(
    folder: Path,
    *,
    label: str,
    author: str,
    now: datetime,
    note: str = "",
    to: Path | None = None,
    output: Path | None = None,
) -> Made:
    """Archive the built site of a campaign as the next version.

    ``to`` is the folder of all versions, ``versions/`` in the campaign folder unless told otherwise; ``output`` is
    where the site and the store are. Raises NotAsBuiltError when the site is not as its last build left it,
    ArchiveError, OSError.
    """
    if not label.strip() or not author.strip():
        raise ArchiveError("A version needs a label and an author: --label and --author.")
    campaign, findings = load(folder)
    if campaign is None:
        raise ArchiveError(f"{folder} holds no usable campaign.toml: {findings[0].what if findings else ''}")
    output, place = output or folder / "build", to or home(folder)
    if place.resolve().is_relative_to(output.resolve()):
        raise ArchiveError(f"{place} lies in what builds make and remake: keep versions elsewhere.")
    _folder_for_versions(place)
    with _alone(place):
        for left in place.glob(f"{PART}*"):
            remove(left)  # of an archive that was killed
        built = as_built(output)
        try:
            contents = present_contents(campaign, output)
            with Store(output / "store") as store:
                extract = store.copy()
        except sqlite3.DatabaseError as error:
            raise ArchiveError(f"{output / 'store'} cannot be read: {error}.") from None
        payload = payload_of(built, campaign, output, place)
        payload.files["store/calbook.sqlite"] = extract
        payload.files[CONTENTS] = contents.to_json()
        payload.files[INPUTS] = contents.inputs_csv()
        former = readable(place)[0][-1:]
        facts = _facts(place, label, note, author, now, built, contents, payload, former)
        compared, unread = _since(former, built, contents)
        facts["changes"] = counts_of(compared) if compared else None
        shown = [
            n.removeprefix("site/") for n in payload.files if n.startswith("site/") and n.endswith(".html")
        ]
        payload.expected.pop(f"site/{VERSIONS_SCRIPT}", None)  # its own: it says which version it is of
        payload.files[f"site/{VERSIONS_SCRIPT}"] = script_within(place, facts, shown).encode()
        part = place / f"{PART}{folder_name(facts['number'], label)}"
        written = Writer(part, place, payload)
        try:
            entries = written.all(facts)
            if (built.site / MANIFEST).read_bytes() != built.manifest:
                raise NotAsBuiltError(f"A build changed the site while it was archived. {AGAIN}")
            _finish(part, entries, facts)
        except BaseException:
            remove(part)
            raise
        version = read_version(_into_place(part))
        if compared:
            now_archived = replace(
                compared.after, name=version.name, token=str(version.number), site=version.site
            )
            write_page(replace(compared, after=now_archived), place)
        listing(place)
    return Made(
        version,
        len(entries),
        written.linked,
        written.bytes,
        (*sorted(written.notes), *unread, *_said_of(facts)),
    )


def listing(place: Path) -> None:
    """Write ``versions.json`` and ``index.html`` anew from the versions that are there."""
    found, wrong = readable(place)
    entries = write_index(place, found)
    pages.write_index(place, entries, wrong)
    write_mark(place)


def _facts(
    place: Path,
    label: str,
    note: str,
    author: str,
    now: datetime,
    built: AsBuilt,
    contents: Contents,
    payload: Payload,
    former: Sequence[Version],
) -> dict[str, Any]:
    """The statement of a version: what a person said of it, and what it contains."""
    said: Mapping[str, Any] = contents.facts
    by_verdict = Counter(t["verdict"] for t in said["tests"])
    return {
        "format": 1,
        "number": next_number(place),
        "label": label.strip(),
        "note": note.strip(),
        "author": author.strip(),
        "date": now.isoformat(timespec="seconds"),
        "calbook": VERSION,
        "campaign": {k: said["campaign"][k] for k in ("id", "title", "instrument")},
        "build": {"id": built.build, "started": built.started, "versions": said["versions"]},
        "counts": {
            "blocks": len(said["blocks"]),
            "tests": len(said["tests"]),
            "verdicts": dict(sorted(by_verdict.items())),
            "results": len(contents.results),
            "limits": len(said["limits"]),
            "caveats": len(said["caveats"]),
            "findings": len(said["findings"]),
            "inputs": len(contents.inputs),
            "pages": sum(name.endswith(".html") for name in payload.files),
        },
        "previous": {"number": former[0].number, "seal": former[0].seal} if former else None,
        "left_out": sorted(payload.left_out),
        "newer_than_build": _newer(built, payload),
    }


def _since(
    former: Sequence[Version], built: AsBuilt, contents: Contents
) -> tuple[Comparison | None, tuple[str, ...]]:
    """What changed since the version before; or why that cannot be said, which is no reason not to archive."""
    if not former:
        return None, ()
    try:
        numbers = read_numbers(built.site / MEASUREMENTS_CSV)
        after = Edition("the present site", "now", built.site, contents, numbers)
        return compare(edition_of(former[0]), after), ()
    except ArchiveError as error:
        return None, (f"It was not compared with {former[0].name}: {error}",)


def _finish(part: Path, entries: Mapping[str, Digest], facts: Mapping[str, Any]) -> None:
    """Write the tag files, make everything read-only and wait until the disk has it."""
    info = {
        "Source-Organization": facts["campaign"]["title"],
        "Contact-Name": facts["author"],
        "External-Identifier": f"{facts['campaign']['id']} {facts['number']} {facts['label']}",
        "External-Description": facts["note"],
        "Bagging-Date": str(facts["date"])[:10],
        "Bag-Software-Agent": f"calbook {facts['calbook']}",
        "Version-Number": str(facts["number"]),
        "Version-Label": facts["label"],
    }
    for name, text in tag_texts(entries, info).items():
        (part / name).write_bytes(text.encode())
    found = list(part.rglob("*"))
    inside = [p for p in found if p.is_dir()]
    files = [p for p in found if not p.is_dir()]
    for path in files:
        if path.stat().st_mode & 0o777 != 0o444:  # what is linked may be another person's file
            path.chmod(0o444)
    for path in inside:
        path.chmod(0o555)
    each(flush, files, _FLUSHES)
    each(flush, [*inside, part], _FLUSHES)


def _into_place(part: Path) -> Path:
    target = part.parent / part.name.removeprefix(PART)
    if target.exists():
        raise ArchiveError(f"{target} exists already: a version is never written over.")
    part.rename(target)
    target.chmod(0o555)
    flush(target.parent)
    return target


def remove(folder: Path) -> None:
    """Remove an unfinished version. Its folders are read-only, which only a folder's own owner can undo."""
    if folder.exists():
        for inside in [folder, *(p for p in folder.rglob("*") if p.is_dir() and not p.is_symlink())]:
            inside.chmod(0o755)
        shutil.rmtree(folder)


def _folder_for_versions(place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    ignore = place / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold the folder of versions for oneself. Raises ArchiveError when another archive is at work."""
    with (place / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ArchiveError(
                f"Another archive is being written to {place}: wait until it is done."
            ) from None
        yield


def _newer(built: AsBuilt, payload: Payload) -> list[str]:
    """Files of the campaign folder that changed after the build began: the site may not show what they say now."""
    started = datetime.fromisoformat(built.started).timestamp()
    return [
        name.removeprefix("campaign/")
        for name, source in sorted(payload.files.items())
        if name.startswith("campaign/") and isinstance(source, Path) and source.stat().st_mtime > started
    ]


def _said_of(facts: Mapping[str, Any]) -> list[str]:
    newer = facts["newer_than_build"]
    if not newer:
        return []
    more = f" and {len(newer) - 1} more" if len(newer) > 1 else ""
    return [
        f"{newer[0]}{more} changed after build {facts['build']['id']} began; the site may not show it. Build first if it matters."
    ]
