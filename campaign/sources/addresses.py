"""The addresses of Google Sheets."""

from __future__ import annotations

import re

from campaign.frozen import dataclass
from campaign.sources.grid import SourceError

_LINK = re.compile(
    r"https://docs\.google\.com/spreadsheets/(?:u/[0-9]+/)?d/(?P<key>[^/?#]+)(?P<rest>.*)", re.DOTALL
)
_SHORT = re.compile(r"gsheet:(?P<key>[^/?#]+)(?P<rest>.*)", re.DOTALL)
_KEY = re.compile(r"[A-Za-z0-9_-]{3,200}")
_GID = re.compile(r"[#?&]gid=([0-9]{1,15})(?![0-9])")


@dataclass(frozen=True)
class SheetAddress:
    """A spreadsheet's key, and the number of one of its worksheets (gid) where the address points at one."""

    key: str
    gid: int | None = None

    @classmethod
    def of(cls, address: str) -> SheetAddress | None:
        """The Google Sheet that an address means; None when it means none.

        Raises SourceError for an address that begins like one and is not, such as that of a sheet "published
        to the web", which the Sheets API does not serve.
        """
        found = _LINK.fullmatch(address.strip()) or _SHORT.fullmatch(address.strip())
        if found is None:
            return None
        key = found["key"]
        if key == "e" or not _KEY.fullmatch(key):
            raise SourceError(
                "the address is not that of a spreadsheet: copy it from the browser while the sheet is open"
            )
        gid = _GID.search(found["rest"])
        return cls(key, int(gid[1]) if gid else None)


def is_remote(address: str) -> bool:
    """Whether an address is asked over the network rather than read from the campaign folder."""
    return address.strip().startswith(("https:", "http:", "gsheet:"))
