"""What changed between two editions beside the numbers: limits, caveats, inputs, procedures, record rows, findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from builder.archive.edition import Edition
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Change:
    """One thing that was added, gone or changed. ``page`` is an address in the later site, ``test`` 'block/test'."""

    kind: str
    what: str
    detail: str = ""
    because: tuple[str, ...] = ()
    page: str = ""
    test: str = ""


def limits(before: Edition, after: Edition) -> tuple[Change, ...]:
    """Limits by their id, with the fields that changed."""
    return _by_id(before.contents.facts["limits"], after.contents.facts["limits"], "quantity")


def caveats(before: Edition, after: Edition) -> tuple[Change, ...]:
    """Caveats by their id, with the fields that changed."""
    return _by_id(before.contents.facts["caveats"], after.contents.facts["caveats"], "text")


def inputs(before: Edition, after: Edition) -> tuple[Change, ...]:
    """Input files by path and fingerprint: added, gone, changed, and moved where the same content has a new place."""
    a = {path: digest for path, _, digest, _ in before.contents.inputs}
    b = {path: digest for path, _, digest, _ in after.contents.inputs}
    gone = {digest: path for path, digest in a.items() if path not in b and digest}
    out, moved = [], set()
    for path, digest in b.items():
        if path not in a:
            if digest in gone:
                moved.add(gone[digest])
                out.append(Change("moved", path, f"was {gone[digest]}"))
            else:
                out.append(Change("added", path, digest))
        elif a[path] != digest:
            out.append(Change("changed", path, f"{a[path] or 'never read'} → {digest or 'never read'}"))
    out += [Change("gone", path, digest) for path, digest in a.items() if path not in b and path not in moved]
    return tuple(out)


def procedures(before: Edition, after: Edition) -> tuple[Change, ...]:
    """Procedures by the versions that the shown results were made with."""
    a, b = (_procedure_versions(e) for e in (before, after))
    out = [Change("added", name, f"version {b[name]}") for name in b if name not in a]
    out += [Change("gone", name, f"version {a[name]}") for name in a if name not in b]
    out += [Change("changed", n, f"version {a[n]} → {b[n]}") for n in b if n in a and a[n] != b[n]]
    return tuple(out)


def record(before: Edition, after: Edition) -> tuple[Change, ...]:
    """Rows of the record sources that were added, gone or edited, cell by cell."""
    a, b = before.contents.facts["record"], after.contents.facts["record"]
    out = [
        Change("added", f"source {name}", f"{len(t['rows'])} rows") for name, t in b.items() if name not in a
    ]
    out += [
        Change("gone", f"source {name}", f"{len(t['rows'])} rows") for name, t in a.items() if name not in b
    ]
    tests = _tests_by_name(after)
    for source in b:
        if source in a:
            out += _rows(source, a[source], b[source], tests)
    return tuple(out)


def findings(before: Edition, after: Edition) -> tuple[Change, ...]:
    """Findings that came and went."""
    a, b = (
        Counter((f["kind"], f["where"], f["what"]) for f in e.contents.facts["findings"])
        for e in (before, after)
    )
    out = [Change("added", f"{kind}: {where}" if where else kind, what) for kind, where, what in (b - a)]
    out += [Change("gone", f"{kind}: {where}" if where else kind, what) for kind, where, what in (a - b)]
    return tuple(out)


def versions_of(before: Edition, after: Edition) -> tuple[Change, ...]:
    """Versions of calbook, Python and the libraries of the two builds."""
    a, b = before.contents.facts["versions"], after.contents.facts["versions"]
    return tuple(
        Change("changed", name, f"{a.get(name, 'none')} → {b.get(name, 'none')}")
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name)
    )


def _procedure_versions(edition: Edition) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for result in edition.contents.results.values():
        found.setdefault(result["procedure"], set()).add(result["version"])
    return {name: ", ".join(sorted(held)) for name, held in sorted(found.items())}


def _by_id(a: Iterable[Mapping[str, Any]], b: Iterable[Mapping[str, Any]], says: str) -> tuple[Change, ...]:
    left, right = _numbered(a), _numbered(b)
    out = [Change("added", k, _words(v[says])) for k, v in right.items() if k not in left]
    out += [Change("gone", k, _words(v[says])) for k, v in left.items() if k not in right]
    for name, now in right.items():
        then = left.get(name)
        if then is not None and then != now:
            parts = [
                f"{key}: {_words(then.get(key))} → {_words(now.get(key))}"
                for key in {**then, **now}
                if then.get(key) != now.get(key)
            ]
            out.append(Change("changed", name, "; ".join(parts)))
    return tuple(out)


def _numbered(held: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """By id; the second of one id gets a number, as limits of several quantities may share a requirement."""
    out: dict[str, Mapping[str, Any]] = {}
    seen: Counter[str] = Counter()
    for item in held:
        seen[item["id"]] += 1
        out[item["id"] if seen[item["id"]] == 1 else f"{item['id']} ({seen[item['id']]})"] = item
    return out


def _rows(source: str, a: Mapping[str, Any], b: Mapping[str, Any], tests: Mapping[str, str]) -> list[Change]:
    shared = [c for c in b["columns"] if c in a["columns"]]
    left, right = _table(a), _table(b)
    key = next((c for c in shared if _names_rows(left, c) and _names_rows(right, c)), None)
    pairs = _paired(left, right, key)
    out = []
    for then, now in pairs:
        row = now or then
        assert row is not None
        name = row[1].get(key, "") if key else ""
        what = f"{source}, row {row[0]}" + (f" ({name})" if name else "")
        test = next((tests[v] for v in row[1].values() if v in tests), "")
        if then is None or now is None:
            out.append(Change("gone" if now is None else "added", what, _short(row[1]), test=test))
            continue
        parts = [
            f"{column}: {then[1].get(column, '') or 'empty'} → {now[1].get(column, '') or 'empty'}"
            for column in {**then[1], **now[1]}
            if then[1].get(column, "") != now[1].get(column, "")
        ]
        if parts:
            out.append(Change("changed", what, "; ".join(parts), test=test))
    return out


Row = tuple[int, dict[str, str]]


def _table(table: Mapping[str, Any]) -> list[Row]:
    columns = table["columns"]
    return [
        (
            number,
            {
                c: _words(cell[1]) if cell and cell[1] is not None else ""
                for c, cell in zip(columns, row, strict=True)
            },
        )
        for number, row in zip(table["row_numbers"], table["rows"], strict=True)
    ]


def _names_rows(rows: list[Row], column: str) -> bool:
    """Whether a column names the rows: a text in each, no two alike, and no numbers."""
    values = [row[column] for _, row in rows]
    return (
        all(values)
        and len(set(values)) == len(values)
        and not any(v.replace(".", "").isdecimal() for v in values)
    )


def _paired(left: list[Row], right: list[Row], key: str | None) -> list[tuple[Row | None, Row | None]]:
    """Rows of the one table with those of the other: by name, else by their place in the sheet."""

    def name(row: Row) -> str | int:
        return row[1][key] if key else row[0]

    a, b = {name(r): r for r in left}, {name(r): r for r in right}
    lost = {r[0]: r for k, r in a.items() if k not in b}
    out: list[tuple[Row | None, Row | None]] = []
    for k, row in b.items():
        # a row whose name was edited is the same row, if it is still in its place
        out.append((a[k], row) if k in a else (lost.pop(row[0], None), row))
    return out + [(row, None) for row in lost.values()]


def _tests_by_name(edition: Edition) -> dict[str, str]:
    """'block/test' by the test's name, for names that only one block has."""
    count = Counter(t["name"] for t in edition.tests.values())
    return {t["name"]: key for key, t in edition.tests.items() if count[t["name"]] == 1}


def _words(value: object) -> str:
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("date", "datetime", "float"):
        value = next(iter(value.values()))
    if isinstance(value, dict):
        return (
            "; ".join(f"{k} {_words(v)}" for k, v in value.items() if v not in (None, [], "")) or "everything"
        )
    if isinstance(value, list | tuple):
        return ", ".join(_words(v) for v in value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "none" if value is None else str(value)


def _short(row: Mapping[str, str]) -> str:
    return "; ".join(f"{c}: {v}" for c, v in row.items() if v)[:200]
