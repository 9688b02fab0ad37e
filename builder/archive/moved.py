"""Which numbers of the present site a report version published otherwise: one pass over the version's own table.

A version never changes, so what was found is kept by its seal, with a digest of the present numbers: a build that measured
nothing new opens no version's table at all.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from builder.archive.bag import PAYLOAD
from builder.archive.compare import Moved, measured_otherwise
from builder.archive.compared import by_weight, is_large, sigmas
from builder.archive.contents import Contents, read_contents
from builder.archive.edition import COLUMNS, Edition, Key, Number
from builder.archive.errors import ArchiveError
from builder.archive.versions import Version
from builder.digests import digest
from builder.measurement_tables import measurement_rows
from builder.published import MovedNumber
from builder.render.addresses import MEASUREMENTS_CSV
from builder.render.format import number as shown
from builder.report import Outcome, Report
from campaign.frozen import dataclass

_VALUE, _UNCERTAINTY, _UNIT = (COLUMNS.index(name) for name in ("value", "uncertainty", "unit"))
_FORMAT = 1


@dataclass(frozen=True)
class Since:
    """What a version published otherwise; how many of its measurements are gone, and how many there are more."""

    moved: tuple[MovedNumber, ...] = ()
    gone: int = 0
    added: int = 0


class PresentNumbers:
    """The numbers of a report, to compare versions with, whichever those are."""

    def __init__(self, report: Report) -> None:
        self._report = report

    @cached_property
    def numbers(self) -> dict[Key, Number]:
        """As ``measurements.csv`` will have them."""
        return {(n[0], n[1], n[2], n[3], n[4], n[5], n[6]): n for n in self._told()}

    def _told(self) -> Iterator[Number]:
        from builder.measurement_tables import COLUMNS as EXPORTED

        pick = itemgetter(*(EXPORTED.index(name) for name in COLUMNS))
        for row in measurement_rows(self._report):
            yield Number._make("" if v is None else str(v) for v in pick(row))

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """Outcomes by result id."""
        return {o.result_id: o for o in self._report.outcomes() if o.result_id}

    @cached_property
    def digest(self) -> str:
        """What the values are: a verdict or a limit is no part of it."""
        each = (
            (n[:10], n.measurement_id) for n in self._told()
        )  # never all at once, as ``numbers`` has them
        return digest(_FORMAT, [digest(some) for some in iter(lambda: list(islice(each, 1000)), [])])

    @cached_property
    def pages(self) -> dict[str, str]:
        """Addresses of measurements by their id."""
        return {j.id: j.page for o in self.outcomes.values() for j in o.measurements}

    def edition(self, results: set[str]) -> Edition:
        """The present as an edition that knows what these results were made of."""
        places: dict[tuple[str, str], int] = {}
        held: dict[str, dict[str, Any]] = {}
        for ident in sorted(results & self.outcomes.keys()):
            o = self.outcomes[ident]
            roles: dict[str, list[int]] = {}
            for role, frame in o.inputs:
                key = (f"{frame.file.root}/{frame.file.path}", frame.file.fingerprint)
                roles.setdefault(role, []).append(places.setdefault(key, len(places)))
            held[ident] = {
                "procedure": o.procedure.name, "version": o.procedure.version, "parameters": dict(o.parameters),
                "used": [list(u) for u in o.used], "inputs": roles, "code": o.versions.get("analysis code", ""),
            }  # fmt: skip
        contents = Contents(tuple((path, -1, mark, True) for path, mark in places), held, {})
        return Edition("the present site", "now", Path(), contents, self.numbers)


def moved_since(version: Version, present: PresentNumbers, kept: Path) -> Since:
    """What a version published otherwise; from ``kept``, a folder of earlier answers, where nothing moved since.

    Raises ArchiveError when the version's numbers cannot be read.
    """
    answer = kept / f"{version.seal}.json"
    if (known := _known(answer, present.digest)) is not None:
        return known
    found = _compared(version, present)
    kept.mkdir(parents=True, exist_ok=True)
    from builder.store import write_atomically

    write_atomically(answer, json.dumps({"present": present.digest, **asdict(found)}).encode())
    return found


def tidy(kept: Path, seals: set[str]) -> None:
    """Remove answers about versions that are there no longer."""
    for path in kept.glob("*.json"):
        if path.stem not in seals:
            path.unlink(missing_ok=True)


def _known(path: Path, present: str) -> Since | None:
    try:
        held = json.loads(path.read_bytes())
        if held["present"] != present:
            return None
        moved = tuple(MovedNumber(**{**m, "because": tuple(m["because"])}) for m in held["moved"])
        return Since(moved, int(held["gone"]), int(held["added"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _compared(version: Version, present: PresentNumbers) -> Since:
    """One pass over the version's table; what its results were made of is read only where a number moved."""
    now, moved, seen, gone = present.numbers, [], 0, 0
    path = version.site / MEASUREMENTS_CSV
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            head = next(rows)
            pick = itemgetter(*(head.index(name) for name in COLUMNS))
            for row in map(pick, rows):
                other = now.get(row[:7])
                if other is None:
                    gone += 1
                    continue
                seen += 1
                if (
                    row[_VALUE] != other.value
                    or row[_UNCERTAINTY] != other.uncertainty
                    or row[_UNIT] != other.unit
                ):
                    moved.append((Number._make(row), other))
    except OSError as error:
        raise ArchiveError(f"its numbers cannot be read: {error.strerror or error}") from None
    except (ValueError, StopIteration, IndexError, csv.Error) as error:
        raise ArchiveError(f"its table of measurements is damaged ({error})") from None
    said = _said(version, present, moved) if moved else ()
    return Since(said, gone, len(now) - seen)


def _said(
    version: Version, present: PresentNumbers, moved: list[tuple[Number, Number]]
) -> tuple[MovedNumber, ...]:
    before = Edition(
        version.name, str(version.number), version.site, read_contents(version.folder / PAYLOAD), {}
    )
    after = present.edition({now.result for _, now in moved})
    reasons: dict[tuple[str, str], tuple[str, ...]] = {}
    found = [measured_otherwise(then, now, before, after, reasons) for then, now in moved]
    return tuple(_told(m, present.pages) for m in by_weight(found))


def _told(m: Moved, pages: Mapping[str, str]) -> MovedNumber:
    a, b = m.before, m.after
    before, after = _text(a), _text(b)
    if before == after:  # it moved in digits that pages do not show
        before, after = f"{a.value or 'none'} ± {a.uncertainty or 'none'}", f"{b.value or 'none'} ± {b.uncertainty or 'none'}"  # fmt: skip
    return MovedNumber(
        b.measurement_id, pages.get(b.measurement_id, ""), b.block, b.test, b.procedure, b.quantity,
        " ".join(w for w in (b.detector, b.channel, b.setting) if w), before, after,
        b.unit if a.unit == b.unit else f"{b.unit} (was {a.unit})", f"{a.value} {a.uncertainty} {a.unit}",
        f"{b.value} {b.uncertainty} {b.unit}", sigmas(m), float(m.sigma or m.sigma_independent or 0.0), is_large(m),
        tuple(r for r in m.because if not r.startswith("limit: ")),  # limits say nothing of a value
    )  # fmt: skip


def _text(n: Number) -> str:
    if not n.value:
        return "no value"
    return shown(float(n.value), float(n.uncertainty) if n.uncertainty else None).text
