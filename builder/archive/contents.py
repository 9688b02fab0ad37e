"""What a version says, in a form that outlives the database: tests, limits, caveats, results, inputs, record rows.

A version keeps this as ``contents.json`` and ``inputs.csv`` beside the numbers of its site, so that two versions can
be compared years later by reading plain files. The same is made of the present site, to compare a version with it.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from builder.archive.errors import ArchiveError, NotAsBuiltError
from builder.render.addresses import CAMPAIGN_JSON
from campaign.frozen import dataclass
from campaign.model import Campaign
from campaign.names import slug
from campaign.record import Snapshot
from campaign.rows import read_tests
from campaign.sources.snapshots import SnapshotFolder, encode_table

FORMAT = 1
CONTENTS, INPUTS = "contents.json", "inputs.csv"
INPUT_COLUMNS = ("path", "size", "blake3", "used")


@dataclass(frozen=True)
class Contents:
    """What a version says apart from its numbers.

    ``inputs`` are frames as (path, size in bytes, BLAKE3, whether a result that is shown was made from it); an empty
    digest is of a file that was never read whole. ``results`` are those shown, by id; their 'inputs' are, by role, places in
    ``inputs``. ``facts`` holds campaign, tests, blocks, limits, caveats, findings, versions and record rows.
    """

    inputs: tuple[tuple[str, int, str, bool], ...]
    results: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]

    def to_json(self) -> bytes:
        """contents.json; the inputs are a file of their own."""
        whole = {"format": FORMAT, **self.facts, "results": self.results}
        return (json.dumps(whole, indent=None, sort_keys=True, ensure_ascii=False) + "\n").encode()

    def inputs_csv(self) -> bytes:
        """inputs.csv."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(INPUT_COLUMNS)
        writer.writerows(
            [p, s if s >= 0 else "", d, "yes" if used else "no"] for p, s, d, used in self.inputs
        )
        return out.getvalue().encode("utf-8", "backslashreplace")


def read_contents(folder: Path) -> Contents:
    """The contents that a version keeps in this folder. Raises ArchiveError."""
    import orjson

    try:
        held = orjson.loads((folder / CONTENTS).read_bytes())
        if held["format"] != FORMAT:
            raise ArchiveError(
                f"{folder / CONTENTS} is of format {held['format']}; this calbook knows {FORMAT}."
            )
        rows = csv.reader(io.StringIO((folder / INPUTS).read_text("utf-8")))
        next(rows)
        inputs = tuple((p, int(s) if s else -1, d, used == "yes") for p, s, d, used in rows)
        return Contents(inputs, held.pop("results"), {k: v for k, v in held.items() if k != "format"})
    except OSError as error:
        raise ArchiveError(f"{error.filename} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise ArchiveError(
            f"{folder} is damaged ({type(error).__name__}): calbook verify names the file."
        ) from None


def present_contents(campaign: Campaign, output: Path) -> Contents:
    """What the built site says, from the site, its store and the campaign folder. Raises NotAsBuiltError, ArchiveError."""
    try:
        site = json.loads((output / "site" / CAMPAIGN_JSON).read_bytes())
    except (OSError, ValueError) as error:
        raise NotAsBuiltError(f"{output / 'site'} holds no whole site ({error}): build it first.") from None
    store = output / "store"
    with closing(opened(store)) as db:
        inputs, results = _results(db)
    snapshots = _snapshots(campaign, store)
    days = {t.key: t.date.isoformat() for t in read_tests(campaign, snapshots)[0] if t.date}
    facts = {
        "campaign": {k: site[k] for k in ("id", "title", "instrument", "build", "built_at", "counts")},
        "versions": site["versions"],
        "blocks": [{k: b[k] for k in ("id", "title", "status", "verdict", "page")} for b in site["blocks"]],
        "tests": [
            {"block": b["id"], **t, "exposures": len(t["exposures"]), "date": days.get(f"{b['id']}/{t['name']}", b["start"])}
            for b in site["blocks"]
            for t in b["tests"]
        ],
        "limits": [limit.model_dump(mode="json", exclude={"file"}) for limit in campaign.limits],
        "caveats": site["caveats"],
        "findings": site["findings"],
        "record": {s.source: encode_table(s.table) for s in snapshots if s.table},
    }  # fmt: skip
    return Contents(inputs, results, facts)


def opened(store: Path) -> sqlite3.Connection:
    """The store's database, for reading only. Raises NotAsBuiltError."""
    path = store / "calbook.sqlite"
    if not path.is_file():
        raise NotAsBuiltError(f"There is no {path}: build the site first.")
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30)


def shown_results(db: sqlite3.Connection) -> dict[tuple[str, str, str, str], str]:
    """The result that each place (block, test, procedure, detector) shows now."""
    rows = db.execute("SELECT block, test, procedure, detector, result_id FROM shown ORDER BY since, rowid")
    last = {(row[0], row[1], row[2], row[3]): row[4] for row in rows}
    return {place: result for place, result in last.items() if result}


def _results(
    db: sqlite3.Connection,
) -> tuple[tuple[tuple[str, int, str, bool], ...], dict[str, dict[str, Any]]]:
    """The inputs and the results that are shown; a result's inputs are numbers of rows of the inputs."""
    shown = set(shown_results(db).values())
    files: dict[tuple[str, str], list[Any]] = {}
    sizes: dict[str, int] = {}
    indexed = {key for (key,) in db.execute("SELECT key FROM files")}
    for key, stat, digest in db.execute("SELECT key, stat, fingerprint FROM fingerprints"):
        if not indexed or key in indexed:
            sizes[key] = int(stat.partition("-")[0])
            files[key, digest] = [key, sizes[key], digest, False]
    for key in indexed - sizes.keys():
        files[key, ""] = [key, -1, "", False]
    rows = db.execute(
        "SELECT id, block, test, detector, procedure, version, status, detail FROM results ORDER BY id"
    )
    held = [(*head, json.loads(detail)) for *head, detail in rows if head[0] in shown]
    for *_, detail in held:
        for _role, _frame, root, path, digest in detail.get("inputs", ()):
            files.setdefault((f"{root}/{path}", digest), [f"{root}/{path}", -1, digest, False])[3] = True
    place = {key: n for n, key in enumerate(sorted(files))}
    out = {}
    for ident, block, test, detector, procedure, version, status, detail in held:
        roles: dict[str, list[int]] = {}
        for role, _frame, root, path, digest in detail.get("inputs", ()):
            roles.setdefault(role, []).append(place[f"{root}/{path}", digest])
        out[ident] = {
            "block": block, "test": test, "detector": detector, "procedure": procedure, "version": version,
            "status": status, "parameters": detail.get("parameters", {}), "used": detail.get("used", []),
            "inputs": roles,
            "code": detail.get("versions", {}).get("analysis code", ""),
            "products": {n: p.get("digest", "") for n, p in detail.get("products", {}).items()},
        }  # fmt: skip
    return tuple((p, s, d, u) for p, s, d, u in (files[key] for key in sorted(files))), out


def _snapshots(campaign: Campaign, store: Path) -> list[Snapshot]:
    """The snapshot of each source that the last build read."""
    found = []
    for source in campaign.sources:
        folder = SnapshotFolder(store / "snapshots" / slug(source.id))
        last = folder.last()
        kept, _ = folder.newest(last.snapshot if last else "")
        if kept:
            found.append(Snapshot(source.id, source.address, kept.reading.table, kept.pulled_at))
    return found
