"""Digests of plain values: two values with the same digest say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from blake3 import blake3


def digest(*values: object) -> str:
    """A short digest (16 hex digits) of values by what they say.

    Dataclasses, dates, enumerations, mappings and sequences of them, and models of the campaign are told apart by their
    content; anything else by its ``repr``, but for functions, which say nothing. The order of mappings counts; sets
    must not be given.
    """
    try:
        data = orjson.dumps(values, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):  # text that is no UTF-8, integers beyond 64 bits
        data = repr(values).encode("utf-8", "backslashreplace")
    return blake3(data).hexdigest(length=8)


def _plain(value: Any) -> object:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, Mapping):
        return dict(value)
    return None if callable(value) else repr(value)


NOTHING = digest(())
"""The digest of an empty sequence: what most tests have no caveats, findings or values of others in."""
