"""Front matter: facts as typed, with their lines, and the prose untouched."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign.front_matter import read_document, read_yaml
from campaign.toml_lines import FileSyntaxError

TEXT = """---
# a comment
title: BORN
serial: 0123
version: 1.10
answer: no
end:
hardware:
  ROE: FM01   # inline
  "CCD 1": 15081-08-02

links:
  - label: Data
    href: https://example.org
  - {label: Scripts, href: s}
note: |
  two
  lines
---

Prose --- with
---
dashes.
"""


def test_scalars_stay_as_typed() -> None:
    facts = read_document(TEXT).facts.plain()
    assert facts == {
        "title": "BORN",
        "serial": "0123",
        "version": "1.10",
        "answer": "no",
        "hardware": {"ROE": "FM01", "CCD 1": "15081-08-02"},
        "links": [{"label": "Data", "href": "https://example.org"}, {"label": "Scripts", "href": "s"}],
        "note": "two\nlines\n",
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 3),
        (("hardware",), 8),
        (("hardware", "ROE"), 9),
        (("hardware", "CCD 1"), 10),
        (("links",), 12),
        (("links", 0), 13),
        (("links", 0, "href"), 14),
        (("links", 1), 15),
        (("links", 1, "href"), 15),
        (("note",), 16),
    ],
)
def test_lines_are_those_of_the_file(path: tuple[str | int, ...], line: int) -> None:
    found, node = read_document(TEXT).facts.nearest(path)
    assert found == path
    assert node.line == line


def test_the_prose_begins_after_the_second_dashes() -> None:
    document = read_document(TEXT)
    assert document.body == "\nProse --- with\n---\ndashes.\n"
    assert TEXT.split("\n")[document.body_line - 1 :][1] == "Prose --- with"


def test_windows_line_ends_and_no_facts() -> None:
    document = read_document("---\r\n---\r\nBody\r\n")
    assert document.facts.value == {}
    assert document.body == "Body\n"
    assert document.body_line == 3


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("No facts\n", 1, "front matter"),
        ("", 1, "front matter"),
        ("---\ntitle: x\n", 1, "closing"),
        ("---\ntitle: x\nbad: [1, 2\n---\n", 4, "expected"),
        ("---\na: 1\n\na: 2\n---\n", 4, "twice"),
        ("---\n- a\n- b\n---\n", 2, "key: value"),
        ("---\nx: 1\na: &b [1]\nc: *b\n---\n", 4, "aliases"),
        ("---\n? [a]\n: 1\n---\n", 2, "word"),
        ("---\na: !!python/object/apply:os.system [x]\nb: \x00\n---\n", 2, "special characters"),
        ("---\na: " + "[" * 3000 + "]" * 3000 + "\n---\n", 2, "nested"),
    ],
)
def test_bad_front_matter_names_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(FileSyntaxError) as caught:
        read_document(text)
    assert caught.value.line == line
    assert says in caught.value.message


def test_tags_run_nothing() -> None:
    assert read_yaml("a: !!python/object/apply:os.getcwd []").plain() == {"a": []}


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.text("abc é\u2028", min_size=1, max_size=5), st.integers(0, 2)), unique_by=lambda p: p[0]
    )
)
def test_each_key_has_its_line(keys: list[tuple[str, int]]) -> None:
    text, lines = "", {}
    for key, gap in keys:
        text += "\n" * gap
        lines[key] = text.count("\n") + 1
        escaped = key.replace("\u2028", "\\L")
        text += f'"{escaped}": value\n'
    node = read_yaml(text)
    assert {key: child.line for key, child in node.value.items()} == lines


@settings(max_examples=100)
@given(st.text("a:- \n[]{}&*!|>'\"#%@`\t,?", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_yaml(text)
    except FileSyntaxError as error:
        assert 1 <= error.line <= text.count("\n") + 1
