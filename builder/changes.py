"""What changed from one build to the next, in words, each change with the page to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from builder.digests import digest
from builder.judging import statements
from builder.render import addresses
from builder.report import Change, Outcome, Report
from builder.store import StoredResult

History = Mapping[tuple[str, str, str, str], Sequence[str]]


def state_of(report: Report) -> dict[str, Any]:
    """What a later build compares itself with: verdict and frames of each test, status of blocks, caveats.

    Values are not part of it: the results that the build shows are on record, and never change.
    """
    return {
        "tests": {t.test.key: [str(t.verdict), len(t.frames)] for t in report.tests()},
        "blocks": {b.block.id: b.block.status for b in report.blocks},
        "caveats": sorted({c.id for b in report.blocks for c in b.caveats}),
        "limits": {ident: digest(text) for ident, text in statements(report.campaign.limits).items()},
        "decisions": [[d.subject, d.decision, d.who, str(d.date)] for d in report.campaign.decisions],
    }


def changes_between(
    before: Mapping[str, Any],
    report: Report,
    history: History,
    earlier: Mapping[str, StoredResult],
) -> list[Change]:
    """What changed from the state of a build before to that of this report.

    ``history`` holds the results shown before, newest first, and ``earlier`` those of them that are no longer shown.
    """
    now = state_of(report)
    out = _blocks(before.get("blocks", {}), now["blocks"])
    old, new = before.get("tests", {}), now["tests"]
    for test in report.tests():
        key, page = test.test.key, addresses.test_page(test.block.id, test.test.name)
        verdict, frames = new[key]
        if key not in old:
            out.append(Change("new test", f"{key}: {verdict}", page))
            continue
        verdict0, frames0 = old[key][:2]
        if verdict != verdict0:
            out.append(Change("verdict", f"{key}: {verdict0} → {verdict}", page))
        if frames != frames0:
            out.append(Change("frames", f"{key}: {frames0} → {frames} frames", page))
        moved = [m for o in test.outcomes for m in _moved(o, history, earlier)]
        if moved:
            more = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
            name, value0, value = moved[0]
            out.append(Change("value", f"{key}: {name} {_short(value0)} → {_short(value)}{more}", page))
    out += [Change("test gone", key) for key in old if key not in new]
    known = set(before.get("caveats", ()))
    out += [Change("new caveat", c, addresses.caveat(c)) for c in now["caveats"] if c not in known]
    return (
        out
        + _limits(before.get("limits"), now["limits"])
        + _decisions(before.get("decisions"), now["decisions"])
    )


def _limits(before: Mapping[str, str] | None, now: Mapping[str, str]) -> list[Change]:
    """Limits that are new, gone or say something else; none where the build before did not note them."""
    if before is None:
        return []
    out = [
        Change(
            "new limit" if i not in before else "limit",
            i if i not in before else f"{i} changed",
            addresses.limit(i),
        )
        for i in now
        if before.get(i) != now[i]
    ]
    return out + [Change("limit gone", i) for i in before if i not in now]


def _decisions(before: Sequence[Sequence[str]] | None, now: Sequence[Sequence[str]]) -> list[Change]:
    if before is None:
        return []
    known = {tuple(d) for d in before}
    return [
        Change("decision", f"{subject}: {decision} by {who}", addresses.CERTIFICATION)
        for subject, decision, who, day in now
        if (subject, decision, who, day) not in known
    ]


def _blocks(before: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    out = []
    for block, status in now.items():
        earlier = before.get(block)
        if earlier is None:
            out.append(Change("new block", block, addresses.block_page(block)))
        elif earlier != status:
            out.append(Change("block status", f"{block}: {earlier} → {status}", addresses.block_page(block)))
    return out


def _moved(
    outcome: Outcome, history: History, earlier: Mapping[str, StoredResult]
) -> list[tuple[str, float | None, float | None]]:
    """The values of an outcome that differ from those shown last in its place: (what, before, now)."""
    last = next(iter(history.get(outcome.place, ())), "")
    if not last or last == outcome.result_id or last not in earlier:
        return []
    old = {(m.quantity, m.channel, m.setting): m.value for m in earlier[last].measurements}
    out = []
    for judged in outcome.measurements:
        m = judged.measurement
        place = (m.quantity, m.channel, m.setting)
        if place in old and old[place] != m.value:
            words = f"{outcome.procedure.name}.{m.quantity} {outcome.detector} {m.channel or ''} {m.setting}"
            out.append((words.strip(), old[place], m.value))
    return out


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
