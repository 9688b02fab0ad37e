"""From header, log and file name to a frame's fields: mapped, cross-checked, and nothing guessed unsaid.

Each source of facts is read into ``Said`` values (what it says of a field, with the raw text). They are then
combined: the header wins over the log, the log over the file name; a disagreement is a finding and both stay
visible. The frame says for every field where its value came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from builder.acquired.headervalues import celsius, exposure_name, moment, plain, seconds, yes_or_no
from builder.acquired.presets import PRESETS, TYPES, Preset
from builder.acquired.tally import Tally
from campaign.findings import Finding
from campaign.frames import FieldValue
from campaign.frozen import dataclass
from campaign.model import Campaign

TOLERANCE = 0.005
"""Relative difference up to which two statements of a number agree, as the field's own checks have it."""

CONTRADICTIONS_APART = 12

_QUANTITIES: Mapping[str, Callable[[str], tuple[FieldValue, str]]] = {
    "exptime": seconds,
    "temperature": celsius,
    "shutter": yes_or_no,
}
_NAMES = frozenset(
    {"exposure", "detector", "type", "test", "program", "object", "mode", "serial", "operator"}
)


class Said(NamedTuple):
    """What one source says of one field: the value, where it says so, and its raw text."""

    value: FieldValue
    source: str
    text: str


@dataclass(frozen=True)
class HeaderMap:
    """How a campaign's headers, logs and file names are read."""

    preset: Preset
    fields: Mapping[str, tuple[str, ...]]
    types: tuple[tuple[str, str], ...]
    file_name: re.Pattern[str] | None
    detectors: tuple[str, ...]
    always: str = ""
    expanded: dict[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict, compare=False)

    def keywords(self, detector: str) -> Mapping[str, tuple[str, ...]]:
        """Keywords by field for a detector: '{n}' is replaced by the number at the end of its name."""
        if detector not in self.expanded:
            self.expanded[detector] = {
                name: tuple(k for word in words if (k := with_number(word, detector)))
                for name, words in self.fields.items()
            }
        return self.expanded[detector]

    def detector(self, text: str) -> str | None:
        """The campaign's detector that a text names: by name in any case, or by the number at its end."""
        return _named(text.strip(), self.detectors)

    def type(self, text: str) -> tuple[str | None, str]:
        """(type, pattern) of a type text: presets.VAGUE when it only says 'light', None when no pattern fits."""
        return _typed(text.strip().casefold(), self.types)


def header_map(campaign: Campaign) -> tuple[HeaderMap, list[Finding]]:
    """The mapping of a campaign, from its preset and overrides. What is wrong with it is passed over, and said."""
    data, findings = campaign.data, []
    preset = PRESETS.get(data.preset)
    if preset is None:
        known = ", ".join(PRESETS)
        findings.append(
            Finding("bad-value", f"There is no header preset {data.preset!r}; generic is used.", "campaign.toml [data] preset", f"Use one of {known}.")
        )  # fmt: skip
        preset = PRESETS["generic"]
    for pattern, kind in data.types.items():
        if kind not in TYPES:
            findings.append(
                Finding("bad-value", f"{kind!r} is not a frame type; the pattern {pattern!r} is not used.", "campaign.toml [data.types]", f"Use one of {', '.join(TYPES)}.")
            )  # fmt: skip
    own = [(p.casefold(), t) for p, t in data.types.items() if t in TYPES]
    fields = dict(preset.fields) | {
        name: tuple(_keyword(w) for w in words) for name, words in data.fields.items()
    }
    try:
        file_name = (
            re.compile(data.file_name or preset.file_name) if data.file_name or preset.file_name else None
        )
    except re.error as error:
        findings.append(
            Finding("bad-value", f"file_name is not a regular expression ({error}); file names are not read.", "campaign.toml [data] file_name", "Correct the expression.")
        )  # fmt: skip
        file_name = None
    detectors = tuple(d.name for d in campaign.detectors)
    types = (*own, *preset.types.items())
    return HeaderMap(preset, fields, types, file_name, detectors, data.detector), findings


def with_number(word: str, detector: str) -> str:
    """A keyword with '{n}' replaced; '' when it needs a number that the detector's name does not end in."""
    if "{n}" not in word:
        return word
    number = re.search(r"\d+$", detector)
    return word.replace("{n}", number[0]) if number else ""


def _keyword(word: str) -> str:
    return " ".join(word.upper().replace("HIERARCH ", "").split()).replace("{N}", "{n}")


@lru_cache(maxsize=4096)
def _named(text: str, detectors: tuple[str, ...]) -> str | None:
    for name in detectors:
        if name.casefold() == text.casefold():
            return name
    number = exposure_name(text)
    if number.isdecimal():
        ends = [d for d in detectors if (m := re.search(r"\d+$", d)) and int(m[0]) == int(number)]
        if len(ends) == 1:
            return ends[0]
    return None


