"""Each kind of change costs what depends on it and nothing else, and leaves the site that drawing every page would.

The changes are made one after the other to one campaign: two blocks, three tests, a procedure that uses another's value.
"""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from tiny_campaign import NOW, bias, built, make, snapshot
from typer.testing import CliRunner

from builder import unchanged
from builder.archive.make import make as archive
from builder.cli import app
from builder.render import environment

pytestmark = pytest.mark.slow

MORE = """
[[sources]]
id = "second"
address = "records/second.csv"
block = "B2"

[[documents]]
title = "Plan"
href = "documents/plan.txt"

[procedures.share]
tests = ["BIAS01", "BIAS02"]
"""

SHARE = '''"""Level as a share of the first test's."""
from analysis.contract import Parameter, Procedure, Quantity, Role, Use, Version

def measure(inputs, results):
    for channel in inputs.detector.geometry.channels:
        level = inputs.used["level", "level"][channel.name].value
        results.value("share", level / inputs.number("of"), 0.1, n=1, channel=channel.name)

PROCEDURE = Procedure(
    name="share", title="Share", purpose="A share.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "zero-second frames"),), parameters=(Parameter("of", 1000.0, "Of what"),),
    quantities=(Quantity("share", "s", "1", "Share of a level", "a ratio"),), uses=(Use("level", "level", "Its level"),),
    measure=measure,
)
'''

# the page of verdicts leads to the numbers that flipped or failed, and so moves when their results do
BUILD = {"index.html", "about/build.html"}
"""Pages that tell of the build itself: drawn by each build that changed something."""


def test_page(block: str, name: str) -> str:
    return f"blocks/{block}/tests/{name}.html"


test_page.__test__ = False  # type: ignore[attr-defined]
B1, B2 = "blocks/B1/index.html", "blocks/B2/index.html"
EXPOSURES1, EXPOSURES2 = "blocks/B1/exposures.html", "blocks/B2/exposures.html"
REVIEW1, REVIEW2, REVIEW3 = "review/B1/BIAS01.html", "review/B1/BIAS02.html", "review/B2/BIAS03.html"
CERTIFICATION = "certification.html"
DETECTOR, CAVEATS, LIMITS, HEALTH = "detectors/CAM1.html", "caveats.html", "limits.html", "health.html"
COVERAGE = "caveat-coverage.html"
VERDICTS = "verdicts.html"
VERSIONS = "versions.html"
CHECK, COMPARED = "check.html", "compare/index.html"
ONE, TWO, THREE = test_page("B1", "BIAS01"), test_page("B1", "BIAS02"), test_page("B2", "BIAS03")
TREND_LEVEL, TREND_FRAMES = "trends/level/level.html", "trends/level/frames.html"
TREND_SHARE, TREND_TEMPERATURE = "trends/share/share.html", "trends/temperature/temperature.html"
TRENDS, REGRESSIONS = "trends/index.html", "trends/regressions.html"
FOLLOWED = {TREND_LEVEL, TREND_FRAMES, TREND_SHARE}
LEVELS = {"level of BIAS01", "level of BIAS02", "level of BIAS03"}
SHARES = {"share of BIAS01", "share of BIAS02"}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def stored(folder: Path) -> dict[str, str]:
    """Results that were ever measured → 'procedure of test'."""
    db = sqlite3.connect(folder / "build/store/calbook.sqlite")
    with closing(db):
        return {i: f"{p} of {t}" for i, p, t in db.execute("SELECT id, procedure, test FROM results")}


def results(folder: Path) -> dict[str, str]:
    """Result ids → 'procedure of test'."""
    with (folder / "build/site/data/measurements.csv").open(encoding="utf-8", newline="") as file:
        return {
            r["result_id"].partition(".")[0]: f"{r['procedure']} of {r['test']}" for r in csv.DictReader(file)
        }


@dataclass
class Moved:
    """What a build measured, and the data pages whose bytes it wrote (results by what they are of)."""

    measured: set[str]
    pages: set[str]
    drawn: int
    read: int = 0  # files


