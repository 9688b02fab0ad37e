"""Which paths and links of a campaign may be followed: those that stay inside it, and plain web addresses."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote

LINK_SCHEMES = ("http", "https", "mailto")
SOURCE_SCHEMES = ("http", "https")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def scheme(address: str) -> str:
    """The scheme of an address in lower case, or '' for a path."""
    found = _SCHEME.match(address.strip())
    return found[1].lower() if found else ""


def refusal(address: str, schemes: Collection[str] = LINK_SCHEMES, root: Path | None = None) -> str:
    """Why an address is refused, in words that follow 'it …'; '' when it may be followed.

    A path must be relative and stay below the campaign folder. With ``root``, the folder, a path that leaves
    it through a symbolic link is refused too: what it leads to would be published with the site.
    """
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in address):  # browsers drop these: java\tscript:
        return "holds control characters"
    name = scheme(address)
    if name:
        return "" if name in schemes else f"has the scheme {name!r}, which is not one of {', '.join(schemes)}"
    path = local_path(address)
    if path.startswith("//"):
        return "has no scheme: write https:// before it"
    if path.startswith("/"):
        return "is absolute"
    if posixpath.normpath(path).split("/")[0] == "..":
        return "leads out of the campaign folder"
    if root is not None and not (root / path).resolve().is_relative_to(root.resolve()):
        return "leads out of the campaign folder through a symbolic link"
    return ""


def local_path(href: str) -> str:
    """The path that a relative link names: without its query and anchor, decoded, '/' separated."""
    return unquote(re.split(r"[?#]", href.strip(), maxsplit=1)[0]).replace("\\", "/")
