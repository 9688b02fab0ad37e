"""Findings: everything wrong or unknown, each with what, where and what to do.

A finding never stops a build. It is shown where a reader meets the thing it concerns and listed on the
health page. Every kind is declared here once; a test proves that each kind can be produced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from campaign.frozen import dataclass


class Severity(StrEnum):
    """How much a finding matters: an error costs a result, a warning may mislead, a note informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Kind:
    """A kind of finding: its title on the health page and what it means to a reader."""

    slug: str
    title: str
    meaning: str
    severity: Severity


KINDS: dict[str, Kind] = {}


def _kind(slug: str, severity: Severity, title: str, meaning: str) -> None:
    KINDS[slug] = Kind(slug, title, meaning, severity)


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

# the campaign folder
_kind(
    "bad-file",
    _E,
    "Campaign file not usable",
    "A file of the campaign folder could not be read or understood.",
)
_kind(
    "unknown-key",
    _E,
    "Unknown key",
    "A key that means nothing here: usually a misspelling, so its value is not used.",
)
_kind("bad-value", _E, "Value not usable", "A value has the wrong type or is outside what is allowed.")
_kind(
    "missing-folder", _E, "Missing folder", "A data directory or folder that the campaign names is not there."
)
_kind(
    "unsafe-path",
    _E,
    "Path leaves the campaign",
    "A path with '..' or a scheme that is not allowed was refused.",
)
_kind(
    "unknown-name",
    _W,
    "Unknown name",
    "A block, test, detector, quantity or procedure is named that does not exist.",
)
_kind("placeholder", _W, "Placeholder text", "Text that was meant to be replaced is still there.")
_kind(
    "dead-link",
    _W,
    "Dead link",
    "A link leads to nothing, or is not a link at all because its mark-up is broken.",
)
_kind("broken-markup", _W, "Broken mark-up", "Text that will not be shown as it was meant to be.")
_kind("incomplete", _W, "Incomplete statement", "Something is said that does not stand without more.")
_kind(
    "expired-caveat",
    _W,
    "Caveat expired",
    "A caveat's last day has passed and nobody has resolved it: it marks no number any more.",
)
# limits
_kind(
    "limit-overlap",
    _W,
    "Validities overlap",
    "Two entries of one limit hold at the same time and place: both judge, and the worse verdict counts.",
)
_kind(
    "limit-gap",
    _W,
    "Gap in validity",
    "Between two entries of one limit are days on which neither holds: measurements of those days are not judged.",
)
_kind(
    "limit-contradiction",
    _W,
    "Limits contradict each other",
    "Two limits hold at the same time and place, and no value is within both.",
)
_kind(
    "limit-documents",
    _W,
    "One limit, several documents",
    "Entries of one limit that hold together name different documents as their source.",
)
_kind(
    "limit-unused",
    _N,
    "Limit without a measurement",
    "A limit that no measurement ever matched, although its quantity was measured where it applies.",
)
# record sources
_kind(
    "source-unread",
    _E,
    "Source never read",
    "A record source could not be read and there is no snapshot to fall back on.",
)
_kind(
    "source-stale",
    _W,
    "Source is stale",
    "A record source could not be read now; its last snapshot is shown, with its age.",
)
_kind(
    "bad-cell",
    _W,
    "Cell not usable",
    "A cell holds an error value or something that its column does not allow.",
)
_kind(
    "table-shape",
    _W,
    "Table shape",
    "Duplicate or missing headers, merged cells or blank rows that had to be interpreted.",
)
_kind(
    "duplicate-test",
    _W,
    "Duplicate test name",
    "Two rows of a block's record bear the same test name; the later is numbered.",
)
_kind("bad-range", _E, "Exposure range not usable", "A range of exposures runs backwards or is not a range.")
_kind(
    "interpreted",
    _N,
    "Read by a rule",
    "Something is written in a way that can be read in several ways; the rule it was read by is said.",
)
_kind("overlap", _W, "Exposure ranges overlap", "Two tests of a block claim the same exposures.")
_kind(
    "not-placed",
    _N,
    "Not placed by import",
    "Text of an imported page that belongs to no known field; kept with the notes.",
)
# data directories
_kind(
    "damaged-file", _E, "Damaged file", "A file is empty, truncated, foreign or unreadable; it is not used."
)
_kind(
    "changed-unseen",
    _W,
    "File changed unseen",
    "A file's bytes changed while its size, time and inode stayed: found when all files were hashed again.",
)
_kind(
    "wrong-shape",
    _E,
    "Image of the wrong shape",
    "An image does not have the shape of its detector; it is not used.",
)
_kind(
    "unknown-header",
    _N,
    "Unknown or missing header",
    "A header lacks a field that is needed, or its value could not be mapped.",
)
_kind(
    "bad-header",
    _W,
    "Header value not usable",
    "A header value has the wrong type and was read as well as it could be.",
)
_kind(
    "contradiction", _W, "Contradiction", "Header, file name, log or record disagree; all are kept and shown."
)
_kind(
    "duplicate-frame", _W, "Duplicate frame", "Two files claim to be the same exposure of the same detector."
)
_kind("bad-pixels", _W, "Not-a-number pixels", "A frame holds NaN or infinite pixels; they are left out.")
_kind("bad-log", _W, "Exposure log not usable", "An exposure log, or some rows of it, could not be read.")
# matching
_kind(
    "no-frames",
    _E,
    "No frames for a test",
    "A row of the record names exposures of which no frame was found.",
)
_kind("missing-frames", _W, "Missing frames", "Fewer frames were found than the record or the plan asks for.")
_kind("unmatched-frame", _W, "Unmatched frame", "A frame that belongs to no test of the record.")
# measuring
_kind(
    "idle-caveat",
    _W,
    "Caveat touches nothing",
    "No test of the campaign lies in the scope of a caveat, though each name in it may exist.",
)
_kind(
    "procedure-error",
    _E,
    "Procedure failed",
    "A procedure stopped with an error; its result is missing, nothing else is.",
)
_kind(
    "procedure-undeclared",
    _E,
    "Procedure breaks its declaration",
    "Something declared was not produced, or the reverse.",
)
_kind("no-procedure", _N, "No procedure", "A test for which the campaign names no procedure.")
_kind(
    "circle",
    _W,
    "Procedures that need each other",
    "Procedures correct their frames by what the others make of theirs: they run without it.",
)
_kind(
    "late",
    _W,
    "Late procedure",
    "A procedure whose tests are promised every so often had none for longer, while a block is running.",
)
_kind(
    "no-reference",
    _W,
    "Nothing to compare with",
    "A test or block that others are compared with is not there, or lacks numbers or images that these have.",
)
_kind("bad-plugin", _E, "Procedure not loaded", "A procedure module of the campaign could not be loaded.")
_kind(
    "undocumented",
    _W,
    "Declaration incomplete",
    "A procedure of the campaign does not say all that its readers need: found by `calbook lint`.",
)
# certification
_kind(
    "bad-decision",
    _E,
    "Decision not usable",
    "A row of certification.csv could not be understood: what somebody decided there does not count.",
)
_kind(
    "decision-on-nothing",
    _W,
    "Decision about nothing",
    "A decision is about something that this campaign does not have, or that is not clear.",
)
_kind(
    "outdated-decision",
    _W,
    "Outdated decision",
    "A decision was made on a result that is no longer the one shown: somebody should look again.",
)


