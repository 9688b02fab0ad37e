"""The log of a build: what is in it, what must never be, and when there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tiny_campaign import LEVEL, NOW, built, make

from builder.build import Options, build
from builder.build_log import KEPT, BuildLog
from builder.progress import Progress
from campaign.sources.secrets import Secrets

CHECKOUT = Path(__file__).parents[2]
SECRET = "hunter2-hunter2"


def logs(folder: Path) -> list[Path]:
    return sorted((folder / "build" / "store" / "logs").glob("*"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def events(path: Path, name: str) -> list[dict[str, Any]]:
    return [e for e in lines(path) if e["event"] == name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make(tmp_path_factory.mktemp("log") / "tiny")
    (made / "frames" / "b2.fits").write_bytes(b"")
    built(made)
    return made


def test_the_log_is_named_by_the_time_the_build_began(folder: Path) -> None:
    (log,) = logs(folder)
    assert log.name == "build-20250301T120000Z.jsonl"
    held = lines(log)
    seconds = [e["seconds"] for e in held]
    assert seconds == sorted(seconds)
    for event in held:
        assert list(event)[:5] == ["time", "seconds", "level", "stage", "event"]
        assert datetime.fromisoformat(event["time"]) - NOW == pytest.approx(
            timedelta(seconds=event["seconds"]), abs=timedelta(milliseconds=1)
        )


def test_the_log_tells_of_the_start_each_stage_and_the_end(folder: Path) -> None:
    (log,) = logs(folder)
    (start,), (options,), (whole,), (end,) = (events(log, n) for n in ("start", "options", "build", "end"))
    assert start["cores"] == os.cpu_count() and start["pid"] == os.getpid() and start["logs_kept"] == KEPT
    assert options["folder"] == str(folder) and options["workers"] == 1 and options["verify"] is False
    assert whole["id"] == 1 and {"calbook", "numpy"} <= whole["versions"].keys()
    ended = {e["stage"]: e for e in events(log, "stage ends")}
    assert [e["stage"] for e in events(log, "stage begins")] == list(ended)
    assert list(ended) == [
        "load",
        "pull",
        "compare",
        "read",
        "index",
        "match",
        "summarise",
        "measure",
        "prose",
        "judge",
        "trend",
        "render",
    ]
    assert ended["index"]["done"] == ended["index"]["total"] == 5
    assert all(e["took"] >= 0 and e["memory_mb"] > 10 for e in ended.values())
    states = [t.verdict for t in built(folder).report.tests()]
    assert [end["tests"][str(v)] for v in set(states)] == [states.count(v) for v in set(states)]


def test_the_log_has_every_file_result_finding_and_page(folder: Path) -> None:
    (log,) = logs(folder)
    assert {e["file"] for e in events(log, "file read")} == {f"frames/b{n}.fits" for n in range(1, 6)}
    assert all(e["bytes"] == (folder / e["file"]).stat().st_size for e in events(log, "file read"))
    results = events(log, "result")
    assert [(e["procedure"], e["test"], e["detector"], e["status"]) for e in results] == [
        ("level", "BIAS01", "CAM1", "done"), ("level", "BIAS02", "CAM1", "done"),
    ]  # fmt: skip
    assert all(
        e["worker"] == str(os.getpid()) and e["memory_mb"] > 10 and 0 <= e["took"] < 10 for e in results
    )
    damaged = [e for e in events(log, "finding") if "b2.fits" in e["where"]]
    assert damaged and damaged[0]["level"] == "error"
    (written,) = events(log, "written")
    assert "blocks/B1/tests/BIAS01.html" in written["pages"] and written["files"] > len(written["pages"])
    assert len(written["pages"]) == len(set(written["pages"]))


def test_a_build_that_changes_nothing_leaves_no_log_but_when_asked(folder: Path) -> None:
    before = logs(folder)
    assert built(folder, now=NOW + timedelta(hours=1)).log is None
    assert logs(folder) == before
    done = build(
        Options(folder, lambda: NOW + timedelta(hours=1), {}, workers=1),
        Progress(verbose=True, stream=open(os.devnull, "w")),  # noqa: PTH123, SIM115
    )
    assert done.unchanged and done.log is not None
    assert logs(folder) == [*before, done.log]
    done.log.unlink()


def test_a_failed_result_and_its_place_are_in_the_log(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    (folder / "procedures" / "level.py").write_text(
        LEVEL.replace("held = [", "raise ValueError('no')\n        held = ["), "utf-8"
    )
    done = built(folder)
    assert done.log is not None
    for result in events(done.log, "result"):
        assert (
            result["level"] == "error"
            and "ValueError: no" in result["error"]
            and "level.py:" in result["error"]
        )


def test_an_exception_is_in_the_log_with_where_it_arose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "tiny")

    def broken(*_: object) -> None:
        raise ValueError(f"no such thing, token={SECRET}")

    monkeypatch.setattr("builder.acquired.match.match", broken)
    with pytest.raises(ValueError, match="no such thing"):
        built(folder)
    (log,) = logs(folder)
    (error,) = events(log, "error")
    assert error["what"] == "ValueError: no such thing, [secret]"
    assert any("in broken" in line for line in error["traceback"])
    assert events(log, "stage stopped")[0]["stage"] == "match"
    assert SECRET not in log.read_text("ascii")


def test_no_secret_of_the_environment_or_an_address_reaches_the_log(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    record = folder / "records" / "tests.csv"
    record.write_text(record.read_text("utf-8") + f"DARK {SECRET},7,7,0,done,\n", "utf-8")
    environ = {"LAB_API_KEY": SECRET, "HOME_PAGE": "BIAS01", "KEYBOARD": "BIAS02"}
    command = f"calbook build --scheduler tls://me:{SECRET}x@host:1 'https://h/?api_key={SECRET}y'"
    done = build(Options(folder, lambda: NOW, environ, workers=1, command=command), Progress(quiet=True))
    assert done.log is not None
    text = done.log.read_text("ascii")
    assert SECRET not in text and "[secret]" in text
    assert "tls://[secret]@host:1" in events(done.log, "options")[0]["command"]
    assert {"BIAS01", "BIAS02"} <= {e["test"] for e in events(done.log, "result")}


def test_secrets_of_an_environment_are_known_by_the_names_of_variables() -> None:
    environ = {
        "A_TOKEN": "aaaaaaaa",
        "PASSWORD": "bbbbbbbb",
        "KEYS_HELD": "cccccccc",
        "ODD": "dddddddd",
        "X_KEY": "short",
    }
    shown = Secrets.of_environment(environ, "ODD").redacted(
        {"t": ["aaaaaaaa bbbbbbbb", ("cccccccc", 1, None)], "u": "dddddddd short"}
    )
    assert shown == {"t": ["[secret] [secret]", ["cccccccc", 1, None]], "u": "[secret] short"}


def test_control_characters_cannot_leave_the_log(tmp_path: Path) -> None:
    log = BuildLog()
    with log.kept(tmp_path, NOW, Secrets()):
        log.event("finding", what="\x1b[31m\x9b\x7f\u202e\nx\udcff")
    (path,) = tmp_path.iterdir()
    raw = path.read_bytes()
    assert all(b == 10 or 32 <= b < 127 for b in raw)
    assert events(path, "finding")[0]["what"] == "\x1b[31m\x9b\x7f\u202e\nx\udcff"


def test_the_last_logs_are_kept_and_names_sort_as_builds_began(tmp_path: Path) -> None:
    made = []
    for minute in [*range(KEPT), 7, 7, 7]:  # several builds may begin in one second
        log = BuildLog()
        with log.kept(tmp_path, NOW + timedelta(minutes=minute), Secrets()):
            log.event("x")
        assert log.path is not None
        made.append(log.path.name)
    assert made[-3:] == [f"build-20250301T120700Z_00{n}.jsonl" for n in (2, 3, 4)]
    held = sorted(p.name for p in tmp_path.iterdir())
    assert len(held) == KEPT and held == sorted(made)[3:]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    log = BuildLog()
    with log.kept(tmp_path / "logs", NOW, Secrets()):
        log.event("x")
    assert log.path is None


STOPPED = """
import sys
sys.path.insert(0, {here!r})
sys.argv = ["calbook", "build", {folder!r}, "-j", "1", *sys.argv[1:]]
from builder.cli import main
main()
"""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_an_interrupted_build_leaves_a_readable_log_and_its_status(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    folder = make(tmp_path / "tiny")
    slow = LEVEL.replace(
        "    for channel in",
        "    import time; (Path(__file__).parent / 'began').touch(); time.sleep(60)\n    for channel in",
        1,
    )
    (folder / "procedures" / "level.py").write_text(slow, "utf-8")
    code = STOPPED.format(here=str(Path(__file__).parent), folder=str(folder))
    run = subprocess.Popen(
        [sys.executable, "-c", code, "--json"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    began = folder / "procedures" / "began"
    until = time.monotonic() + 60
    while not began.exists() and run.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    run.send_signal(number)
    out, said = run.communicate(timeout=60)
    assert run.returncode == status, said
    (log,) = logs(folder)
    held = lines(log)
    assert {e["event"] for e in held} >= {"start", "file read", "stage begins"}
    if number != signal.SIGKILL:
        assert held[-1]["event"] == "stopped"
        told = json.loads(out)
        assert told["exit"] == status and told["error"].startswith("Stopped by ")
        assert "Traceback" not in said
