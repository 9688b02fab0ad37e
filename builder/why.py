"""Why a page changed: the parts that it shows, compared between the builds that wrote it."""

from __future__ import annotations

from pathlib import Path

from builder.render import addresses
from builder.store import Store


def explain(store_folder: Path, what: str) -> list[str]:
    """Lines that say when a page was last written and which of its parts had changed.

    ``what`` is a page's address, 'block/test' or a block. Empty when the site has no such page.
    """
    with Store(store_folder) as store:
        history = store.page_history(what)
        page = what
        if not history and "/" in what:
            block, _, test = what.partition("/")
            page = addresses.test_page(block, test)
            history = store.page_history(page)
        if not history and "/" not in what:
            page = addresses.block_page(what)
            history = store.page_history(page)
    if not history:
        return []
    lines = [f"{page}: written by {len(history)} build{'s' if len(history) > 1 else ''}"]
    for i, (build, started, _, parts) in enumerate(history):
        if i + 1 == len(history):
            lines.append(f"  build {build}, {started}: made for the first time")
            break
        before = history[i + 1][3]
        reasons = [
            name if name in before and name in parts else f"{name} ({'new' if name in parts else 'gone'})"
            for name in sorted(before.keys() | parts.keys())
            if before.get(name) != parts.get(name)
        ]
        lines.append(f"  build {build}, {started}: changed: {', '.join(reasons) or 'its text'}")
    return lines