@dataclass(frozen=True)
class Finding:
    """One thing wrong or unknown.

    ``what`` is one sentence in plain text (untrusted parts included: pages escape it), ``where`` a file and
    line, a sheet and cell, or a path; ``todo`` says what a person can do. ``block``, ``test`` and
    ``detector`` tell the pages on which it is shown (None: only health).
    """

    kind: str
    what: str
    where: str = ""
    todo: str = ""
    block: str | None = None
    test: str | None = None
    detector: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"finding kind {self.kind!r} is not declared in campaign.findings")

    @property
    def severity(self) -> Severity:
        """The severity of the finding's kind."""
        return KINDS[self.kind].severity


def untold(found: Iterable[Finding], told: Iterable[Finding]) -> list[Finding]:
    """What a later stage found and an earlier one has not told: a dead link is the same by its place, a missing
    folder by its name. All other findings are kept."""
    known = {_same(f) for f in told} - {None}
    return [f for f in found if _same(f) not in known]


def _same(finding: Finding) -> tuple[str, str] | None:
    if finding.kind == "dead-link" and finding.where:
        return finding.kind, finding.where
    if finding.kind == "missing-folder" and (name := re.search(r"(['\"]).+\1", finding.what)):
        return finding.kind, name[0]
    return None


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings sorted by severity, then kind, then place; equal ones once."""
    rank = {s: i for i, s in enumerate(Severity)}
    return sorted(
        set(findings),
        key=lambda f: (rank[f.severity], f.kind, f.block or "", f.test or "", f.where, f.what),
    )
