"""certification.csv: what is written is read, what is wrong costs only itself, and what follows from decisions."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign.certification import (
    DECIDED,
    REASONS,
    Decision,
    acknowledged,
    around,
    excluded,
    frame_subject,
    standing,
    subject,
)
from campaign.certification_file import (
    COLUMNS,
    CertificationFileError,
    Form,
    cell,
    decoded,
    form_of,
    line,
    lines,
    read_decisions,
    rows,
)
from campaign.findings import Finding
from campaign.load import load

R1, R2 = "0123456789abcdef0123", "fedcba98765432100123"
HEAD = ",".join(COLUMNS) + "\n"

anything = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30)
nasty = st.one_of(
    anything,
    st.text("=+-@\t\r\n'\";, a\u2028\x0b\x1c\x85\ufeff＝", max_size=8),
    st.sampled_from(
        ["=1+1", "'=1", "''-x", '"', '""', "\r", "\n", "a\r\nb", " x ", '=HYPERLINK("http://x")', ""]
    ),
)
forms = st.builds(
    Form,
    st.permutations([*COLUMNS, "remark"]).map(tuple),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)


def made(who: str = "A. Nother", decided: str = "accepted", about: str = "B/T", **more: object) -> Decision:
    return Decision.model_validate({"who": who, "decision": decided, "subject": about, **more})


def read(folder: Path, text: str | bytes) -> tuple[tuple[Decision, ...], list[Finding]]:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "certification.csv").write_bytes(data)
    return read_decisions(folder, REASONS)


@settings(max_examples=300)
@given(texts=st.lists(nasty, min_size=1, max_size=4), form=forms)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, texts: list[str], form: Form) -> None:
    given_ = [made(text=t, date=date(2025, 3, 1), result=R1, reason="lamp") for t in texts]
    held, findings = read(tmp_path_factory.mktemp("c"), lines(given_, form))
    assert findings == [f for f in findings if f.kind == "unknown-key"]
    assert [d.model_copy(update={"row": 0}) for d in held] == given_


@settings(max_examples=200)
@given(text=nasty)
def test_no_spreadsheet_takes_a_cell_for_a_formula(text: str) -> None:
    (found,) = next(iter([list(csv.reader(io.StringIO(cell(text), newline=""), strict=True))])) or [[""]]
    assert not (found[0] if found else "").startswith(
        ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
    )


@settings(max_examples=200)
@given(junk=anything)
def test_any_line_costs_only_itself(tmp_path_factory: pytest.TempPathFactory, junk: str) -> None:
    """Whatever stands between two good rows, both are read: also a quotation mark that is never closed."""
    before, after = made("first"), made("last")
    one_line = junk.replace("\r", " ").replace("\n", " ")
    form = Form()
    text = lines([before], form) + one_line + "\n" + line(after, form)
    held, _ = read(tmp_path_factory.mktemp("c"), text)
    assert [d.who for d in held][:1] == ["first"]
    assert [d.who for d in held][-1:] == ["last"]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_no_file_holds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        cell(text)


BAD_ROWS = {
    "2025-03-01,,accepted,B/T,,,": ("bad-decision", "it has no who", "'who'"),
    "2025-03-01,Me,,B/T,,,": ("bad-decision", "it has no decision", ""),
    "2025-03-01,Me,accepted,,,,": ("bad-decision", "it has no subject", ""),
    "2025-03-01,Me,acepted,B/T,,,": ("bad-decision", "'acepted' is no decision", "did you mean 'accepted'?"),
    "1.3.2025,Me,accepted,B/T,,,": ("bad-decision", "its date is '1.3.2025'", "2018-05-01"),
    "2025-02-30,Me,accepted,B/T,,,": ("bad-decision", "its date is '2025-02-30'", ""),
    "2025-03-01,rule: x,accepted,B/T,,,": ("bad-decision", "that of a rule", "campaign.toml"),
    '2025-03-01,Me,accepted,B/T,,,"open': ("bad-decision", "quotation marks", "close them"),
    "2025-03-01,Me,accepted,B/T,,,a,b": ("bad-decision", "quotation marks", ""),
    "2025-03-01,Me,accepted,B/T,,,a\x00b": ("bad-decision", "its text is not text", "UTF-8"),
}


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_bad_row_is_told_by_its_line(tmp_path: Path, row: str) -> None:
    kind, what, todo = BAD_ROWS[row]
    held, (found,) = read(tmp_path, HEAD + line(made(), Form()) + row + "\n" + line(made("Last"), Form()))
    assert [d.who for d in held] == ["A. Nother", "Last"]
    assert (found.kind, found.where) == (kind, "certification.csv:3")
    assert what in found.what
    assert todo in found.todo


def test_bytes_that_are_no_text_cost_their_row(tmp_path: Path) -> None:
    held, (found,) = read(tmp_path, HEAD.encode() + b",J\xfcrgen,accepted,B/T,,,\n,Me,accepted,B/T,,,\n")
    assert [(d.who, d.row) for d in held] == [("Me", 3)]
    assert found.kind == "bad-decision" and found.where.endswith(":2") and "UTF-8" in found.what


def test_lines_are_counted_over_quoted_ones(tmp_path: Path) -> None:
    text = HEAD + ',Me,accepted,B/T,,,"two\nlines"\n\n,,,,,,\n,Me,nothing,B/T,,,\n'
    held, (found,) = read(tmp_path, text)
    assert (held[0].row, held[0].text, found.where) == (2, "two\nlines", "certification.csv:6")


def test_a_reason_that_is_not_known_is_told_and_the_decision_counts(tmp_path: Path) -> None:
    held, found = read(tmp_path, HEAD + ",Me,rejected,B/T,,lampp,\n,Me,rejected,B/T,,,\n")
    assert [d.decision for d in held] == ["rejected", "rejected"]
    assert [f.kind for f in found] == ["unknown-name", "incomplete"]
    assert "'lamp'" in found[0].todo and found[0].where == "certification.csv:2"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("when,name\n2025,me\n", "names no column who and no column decision"),
        (HEAD.encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_of_no_use_is_told(tmp_path: Path, text: str | bytes, what: str) -> None:
    held, (found,) = read(tmp_path, text)
    assert held == () and found.kind == "bad-file" and what in found.what


def test_columns_may_be_fewer_more_and_in_any_order(tmp_path: Path) -> None:
    held, found = read(tmp_path, "\ufeffSubject;Who;Decision;resutl;who\r\nB/T;Me;Valid  Outlier;x;You\r\n")
    assert [(d.subject, d.who, d.decision, d.result) for d in held] == [("B/T", "Me", "valid outlier", "")]
    assert [f.kind for f in found] == ["unknown-key", "table-shape", "incomplete"]
    assert "'result'" in found[0].todo


def test_the_form_of_a_file_is_kept() -> None:
    form = form_of("who;subject;decision\r\nMe;B/T;accepted")
    assert form == Form(("who", "subject", "decision"), ";", "\r\n", False, 2)
    assert line(made(), form) == "A. Nother;B/T;accepted\r\n"
    assert form_of("") == Form()
    with pytest.raises(CertificationFileError):
        form_of("a,b\n")
    assert decoded(b"\xef\xbb\xbfa") == "a"
    assert list(rows("who,decision,subject\n", form)) == []


def test_addresses_never_meet() -> None:
    assert subject("B", "T", "p", "D", part="q.E") == "B/T/p/D#q.E"
    assert subject("B/T", "x") != subject("B", "T/x")
    assert subject("a%2F") != subject("a/")
    assert frame_subject("12", "CCD1") == "frame:12/CCD1"
    assert frame_subject("12", "CCD1", "B") == "frame:B/12/CCD1"
    assert around("B/T/p/D#figure:f") == ["B/T/p/D", "B/T"]
    assert around("B/T/p/D") == ["B/T"]
    assert around("B/T") == around("frame:B/12/CCD1") == []


def test_the_latest_judgement_on_the_result_shown_stands() -> None:
    held = [made(decided="rejected", result=R1), made(decided="reviewed", result=R1)]
    assert standing(held, "B/T", R1) is held[0]
    assert standing(held, "B/T", R2) is None  # another result: somebody should look again
    assert standing(held, "B/X", R1) is None
    assert standing([*held, made(result=R1[:8])], "B/T", R1) is not None
    assert standing([made(result=R1[:7])], "B/T", R1) is None
    later = made(result=R2)
    assert standing([*held, later], "B/T", R1) is None  # the later word is about another result
    assert standing([made()], "B/T", R1) is not None  # tied to none


def test_exclusion_follows_the_nearest_decision() -> None:
    measurement, outcome, test = ("B/T/p/D#q.E", R1), ("B/T/p/D", R1), ("B/T", R2)
    rejected = made("Me", "rejected", "B/T", result=R2, reason="lamp", date=date(2025, 3, 1))
    assert excluded([rejected], measurement, outcome, test) == "rejected by Me, 2025-03-01: lamp"
    kept = made("You", "accepted", "B/T/p/D#q.E", result=R1)
    assert excluded([kept, rejected], measurement, outcome, test) == ""
    assert (
        excluded([made("You", "valid outlier", "B/T/p/D")], measurement, outcome, test)
        == "valid outlier by You"
    )
    assert excluded([made("You", "acknowledged", "B/T")], measurement, outcome, test) == ""
    assert excluded([], measurement) == ""


def test_acknowledging_closes_what_it_was_said_of() -> None:
    said = made("Me", "acknowledged", "B/T", result=R2)
    assert acknowledged([said], ("B/T/p/D", R1), ("B/T", R2)) is said
    assert acknowledged([said], ("B/T/p/D", R1), ("B/T", R1)) is None
    assert acknowledged([made()], ("B/T", "")) is None


def test_a_campaign_knows_its_decisions_reasons_and_rules(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "B1.md").write_text("---\ntitle: B\n---\n")
    (tmp_path / "campaign.toml").write_text(
        '[campaign]\ntitle = "T"\n[certification.reasons]\nfrost = "ice on the window"\n'
        '[[certification.rules]]\nname = "all"\nscope = { blocks = ["B2"] }\n'
        '[[certification.rules]]\nname = "all"\n'
        '[[certification.rules]]\nname = "odd"\ncover = 0.5\n'
    )
    (tmp_path / "certification.csv").write_text(HEAD + ",Me,rejected,B1/T,,frost,\n")
    campaign, findings = load(tmp_path)
    assert campaign is not None
    assert [d.reason for d in campaign.decisions] == ["frost"]
    assert [r.name for r in campaign.certification.rules] == ["all"]
    assert campaign.certification.rules[0].scope.blocks == ("B2",)
    assert [(f.kind, f.where) for f in findings if f.kind != "missing-folder"] == [
        ("unknown-key", "campaign.toml:12"), ("unknown-name", "campaign.toml:7"), ("bad-value", "campaign.toml:9"),
    ]  # fmt: skip


def test_every_decision_has_a_meaning() -> None:
    from campaign.certification import MEANINGS

    assert set(MEANINGS) == set(DECIDED)
