"""FITS header cards: values as text by keyword, and the size of the data that a header describes.

Values stay text here, as the camera wrote them; ``builder.acquired.headervalues`` makes them numbers, times and types. Cards are
80 characters each (FITS standard 4.0, section 4).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping

CARD = 80

_VALUE = re.compile(r"\s*(?:'((?:[^']|'')*)'|([^/]*))")
_COMMENTARY = frozenset({"", "COMMENT", "HISTORY"})


class HeaderError(ValueError):
    """A header that breaks the FITS standard so that its data cannot be found."""


def read_cards(header: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Values as text by keyword, and the keywords whose values were strings, from a header's text.

    Commentary (COMMENT, HISTORY) is joined by line breaks; CONTINUE continues a string.
    """
    cards: dict[str, str] = {}
    quoted: list[str] = []
    last = ""
    for i in range(0, len(header), CARD):
        card = header[i : i + CARD]
        keyword = card[:8].rstrip()
        if keyword == "END":
            break
        if keyword == "CONTINUE" and last in cards and cards[last].endswith("&"):
            cards[last] = cards[last][:-1] + _value(card[8:])[0]
            continue
        if keyword in _COMMENTARY:
            if text := card[8:].rstrip():
                cards[keyword] = f"{cards[keyword]}\n{text}" if keyword in cards else text
            continue
        keyword, rest = _split(card, keyword)
        if keyword in cards:
            continue
        cards[sys.intern(keyword)], string = _value(rest)
        last = keyword
        if string:
            quoted.append(sys.intern(keyword))
    return cards, tuple(quoted)


def _split(card: str, keyword: str) -> tuple[str, str]:
    if card[8:9] == "=":
        return keyword.upper(), card[9:]
    if keyword == "HIERARCH" and "=" in card:
        name, _, rest = card[8:].partition("=")
        return " ".join(name.upper().split()), rest
    return keyword.upper(), ""  # a keyword without a value


def _value(rest: str) -> tuple[str, bool]:
    """The text of a value, and whether it was a string. An unclosed quote is taken to the card's end."""
    match = _VALUE.match(rest)
    if match is None:
        return rest.strip(), False
    if match[1] is not None:
        return match[1].replace("''", "'").rstrip(), True
    text = match[2].strip()
    if text.startswith("'"):
        return rest.strip()[1:].rstrip(), True
    return text, False


def data_size(cards: Mapping[str, str], *, primary: bool) -> int:
    """Bytes of an HDU's data without padding (FITS standard 4.0, equations 1, 2 and 4).

    Raises HeaderError when a keyword that says it is missing or not a whole number.
    """
    bits, axes = whole(cards, "BITPIX"), whole(cards, "NAXIS")
    if bits not in (8, 16, 32, 64, -32, -64):
        raise HeaderError(f"BITPIX is {bits}")
    if not 0 <= axes <= 999:
        raise HeaderError(f"NAXIS is {axes}")
    lengths = [whole(cards, f"NAXIS{i}") for i in range(1, axes + 1)]
    if any(n < 0 for n in lengths):
        raise HeaderError(f"an axis has a negative length: {lengths}")
    if not lengths:
        return 0
    groups = primary and lengths[0] == 0 and cards.get("GROUPS") == "T"
    if primary and not groups:
        return abs(bits) // 8 * math.prod(lengths)
    extra, count = whole(cards, "PCOUNT", 0), whole(cards, "GCOUNT", 1)
    if extra < 0 or count < 0:
        raise HeaderError(f"PCOUNT is {extra}, GCOUNT is {count}")
    return abs(bits) // 8 * count * (extra + math.prod(lengths[1:] if groups else lengths))


def whole(cards: Mapping[str, str], keyword: str, default: int | None = None) -> int:
    """A keyword's whole number. Raises HeaderError when it is not one, or is missing without a default."""
    text = cards.get(keyword)
    if text is None:
        if default is None:
            raise HeaderError(f"{keyword} is missing")
        return default
    try:
        number = float(text) if len(text) < 20 else math.nan
    except ValueError:
        number = math.nan
    if not number.is_integer():
        raise HeaderError(f"{keyword} is {text!r}")
    return int(number)
