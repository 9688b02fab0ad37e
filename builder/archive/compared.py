"""A comparison as text, as JSON and as a page."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from builder.archive import pages
from builder.archive.compare import Comparison, Moved
from builder.archive.edition import Number
from builder.archive.records import Change

TITLES = {
    "tests": "Tests", "limits": "Limits", "caveats": "Caveats", "procedures": "Procedures", "record": "Record rows",
    "inputs": "Input files", "findings": "Findings", "software": "Software",
}  # fmt: skip
LARGE = 3.0
"""Significance from which a difference is marked."""
MOST_ON_PAGE = 2000
"""Rows of a table on the page; all of them are in the JSON."""


def lines(compared: Comparison, most: int) -> list[str]:
    """The comparison as lines of text, ``most`` of each kind (0 for all)."""
    out = [f"{compared.before.name} → {compared.after.name}"]
    if compared.same:
        return [*out, "Nothing changed."]
    held: list[tuple[str, list[str]]] = [
        ("Tests", [_change(c) for c in compared.tests]),
        ("Verdicts of measurements", [_verdict(m) for m in compared.verdicts]),
        ("Measurements", [_moved(m) for m in by_weight(compared.moved) if "value" in m.fields or "uncertainty" in m.fields]),
        ("Measurements added", [f"{n.block}/{n.test} {n.name}" for n in compared.added]),
        ("Measurements gone", [f"{n.block}/{n.test} {n.name}" for n in compared.gone]),
        *((TITLES[kind], [_change(c) for c in changes]) for kind, changes in compared.others.items()),
    ]  # fmt: skip
    for title, found in held:
        if found:
            out.append(f"{title}: {len(found)}")
            shown = found[:most] if most else found
            out += [f"  {line}" for line in shown]
            out += [f"  … and {len(found) - len(shown)} more"] * (len(shown) < len(found))
    return out


def to_json(compared: Comparison) -> dict[str, Any]:
    """The comparison as JSON values; ``format`` rises when a field changes its meaning."""
    return {
        "format": 1,
        "before": compared.before.name,
        "after": compared.after.name,
        "measurements": [
            {
                **_place(m.after),
                "before": _said(m.before),
                "after": _said(m.after),
                "changed": m.fields,
                "difference": m.difference,
                "sigma_independent": m.sigma_independent,
                "sigma": m.sigma,
                "shared_inputs": m.shared,
                "same_inputs": m.same_inputs,
                "because": m.because,
            }
            for m in compared.moved
        ],
        "measurements_added": [{**_place(n), **_said(n)} for n in compared.added],
        "measurements_gone": [{**_place(n), **_said(n)} for n in compared.gone],
        "tests": [_json(c) for c in compared.tests],
        **{kind: [_json(c) for c in changes] for kind, changes in compared.others.items()},
    }


def counts_of(compared: Comparison) -> dict[str, int]:
    """How much changed, by kind; kinds of which nothing changed are left out."""
    values = [m for m in compared.moved if "value" in m.fields or "uncertainty" in m.fields]
    held = {
        "tests": len(compared.tests),
        "verdicts": len(compared.verdicts),
        "measurements": len(values),
        "measurements added": len(compared.added),
        "measurements gone": len(compared.gone),
        **{kind: len(changes) for kind, changes in compared.others.items()},
    }
    return {kind: count for kind, count in held.items() if count}


def write_page(compared: Comparison, place: Path) -> Path:
    """Write the page, and all of it as JSON beside, into the folder of versions. Returns the page."""
    from builder.store import write_atomically

    name = pages.compare_page(compared.before.token, compared.after.token)
    data = name.replace(".html", ".json")
    write_atomically(place / data, pages.as_json(to_json(compared)))
    ways = {side: os.path.relpath(getattr(compared, side).site, place) for side in ("before", "after")}
    valued = [m for m in by_weight(compared.moved) if "value" in m.fields or "uncertainty" in m.fields]
    context = {
        "c": compared, "titles": TITLES, "most": MOST_ON_PAGE, "large": is_large, "data": data, "ways": ways,
        "valued": valued, "verdicts": compared.verdicts, "sigmas": sigmas,
    }  # fmt: skip
    write_atomically(place / name, pages.draw("compare.html.j2", context))
    return place / name


def by_weight(moved: Iterable[Moved]) -> list[Moved]:
    """The largest significance first; of those without one, those that noise cannot explain before the others."""
    return sorted(moved, key=lambda m: (-(m.sigma or m.sigma_independent or 0.0), not m.same_inputs))


def is_large(m: Moved) -> bool:
    """Whether a difference is marked."""
    return (m.sigma or m.sigma_independent or 0.0) >= LARGE


def sigmas(m: Moved) -> str:
    """How much it moved, in words: '3.1 σ (2.2 σ if independent)'."""
    if m.sigma_independent is None:
        return "no uncertainty" if m.difference is not None else "no value on one side"
    if m.same_inputs:
        return f"same frames: not noise ({m.sigma_independent:.2g} σ if independent)"
    if m.sigma is None or not m.shared:
        return f"{m.sigma_independent:.2g} σ"
    return f"{m.sigma:.2g} σ ({m.sigma_independent:.2g} σ if independent)"


def _moved(m: Moved) -> str:
    a, b = m.before, m.after
    return f"{b.block}/{b.test} {b.name}: {_value(a)} → {_value(b)} {b.unit}, {sigmas(m)}; because: {'; '.join(m.because)}"


def _verdict(m: Moved) -> str:
    b = m.after
    return f"{b.block}/{b.test} {b.name}: {m.before.verdict} → {b.verdict}; because: {'; '.join(m.because)}"


def _value(n: Number) -> str:
    if not n.value:
        return "none"
    return f"{float(n.value):.6g}" + (f" ± {float(n.uncertainty):.2g}" if n.uncertainty else "")


def _change(c: Change) -> str:
    detail = f": {c.detail}" if c.detail else ""
    because = f"; because: {'; '.join(c.because)}" if c.because else ""
    return f"{c.kind:<8}{c.what}{detail}{because}"


def _place(n: Number) -> dict[str, str]:
    return {
        key: getattr(n, key)
        for key in ("block", "test", "procedure", "quantity", "detector", "channel", "setting")
    }


def _said(n: Number) -> dict[str, Any]:
    def number(text: str) -> float | None:
        return float(text) if text else None

    return {
        "value": number(n.value), "uncertainty": number(n.uncertainty), "unit": n.unit, "n": int(n.n),
        "flags": n.flags.split(), "verdict": n.verdict, "limit_id": n.limit_id or None,
        "limit_low": number(n.limit_low), "limit_high": number(n.limit_high), "result_id": n.measurement_id,
    }  # fmt: skip


def _json(c: Change) -> dict[str, Any]:
    held = {
        "kind": c.kind,
        "what": c.what,
        "detail": c.detail,
        "because": c.because,
        "page": c.page,
        "test": c.test,
    }
    return {k: v for k, v in held.items() if v}
