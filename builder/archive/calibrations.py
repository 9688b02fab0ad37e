"""The calibrations of a campaign by date: tests that a procedure measured, with the products that it made of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from builder.archive.bag import PAYLOAD
from builder.archive.edition import Edition, edition_of, present
from builder.archive.versions import read_version
from campaign.frozen import dataclass
from campaign.names import slug


@dataclass(frozen=True)
class Calibration:
    """One detector of one test that a procedure measured. ``date`` is the test's day, or its block's first.

    ``page`` is the test's page and ``products`` the products' files, as paths on this machine.
    """

    date: date
    block: str
    test: str
    detector: str
    procedure: str
    result: str
    page: Path
    products: tuple[Path, ...]


def calibrations(
    what: Path, procedure: str, detector: str = "", output: Path | None = None
) -> list[Calibration]:
    """What a procedure measured, by date: of the present site of a campaign folder, or of a version's folder.

    Tests without any date are left out. Choose among them with ``before``, ``after`` and ``nearest`` of this package, by
    ``lambda c: c.date``. Raises ArchiveError.
    """
    archived = (what / PAYLOAD).is_dir() and not (what / "campaign.toml").exists()
    edition: Edition = edition_of(read_version(what)) if archived else present(what, output)
    out = []
    for ident, result in edition.contents.results.items():
        test = edition.tests.get(f"{result['block']}/{result['test']}")
        if test is None or not test["date"] or result["status"] != "done" or result["procedure"] != procedure:
            continue
        if detector and result["detector"] != detector:
            continue
        day = date.fromisoformat(test["date"])
        folder = edition.site / "products" / slug(result["block"]) / slug(result["test"])
        stem = f"{slug(result['detector'])}_{slug(procedure)}"
        products = tuple(
            path for name in sorted(result["products"]) for path in sorted(folder.glob(f"{stem}_{name}.*"))
        )
        out.append(
            Calibration(
                day, result["block"], result["test"], result["detector"], procedure, ident,
                edition.site / test["page"], products,
            )
        )  # fmt: skip
    return sorted(out, key=lambda c: (c.date, c.block, c.test, c.detector))
