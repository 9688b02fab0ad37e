"""The campaign: what its folder says, as typed and validated values.

These are the shapes of ``campaign.toml``, of the front matter of ``blocks/*`` and of the files under
``limits/`` and ``caveats/``. ``campaign.load`` reads the files into them. The field descriptions are the
reference that the guide prints: every key is described here, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date as Date  # noqa: N812 - a field of that name would hide the type
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from campaign.certification import Decision
from campaign.geometry import Geometry
from campaign.series import SeriesTable
from campaign.values import Day as Day
from campaign.values import Model as Model

BlockStatus = Literal["planned", "running", "done", "demoted", "superseded", "archived"]
CaveatSeverity = Literal["info", "minor", "major"]
CaveatEffect = Literal["mark", "warn", "exclude"]


class Person(Model):
    """Somebody of the team."""

    name: str = Field(description="Full name")
    role: str = Field("", description="What they do in the campaign")
    contact: str = Field("", description="How to reach them")


class Link(Model):
    """A link with its label."""

    label: str = Field(description="The words shown")
    href: str = Field(description="An http(s) address, or a path relative to the campaign folder")


class Document(Model):
    """A document of the campaign: a plan, a report, a description."""

    title: str = Field(description="Title of the document")
    href: str = Field("", description="An http(s) address, or a path relative to the campaign folder")
    reference: str = Field("", description="Document number")
    version: str = Field("", description="Version or issue")
    date: Day | None = Field(None, description="Date of that version")
    note: str = Field("", description="Anything to know about it")


class GeometrySpec(Model):
    """A detector geometry, from a preset."""

    preset: str = Field(description="euclid-vis, single or decam")
    rows: int | None = Field(None, gt=0, description="Active rows of a channel")
    columns: int | None = Field(None, gt=0, description="Active columns of a channel")
    prescan: int | None = Field(None, ge=0, description="Prescan columns of a channel")
    overscan: int | None = Field(None, ge=0, description="Serial overscan columns of a channel")
    parallel: int | None = Field(None, ge=0, description="Parallel overscan rows of a channel")
    saturation: float | None = Field(
        None, gt=0, description="Level at or above which a pixel is saturated [ADU]"
    )


class DetectorSpec(Model):
    """A detector of the instrument."""

    geometry: str = Field(description="Name of a [geometry.*] table, or of a preset")
    hdu: str | int | None = Field(
        None, description="Image extension that holds the detector, where a file holds several"
    )
    gain: dict[str, float] = Field(default_factory=dict, description="Nominal gain by channel [e⁻/ADU]")
    hardware: tuple[str, ...] = Field(
        (),
        description="Names among a block's hardware whose change begins another series; by default the detector's own",
    )


class Detector(Model):
    """A detector with its geometry resolved."""

    name: str
    geometry: Geometry
    hdu: str | int | None = None
    hardware: tuple[str, ...] = ()

    def device(self, block: Block) -> str:
        """What was in the detector's place in a block: serial numbers, as far as the block tells them.

        >>> Detector(name="CCD1", geometry=None, hardware=("CCD1", "ROE")).device(  # doctest: +SKIP
        ...     Block(hardware={"CCD1": "15081-07-02", "ROE": "FM05"}))
        '15081-07-02, ROE FM05'
        """
        held = [(n, block.hardware[n]) for n in self.hardware or (self.name,) if block.hardware.get(n)]
        return ", ".join(serial if name == self.name else f"{name} {serial}" for name, serial in held)


class DataSpec(Model):
    """Where frames are and how their headers are read."""

    roots: tuple[str, ...] = Field(
        ("frames",), description="Directories of frames, relative to the campaign folder or absolute"
    )
    preset: str = Field("generic", description="Header mapping to start from: generic, euclid-vis or decam")
    fields: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Header keywords of a field, the first that is there counts; overrides the preset",
    )
    types: dict[str, str] = Field(
        default_factory=dict,
        description="Frame type by what the type keyword says: a pattern and bias, dark, flat, point or other",
    )
    file_name: str = Field(
        "",
        description="Regular expression with named groups (exposure, detector, type, exptime) over the file name; checked against the header",
    )
    detector: str = Field("", description="The detector of every frame, where headers do not name it")
    logs: tuple[str, ...] = Field((), description="Patterns of exposure logs, relative to each root")
    ignore: tuple[str, ...] = Field((), description="Patterns of files to pass over, relative to each root")
    assign: Literal["record", "header", "both"] = Field(
        "both",
        description="How frames find their test: by the record's exposure ranges, by the test named in the header, or by both",
    )
    setting: tuple[str, ...] = Field(
        (), description="Frame fields that make the setting of a measurement, for example wavelength"
    )
    block_folders: dict[str, str] = Field(
        default_factory=dict,
        description="Folder (relative to a root) of each block's frames; by default the folder of the block's name, if there",
    )


class Source(Model):
    """A record source: a table of tests."""

    id: str = Field(description="Short name of the source")
    address: str = Field(description="Path of a CSV, xlsx or ods file, or the address of a Google Sheet")
    block: str = Field("", description="The block of all its rows; empty when a column says it")
    sheet: str = Field(
        "", description="Name of the worksheet; empty for the first, or the one the address points at"
    )
    header_row: int = Field(1, ge=1, description="Row that holds the column names")
    kind: Literal["tests", "hardware", "other"] = Field(
        "tests", description="What the rows are: tests of the record, hardware, or a table to show as it is"
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Column name of each field of the record (session, test, first, last, exposures, frames, exptime, status, comments, folder, date, block, procedure, detector)",
    )


class SheetsSettings(Model):
    """How Google Sheets are reached. Secrets stay in files or the environment, never here."""

    api: str = Field("", description="Base address of the Sheets API, for a laboratory's proxy")
    key_env: str = Field(
        "CALBOOK_SHEETS_KEY", description="Environment variable that holds an API key for public sheets"
    )
    credentials: str = Field(
        "", description="Path of a service account's key file (or set CALBOOK_SHEETS_CREDENTIALS)"
    )
    timeout: float = Field(20.0, gt=0, description="Seconds to wait for an answer")
    retries: int = Field(
        2, ge=0, description="How often a failed pull is tried again before the snapshot is used"
    )


class BuildSettings(Model):
    """Where a build's work runs. The command line wins over it."""

    scheduler: str = Field(
        "",
        description="Address of a Dask scheduler, as in tcp://host:8786, on whose workers builds run; empty for this machine",
    )


