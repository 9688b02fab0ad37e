"""Comparisons: known differences, nothing divided by zero, nothing matched that is not the same, nothing missing unsaid."""

from __future__ import annotations

import csv
import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tiny_campaign import NOW, bias, built, dead_links, make, pages_of, read_page, snapshot

from analysis.contract import Measurement, Procedure, Version
from builder.comparisons import Key, compare, difference, earlier, numbers, pairs
from builder.missing_references import lacking
from builder.render import addresses
from builder.render.pages_compare import COLUMNS, MOST_ROWS
from builder.report import BlockReport, Judged, Outcome, TestReport, Verdict
from campaign.frames import Frame, FrameFile
from campaign.model import Block, Campaign, Compare, ProcedureUse
from campaign.record import Test

LEVEL = Procedure(name="level", title="Level", purpose="", history=(Version("1", "2025-01-01", "first"),), roles=(), quantities=(), measure=lambda i, r: None)  # fmt: skip


def m(
    value: float | None, uncertainty: float | None = 0.3, *, unit: str = "ADU", setting: str = "", channel: str = "A",
    reason: str | None = None, quantity: str = "level",
) -> Measurement:  # fmt: skip
    return Measurement(quantity, channel, setting, value, uncertainty, unit, "mean", 1, reason=reason)


def a_test(
    block: str, name: str, *held: Measurement, day: str = "2025-02-01T00:00:00", kind: str = "chain"
) -> TestReport:
    judged = tuple(Judged(f"{block}{name}{n}", x, Verdict.PASS) for n, x in enumerate(held))
    outcomes = (
        (Outcome(f"r{block}{name}", block, name, "CAM1", LEVEL, "done", measurements=judged),) if held else ()
    )
    frame = Frame("1/CAM1", "1", "CAM1", FrameFile("frames", "f.fits", 1, 1, 1), {"": 0}, {"date": day})
    return TestReport(
        Test(block, name), Block(id=block, kind=kind), (frame,), outcomes=outcomes, verdict=Verdict.PASS
    )


def a_block(name: str, *tests: TestReport, kind: str = "chain", supersedes: str = "") -> BlockReport:
    return BlockReport(Block(id=name, kind=kind, supersedes=supersedes), tests)


@pytest.mark.parametrize(
    ("here", "there", "found", "says"),
    [
        (m(5.0, 0.3), m(3.0, 0.4), (2.0, 5 / 3, 4.0), ""),
        (m(3.0, 0.4), m(5.0, 0.3), (-2.0, 0.6, -4.0), ""),
        (m(5.0, 0.3), m(0.0, 0.4), (5.0, None, 10.0), "zero"),
        (m(0.0, 0.0), m(0.0, 0.0), (0.0, None, None), "zero"),
        (m(5.0, None), m(4.0, 0.1), (1.0, 1.25, None), "no uncertainty"),
        (m(5.0, 0.0), m(4.0, 0.0), (1.0, 1.25, None), "exact"),
        (m(1e300), m(1e-300), (1e300, None, 1e300 / math.hypot(0.3, 0.3)), "beyond"),
        (m(1.0, 1e-320), m(0.0, 1e-320), (1.0, None, None), "zero"),
        (m(None, None, reason="not-reached"), m(1.0), (None, None, None), "no value here"),
        (m(1.0), m(None, None, reason="saturated"), (None, None, None), "no value there"),
        (m(1.0), m(1.0, unit="e⁻"), (None, None, None), "units differ"),
    ],
)
def test_differences_ratios_and_significances(
    here: Measurement, there: Measurement, found: tuple[float | None, ...], says: str
) -> None:
    *numbers, why = difference(here, there)
    assert numbers == [pytest.approx(x) if x is not None else None for x in found]
    assert says in why
    assert all(x is None or math.isfinite(x) for x in numbers if not isinstance(x, str))


def test_pure_noise_is_as_significant_as_chance_makes_it() -> None:
    """10,000 differences of normal noise: their significances are standard normal, and as many large as is said."""
    rng = np.random.default_rng(20250301)
    u = rng.uniform(0.1, 10.0, (2, 10_000))
    values = 100.0 + rng.normal(0.0, u)
    sides = [
        numbers([a_test(b, "T", *(m(v, s, quantity=f"q{n}") for n, (v, s) in enumerate(zip(values[k], u[k], strict=True))))])
        for k, b in enumerate("AB")
    ]  # fmt: skip
    found = compare(*sides)
    pulls = np.array([r.significance for r in found.rows])
    assert abs(pulls.mean()) < 0.04
    assert pulls.std() == pytest.approx(1.0, abs=0.03)
    assert found.by_chance == pytest.approx(27.0)
    assert abs(found.large - found.by_chance) < 4 * math.sqrt(found.by_chance)


