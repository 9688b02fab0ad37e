"""From the decisions of people and the campaign's rules to what is certified, and what is wrong with decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property

from builder.certified import OUTDATED, REPLACED, STANDS, Certification, Certified, Count, outcome_subject
from builder.digests import digest
from builder.report import BlockReport, Outcome, TestReport, Verdict
from campaign.certification import JUDGING, RULE, Decision, around, frame_subject, subject
from campaign.certification_file import NAME, reasons
from campaign.checked import nearest
from campaign.findings import Finding
from campaign.model import Campaign, CertificationRule

JUDGED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL})
"""Verdicts that a limit gave."""


def result_of_test(test: TestReport) -> str:
    """The id of all results of a test: it moves when one of them does. Without any, that of its frames; '' for neither."""
    held = [(o.place, o.result_id) for o in test.outcomes if o.result_id]
    if held:
        return result_of_places(held)
    return digest([f.id for f in test.frames]) if test.frames else ""


def result_of_places(held: Sequence[tuple[tuple[str, str, str, str], str]]) -> str:
    """The id of several results together, given each with its place, in the order of the test's analyses."""
    return digest(held)


def decide(campaign: Campaign, blocks: Sequence[BlockReport]) -> tuple[Certification, list[Finding]]:
    """What is certified in these blocks; and a finding for each decision that is outdated or about nothing."""
    results, aliases = _results(blocks)
    parts = _Parts(blocks)
    places: dict[str, list[Decision]] = {}
    lost: list[Decision] = []
    findings: list[Finding] = []
    for decision in campaign.decisions:
        address = aliases.get(decision.subject, decision.subject)
        if address in results or parts.has(address):
            places.setdefault(address, []).append(decision)
        else:
            lost.append(decision)
            findings.append(_about_nothing(decision, address, results))
    ruled = dict(_rules(campaign, blocks, places))
    about: dict[str, tuple[Certified, ...]] = {}
    for address, held in places.items():
        about[address] = tuple(_states(held, result_now(results, address)))
        findings += _outdated(about[address], address, parts)
    for address, decision in ruled.items():
        about[address] = (*about.get(address, ()), Certified(decision))
    counts = {(b.block.id, t.test.name): _count(t, about) for b in blocks for t in b.tests}
    made = Certification(
        about, tuple(Certified(d) for d in lost), results, counts, reasons(campaign.certification.reasons)
    )
    return made, findings


def result_now(results: Mapping[str, str], address: str) -> str:
    """The result id shown now of something; that of its outcome for a part of one."""
    return results[address] if address in results else results.get(address.partition("#")[0], "")


def _results(blocks: Iterable[BlockReport]) -> tuple[dict[str, str], dict[str, str]]:
    """Result ids by the address of tests, outcomes and frames; and short addresses of frames → the full ones.

    A short address that several blocks have is '' there: it is not clear.
    """
    results: dict[str, str] = {}
    aliases: dict[str, str] = {}
    for block in blocks:
        for test in block.tests:
            results.setdefault(subject(block.block.id, test.test.name), result_of_test(test))
            for outcome in test.outcomes:
                if outcome.result_id:
                    results.setdefault(outcome_subject(outcome), outcome.result_id)
        for held in block.frames:
            f = held.frame
            full, short = (
                frame_subject(f.exposure, f.detector, block.block.id),
                frame_subject(f.exposure, f.detector),
            )
            results[full] = held.fingerprint
            aliases[short] = full if aliases.get(short, full) == full else ""
    return results, aliases


class _Parts:
    """Parts of outcomes, found only for outcomes about whose parts somebody decided; and the test of an address."""

    def __init__(self, blocks: Sequence[BlockReport]) -> None:
        self._blocks = blocks
        self._of: dict[str, frozenset[str]] = {}

    @cached_property
    def _outcomes(self) -> dict[str, Outcome]:
        held = (o for b in self._blocks for t in b.tests for o in t.outcomes)
        return {outcome_subject(o): o for o in held if o.result_id}

    @cached_property
    def _tests(self) -> dict[str, TestReport]:
        return {subject(t.block.id, t.test.name): t for b in self._blocks for t in b.tests}

    def has(self, address: str) -> bool:
        whole, _, part = address.partition("#")
        if whole not in self._of:
            outcome = self._outcomes.get(whole)
            self._of[whole] = frozenset(parts_of(outcome)) if outcome else frozenset()
        return part in self._of[whole]

    def place(self, address: str) -> tuple[str | None, str | None]:
        """(block, test) of what an address is about; (None, None) for a frame."""
        test = self._tests.get((around(address) or [address])[-1])
        return (test.block.id, test.test.name) if test else (None, None)


def parts_of(outcome: Outcome) -> list[str]:
    """What follows the '#' in the addresses of an outcome's figures, products and measurements."""
    start = f"{outcome.result_id}."
    return made_by(outcome) + [j.id.removeprefix(start) for j in outcome.measurements]