class ProcedureUse(Model):
    """Which tests a procedure analyses, and with what parameters."""

    tests: tuple[str, ...] = Field((), description="Patterns of test names, for example PTC*")
    parameters: dict[str, float | int | bool | str] = Field(
        default_factory=dict, description="Parameters that differ from the defaults"
    )
    roles: dict[str, str] = Field(
        default_factory=dict,
        description="Frame type that fills a role, where it is not the usual one ('any' for all frames of the test)",
    )
    every: str = Field(
        "",
        description="How often its tests are promised while a block is running: 1 day, 3 days, 2 weeks. The health check says what is late",
    )
    reference: str = Field(
        "",
        description="BLOCK/TEST that its other tests are compared with, numbers and images, for example BORN/FLAT01",
    )


class Compare(Model):
    """Two blocks that are to be compared, beside those that are compared anyway."""

    block: str = Field(description="The block whose numbers are compared")
    other: str = Field(description="The block that they are compared with")


class Scope(Model):
    """What a caveat or limit applies to; an empty list means everything. Patterns are allowed."""

    blocks: tuple[str, ...] = Field((), description="Blocks")
    tests: tuple[str, ...] = Field((), description="Tests")
    detectors: tuple[str, ...] = Field((), description="Detectors")
    channels: tuple[str, ...] = Field((), description="Channels")
    start: Day | None = Field(None, description="First day it applies to")
    end: Day | None = Field(None, description="Last day it applies to")
    procedures: tuple[str, ...] = Field((), description="Procedures")
    quantities: tuple[str, ...] = Field((), description="Quantities, as gain or photon_transfer.gain")
    settings: tuple[str, ...] = Field(
        (), description="Settings of measurements, for example *wavelength=800*"
    )

    def covers(
        self,
        block: str | None = None,
        test: str | None = None,
        detector: str | None = None,
        channel: str | None = None,
        day: Date | None = None,
        procedure: str | None = None,
        quantity: str | None = None,
        setting: str | None = None,
    ) -> bool:
        """Whether the scope touches this place. A None argument is a wider place: it is touched."""

        def within(patterns: tuple[str, ...], name: str | None) -> bool:
            return not patterns or name is None or any(fnmatchcase(name, p) for p in patterns)

        return (
            within(self.blocks, block)
            and within(self.tests, test)
            and within(self.detectors, detector)
            and within(self.channels, channel)
            and (day is None or self.start is None or self.start <= day)
            and (day is None or self.end is None or day <= self.end)
            and within(self.procedures, procedure)
            and within(self.settings, setting)
            and (within(self.quantities, quantity) or within(self.quantities, f"{procedure}.{quantity}"))
        )

    def overlaps(self, start: Date | None, end: Date | None) -> bool:
        """Whether the scope's days touch the days from ``start`` to ``end``. An open end touches everything."""
        return not (
            (self.start is not None and end is not None and end < self.start)
            or (self.end is not None and start is not None and start > self.end)
        )


