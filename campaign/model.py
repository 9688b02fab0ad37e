"""The campaign: what its folder says, as typed and validated values.

These are the shapes of ``campaign.toml``, of the front matter of ``blocks/*`` and of the files under
``limits/`` and ``caveats/``. ``campaign.load`` reads the files into them. The field descriptions are the
reference that the guide prints: every key is described here, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date as Date  # noqa: N812 - a field of that name would hide the type
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from campaign.certification import Decision
from campaign.geometry import Geometry
from campaign.values import Day as Day
from campaign.values import Model as Model

BlockStatus = Literal["planned", "running", "done", "demoted", "superseded", "archived"]
CaveatSeverity = Literal["info", "minor", "major"]


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


class Detector(Model):
    """A detector with its geometry resolved."""

    name: str
    geometry: Geometry
    hdu: str | int | None = None


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


class Scope(Model):
    """What a caveat or limit applies to; an empty list means everything. Patterns are allowed."""

    blocks: tuple[str, ...] = Field((), description="Blocks")
    tests: tuple[str, ...] = Field((), description="Tests")
    detectors: tuple[str, ...] = Field((), description="Detectors")
    channels: tuple[str, ...] = Field((), description="Channels")
    start: Day | None = Field(None, description="First day it applies to")
    end: Day | None = Field(None, description="Last day it applies to")

    def covers(
        self,
        block: str | None = None,
        test: str | None = None,
        detector: str | None = None,
        channel: str | None = None,
        day: Date | None = None,
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


class Limit(Model):
    """An acceptance range of a quantity. Limits are inclusive: equality is within."""

    id: str = Field(description="Identifier of the requirement")
    quantity: str = Field(description="procedure.quantity, for example photon_transfer.gain")
    low: float | None = Field(None, description="Lowest value accepted, in the quantity's unit")
    high: float | None = Field(None, description="Highest value accepted, in the quantity's unit")
    severity: Literal["warn", "fail"] = Field("fail", description="What a value outside means")
    scope: Scope = Field(
        default_factory=lambda: Scope(), description="What it applies to; start and end are its validity"
    )
    settings: tuple[str, ...] = Field((), description="Patterns of settings it applies to")
    document: str = Field("", description="Document that states it")
    note: str = Field("", description="Anything to know about it")
    file: str = ""


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
    ) -> Iterator[Caveat]:
        """The caveats whose scope touches a place."""
        return (c for c in self.caveats if c.scope.covers(block, test, detector, channel, day))

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
    certification: CertificationUse = Field(
        default_factory=lambda: CertificationUse(), description="Reasons and rules of certification"
    )
