"""What caveats said before: each change of one is kept in the store, with the build that first saw it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from campaign.frozen import dataclass
from campaign.model import Campaign, Caveat

FIELDS = ("text", "severity", "effect", "author", "date", "expires", "resolved", "resolution", "scope")
"""What a caveat says, in the order in which pages tell it."""


@dataclass(frozen=True)
class Said:
    """What a caveat said from one build to another: its fields as written to JSON, {} while the campaign had no such caveat.

    ``since`` and ``until`` are when those builds began (ISO 8601); ``until`` is '' for what it says now.
    """

    since: str
    until: str
    fields: Mapping[str, Any]

    def differing(self, other: Said) -> tuple[str, ...]:
        """The names of the fields in which it differs from another."""
        return tuple(f for f in FIELDS if self.fields.get(f) != other.fields.get(f))


def sayings(campaign: Campaign) -> dict[str, str]:
    """What each caveat of the campaign says now, as one line of JSON, by id; the first where several share an id."""
    out: dict[str, str] = {}
    for caveat in campaign.caveats:
        out.setdefault(caveat.id, _line(caveat))
    return out


def _line(caveat: Caveat) -> str:
    held = caveat.model_dump(mode="json", include=set(FIELDS), exclude_defaults=True)
    return json.dumps(held, sort_keys=True, ensure_ascii=False)


def history(
    stored: Mapping[str, Sequence[tuple[str, str]]], now: Mapping[str, str], began: str
) -> dict[str, tuple[Said, ...]]:
    """What each caveat has said, oldest first, of those that ever changed or are gone.

    ``stored`` holds by id what builds saw, as (when the build began, line; '' where it was gone); ``now`` what is said in the build that
    began at ``began``.
    """
    out = {}
    for name in dict.fromkeys([*stored, *now]):
        rows = list(stored.get(name, ()))
        line = now.get(name, "")
        if (rows[-1][1] if rows else "") != line:
            rows.append((began, line))
        if len(rows) < 2:
            continue
        ends = [when for when, _ in rows[1:]] + [""]
        out[name] = tuple(
            Said(when, end, json.loads(text) if text else {})
            for (when, text), end in zip(rows, ends, strict=True)
        )
    return out