class CertificationRule(Model):
    """A rule that decides about outcomes by itself. A person's word always stands above it."""

    name: str = Field(description="Short name: decisions are shown as made by 'rule: <name>'")
    decision: Literal["accepted", "reviewed"] = Field("accepted", description="What it decides")
    procedures: tuple[str, ...] = Field((), description="Patterns of procedures; empty for all")
    verdicts: tuple[Literal["pass", "warn", "fail", "not reached", "not evaluated"], ...] = Field(
        ("pass",), description="Verdicts that an outcome may have"
    )
    coverage: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="Least share of the measurements with a limit that must have been judged; with none at all no share is enough but 0",
    )
    caveated: bool = Field(
        False,
        description="Whether outcomes that caveats touch are decided too: those that the analysis raised, and open ones that are more than info",
    )
    scope: Scope = Field(default_factory=lambda: Scope(), description="What it applies to")
    text: str = Field("", description="Why the rule may decide, in words")


class CertificationUse(Model):
    """[certification]: reasons of the campaign's own, and rules."""

    reasons: dict[str, str] = Field(
        default_factory=dict, description="Codes of reasons beside the built-in ones, with their meaning"
    )
    rules: tuple[CertificationRule, ...] = Field((), description="What is decided without a person")


class Caveat(Model):
    """A known problem, with its scope."""

    id: str = Field(description="Short name, for links")
    text: str = Field(description="What is wrong and what it affects, in a sentence or two")
    severity: CaveatSeverity = Field("minor", description="info, minor or major")
    author: str = Field("", description="Who says so")
    date: Day | None = Field(None, description="Since when it is known")
    resolved: Day | None = Field(None, description="When it was resolved; it is kept and shown as history")
    scope: Scope = Field(default_factory=lambda: Scope(), description="What it applies to")
    effect: CaveatEffect = Field(
        "mark",
        description="mark: shown beside what it touches; warn: also makes a pass or fail a warning; exclude: also keeps numbers out of trends",
    )
    expires: Day | None = Field(
        None, description="Last day on which it counts; afterwards it is listed as expired"
    )
    resolution: str = Field("", description="How it was resolved, in a sentence")
    expired: bool = False  # set by the build, which knows what day it is
    raised_by: str = ""  # the procedure that raised it; '' for a person's

    @property
    def open(self) -> bool:
        """Whether it counts: neither resolved nor expired."""
        return self.resolved is None and not self.expired


class RelativeTo(Model):
    """What a relative limit is stated against: a reference test, another quantity, or what was commanded."""

    test: str = Field("", description="Reference test; empty for the measured test itself")
    block: str = Field("", description="Block of the reference test; empty for the measured test's own")
    quantity: str = Field(
        "", description="procedure.quantity of the reference value; empty for the limit's own quantity"
    )
    setting: str = Field("", description="Setting of the reference value; empty for the measurement's own")
    field: str = Field("", description="Frame field that holds what was commanded, for example exptime")
    column: str = Field("", description="Column of the record that holds what was commanded")
    by: Literal["difference", "ratio"] = Field(
        "difference", description="Whether low and high bound the difference from it or the ratio to it"
    )

    @property
    def commanded(self) -> bool:
        """Whether the reference is what was commanded, not what was measured."""
        return bool(self.field or self.column)


class Statistic(Model):
    """Limits from the other points of a series: median ± sigma times their robust scatter."""

    sigma: float = Field(3.0, gt=0, description="Half-width of the range, in robust standard deviations")
    days: float | None = Field(None, gt=0, description="Only points so many days away at most")
    points: int | None = Field(None, ge=1, description="Only so many of the nearest points, on each side")
    sides: Literal["before", "around"] = Field(
        "before", description="Points before the measured one, or on both sides of it"
    )
    minimum: int = Field(10, ge=2, description="Points without which nothing is judged")
    blocks: Literal["all", "own"] = Field(
        "all", description="Whether the series runs through all blocks, or through the measurement's own"
    )


