"""Decisions in a built campaign: what stands, what is outdated, what rules may do, and what the command writes."""

from __future__ import annotations

import json
import multiprocessing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_campaign import NOW, bias, built, dead_links, make, pages_of
from typer.testing import CliRunner

from builder.certified import Count
from builder.certify import CertifyError, Subjects, append, decided
from builder.cli import app
from campaign.certification import REASONS, Decision
from campaign.certification_file import COLUMNS, read_file

pytestmark = pytest.mark.slow
HEAD = ",".join(COLUMNS) + "\n"
RULE = '\n[[certification.rules]]\nname = "routine"\nverdicts = ["pass", "not reached"]\n'
OUTCOME = "B1/BIAS01/level/CAM1"


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built campaign whose file of decisions each test begins anew."""
    folder = make(tmp_path_factory.mktemp("certify") / "tiny")
    built(folder)
    return folder


@pytest.fixture
def folder(site: Path) -> Path:
    (site / "certification.csv").unlink(missing_ok=True)
    return site


def result(folder: Path, subject: str) -> str:
    return Subjects.of_site(folder / "build/site").find(subject)[1]


def test_decisions_rules_and_counts_through_builds(tmp_path: Path) -> None:
    """One campaign through its life: decided, measured anew, decided again; each time the site is sound."""
    folder = make(tmp_path / "tiny", more=RULE)
    first = built(folder)
    held = first.report.certification
    assert held.count() == Count(by_rule=2, of=2)
    assert held.on(OUTCOME)[0].decision.who == "rule: routine"

    rejected = run(
        "certify", folder, "B1/BIAS01", "-d", "rejected", "-w", "Ann", "-r", "lamp", "--date", "2025-03-02"
    )
    assert rejected.exit_code == 0, rejected.output
    accepted = run("certify", folder, "B1/BIAS02/level/CAM1#level.A", "-d", "accepted", "-w", "Bob")
    assert accepted.exit_code == 0
    second = built(folder, now=NOW + timedelta(hours=1))
    held = second.report.certification
    assert held.count("B1", "BIAS01") == Count(
        reviewed=1, of=1
    )  # the rule does not overrule a rejected test …
    assert held.count("B1", "BIAS02") == Count(of=1)  # … nor decide beside a person's word on a part
    one, two = [t.outcomes[0] for t in second.report.tests()]
    assert (
        held.excluded(one) == held.excluded(one, one.measurements[0]) == "rejected by Ann, 2025-03-02: lamp"
    )
    assert held.excluded(two) == ""
    page = (folder / "build/site/blocks/B1/tests/BIAS01.html").read_text()
    assert "rejected by Ann, 2025-03-02: lamp; left out of trends" in page
    assert second.report.findings == ()
    assert built(folder, now=NOW + timedelta(hours=2)).made is None  # nothing new: the short cut is taken

    bias(folder / "frames/b2.fits", 22, EXPNUM=2)  # another frame, another result
    third = built(folder, now=NOW + timedelta(hours=3))
    held = third.report.certification
    (found,) = third.report.findings
    assert (found.kind, found.where, found.block, found.test) == (
        "outdated-decision",
        "certification.csv:2",
        "B1",
        "BIAS01",
    )
    assert held.count("B1", "BIAS01") == Count(outdated=1, of=1)  # looked at by nobody, and by no rule
    assert held.excluded(third.report.tests()[0].outcomes[0]) == ""
    assert "is outdated" in (folder / "build/site/blocks/B1/tests/BIAS01.html").read_text()

    assert (
        run("certify", folder, "B1/BIAS01", "-d", "valid outlier", "-w", "Ann", "-r", "other").exit_code == 0
    )
    assert run("certify", folder, OUTCOME, "-d", "acknowledged", "-w", "Ann", "-r", "other").exit_code == 0
    fourth = built(folder, now=NOW + timedelta(hours=4))
    held = fourth.report.certification
    assert fourth.report.findings == ()
    assert [c.state for c in held.on("B1/BIAS01")] == ["replaced", "stands"]
    outcome = fourth.report.tests()[0].outcomes[0]
    assert held.excluded(outcome).startswith("valid outlier by Ann")
    closed = held.acknowledged(outcome)
    assert closed is not None and closed.who == "Ann"
    site = folder / "build/site"
    assert dead_links(site, pages_of(site)) == []


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        ('verdicts = ["pass"]', False),  # it has a number that is not reached
        ('verdicts = ["not reached"]', True),
        ('verdicts = ["not reached"]\nprocedures = ["bias*"]', False),
        ('verdicts = ["not reached"]\nscope = { tests = ["BIAS02"] }', False),
        ('verdicts = ["not reached"]\ndecision = "reviewed"', True),
        ('verdicts = ["not reached"]\ncaveated = true', True),
    ],
)
def test_a_rule_decides_only_what_it_says(folder: Path, rule: str, applies: bool, tmp_path: Path) -> None:
    from builder.decide import decide
    from campaign.model import Campaign, CertificationUse
    from campaign.toml_lines import read_toml

    report = built(folder, fresh=True).report
    use = read_toml(f'[[rules]]\nname = "r"\n{rule}\n').frozen()
    changed: Campaign = report.campaign.model_copy(
        update={"certification": CertificationUse.model_validate(use)}
    )
    made, findings = decide(changed, report.blocks)
    assert findings == []
    assert bool(made.on(OUTCOME)) is applies
    assert all(c.decision.by_rule and c.decision.result for c in made.on(OUTCOME))


def test_limits_that_judged_nothing_certify_nothing(tmp_path: Path) -> None:
    """The one limit is on a number that could not be had: nothing was judged, so no rule accepts, whatever the verdict."""
    folder = make(tmp_path / "tiny", more=RULE)
    limits = folder / "limits/limits.toml"
    limits.write_text('[[limit]]\nid = "L"\nquantity = "level.well"\nlow = 1\n')
    assert built(folder).report.certification.count() == Count(of=2)
    limits.write_text("")
    assert built(folder, now=NOW + timedelta(hours=1)).report.certification.count() == Count(of=2)
    toml = folder / "campaign.toml"
    toml.write_text(toml.read_text() + "coverage = 0\n")
    assert built(folder, now=NOW + timedelta(hours=2)).report.certification.count() == Count(by_rule=2, of=2)


def test_the_command_writes_one_line_and_says_it(folder: Path) -> None:
    done = run("certify", folder, f"{OUTCOME}#level.A", "-d", "accepted", "-w", " Ann ", "-t", '=1+1, "odd"', "--date", "2025-03-02")  # fmt: skip
    line = f'2025-03-02,Ann,accepted,{OUTCOME}#level.A,{result(folder, OUTCOME)},,"\'=1+1, ""odd"""'
    assert (done.exit_code, done.output) == (0, f"certification.csv:2\n  {line}\n")
    assert (folder / "certification.csv").read_bytes().decode() == f"{HEAD}{line}\n"
    (held,), findings = read_file(folder / "certification.csv", REASONS)
    assert findings == []
    assert held.text == '=1+1, "odd"'
    told = json.loads(run("certify", folder, "frame:3/CAM1", "-d", "reviewed", "-w", "Ann", "--json").stdout)
    assert (told["line"], told["file"]) == (3, "certification.csv")
    assert told["decisions"][0]["subject"] == "frame:B1/3/CAM1"
    assert result(folder, "frame:B1/3/CAM1").startswith(told["decisions"][0]["result"])