def rebuilt(folder: Path, hours: float) -> Moved:
    """Build after a change; then draw every page from the same store and find every byte as it was."""
    site = folder / "build" / "site"
    before, known = snapshot(site), stored(folder)
    done = built(folder, now=NOW + timedelta(hours=hours))
    after, now = snapshot(site), stored(folder)
    whole = built(folder, now=NOW + timedelta(hours=hours, minutes=20), fresh=True)
    assert whole.unchanged and whole.drawn > 25
    different = {n for n, (data, _) in snapshot(site).items() if after.get(n, (b"",))[0] != data}
    assert different == set()
    again = built(folder, now=NOW + timedelta(hours=hours, minutes=30))
    assert again.made is None and again.summary == whole.summary == done.summary
    written = {n for n in after if after[n] != before.get(n) and n.endswith(".html")}
    pages = {_named(n, now) for n in written if not n.startswith("guide/")}
    read = done.costs.counts.get("files_read", 0)
    return Moved({now[r] for r in now.keys() - known.keys()}, pages, done.drawn, read)


def _named(page: str, known: dict[str, str]) -> str:
    found = re.fullmatch(r"measurements/(\w+)\.html", page)
    return known[found[1]] if found else page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make(tmp_path_factory.mktemp("incremental") / "tiny", more=MORE)
    for name, text in {
        "blocks/B2.md": "---\ntitle: Second block\nstatus: done\nstart: 2025-02-02\n---\n\nNotes.\n",
        "records/second.csv": "test,first,last,exptime,status,comments\nBIAS03,6,7,0,done,\n",
        "procedures/share.py": SHARE,
        "documents/plan.txt": "the plan",
    }.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text, "utf-8")
    for number in range(1, 6):
        (made / "frames" / "B1").mkdir(exist_ok=True)
        (made / f"frames/b{number}.fits").rename(made / f"frames/B1/b{number}.fits")
    (made / "frames" / "B2").mkdir()
    for number in (6, 7):
        bias(made / f"frames/B2/b{number}.fits", number)
    bias(
        made / "frames/B1/b4.fits", 4, LAMPNAME="Hg", SETBY="Ada"
    )  # of BIAS02; what these cards mean is told later
    first = built(made)
    assert [f.what for f in first.summary.findings] == []
    assert set(results(made).values()) == LEVELS | SHARES
    return made


def plain(name: str) -> Callable[[Path], None]:
    """A change of a text file: 'file|old|new', or 'file|text' to write it."""

    def change(folder: Path) -> None:
        path, *texts = name.split("|")
        (folder / path).parent.mkdir(exist_ok=True)
        if len(texts) == 1:
            (folder / path).write_text(texts[0], "utf-8")
        else:
            edit(folder / path, *texts)

    return change


CAVEAT = '[[caveat]]\\nid = "C1"\\ntext = "Warm."\\nscope = {{ tests = ["BIAS02"] }}\\n{}'.replace(
    "\\n", "\n"
)
SECOND_LIMIT = '\n[[limit]]\nid = "LIM-2"\nquantity = "share.share"\nlow = 0.1\n'


def add_limit(folder: Path) -> None:
    with (folder / "limits/limits.toml").open("a", encoding="utf-8") as limits:
        limits.write(SECOND_LIMIT)


RELATIVE = '[[limit]]\nid = "LIM-3"\nquantity = "level.level"\ntolerance = 5\nrelative_to.test = "BIAS01"\n'


def relative_limit(folder: Path) -> None:
    (folder / "limits/limits.toml").write_text(RELATIVE, "utf-8")


def change_reference(folder: Path) -> None:
    bias(folder / "frames/B1/b1.fits", 71, EXPNUM=1)


def add_frame(folder: Path) -> None:
    bias(folder / "frames/B2/b8.fits", 8)
    edit(folder / "records/second.csv", "BIAS03,6,7", "BIAS03,6,8")


def touch(folder: Path) -> None:
    for path in (folder / "frames/B1/b1.fits", folder / "campaign.toml", folder / "procedures/level.py"):
        os.utime(path)


def change_frame(folder: Path) -> None:
    bias(folder / "frames/B1/b4.fits", 44, EXPNUM=4)


def archive_it(folder: Path) -> None:
    archive(folder, label="review", author="A", now=NOW)


def verify_it(folder: Path) -> None:
    assert CliRunner().invoke(app, ["verify", str(folder)]).exit_code == 0


def move_a_published_number(folder: Path) -> None:
    bias(folder / "frames/B1/b4.fits", 45, EXPNUM=4)


def remove_frame(folder: Path) -> None:
    (folder / "frames/B2/b8.fits").unlink()
    edit(folder / "records/second.csv", "BIAS03,6,8", "BIAS03,6,7")


