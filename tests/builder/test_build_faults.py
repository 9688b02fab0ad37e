"""Faults of calbook itself: one page costs one page, and what nobody foresaw is told in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_campaign import built, make
from typer.testing import CliRunner

from builder import build as flow
from builder.acquired import gather
from builder.cli import app
from builder.render import pages

pytestmark = pytest.mark.slow


def broken(*_: object) -> None:
    raise ValueError("no such <filter>")


def test_a_page_that_cannot_be_drawn_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "tiny")
    with monkeypatch.context() as patch:
        patch.setattr(pages, "health_page", broken)
        done = built(folder)
    assert done.undrawn == (("health.html", "ValueError: no such <filter>"),)
    health = (folder / "build/site/health.html").read_text()
    assert "could not be drawn" in health
    assert "no such &lt;filter&gt;" in health
    assert "BIAS01" in (folder / "build/site/index.html").read_text()
    again = built(folder)
    assert again.undrawn == ()
    assert "could not be drawn" not in (folder / "build/site/health.html").read_text()


def test_pages_that_could_not_be_drawn_set_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "tiny")
    monkeypatch.setattr(pages, "health_page", broken)
    ran = CliRunner().invoke(app, ["build", str(folder), "-j", "1"])
    assert ran.exit_code == 1
    assert "health.html could not be drawn: ValueError" in ran.output


def test_what_nobody_foresaw_has_a_message_and_its_details_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(flow, "load", broken)
    ran = CliRunner().invoke(app, ["build", str(tmp_path)])
    assert ran.exit_code == 2
    assert "a fault of calbook, not of your campaign: ValueError: no such <filter>" in ran.output
    assert "Traceback" not in ran.output
    (kept,) = tmp_path.glob("calbook-fault-*.txt")
    assert "ValueError: no such <filter>" in kept.read_text()


def test_a_frame_that_could_not_be_read_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "tiny")

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(gather, "picture", full)
        first = built(folder).report
    assert any(f.kind == "damaged-file" and "No space left" in f.what for f in first.findings)
    again = built(folder).report
    assert [f for f in again.findings if f.kind == "damaged-file"] == []
    assert all(t.outcomes for t in again.tests() if t.frames)