REFUSED: dict[str, tuple[list[str], str]] = {
    "no such test": (["B1/BIAS1", "-d", "accepted", "-w", "A"], "Did you mean 'B1/BIAS01'?"),
    "no such part": (
        [f"{OUTCOME}#level.B", "-d", "accepted", "-w", "A"],
        f"Did you mean '{OUTCOME}#level.A'?",
    ),
    "no such decision": (["B1/BIAS01", "-d", "acepted", "-w", "A"], "did you mean 'accepted'?"),
    "no such reason": (["B1/BIAS01", "-d", "rejected", "-w", "A", "-r", "lampp"], "did you mean 'lamp'?"),
    "no reason": (["B1/BIAS01", "-d", "rejected", "-w", "A"], "needs a reason"),
    "nobody": (["B1/BIAS01", "-d", "accepted"], "Say who decides"),
    "a rule's name": (["B1/BIAS01", "-d", "accepted", "-w", "rule: x"], "a person's name"),
    "no day": (["B1/BIAS01", "-d", "accepted", "-w", "A", "--date", "1.3."], "2018-05-01"),
    "nothing": (["-d", "accepted", "-w", "A"], "Say what the decision is about"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_command_refuses_and_says_why(folder: Path, name: str) -> None:
    arguments, why = REFUSED[name]
    done = run("certify", folder, *arguments)
    assert done.exit_code == 2
    assert why in done.output
    assert not (folder / "certification.csv").exists()


def test_without_a_build_there_is_nothing_to_decide_about(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    done = run("certify", folder, "B1/BIAS01", "-d", "accepted", "-w", "A")
    assert done.exit_code == 2 and "build it first" in done.output
    done = run("certify", tmp_path, "B1/BIAS01", "-d", "accepted", "-w", "A")
    assert done.exit_code == 2 and "no campaign folder" in done.output


def test_lines_of_a_page_are_taken_whole_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "B1-BIAS01-certification.csv"
    made.write_text(
        f"{HEAD}2025-03-02,Ann,accepted,B1/BIAS01,0123456789,,\n2025-03-02,Ann,rejected,frame:B1/1/CAM1,,lamp,\n"
    )
    assert run("certify", folder, "--from", made).exit_code == 0
    held, _ = read_file(folder / "certification.csv", REASONS)
    assert [(d.subject, d.result) for d in held] == [("B1/BIAS01", "0123456789"), ("frame:B1/1/CAM1", "")]
    before = (folder / "certification.csv").read_bytes()
    for bad, why in (
        ("2025-03-02,Ann,maybe,B1/BIAS01,,,\n", "line 4"),
        ("2025-03-02,Ann,accepted,B1/X,,,\n", "B1/X"),
    ):
        made.write_text(
            made.read_text().rsplit("\n2025-03-02,Ann,", 1)[0]
            + "\n2025-03-02,Ann,accepted,B1/BIAS02,,,\n"
            + bad
        )
        done = run("certify", folder, "--from", made)
        assert (done.exit_code, why in done.output) == (2, True), done.output
    assert (folder / "certification.csv").read_bytes() == before


DECISION = Decision.model_validate(
    {"who": "Ann", "decision": "accepted", "subject": "B/T", "date": date(2025, 3, 2)}
)
ROW = "2025-03-02,Ann,accepted,B/T,,,"


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (b"", f"{HEAD}{ROW}\n", 2),
        (b"who,decision,subject\r\nMe,accepted,X/Y", "who,decision,subject\r\nMe,accepted,X/Y\r\nAnn,accepted,B/T\r\n", 3),
        ("\ufeffdate;Who;notes;decision;subject\r\n".encode(), "\ufeffdate;Who;notes;decision;subject\r\n2025-03-02;Ann;;accepted;B/T\r\n", 2),
        (f"{HEAD}oh no\xfc,,\n".encode("latin-1"), None, 3),
        (f'{HEAD},Me,accepted,X/Y,,,"two\nlines"\n'.encode(), f'{HEAD},Me,accepted,X/Y,,,"two\nlines"\n{ROW}\n', 4),
    ],
)  # fmt: skip
def test_rows_of_others_stay_to_the_last_byte(
    tmp_path: Path, before: bytes, after: str | None, line: int
) -> None:
    path = tmp_path / "certification.csv"
    if before:
        path.write_bytes(before)
    at, _ = append(path, [DECISION])
    assert at == line
    assert path.read_bytes() == (after.encode() if after is not None else before + f"{ROW}\n".encode())


@settings(max_examples=100)
@given(before=st.binary(max_size=60), ends=st.sampled_from([b"\n", b"\r\n"]))
def test_nothing_written_before_is_ever_changed(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, ends: bytes
) -> None:
    """Whatever bytes stand below the header: they stay, and the new row is read; or nothing at all is written."""
    path = tmp_path_factory.mktemp("c") / "certification.csv"
    start = HEAD.strip().encode() + ends + before
    path.write_bytes(start)
    try:
        append(path, [DECISION])
    except CertifyError:
        assert path.read_bytes() == start
        return
    assert path.read_bytes().startswith(start)
    held, _ = read_file(path, REASONS)
    assert held[-1].model_copy(update={"row": 0}) == DECISION


@pytest.mark.parametrize("text", ["a,b\n1,2\n", f'{HEAD},Me,accepted,X/Y,,,"open\n'])
def test_a_file_that_is_not_clear_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "certification.csv"
    path.write_text(text)
    with pytest.raises(CertifyError, match=r"certification\.csv"):
        append(path, [DECISION])
    assert path.read_text() == text


def _many(path: Path, who: str) -> None:
    for n in range(25):
        append(path, [DECISION.model_copy(update={"who": who, "text": f"{n}\n" * 50})])


def test_commands_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "certification.csv"
    started = [multiprocessing.get_context("spawn").Process(target=_many, args=(path, w)) for w in "abc"]
    for process in started:
        process.start()
    for process in started:
        process.join()
        assert process.exitcode == 0
    held, findings = read_file(path, REASONS)
    assert findings == []
    for who in "abc":
        assert [d.text.partition("\n")[0] for d in held if d.who == who] == [str(n) for n in range(25)]


def test_a_name_needs_no_more_than_its_letters() -> None:
    known = Subjects({"B/T": "r" * 20}, {}, REASONS)
    assert decided(known, " B/T ", "accepted", "Zoë, Dr.", day=None).who == "Zoë, Dr."
