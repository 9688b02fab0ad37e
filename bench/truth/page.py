"""The guide's page of pulls: for each quantity what was simulated, and whether values and uncertainties are right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path

from analysis.procedures import builtin
from bench.truth import completeness
from bench.truth.case import Pulls
from bench.truth.completeness import ToldRates

HEAD = """# How do we know

Written by `make truth`. Frames are simulated with a known truth by code that the procedures share nothing with; the procedures measure them, many times over. The pull of a
value is its distance from the truth in units of its own uncertainty: if uncertainties are right, pulls have mean 0 and scatter 1. Figures are those of the
version of the procedure that stands beside them; those of earlier versions stay below.
"""


@dataclass(frozen=True)
class Told:
    """The figures of a case, ready to be kept and shown."""

    name: str
    procedure: str
    version: str
    quantity: str
    conditions: str
    estimator: str
    n: int
    mean: float
    mean_error: float
    scatter: float
    scatter_error: float
    bias: str
    wanted: str
    met: bool
    day: str


def told(pulls: Pulls) -> Told:
    """The figures of a case that was run."""
    case = pulls.case
    version = next(p.version for p in builtin() if p.name == case.procedure)
    relative, (off, error) = pulls.relative, pulls.bias
    bias = (
        f"{off:+.3g} ± {error:.2g}"
        if relative is None
        else f"{100 * relative[0]:+.3g} ± {100 * relative[1]:.2g} %"
    )
    wanted = [
        f"bias ≤ {limit:g}{unit}"
        for limit, unit in ((case.pull, " σ"), (100 * case.relative, " %"), (case.absolute, ""))
        if limit < inf
    ]
    joined = (" or " if case.any_of else " and ").join(wanted)
    return Told(
        case.name, case.procedure, version, case.quantity, case.conditions, case.estimator, pulls.n, pulls.mean, pulls.mean_error,
        pulls.scatter, pulls.scatter_error, bias, "; ".join(filter(None, (joined, f"scatter {case.scatter[0]:g}–{case.scatter[1]:g}"))),
        not pulls.faults(), f"{datetime.now(UTC):%Y-%m-%d}",
    )  # fmt: skip


def write_page(guide: Path, found: Sequence[Told], planted: Sequence[ToldRates] = ()) -> None:
    """Write ``truth.md``, and ``truth.json`` that it is made of, with the figures kept of cases, and of versions, that were not run now."""
    kept = guide / "truth.json"
    before = json.loads(kept.read_text("utf-8")) if kept.exists() else []
    held = {(t["name"], t["version"]): Told(**t) for t in before if "planted" not in t}
    held |= {(t.name, t.version): t for t in found}
    rates = {(t["name"], t["version"]): ToldRates(**t) for t in before if "planted" in t}
    rates |= {(t.name, t.version): t for t in planted}
    order = {p.name: n for n, p in enumerate(builtin())}
    rows = sorted((t for t in held.values() if t.procedure in order), key=partial(_place, order))
    more = sorted((t for t in rates.values() if t.procedure in order), key=partial(_place, order))
    kept.write_text(
        json.dumps([asdict(t) for t in (*rows, *more)], indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    parts = [HEAD]
    for procedure in sorted({t.procedure for t in (*rows, *more)}, key=order.__getitem__):
        parts.append(f"## {procedure.replace('_', ' ').capitalize()}\n")
        if of_pulls := [t for t in rows if t.procedure == procedure]:
            parts.append(table(of_pulls))
        if of_planted := [t for t in more if t.procedure == procedure]:
            parts.append(completeness.table(of_planted))
    (guide / "truth.md").write_text("\n".join(parts), "utf-8")


def _place(order: Mapping[str, int], t: Told | ToldRates) -> tuple[int, tuple[int, ...]]:
    """Procedures in their order, the latest version first."""
    return order[t.procedure], tuple(-int(part) for part in t.version.split("."))


def table(rows: Sequence[Told]) -> str:
    """The figures as a Markdown table."""
    heads = (
        "Quantity",
        "Simulated",
        "Values",
        "Bias",
        "Mean pull",
        "Scatter of the pulls",
        "Wanted",
        "Version, day",
    )
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    for t in rows:
        quantity = t.quantity.replace("_", " ") + (f" ({t.estimator})" if t.estimator else "")
        cells = (
            quantity, t.conditions, str(t.n), t.bias, f"{t.mean:+.2f} ± {t.mean_error:.2f}", f"{t.scatter:.2f} ± {t.scatter_error:.2f}",
            t.wanted + (": reached" if t.met else ": **not reached**"), f"{t.version}, {t.day}",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