LimitKind = Literal["range", "relative", "commanded", "statistical"]


class Limit(Model):
    """An acceptance range of a quantity. Limits are inclusive: equality is within.

    ``low`` and ``high``, or ``reference`` ± ``tolerance``, are in the quantity's unit; with ``relative_to`` they are of the difference
    or ratio to that, and with ``statistic`` the range is found from other points. Entries that share an id are the
    same requirement at other times or places.
    """

    id: str = Field(description="Identifier of the requirement")
    quantity: str = Field(description="procedure.quantity, for example photon_transfer.gain")
    low: float | None = Field(None, description="Lowest value accepted, in the quantity's unit")
    high: float | None = Field(None, description="Highest value accepted, in the quantity's unit")
    reference: float | None = Field(None, description="Nominal value, in the quantity's unit")
    tolerance: float | None = Field(
        None, ge=0, description="Largest difference from the reference, in the quantity's unit"
    )
    tolerance_percent: float | None = Field(
        None, ge=0, description="Largest difference from the reference, in per cent of it"
    )
    relative_to: RelativeTo | None = Field(
        None, description="What the range is relative to: a reference test, a quantity, or what was commanded"
    )
    statistic: Statistic | None = Field(
        None, description="The range is found from the other points of a series"
    )
    severity: Literal["warn", "fail"] = Field("fail", description="What a value outside means")
    scope: Scope = Field(
        default_factory=lambda: Scope(), description="What it applies to; start and end are its validity"
    )
    settings: tuple[str, ...] = Field((), description="Patterns of settings it applies to")
    document: str = Field("", description="Document that states it")
    note: str = Field("", description="Anything to know about it")
    file: str = ""
    line: int = Field(0, exclude=True)  # where to mend it; moving it in its file changes no page

    @property
    def where(self) -> str:
        """file:line of the entry, the file where the line is not known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def kind(self) -> LimitKind:
        """How its bounds are had: stated, relative to a measured value or to a commanded one, or from a series."""
        if self.statistic is not None:
            return "statistical"
        if self.relative_to is not None:
            return "commanded" if self.relative_to.commanded else "relative"
        return "range"

    @property
    def stated_tolerance(self) -> bool:
        """Whether it is a reference ± tolerance, not low and high."""
        return self.tolerance is not None or self.tolerance_percent is not None

    @cached_property
    def stated(self) -> tuple[float | None, float | None]:
        """(low, high) in the quantity's unit, as far as the limit itself states them: reference ± tolerance worked out."""
        if self.kind != "range":
            return None, None
        if self.reference is None or not self.stated_tolerance:
            return self.low, self.high
        return around(self.reference, self.tolerance, self.tolerance_percent)


def around(
    reference: float, tolerance: float | None, percent: float | None
) -> tuple[float | None, float | None]:
    """(reference − t, reference + t), t the ``tolerance`` or that many ``percent`` of the reference; (None, None) without either.

    Worked out in decimal, as a person would: 0.8 − 0.1 is 0.7, so that a value of 0.7 is within.
    """
    if tolerance is None and percent is None:
        return None, None
    middle = Decimal(repr(float(reference)))
    if tolerance is not None:
        half = Decimal(repr(float(tolerance)))
    else:
        half = abs(middle) * Decimal(repr(float(percent or 0.0))) / 100
    return float(middle - half), float(middle + half)


class Intervention(Model):
    """Something done to the instrument or its surroundings, which values may show."""

    date: Day = Field(description="When")
    text: str = Field(description="What was done, in a few words")
    scope: Scope = Field(
        default_factory=lambda: Scope(), description="What it was done to; its dates say nothing"
    )


class Block(Model):
    """One tested unit over some dates. The front matter of a file under blocks/."""

    id: str = Field("", description="Short name; by default the file's name")
    title: str = Field("", description="Heading; by default the short name")
    kind: str = Field("block", description="What it is: dry run, detection chain, dark calibration, epoch …")
    status: BlockStatus = Field(
        "planned", description="planned, running, done, demoted, superseded or archived"
    )
    status_note: str = Field("", description="Why, in a few words")
    start: Day | None = Field(None, description="First day")
    end: Day | None = Field(None, description="Last day")
    facility: str = Field("", description="Where it was tested")
    hardware: dict[str, str] = Field(default_factory=dict, description="Serial numbers by name of the item")
    detectors: tuple[str, ...] = Field((), description="Detectors present; empty for all of the campaign's")
    supersedes: str = Field("", description="Block that this one replaces")
    superseded_by: str = Field("", description="Block that replaces this one")
    data_archived: bool = Field(
        False, description="The frames were moved to an archive: their absence is no fault"
    )
    links: tuple[Link, ...] = Field((), description="Data, scripts, spreadsheets")
    body: str = ""
    format: Literal["md", "rst"] = "md"
    path: str = ""


