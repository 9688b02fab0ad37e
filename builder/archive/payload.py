"""What goes into a report version: the site, the store's extract, the campaign folder, snapshots, environment.

Left out, and listed as left out: frames and whatever else lies in the data directories, what builds make, hidden
files, keys of service accounts, and links that lead out of the campaign folder.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from builder.archive.asbuilt import AsBuilt
from builder.archive.versions import INDEX
from builder.libraries import installed
from campaign.frozen import dataclass
from campaign.model import Campaign

CHECKOUT = Path(__file__).resolve().parents[2]
_LARGEST_KEY = 64_000
_FRAMES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz", ".fz")


@dataclass
class Payload:
    """Files of a version by their path below ``data/``: each a file to copy, or bytes.

    ``expected`` holds the first 32 digits of the BLAKE3 that a file must have; ``left_out`` what was passed over
    on purpose: (path, why).
    """

    files: dict[str, Path | bytes] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def payload_of(built: AsBuilt, campaign: Campaign, output: Path, versions: Path) -> Payload:
    """The files of a version that are there already; what is made for it is added by ``make``."""
    out = Payload()
    for path, digest in built.files.items():
        out.files[f"site/{path}"] = built.site / path
        out.expected[f"site/{path}"] = digest
    out.left_out += [(f"site/{path}", "not made by calbook") for path in built.strangers]
    snapshots = output / "store" / "snapshots"
    for kept in sorted(p for p in snapshots.rglob("*.json") if p.is_file()):
        out.files[f"store/snapshots/{kept.relative_to(snapshots).as_posix()}"] = kept
    _campaign_folder(out, campaign, [output, versions])
    out.files.update(environment())
    return out


def _campaign_folder(out: Payload, campaign: Campaign, made: list[Path]) -> None:
    root = campaign.root.resolve()
    roots = [(root / r).resolve() for r in campaign.data.roots]
    frames = {r for r in roots if r != root and r.is_relative_to(root)}
    about = dict.fromkeys(frames, "a data directory") | {m.resolve(): "made by calbook" for m in made}
    about[root / "build"] = "made by calbook"
    secret = {(root / campaign.sheets.credentials).resolve()} if campaign.sheets.credentials else set()
    mixed = root in roots  # frames lie among the campaign's own files
    for path, why in _walk(root, about):
        name = f"campaign/{path.relative_to(root).as_posix()}"
        if not why and path.resolve() in secret:
            why = "the key of a service account"
        if not why and _is_key(path):
            why = "a private key"
        if not why and mixed and path.name.lower().endswith(_FRAMES):
            why = "a frame"
        if not why and not _is_text(name):
            why, name = "its name is no UTF-8 text", name.encode("utf-8", "backslashreplace").decode()
        if why:
            out.left_out.append((name, why))
        else:
            out.files[name] = path


def _walk(root: Path, about: dict[Path, str]) -> Iterator[tuple[Path, str]]:
    """The files below the campaign folder, by name, each with '' or the reason to leave it (or its folder) out."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        kept = []
        for name in sorted(folders):
            path = here / name
            if name.startswith(".") or name == "__pycache__":
                yield path, "hidden" if name != "__pycache__" else "made by Python"
            elif path.resolve() in about:
                yield path, about[path.resolve()]
            elif path.is_symlink():
                yield path, "a link to a folder"
            elif (path / INDEX).exists():  # also where this version goes elsewhere: they would nest
                yield path, "report versions"
            else:
                kept.append(name)
        folders[:] = kept
        for name in sorted(files):
            path = here / name
            if name.startswith("."):
                yield path, "hidden"
            elif path.is_symlink() and not path.resolve().is_relative_to(root):
                yield path, "a link that leads out of the campaign folder"
            elif not path.is_file():
                yield path, "no regular file"
            else:
                yield path, ""


def _is_key(path: Path) -> bool:
    """Whether a small file holds a private key, as those of service accounts do, wherever it was copied to."""
    try:
        return path.stat().st_size <= _LARGEST_KEY and b"PRIVATE KEY" in path.read_bytes()
    except OSError:
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def environment() -> dict[str, bytes]:
    """What calbook runs with: its lock files, the packages that are installed, Python and the machine's kind."""
    packages = [f"{name}=={version}" for name, version in installed()]
    about = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    out = {
        "environment/packages.txt": ("\n".join(packages) + "\n").encode(),
        "environment/python.json": (json.dumps(about, indent=1) + "\n").encode(),
    }
    for path in sorted([*CHECKOUT.glob("requirements*.lock"), *CHECKOUT.glob("package-lock.json")]):
        out[f"environment/{path.name}"] = path.read_bytes()
    return out
