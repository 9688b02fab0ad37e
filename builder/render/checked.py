"""Data as scripts that assign a global, and the one of them that each build writes: when remote sources were asked."""

from __future__ import annotations

import json
from collections.abc import Mapping

CHECKED = "checked.js"


def checked_script(checked: Mapping[str, str]) -> str:
    """``checked.js``: when remote sources were last asked, by source, as ISO times in UTC.

    It alone moves when a source was asked and nothing had changed: pages hold no such time.
    """
    return script("calbookChecked", dict(checked))


def script(name: str, data: object) -> str:
    """A script that assigns a global."""
    return f"window.{name}={literal(data)};\n"


def literal(data: object) -> str:
    """Data as a JSON literal for a script. '<' is escaped, so that the text can never close a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
