"""Checking against the models: unknown keys at any depth, and names as addresses."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from campaign.block_files import FrontMatter
from campaign.checked import WHOLE, Checker, inner, keys_of, model_of, nearest
from campaign.front_matter import read_yaml
from campaign.load import CaveatFile, LimitFile
from campaign.model import CampaignFile, Document, Limit
from campaign.names import slug
from campaign.toml_lines import read_toml

FULL = """
campaign = { title = "T" }
people = [
  { name = "A" },
  { name = "B", role = "r" },
]
[[documents]]
title = "D"
[geometry.g]
preset = "decam"
[detectors.D1]
geometry = "g"
gain = { A = 1.0 }
[data]
fields = { exptime = ["EXPTIME"] }
[[sources]]
id = "s"
address = "a.csv"
columns = { test = "Test" }
[sheets]
retries = 1
[procedures.bias]
tests = ["B*"]
parameters = { clip = 3 }
"""


def tables(model: type[BaseModel], annotation: Any, data: Any, path: tuple[str | int, ...] = ()) -> list[Any]:
    """The (path, model) of every table of the data that a model describes."""
    found = model_of(annotation)
    here = [(path, found)] if found else []
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in children:
        here += tables(model, inner(annotation, key), value, (*path, key))
    return here


PLACES = tables(CampaignFile, CampaignFile, read_toml(FULL).plain())


def test_every_kind_of_table_is_among_the_places() -> None:
    assert len(PLACES) == 11
    assert {model.__name__ for _, model in PLACES} == {
        *("CampaignFile", "Head", "Person", "Document", "GeometrySpec", "DetectorSpec", "DataSpec"),
        *("Source", "SheetsSettings", "ProcedureUse"),
    }


@settings(max_examples=120)
@given(
    st.sampled_from(PLACES),
    st.text("abcdef_-. é<\"'", min_size=1, max_size=8),
    st.sampled_from(["1", "[1]", "{ a = 1 }"]),
)
def test_an_unknown_key_at_any_depth_is_found_on_its_line(place: Any, key: str, value: str) -> None:
    path, model = place
    assert key not in keys_of(model)
    node = read_toml(FULL)
    expected = CampaignFile.model_validate(node.plain())
    entry = node.nearest(path)[1]
    entry.value[key] = read_toml(f"\n\nk = {value}").value["k"]
    entry.value[key].line = 777
    checker = Checker("campaign.toml")
    read = checker.check(CampaignFile, node)
    assert [(f.kind, f.where) for f in checker.findings] == [("unknown-key", "campaign.toml:777")]
    assert repr(key) in checker.findings[0].what
    assert read is not None
    if model in WHOLE:
        assert path[1] not in getattr(read, str(path[0]))
    else:
        assert read == expected


@given(st.sampled_from(keys_of(FrontMatter)), st.integers(0, 30))
def test_a_slip_of_the_pen_leads_to_the_key_that_was_meant(key: str, at: int) -> None:
    slip = key[: at % len(key)] + "q" + key[at % len(key) :]
    node = read_yaml(f"{slip}: x")
    checker = Checker("b.md", strict=False)
    checker.check(FrontMatter, node)
    assert f"did you mean {key!r}?" in checker.findings[0].todo


def test_nearest_knows_no_case_and_no_far_words() -> None:
    assert nearest("born", ["BORN", "CURIE"]) == "BORN"
    assert nearest("xyz", ["BORN", "CURIE"]) == ""


@pytest.mark.parametrize("key", ["body", "format", "path"])
def test_what_the_machine_sets_is_no_key(key: str) -> None:
    checker = Checker("b.md", strict=False)
    read = checker.check(FrontMatter, read_yaml(f"title: x\n{key}: md"))
    assert read is not None
    assert getattr(read, key) == FrontMatter.model_fields[key].default
    assert [f.kind for f in checker.findings] == ["unknown-key"]


@pytest.mark.parametrize("model", [LimitFile, CaveatFile])
def test_entries_must_be_tables(model: type[LimitFile | CaveatFile]) -> None:
    key = next(iter(model.model_fields))
    checker = Checker("x.toml")
    read = checker.check(model, read_toml(f"{key} = [\n3,\n]"))
    assert read is not None
    assert getattr(read, key) == ()
    assert [(f.kind, f.where) for f in checker.findings] == [("bad-value", "x.toml:2")]


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.text("0123456789-T: ", max_size=12)))
def test_only_days_are_days(value: Any) -> None:
    """A number is not read as seconds since 1970."""
    is_day = isinstance(value, str) and re.fullmatch(r"\s*\d{4}-(0[1-9]|1[0-2])-\d\d\s*", value)
    try:
        read = Document.model_validate({"title": "t", "date": value}).date
    except ValidationError:
        return
    assert is_day
    assert read == date.fromisoformat(value.strip())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_limits_are_finite(value: float) -> None:
    with pytest.raises(ValidationError):
        Limit(id="R", quantity="a.b", low=value)


@settings(max_examples=300)
@given(st.text(max_size=80), st.text(max_size=80))
def test_slugs_are_safe_and_tell_names_apart(one: str, other: str) -> None:
    made = slug(one)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", made)
    assert made not in {".", "..", "index"}
    assert not made.startswith((".", "-"))
    if one != other:
        assert made != slug(other)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,20}", fullmatch=True))
def test_plain_names_are_kept(name: str) -> None:
    if name.lower() not in {"index", "con", "nul", "aux", "prn"}:
        assert slug(name) == name


def test_messages_hold_untrusted_text_as_it_is() -> None:
    checker = Checker("x.toml")
    checker.check(LimitFile, read_toml(json.dumps("<script>") + " = 1"))
    assert "'<script>'" in checker.findings[0].what