def made_by(outcome: Outcome) -> list[str]:
    """The figures and products among ``parts_of`` an outcome."""
    return [f"figure:{f.name}" for f in outcome.figures] + [f"product:{p.name}" for p in outcome.products]


def _states(held: Sequence[Decision], result: str) -> Iterable[Certified]:
    last = max((n for n, d in enumerate(held) if d.decision in JUDGING), default=-1)
    for n, decision in enumerate(held):
        if decision.decision in JUDGING and n < last:
            yield Certified(decision, REPLACED)
        else:
            yield Certified(decision, STANDS if decision.on(result) else OUTDATED)


def _outdated(held: Sequence[Certified], address: str, parts: _Parts) -> Iterable[Finding]:
    """A finding where nothing that was said of something still holds: the last word, on what is no longer shown."""
    if any(c.state == STANDS for c in held):
        return
    decision = held[-1].decision
    block, test = parts.place(address)
    what = f"{decision.subject} was {decision.decision} by {decision.who} on result {decision.result}, which is no longer the one shown"
    yield Finding("outdated-decision", what, f"{NAME}:{decision.row}", "look again, and decide on what is shown now", block, test)  # fmt: skip


def _about_nothing(decision: Decision, address: str, results: Mapping[str, str]) -> Finding:
    what, where = f"{decision.subject} is nothing that this campaign has", f"{NAME}:{decision.row}"
    if not address:
        what = f"{decision.subject} is a frame of several blocks"
        todo = "name the block too: frame:block/exposure/detector"
    else:
        close = nearest(decision.subject, results, cutoff=0.75) if len(results) < MOST_NAMES else ""
        todo = (
            f"did you mean {close!r}?" if close else "name it as its page does, or leave the row as history"
        )
    return Finding("decision-on-nothing", what, where, todo)


MOST_NAMES = 5000
"""Names among which the nearest is looked for: with more it would cost seconds."""


def _rules(
    campaign: Campaign, blocks: Iterable[BlockReport], places: Mapping[str, Sequence[Decision]]
) -> Iterable[tuple[str, Decision]]:
    """(address, decision) of outcomes that a rule decides about, by the first rule that does."""
    rules = campaign.certification.rules
    judged = {a for a, held in places.items() if any(d.decision in JUDGING for d in held)}
    spoken = judged | {a.partition("#")[0] for a in judged}
    for test in (t for b in blocks for t in b.tests) if rules else ():
        for outcome in test.outcomes:
            address = outcome_subject(outcome)
            # a person's word, also an outdated one, and also one about the test or about a part, is never ruled over
            if spoken.intersection((address, *around(address))):
                continue
            rule = next((r for r in rules if applies(r, test, outcome)), None)
            if rule is not None:
                yield address, Decision(
                    date=None, who=f"{RULE}{rule.name}", decision=rule.decision, subject=address,
                    result=outcome.result_id, text=rule.text,
                )  # fmt: skip


def applies(rule: CertificationRule, test: TestReport, outcome: Outcome) -> bool:
    """Whether a rule decides about an outcome: its scope, verdict, caveats, and the share of its limits that judged."""
    if outcome.status != "done" or str(outcome.verdict) not in rule.verdicts:
        return False
    if rule.procedures and not any(fnmatchcase(outcome.procedure.name, p) for p in rule.procedures):
        return False
    day = test.test.date or test.block.start
    if not rule.scope.covers(outcome.block, outcome.test, outcome.detector, None, day):
        return False
    channels = {j.measurement.channel for j in outcome.measurements}
    if rule.scope.channels and not any(rule.scope.covers(channel=c) for c in channels if c):
        return False
    if not rule.caveated and (
        outcome.raised or any(c.severity != "info" for j in outcome.measurements for c in j.caveats)
    ):
        return False
    limited = [j for j in outcome.measurements if j.limit is not None]
    done = sum(j.measurement.value is not None and j.verdict in JUDGED for j in limited)
    return done >= rule.coverage * len(limited) if limited else rule.coverage == 0


def _count(test: TestReport, about: Mapping[str, Sequence[Certified]]) -> Count:
    reviewed = by_rule = outdated = total = 0
    whole = about.get(subject(test.block.id, test.test.name), ())
    for outcome in test.outcomes:
        if not outcome.result_id:
            continue
        total += 1
        held = (*about.get(outcome_subject(outcome), ()), *whole)
        people = [c for c in held if not c.decision.by_rule]
        if any(c.state == STANDS for c in people):
            reviewed += 1
        elif any(c.decision.by_rule for c in held):
            by_rule += 1
        outdated += bool(people) and not any(c.state == STANDS for c in people)
    return Count(reviewed, by_rule, outdated, total)
