"""Names as addresses: a page's file name from a block's, test's or detector's name."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


@lru_cache(maxsize=65536)  # pages link to the same names again and again
def slug(name: str) -> str:
    """A file name for a name: safe on every file system, the same for ever, different for different names.

    Plain names are kept as they are. Anything else ('..', spaces, Unicode, mark-up) is replaced by dashes
    and gets a short digest of the original, so that two odd names never share an address.
    """
    plain = _SAFE.sub("-", name).strip(".-")
    if plain == name and plain.lower() not in {"", "index", "con", "nul", "aux", "prn"}:
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{plain[:60]}-{digest}".lstrip("-.")