class Campaign(Model):
    """Everything the campaign folder says."""

    root: Path
    id: str
    title: str
    instrument: str = ""
    description: str = ""
    people: tuple[Person, ...] = ()
    documents: tuple[Document, ...] = ()
    detectors: tuple[Detector, ...] = ()
    data: DataSpec = Field(default_factory=lambda: DataSpec())
    sources: tuple[Source, ...] = ()
    sheets: SheetsSettings = Field(default_factory=lambda: SheetsSettings())
    build: BuildSettings = Field(default_factory=lambda: BuildSettings())
    procedures: dict[str, ProcedureUse] = Field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    blocks: tuple[Block, ...] = ()
    plugins: tuple[Path, ...] = ()
    simulate: dict[str, Any] = Field(default_factory=dict)
    compare: tuple[Compare, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    series: tuple[SeriesTable, ...] = ()
    certification: CertificationUse = Field(default_factory=lambda: CertificationUse())
    decisions: tuple[Decision, ...] = ()

    def block(self, block_id: str) -> Block | None:
        """The block of that name, or None."""
        return next((b for b in self.blocks if b.id == block_id), None)

    def detector(self, name: str) -> Detector | None:
        """The detector of that name, or None."""
        return next((d for d in self.detectors if d.name == name), None)

    def detectors_of(self, block: Block) -> tuple[Detector, ...]:
        """The detectors present in a block, in the campaign's order."""
        return tuple(d for d in self.detectors if not block.detectors or d.name in block.detectors)

    def caveats_for(
        self,
        block: str | None = None,
        test: str | None = None,
        detector: str | None = None,
        channel: str | None = None,
        day: Date | None = None,
        procedure: str | None = None,
    ) -> Iterator[Caveat]:
        """The caveats whose scope touches a place."""
        return (c for c in self.caveats if c.scope.covers(block, test, detector, channel, day, procedure))

    def procedures_for(self, test: str) -> list[str]:
        """Names of the procedures that analyse a test, in the order of the file."""
        return [name for name, use in self.procedures.items() if any(fnmatchcase(test, p) for p in use.tests)]


class CampaignFile(Model):
    """The tables of ``campaign.toml``."""

    class Head(Model):
        """[campaign]: what the campaign is."""

        id: str = Field("", description="Short name; by default the folder's")
        title: str = Field(description="Title of the site")
        instrument: str = Field("", description="The instrument")
        description: str = Field("", description="What the campaign is, in a sentence or two (Markdown)")

    campaign: Head = Field(description="What the campaign is")
    people: tuple[Person, ...] = Field((), description="The team")
    documents: tuple[Document, ...] = Field((), description="Plans, reports, descriptions")
    geometry: dict[str, GeometrySpec] = Field(default_factory=dict, description="Detector geometries by name")
    detectors: dict[str, DetectorSpec] = Field(default_factory=dict, description="Detectors by name")
    data: DataSpec = Field(
        default_factory=lambda: DataSpec(), description="Where frames are and how their headers are read"
    )
    sources: tuple[Source, ...] = Field((), description="Record sources")
    sheets: SheetsSettings = Field(
        default_factory=lambda: SheetsSettings(), description="How Google Sheets are reached"
    )
    procedures: dict[str, ProcedureUse] = Field(
        default_factory=dict, description="Which tests each procedure analyses"
    )
    build: BuildSettings = Field(
        default_factory=lambda: BuildSettings(), description="Where a build's work runs"
    )
    simulate: dict[str, Any] = Field(
        default_factory=dict, description="What `calbook simulate` needs: truth and planted faults"
    )
    compare: tuple[Compare, ...] = Field(
        (),
        description="Blocks to compare; each is compared anyway with the one before it of its kind, and with the one it supersedes",
    )
    interventions: tuple[Intervention, ...] = Field(
        (), description="What was done and when, to be drawn into trends"
    )
    certification: CertificationUse = Field(
        default_factory=lambda: CertificationUse(), description="Reasons and rules of certification"
    )
