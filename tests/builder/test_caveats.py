"""Caveats at work: what they touch exactly, what they do to verdicts, trends and exports, what they said, what rests on them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from tiny_campaign import NOW, built, make

from builder.build import Built
from builder.caveat_dates import as_of
from builder.caveat_history import Said, history, sayings
from builder.caveats import excluded_by_caveat, raised_caveats, softened
from builder.judge import Judgement
from builder.report import Judged, Outcome, TestReport, Verdict
from campaign.model import Campaign, Caveat

SHARE = '''"""Level as a share of a parameter."""
from analysis.contract import Parameter, Procedure, Quantity, Role, Use, Version

def measure(inputs, results):
    if inputs.test == "BIAS02":
        results.caveat("The share of <b>this</b> test is a guess.")
    for channel in inputs.detector.geometry.channels:
        level = inputs.used["level", "level"][channel.name].value
        results.value("share", level / 1000.0, 0.1, n=1, channel=channel.name)

PROCEDURE = Procedure(
    name="share", title="Share", purpose="A share.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "zero-second frames"),),
    quantities=(Quantity("share", "s", "1", "Share of a level", "a ratio"),), uses=(Use("level", "level", "Its level"),),
    measure=measure,
)
'''
CAVEATS = """
[[caveat]]
id = "one"
text = "The level of this test moved."
severity = "major"
effect = "warn"
scope = { tests = ["BIAS01"], quantities = ["level.level"] }

[[caveat]]
id = "two"
text = "Fewer frames than usual."
severity = "info"
effect = "exclude"
scope = { procedures = ["level"], quantities = ["frames"] }

[[caveat]]
id = "three"
text = "Nothing of this setting was taken."
scope.settings = ["*wavelength=800*"]

[[caveat]]
id = "four"
text = "Of a detector that is elsewhere."
scope = { detectors = ["CAM1"], tests = ["FLAT*"] }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make(tmp_path_factory.mktemp("caveats") / "tiny", more='\n[procedures.share]\ntests = ["BIAS*"]\n')
    (made / "procedures" / "share.py").write_text(SHARE, "utf-8")
    (made / "caveats.toml").write_text(CAVEATS, "utf-8")
    return made


@pytest.fixture(scope="module")
def done(folder: Path) -> Built:
    return built(folder)


def named(done: Built) -> dict[str, TestReport]:
    return {t.test.name: t for t in done.report.tests()}


def numbers(done: Built) -> Iterator[tuple[Outcome, Judged]]:
    for outcome in done.report.outcomes():
        for judged in outcome.measurements:
            yield outcome, judged


def ids(held: tuple[Caveat, ...]) -> list[str]:
    return [c.id if not c.raised_by else "raised" for c in held]


def test_a_scope_touches_what_it_names_and_nothing_else(done: Built) -> None:
    found = {(o.test, j.measurement.quantity): ids(j.caveats) for o, j in numbers(done) if j.caveats}
    assert found == {
        ("BIAS01", "level"): ["one"],
        ("BIAS01", "frames"): ["two"],
        ("BIAS02", "frames"): ["two"],
        ("BIAS02", "share"): ["raised"],
    }
    assert {n: ids(t.caveats) for n, t in named(done).items()} == {
        "BIAS01": ["one", "two"], "BIAS02": ["two", "raised"],
    }  # fmt: skip
    assert {(o.test, o.procedure.name): ids(o.caveats) for o in done.report.outcomes()} == {
        ("BIAS01", "level"): ["one", "two"], ("BIAS02", "level"): ["two"],
        ("BIAS01", "share"): [], ("BIAS02", "share"): ["raised"],
    }  # fmt: skip
    assert ids(done.report.blocks[0].caveats) == ["one", "two"]


def test_what_touches_nothing_is_a_finding(done: Built) -> None:
    idle = [f for f in done.summary.findings if f.kind == "idle-caveat"]
    assert [f.where for f in idle] == ["caveat four", "caveat three"]


