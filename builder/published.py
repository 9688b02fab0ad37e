"""Report versions as the built site tells of them: what each contains, and which published numbers moved since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from campaign.frozen import dataclass


@dataclass(frozen=True)
class MovedNumber:
    """A measurement whose value or uncertainty is not what a report version published.

    ``id`` and ``page`` are those of the measurement on the present site; the texts are as pages show numbers. ``sigma`` says how
    much it moved in words, ``large`` whether that is marked, ``because`` what of its making changed.
    """

    id: str
    page: str
    block: str
    test: str
    procedure: str
    quantity: str
    where: str
    before: str
    after: str
    unit: str
    exact_before: str
    exact_after: str
    sigma: str
    weight: float
    large: bool
    because: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What ``calbook verify`` last found of a version, when (ISO, UTC): the number of files that are not as archived."""

    at: str
    problems: int
    full: bool = False


@dataclass(frozen=True)
class PublishedVersion:
    """A report version in ``versions/`` of the campaign folder.

    ``folder`` is the name of its folder and ``facts`` its ``version.json``. ``moved`` are the numbers of the present site
    that it published otherwise, largest significance first, ``gone`` and ``added`` how many measurements the present
    site lacks and has more. ``fault`` says why it cannot be read; ``present`` is false when it was taken away.
    """

    number: int
    label: str
    author: str
    date: str
    folder: str
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    present: bool = True
    fault: str = ""
    moved: tuple[MovedNumber, ...] = ()
    gone: int = 0
    added: int = 0
    checked: Checked | None = None
    compared: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Number and label, as people say it."""
        return f"version {self.number} ({self.label})"


@dataclass(frozen=True)
class Move:
    """What was published of one measurement otherwise than it is now: by ``versions``, the newest first, all the same."""

    number: MovedNumber
    versions: tuple[PublishedVersion, ...]


def moves(versions: tuple[PublishedVersion, ...]) -> dict[str, tuple[Move, ...]]:
    """By measurement id what versions published otherwise, the newest first; versions that agree are said together."""
    found: dict[str, dict[str, tuple[MovedNumber, list[PublishedVersion]]]] = {}
    for version in sorted(versions, key=lambda v: -v.number):
        for number in version.moved:
            held = found.setdefault(number.id, {})
            held.setdefault(number.exact_before, (number, []))[1].append(version)
    return {
        ident: tuple(Move(number, tuple(some)) for number, some in held.values())
        for ident, held in found.items()
    }
