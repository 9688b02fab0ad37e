"""Reading ``[simulate]``: what can be used, and findings about the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError

from builder.simulate import effects_settings
from builder.simulate.effects_settings import Effects, Strict
from builder.simulate.settings import BY_CHANNEL, Entry, Fault, Part, Settings, Truth, merged
from builder.simulate.truth import DRAWN, common
from campaign.findings import Finding
from campaign.model import Campaign, Detector

ALTERNATIVE = re.compile(r"(float|int|str|constrained-float|tuple\[.*|dict\[.*)$")
"""How pydantic names an alternative of a type within the place of an error."""

AnyTable = TypeVar("AnyTable", bound=Strict)


def read(campaign: Campaign) -> tuple[Settings | None, list[Finding]]:
    """The settings as far as they can be used, and what is wrong with the rest.

    A plan entry or fault that is not usable is left out and costs only itself; without a usable seed,
    truth or block override there is nothing to simulate (None).
    """
    findings: list[Finding] = []
    raw = dict(campaign.simulate)
    plan, faults = raw.pop("plan", []), raw.pop("faults", [])
    try:
        settings = Settings.model_validate(raw)
        for block, own in settings.blocks.items():
            _merge_checked(settings.truth, block, own)
    except ValidationError as error:
        return None, _explain(error, Settings, "[simulate]")
    entries = _each(plan, Entry, "plan", findings)
    extra = _each(faults, Fault, "faults", findings)
    settings = settings.model_copy(update={"plan": tuple(entries), "faults": tuple(extra)})
    return _consistent(campaign, settings, findings), findings


def validate(campaign: Campaign) -> list[Finding]:
    """Everything wrong with ``[simulate]``; [] when there is none or nothing is wrong."""
    return read(campaign)[1] if campaign.simulate else []


def _merge_checked(truth: Truth, block: str, own: dict[str, Any]) -> None:
    try:
        merged(truth, own)
    except ValidationError as error:
        lines = [{**e, "loc": ("blocks", block, *e["loc"]), "ctx": e.get("ctx", {})} for e in error.errors()]
        raise ValidationError.from_exception_data("Settings", lines) from None  # type: ignore[arg-type]


def _each(raw: object, model: type[AnyTable], table: str, findings: list[Finding]) -> list[AnyTable]:
    """The usable tables of an array of tables."""
    if not isinstance(raw, list | tuple):
        findings.append(_bad(f"simulate.{table} is not a list of tables", f"[[simulate.{table}]]"))
        return []
    out: list[AnyTable] = []
    for number, item in enumerate(raw, 1):
        try:
            out.append(model.model_validate(item))
        except ValidationError as error:
            findings += _explain(error, model, f"[[simulate.{table}]] {number}")
    return out


def _explain(error: ValidationError, model: type[Strict], where: str) -> list[Finding]:
    """A validation error as findings, unknown keys with the nearest known one."""
    found: dict[str, Finding] = {}
    for line in error.errors():
        path = ".".join(str(p) for p in line["loc"] if not ALTERNATIVE.match(str(p)))
        if path in found:
            continue  # the same value, refused as another alternative of its type
        if line["type"] == "extra_forbidden":
            key, known = str(line["loc"][-1]), _keys_near(model, line["loc"])
            near = get_close_matches(key, known, 1, 0.5)
            todo = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."
            found[path] = Finding("unknown-key", f"Unknown key {path!r}.", f"campaign.toml {where}", todo)
        else:
            found[path] = _bad(f"{path or 'the table'}: {line['msg']}", where)
    return list(found.values())


def _keys_near(model: type[Strict], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at ``loc`` of a model may have."""
    inner: dict[str, type[Strict]] = {"truth": Truth, "blocks": Truth, "parts": Part, "faults": Fault}
    inner |= {"effects": Effects, **effects_settings.TABLES}
    table = next((inner[str(p)] for p in reversed(loc[:-1]) if str(p) in inner), model)
    return list(table.model_fields)


def _bad(what: str, where: str, todo: str = "Correct it; until then it is left out.") -> Finding:
    return Finding("bad-value", what, f"campaign.toml {where}", todo)


