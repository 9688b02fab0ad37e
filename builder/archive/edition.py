"""An edition: the numbers and contents of a version, or of the present site, in one shape to be compared."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from builder.archive.asbuilt import as_built
from builder.archive.bag import PAYLOAD
from builder.archive.contents import Contents, present_contents, read_contents
from builder.archive.errors import ArchiveError
from builder.archive.versions import Version
from builder.render.addresses import MEASUREMENTS_CSV
from campaign.frozen import dataclass
from campaign.load import load

Key = tuple[str, str, str, str, str, str, str]
"""(block, test, procedure, quantity, detector, channel, setting): what is compared with what."""

COLUMNS = (
    "block", "test", "procedure", "quantity", "detector", "channel", "setting", "value", "uncertainty", "unit",
    "n", "flags", "verdict", "limit_low", "limit_high", "limit_id", "result_id",
)  # fmt: skip
"""The columns of measurements.csv that an edition reads; the first seven are the key."""


class Number(NamedTuple):
    """A measurement as measurements.csv says it: every field is its exact text, '' for none."""

    block: str
    test: str
    procedure: str
    quantity: str
    detector: str
    channel: str
    setting: str
    value: str
    uncertainty: str
    unit: str
    n: str
    flags: str
    verdict: str
    limit_low: str
    limit_high: str
    limit_id: str
    measurement_id: str

    @property
    def result(self) -> str:
        """The id of its result."""
        return self.measurement_id.partition(".")[0]

    @property
    def name(self) -> str:
        """Its quantity, detector, channel and setting, as people read it."""
        words = (f"{self.procedure}.{self.quantity}", self.detector, self.channel, self.setting)
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Edition:
    """A version or the present site.

    ``name`` is for people, ``token`` for file names, ``site`` where its pages are.
    """

    name: str
    token: str
    site: Path
    contents: Contents
    numbers: Mapping[Key, Number]

    @cached_property
    def inputs_of(self) -> dict[str, dict[str, frozenset[tuple[str, str]]]]:
        """For each result the frames that it was made from, by role, as (path, BLAKE3)."""
        files = [(path, digest) for path, _, digest, _ in self.contents.inputs]
        return {
            result: {role: frozenset(files[n] for n in places) for role, places in held["inputs"].items()}
            for result, held in self.contents.results.items()
        }

    @cached_property
    def tests(self) -> dict[str, Mapping[str, Any]]:
        """The tests by 'block/test'."""
        return {f"{t['block']}/{t['name']}": t for t in self.contents.facts["tests"]}


def edition_of(version: Version) -> Edition:
    """A version as an edition. Raises ArchiveError."""
    numbers = read_numbers(version.site / MEASUREMENTS_CSV)
    contents = read_contents(version.folder / PAYLOAD)
    return Edition(version.name, str(version.number), version.site, contents, numbers)


def present(folder: Path, output: Path | None = None) -> Edition:
    """The present site of a campaign as an edition. Raises NotAsBuiltError, ArchiveError."""
    campaign, findings = load(folder)
    if campaign is None:
        raise ArchiveError(f"{folder} holds no usable campaign.toml: {findings[0].what if findings else ''}")
    output = output or folder / "build"
    built = as_built(output)
    contents = present_contents(campaign, output)
    return Edition(
        "the present site", "now", built.site, contents, read_numbers(built.site / MEASUREMENTS_CSV)
    )


def read_numbers(path: Path) -> dict[Key, Number]:
    """The measurements of a site by what they are of. Raises ArchiveError."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return {(n[0], n[1], n[2], n[3], n[4], n[5], n[6]): n for n in _rows(stream)}
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, StopIteration, IndexError, csv.Error) as error:
        raise ArchiveError(
            f"{path} is no table of measurements ({error}): calbook verify names what changed."
        ) from None


def _rows(stream: Iterator[str]) -> Iterator[Number]:
    from operator import itemgetter

    rows = csv.reader(stream)
    head = next(rows)
    pick = itemgetter(*(head.index(name) for name in COLUMNS))
    return map(Number._make, map(pick, rows))
