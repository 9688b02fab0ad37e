"""The type of a frame: by what its sources call it, else by the preset's rules, and always with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from builder.acquired.headers import HeaderMap, Said, contradict
from builder.acquired.headervalues import plain
from builder.acquired.presets import VAGUE, TypeRule
from builder.acquired.tally import Tally


def frame_type(
    mapping: HeaderMap,
    sources: Iterable[Mapping[str, Said]],
    said: Mapping[str, Said],
    header: Mapping[str, str],
    place: str,
    block: str,
    tally: Tally,
) -> tuple[str, str]:
    """(type, where it came from) of a frame: by the type texts of its sources, else by the preset's rules."""
    chosen: tuple[str, str, Said] | None = None
    vague: Said | None = None
    for source in sources:
        if (text := source.get("type")) is None:
            continue
        kind, pattern = mapping.type(text.text)
        if kind is None:
            tally.add("unknown-header", f"{text.source}: the frame type {text.text.strip()[:40]!r} means nothing here", place,
                      todo="Say in [data.types] what it means.", block=block)  # fmt: skip
        elif kind == VAGUE:
            vague = vague or text
        elif chosen is None:
            chosen = kind, pattern, text
        elif chosen[0] != kind:
            contradict(tally, "type", chosen[2], text, place, block)
    if chosen is not None:
        kind, pattern, text = chosen
        only = f", since {vague.source} says only {vague.text.strip()!r}" if vague else ""
        return kind, f"{text.source} ({text.text.strip()!r} fits {pattern!r}{only})"
    for rule in mapping.preset.rules:
        if _holds(rule, said, header):
            return rule.type, f"rule: {rule.why}"
    subject = (
        f"The {vague.source} says only {vague.text.strip()!r}" if vague else "No header says the frame type"
    )
    tally.add("unknown-header", f"{subject}, so the frame counts as other", place,
              todo="Name the keyword in [data.fields], or say in [data.types] or file_name what it is.", block=block)  # fmt: skip
    return "other", "not known"


def _holds(rule: TypeRule, said: Mapping[str, Said], header: Mapping[str, str]) -> bool:
    if rule.keyword:
        number = plain(header.get(rule.keyword, ""))
        if not isinstance(number, int | float) or number == 0:
            return False
    if rule.exptime:
        time = said["exptime"].value if "exptime" in said else None
        if not isinstance(time, int | float) or (time == 0) != (rule.exptime == "zero"):
            return False
    if rule.shutter is not None and ("shutter" not in said or said["shutter"].value is not rule.shutter):
        return False
    if rule.source:
        lamp = str(said["source"].value).casefold() if "source" in said else ""
        return any(fnmatchcase(lamp, p) for p in rule.source)
    return True