def test_a_verdict_that_a_caveat_softens_says_so(done: Built) -> None:
    (judged,) = {j for o, j in numbers(done) if (o.test, j.measurement.quantity) == ("BIAS01", "level")}
    assert judged.verdict is Verdict.WARN
    assert judged.why.startswith("would be pass but for caveat one: within 900 … 1100 ADU")
    assert named(done)["BIAS01"].verdict is Verdict.WARN
    (other,) = {j for o, j in numbers(done) if (o.test, j.measurement.quantity) == ("BIAS02", "level")}
    assert other.verdict is Verdict.PASS


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_a_pass_or_fail_is_softened(verdict: Verdict) -> None:
    caveat = Caveat(id="x", text="t", effect="warn")
    given = Judgement(verdict, None, "why")
    got = softened(given, [Caveat(id="y", text="t", effect="exclude"), caveat])
    if verdict in (Verdict.PASS, Verdict.FAIL):
        assert got == Judgement(Verdict.WARN, None, f"would be {verdict} but for caveat x: why")
    else:
        assert got == given
    over = [
        caveat.model_copy(update={"resolved": date(2025, 1, 1)}),
        caveat.model_copy(update={"expired": True}),
    ]
    assert softened(given, over) == given


def test_why_a_number_is_kept_out_of_trends(done: Built) -> None:
    reasons = {(o.test, j.measurement.quantity): excluded_by_caveat(j.caveats) for o, j in numbers(done)}
    assert {k: v for k, v in reasons.items() if v} == {
        ("BIAS01", "frames"): "caveat two: Fewer frames than usual.",
        ("BIAS02", "frames"): "caveat two: Fewer frames than usual.",
    }
    (two,) = (c for c in done.report.campaign.caveats if c.id == "two")
    assert excluded_by_caveat([two.model_copy(update={"expired": True})]) == ""


def test_exports_name_the_caveats_in_their_last_column(done: Built, folder: Path) -> None:
    with (folder / "build/site/data/measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-2:] == ["result_id", "caveats"]
    raised = next(c.id for c in named(done)["BIAS02"].caveats if c.raised_by)
    assert {(r["test"], r["quantity"], r["caveats"]) for r in rows if r["caveats"]} == {
        ("BIAS01", "level", "one"), ("BIAS01", "frames", "two"), ("BIAS02", "frames", "two"), ("BIAS02", "share", raised),
    }  # fmt: skip
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "build/site/data/measurements.parquet")
    assert table.column("caveats").to_pylist() == [r["caveats"] for r in rows]
    told = json.loads((folder / "build/site/data/campaign.json").read_text("utf-8"))["caveats"]
    assert [(c["id"], c["effect"], c["raised_by"]) for c in told] == [
        ("one", "warn", ""), ("two", "exclude", ""), ("three", "mark", ""), ("four", "mark", ""), (raised, "mark", "share"),
    ]  # fmt: skip


def test_pages_show_what_procedures_raised_and_which_figures_are_touched(done: Built, folder: Path) -> None:
    site = folder / "build" / "site"
    raised = next(c.id for c in named(done)["BIAS02"].caveats if c.raised_by)
    text = "The share of &lt;b&gt;this&lt;/b&gt; test is a guess."
    for page in ("blocks/B1/tests/BIAS02.html", "caveats.html"):
        held = (site / page).read_text("utf-8")
        assert text in held and f'id="caveat-{raised}"' in held
    assert text not in (site / "blocks/B1/tests/BIAS01.html").read_text("utf-8")
    assert "Fewer frames than usual." in (site / "procedures/level.html").read_text("utf-8")
    assert "Fewer frames than usual." not in (site / "procedures/share.html").read_text("utf-8")


def test_coverage_counts_what_is_touched_and_what_rests_on_it(done: Built, folder: Path) -> None:
    from builder.caveat_coverage import coverage

    found = coverage(done.report)
    # 2 tests × (level, well, frames, share) of one channel; the share of BIAS01 rests on its level
    whole = found.whole
    assert (whole.measurements, whole.major, whole.minor, whole.info) == (8, 1, 1, 2)
    assert (whole.excluded, whole.indirect) == (2, 1)
    assert {n: (r.measurements, r.touched, r.indirect) for n, r in found.procedures.items()} == {
        "level": (6, 3, 0), "share": (2, 1, 1),
    }  # fmt: skip
    assert {n: (r.touched, r.indirect) for (_, n), r in found.tests.items()} == {
        "BIAS01": (2, 1),
        "BIAS02": (2, 0),
    }
    (one,) = (c for c in done.report.campaign.caveats if c.id == "one")
    assert found.by_caveat[id(one)] == [1, 1]
    page = (folder / "build/site/caveat-coverage.html").read_text("utf-8")
    assert (
        "touch 4 of 8 numbers: 1 a major one" in page and "1 rest on data that a worse caveat touches" in page
    )


