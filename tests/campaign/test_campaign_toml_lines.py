"""Lines of TOML values: against documents written with known lines, and against the standard library."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign.toml_lines import FileSyntaxError, read_toml, toml_lines

EXAMPLE = '''\
# comment = "no key"
title = "x" # [not.a.table]
"odd key".'in ner' = """
[a]
b = 1 ""\\""""
list = [ # one
  1,

  [2,
   3],
]

[a.b]
c = { d = 1, e.f = [
  { g = ']' },
] }

[[many]]
n = 1
[many.sub]
x = 1
[[many.deep]]
y = 1
[[many]]
[[many.deep]]
y = 2
[a]
z = 1979-05-27 07:32:00
'''


def paths(data: Any, at: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    if isinstance(data, dict):
        items: Any = data.items()
    elif isinstance(data, list):
        items = enumerate(data)
    else:
        return set()
    return {p for k, v in items for p in {(*at, k)} | paths(v, (*at, k))}


def test_every_form_of_toml_has_its_line() -> None:
    lines = toml_lines(EXAMPLE)
    assert lines == {
        ("title",): 2,
        ("odd key",): 3,
        ("odd key", "in ner"): 3,
        ("list",): 6,
        ("list", 0): 7,
        ("list", 1): 9,
        ("list", 1, 0): 9,
        ("list", 1, 1): 10,
        ("a",): 27,
        ("a", "b"): 13,
        ("a", "b", "c"): 14,
        ("a", "b", "c", "d"): 14,
        ("a", "b", "c", "e"): 14,
        ("a", "b", "c", "e", "f"): 14,
        ("a", "b", "c", "e", "f", 0): 15,
        ("a", "b", "c", "e", "f", 0, "g"): 15,
        ("many",): 18,
        ("many", 0): 18,
        ("many", 0, "n"): 19,
        ("many", 0, "sub"): 20,
        ("many", 0, "sub", "x"): 21,
        ("many", 0, "deep"): 22,
        ("many", 0, "deep", 0): 22,
        ("many", 0, "deep", 0, "y"): 23,
        ("many", 1): 24,
        ("many", 1, "deep"): 25,
        ("many", 1, "deep", 0): 25,
        ("many", 1, "deep", 0, "y"): 26,
        ("a", "z"): 28,
    }
    assert set(lines) == paths(tomllib.loads(EXAMPLE))


class Writer:
    """Writes TOML and notes the line of everything it writes."""

    def __init__(self) -> None:
        self.text = ""
        self.lines: dict[tuple[str | int, ...], int] = {}

    @property
    def line(self) -> int:
        return self.text.count("\n") + 1

    def value(self, value: Any, path: tuple[str | int, ...], gap: str) -> None:
        if isinstance(value, dict):
            self.text += "{"
            for n, (key, inner) in enumerate(value.items()):
                self.text += ", " if n else " "
                self.lines[(*path, key)] = self.line
                self.text += json.dumps(key) + " = "
                self.value(inner, (*path, key), "")
            self.text += " }"
        elif isinstance(value, list):
            self.text += "["
            for n, inner in enumerate(value):
                self.text += gap
                self.lines[(*path, n)] = self.line
                self.value(inner, (*path, n), gap)
                self.text += " ,"
            self.text += gap + "]"
        elif isinstance(value, str) and "\n" in value:
            self.text += '"""' + json.dumps(value)[1:-1].replace("\\n", "\n") + '"""'
        else:
            self.text += json.dumps(value)

    def pairs(self, table: dict[str, Any], path: tuple[str | int, ...], gap: str) -> None:
        for key, value in table.items():
            self.text += gap.replace(",", "")
            self.lines[(*path, key)] = self.line
            self.text += json.dumps(key) + " = "
            self.value(value, (*path, key), gap)
            self.text += "\n"


NAMES = st.text("ab.[]#='\"é{ ", min_size=0, max_size=4)
SCALARS = st.one_of(
    st.integers(-9, 9),
    st.booleans(),
    st.floats(-1e3, 1e3, allow_nan=False),
    st.text("ab#[]{}=,'\"\\\n é", max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
TABLES = st.dictionaries(NAMES, VALUES, max_size=3)
GAPS = st.sampled_from(["", "\n", "\n\n", "\n # a ] comment ' \"\n", "\n\t"])


@settings(max_examples=150)
@given(
    st.dictionaries(NAMES, VALUES, max_size=2),
    st.dictionaries(NAMES, st.one_of(TABLES, st.lists(TABLES, min_size=1, max_size=3)), max_size=3),
    GAPS,
)
def test_lines_are_those_on_which_values_were_written(
    top: dict[str, Any], tables: dict[str, Any], gap: str
) -> None:
    writer = Writer()
    writer.pairs(top, (), gap)
    for name, content in tables.items():
        if name in top:
            continue
        if isinstance(content, dict):
            writer.lines[(name,)] = writer.line
            writer.text += f"[{json.dumps(name)}]\n"
            writer.pairs(content, (name,), gap)
            continue
        writer.lines[(name,)] = writer.line
        for n, table in enumerate(content):
            writer.lines[(name, n)] = writer.line
            writer.text += f"[[ {json.dumps(name)} ]] # entry\n"
            writer.pairs(table, (name, n), gap)
    assert paths(tomllib.loads(writer.text)) == set(writer.lines)
    assert toml_lines(writer.text) == writer.lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\n\n[t\n", 3),
        ("a = 1\na = 2\n", 2),
        ('a = """\n\n', 2),
        ("[[[[" * 2000, 1),
        ("a = " + "[" * 5000, 1),
        ("a = " + "9" * 5000, 1),
    ],
)
def test_a_syntax_error_names_its_line(text: str, line: int) -> None:
    with pytest.raises(FileSyntaxError) as caught:
        read_toml(text)
    assert caught.value.line == line
    assert "(at line" not in caught.value.message


@settings(max_examples=200)
@given(st.text("a=[]{}\"'\n.#,1 \r\\", max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        node = read_toml(text)
    except FileSyntaxError as error:
        assert 1 <= error.line <= text.count("\n") + 1
    else:
        assert node.plain() == tomllib.loads(text)


def test_windows_line_ends_count_once() -> None:
    node = read_toml("a = 1\r\n\r\nb = '''x\r\ny'''\r\nc = 2\r\n")
    assert node.nearest(("b",))[1].line == 3
    assert node.nearest(("c",))[1].line == 5
