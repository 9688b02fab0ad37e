"""Which addresses out of untrusted text may be followed, and how pages point at each other."""

from __future__ import annotations

from posixpath import normpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_fixture import make_report

from builder.render import addresses
from builder.render.links import inside, is_external, linked_files, safe_href

PAGE = "blocks/BORN/index.html"


@pytest.mark.parametrize(
    "href",
    ["https://example.org/a?b=1#c", "http://example.org", "HTTPS://EXAMPLE.ORG/", "mailto:a@example.org"],
)
def test_plain_addresses_are_followed(href: str) -> None:
    assert is_external(href)
    assert safe_href(href, PAGE) == href


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)", "JavaScript:alert(1)", "java\nscript:alert(1)", " javascript:alert(1)", "\x01javascript:x",
        "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//example.org/x", "\\\\host\\share", "/etc/passwd",
        "../secret", "a/../../secret", "a/..", "C:/x", "C:\\x", "", "http://", "http:///x", "https://user:word@example.org",
        "https://[broken", "mailto:", "ftp://example.org/x", "a\x00b",
    ],
)  # fmt: skip
def test_anything_else_is_text(href: str) -> None:
    assert safe_href(href, PAGE) is None


@pytest.mark.parametrize(
    ("href", "link"),
    [
        ("documents/plan.pdf", "../../files/documents/plan.pdf"),
        ("documents/plan.pdf#page=3", "../../files/documents/plan.pdf#page=3"),
        ("./a b?%41.txt", "../../files/a%20b%3F%2541.txt"),
        ("docs\\plan.pdf", "../../files/docs/plan.pdf"),
        ('"><img src=x>.pdf', "../../files/%22%3E%3Cimg%20src%3Dx%3E.pdf"),
    ],
)
def test_files_of_the_campaign(href: str, link: str) -> None:
    assert safe_href(href, PAGE) == link
    path = inside(href)
    assert path is not None
    assert safe_href(href, PAGE, absent={path}) is None


@given(st.text(max_size=40))
def test_a_link_never_leaves_the_site_or_runs(href: str) -> None:
    made = safe_href(href, PAGE)
    if made is not None and not is_external(href):
        target = normpath("blocks/BORN/" + unquote(made.partition("#")[0]))
        assert target.startswith("files/")
        assert ":" not in made.partition("#")[0].split("/")[0]


def test_files_that_pages_link_to() -> None:
    assert linked_files(make_report().campaign) == {
        "files/documents/description.pdf": "documents/description.pdf",
        "files/documents/scripts 1.txt": "documents/scripts 1.txt",
        "files/documents/gone.pdf": "documents/gone.pdf",
    }


def test_ways_between_pages() -> None:
    test = addresses.test_page("BORN", "BIAS01")
    assert addresses.relative(test, addresses.HOME) == "../../../index.html"
    assert addresses.relative(test, addresses.block_page("BORN")) == "../index.html"
    assert addresses.relative(addresses.HOME, test) == "blocks/BORN/tests/BIAS01.html"
    assert addresses.relative(test, f"{test}#log") == "#log"
    assert addresses.relative(test, test) == "BIAS01.html"


@given(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=4),
    st.lists(st.sampled_from("ab"), min_size=1, max_size=4),
)
def test_a_relative_way_arrives(start: list[str], end: list[str]) -> None:
    page, target = "/".join([*start, "page.html"]), "/".join([*end, "target.html"])
    way = addresses.relative(page, target)
    assert normpath("/".join(start) + "/" + way) == target


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_different_names_have_different_addresses(one: str, other: str) -> None:
    assert (addresses.test_page("B", one) == addresses.test_page("B", other)) == (one == other)


@given(st.text(max_size=30), st.text(max_size=30))
def test_addresses_stay_where_they_belong(block: str, test: str) -> None:
    parts = addresses.test_page(block, test).split("/")
    assert len(parts) == 4
    assert ".." not in parts
    assert "" not in parts
    anchor = addresses.measurement_page(f"abc.{test}").partition("#")[2]
    assert anchor
    assert not set(anchor) & set(" \t\n\"'<>&#%")