def test_frames_of_another_test_pass_its_caveats_on(done: Built) -> None:
    """The same frames, given to BIAS02 by BIAS01: what a caveat says of all of that test is inherited, of one quantity is not."""
    from builder.caveat_coverage import coverage

    broad = Caveat(id="broad", text="Light leaked in.", scope={"tests": ["BIAS01"]})  # type: ignore[arg-type]
    report = done.report
    block = report.blocks[0]
    one, two = block.tests
    lent = next(o.inputs for o in one.outcomes if o.procedure.name == "level")
    outcomes = tuple(
        replace(o, inputs=(*o.inputs, *lent)) if o.procedure.name == "level" else o for o in two.outcomes
    )
    changed = (replace(one, caveats=(*one.caveats, broad)), replace(two, outcomes=outcomes))
    with_broad = replace(report, blocks=(replace(block, tests=changed),))
    assert coverage(report).tests["B1", "BIAS02"].indirect == 0
    # level and well from the frames, and the count of frames, which only an info touches; the share has a minor of its own
    assert coverage(with_broad).tests["B1", "BIAS02"].indirect == 3


def test_expiry_is_told_by_the_day() -> None:
    caveat = Caveat(id="x", text="t", expires=date(2025, 3, 1))
    campaign = Campaign(root=Path(), id="c", title="C", caveats=(caveat, Caveat(id="y", text="t")))
    assert as_of(campaign, date(2025, 3, 1)) is campaign
    assert [c.open for c in as_of(campaign, date(2025, 3, 2)).caveats] == [False, True]


def test_the_same_words_of_two_tests_are_two_caveats() -> None:
    first = raised_caveats("B", "T1", [("p", "CCD1", "text"), ("p", "CCD2", "text"), ("q", "CCD1", "text")])
    assert [(c.raised_by, c.scope.detectors) for c in first] == [("p", ("CCD1", "CCD2")), ("q", ("CCD1",))]
    (other,) = raised_caveats("B", "T2", [("p", "CCD1", "text")])
    assert len({c.id for c in (*first, other)}) == 3


def test_history_keeps_every_wording() -> None:
    def said(**fields: object) -> dict[str, str]:
        caveat = Caveat(id="x", **{"text": "old", **fields})  # type: ignore[arg-type]
        return sayings(Campaign(root=Path(), id="c", title="C", caveats=(caveat,)))

    old, new = said()["x"], said(text="new", severity="major")["x"]
    assert history({}, said(), "t1") == {}
    assert history({"x": [("t1", old)]}, said(), "t2") == {}
    (first, second) = history({"x": [("t1", old)]}, {"x": new}, "t2")["x"]
    assert (first, second.since, second.until) == (Said("t1", "t2", {"text": "old"}), "t2", "")
    assert first.differing(second) == ("text", "severity")
    assert history({"x": [("t1", old), ("t2", new)]}, {"x": new}, "t9")["x"] == (first, second)
    assert history({"x": [("t1", old)]}, {}, "t2")["x"][-1].fields == {}


def test_the_store_keeps_what_a_caveat_said(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    caveats = folder / "caveats.toml"
    for hours, text in enumerate(("Warm.", "Warm.", "Very warm.", "")):
        caveats.write_text(
            f'[[caveat]]\nid = "c"\ntext = "{text}"\nseverity = "major"\n' if text else "", "utf-8"
        )
        done = built(folder, now=NOW + timedelta(hours=hours))
        assert done.undrawn == ()
    said = done.report.caveat_history["c"]
    assert [s.fields.get("text") for s in said] == ["Warm.", "Very warm.", None]
    assert [s.since[11:13] for s in said] == ["12", "14", "15"]
    page = (folder / "build/site/caveats.html").read_text("utf-8")
    assert "Withdrawn" in page and "Very warm." in page
    caveats.write_text('[[caveat]]\nid = "c"\ntext = "Cold."\n', "utf-8")
    assert built(folder, now=NOW + timedelta(hours=5)).undrawn == ()
    page = (folder / "build/site/caveats.html").read_text("utf-8")
    assert "3 earlier wordings" in page
    assert "major · Very warm." in page and "(taken out then)" in page and "(text changed then)" in page