def test_rows_are_the_most_significant_first_and_those_without_significance_last() -> None:
    here = a_test(
        "A",
        "T",
        *(
            m(v, u, channel=c)
            for c, v, u in (("A", 1.0, 0.1), ("B", 9.0, 0.1), ("C", 5.0, None), ("D", 1.0, 0.1))
        ),
    )
    there = a_test(
        "B", "T", *(m(v, 0.1, channel=c) for c, v in (("A", 1.1), ("B", 1.0), ("C", 1.0), ("D", 4.0)))
    )
    found = compare(numbers([here]), numbers([there]))
    assert [r.key.channel for r in found.rows] == ["B", "D", "A", "C"]
    assert (found.judged, found.large) == (3, 2)


def test_only_what_is_named_the_same_is_compared() -> None:
    here = a_test("A", "T", m(1.0, setting="wavelength=800, exptime=2"), m(2.0, setting="wavelength=900"))
    there = a_test(
        "B", "T", m(1.5, setting="exptime=2, wavelength=800"), m(2.0, setting=""), m(9.0, channel="Z")
    )
    other = a_test("B", "U", m(1.0))
    found = compare(numbers([here]), numbers([there, other]))
    assert [(r.key.setting, r.difference) for r in found.rows] == [("exptime=2, wavelength=800", -0.5)]
    assert [(r.key.setting, r.key.channel, r.why) for r in found.apart] == [
        ("wavelength=900", "A", "only here"), ("", "A", "only there"), ("", "Z", "only there"),
    ]  # fmt: skip
    assert (found.only_here, found.only_there) == ((), ("U",))
    assert found.lacking == (1, 2)


def a_campaign(**more: object) -> Campaign:
    return Campaign.model_validate({"root": Path(), "id": "c", "title": "C", **more})


def test_blocks_are_compared_with_the_one_before_of_their_kind_that_shares_a_test() -> None:
    blocks = [
        a_block("A", a_test("A", "T", m(1.0))),
        a_block("D", a_test("D", "T", m(1.0)), kind="dry run"),
        a_block("E", a_test("E", "U", m(1.0))),
        a_block("B", a_test("B", "T", m(1.0))),
        a_block("C", a_test("C", "T", m(1.0)), supersedes="A"),
        a_block("F", supersedes="A"),
    ]
    found = [(p.here.block.id, p.there.block.id, p.named) for p in pairs(a_campaign(), blocks)]
    assert found == [("B", "A", False), ("C", "A", True), ("C", "B", False)]
    asked = a_campaign(compare=(Compare(block="D", other="A"), Compare(block="B", other="nowhere")))
    assert ("D", "A", True) in [(p.here.block.id, p.there.block.id, p.named) for p in pairs(asked, blocks)]


def test_the_earlier_test_is_the_last_repetition_else_that_of_the_block_before() -> None:
    tests = [
        a_test("B", "T.2", m(1.0), day="2025-03-03T10:00:00"),  # the order of the list says nothing
        a_test("A", "T", m(1.0), day="2025-02-01T10:00:00"),
        a_test("A", "T.2", m(1.0), day="2025-02-02T10:00:00"),
        a_test("B", "T", m(1.0), day="2025-03-01T10:00:00"),
        a_test("B", "U", m(1.0), day="2025-03-01T11:00:00"),
        a_test("C", "T", day="2025-04-01T10:00:00"),
    ]
    found = {f"{b}/{t}": f"{o.block.id}/{o.test.name}" for (b, t), o in earlier(tests).items()}
    assert found == {"A/T.2": "A/T", "B/T": "A/T", "B/T.2": "B/T"}


def use(reference: str) -> dict[str, ProcedureUse]:
    return {"level": ProcedureUse(tests=("*",), reference=reference)}


def test_a_reference_that_is_missing_is_a_finding() -> None:
    blocks = [
        a_block("A", a_test("A", "T", m(1.0, setting="w=1")), a_test("A", "E")),
        a_block("B", a_test("B", "T", m(1.0, setting="w=2"))),
    ]
    told = {
        name: [f.what for f in lacking(a_campaign(procedures=use(name)), blocks)]
        for name in ("A/T", "A/X", "A/E", "")
    }
    assert told == {
        "A/T": ["1 number of level of T at w=2 has none in the reference A/T."],
        "A/X": ["The reference of level, A/X, is no test of the record."],
        "A/E": ["The reference of level, A/E, has no numbers of it."],
        "": [],
    }


