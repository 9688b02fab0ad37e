"""Two outputs of the same campaign: every byte of their sites and every row of their stores, save what is listed.

What is ignored, and why:

- ``data/calbook.sqlite`` is compared by its rows, as the store's database is: the pages of a database file depend on
  the order of writing;
- durations, for they are measured and not derived: the page about the build, which alone tells them, with its digests,
  and ``seconds`` of results and builds;
- what the short way compares itself with (``inputs``): it looks at times of files, and tests put files down and away.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

DATABASE = "data/calbook.sqlite"
TELLS_TIMES = "about/build.html"
CACHES = ("files", "fingerprints", "summaries", "drawn", "judged", "complete")


def site_of(output: Path) -> dict[str, bytes]:
    """The bytes of every file of a site by its path, but for those that are ignored."""
    site = output / "site"
    found = {}
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_file() and not path.name.startswith(".") and name not in (DATABASE, TELLS_TIMES):
            found[name] = path.read_bytes()
    return found


def rows_of(database: Path) -> dict[str, set[str]]:
    """The rows of every table, without durations."""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        found: dict[str, set[str]] = {}
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = db.execute(f"SELECT * FROM {table}")
            names = [d[0] for d in cursor.description]
            held = set()
            for row in cursor:
                values = dict(zip(names, row, strict=True))
                values.pop("seconds", None)
                values.pop("inputs", None)
                if values.get("path") == TELLS_TIMES:
                    values.pop("digest")
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
    return [name for name, data in site_of(output).items() if all(data != site.get(name) for site in known)]


def left_over(output: Path) -> list[str]:
    """Part files and locks that nobody holds."""
    return [
        p.relative_to(output).as_posix()
        for p in sorted(output.rglob("*"))
        if p.name.startswith((".part-", ".calbook-part", ".calbook-journal"))
        or p == output / "store" / "lock"
    ]
