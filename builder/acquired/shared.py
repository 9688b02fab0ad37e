"""What many frames say alike, held once: a campaign has 10⁵ frames, and a dozen types, detectors and modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TypeVar

from campaign.frames import FieldValue
from campaign.frozen import dataclass

Value = TypeVar("Value", bound=FieldValue)

OWN = frozenset({"date"})
"""Fields that hardly two frames have in common."""


@dataclass
class Shared:
    """The texts and mappings met so far. To be dropped when the frames are made."""

    texts: dict[str, str] = field(default_factory=dict)
    mappings: dict[tuple[object, ...], Mapping[str, object]] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """That text, as it was met first."""
        return self.texts.setdefault(text, text)

    def fields(self, fields: dict[str, FieldValue]) -> dict[str, FieldValue]:
        """The same fields, with texts as they were met first."""
        for name, value in fields.items():
            if type(value) is str and name not in OWN:
                fields[name] = self.texts.setdefault(value, value)
        return fields

    def mapping(self, mapping: Mapping[str, Value]) -> Mapping[str, Value]:
        """A mapping of the same items in the same order, as it was met first. The values of equal mappings have one type."""
        found: Mapping[str, Value] = self.mappings.setdefault(tuple(mapping.items()), mapping)  # type: ignore[assignment]
        return found
