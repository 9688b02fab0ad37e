"""Import of hand-written pages: what is recognised, what is listed, and that nothing is dropped."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.load import load
from campaign.rst_import import import_pages
from campaign.rst_pages import is_block, read_block, read_dates, sections

PORTAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "vgcc_portal"
absent_skips = pytest.mark.skipif(not PORTAL.is_dir(), reason=f"the real record is not at {PORTAL}")

PAGE = """\
Tested Units
============

CAVEAT: all numbers are preliminary.

ALPHA-01 (DEMOTED)
------------------

27th June through 2nd July 2019

**CAUTION**: Use the calibration of BETA for unit 01. A wire broke
after the campaign.

Facility: CHAMBER #1.

- BLOCKID: ALPHA/01
- CCD1_SN\t: 15081-08-02 (same as before)

TESTS-RECORD: `ALPHA <https://docs.google.com/spreadsheets/d/KEY/edit#gid=0>`
* Data: `ALPHA <../data/ALPHA>`_ *[DATA ARCHIVED]*

Something else that a person wrote.

BETA
----

9th July 2019. In the other chamber.

**CAVEATS**

* Lore Ipsum...
* The lamp was
  changed.

- CCD1_SN: 1
* Data: ARVHIVED.
"""


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    page = tmp_path / "units.rst"
    page.write_text(PAGE)
    import_pages([page], tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("11th through 14th March, 2019.", date(2019, 3, 11), date(2019, 3, 14)),
        ("30th and 31st May, 2018. Chamber #1.", date(2018, 5, 30), date(2018, 5, 31)),
        ("5th & 6th September 2018", date(2018, 9, 5), date(2018, 9, 6)),
        ("07th June through 12th June 2019", date(2019, 6, 7), date(2019, 6, 12)),
        ("30th December to 3rd January 2020", date(2019, 12, 30), date(2020, 1, 3)),
        ("16/June/2020", date(2020, 6, 16), date(2020, 6, 16)),
    ],
)
def test_dates_in_words(text: str, first: date, last: date) -> None:
    assert read_dates(text) == (first, last)


@pytest.mark.parametrize(
    "text", ["", "in 2019", "31st through 30th Febtober 2019", "35th May 2018", "12 CCDs"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert read_dates(text) is None


def test_a_block_is_read_whole() -> None:
    alpha, beta = (read_block(s) for s in sections(PAGE) if is_block(s))
    assert (alpha.id, alpha.status, alpha.status_note) == ("ALPHA", "demoted", "DEMOTED")
    assert (alpha.start, alpha.end, alpha.facility) == (date(2019, 6, 27), date(2019, 7, 2), "CHAMBER #1")
    assert alpha.hardware == {"BLOCKID": "ALPHA/01", "CCD1_SN": "15081-08-02"}
    assert [(link.label, link.broken) for link in alpha.links] == [
        ("TESTS-RECORD: ALPHA", True),
        ("Data: ALPHA", False),
    ]
    assert (alpha.superseded_by, alpha.data_archived) == ("BETA", True)
    assert alpha.caveats[0].text.endswith("A wire broke after the campaign.")
    assert [c.text for c in beta.caveats] == ["Lore Ipsum...", "The lamp was changed."]
    assert (beta.status, beta.data_archived) == ("archived", True)


def test_lines_are_numbered_as_in_the_file() -> None:
    alpha = next(read_block(s) for s in sections(PAGE) if is_block(s))
    lines = PAGE.splitlines()
    assert lines[alpha.caveats[0].line - 1].startswith("**CAUTION**")
    assert lines[alpha.links[1].line - 1].startswith("* Data")
    assert all(lines[line - 1].strip() for line, _ in alpha.rest)


def test_the_folder_loads_and_says_what_was_broken(imported: Path) -> None:
    campaign, findings = load(imported)
    assert campaign is not None, findings
    assert [f for f in findings if f.severity == "error"] == []
    assert [b.id for b in campaign.blocks] == ["ALPHA", "BETA"]
    alpha, beta = campaign.blocks
    assert (alpha.superseded_by, beta.supersedes) == ("BETA", "ALPHA")
    assert "Something else that a person wrote." in alpha.body
    assert "../data/ALPHA" in alpha.body, "the address that could not be resolved is kept in the notes"
    assert {c.scope.blocks for c in campaign.caveats} == {("ALPHA",), ("BETA",), ()}


def test_what_was_not_placed_is_kept_in_the_folder(imported: Path) -> None:
    kept = (imported / "documents/imported/NOT_PLACED.md").read_text()
    assert "units.rst:" in kept
    assert "lacks its closing underscore" in kept


def test_relative_links_resolve_against_the_base(tmp_path: Path) -> None:
    page = tmp_path / "units.rst"
    page.write_text(PAGE)
    _, findings = import_pages([page], tmp_path / "out", base="https://portal.example/docs/")
    campaign, _ = load(tmp_path / "out")
    assert campaign is not None
    assert campaign.blocks[0].links[1].href == "https://portal.example/data/ALPHA"
    assert [f.what for f in findings if f.kind == "dead-link"] == [
        "the link 'TESTS-RECORD: ALPHA' lacks its closing underscore; it was repaired"
    ]


def test_a_folder_with_something_in_it_is_refused(imported: Path) -> None:
    with pytest.raises(FileExistsError, match="not empty"):
        import_pages([imported / "documents/imported/units.rst"], imported)


@given(st.text(alphabet="ab=-~*`<>_:#.\n \t", max_size=300))
def test_no_line_of_a_page_is_lost(text: str) -> None:
    kept = [line for s in sections(text) for line in (s.title, *s.lines)]
    underlines = text.expandtabs(8).splitlines()
    words = {line.strip() for line in underlines if any(c.isalnum() for c in line)}
    assert words <= {line.strip() for line in kept}


@pytest.mark.real
@absent_skips
def test_the_real_record(tmp_path: Path) -> None:
    _, findings = import_pages(sorted(PORTAL.glob("*.rst")), tmp_path / "out")
    campaign, loading = load(tmp_path / "out")
    assert campaign is not None
    assert [f for f in loading if f.severity == "error"] == []
    flight = [b for b in campaign.blocks if b.kind == "block"]
    dry = [b for b in campaign.blocks if b.kind == "dry run"]
    assert (len(flight), len(dry)) == (16, 5)
    assert all(b.start and b.end and b.facility for b in campaign.blocks)
    assert all(len([k for k in b.hardware if k.startswith("CCD")]) == 3 for b in flight)
    status = {b.id: b.status for b in flight}
    assert {k for k, v in status.items() if v == "demoted"} == {"HEISENBERG", "JULES", "MAX", "SKLODOWSKA"}
    assert campaign.block("JULES2").supersedes == "JULES"  # type: ignore[union-attr]
    assert sum("Release" in d.title and d.date is not None for d in campaign.documents) >= 2
    assert any(f.kind == "not-placed" for f in findings)


@pytest.mark.real
@absent_skips
@pytest.mark.parametrize("page", sorted((PORTAL / "history").glob("*.rst")), ids=lambda p: p.stem)
def test_every_earlier_version_of_the_real_pages_is_imported(page: Path, tmp_path: Path) -> None:
    _, findings = import_pages([page], tmp_path / "out")
    campaign, loading = load(tmp_path / "out")
    assert campaign is not None
    assert [f for f in loading if f.severity == "error"] == []
    text = page.read_text()
    broken = text.count(">`\n")  # a link that ends its line without the closing underscore
    assert sum("closing underscore" in f.what for f in findings) >= broken