def _consistent(campaign: Campaign, settings: Settings, findings: list[Finding]) -> Settings:
    """The settings without what the campaign does not know: blocks, lamps, detectors, doubled numbers."""
    taken: dict[str, dict[int, str]] = {}
    keep: list[Entry] = []
    for number, planned in enumerate(settings.plan, 1):
        where = f"[[simulate.plan]] {number} ({planned.test})"
        entry = _numbered(planned, taken)
        problem = _entry_problem(campaign, settings, entry, taken)
        if problem:
            findings.append(_bad(problem, where))
            continue
        keep.append(entry)
        for fault in entry.faults:
            findings += _fault_findings(campaign, settings, entry, fault, where)
    for number, fault in enumerate(settings.faults, 1):
        where = f"[[simulate.faults]] {number}"
        struck = [e for e in keep if e.test == fault.test]
        if not struck:
            findings.append(_bad(f"A fault needs the name of a planned test, not {fault.test!r}.", where))
        for entry in struck[:1]:
            findings += _fault_findings(campaign, settings, entry, fault, where)
    return settings.model_copy(update={"plan": tuple(keep)})


def _numbered(entry: Entry, taken: dict[str, dict[int, str]]) -> Entry:
    """The entry with its first exposure number: the next after those taken, where it states none."""
    if entry.first is not None:
        return entry
    return entry.model_copy(
        update={"first": 1 + max((n for b in entry.all_blocks for n in taken.get(b, {})), default=0)}
    )


def _entry_problem(
    campaign: Campaign, settings: Settings, entry: Entry, taken: dict[str, dict[int, str]]
) -> str:
    """Why a plan entry cannot be used; '' when it can. Books its exposure numbers in ``taken``."""
    first = entry.first or 0
    numbers = range(first, first + len(entry))
    for block in entry.all_blocks:
        if (known := campaign.block(block)) is None:
            return f"There is no block {block!r}."
        if problem := _lacks_channel(settings.truth_of(block), campaign.detectors_of(known)):
            return f"{block}: {problem}"
        if problem := _strange_channel(settings.truth_of(block).effects, campaign.detectors_of(known)):
            return f"{block}: {problem}"
        lamp = settings.truth_of(block).lamp
        for part in entry.all_parts:
            if part.type in ("flat", "point") and part.wavelength not in lamp:
                return (
                    f"The lamp has no wavelength {part.wavelength!r} in {block}: {', '.join(lamp) or 'none'}."
                )
        clash = next((n for n in numbers if n in taken.get(block, {})), None)
        if clash is not None:
            return f"Exposure {clash} of {block} is already {taken[block][clash]}'s."
    for block in entry.all_blocks:
        taken.setdefault(block, {}).update(dict.fromkeys(numbers, entry.test))
    return ""


def _lacks_channel(truth: Truth, detectors: Sequence[Detector]) -> str:
    """Which channel a truth given by detector or channel says nothing about; '' when it is complete."""
    for name in DRAWN:
        for detector in detectors:
            for channel in detector.geometry.channels:
                try:
                    common(getattr(truth, name), detector.name, channel.name)
                except KeyError as lacking:
                    return f"{name} is given by name, but not for {detector.name} {channel.name} ({lacking})."
    return ""


def _strange_channel(effects: Effects, detectors: Sequence[Detector]) -> str:
    """Which channel an effect names that no detector has; '' when there is none."""
    there = {c.name for d in detectors for c in d.geometry.channels}
    named = {
        name: set(v) for name in effects_settings.BY_CHANNEL if isinstance(v := getattr(effects, name), dict)
    }
    named["crosstalk"] = set(effects.crosstalk).union(*effects.crosstalk.values())
    for name, channels in named.items():
        for channel in sorted(channels - there):
            return f"effects.{name} names a channel {channel!r} that is not there."
    return ""


def _fault_findings(
    campaign: Campaign, settings: Settings, entry: Entry, fault: Fault, where: str
) -> list[Finding]:
    """What is wrong with a planted fault: names and amounts that mean nothing here."""
    detectors = {d.name: d for d in campaign.detectors if fault.detector in (None, d.name)}
    channels = {c.name for d in detectors.values() for c in d.geometry.channels}
    problem = ""
    if not detectors:
        problem = f"names a detector {fault.detector!r} that is not there"
    elif fault.channel is not None and fault.channel not in channels:
        problem = f"names a channel {fault.channel!r} that is not there"
    elif fault.channel is not None and fault.kind not in BY_CHANNEL:
        problem = "strikes whole frames: it takes no channel"
    elif fault.kind == "swapped-setting":
        lamps = [settings.truth_of(b).lamp for b in entry.all_blocks]
        if any(f"{fault.strength:g}" not in lamp for lamp in lamps):
            problem = f"needs as amount a wavelength of the lamp: {', '.join(lamps[0])}"
    elif fault.frame is not None and fault.frame > len(entry):
        problem = f"strikes frame {fault.frame} of a test that has {len(entry)}"
    return [_bad(f"The fault {fault.kind} {problem}.", where)] if problem else []
