"""The paths and links that a campaign names: those that may not be followed are left out, with a finding."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from campaign.findings import Finding
from campaign.folder_files import exists, relative
from campaign.located import Entry
from campaign.model import Block, CampaignFile, DataSpec, Document, Link, Source
from campaign.safe_paths import SOURCE_SCHEMES, local_path, refusal

_TODO = "use an http(s) address, or a path below the campaign folder"


def _refused(what: str, why: str, where: str, todo: str = _TODO, block: str | None = None) -> Finding:
    return Finding("unsafe-path", f"{what} is not used: it {why}", where, todo, block=block)


def of_block(root: Path, entry: Entry[Block], findings: list[Finding]) -> tuple[Link, ...]:
    """The links of a block that may be followed."""
    kept = []
    for place, link in enumerate(entry.value.links):
        why = refusal(link.href, root=root)
        if why:
            where = entry.where("links", place, "href")
            what = f"the link {link.label!r} to {link.href!r}"
            findings.append(_refused(what, why, where, block=entry.value.id))
        else:
            kept.append(link)
    return tuple(kept)


def documents(root: Path, entry: Entry[CampaignFile], findings: list[Finding]) -> tuple[Document, ...]:
    """The documents that campaign.toml names, then the files of documents/ that it does not name."""
    kept = []
    for place, document in enumerate(entry.value.documents):
        why = refusal(document.href, root=root) if document.href else ""
        if why:
            where = entry.where("documents", place, "href")
            findings.append(_refused(f"the address {document.href!r} of {document.title!r}", why, where))
            document = document.model_copy(update={"href": ""})
        kept.append(document)
    named = {Path(local_path(document.href)).as_posix() for document in kept}
    for path in sorted((root / "documents").rglob("*")):
        name = relative(root, path)
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if hidden or path.stem.upper() == "README" or not path.is_file() or name in named:
            continue
        if not path.resolve().is_relative_to(root.resolve()):
            findings.append(_refused(name, "leads out of the campaign folder through a symbolic link", name))
        else:
            kept.append(Document(title=path.name, href=quote(name)))
    return tuple(kept)


def sources(entries: list[Entry[Source]], findings: list[Finding]) -> tuple[Source, ...]:
    """The record sources whose address may be read."""
    kept = []
    for entry in entries:
        source = entry.value
        why = refusal(source.address, SOURCE_SCHEMES)
        if why:
            todo = "put the table below the campaign folder, or give the https:// address of a sheet"
            what = f"the source {source.id!r} at {source.address!r}"
            findings.append(_refused(what, why, entry.where("address"), todo, block=source.block or None))
        else:
            kept.append(source)
    return tuple(kept)


def data(root: Path, entry: Entry[CampaignFile], findings: list[Finding]) -> DataSpec:
    """The data table less folders and patterns that leave their root. Roots may be anywhere."""
    spec = entry.value.data
    _missing_roots(root, entry, findings)
    folders = dict(spec.block_folders)
    patterns: dict[str, tuple[str, ...]] = {"logs": spec.logs, "ignore": spec.ignore}
    todo = "name a folder below the data root"
    for block, folder in spec.block_folders.items():
        why = refusal(folder, ())
        if why:
            where = entry.where("data", "block_folders", block)
            findings.append(_refused(f"the folder {folder!r} of block {block}", why, where, todo, block))
            del folders[block]
    for key, values in patterns.items():
        for place, pattern in enumerate(values):
            why = refusal(pattern, ())
            if why:
                what = f"the pattern {pattern!r} of data.{key}"
                findings.append(_refused(what, why, entry.where("data", key, place), todo))
        patterns[key] = tuple(p for p in values if not refusal(p, ()))
    return spec.model_copy(update={"block_folders": folders, **patterns})


def _missing_roots(root: Path, entry: Entry[CampaignFile], findings: list[Finding]) -> None:
    """A finding for each data root that is named and not there, unless its frames will be simulated."""
    spec = entry.value.data
    simulated = entry.value.simulate.get("on_build") is True
    for place, name in enumerate(spec.roots if "roots" in spec.model_fields_set else ()):
        where = entry.where("data", "roots", place)
        there = exists(root / name)
        if not there and not (simulated and place == 0):
            todo = "correct the path, or mount the disk"
            findings.append(Finding("missing-folder", f"the data root {name!r} is not there", where, todo))
        elif there and not (root / name).is_dir():
            findings.append(
                Finding("missing-folder", f"the data root {name!r} is no folder", where, "name a folder")
            )
