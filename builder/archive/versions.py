"""The report versions of a campaign: folders that speak for themselves, and an index made from them.

A version's folder is called after its number and label. The folders are the truth; ``versions.json`` and
``index.html`` beside them are made anew from them, so that a kill between cannot make them disagree for long.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from builder.archive.bag import PAYLOAD, TAGS, seal_of
from builder.archive.errors import ArchiveError
from campaign.frozen import dataclass
from campaign.names import slug

FOLDER = "versions"
INDEX = "versions.json"
VERIFIED = "verified.json"
HERE = "here.svg"
"""A picture of nothing beside the versions: where a page can load it, its links to versions lead somewhere."""
STATEMENT = f"{PAYLOAD}/version.json"
PART = ".part-"
"""How the folder of a version begins while it is written."""
_NAME = re.compile(r"(\d{4,})-.+")


@dataclass(frozen=True)
class Version:
    """A report version: its number, what a person said of it, when it was made, and what it contains.

    ``facts`` is the whole of its ``version.json``; ``seal`` the SHA-256 of its tag manifest.
    """

    folder: Path
    number: int
    label: str
    note: str
    author: str
    date: datetime
    seal: str
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Number and label, as people say it."""
        return f"version {self.number} ({self.label})"

    @property
    def site(self) -> Path:
        """The folder of its site."""
        return self.folder / PAYLOAD / "site"


def folder_name(number: int, label: str) -> str:
    """The name of a version's folder: '0003-first-report'."""
    return f"{number:04d}-{slug(label)}"


def home(place: Path) -> Path:
    """Where the versions are: ``versions/`` of a campaign folder; any other folder is where they are itself."""
    return place / FOLDER if (place / "campaign.toml").exists() else place


def folders(place: Path) -> dict[int, Path]:
    """The folders of versions by their numbers, in order; of those that are being written there are none."""
    try:
        found = [(m, p) for p in home(place).iterdir() if (m := _NAME.fullmatch(p.name)) and p.is_dir()]
    except FileNotFoundError:
        return {}
    return {int(m[1]): p for m, p in sorted(found, key=lambda f: int(f[0][1]))}


def read_version(folder: Path) -> Version:
    """The version in a folder. Raises ArchiveError when it is none, or damaged so that it cannot be read."""
    try:
        facts = json.loads((folder / STATEMENT).read_bytes())
        return Version(
            folder,
            int(facts["number"]),
            str(facts["label"]),
            str(facts["note"]),
            str(facts["author"]),
            datetime.fromisoformat(facts["date"]),
            seal_of(folder),
            facts,
        )
    except OSError as error:
        raise ArchiveError(f"{folder} is no report version: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError(
            f"{folder / STATEMENT} is damaged ({type(error).__name__}): calbook verify {folder}"
        ) from None


def versions(place: Path) -> list[Version]:
    """The versions of a campaign folder or a folder of versions, by number. Those that cannot be read are left out."""
    return readable(place)[0]


def readable(place: Path) -> tuple[list[Version], list[str]]:
    """The versions that can be read, and what is wrong with the others."""
    found, wrong = [], []
    for folder in folders(place).values():
        try:
            found.append(read_version(folder))
        except ArchiveError as error:
            wrong.append(str(error))
    return found, wrong


def find(what: str, place: Path) -> Version:
    """The version that is meant: a folder, or a number or label among those of ``place``. Raises ArchiveError."""
    if (Path(what) / TAGS).exists():
        return read_version(Path(what).resolve())
    held = versions(place)
    for version in held:
        if what in (str(version.number), version.label, version.folder.name):
            return version
    known = ", ".join(f"{v.number} ({v.label})" for v in held) or "none"
    raise ArchiveError(f"{what!r} is no version of {home(place)}. There are: {known}.")


def indexed(place: Path) -> dict[int, dict[str, Any]]:
    """What ``versions.json`` says, by number; empty where it is missing or cannot be read."""
    try:
        return {int(v["number"]): v for v in json.loads((home(place) / INDEX).read_bytes())["versions"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def next_number(place: Path) -> int:
    """The number of the next version: numbers are never used again, also when a version was taken away."""
    return max([0, *folders(place), *indexed(place)]) + 1


def write_index(place: Path, found: Sequence[Version]) -> list[dict[str, Any]]:
    """Write ``versions.json`` from the versions; those that it knew and that are gone stay listed, as gone.

    A version that is there but cannot be read keeps its former entry. Returns the entries.
    """
    there = folders(place)
    entries = {n: {**e, "present": n in there} for n, e in indexed(place).items()}
    for version in found:
        # a seal that is known stays: a version that was made anew must be found by it (see verify)
        seal = entries.get(version.number, {}).get("seal") or version.seal
        entries[version.number] = {
            **version.facts, "folder": version.folder.name, "seal": seal, "present": True,
        }  # fmt: skip
    listed = [entries[n] for n in sorted(entries)]
    from builder.store import write_atomically  # numpy comes with it: what only reads versions does without

    text = json.dumps({"format": 1, "versions": listed}, indent=1, ensure_ascii=False) + "\n"
    write_atomically(home(place) / INDEX, text.encode())
    return listed


def seen_versions(root: Path) -> list[tuple[str, int, int]]:
    """(name, size, modification time [ns]) of all that lies in ``versions/`` and of each version's seal and statement.

    It opens nothing, and looks at two files a version, since nothing in a version ever changes.
    """
    place, out = root / FOLDER, []
    try:
        names = sorted(os.listdir(place))  # noqa: PTH208 - names alone
    except OSError:
        return []
    for name in names:
        if name.startswith("."):
            continue
        for inside in (
            "",
            "/tagmanifest-sha256.txt",
            f"/{PAYLOAD}/version.json",
            f"/{PAYLOAD}/contents.json",
        ):
            try:
                stat = os.stat(f"{place}/{name}{inside}")  # noqa: PTH116
            except OSError:
                continue
            size = stat.st_size if inside or not (place / name).is_dir() else 0
            out.append((name + inside, size, stat.st_mtime_ns))
    return out


def write_mark(place: Path) -> None:
    """Write the picture of nothing by which pages see that the versions are there."""
    mark = home(place) / HERE
    if not mark.exists():
        mark.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n', encoding="utf-8")


def verified(place: Path) -> dict[int, dict[str, Any]]:
    """What ``calbook verify`` last found of each version, by number: 'seal', 'at', 'problems', 'full'."""
    try:
        held = json.loads((home(place) / VERIFIED).read_bytes())["versions"]
        return {int(n): dict(v) for n, v in held.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remember_verified(place: Path, found: Mapping[str, int], now: datetime, *, full: bool) -> bool:
    """Write down when versions (folder name → files that are not as archived) were verified.

    False where that cannot be written: what is on a disk for reading only is verified all the same.
    """
    from builder.store import write_atomically

    numbers = {folder.name: number for number, folder in folders(place).items()}
    held = verified(place)
    for name, problems in found.items():
        if name in numbers:
            try:
                seal = seal_of(home(place) / name)
            except ArchiveError:
                seal = ""
            at = now.isoformat(timespec="seconds")
            held[numbers[name]] = {"seal": seal, "at": at, "problems": problems, "full": full}
    text = json.dumps({"format": 1, "versions": {str(n): held[n] for n in sorted(held)}}, indent=1)
    try:
        write_atomically(home(place) / VERIFIED, (text + "\n").encode())
    except OSError:
        return False
    return True
