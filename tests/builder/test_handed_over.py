"""Products and frames of other detectors reach the procedures that ask for them, through a real build."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_campaign import bias, built, make, pixels

from analysis.contract import Measurement
from builder.build import Built
from builder.report import Outcome

MAKER = '''"""Hands on an image and a table."""
import numpy as np
from analysis.contract import ImageProduct, Procedure, ProductSpec, Quantity, Role, TableProduct, Version

def measure(inputs, results):
    planes = {}
    for channel in inputs.detector.geometry.channels:
        first = inputs.frames["bias"][0]
        planes[channel.name] = np.full(channel.image.shape, first.summaries[channel.name].mean, np.float32)
        results.value("count", len(inputs.frames["bias"]), None, n=1, channel=channel.name)
    results.product("level_map", ImageProduct(planes, "ADU"))
    results.product("table", TableProduct({"name": ["a", ""], "x": [1.5, float("nan")]}, {"x": "s"}))

PROCEDURE = Procedure(
    name="a_maker", title="Maker", purpose="Makes.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "frames"),),
    quantities=(Quantity("count", "n", "1", "Frames", "count", unplotted="no figures"),),
    products=(ProductSpec("level_map", "fits", "levels"), ProductSpec("table", "ecsv", "a table")),
    algorithm="None.", acceptance=("None.",), measure=measure,
)
'''

TAKER = '''"""Takes both, and looks at the frames of all detectors."""
import numpy as np
from analysis.contract import Procedure, Quantity, Role, Take, Version

def measure(inputs, results):
    image, table = inputs.product("a_maker", "level_map"), inputs.product("a_maker", "table")
    for channel in inputs.detector.geometry.channels:
        if image is None:
            results.missing("level", "no-reference", channel=channel.name)
            continue
        x = np.asarray(table.columns["x"])
        note = f"{[str(n) for n in table.columns['name']]} {x[0]} {np.isnan(x[1])} {table.units['x']} {image.unit}"
        results.value("level", float(image.planes[channel.name].mean()), None, n=1, channel=channel.name, note=note)
    held = inputs.frames["all"]
    pixels = [f.pixels.read(inputs.detectors[f.frame.detector].geometry.channels[0], inputs.detectors[f.frame.detector].geometry.channels[0].image).mean() for f in held]
    note = " ".join(sorted(f.frame.detector for f in held))
    results.value("others", float(np.mean(pixels)), None, n=len(held), note=note)

PROCEDURE = Procedure(
    name="a_taker", title="Taker", purpose="Takes.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "frames"), Role("all", ("bias",), 1, "frames of all detectors", every_detector=True)),
    quantities=(
        Quantity("level", "B", "ADU", "Level", "mean", unplotted="no figures"),
        Quantity("others", "O", "ADU", "Mean of all detectors", "mean", per="detector", unplotted="no figures"),
    ),
    takes=(Take("a_maker", "level_map", "levels"), Take("a_maker", "table", "a table")),
    algorithm="None.", acceptance=("None.",), measure=measure,
)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    more = '[detectors.CAM2]\ngeometry = "chip"\n[procedures.a_taker]\ntests = ["BIAS*"]\n[procedures.a_maker]\ntests = ["BIAS01"]\n'
    folder = make(tmp_path_factory.mktemp("handed") / "tiny", more=more)
    for path in (folder / "frames").iterdir():
        path.unlink()
    for number in range(1, 6):
        for n, detector in enumerate(("CAM1", "CAM2")):
            data = pixels(number, 1000.0 + 500.0 * n)
            bias(folder / "frames" / f"b{number}-{detector}.fits", number, data=data, DETECTOR=detector)
    (folder / "procedures" / "a_maker.py").write_text(MAKER, "utf-8")
    (folder / "procedures" / "a_taker.py").write_text(TAKER, "utf-8")
    return folder


@pytest.fixture(scope="module")
def first(folder: Path) -> Built:
    return built(folder)


def outcome(done: Built, test: str, procedure: str, detector: str = "CAM1") -> Outcome:
    return next(
        o
        for o in done.report.outcomes()
        if (o.test, o.procedure.name, o.detector) == (test, procedure, detector)
    )


def value(held: Outcome, quantity: str) -> Measurement:
    return next(j.measurement for j in held.measurements if j.measurement.quantity == quantity)


def test_products_arrive_as_they_were_handed_back(first: Built) -> None:
    for test in ("BIAS01", "BIAS02"):  # its own, and for want of one that of the other test
        for detector, level in (("CAM1", 1000.0), ("CAM2", 1500.0)):
            taken = outcome(first, test, "a_taker", detector)
            assert taken.status == "done", taken.error
            found = value(taken, "level")
            assert found.value == pytest.approx(level, abs=1.0)
            assert found.note == "['a', ''] 1.5 True s ADU"


def test_frames_of_all_detectors_are_given_where_they_are_asked_for(first: Built) -> None:
    found = value(outcome(first, "BIAS02", "a_taker"), "others")
    assert (found.n, found.note) == (4, "CAM1 CAM1 CAM2 CAM2")
    assert found.value == pytest.approx(1250.0, abs=1.0)


def test_the_page_says_which_result_a_product_is_of(first: Built, folder: Path) -> None:
    made, taken = outcome(first, "BIAS01", "a_maker"), outcome(first, "BIAS02", "a_taker")
    assert ("a_maker.level_map", made.result_id) in taken.used
    page = (folder / "build" / "site" / taken.page).read_text("utf-8")
    assert f'href="{made.result_id}.html"' in page and "Maker of BIAS01" in page
    document = (folder / "build" / "site" / "procedures" / "a_taker.html").read_text("utf-8")
    assert "level map of" in document and "a_maker.html" in document


def test_another_product_is_another_result(first: Built, folder: Path) -> None:
    before = outcome(first, "BIAS02", "a_taker").result_id
    bias(folder / "frames" / "b1-CAM1.fits", 1, data=pixels(77, 1010.0), DETECTOR="CAM1")
    again = built(folder)
    after = outcome(again, "BIAS02", "a_taker")
    assert after.result_id != before  # although none of its own frames changed
    assert value(after, "level").value == pytest.approx(1010.0, abs=1.0)
