"""What is installed beside calbook: the versions of libraries, as installers tell them by the names of folders.

Every command asks for some twenty of them. To read their metadata takes more time than to look once at the folders' names.
"""

from __future__ import annotations

import re
import sysconfig
from functools import cache
from pathlib import Path


@cache
def installed() -> tuple[tuple[str, str], ...]:
    """(name, version) of every package, names as the folders ``<name>-<version>.dist-info`` have them, in their order."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    named = {path.name.removesuffix(".dist-info") for f in folders for path in Path(f).glob("*.dist-info")}
    found = [(name, version) for name, _, version in (each.rpartition("-") for each in named)]
    return tuple(sorted(found, key=lambda one: "==".join(one).casefold()))


def version_of(name: str) -> str:
    """The version of a package, however its name is written; '' where it is not installed."""
    held = _by_name().get(_one_way(name), [])
    if len(held) == 1:
        return held[0]
    from importlib.metadata import (
        PackageNotFoundError,
        version,
    )  # it is elsewhere on Python's path, or there twice

    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@cache
def _by_name() -> dict[str, list[str]]:
    held: dict[str, list[str]] = {}
    for name, version in installed():
        held.setdefault(_one_way(name), []).append(version)
    return held


def _one_way(name: str) -> str:
    """A name as PyPA's specification 'Package name normalization' has it."""
    return re.sub(r"[-_.]+", "-", name).lower()
