"""What is to be compared with something that is not there: each a finding, and never a wrong number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from builder.comparisons import Key, numbers, pairs, references
from builder.render.format import plural
from builder.report import BlockReport, ImageComparison
from campaign.findings import Finding
from campaign.model import Campaign


def lacking(
    campaign: Campaign, blocks: Sequence[BlockReport], images: Iterable[ImageComparison] = ()
) -> list[Finding]:
    """What is to be compared with something that is not there. Only of what a person named: blocks that are compared by
    themselves may differ in their tests, which their page tells.
    """
    return [
        *_without_reference(campaign, blocks),
        *_without_images(blocks, images),
        *_one_sided(campaign, blocks),
    ]


def _without_reference(campaign: Campaign, blocks: Sequence[BlockReport]) -> Iterator[Finding]:
    tests = {(t.block.id, t.test.name): t for b in blocks for t in b.tests}
    for procedure, place in references(campaign).items():
        where, name = f"campaign.toml [procedures.{procedure}]", "/".join(place)
        reference = tests.get(place)
        if reference is None:
            yield Finding(
                "no-reference",
                f"The reference of {procedure}, {name}, is no test of the record.",
                where,
                "Name another, or correct it.",
            )
            continue
        there = numbers([reference], named=False, procedure=procedure)
        if not any(s.judged.measurement.value is not None for s in there.values()):
            todo = "Find out why it has none, or name another."
            yield Finding(
                "no-reference",
                f"The reference of {procedure}, {name}, has no numbers of it.",
                where,
                todo,
                *place,
            )
            continue
        for place_here, test in tests.items():
            missing = (
                numbers([test], named=False, procedure=procedure).keys() - there.keys()
                if place_here != place
                else ()
            )
            if missing:
                settings = sorted({k.setting for k in missing} - {k.setting for k in there})
                at = (
                    f" at {settings[0]}" + (f" and {len(settings) - 1} more settings" if settings[1:] else "")
                    if settings and settings[0]
                    else ""
                )
                what = f"{plural(len(missing), 'number')} of {procedure} of {test.test.name}{at} {'has' if len(missing) == 1 else 'have'} none in the reference {name}."
                yield Finding("no-reference", what, where, "Name a reference of the same settings.", *place_here)  # fmt: skip


def _without_images(blocks: Sequence[BlockReport], images: Iterable[ImageComparison]) -> Iterator[Finding]:
    """Masters that have none to be compared with, where the reference has results at all (else that is told already)."""
    done = {
        (o.block, o.test, o.procedure.name)
        for b in blocks
        for t in b.tests
        for o in t.outcomes
        if o.status == "done"
    }
    for image in images:
        block, test, procedure, detector, product = image.place
        faults = [image.why] if image.why else [f"{p.plane}: {p.why}" for p in image.planes if p.why]
        if faults and (*image.reference, procedure) in done:
            more = f", and {len(faults) - 1} planes more" if faults[1:] else ""
            what = f"{product.replace('_', ' ')} of {detector} of {test} is not compared with the reference: {faults[0]}{more}."
            todo = "Name a reference that has it."
            yield Finding(
                "no-reference", what, f"campaign.toml [procedures.{procedure}]", todo, block, test, detector
            )


def _one_sided(campaign: Campaign, blocks: Sequence[BlockReport]) -> Iterator[Finding]:
    for pair in pairs(campaign, blocks):
        if not pair.named:
            continue
        here, there = pair.here.block.id, pair.there.block.id
        sides = [_keys(b) for b in (pair.here, pair.there)]
        tests = [{k.test for k in side} for side in sides]
        if not tests[0] & tests[1]:
            what = f"{here} is to be compared with {there}, but they have no results of the same test."
            yield Finding("no-reference", what, "", "Compare it with another block.", here)
            continue
        told = [
            f"{plural(len(tests[a] - tests[b]), 'test')} and {plural(sum(k.test in tests[b] for k in sides[a] - sides[b]), 'other number')} only in {name}"
            for a, b, name in ((0, 1, here), (1, 0, there))
            if sides[a] - sides[b]
        ]
        if told:
            what = f"{here} against {there}: {'; '.join(told)}."
            yield Finding("no-reference", what, "", "The page of the comparison lists them.", here)


def _keys(block: BlockReport) -> set[Key]:
    return set(numbers(block.tests))
