"""What the site shows: everything a build knows, as plain values, ready for templates, exports and the archive.

The flow ends in a ``Report``; pages, CSV, JSON and the summary on the terminal are all drawn from it, so a
number cannot differ between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property

from analysis.contract import Measurement, ParameterValue, Procedure
from builder.caveat_history import Said
from builder.certified import Certification
from builder.costs import Costs
from builder.flips import VerdictHistory
from builder.published import PublishedVersion
from builder.render.addresses import measurement_page
from builder.timeline import taken_at
from builder.trend_series import Trends
from campaign.findings import Finding
from campaign.frames import Frame, FrameFile
from campaign.frozen import dataclass
from campaign.model import Block, Campaign, Caveat, Limit
from campaign.record import Snapshot, Test


class Verdict(StrEnum):
    """The state of a measurement, a test or a block: distinct states, never a blank. Worst first."""

    ERROR = "error"
    FAIL = "fail"
    WARN = "warn"
    NOT_REACHED = "not reached"
    NOT_EVALUATED = "not evaluated"
    NOT_RUN = "not run"
    PASS = "pass"
    PLANNED = "planned"


SHAPES: dict[Verdict, str] = {
    Verdict.PASS: "●",
    Verdict.WARN: "▲",
    Verdict.FAIL: "■",
    Verdict.NOT_EVALUATED: "◌",
    Verdict.NOT_REACHED: "◇",
    Verdict.ERROR: "✕",
    Verdict.NOT_RUN: "–",
    Verdict.PLANNED: "☐",
}


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict that stands for several; NOT_RUN for none.

    'Not evaluated' never hides a pass: a test whose judged numbers all pass, passes.
    """
    return min(verdicts, key=_WORST_FIRST.__getitem__, default=Verdict.NOT_RUN)


_ORDER = (
    Verdict.ERROR, Verdict.FAIL, Verdict.WARN, Verdict.NOT_REACHED, Verdict.PASS,
    Verdict.NOT_EVALUATED, Verdict.PLANNED, Verdict.NOT_RUN,
)  # fmt: skip
_WORST_FIRST = {verdict: place for place, verdict in enumerate(_ORDER)}


@dataclass(frozen=True)
class Judged:
    """A measurement with its verdict, the limit that gave it, and the caveats that touch it.

    ``id`` is permanent: '<result id>.<quantity>[.<channel>][.<setting>]'. ``earlier`` holds values that
    former builds published for the same thing, newest first, as (when, value, uncertainty, verdict, result id). ``bounds`` are those that
    judged it, where the limit does not state them itself; ``unjudged`` is the code of why its limit could not judge.
    """

    id: str
    measurement: Measurement
    verdict: Verdict
    limit: Limit | None = None
    why: str = ""
    caveats: tuple[Caveat, ...] = ()
    earlier: tuple[tuple[str, float | None, float | None, str, str], ...] = ()
    bounds: tuple[float | None, float | None] | None = None
    unjudged: str = ""

    @property
    def page(self) -> str:
        """The address of its provenance, relative to the site's root, anchor included."""
        return measurement_page(self.id)

    @property
    def low(self) -> float | None:
        """The lower bound that was used, in the measurement's unit; None without one."""
        return self._bounds[0]

    @property
    def high(self) -> float | None:
        """The upper bound that was used."""
        return self._bounds[1]

    @property
    def _bounds(self) -> tuple[float | None, float | None]:
        if self.bounds is not None:
            return self.bounds
        return self.limit.stated if self.limit else (None, None)


@dataclass(frozen=True)
class DrawnFigure:
    """A figure as files: addresses relative to the site's root (light and dark), data as CSV, size in px.

    ``interactive`` is the address of the script that plots.js draws from; '' when it has no such form.
    """

    name: str
    title: str
    caption: str
    light: str
    dark: str
    data: str
    width: int
    height: int
    alt: str = ""
    interactive: str = ""


