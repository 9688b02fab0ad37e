"""Links out of untrusted text: which may be followed, and which are shown as text."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote, urlsplit

from builder.render.addresses import campaign_file, campaign_file_path, relative
from campaign.model import Campaign

_OUTSIDE = ("http", "https")


def is_external(href: str) -> bool:
    """Whether ``href`` is a plain http(s) or mailto address, without a password and without control characters."""
    if not href or any(c <= " " or c == "\x7f" or c == "\\" for c in href):
        return False
    try:
        parts = urlsplit(href)
    except ValueError:
        return False
    if parts.scheme == "mailto":
        return "@" in parts.path
    return parts.scheme in _OUTSIDE and bool(parts.hostname) and parts.username is None


def inside(href: str) -> str | None:
    """The path inside the campaign folder that ``href`` names, or None when it names none."""
    path = href.partition("#")[0]
    if any(c < " " or c == "\x7f" for c in href) or ":" in path.split("/")[0]:
        return None
    try:
        return campaign_file_path(path).removeprefix("files/")
    except ValueError:
        return None


def safe_href(href: str, page: str, absent: Collection[str] = ()) -> str | None:
    """What a link of the campaign folder becomes on a page; None when it must be shown as text.

    http(s) and mailto addresses stay as they are. A path inside the campaign folder leads to the copy of
    that file in the site, unless it is among the ``absent``. Anything else (scripts, data, other schemes,
    absolute paths, paths that leave the folder) is not a link.
    """
    if is_external(href):
        return href
    path = inside(href)
    if path is None or path in absent:
        return None
    mark, anchor = href.partition("#")[1:]
    return relative(page, campaign_file(path)) + mark + quote(anchor, safe="=,&:/?")


def linked_files(campaign: Campaign) -> dict[str, str]:
    """Files of the campaign folder that pages link to: where the copy goes in the site → path in the folder.

    Whether they exist is not known here: the caller copies them and tells ``pages`` which are absent.
    """
    hrefs = [d.href for d in campaign.documents]
    hrefs += [link.href for block in campaign.blocks for link in block.links]
    paths = (inside(href) for href in hrefs if not is_external(href))
    return {campaign_file_path(path): path for path in paths if path}
