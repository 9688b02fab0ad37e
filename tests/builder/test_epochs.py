"""Products of several epochs reach the procedure that asks for them, in the order of time and from all blocks, through real builds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tiny_campaign import bias, built, make, pixels

from builder.build import Built
from builder.epochs import Timeline, began
from builder.report import Outcome
from builder.why import explain
from campaign.frames import Frame, FrameFile
from campaign.geometry import single
from campaign.model import Block, Campaign, Detector


def frame(number: int, date: str = "", detector: str = "CAM1") -> Frame:
    file = FrameFile("frames", f"{number}.fits", 1, 1, number)
    return Frame(f"{number}/{detector}", str(number), detector, file, {"": 0}, {"date": date or None})


def campaign(**hardware: str) -> Campaign:
    blocks = tuple(
        Block(id=b, hardware={"CAM1": hardware[b]} if b in hardware else {}) for b in ("B1", "B2", "B3")
    )
    eye = Detector(name="CAM1", geometry=single(rows=8, columns=8))
    return Campaign(root=Path("nowhere"), id="t", title="t", detectors=(eye,), blocks=blocks)


def order(held: Timeline, block: str, test: str) -> list[str]:
    return [f"{p.block}/{p.test}" for p in held.until("CAM1", block, test)]


def test_tests_are_in_the_order_of_their_first_frames_whatever_their_block() -> None:
    line = Timeline(
        campaign(),
        {
            "B1/LATE": (frame(2, "2025-01-05T02:00:00"), frame(1, "2025-01-05T01:00:00")),
            "B1/EARLY": (frame(3, "2025-01-01T00:00:00"),),
            "B2/ZONE": (frame(4, "2025-01-05T01:30:00+01:00"),),  # half past midnight
            "B2/NONE": (),
        },
    )
    assert order(line, "B1", "LATE") == ["B1/EARLY", "B2/ZONE", "B1/LATE"]
    assert order(line, "B1", "EARLY") == ["B1/EARLY"]
    assert order(line, "B2", "NONE") == [] and line.until("CAM2", "B1", "LATE") == ()
    assert line.until("CAM1", "B1", "LATE")[-1].time == "2025-01-05T01:00:00+00:00"


def test_a_test_without_times_comes_after_the_one_before_it_in_the_record() -> None:
    record = {"B1/A": (frame(1),), "B1/B": (frame(2, "2025-01-02T00:00:00"),), "B1/C": (frame(3),), "B1/D": (frame(4, "2025-01-03T00:00:00"),)}  # fmt: skip
    assert order(Timeline(campaign(), record), "B1", "D") == ["B1/A", "B1/B", "B1/C", "B1/D"]
    more = {**record, "B1/E": (frame(5, "2025-01-01T00:00:00"),)}  # what is told later, and was earlier
    assert order(Timeline(campaign(), more), "B1", "C") == ["B1/A", "B1/E", "B1/B", "B1/C"]


def test_another_piece_in_the_same_place_is_another_detector() -> None:
    record = {f"B{n}/T": (frame(n, f"2025-01-0{n}T00:00:00"),) for n in (1, 2, 3)}
    line = Timeline(campaign(B1="serial 1", B2="serial 2", B3="serial 1"), record)
    assert order(line, "B3", "T") == ["B1/T", "B3/T"] and order(line, "B2", "T") == ["B2/T"]


def test_a_time_without_a_zone_is_utc() -> None:
    assert began([frame(1, "2025-01-01T01:00:00"), frame(2)]) == datetime(2025, 1, 1, 1, tzinfo=UTC)
    assert began([frame(2)]) is None


MAKER = '''"""Hands on an image."""
import numpy as np
from analysis.contract import ImageProduct, Procedure, ProductSpec, Quantity, Role, Version

def measure(inputs, results):
    planes = {}
    for channel in inputs.detector.geometry.channels:
        first = inputs.frames["bias"][0].summaries[channel.name].mean
        planes[channel.name] = np.full(channel.image.shape, first, np.float32)
        results.value("level", first, 0.5, n=1, channel=channel.name)
    results.product("level_map", ImageProduct(planes, "ADU"))

PROCEDURE = Procedure(
    name="a_maker", title="Maker", purpose="Makes.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "frames"),),
    quantities=(Quantity("level", "B", "ADU", "Level", "mean", unplotted="no figures"),),
    products=(ProductSpec("level_map", "fits", "levels"),),
    algorithm="None.", acceptance=("None.",), measure=measure,
)
'''

TAKER = '''"""Takes the images of all epochs, and the latest one."""
from analysis.contract import Procedure, Quantity, Take, Version

def measure(inputs, results):
    epochs = inputs.epochs["a_maker", "level_map"]
    for channel in inputs.detector.geometry.channels:
        found = [(e, float(e.read().planes[channel.name].mean())) for e in epochs]
        measured = all(abs(v - e.measurements[0].value) < 1 for e, v in found)
        told = " ".join(f"{e.block}/{e.test}@{e.time[:16]}" for e, _ in found)
        if found:
            results.value("levels", sum(v for _, v in found), None, n=len(found), channel=channel.name, note=f"{told} {measured}")
        else:
            results.missing("levels", "no-reference", channel=channel.name)

PROCEDURE = Procedure(
    name="a_taker", title="Taker", purpose="Takes.", history=(Version("1", "2025-01-01", "first"),), roles=(),
    quantities=(Quantity("levels", "B", "ADU", "Levels", "sum", unplotted="no figures"),),
    takes=(Take("a_maker", "level_map", "levels of all epochs", "epochs"),),
    algorithm="None.", acceptance=("None.",), measure=measure,
)
'''

LATEST = '''"""Takes the image of the latest test."""
from analysis.contract import Procedure, Quantity, Take, Version

def measure(inputs, results):
    image = inputs.product("a_maker", "level_map")
    for channel in inputs.detector.geometry.channels:
        results.value("level", float(image.planes[channel.name].mean()), None, n=1, channel=channel.name)

PROCEDURE = Procedure(
    name="a_follower", title="Follower", purpose="Follows.", history=(Version("1", "2025-01-01", "first"),), roles=(),
    quantities=(Quantity("level", "B", "ADU", "Level", "mean", unplotted="no figures"),),
    takes=(Take("a_maker", "level_map", "levels of the latest", "latest"),),
    algorithm="None.", acceptance=("None.",), measure=measure,
)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two blocks, the second with a test that was taken between those of the first; the last test of the first has no image of its own."""
    more = (
        '[[sources]]\nid = "second"\naddress = "records/second.csv"\nblock = "B2"\n'
        '[procedures.a_maker]\ntests = ["BIAS01", "BIAS02", "MIDDLE"]\n[procedures.a_taker]\ntests = ["*"]\n'
        '[procedures.a_follower]\ntests = ["BIAS*"]\n[data]\nblock_folders = { B1 = "one", B2 = "two" }\n'
    )
    folder = make(tmp_path / "tiny", rows="BIAS01,1,2,0,done,\nBIAS02,4,5,0,done,\nBIAS03,7,8,0,done,\n", more=more)  # fmt: skip
    (folder / "blocks/B2.md").write_text(
        "---\ntitle: Second\nstatus: done\nstart: 2025-02-01\n---\n", "utf-8"
    )
    (folder / "records/second.csv").write_text(
        "test,first,last,exptime,status,comments\nMIDDLE,3,3,0,done,\n"
    )
    for path in (folder / "frames").iterdir():
        path.unlink()
    for number in (1, 2, 3, 4, 5, 7, 8):
        place = folder / "frames" / ("two" if number == 3 else "one")
        place.mkdir(exist_ok=True)
        bias(place / f"b{number}.fits", number, data=pixels(number, 1000.0 + number))
    for name, text in (("a_maker", MAKER), ("a_taker", TAKER), ("a_follower", LATEST)):
        (folder / "procedures" / f"{name}.py").write_text(text, "utf-8")
    return folder


