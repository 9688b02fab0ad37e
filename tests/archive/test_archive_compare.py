"""What changed between two versions: each change once, rightly attributed; significances that are what they say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_campaign import bias, built, pixels
from typer.testing import CliRunner

from builder.archive import find
from builder.archive.compare import Comparison, compare, overlap, significance
from builder.archive.compared import lines, to_json, write_page
from builder.archive.edition import edition_of, present
from builder.archive.make import Made
from builder.cli import app

Archive = Callable[..., Made]


def between(campaign: Path, before: str = "1", after: str = "2") -> Comparison:
    return compare(edition_of(find(before, campaign)), edition_of(find(after, campaign)))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_same_site_twice_has_not_changed(campaign: Path, archived: Archive) -> None:
    archived("a")
    archived("b")
    found = between(campaign)
    assert found.same and lines(found, 5)[-1] == "Nothing changed."
    assert compare(edition_of(find("b", campaign)), present(campaign)).same


def test_each_change_shows_once_and_rightly_attributed(campaign: Path, archived: Archive) -> None:
    """The four of the acceptance: a limit flipped, a caveat added, one test measured anew, one cell edited."""
    archived("a")
    edit(campaign / "limits/limits.toml", "high = 1100", "high = 1000.1")
    with (campaign / "caveats.toml").open("a") as stream:
        stream.write(
            '[[caveat]]\nid = "new"\ntext = "Cold <b>head</b> drifted."\nauthor = "B"\n[caveat.scope]\ntests = ["BIAS02"]\n'
        )
    bias(campaign / "frames/b5.fits", 5, data=pixels(5, 1004.0))
    edit(campaign / "records/tests.csv", "BIAS01,1,3,0,done,", "BIAS01,1,3,0,done,seen")
    built(campaign)
    archived("b")
    found = between(campaign)
    moved = {(m.after.test, m.after.quantity): m for m in found.moved}
    value = moved["BIAS02", "level"]
    assert value.difference == pytest.approx(2.0, abs=0.3) and value.because[0] == "frames: 1 changed"
    assert value.shared == pytest.approx(1 / math.sqrt(2 * 2)) and not value.same_inputs
    judged = {t: m for (t, q), m in moved.items() if m.before.verdict != m.after.verdict}
    assert set(judged) == {"BIAS02"} and value.after.verdict == "fail"
    assert any(
        reason.startswith("limit: LIM-1 [900.0, 1100.0] → LIM-1 [900.0, 1000.1]") for reason in value.because
    )
    only_judged = moved["BIAS01", "level"]  # the limit moved over a value that stayed
    assert only_judged.fields == ("limit",) and only_judged.same_inputs and only_judged.difference == 0
    assert all(r.startswith("limit: ") for r in only_judged.because)
    assert [(c.kind, c.what, c.detail) for c in found.others["limits"]] == [
        ("changed", "LIM-1", "high: 1100 → 1000.1")
    ]
    assert [(c.kind, c.what) for c in found.others["caveats"]] == [("added", "new")]
    assert [(c.kind, c.what) for c in found.others["inputs"]] == [("changed", "frames/b5.fits")]
    assert [(c.kind, c.what, c.detail) for c in found.others["record"]] == [
        ("changed", "record, row 2 (BIAS01)", "comments: empty → seen")
    ]
    assert [(c.what, c.detail) for c in found.tests] == [("B1/BIAS02", "verdict not reached → fail")]
    assert "frames: 1 changed" in found.tests[0].because and not found.added and not found.gone
    assert not found.others["procedures"] and not found.others["software"]


def test_a_new_version_of_a_procedure_on_the_same_frames_is_no_noise(
    campaign: Path, archived: Archive
) -> None:
    archived("a")
    plugin = campaign / "procedures/level.py"
    edit(
        plugin,
        'Version("1", "2025-01-01", "first"),',
        'Version("1", "2025-01-01", "first"), Version("2", "2025-02-01", "more"),',
    )
    edit(plugin, "sum(held) / len(held), spread", "sum(held) / len(held) + 0.5, spread")
    built(campaign)
    archived("b")
    found = between(campaign)
    values = [m for m in found.moved if "value" in m.fields]
    assert {m.after.quantity for m in values} == {"level"}
    for m in values:
        assert (
            m.difference == pytest.approx(0.5) and m.same_inputs and m.sigma is None and m.sigma_independent
        )
        assert m.because[0] == "procedure level: version 1 → 2"
    assert [(c.what, c.detail) for c in found.others["procedures"]] == [("level", "version 1 → 2")]
    assert any("same frames: not noise" in line for line in lines(found, 0))


def test_tests_and_frames_that_come_and_go(campaign: Path, archived: Archive) -> None:
    archived("a")
    edit(campaign / "records/tests.csv", "BIAS02,4,5,0,done,\n", "BIAS03,4,4,0,done,\nPLAN,,,0,planned,\n")
    (campaign / "frames/b5.fits").unlink()
    (campaign / "frames/b4.fits").rename(campaign / "frames/c4.fits")
    built(campaign)
    archived("b")
    found = between(campaign)
    assert {(c.kind, c.what) for c in found.tests} == {
        ("added", "B1/BIAS03"), ("added", "B1/PLAN"), ("gone", "B1/BIAS02"),
    }  # fmt: skip
    assert {n.test for n in found.gone} == {"BIAS02"} and {n.test for n in found.added} == {"BIAS03"}
    assert {(c.kind, c.what) for c in found.others["inputs"]} == {
        ("moved", "frames/c4.fits"),
        ("gone", "frames/b5.fits"),
    }
    assert ("changed", "record, row 3 (BIAS03)") in {(c.kind, c.what) for c in found.others["record"]}


def test_the_command_writes_text_json_and_a_page(campaign: Path, archived: Archive) -> None:
    archived("a")
    edit(campaign / "limits/limits.toml", "high = 1100", "high = 950")
    with (campaign / "caveats.toml").open("a") as stream:
        stream.write('[[caveat]]\nid = "new"\ntext = "<script>alert(1)</script>"\n')
    built(campaign)
    run = CliRunner()
    told = run.invoke(app, ["compare", "a", "--of", str(campaign)])
    assert told.exit_code == 0 and "Verdicts of measurements: 2" in told.output
    page = (campaign / "versions/compare-1-now.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "B1/BIAS02" in page
    held = json.loads((campaign / "versions/compare-1-now.json").read_text())
    assert {m["after"]["verdict"] for m in held["measurements"]} == {"fail"} and held["limits"][0][
        "what"
    ] == "LIM-1"
    assert "compare-1-now.html" in (campaign / "versions/index.html").read_text()
    said = run.invoke(app, ["compare", str(find("a", campaign).folder), str(campaign), "--json", "--no-page"])
    assert json.loads(said.output)["tests"] == held["tests"]
    assert run.invoke(app, ["compare", "a", "z", "--of", str(campaign)]).exit_code == 2


def test_a_large_comparison_is_cut_on_the_page_and_whole_in_the_json(
    campaign: Path, archived: Archive
) -> None:
    from dataclasses import replace

    archived("a")
    one = edition_of(find("a", campaign))
    (key, number), *_ = one.numbers.items()
    many = {
        (*key[:6], str(n)): number._replace(setting=str(n), value="1.0", uncertainty="0.5")
        for n in range(2500)
    }
    more = {k: n._replace(value="3.0") for k, n in many.items()}
    found = compare(replace(one, numbers=many), replace(one, numbers=more, token="2"))
    page = write_page(found, campaign / "versions").read_text()
    assert page.count("<tr>") == 2001 and "The first 2000" in page
    assert len(to_json(found)["measurements"]) == 2500


@pytest.mark.parametrize(("first", "second", "common"), [(20, 21, 20), (20, 20, 19), (20, 20, 0), (5, 12, 3)])
def test_significances_of_noise_are_standard_normal(first: int, second: int, common: int) -> None:
    """Means of overlapping samples, 4,000 times: the difference over its uncertainty scatters by one."""
    rng = np.random.default_rng(7)
    a = frozenset((f"a{n}", f"d{n}") for n in range(first))
    b = frozenset((f"b{n}", f"d{n}") for n in range(first - common, first - common + second))
    shared = overlap(a, b)
    drawn = rng.normal(0, 1, (4000, first + second - common))
    mean1, mean2 = drawn[:, :first].mean(1), drawn[:, first - common :].mean(1)
    u1, u2 = 1 / math.sqrt(first), 1 / math.sqrt(second)
    pulls = np.array(
        [significance(y - x, u1, u2, shared)[1] for x, y in zip(mean1, mean2, strict=True)], float
    )
    rms = float(np.sqrt(np.mean(pulls**2)))
    assert rms == pytest.approx(1.0, abs=4 / math.sqrt(2 * 4000)), rms
    if common >= 19:  # as if independent would hide real changes
        independent = np.array(
            [significance(y - x, u1, u2, shared)[0] for x, y in zip(mean1, mean2, strict=True)], float
        )
        assert float(np.sqrt(np.mean(independent**2))) < 0.5


def test_significance_without_uncertainty_or_with_the_same_frames() -> None:
    assert significance(1.0, None, 1.0, 0.0) == (None, None)
    assert significance(1.0, 0.0, 0.0, 0.5) == (None, None)
    assert significance(-5.0, 3.0, 4.0, 1.0) == (1.0, None)
    assert significance(-5.0, 3.0, 4.0, 0.0) == (1.0, 1.0)
