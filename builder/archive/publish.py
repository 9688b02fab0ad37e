"""Putting a site where others read it: the whole of it beside, then one switch. A reader never sees half a site.

What readers open is a symbolic link, ``DEST``; the sites that it has pointed at are in ``.DEST.published`` beside it.
Files that did not change are hard links to those of the site before. The site before is kept, for readers who have it
open; older ones that calbook put there are removed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

from builder.archive.asbuilt import as_built
from builder.archive.bag import PAYLOAD, read_bag
from builder.archive.digests import copy, digest_file, each, flush
from builder.archive.errors import ArchiveError, NotAsBuiltError
from builder.archive.verify import verify_folder
from campaign.frozen import dataclass

LIST = ".calbook-published.json"
"""In each published site: its files with their BLAKE3, by which the next publication finds what did not change."""
KEPT = 2
_REMOTE = re.compile(r"(?:[^/:]+@)?[^/:]+:(?!//).+|rsync:/.*")


@dataclass(frozen=True)
class Published:
    """Where a site was put, how many files it has, and how many of them were there already."""

    where: str
    files: int
    linked: int


def source_of(what: Path, output: Path | None = None) -> tuple[Path, dict[str, str]]:
    """The site to publish, of a campaign folder or a version, and the BLAKE3 (or its start) of its files.

    Raises NotAsBuiltError for a site that is not as it was built, ArchiveError for a version that is damaged.
    """
    if (what / PAYLOAD).is_dir() and not (what / "campaign.toml").exists():
        if problems := verify_folder(what).problems:
            raise ArchiveError(f"{problems[0]}. A damaged version is not published.")
        site = f"{PAYLOAD}/site/"
        held = read_bag(what).entries.items()
        return what / site, {p.removeprefix(site): d.blake3 for p, d in held if p.startswith(site)}
    built = as_built(output or what / "build")
    return built.site, built.files


def is_remote(destination: str) -> bool:
    """Whether a destination is for rsync: 'host:path', 'user@host:path', or 'rsync:/path' for this machine."""
    return _REMOTE.fullmatch(destination) is not None


def publish(site: Path, files: dict[str, str], destination: Path, now: datetime) -> Published:
    """Publish a site to a folder of this machine. Raises ArchiveError when the destination is no link of ours, OSError.

    Every file is checked against its digest while it is copied.
    """
    home = destination.parent / f".{destination.name}.published"
    if destination.exists() and not destination.is_symlink():
        raise ArchiveError(
            f"{destination} is there already and is not a link that calbook made. Name a place that is not there yet: "
            "calbook makes it a link, which it can switch at once."
        )
    if destination.is_symlink() and destination.readlink().parent.name != home.name:
        raise ArchiveError(f"{destination} is a link to something else: {destination.readlink()}.")
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob(".part-*"):
        shutil.rmtree(left)
    former, listed = destination.resolve(), _listed(destination)
    part, name = home / f".part-{os.getpid()}", _stamp(home, now)
    for folder in sorted({(part / path).parent for path in files}):
        folder.mkdir(parents=True, exist_ok=True)

    def put(path: str) -> tuple[str, bool]:
        source, target = site / path, part / path
        found = digest_file(source, sha256=False).blake3
        if found.startswith(files[path]):
            if listed.get(path) == found and _link(former / path, target, found):
                return found, True
            if copy(source, target).blake3 == found:
                return found, False
        raise NotAsBuiltError(f"{path} was changed after the site was built: build it again.")

    names = sorted(files)
    try:
        done = each(put, names)
        digests = {path: digest for path, (digest, _) in zip(names, done, strict=True)}
        (part / LIST).write_text(json.dumps(digests, sort_keys=True), encoding="utf-8")
        each(flush, list(part.rglob("*")), 16)
        part.rename(home / name)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    switch = destination.with_name(f".{destination.name}.switch")
    switch.unlink(missing_ok=True)
    switch.symlink_to(f"{home.name}/{name}")
    switch.replace(destination)
    flush(destination.parent)
    for old in sorted(p for p in home.iterdir() if (p / LIST).is_file())[:-KEPT]:
        shutil.rmtree(old)
    return Published(str(destination), len(files), sum(linked for _, linked in done))


def publish_by_rsync(
    site: Path, files: Sequence[str], destination: str, now: datetime, ssh: str = "ssh"
) -> Published:
    """Publish a site over rsync: to a new folder beside, with links to the site before, then one switch.

    ``destination`` is 'host:path', or 'rsync:/path' for this machine; ``ssh`` the remote shell. The files are those named
    only. Raises ArchiveError when rsync or the far end fails; the site before is then still the one that is read.
    """
    if shutil.which("rsync") is None:
        raise ArchiveError("There is no rsync on this machine: install it, or publish to a folder.")
    host, _, path = destination.partition(":")
    host = "" if host == "rsync" else host
    target = PurePosixPath(path)
    home = target.parent / f".{target.name}.published"
    name = f"{now:%Y%m%dT%H%M%S%fZ}"
    far = shlex.quote
    _there(host, ssh, f"if [ -e {far(path)} ] && [ ! -L {far(path)} ]; then echo {far(path)} is no link of calbook >&2; exit 1; fi; "
           f"mkdir -p {far(str(home / name))}")  # fmt: skip
    command = [
        "rsync",
        "-a",
        "--chmod=D755,F644",
        "--files-from=-",
        "--from0",
        f"--link-dest=../../{target.name}",
    ]
    command += ["-e", ssh] if host else []
    command += [f"{site}/", f"{host}:{home / name}/" if host else f"{home / name}/"]
    done = subprocess.run(command, input="\0".join(files).encode(), capture_output=True, check=False)
    if done.returncode:
        raise ArchiveError(f"rsync failed: {done.stderr.decode(errors='replace').strip()[-500:]}")
    link = str(target.parent / f".{target.name}.switch")
    # mv of a link over a link is one rename; -T keeps GNU's mv from moving it into the folder behind
    _there(host, ssh, f"ln -sfn {far(f'{home.name}/{name}')} {far(link)} && mv -fT {far(link)} {far(path)}")
    return Published(destination, len(files), 0)


def _there(host: str, ssh: str, script: str) -> None:
    command = [*shlex.split(ssh), host, script] if host else ["sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ArchiveError(f"The far end refused: {done.stderr.strip()[-500:]}")


def _stamp(home: Path, now: datetime) -> str:
    """A name that sorts by time, and that is not there yet."""
    name = f"{now:%Y%m%dT%H%M%S%fZ}"
    return name if not (home / name).exists() else f"{name}-{len(list(home.iterdir()))}"


def _listed(destination: Path) -> dict[str, str]:
    try:
        return {str(k): str(v) for k, v in json.loads((destination / LIST).read_bytes()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _link(former: Path, target: Path, digest: str) -> bool:
    """Link a file of the site before, when it is still what it was."""
    try:
        if digest_file(former, sha256=False).blake3 != digest:
            return False
        os.link(former, target)
    except OSError:
        target.unlink(missing_ok=True)
        return False
    return True