@dataclass(frozen=True)
class StoredProduct:
    """A product as a file: address relative to the site's root, size in bytes, BLAKE3 digest, name of its object."""

    name: str
    meaning: str
    href: str
    size: int
    digest: str
    object: str = ""


@dataclass(frozen=True)
class Outcome:
    """What one procedure made of one detector of one test."""

    result_id: str
    block: str
    test: str
    detector: str
    procedure: Procedure
    status: str  # 'done', 'error' or 'not run'
    error: str = ""
    log: tuple[str, ...] = ()
    measurements: tuple[Judged, ...] = ()
    figures: tuple[DrawnFigure, ...] = ()
    products: tuple[StoredProduct, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    raised: tuple[str, ...] = ()
    inputs: tuple[tuple[str, Frame], ...] = ()  # (role, frame), in order
    used: tuple[tuple[str, str], ...] = ()  # (what, measurement id) of other procedures' values
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    measured_at: str = ""
    seconds: float = 0.0
    page: str = ""
    caveats: tuple[Caveat, ...] = ()  # open ones that touch any of its numbers, figures and products

    @property
    def place(self) -> tuple[str, str, str, str]:
        """(block, test, procedure, detector): what it is the result of."""
        return self.block, self.test, self.procedure.name, self.detector

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its measurements."""
        return self._verdict

    @cached_property
    def _verdict(self) -> Verdict:
        if self.status == "error":
            return Verdict.ERROR
        if self.status != "done":
            return Verdict.NOT_RUN
        return worst([j.verdict for j in self.measurements])


@dataclass(frozen=True)
class TestReport:
    """One test: what was planned, acquired, found and measured.

    ``frames`` are those assigned to it. ``expected`` is how many exposures the record asks for; ``page`` its address.
    """

    __test__ = False

    test: Test
    block: Block
    frames: tuple[Frame, ...] = ()
    expected: int | None = None
    findings: tuple[Finding, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    verdict: Verdict = Verdict.NOT_RUN
    verdict_why: str = ""
    page: str = ""

    @property
    def exposures(self) -> tuple[str, ...]:
        """The exposures of its frames, in order, each once."""
        return tuple(dict.fromkeys(f.exposure for f in self.frames))

    @property
    def at(self) -> datetime | None:
        """When it was taken [UTC]; None where nothing tells."""
        return self._at

    @cached_property  # by a name that no digest of a report looks at
    def _at(self) -> datetime | None:
        return taken_at(self.frames, self.test, self.block)


Levels = Mapping[str, tuple[float | None, float | None]]
"""Median of the image and mean of the overscan by channel [ADU]."""


class Counts:
    """What is counted in the pixels of frames; of those of this class, nothing. It is asked only by a page that shows it."""

    def of(self, frame: Frame) -> tuple[Levels, int | None]:
        """The levels of a frame's channels, and how many of its pixels are saturated (None: not counted)."""
        return {}, None

    def source(self, frame: Frame) -> str:
        """What they are counted from: equal names, equal counts."""
        return ""


NOTHING_COUNTED = Counts()


@dataclass(frozen=True)
class FrameReport:
    """A frame in an exposure table: its test, its findings, the object with its preview and what was counted in its pixels."""

    frame: Frame
    test: str | None
    counts: Counts = field(default=NOTHING_COUNTED, repr=False, compare=False)
    findings: tuple[Finding, ...] = ()
    object: str = ""

    @property
    def counted(self) -> tuple[Levels, int | None]:
        """Image median and overscan mean by channel [ADU], and saturated pixels of all channels (None: not counted)."""
        return self.counts.of(self.frame)

    @property
    def pixels(self) -> str:
        """What these are counted from: equal names, equal counts."""
        return self.counts.source(self.frame)

    @property
    def preview(self) -> str:
        """The address of its preview, relative to the site's root; '' for none."""
        return f"previews/{self.object}" if self.object else ""

    @property
    def fingerprint(self) -> str:
        """Its file's; '' where none was taken."""
        return self.frame.file.fingerprint


@dataclass(frozen=True)
class BlockReport:
    """One block with its tests in order of execution and its exposures."""

    block: Block
    tests: tuple[TestReport, ...] = ()
    frames: tuple[FrameReport, ...] = ()
    damaged: tuple[FrameFile, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    findings: tuple[Finding, ...] = ()
    body_html: str = ""
    page: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its tests."""
        return worst([t.verdict for t in self.tests])

    def count(self, *verdicts: Verdict) -> int:
        """How many tests have one of these verdicts."""
        return sum(t.verdict in verdicts for t in self.tests)

    @property
    def missing(self) -> int:
        """How many tests lack some or all of their frames."""
        return sum(any(f.kind in ("no-frames", "missing-frames") for f in t.findings) for t in self.tests)


@dataclass(frozen=True)
class Change:
    """What changed since the last build: 'new test', 'value', 'verdict', 'new frames' …, with a page to look at."""

    kind: str
    what: str
    page: str = ""


@dataclass(frozen=True)
class BuildInfo:
    """About this build. Durations and memory are in ``costs`` alone, and only the page about the build shows them."""

    build_id: int
    started: datetime
    command: str
    versions: Mapping[str, str]
    costs: Costs = field(default_factory=Costs)
    counts: Mapping[str, int] = field(default_factory=dict)
    previous: str = ""  # when the build before began; '' for the first


@dataclass(frozen=True)
class PlaneComparison:
    """A plane of a master (its name: the channel, and the setting where there are several) against the reference's.

    Medians and robust scatters (see ``analysis.against``); ``why`` says what keeps the two from being compared.
    """

    plane: str
    why: str = ""
    n: int = 0
    without: int = 0
    difference: float | None = None
    difference_scatter: float | None = None
    ratio: float | None = None
    ratio_scatter: float | None = None


@dataclass(frozen=True)
class MaskComparison:
    """A bit of a plane of a mask against the reference's: pixels that have it in both, here alone, and there alone.

    ``likeness`` is the share of those in both among those in either.
    """

    plane: str
    bit: str
    common: int
    added: int
    removed: int
    likeness: float


@dataclass(frozen=True)
class ImageComparison:
    """A master or mask of a test against the same of the reference test: ``place`` is (block, test, procedure, detector, product).

    ``made_of`` is the digest of both products and all else that the images depend on.
    """

    place: tuple[str, str, str, str, str]
    reference: tuple[str, str]
    unit: str = ""
    planes: tuple[PlaneComparison, ...] = ()
    masks: tuple[MaskComparison, ...] = ()
    figures: tuple[DrawnFigure, ...] = ()
    why: str = ""
    made_of: str = ""


@dataclass(frozen=True)
class Report:
    """The whole campaign as this build knows it."""

    campaign: Campaign
    blocks: tuple[BlockReport, ...]
    procedures: tuple[Procedure, ...]
    snapshots: tuple[Snapshot, ...]
    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]
    info: BuildInfo
    caveat_history: Mapping[str, tuple[Said, ...]] = field(default_factory=dict)  # by id, oldest first
    verdicts: VerdictHistory = field(default_factory=VerdictHistory)
    versions: tuple[PublishedVersion, ...] = ()  # report versions, and what they published otherwise
    today: date | None = None  # the day that promises are held against; None where the campaign states none
    images: tuple[ImageComparison, ...] = ()  # masters against those of the reference tests
    trends: Trends = field(default_factory=Trends)
    certification: Certification = field(default_factory=Certification)

    def tests(self) -> list[TestReport]:
        """All tests of all blocks, in order."""
        return [t for b in self.blocks for t in b.tests]

    def outcomes(self) -> list[Outcome]:
        """All outcomes of all tests, in order."""
        return [o for t in self.tests() for o in t.outcomes]

    def counts(self) -> dict[str, int]:
        """Tests by verdict, and tests that lack frames ('missing')."""
        held = Counter(t.verdict for t in self.tests())
        out = {str(v): held[v] for v in Verdict}
        out["missing"] = sum(b.missing for b in self.blocks)
        return out
