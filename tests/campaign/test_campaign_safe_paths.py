"""Paths and links: what may be followed, and what is refused."""

from __future__ import annotations

import posixpath
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign.safe_paths import SOURCE_SCHEMES, local_path, refusal, scheme


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/a?b=c#d",
        "HTTP://example.org",
        "mailto:a@example.org",
        "documents/plan.pdf",
        "a/../b",
        "./a",
        "..a/b",
        "a b/ü 'quoted'.pdf",
        "#anchor",
        "50% done.pdf",
    ],
)
def test_allowed(address: str) -> None:
    assert refusal(address) == ""


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("javascript:alert(1)", "scheme"),
        ("  JavaScript:alert(1)", "scheme"),
        ("java\tscript:alert(1)", "control"),
        ("\x01javascript:alert(1)", "control"),
        ("data:text/html,x", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("vbscript:x", "scheme"),
        ("C:\\secret", "scheme"),
        ("//example.org/x", "no scheme"),
        ("\\\\server\\share", "no scheme"),
        ("/etc/passwd", "absolute"),
        ("..", "leads out"),
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("..\\x", "leads out"),
        ("%2e%2e/x", "leads out"),
        ("a/%2E%2E%2F../x", "leads out"),
    ],
)
def test_refused(address: str, why: str) -> None:
    assert why in refusal(address)


def test_sources_are_files_or_web_addresses() -> None:
    assert refusal("mailto:a@b.c", SOURCE_SCHEMES)
    assert not refusal("records/a b.xlsx", SOURCE_SCHEMES)


def test_symbolic_links_that_leave(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/out").symlink_to(tmp_path)
    assert "symbolic link" in refusal("out/x", root=tmp_path / "in")
    assert refusal("other/x", root=tmp_path / "in") == ""


@settings(max_examples=300)
@given(st.text("./\\%2eEfF:a~ #?jJ\t", max_size=14))
def test_what_is_allowed_stays_below_the_folder(address: str) -> None:
    if refusal(address) or scheme(address):
        return
    joined = posixpath.normpath(posixpath.join("/root/campaign", local_path(address)))
    assert joined == "/root/campaign" or joined.startswith("/root/campaign/")
