"""Progress: a bar on a real terminal, plain lines elsewhere, and nothing in what is shown that could steer a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.progress import Progress, printable, span

CHECKOUT = Path(__file__).parents[2]
HOSTILE = "\x1b[31m[red]x[/red]\n\x07\u202e:smile:"
SHOWN = "\\x1b[31m[red]x[/red]\\n\\x07\\u202e:smile:"


class Terminal:
    """The far end of a pseudo-terminal: all that was written to it."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self._held = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the near end was closed
                return
            self._held += data

    def text(self) -> str:
        self.stream.close()
        self._reader.join(5)
        return self._held.decode()


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Iterator[Terminal]:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "100", **environ}.items():
        monkeypatch.setenv(name, value)
    held = Terminal()
    yield held
    os.close(held.master)


def plain(text: str) -> str:
    """What is left of a terminal's text without its control sequences, which become line ends."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "\n", re.sub(r"\x1b\[[0-9;]*m", "", text))


def count_to(progress: Progress, total: int, seconds: float, note: str = "") -> None:
    with progress.stage("measure") as advance:
        for done in range(1, total + 1):
            time.sleep(seconds / total)
            advance(done, total)
            if note:
                progress.line(note)
        progress.note("measure", note or f"{total} done")


def test_a_long_stage_shows_counts_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as far:
        count_to(Progress(stream=far.stream, patience=0.05), 40, 1.2)
        text = far.text()
    shown = re.findall(r"measure +[━╸╺ ]+(\d+)/40, (\d+)/s, ([\d.]+) s left", plain(text))
    assert len(shown) >= 3
    done = [int(d) for d, _, _ in shown]
    assert done == sorted(done)
    for number, rate, left in shown:  # what is said of rate and time left is consistent with the counts
        assert abs(float(left) - (40 - int(number)) / float(rate)) <= 0.1 + 0.1 * float(left)
    assert re.search(r"\n {2}measure +1\.\d s  40 done\n", plain(text))
    assert "\x1b[?25l" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back


def test_a_short_stage_shows_its_line_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as far:
        count_to(
            Progress(stream=far.stream, patience=3600.0), 3, 0.01
        )  # short against that, however busy the machine
        text = far.text()
    assert re.fullmatch(r"  measure +[\d.]+ s  3 done\r\n", text)


def test_a_stage_that_fails_says_so_and_gives_the_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as far:
        progress = Progress(stream=far.stream, patience=0.01)
        with pytest.raises(KeyboardInterrupt), progress.stage("measure"):
            time.sleep(0.3)
            raise KeyboardInterrupt
        text = far.text()
    assert "measure    stopped after 0." in plain(text)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert list(progress.stages) == ["measure"]


def test_colour_is_left_out_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    colours = {}
    for wanted in ("", "1"):
        with terminal(monkeypatch, NO_COLOR=wanted) as far:
            count_to(Progress(stream=far.stream, patience=0.01), 5, 0.4)
            colours[wanted] = re.findall(r"\x1b\[[0-9;]*3\d[0-9;]*m", far.text())
    assert colours[""] and not colours["1"]


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, TERM="dumb") as far:
        count_to(Progress(stream=far.stream, patience=0.01), 5, 0.4)
        text = far.text()
    assert "\x1b" not in text and text.count("\n") == 1


@pytest.mark.parametrize("columns", [20, 40, 60])
def test_a_narrow_terminal_is_never_overrun(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, COLUMNS=str(columns)) as far:
        count_to(Progress(stream=far.stream, patience=0.01), 200, 0.6)
        text = far.text()
    drawn = [line for line in plain(text).split("\n") if "/200" in line or "━" in line]
    assert drawn and max(map(len, drawn)) <= columns


def test_hostile_names_are_shown_as_text_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as far:
        count_to(Progress(stream=far.stream, verbose=True, patience=0.01), 4, 0.8, HOSTILE)
        text = far.text()
    assert plain(text).count(SHOWN) == 5  # four lines and the note
    assert "\x07" not in text and "\u202e" not in text and "\x1b[31m" not in text


def test_elsewhere_long_stages_show_life_in_lines() -> None:
    stream = io.StringIO()
    count_to(Progress(stream=stream, heartbeat=0.2), 50, 1.0)
    *beats, last = stream.getvalue().splitlines()
    assert len(beats) >= 2
    assert all(re.fullmatch(r"  measure    … \d+/50, [\d.]+/s, [\d.]+ s left", b) for b in beats)
    assert re.fullmatch(r"  measure       1\.\d s  50 done", last)


def test_elsewhere_a_stage_that_counts_nothing_says_how_long_it_runs() -> None:
    stream = io.StringIO()
    with Progress(stream=stream, heartbeat=0.1).stage("prose"):
        time.sleep(0.35)
    assert re.match(r"  prose      … 0\.1 s\n", stream.getvalue())


def test_what_is_counted_anew_has_a_rate_of_its_own() -> None:
    stream = io.StringIO()
    with Progress(stream=stream, heartbeat=0.5).stage("measure") as advance:
        advance(1000, 1000)
        time.sleep(0.05)
        advance(1, 4)  # the next wave
        time.sleep(0.6)
        advance(2, 4)
    assert re.search(r"1/4, [0-9.]+/s", stream.getvalue())
    assert "1000" not in stream.getvalue()


def test_quiet_says_nothing_and_counts_all_the_same() -> None:
    stream = io.StringIO()
    progress = Progress(stream=stream, quiet=True, heartbeat=0.01)
    count_to(progress, 3, 0.05, "x")
    assert stream.getvalue() == ""
    assert progress.stages["measure"].note == "x" and progress.stages["measure"].seconds > 0.04


def test_parts_of_a_stage_add_up_and_what_runs_is_counted() -> None:
    progress = Progress(quiet=True)
    for _ in range(2):
        with progress.stage("pull"):
            time.sleep(0.02)
    with progress.stage("render"):
        time.sleep(0.02)
        held = {s.name: s.seconds for s in progress.so_far()}
    assert list(held) == ["pull", "render"]
    assert held["pull"] >= 0.04 and held["render"] >= 0.02


def test_what_draws_bars_is_not_loaded_by_a_short_build() -> None:
    code = (
        "import os, pty, sys; m, s = pty.openpty(); from builder.progress import Progress; import builder.cli, builder.build\n"
        "p = Progress(stream=os.fdopen(s, 'w'))\nassert p.live\n"
        "with p.stage('load') as a: a(1, 1)\nprint('rich' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True,
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    assert ran.stdout == "False\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ümlaut e⁻ 漢 \u00a0x", "ümlaut e⁻ 漢 \u00a0x"),
        (HOSTILE, SHOWN),
        ("\x9b31m \x7f \u2028 \ufeff", "\\x9b31m \\x7f \\u2028 \\ufeff"),
        ("bad\udcff.fits", "bad\\udcff.fits"),
    ],
)
def test_text_for_a_terminal_has_nothing_that_steers_it(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (119.4, "119 s"), (120, "2 min 00 s"), (7199, "119 min 59 s"), (7500, "2 h 05 min")],
)  # fmt: skip
def test_spans_of_time(seconds: float, words: str) -> None:
    assert span(seconds) == words
