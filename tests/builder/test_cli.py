"""What commands say: to people, to programs, and when something is wrong. Real commands on a tiny campaign."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from tiny_campaign import make
from typer.testing import CliRunner

from builder import VERSION
from builder.cli import app
from campaign.findings import KINDS

HOSTILE = "BIAS\x1b[31mX"


def run(*arguments: object, **environ: str) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments], env=environ)


def said(done: Any) -> dict[str, Any]:
    """The one document on standard output."""
    held = json.loads(done.stdout)
    assert held["format"] == 1 and held["calbook"] == VERSION and held["exit"] == done.exit_code
    assert isinstance(held, dict)
    return held


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built campaign with a damaged file, and a row whose name would steer a terminal."""
    made = make(tmp_path_factory.mktemp("cli") / "tiny", rows=f"BIAS01,1,3,0,done,\n{HOSTILE},4,5,0,done,\n")
    (made / "frames" / "b2.fits").write_bytes(b"")
    assert run("build", made, "-j", 1).exit_code == 1
    return made


def test_json_of_a_build_has_its_facts_and_nothing_else_is_on_standard_output(tmp_path: Path) -> None:
    made = make(tmp_path / "tiny")
    (made / "frames" / "b2.fits").write_bytes(b"")
    done = run("build", made, "-j", 1, "--json")
    held = said(done)
    assert done.exit_code == 1
    assert held["campaign"] == {"id": "tiny", "title": "Tiny", "folder": str(made)}
    assert Path(held["site"]).is_file() and Path(held["log"]).is_file()
    assert (held["build"], held["unchanged"]) == (1, False)
    assert held["results"] == {"new": 2, "reused": 0}
    assert held["files"] == {"all": 5, "touched": 0, "read": 4}
    assert (
        held["tests"]["all"] == 2 == sum(n for v, n in held["tests"].items() if v not in ("all", "missing"))
    )
    assert held["pages"]["kept"] == 0 and held["pages"]["written"] > 10
    assert [s["name"] for s in held["stages"]][:2] == ["load", "pull"]
    assert any(f["severity"] == "error" and "b2.fits" in f["where"] for f in held["findings"])
    assert [f["severity"] for f in held["findings"]] == sorted(
        (f["severity"] for f in held["findings"]), key=["error", "warning", "note"].index
    )
    assert "measure" in done.stderr  # progress is where it always is
    again = said(run("build", made, "-j", 1, "--json", "-q"))
    assert (again["build"], again["unchanged"], again["log"]) == (1, True, None)
    assert again["results"] == {"new": 0, "reused": 2}
    assert again["files"] == {"all": 5, "touched": 0, "read": 0}
    assert again["pages"] == {"written": 0, "kept": held["pages"]["written"]}
    assert again["findings"] == held["findings"]


def test_every_key_of_the_json_is_in_the_guide(folder: Path) -> None:
    guide = (Path(__file__).parents[2] / "site_src" / "guide" / "build.md").read_text("utf-8")
    keys = set()
    for command in ("build", "lint", "index", "pull"):
        held = said(run(command, folder, "--json"))
        keys |= held.keys()
        for value in held.values():
            for inner in value if isinstance(value, list) else [value]:
                keys |= inner.keys() if isinstance(inner, dict) and "pass" not in inner else set()
    keys |= said(run("why", folder, "B1/BIAS01", "--json")).keys()
    keys |= said(run("build", folder / "nowhere", "--json")).keys()
    assert {k for k in keys if f"`{k}`" not in guide} == set()


def test_every_event_of_the_log_is_in_the_guide(folder: Path) -> None:
    guide = (Path(__file__).parents[2] / "site_src" / "guide" / "build.md").read_text("utf-8")
    (log,) = (folder / "build" / "store" / "logs").iterdir()
    held = [json.loads(line) for line in log.read_text().splitlines()]
    assert {e["event"] for e in held if f"`{e['event']}`" not in guide} == set()
    words = {k for e in held if e["event"] not in ("finding",) for k in e}
    assert {k for k in words if f"`{k}`" not in guide} <= {"offline", "scheduler", "verify", "wait", "output"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "nowhere"], "is not a folder"),
        (["build", "."], "Nothing was built"),
        (["lint", "."], "no usable campaign.toml"),
        (["why", ".", "x"], "was never built"),
    ],
)
def test_errors_are_json_too(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, "--json")
    held = said(done)
    assert done.exit_code == 2 and message in held["error"]
    assert [f["kind"] for f in held["findings"]] == (
        ["bad-file"] if "usable" in message or "Nothing" in message else []
    )
    assert "calbook:" not in done.stderr


def test_findings_of_other_commands_as_json(folder: Path) -> None:
    assert said(run("lint", folder, "--json"))["findings"] == []
    plugin = folder / "procedures" / "level.py"
    whole = plugin.read_text("utf-8")
    plugin.write_text(whole.replace('algorithm="The mean of the frames.", ', ""), "utf-8")
    (finding,) = said(run("lint", folder, "--json"))["findings"]
    assert (finding["kind"], finding["where"]) == ("undocumented", "procedures/level.py, algorithm")
    plugin.write_text(whole, "utf-8")
    index = said(run("index", folder, "--json"))
    assert (index["files"], index["frames"], index["exit"]) == (5, 4, 1)
    assert index["kinds"] == [{"block": "B1", "detector": "CAM1", "type": "bias", "frames": 4}]
    assert any("b2.fits" in f["where"] and f["kind"] in KINDS for f in index["findings"])
    pull = said(run("pull", folder, "--json"))
    assert pull["tests"] == 2
    assert pull["sources"] == [{"id": "record", "state": "read", "rows": 2, "error": ""}]
    why = said(run("why", folder, "B1/BIAS01", "--json"))
    assert why["what"] == "B1/BIAS01" and why["lines"]


