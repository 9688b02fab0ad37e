"""Two outputs of the same campaign: every byte of their sites and every row of their stores, save what is listed.

What is ignored, and why:

- ``data/calbook.sqlite`` is compared by its rows, as the store's database is: the pages of a database file depend on
  the order of writing;
- durations, for they are measured and not derived: ``seconds`` of results and builds, and where pages tell them
  (the page about the build, provenance, tests); so also the digests of those pages and of the build;
- the number of a build: one that was cut off has used one up, and what it recorded counts as the next one's that
  ended. Pages tell it in the first line of the page about the build, campaign.json as ``build``.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

DATABASE = "data/calbook.sqlite"
TELL_TIMES = ("about/", "measurements/", "blocks/")
CACHES = ("files", "fingerprints", "summaries")
_DURATION = re.compile(rb"\d+(\.\d+)?(&nbsp;|\xc2\xa0| )(ms|s|min)\b")


def site_of(output: Path) -> dict[str, bytes]:
    """The bytes of every file of a site by its path; durations out of pages that tell them."""
    site = output / "site"
    found = {}
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_file() and not path.name.startswith(".") and name != DATABASE:
            data = path.read_bytes()
            if name.startswith(TELL_TIMES):
                data = _DURATION.sub(b"(time)", data)
                if name.startswith("about/"):
                    data = re.sub(rb'data-value="[0-9.]+"|Build [0-9]+, begun', b"", data)
            if name == "data/campaign.json":
                data = re.sub(rb'"build": *[0-9]+', b'"build": 0', data)
            found[name] = data
    return found


def rows_of(database: Path) -> dict[str, set[str]]:
    """The rows of every table, without builds that did not end, numbers of builds and durations."""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        ended = [i for (i,) in db.execute("SELECT id FROM builds WHERE finished IS NOT NULL")]
        found: dict[str, set[str]] = {}
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = db.execute(f"SELECT * FROM {table}")
            names = [d[0] for d in cursor.description]
            held = set()
            for row in cursor:
                values = dict(zip(names, row, strict=True))
                if table == "builds" and values["id"] not in ended:
                    continue
                values.pop("seconds", None)
                if table == "builds" or str(values.get("path", "")).startswith(TELL_TIMES):
                    values.pop("digest")
                    values.pop("parts", None)
                for name in ("id", "since", "build_id"):
                    if isinstance(values.get(name), int):
                        values[name] = sum(i < values[name] for i in ended)
                held.add(repr(sorted(values.items())))
            found[table] = held
        return found
    finally:
        db.close()


def differences(first: Path, second: Path, *, caches: bool = True) -> list[str]:
    """What differs between two outputs; [] when they are the same."""
    out = []
    a, b = site_of(first), site_of(second)
    out += [f"only in one site: {name}" for name in sorted(a.keys() ^ b.keys())]
    out += [f"differs: {name}" for name in sorted(a.keys() & b.keys()) if a[name] != b[name]]
    for place in ("store/calbook.sqlite", f"site/{DATABASE}"):
        c, d = rows_of(first / place), rows_of(second / place)
        for table in sorted(c.keys() | d.keys()):
            if not caches and table in CACHES:
                continue
            out += [f"{place} {table}: {row}" for row in sorted(c[table] ^ d[table])]
    return out


def half_files(output: Path, *finished: Path) -> list[str]:
    """Files of a site that was cut off that are neither as in one of the finished outputs nor ours to compare."""
    known = [site_of(f) for f in finished]
    return [
        name
        for name, data in site_of(output).items()
        if not name.startswith("about/") and all(data != site.get(name) for site in known)
    ]


def left_over(output: Path) -> list[str]:
    """Part files and locks that nobody holds."""
    return [
        p.relative_to(output).as_posix()
        for p in sorted(output.rglob("*"))
        if p.name.startswith((".part-", ".calbook-part", ".calbook-journal"))
        or p == output / "store" / "lock"
    ]
