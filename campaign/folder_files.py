"""The files of a campaign folder as text, and which of them mean something."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from campaign.checked import nearest
from campaign.findings import Finding
from campaign.toml_lines import FileSyntaxError

KNOWN = (
    "campaign.toml",
    "caveats.toml",
    "certification.csv",
    "blocks",
    "caveats",
    "limits",
    "records",
    "series",
    "procedures",
    "documents",
    "frames",
    "build",
)
LARGEST = 4_000_000
"""Bytes of the largest file that is read as campaign text: more is a mistake, or an attack."""


def read_text(path: Path) -> str:
    """A UTF-8 file, with or without a byte order mark. Raises FileSyntaxError when it cannot be that."""
    try:
        if path.stat().st_size > LARGEST:
            raise FileSyntaxError(f"it is larger than {LARGEST // 1_000_000} MB", 1)
        data = path.read_bytes()
    except OSError as error:
        raise FileSyntaxError(f"it cannot be read: {error.strerror or error}", 1) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileSyntaxError("it is not UTF-8 text", line) from None


def exists(path: Path) -> bool:
    """Whether a path leads to something; a path that cannot even be asked for does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def unreadable(file: str, error: FileSyntaxError, block: str | None = None) -> Finding:
    """The finding for a file that cannot be read."""
    return Finding(
        "bad-file",
        f"{file} is not used: {error.message}",
        f"{file}:{error.line}",
        "save it as UTF-8"
        if "UTF-8" in error.message
        else "correct the line; the rest of the campaign is built",
        block=block,
    )


def relative(root: Path, path: Path) -> str:
    """A path as findings name it: relative to the campaign, '/' separated, fit for any encoding."""
    name = path.relative_to(root).as_posix()
    return name.encode("utf-8", "backslashreplace").decode()


def files_of(root: Path, folder: str, suffixes: Collection[str]) -> tuple[list[Path], list[Finding]]:
    """The files of a folder with these suffixes, by name, and a finding for each that means nothing there.

    Hidden files, README files and folders are passed over; a folder that is not there has no files.
    """
    found: list[Path] = []
    findings: list[Finding] = []
    base = root / folder
    for path in sorted(base.iterdir()) if base.is_dir() else []:
        if path.name.startswith(".") or path.stem.upper() == "README" or path.is_dir():
            continue
        if path.suffix.lower() in suffixes:
            found.append(path)
        elif folder != "blocks" or path.suffix.lower() in {".txt", ".markdown", ".docx", ".odt", ".toml"}:
            name = relative(root, path)
            what = f"{name} is not read: files of {folder}/ end in {' or '.join(sorted(suffixes))}"
            findings.append(Finding("bad-file", what, name, "rename it, or move it elsewhere"))
    return found, findings


def misspelt(root: Path) -> list[Finding]:
    """A finding for each file or folder that bears nearly, but not quite, a name that means something."""
    findings = []
    for path in sorted(root.iterdir()):
        name = path.name
        if name in KNOWN or name.startswith("."):
            continue
        close = nearest(name, [known for known in KNOWN if Path(known).suffix == path.suffix], cutoff=0.8)
        meant = "limits/limits.toml" if name == "limits.toml" else close
        if meant and not (root / meant).exists():
            what = f"{relative(root, path)} is not read: it means nothing here"
            findings.append(Finding("unknown-name", what, relative(root, path), f"did you mean {meant!r}?"))
    return findings
