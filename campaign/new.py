"""A new campaign folder that loads, builds and explains itself."""

from __future__ import annotations

import json
from pathlib import Path

STARTER = Path(__file__).with_name("starter")
"""The folder that a new campaign is a copy of."""

_TITLE = 'title = "A new campaign"'


def create(folder: Path, *, title: str | None = None) -> list[Path]:
    """Write a starter campaign into ``folder`` and return the files written, in order.

    The folder is made where it is not there. Raises FileExistsError when it holds anything, and
    NotADirectoryError when it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: name a new folder for the campaign")
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} is not empty, and nothing in it was touched: name a new or an empty folder for the campaign"
        )
    written: list[Path] = []
    for source in sorted(path for path in STARTER.rglob("*") if path.is_file()):
        text = source.read_text(encoding="utf-8")
        if source.name == "campaign.toml" and title is not None:
            text = text.replace(_TITLE, f"title = {_toml_text(title)}", 1)
        target = folder / source.relative_to(STARTER)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written


def _toml_text(text: str) -> str:
    """Text as a TOML string: JSON's escapes are TOML's, but for DEL, which JSON leaves bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