def test_quiet_says_what_is_wrong_and_no_more(folder: Path, tmp_path: Path) -> None:
    done = run("build", folder, "-q")
    assert done.stdout == ""
    assert {line[:8] for line in done.stderr.splitlines()} <= {"  error ", "        "}
    assert "b2.fits" in done.stderr
    fine = run("build", make(tmp_path / "tiny"), "-j", 1, "-q")
    assert (fine.exit_code, fine.stdout, fine.stderr) == (0, "", "")


def test_the_worst_is_told_at_the_end_then_what_came_of_it_and_where_it_is(folder: Path) -> None:
    done = run("build", folder)
    told = done.stderr.splitlines()
    last_stage = max(n for n, line in enumerate(told) if line.startswith("  compare"))
    assert all(line.startswith(("  error", "          ")) for line in told[last_stage + 1 :])
    assert len(told) > last_stage + 1
    assert done.stdout.splitlines()[-1] == str(folder / "build" / "site" / "index.html")
    assert done.stdout.startswith("Tiny: 2 tests: ")


def test_verbose_says_every_finding_file_and_result(folder: Path, tmp_path: Path) -> None:
    first = run("build", folder, "-j", 1, "-v", "--output", tmp_path / "out")
    assert first.stderr.count("  read frames/b") == 5
    assert "  measured B1/BIAS01 CAM1 level: " in first.stderr
    assert all(word in first.stderr for word in ("  error ", "  warning ", "BIAS\\x1b[31mX"))
    again = run("build", folder, "-j", 1, "-v", "--output", tmp_path / "out")
    assert "  reused   B1/BIAS01 CAM1 level" in again.stderr and "measured B1" not in again.stderr
    assert "Log: " in again.stdout


def test_nothing_said_steers_the_terminal(folder: Path) -> None:
    for arguments in (
        ["build", folder, "-v"],
        ["index", folder],
        ["pull", folder],
        ["lint", folder],
        ["build", folder, "-q"],
    ):
        done = run(*arguments)
        assert "\x1b" not in done.output, arguments
    assert "\x1b" not in run("build", folder, "--json").stdout


def test_quiet_and_verbose_contradict_each_other(folder: Path) -> None:
    done = run("build", folder, "-q", "-v")
    assert done.exit_code == 2 and "contradict" in done.stderr


def test_the_time_is_that_of_source_date_epoch(tmp_path: Path) -> None:
    made = make(tmp_path / "tiny")
    one, other = (
        run("build", made, "-j", 1, "-o", tmp_path / name, SOURCE_DATE_EPOCH="1740830400")
        for name in ("a", "b")
    )
    assert one.exit_code == other.exit_code == 0
    exported = json.loads((tmp_path / "a" / "site" / "data" / "campaign.json").read_text("utf-8"))
    assert "2025-03-01T12:00:00+00:00" in json.dumps(exported)
    (log,) = (tmp_path / "a" / "store" / "logs").iterdir()
    assert log.name == "build-20250301T120000Z.jsonl"
    held = [
        {
            p.relative_to(tmp_path / name).as_posix(): p.read_bytes()
            for p in (tmp_path / name / "site").rglob("*")
            if p.is_file()
        }
        for name in ("a", "b")
    ]
    assert held[0].keys() == held[1].keys()
    own = {"site/about/build.html", "site/data/calbook.sqlite", "site/.calbook-manifest.json"}
    assert {name for name in held[0] if held[0][name] != held[1][name]} <= own


@pytest.mark.parametrize("value", ["yesterday", "-1", "1.5", "99999999999999999999", "²"])
def test_a_bad_source_date_epoch_is_told_kindly(value: str, tmp_path: Path) -> None:
    done = run("build", make(tmp_path / "tiny"), SOURCE_DATE_EPOCH=value)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1 and "whole seconds since 1970" in done.stderr


def test_without_source_date_epoch_it_is_now(folder: Path, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    done = run("build", folder, "-j", 1, "-o", tmp_path / "out", "--json", SOURCE_DATE_EPOCH="")
    name = Path(said(done)["log"]).name
    assert (
        before
        <= datetime.strptime(name, "build-%Y%m%dT%H%M%SZ.jsonl").replace(tzinfo=UTC)
        <= datetime.now(UTC)
    )


def test_options_of_a_build_reach_it(tmp_path: Path) -> None:
    made = make(tmp_path / "tiny")
    held = said(run("build", made, "-j", 1, "--verify", "--wait", 3, "--offline", "--json"))
    options = next(
        e for e in map(json.loads, Path(held["log"]).read_text().splitlines()) if e["event"] == "options"
    )
    assert (options["verify"], options["wait"], options["offline"], options["scheduler"]) == (
        True,
        3.0,
        True,
        "",
    )


def test_help_fits_in_80_columns() -> None:
    top = typer.main.get_command(app)
    for words in [[], *([name] for name in top.commands), ["import", "rst"]]:  # type: ignore[attr-defined]
        done = run(*words, "--help", COLUMNS="80")
        assert done.exit_code == 0
        assert max(map(len, done.stdout.splitlines())) <= 80, words
