"""What the site tells of report versions: each of them, and which pages each has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder.archive.bag import FAST, PAYLOAD
from builder.archive.errors import ArchiveError
from builder.archive.versions import (
    Version,
    folders,
    home,
    indexed,
    read_version,
    verified,
)
from builder.published import Checked, PublishedVersion
from builder.render.checked import script
from builder.report import Report

VERSIONS_SCRIPT = "versions.js"
_SITE = f"{PAYLOAD}/site/"


def published(root: Path, report: Report, kept: Path) -> tuple[PublishedVersion, ...]:
    """The versions in ``versions/`` of a campaign folder, with the numbers of a report that they published otherwise.

    ``kept`` is a folder that remembers those. A version that cannot be read is told with its fault, one that was taken
    away as absent; neither ever stops a build.
    """
    from builder.archive.moved import PresentNumbers, moved_since, tidy

    there, listed = folders(root), indexed(root)
    if not there and not listed:
        return ()
    present, seals, out = PresentNumbers(report), set(), []
    for number in sorted({*there, *listed}):
        folder = there.get(number)
        if folder is None:
            out.append(_gone(number, listed[number]))
            continue
        try:
            version = read_version(folder)
            since = moved_since(version, present, kept)
        except (ArchiveError, OSError):
            out.append(_damaged(number, folder, listed.get(number, {})))
            continue
        seals.add(version.seal)
        found = _of(version)
        out.append(replace(found, moved=since.moved, gone=since.gone, added=since.added))
    tidy(kept, seals)
    checks, pairs = verified(root), _compared(home(root))
    return tuple(
        replace(v, checked=_checked(checks.get(v.number)), compared=pairs.get(v.number, ())) for v in out
    )


def versions_script(root: Path, site: Path, pages: Iterable[str]) -> str:
    """``versions.js`` of a site: the versions, and which of the site's pages each has.

    ``base`` is the way from the site to the versions where both are within the campaign folder, else ''.
    """
    place = home(root)
    near = site.resolve().is_relative_to(root.resolve())
    base = os.path.relpath(place.resolve(), site.resolve()).replace(os.sep, "/") + "/" if near else ""
    return _script(place, pages, base)


def script_within(place: Path, facts: Mapping[str, Any], pages: Iterable[str]) -> str:
    """``versions.js`` of the site in a new version: which version it is, and those before it, beside it."""
    own = {
        "number": facts["number"],
        "label": facts["label"],
        "author": facts["author"],
        "date": facts["date"],
    }
    return _script(place, pages, "../../../", own)


def _script(place: Path, pages: Iterable[str], base: str, own: Mapping[str, Any] | None = None) -> str:
    held, has = [], []
    for folder in folders(place).values():
        try:
            version = read_version(folder)
            has.append(_pages(folder))
        except (ArchiveError, OSError):
            continue
        held.append([version.number, version.label, version.date.isoformat()[:10], folder.name])
    groups: dict[tuple[int, ...], list[str]] = {}
    for page in sorted(pages):
        groups.setdefault(tuple(n for n, some in enumerate(has) if page in some), []).append(page)
    most = max(groups, key=lambda g: (len(groups[g]), g), default=())
    return script(
        "calbookVersions",
        {
            "this": own,
            "base": base if held else "",
            "all": held,
            "most": list(most),
            "others": [[list(group), some] for group, some in sorted(groups.items()) if group != most],
        },
    )


def _pages(folder: Path) -> set[str]:
    """The pages of a version's site. Raises OSError."""
    with (folder / FAST).open(encoding="utf-8", errors="replace") as lines:
        paths = (line.rstrip("\n").split("  ", 2)[-1] for line in lines if line.endswith(".html\n"))
        return {path.removeprefix(_SITE) for path in paths if path.startswith(_SITE)}


def _of(version: Version) -> PublishedVersion:
    return PublishedVersion(
        version.number,
        version.label,
        version.author,
        version.date.isoformat(timespec="seconds"),
        version.folder.name,
        version.note,
        {**version.facts, "seal": version.seal},
    )


def _listed(number: int, entry: Mapping[str, Any], folder: str) -> PublishedVersion:
    said = {k: str(entry.get(k, "")) for k in ("label", "author", "date", "note")}
    return PublishedVersion(
        number, said["label"] or folder, said["author"], said["date"], folder, said["note"]
    )


def _gone(number: int, entry: Mapping[str, Any]) -> PublishedVersion:
    return replace(_listed(number, entry, str(entry.get("folder", ""))), present=False)


def _damaged(number: int, folder: Path, entry: Mapping[str, Any]) -> PublishedVersion:
    fault = "It is damaged and cannot be read: calbook verify names the file."
    return replace(_listed(number, entry, folder.name), fault=fault)


def _checked(entry: Mapping[str, Any] | None) -> Checked | None:
    if entry is None:
        return None
    return Checked(str(entry.get("at", "")), int(entry.get("problems", 0)), bool(entry.get("full")))


def _compared(place: Path) -> dict[int, tuple[str, ...]]:
    """The pages that compare a version with another one, by the later one's number."""
    out: dict[int, list[str]] = {}
    for path in sorted(place.glob("compare-*-*.html")):
        first, _, second = path.stem.removeprefix("compare-").partition("-")
        if first.isdecimal() and second.isdecimal():
            out.setdefault(int(second), []).append(path.name)
    return {n: tuple(names) for n, names in out.items()}