def outcome(done: Built, test: str, procedure: str = "a_taker") -> Outcome:
    return next(o for o in done.report.outcomes() if (o.test, o.procedure.name) == (test, procedure))


def note(held: Outcome) -> str:
    assert held.status == "done", held.error
    return held.measurements[0].measurement.note


def test_epochs_of_all_blocks_arrive_in_order_and_later_ones_change_no_earlier_result(folder: Path) -> None:
    done = built(folder)
    assert note(outcome(done, "BIAS01")) == "B1/BIAS01@2025-02-01T10:01 True"
    assert note(outcome(done, "MIDDLE")) == "B1/BIAS01@2025-02-01T10:01 B2/MIDDLE@2025-02-01T10:03 True"
    last = outcome(done, "BIAS03")
    assert note(last) == "B1/BIAS01@2025-02-01T10:01 B2/MIDDLE@2025-02-01T10:03 B1/BIAS02@2025-02-01T10:04 True"  # fmt: skip
    assert [what for what, _ in last.used] == [
        f"a_maker.level_map of {t}" for t in ("B1/BIAS01", "B2/MIDDLE", "B1/BIAS02")
    ]
    follower = outcome(done, "BIAS03", "a_follower").measurements[0].measurement
    assert follower.value == pytest.approx(1004.0, abs=1.0)
    page = (folder / "build/site" / last.page).read_text("utf-8")
    assert all(re.search(rf"of B\d/{t}: <a ", page) for t in ("BIAS01", "MIDDLE", "BIAS02"))
    document = (folder / "build/site/procedures/a_taker.html").read_text("utf-8")
    assert "those of all tests of the campaign up to this one" in document

    before = {t: outcome(done, t).result_id for t in ("BIAS01", "BIAS02", "BIAS03")}
    bias(folder / "frames/one/b4.fits", 4, data=pixels(33, 1004.0))
    (folder / "records/second.csv").write_text("test,first,last,exptime,status,comments\nOTHER,3,3,0,done,\n")
    again = built(folder)
    after = {t: outcome(again, t).result_id for t in before}
    assert after["BIAS01"] == before["BIAS01"]
    assert after["BIAS02"] != before["BIAS02"] and after["BIAS03"] != before["BIAS03"]
    assert note(outcome(again, "BIAS03")).count("@") == 2
    told = "\n".join(explain(folder / "build/store", "B1/BIAS03"))
    assert "value used: a_maker.level_map of B1/BIAS02" in told
    assert "no longer used: a_maker.level_map of B2/MIDDLE" in told