@lru_cache(maxsize=4096)
def _typed(text: str, types: tuple[tuple[str, str], ...]) -> tuple[str | None, str]:
    for pattern, kind in types:
        if fnmatchcase(text, pattern):
            return kind, pattern
    return None, ""


def read_value(name: str, text: str, clock: str = "") -> tuple[FieldValue, str]:
    """(value, oddity) of a field's text."""
    if reader := _QUANTITIES.get(name):
        return reader(text)
    if name == "date":
        return moment(text, clock)
    if name == "exposure":
        return exposure_name(text) or None, ""
    if name in _NAMES:
        return text.strip() or None, ""
    return (plain(text) if text.strip() else None), ""


def read_header(
    mapping: HeaderMap,
    cards: Mapping[str, str],
    quoted: Iterable[str],
    detector: str,
    place: str,
    block: str,
    tally: Tally,
) -> dict[str, Said]:
    """What a header says, by field. Values that are odd or not usable are counted in ``tally``."""
    said: dict[str, Said] = {}
    for name, words in mapping.keywords(detector).items():
        for word in words:
            text = cards.get(word)
            if text is None or not text.strip():
                continue
            value, oddity = _value_of(mapping, name, text, cards)
            if not oddity and name in _QUANTITIES and word in quoted and name != "shutter":
                oddity = "a number written as text"
            if oddity:
                how = f"{text.strip()[:40]!r} " + ("cannot be used" if value is None else f"read as {value}")
                tally.add("bad-header", f"{word}: {oddity}", place, detail=how, block=block,
                          todo="Check what the acquisition system writes; correct [data] if the reading is wrong.")  # fmt: skip
            if value is None:
                continue
            if name not in said:
                said[name] = Said(value, f"header {word}", text)
                if name != "exptime":
                    break
            elif not agree(name, said[name].value, value):
                contradict(tally, name, said[name], Said(value, f"header {word}", text), place, block)
    return said


def _value_of(mapping: HeaderMap, name: str, text: str, cards: Mapping[str, str]) -> tuple[FieldValue, str]:
    if name != "date" or "T" in text:
        return read_value(name, text)
    clock = next((cards[w] for w in mapping.preset.clock if cards.get(w, "").strip()), "")
    return moment(text, clock)


def read_name(mapping: HeaderMap, file_name: str) -> dict[str, Said]:
    """What a file's name says, by the groups of the campaign's expression."""
    if mapping.file_name is None:
        return {}
    match = mapping.file_name.search(file_name)
    if match is None:
        return {}
    said = {}
    for name, text in match.groupdict().items():
        if text:
            value, _ = read_value(name, text)
            if value is not None:
                said[name] = Said(value, "file name", text)
    return said


def agree(name: str, one: FieldValue, other: FieldValue) -> bool:
    """Whether two statements of a field agree: numbers within 0.5 %, times within two seconds, text in any case."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= max(TOLERANCE * max(abs(one), abs(other)), 1e-9)
    if name == "date" and isinstance(one, str) and isinstance(other, str):
        a, b = datetime.fromisoformat(one), datetime.fromisoformat(other)
        if "T" not in one or "T" not in other:
            return a.date() == b.date()
        return abs((a - b).total_seconds()) <= 2
    return str(one).strip().casefold() == str(other).strip().casefold()


def combine(
    mapping: HeaderMap, sources: Iterable[Mapping[str, Said]], place: str, block: str, tally: Tally
) -> dict[str, Said]:
    """One statement per field, the earlier source first; disagreements are counted. Types are left as text."""
    out: dict[str, Said] = {}
    for said in sources:
        for name, new in said.items():
            held = out.get(name)
            if held is None:
                out[name] = new
            elif name not in ("type", "detector") and not agree(name, held.value, new.value):
                contradict(tally, name, held, new, place, block)
            elif name == "detector":
                one, other = mapping.detector(held.text), mapping.detector(new.text)
                if one is None:
                    out[name] = new if other else held
                elif other is not None and one != other:
                    contradict(tally, name, held, new, place, block)
    return out


def contradict(tally: Tally, name: str, held: Said, new: Said, place: str, block: str) -> None:
    """Count a disagreement of two sources on a field; ``held`` is the one used."""
    tally.add(
        "contradiction",
        f"The {new.source} and the {held.source} disagree on {name}; the {held.source} is used",
        place,
        detail=f"{new.source} {new.text.strip()[:60]}, {held.source} {held.text.strip()[:60]}",
        todo="Find out which is true; both are shown with the frame.",
        block=block,
        apart=CONTRADICTIONS_APART,
    )