def test_what_only_one_of_two_named_blocks_has_is_a_finding() -> None:
    one = a_block("A", a_test("A", "T", m(1.0)), a_test("A", "U", m(1.0)))
    two = a_block("B", a_test("B", "T", m(1.0), m(2.0, channel="Z")))
    three = a_block("C", a_test("C", "V", m(1.0)))
    assert lacking(a_campaign(), [one, two, three]) == []  # nobody asked; the page tells
    asked = a_campaign(compare=(Compare(block="B", other="A"), Compare(block="C", other="A")))
    assert [f.what for f in lacking(asked, [one, two, three])] == [
        "B against A: no tests and 1 other number only in B; 1 test and no other numbers only in A.",
        "C is to be compared with A, but they have no results of the same test.",
    ]


def test_two_pairs_of_blocks_never_share_an_address() -> None:
    made = {
        addresses.comparison_page(*p)
        for p in (("A-B", "C"), ("A", "B-C"), ("A", "B"), ("B", "A"), ("A B", "C"))
    }
    assert len(made) == 5
    assert addresses.comparison_page("DIRAC", "BORN") == "compare/DIRAC-BORN.html"


MASTER = '''"""Mean of the frames as an image."""
import numpy as np
from analysis.contract import ImageProduct, Procedure, ProductSpec, Quantity, Role, Version

def measure(inputs, results):
    planes = {}
    for channel in inputs.detector.geometry.channels:
        held = [f.pixels.read(channel, channel.image).astype(float) for f in inputs.frames["bias"]]
        planes[channel.name] = np.mean(held, axis=0).astype(np.float32)
        results.value("mean", float(planes[channel.name].mean()), 0.1, n=len(held), channel=channel.name)
    results.product("master", ImageProduct(planes, "ADU"))
    results.product("mask", ImageProduct({n: (p > 2000).astype(np.uint8) for n, p in planes.items()}, ""))

PROCEDURE = Procedure(
    name="master", title="Master", purpose="Mean image.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "zero-second frames"),),
    quantities=(Quantity("mean", "M", "ADU", "Mean", "mean"),),
    products=(ProductSpec("master", "fits", "mean of the frames"), ProductSpec("mask", "fits", "bright pixels")),
    measure=measure,
)
'''
WITH_MASTER = '[procedures.master]\ntests = ["BIAS0*"]\nreference = "B1/BIAS01"\n\n[[compare]]\nblock = "B2"\nother = "B1"\n\n[[sources]]\nid = "second"\naddress = "records/second.csv"\nblock = "B2"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two blocks with a test of the same name; the second block's frames are 10 ADU above the first's."""
    made = make(tmp_path / "tiny", more="\n" + WITH_MASTER)
    (made / "procedures/master.py").write_text(MASTER, "utf-8")
    (made / "blocks/B2.md").write_text(
        "---\ntitle: <b>Second</b>\nstatus: done\nstart: 2025-02-02\n---\n", "utf-8"
    )
    (made / "records/second.csv").write_text(
        "test,first,last,exptime,status,comments\nBIAS01,11,13,0,done,\n", "utf-8"
    )
    for block, numbers_of in (("B1", range(1, 6)), ("B2", range(11, 14))):
        (made / "frames" / block).mkdir()
        for number in numbers_of:
            path = made / "frames" / f"b{number}.fits"
            if block == "B1":
                path.rename(made / "frames/B1" / path.name)
            else:
                level = np.random.default_rng(number).normal(1010.0, 5.0, (32, 40))
                bias(
                    made / "frames/B2" / path.name,
                    number,
                    data=np.rint(level).astype(np.uint16),
                    DATE_OBS=f"2025-02-02T10:{number}:00",
                )
    return made


