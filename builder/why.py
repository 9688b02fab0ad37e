"""Why a page changed, and why a result was measured anew: what it is made of, compared between builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from builder.render import addresses
from builder.store import Place, Store, StoredResult

MOST = 5
"""Input frames and values that are named one by one."""


def explain(store_folder: Path, what: str) -> list[str]:
    """Lines that say when a page was last written and which of its parts had changed.

    ``what`` is a page's address, 'block/test' or a block. Of a page that shows results they also say why these were
    measured anew. Empty when the site has no such page.
    """
    with Store(store_folder) as store:
        for page in _pages(what):
            if history := store.page_history(page):
                return [*_page_lines(page, history), *_result_lines(store, page)]
    return []


def _pages(what: str) -> Iterator[str]:
    yield what
    block, slash, test = what.partition("/")
    yield addresses.test_page(block, test) if slash else addresses.block_page(what)


def _page_lines(page: str, history: list[tuple[int, str, str, dict[str, str]]]) -> list[str]:
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


def _result_lines(store: Store, page: str) -> list[str]:
    """Of each result that a test's page, or a page of provenance, shows in place of another: what differs."""
    lines = []
    for place, shown in store.shown().items():
        block, test, procedure, detector = place
        newest, *earlier = (r for r in dict.fromkeys(shown) if r)
        if not earlier or page not in (addresses.test_page(block, test), addresses.result_page(newest)):
            continue
        lines.append(f"  {procedure} of {detector}: {_difference(store, place, newest, earlier[0])}")
    return lines


def _difference(store: Store, place: Place, newest: str, before: str) -> str:
    held = store.results((newest, before))
    now, then = held[newest], held[before]
    return f"{newest} took the place of {before}: " + (
        "; ".join(differences(then, now)) or "its declaration or geometry changed"
    )


def differences(then: StoredResult, now: StoredResult) -> list[str]:
    """What two results of the same place were made of that differs, in words."""
    out = []
    if then.version != now.version:
        out.append(f"version of the procedure {then.version} → {now.version}")
    out += _changed("parameter", then.detail.get("parameters", {}), now.detail.get("parameters", {}))
    out += _inputs(then.detail.get("inputs", ()), now.detail.get("inputs", ()))
    used = [dict(r.detail.get("used", ())) for r in (then, now)]
    moved = [what for what in used[1] if used[0].get(what) != used[1][what]]
    if moved:
        out.append(f"value used: {_listed(moved)}")
    gone = [what for what in used[0] if what not in used[1]]
    if gone:
        out.append(f"no longer used: {_listed(gone)}")
    if then.detail.get("setting") != now.detail.get("setting"):
        out.append(f"setting {then.detail.get('setting') or 'none'} → {now.detail.get('setting') or 'none'}")
    if then.status != now.status:
        out.append(f"it was {then.status}, now {now.status}")
    return out


def _changed(what: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{what} {name} {then.get(name, 'not there')} → {now.get(name, 'not there')}"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]


def _inputs(then: list[list[str]], now: list[list[str]]) -> list[str]:
    """Frames that came, went or have other content: inputs are (role, frame, root, path, fingerprint)."""
    old, new = ({(role, frame): held for role, frame, *held in inputs} for inputs in (then, now))
    out = []
    for words, keys in (
        ("frame added", [k for k in new if k not in old]),
        ("frame gone", [k for k in old if k not in new]),
        ("content changed of frame", [k for k in new if k in old and old[k][-1] != new[k][-1]]),
    ):
        if keys:
            out.append(f"{words}: {_listed([f'{frame} ({role})' for role, frame in keys])}")
    return out


def _listed(names: list[str]) -> str:
    more = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {more} more" if more > 0 else "")