TEMPERATURES = "time,value,detector\n" + "".join(
    f"2025-01-{1 + n:02d},{(-100.0 if n < 12 else -105.0) + 0.1 * (n * 7 % 5)},sensor\n" for n in range(24)
)


DECIDED = (
    "certification.csv|date,who,decision,subject,result,reason,text\n2025-03-01,A,rejected,B1/BIAS02,,lamp,\n"
)


def add_frame_decision(folder: Path) -> None:
    with (folder / "certification.csv").open("a", encoding="utf-8") as decisions:
        decisions.write("2025-03-01,A,accepted,frame:B1/4/CAM1,0123456789,,\n")


CHANGES: dict[str, tuple[Callable[[Path], None], set[str], set[str]]] = {
    "a limit's value": (
        plain("limits/limits.toml|high = 1100|high = 950"), set(),
        {REVIEW1, REVIEW2, REVIEW3, TREND_LEVEL, ONE, TWO, THREE, B1, B2, DETECTOR, LIMITS, VERDICTS, CHECK, "procedures/index.html", "procedures/level.html", *LEVELS},
    ),
    "a limit added": (
        add_limit, set(),
        {TREND_SHARE, ONE, TWO, B1, DETECTOR, LIMITS, VERDICTS, CHECK, "procedures/index.html", "procedures/share.html", *SHARES},
    ),
    "a limit's severity": (
        plain('limits/limits.toml|high = 950|high = 950\nseverity = "warn"'), set(),
        {REVIEW1, REVIEW2, REVIEW3, TREND_LEVEL, ONE, TWO, THREE, B1, B2, DETECTOR, LIMITS, VERDICTS, CHECK, "procedures/index.html", "procedures/level.html", *LEVELS},
    ),
    "a caveat added": (
        plain("caveats.toml|" + CAVEAT.format("")), set(),
        {*FOLLOWED, TWO, B1, CAVEATS, COVERAGE, DETECTOR, EXPOSURES1, "level of BIAS02", "share of BIAS02"},
    ),
    "a caveat resolved": (
        plain("caveats.toml|" + CAVEAT.format("resolved = 2025-02-20\n")), set(),
        {TWO, B1, CAVEATS, COVERAGE, DETECTOR, EXPOSURES1, "level of BIAS02", "share of BIAS02"},
    ),
    "a caveat of one quantity, that warns": (
        plain("caveats.toml|" + CAVEAT.format('effect = "warn"\nscope.quantities = ["share.share"]\n').replace("scope = { tests", "scope.tests").replace(" }", "")),
        set(),
        {*FOLLOWED, CHECK, TWO, B1, CAVEATS, COVERAGE, DETECTOR, EXPOSURES1, LIMITS, VERDICTS, "share of BIAS02", "procedures/share.html", "procedures/index.html"},
    ),
    "a caveat reworded": (
        plain("caveats.toml|Warm.|Warmer."), set(),
        {TREND_SHARE, TWO, B1, CAVEATS, DETECTOR, EXPOSURES1, "share of BIAS02", "procedures/share.html"},
    ),
    "a caveat withdrawn": (
        plain("caveats.toml|"), set(),
        {TREND_SHARE, CHECK, TWO, B1, CAVEATS, COVERAGE, DETECTOR, EXPOSURES1, LIMITS, VERDICTS, "share of BIAS02", "procedures/share.html", "procedures/index.html"},
    ),
    "a block's prose": (plain("blocks/B2.md|Notes.|Other notes."), set(), {B2}),
    "a block's front matter": (plain("blocks/B2.md|Second block|Block two"), set(), {B2}),
    "a parameter": (
        plain("campaign.toml|[procedures.share]|[procedures.share]\nparameters = { of = 500.0 }"), SHARES,
        {TREND_SHARE, VERDICTS, ONE, TWO, B1, DETECTOR, "procedures/share.html", *SHARES},
    ),
    "the text of a procedure": (
        plain("procedures/share.py|/ inputs|* 1.0 / inputs"), SHARES,
        {ONE, TWO, B1, DETECTOR, *SHARES, TREND_SHARE},
    ),
    "the version of a procedure that another uses": (
        plain('procedures/level.py|history=(|history=(Version("0", "2024-01-01", "draft"), '), LEVELS | SHARES,
        {TREND_FRAMES, TREND_LEVEL, TREND_SHARE, VERDICTS, ONE, TWO, THREE, B1, B2, DETECTOR, "procedures/level.html", *LEVELS, *SHARES},
    ),
    "the mapping of a header that no frame has": (
        plain('campaign.toml|[detectors.CAM1]|[data.fields]\noperator = ["ORIGIN"]\n\n[detectors.CAM1]'), set(), set(),
    ),
    "the mapping of a header that one frame has": (
        plain('campaign.toml|operator = ["ORIGIN"]|operator = ["SETBY"]'), {"level of BIAS02", "share of BIAS02"},
        {TREND_SHARE, VERDICTS, TWO, B1, EXPOSURES1, DETECTOR, "level of BIAS02", "share of BIAS02"},
    ),
    "the mapping of a header that is part of the setting": (
        plain('campaign.toml|operator = ["SETBY"]|operator = ["SETBY"]\nwavelength = ["LAMPNAME"]'),
        {"level of BIAS02", "share of BIAS02"},
        {TREND_SHARE, VERDICTS, TWO, B1, EXPOSURES1, DETECTOR, "level of BIAS02", "share of BIAS02"},
    ),
    "a frame added": (
        add_frame, {"level of BIAS03"}, {REVIEW3, TREND_FRAMES, TREND_LEVEL, VERDICTS, THREE, B2, EXPOSURES2, DETECTOR, "records/second.html", "level of BIAS03"},
    ),
    "files touched": (touch, set(), set()),
    "a frame changed": (
        change_frame, {"level of BIAS02", "share of BIAS02"},
        {REVIEW2, TREND_LEVEL, TREND_SHARE, VERDICTS, TWO, B1, EXPOSURES1, DETECTOR, "level of BIAS02", "share of BIAS02"},
    ),
    "a frame removed": (
        remove_frame, set(), {REVIEW3, TREND_FRAMES, TREND_LEVEL, VERDICTS, THREE, B2, EXPOSURES2, DETECTOR, "records/second.html", "level of BIAS03"},
    ),
    "a row of the record changed": (
        plain("records/tests.csv|BIAS01,1,3,0,done,|BIAS01,1,3,0,done,said so"), set(),
        {ONE, B1, "records/record.html"},
    ),
    "a row of the record added": (
        plain("records/second.csv|BIAS03,6,7,0,done,\n|BIAS03,6,7,0,done,\nTODO,,,0,planned,\n"), set(),
        {THREE, B2, test_page("B2", "TODO"), "records/second.html"},
    ),
    "a document added": (
        plain('campaign.toml|[[documents]]|[[documents]]\ntitle = "Report"\n\n[[documents]]'), set(), {"documents.html"},
    ),
    "a file that a page links to": (plain("documents/plan.txt|the plan|another plan"), set(), set()),
    "a table of values over time added": (
        plain("series/temperature.csv|" + TEMPERATURES), set(), {TRENDS, REGRESSIONS, TREND_TEMPERATURE},
    ),
    "a value added to it": (
        plain("series/temperature.csv|" + TEMPERATURES + "2025-01-25,-99.0,sensor\n"), set(), {TRENDS, REGRESSIONS, TREND_TEMPERATURE},
    ),
    "an intervention": (
        plain('campaign.toml|[[documents]]\n|[[interventions]]\ndate = 2025-01-13\ntext = "Cooled"\n'
              'scope = { detectors = ["sensor"] }\n\n[[documents]]\n'),
        set(), {REGRESSIONS, TREND_TEMPERATURE},
    ),
    "a limit on the table": (
        plain('limits/limits.toml|[[limit]]\nid = "LIM-1"|[[limit]]\nid = "WARM"\nquantity = "temperature.temperature"\n'
              'high = -100\n\n[[limit]]\nid = "LIM-1"'),
        set(), {LIMITS, TREND_TEMPERATURE},
    ),
    "a decision": (
        plain(DECIDED), set(), {TREND_FRAMES, TREND_LEVEL, TREND_SHARE, TWO, B1, CERTIFICATION, "level of BIAS02", "share of BIAS02"},
    ),
    "a decision about a frame, on another file": (
        add_frame_decision, set(), {TWO, CERTIFICATION, HEALTH, REVIEW2},
    ),
    "a rule": (
        plain('campaign.toml|[procedures.share]|[[certification.rules]]\nname = "r"\nprocedures = ["share"]\ncoverage = 0.0\nverdicts = ["pass", "fail", "not evaluated"]\n\n[procedures.share]'), set(),
        {ONE, B1, CERTIFICATION, "share of BIAS01"},
    ),
    "a decision taken out": (
        plain("certification.csv|who,decision,subject\n"), set(),
        {TREND_FRAMES, TREND_LEVEL, TREND_SHARE, TWO, B1, CERTIFICATION, HEALTH, REVIEW2, "level of BIAS02", "share of BIAS02"},
    ),
    "the geometry": (
        plain("campaign.toml|overscan = 8|overscan = 8\nsaturation = 50000.0"), LEVELS | SHARES,
        {TREND_FRAMES, TREND_LEVEL, TREND_SHARE, VERDICTS, ONE, TWO, THREE, B1, B2, DETECTOR, *LEVELS, *SHARES},
    ),
    "a limit relative to another test": (
        relative_limit, set(),
        {REVIEW1, REVIEW2, REVIEW3, TREND_LEVEL, TREND_SHARE, TREND_TEMPERATURE, CHECK, ONE, TWO, THREE, B1, B2, DETECTOR, LIMITS, VERDICTS, "procedures/index.html", "procedures/level.html",
         "procedures/share.html", *LEVELS, *SHARES},
    ),
    "a frame of the test that a limit is relative to": (
        change_reference, {"level of BIAS01", "share of BIAS01"},
        {REVIEW1, TREND_LEVEL, ONE, TWO, B1, EXPOSURES1, DETECTOR, VERDICTS, "level of BIAS01", "level of BIAS02", "share of BIAS01"},
    ),
    "a report version": (archive_it, set(), {VERSIONS}),
    "a report version verified": (verify_it, set(), {VERSIONS}),
    "a published number": (
        move_a_published_number, {"level of BIAS02", "share of BIAS02"},
        {REVIEW2, TREND_LEVEL, TREND_SHARE, VERDICTS, TWO, B1, EXPOSURES1, DETECTOR, VERSIONS, "level of BIAS02", "share of BIAS02"},
    ),
    "a second report version": (archive_it, set(), {VERSIONS}),
    "a reference": (
        plain('campaign.toml|tests = ["BIAS*"]|tests = ["BIAS*"]\nreference = "B1/BIAS01"'), set(), {TWO, THREE},
    ),
    "a frame of the reference": (
        lambda folder: bias(folder / "frames/B1/b1.fits", 72, EXPNUM=1) and None, {"level of BIAS01", "share of BIAS01"},
        {REVIEW1, TREND_LEVEL, VERDICTS, VERSIONS, "level of BIAS02", ONE, TWO, THREE, B1, EXPOSURES1, DETECTOR, "level of BIAS01", "share of BIAS01"},
    ),
    "a reference that is not there": (
        plain("campaign.toml|B1/BIAS01|B1/BIAS09"), set(), {TWO, THREE, ONE, HEALTH},
    ),
    "a promise": (
        plain('campaign.toml|reference = "B1/BIAS09"|every = "1 day"'), set(), {ONE, TWO, THREE, HEALTH, CHECK},
    ),
    "a block that is running, so that a procedure is late": (
        plain("blocks/B2.md|status: done|status: running"), set(), {B2, HEALTH, CHECK},
    ),
    "blocks to compare": (
        plain('campaign.toml|[[documents]]|[[compare]]\nblock = "B2"\nother = "B1"\n\n[[documents]]'), set(),
        {HEALTH, COMPARED, "compare/B2-B1.html"},
    ),
    "a test that both blocks have": (
        plain("records/second.csv|BIAS03,6,7|BIAS01,6,7"), {"level of BIAS01", "share of BIAS01"},
        {CERTIFICATION, "review/B2/BIAS01.html", TRENDS, TREND_FRAMES, TREND_LEVEL, TREND_SHARE, CAVEATS, COVERAGE, VERDICTS, VERSIONS, 
            ONE, B2, test_page("B2", "BIAS01"), test_page("B2", "TODO"), EXPOSURES2, DETECTOR, HEALTH, CHECK, LIMITS,
            "compare/B2-B1.html", "procedures/index.html", "procedures/level.html", "procedures/share.html",
            "records/second.html", "level of BIAS01", "share of BIAS01",
        },
    ),
    "a promise taken back": (plain('campaign.toml|every = "1 day"|'), set(), {HEALTH, CHECK}),
}  # fmt: skip
UNREAD = {name for name in CHANGES if "mapping" in name or name == "files touched"}
"""Changes for which no frame is read: headers are on record, and touched files are only hashed."""
TOLD_ONLY = {
    "files touched", "a file that a page links to", "a report version", "a report version verified", "a second report version",
}  # fmt: skip
"""Changes of which no page tells, so that not even a build is counted."""


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_costs_what_depends_on_it(folder: Path, name: str) -> None:
    change, measured, pages = CHANGES[name]
    change(folder)
    moved = rebuilt(folder, 24 + list(CHANGES).index(name))
    assert moved.measured == measured
    assert moved.pages == (pages if name in TOLD_ONLY else pages | BUILD)
    if name in UNREAD:
        assert moved.read == 0


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the templates that the site is made with, to be changed."""
    copy = shutil.copytree(environment.TEMPLATES, tmp_path / "pages")
    with monkeypatch.context() as patch:
        patch.setattr(environment, "TEMPLATES", copy)
        patch.setattr(unchanged, "ROOMS", (*unchanged.ROOMS, str(copy)))
        environment.environment.cache_clear()
        environment._template.cache_clear()
        yield copy
    environment.environment.cache_clear()
    environment._template.cache_clear()


def test_a_template_costs_its_pages(folder: Path, templates: Path) -> None:
    edit(templates / "limits.html.j2", "<h1>Limits</h1>", "<h1>All limits</h1>")
    environment.environment.cache_clear()
    environment._template.cache_clear()
    moved = rebuilt(folder, 100)
    assert (moved.measured, moved.pages, moved.drawn) == (set(), {LIMITS}, 1)


def test_any_sequence_of_changes_leaves_the_site_that_drawing_all_would(folder: Path) -> None:
    """Steps of all kinds, several at once, undone and done again; each site compared with one drawn in full."""
    rng = random.Random(20250301)
    choices: list[Callable[[int], None]] = [
        lambda n: plain(f"limits/limits.toml|[[limit]]\nid = \"L\"\nquantity = \"level.level\"\nhigh = {900 + n}\n")(folder),
        lambda n: relative_limit(folder),
        lambda n: plain("caveats.toml|" + (CAVEAT.format("") if n % 2 else ""))(folder),
        lambda n: plain(f"records/second.csv|test,first,last,exptime,status,comments\nBIAS03,6,{6 + n % 3},0,done,{n}\n")(folder),
        lambda n: bias(folder / f"frames/B2/b{6 + n % 4}.fits", 6 + n % 4, data=None) and None,
        lambda n: (folder / f"frames/B2/b{6 + n % 4}.fits").unlink(missing_ok=True),
        lambda n: plain(f"blocks/B3.md|---\ntitle: {n}\nstatus: running\n---\n")(folder),
        lambda n: (folder / "blocks/B3.md").unlink(missing_ok=True),
        lambda n: (folder / f"frames/B1/c{n % 2}.fits").write_bytes(b"SIMPLE" * (n % 3)) and None,
        lambda n: plain(f"documents/plan.txt|{n}")(folder),
        lambda n: (folder / "documents/plan.txt").unlink(missing_ok=True),
        lambda n: plain(f"certification.csv|who,decision,subject,result\nA,accepted,B{1 + n % 2}/BIAS0{1 + n % 3},{'0' * (n % 11)}\nB,rejected,frame:B2/{6 + n % 4}/CAM1,\n")(folder),
        lambda n: (folder / "certification.csv").unlink(missing_ok=True),
    ]  # fmt: skip
    for step in range(6):
        for choice in rng.sample(choices, 3):
            choice(rng.randrange(100))
        rebuilt(folder, 200 + 30 * step)


def test_a_caveat_expires_though_nothing_was_changed(folder: Path) -> None:
    plain("caveats.toml|" + CAVEAT.format("expires = 2025-03-22\n"))(folder)
    last_day, next_day = 500, 520  # hours from NOW: 08:00 of its last day, and 04:00 of the day after
    rebuilt(folder, last_day)
    moved = rebuilt(folder, next_day)
    assert moved.measured == set()
    of_scope = {TWO, B1, CAVEATS, COVERAGE, DETECTOR, EXPOSURES1, "level of BIAS02", "share of BIAS02"}
    assert moved.pages == of_scope | {CERTIFICATION, HEALTH} | BUILD
