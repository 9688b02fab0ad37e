"""The campaign folder, read into a Campaign.

Everything wrong costs only itself and becomes a finding. The order of work: ``campaign.toml``, blocks,
caveats, limits; then what each says of the others; then paths and links.
"""

from __future__ import annotations

from datetime import date as Date  # noqa: N812
from pathlib import Path
from typing import Any

from pydantic import Field

from campaign import cross_check, folder_files, links, promises
from campaign.block_files import read_blocks
from campaign.certification_file import read_decisions, reasons
from campaign.checked import Checker
from campaign.detectors import resolve
from campaign.findings import Finding
from campaign.limit_lint import check_limits
from campaign.located import Entry
from campaign.model import Block, Campaign, CampaignFile, Caveat, Intervention, Limit, Source
from campaign.series_tables import read_tables
from campaign.toml_lines import FileSyntaxError, read_toml
from campaign.values import Model


class LimitFile(Model):
    """A file of limits/: an array of [[limit]] tables."""

    limit: tuple[Limit, ...] = Field((), description="An acceptance range")


class CaveatFile(Model):
    """caveats.toml, or a file of caveats/: an array of [[caveat]] tables."""

    caveat: tuple[Caveat, ...] = Field((), description="A known problem")


def load(folder: Path) -> tuple[Campaign | None, list[Finding]]:
    """Read a campaign folder.

    Returns the campaign and everything wrong with its files. The campaign is None only when there is no
    usable ``campaign.toml``: it is missing, is not TOML, or has no title.
    """
    root = folder.absolute()
    findings: list[Finding] = []
    entry = _read_head(root, findings)
    if entry is None:
        return None, findings
    findings += folder_files.misspelt(root)
    detectors, found = resolve(entry)
    blocks, block_caveats, found_in_blocks = read_blocks(root)
    findings += found + found_in_blocks
    caveats = block_caveats + _read_tables(root, ("caveats.toml", "caveats"), CaveatFile, "caveat", findings)
    limits = _read_tables(root, ("limits",), LimitFile, "limit", findings)
    known = cross_check.known_names(entry, detectors, (block.value.id for block in blocks))
    findings += cross_check.campaign_names(entry, known) + promises.faults(entry, known)
    series = read_tables(root, findings)
    scoped = cross_check.with_series(
        known, series
    )  # what scopes of limits, caveats and interventions may name
    file, name = entry.value, entry.value.campaign.id or _folder_name(root) or "campaign"
    decisions, found = read_decisions(root, reasons(file.certification.reasons))
    findings += found + cross_check.certification(entry, known)
    if not file.campaign.title.strip():
        what = f"the campaign has no title; {name!r} is shown instead"
        where = entry.where("campaign", "title")
        findings.append(Finding("incomplete", what, where, "give it a title"))
    campaign = Campaign(
        root=root,
        id=name,
        title=file.campaign.title.strip() or name,
        instrument=file.campaign.instrument,
        description=file.campaign.description,
        people=file.people,
        documents=links.documents(root, entry, findings),
        detectors=detectors,
        data=links.data(root, entry, findings),
        sources=links.sources(_sources(entry, findings), findings),
        sheets=file.sheets,
        build=file.build,
        procedures=file.procedures,
        blocks=_blocks(root, blocks, known, findings),
        limits=_limits(limits, scoped, findings),
        caveats=_caveats(caveats, scoped, findings),
        plugins=_plugins(root),
        simulate=file.simulate,
        compare=file.compare,
        interventions=_interventions(entry, scoped, findings),
        series=series,
        certification=cross_check.sound_certification(file.certification),
        decisions=decisions,
    )
    return campaign, findings


def _folder_name(root: Path) -> str:
    """The folder's name as text: bytes that are none are shown as escapes, so that it can be written anywhere."""
    return root.resolve().name.encode("utf-8", "backslashreplace").decode()