def test_a_built_campaign_compares_numbers_and_masters(folder: Path) -> None:
    first = built(folder)
    assert [f.what for f in first.summary.findings] == [
        "B2 against B1: 1 test and no other numbers only in B1."
    ]
    site = folder / "build" / "site"
    pages = pages_of(site)
    assert dead_links(site, pages) == []
    with (site / "compare/B2-B1.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    mean = next(r for r in rows if r["quantity"] == "mean")
    assert float(mean["difference"]) == pytest.approx(10.0, abs=0.6)
    assert float(mean["difference"]) == float(mean["value"]) - float(mean["other_value"])
    assert [r["why"] for r in rows if r["test"] == "BIAS02"] == ["test only there"]
    test = pages["blocks/B2/tests/BIAS01.html"]
    assert "Against the reference BIAS01 of B1" in test.text
    assert "Against earlier BIAS01 of B1" in test.text  # of the procedure that has no reference
    (image,) = [i for i in first.report.images if i.place[:2] == ("B2", "BIAS01")]  # the mask is none
    (plane,) = image.planes
    assert plane.ratio == pytest.approx(1.01, abs=1e-3)
    assert plane.difference == pytest.approx(10.0, abs=0.7)
    assert [f.name for f in image.figures] == ["ratio", "difference"]
    assert all((site / f.light).is_file() and (site / f.data).is_file() for f in image.figures)


def test_masters_are_compared_once_and_anew_only_where_one_changed(folder: Path) -> None:
    built(folder)
    kept = folder / "build/store/compared"
    before = snapshot(kept)
    assert len(before) == 4  # BIAS02 of B1 and BIAS01 of B2: master and mask each
    whole = built(folder, fresh=True)
    assert whole.unchanged
    assert snapshot(kept) == before
    bias(folder / "frames/B1/b4.fits", 44, EXPNUM=4)
    built(folder, now=NOW + timedelta(hours=1))
    after = snapshot(kept)
    assert len(after) == 4
    assert len(after.keys() & before.keys()) == 2  # those of B2
    assert all(after[n] == before[n] for n in after.keys() & before.keys())


def test_a_lost_picture_is_drawn_again(folder: Path) -> None:
    first = built(folder)
    site = snapshot(folder / "build/site")
    (image,) = [i for i in first.report.images if i.place[:2] == ("B2", "BIAS01")]
    name = image.figures[0].light.removeprefix("figures/")
    (folder / "build/store/objects" / name).unlink()
    (folder / "build/site" / image.figures[0].light).unlink()
    built(folder)
    own = {"data/calbook.sqlite", ".calbook-manifest.json"}  # tell of this build too
    now = snapshot(folder / "build/site")
    assert {n for n in site | now if site.get(n, (b"",))[0] != now.get(n, (b"",))[0]} <= own


def test_a_master_without_a_counterpart_is_a_finding_and_says_so_on_the_page(folder: Path) -> None:
    path = folder / "procedures/master.py"
    text = path.read_text("utf-8").replace(
        'results.product("master", ImageProduct(planes, "ADU"))',
        'if inputs.block == "B1":\n        planes = {n: p[:-1] for n, p in planes.items()}\n    results.product("master", ImageProduct(planes, "ADU"))',
    )
    path.write_text(text, "utf-8")
    done = built(folder)
    (finding,) = [f for f in done.summary.findings if f.test]
    assert finding.kind == "no-reference"
    assert "shapes differ: 32 × 32 here, 31 × 32 in the reference" in finding.what
    assert "shapes differ" in read_page(folder / "build/site/blocks/B2/tests/BIAS01.html").text


def test_a_comparison_of_thousands_of_rows_stays_small(tmp_path: Path) -> None:
    """40 quantities of 2 blocks' 30 tests: 1,200 rows, of which the page shows the most significant."""
    many = ", ".join(f'Quantity("q{n}", "q", "ADU", "A number", "mean")' for n in range(40))
    text = f'''"""Many numbers."""
from analysis.contract import Procedure, Quantity, Role, Version

def measure(inputs, results):
    for channel in inputs.detector.geometry.channels:
        level = inputs.frames["bias"][0].summaries[channel.name].mean
        for n in range(40):
            results.value(f"q{{n}}", level + n, 0.1, n=1, channel=channel.name)

PROCEDURE = Procedure(
    name="many", title="Many", purpose="Many.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "frames"),), quantities=({many},), measure=measure,
)
'''
    tests = "".join(f"T{n},1,3,0,done,\n" for n in range(30))
    more = '[procedures.many]\ntests = ["T*"]\n\n[[sources]]\nid = "second"\naddress = "records/second.csv"\nblock = "B2"\n'
    folder = make(tmp_path / "tiny", rows=tests, more="\n" + more)
    (folder / "procedures/many.py").write_text(text, "utf-8")
    (folder / "blocks/B2.md").write_text(
        "---\ntitle: Second\nstatus: done\nstart: 2025-02-02\n---\n", "utf-8"
    )
    (folder / "records/second.csv").write_text("test,first,last,exptime,status,comments\n" + tests, "utf-8")
    for block in ("B1", "B2"):
        (folder / "frames" / block).mkdir()
        for number in (1, 2, 3):
            bias(folder / "frames" / block / f"b{number}.fits", number)
    built(folder)
    page = folder / "build/site/compare/B2-B1.html"
    assert page.stat().st_size < 150_000
    rows = [e for e in read_page(page).elements if e.tag == "tr"]
    assert len(rows) == MOST_ROWS + 1
    table = (folder / "build/site/compare/B2-B1.csv").read_text("utf-8").splitlines()
    assert len(table) == 1 + 30 * 40
    assert Key("T0", "many", "q0", "CAM1", "1", "")[:2] == ("T0", "many")
