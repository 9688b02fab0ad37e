"""What changed between two editions: first the measurements, with how much they moved and because of what.

**Significance.** A difference is set against the standard uncertainty of the difference,
√(u₁² + u₂² − 2ρ u₁ u₂). With ρ = 0, as for independent measurements, it is ``sigma_independent``. But two editions
mostly measure the same frames: of n₁ and n₂ frames with k in common, means of them correlate with
ρ = k / √(n₁ n₂), and ``sigma`` uses that. (If one frame is added to n, the variance of the difference is u₁² − u₂², not
u₁² + u₂².) A quantity may rest on the frames of one role only: ρ is taken for each role, and from the numbers of samples
(√(n₁ / n₂) for the one a part of the other), and the smallest counts, so that no significance is overstated for that
reason. With all frames in common ρ is 1 and noise cannot explain any difference: there is no ``sigma``, and
``same_inputs`` says that the change is of the analysis. What else both have in common (a gain that both use, flats that
are systematically wrong) is not in ρ: where that is large, the true significance is larger.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from builder.archive.edition import Edition, Number
from builder.archive.records import Change, caveats, findings, inputs, limits, procedures, record, versions_of
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Moved:
    """A measurement that differs. ``because`` says what of its making or judging changed; see the module for sigma."""

    before: Number
    after: Number
    difference: float | None
    sigma_independent: float | None
    sigma: float | None
    shared: float | None
    same_inputs: bool
    because: tuple[str, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """What of it differs: value, uncertainty, verdict, limit, flags."""
        a, b = self.before, self.after
        parts = {
            "value": a.value != b.value,
            "uncertainty": a.uncertainty != b.uncertainty,
            "verdict": a.verdict != b.verdict,
            "limit": _limit(a) != _limit(b),
            "flags": a.flags != b.flags,
        }
        return tuple(name for name, differs in parts.items() if differs)


@dataclass(frozen=True)
class Comparison:
    """All that changed from one edition to another."""

    before: Edition
    after: Edition
    moved: tuple[Moved, ...] = ()
    added: tuple[Number, ...] = ()
    gone: tuple[Number, ...] = ()
    tests: tuple[Change, ...] = ()
    others: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return not (self.moved or self.added or self.gone or self.tests or any(self.others.values()))

    @property
    def verdicts(self) -> tuple[Moved, ...]:
        """The measurements whose verdict changed."""
        return tuple(m for m in self.moved if m.before.verdict != m.after.verdict)


def compare(before: Edition, after: Edition) -> Comparison:
    """Compare two editions of one campaign. Everything is in the order of the later one, then of the earlier."""
    reasons: dict[tuple[str, str], tuple[str, ...]] = {}
    moved = []
    for key, now in after.numbers.items():
        then = before.numbers.get(key)
        if then is not None and then[7:16] != now[7:16]:
            moved.append(measured_otherwise(then, now, before, after, reasons))
    added = tuple(n for key, n in after.numbers.items() if key not in before.numbers)
    gone = tuple(n for key, n in before.numbers.items() if key not in after.numbers)
    rows = record(before, after)
    others = {
        "limits": limits(before, after),
        "caveats": caveats(before, after),
        "inputs": inputs(before, after),
        "procedures": procedures(before, after),
        "record": rows,
        "findings": findings(before, after),
        "software": versions_of(before, after),
    }
    return Comparison(
        before, after, tuple(moved), added, gone, _tests(before, after, moved, rows, added, gone), others
    )


def measured_otherwise(
    then: Number, now: Number, before: Edition, after: Edition, known: dict[tuple[str, str], tuple[str, ...]]
) -> Moved:
    """How much a measurement moved and because of what; ``known`` remembers the reasons of pairs of results."""
    pair = (then.result, now.result)
    if pair not in known:
        known[pair] = _why_measured(pair, before, after)
    because = list(known[pair])
    if _limit(then) != _limit(now):
        because.append(f"limit: {_limit(then)} → {_limit(now)}")
    if not because:
        because.append("the same result, judged otherwise" if then.value == now.value else "altered by hand")
    share = _share(then, now, before, after)
    a, b = _float(then.value), _float(now.value)
    if a is None or b is None or then.unit != now.unit:
        return Moved(then, now, None, None, None, share, share == 1, tuple(because))
    independent, sigma = significance(
        b - a, _float(then.uncertainty), _float(now.uncertainty), share if share is not None else 0.0
    )
    return Moved(then, now, b - a, independent, sigma, share, share == 1, tuple(because))


def significance(
    difference: float, u1: float | None, u2: float | None, shared: float
) -> tuple[float | None, float | None]:
    """(as if independent, with the shared inputs): |difference| over the uncertainty of the difference.

    ``shared`` is ρ, from 0 to 1. None where there is no uncertainty, or where all inputs are shared: noise explains
    nothing then.
    """
    if u1 is None or u2 is None or u1 + u2 <= 0:
        return None, None
    independent = abs(difference) / math.hypot(u1, u2)
    if shared >= 1:
        return independent, None
    return independent, abs(difference) / math.sqrt(u1 * u1 + u2 * u2 - 2 * shared * u1 * u2)


def _share(then: Number, now: Number, before: Edition, after: Edition) -> float | None:
    """ρ of two measurements by the frames that they have in common, see the module; None if those are not known."""
    if then.result == now.result:
        return 1.0
    a, b = before.inputs_of.get(then.result, {}), after.inputs_of.get(now.result, {})
    shares = [overlap(a.get(role, frozenset()), b.get(role, frozenset())) for role in {**a, **b}]
    if not shares:
        return None
    if min(shares) == 1:
        return 1.0
    n1, n2 = float(then.n), float(now.n)
    return min(*shares, math.sqrt(min(n1, n2) / max(n1, n2)) if n1 and n2 else 1.0)


def overlap(a: frozenset[tuple[str, str]], b: frozenset[tuple[str, str]]) -> float:
    """k / √(n₁ n₂) of two sets of frames (path, digest). A frame is known by its content: moved, it is the same."""
    left, right = {digest for _, digest in a}, {digest for _, digest in b}
    if not left or not right:
        return 0.0
    return 1.0 if left == right else len(left & right) / math.sqrt(len(left) * len(right))


def _why_measured(pair: tuple[str, str], before: Edition, after: Edition) -> tuple[str, ...]:
    """What of the making of two results differs, in words; nothing for the same result."""
    if pair[0] == pair[1]:
        return ()
    a: Mapping[str, Any] | None = before.contents.results.get(pair[0])
    b: Mapping[str, Any] | None = after.contents.results.get(pair[1])
    if a is None or b is None:
        return ("measured anew",)
    why = []
    if a["version"] != b["version"]:
        why.append(f"procedure {b['procedure']}: version {a['version']} → {b['version']}")
    pa, pb = a["parameters"], b["parameters"]
    for name in sorted(pa.keys() | pb.keys()):
        if pa.get(name) != pb.get(name):
            why.append(f"parameter {name}: {pa.get(name, 'none')} → {pb.get(name, 'none')}")
    frames_a, frames_b = (
        frozenset().union(*held.values()) for held in (before.inputs_of[pair[0]], after.inputs_of[pair[1]])
    )
    files = _files_changed(frames_a, frames_b)
    if files:
        why.append(f"frames: {files}")
    used_a, used_b = ({tuple(u) for u in r["used"]} for r in (a, b))
    if used_a != used_b:
        what = sorted({str(u[0]) for u in used_a ^ used_b})
        why.append(f"values that it uses: {', '.join(what)}")
    if not why and a["code"] != b["code"]:
        why.append("measured anew with other analysis code")
    return tuple(why) or (
        "measured anew: its declaration, its setting or what is known of its frames changed",
    )


def _files_changed(a: frozenset[tuple[str, str]], b: frozenset[tuple[str, str]]) -> str:
    left, right = {d for _, d in a}, {d for _, d in b}
    if left == right:
        return ""
    gone, new = {p for p, d in a if d not in right}, {p for p, d in b if d not in left}
    words = {"changed": len(gone & new), "added": len(new - gone), "gone": len(gone - new)}
    return ", ".join(f"{count} {word}" for word, count in words.items() if count)


def _tests(
    before: Edition,
    after: Edition,
    moved: list[Moved],
    rows: tuple[Change, ...],
    added: tuple[Number, ...],
    gone: tuple[Number, ...],
) -> tuple[Change, ...]:
    """Tests added, gone, or with another verdict, status or number of frames, and because of what."""
    out = [
        Change("added", key, t["verdict"], page=t["page"])
        for key, t in after.tests.items()
        if key not in before.tests
    ]
    out += [Change("gone", key, t["verdict"]) for key, t in before.tests.items() if key not in after.tests]
    why: dict[str, Counter[str]] = {}
    for m in moved:
        if m.before.verdict != m.after.verdict:
            why.setdefault(f"{m.after.block}/{m.after.test}", Counter()).update(m.because)
    numbers = Counter(f"{n.block}/{n.test}" for n in added), Counter(f"{n.block}/{n.test}" for n in gone)
    edited = {c.test: c for c in rows if c.test}
    for key, now in after.tests.items():
        then = before.tests.get(key)
        if then is None:
            continue
        parts = [
            f"{name} {then[name]} → {now[name]}"
            for name in ("verdict", "status", "frames", "expected", "session")
            if then[name] != now[name]
        ]
        if not parts:
            continue
        reasons = [reason for reason, _ in why.get(key, Counter()).most_common()]
        reasons += [f"{numbers[0][key]} measurements added"] * bool(numbers[0][key])
        reasons += [f"{numbers[1][key]} measurements gone"] * bool(numbers[1][key])
        reasons += [f"record: {edited[key].detail}"] if key in edited else []
        out.append(Change("changed", key, "; ".join(parts), because=tuple(reasons), page=now["page"]))
    return tuple(out)


def _limit(number: Number) -> str:
    if not (number.limit_id or number.limit_low or number.limit_high):
        return "none"
    return f"{number.limit_id} [{number.limit_low or '−∞'}, {number.limit_high or '∞'}]"


def _float(text: str) -> float | None:
    return float(text) if text else None