def _read_head(root: Path, findings: list[Finding]) -> Entry[CampaignFile] | None:
    """campaign.toml, checked; None when it is not usable."""
    name = "campaign.toml"
    if not (root / name).is_file():
        what = f"{root.name or root} holds no campaign.toml, so it is no campaign folder"
        findings.append(
            Finding("bad-file", what, name, "name another folder, or start one: calbook new FOLDER")
        )
        return None
    try:
        node = read_toml(folder_files.read_text(root / name))
    except FileSyntaxError as error:
        findings.append(folder_files.unreadable(name, error))
        return None
    simulate = node.child("simulate")
    checker = Checker(name)
    file = checker.check(CampaignFile, node)
    findings += checker.findings
    if file is None:
        return None
    if file.simulate and simulate is not None:  # passed on as it stands: its lists stay lists
        file = file.model_copy(update={"simulate": simulate.plain()})
    return Entry(file, node, name)


def _read_tables(
    root: Path,
    places: tuple[str, ...],
    model: type[LimitFile | CaveatFile],
    key: str,
    findings: list[Finding],
) -> list[Entry[Any]]:
    """The entries of all files of that kind, in order of file name and place."""
    entries: list[Entry[Any]] = []
    for place in places:
        paths = [root / place] if place.endswith(".toml") and (root / place).is_file() else []
        if not place.endswith(".toml"):
            paths, found = folder_files.files_of(root, place, (".toml",))
            findings += found
        for path in paths:
            name = folder_files.relative(root, path)
            try:
                node = read_toml(folder_files.read_text(path))
            except FileSyntaxError as error:
                findings.append(folder_files.unreadable(name, error))
                continue
            checker = Checker(name)
            file = checker.check(model, node)
            findings += checker.findings
            values = getattr(file, key) if file is not None else ()
            entries += [Entry(value, node.nearest((key, n))[1], name) for n, value in enumerate(values)]
    return entries


def _sources(entry: Entry[CampaignFile], findings: list[Finding]) -> list[Entry[Source]]:
    nodes = [entry.node.nearest(("sources", n))[1] for n in range(len(entry.value.sources))]
    entries = [Entry(s, n, entry.file) for s, n in zip(entry.value.sources, nodes, strict=True)]
    return cross_check.once(entries, "source", findings)


def _blocks(
    root: Path, entries: list[Entry[Block]], known: cross_check.Known, findings: list[Finding]
) -> tuple[Block, ...]:
    """The blocks by first day, those without one last, then by name."""
    blocks = []
    for entry in entries:
        block, found = cross_check.sound_block(entry, known)
        findings += found
        blocks.append(block.model_copy(update={"links": links.of_block(root, entry, findings)}))
    return tuple(sorted(blocks, key=lambda b: (b.start or Date.max, b.id)))


def _caveats(
    entries: list[Entry[Caveat]], known: cross_check.Known, findings: list[Finding]
) -> tuple[Caveat, ...]:
    caveats = []
    for entry in cross_check.once(entries, "caveat", findings):
        caveat, found = cross_check.sound_caveat(entry, known)
        findings += found
        caveats.append(caveat)
    return tuple(caveats)


def _limits(
    entries: list[Entry[Limit]], known: cross_check.Known, findings: list[Finding]
) -> tuple[Limit, ...]:
    """The limits that can be judged by. Several may share an id: one requirement at other times or places."""
    limits = []
    for entry in entries:
        limit, found = cross_check.sound_limit(entry, known)
        findings += found
        if limit is not None:
            limits.append(limit)
    findings += check_limits(limits, known)
    return tuple(limits)


def _interventions(
    entry: Entry[CampaignFile], known: cross_check.Known, findings: list[Finding]
) -> tuple[Intervention, ...]:
    """By date; in the order of the file on one day."""
    for n, one in enumerate(entry.value.interventions):
        held = Entry(one, entry.node.nearest(("interventions", n))[1], entry.file)
        findings += cross_check.scope_findings(held, one.scope, f"the intervention of {one.date}", known)
    return tuple(sorted(entry.value.interventions, key=lambda i: i.date))


def _plugins(root: Path) -> tuple[Path, ...]:
    """The team's own procedures; names that begin with an underscore, and tests, are no procedures."""
    return tuple(
        p for p in sorted(root.glob("procedures/*.py")) if not p.name.startswith(("_", "test_", "."))
    )
