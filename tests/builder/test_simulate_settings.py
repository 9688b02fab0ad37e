"""What ``[simulate]`` may say, and what is said about the rest; the plan's exposures; headers."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from builder.simulate import simulate, validate
from builder.simulate.plan import exposures
from builder.simulate.reading import read
from campaign.geometry import single
from campaign.model import Block, Campaign, DataSpec, Detector

BIAS = {"block": "B", "test": "BIAS", "type": "bias", "first": 1, "frames": 2}
FLAT = {"block": "B", "test": "FLAT", "type": "flat", "first": 11, "exptime": 1, "wavelength": 600}


def campaign(settings: dict[str, Any], root: Path = Path("nowhere"), preset: str = "generic") -> Campaign:
    return Campaign(
        root=root, id="t", title="t", data=DataSpec(preset=preset),
        detectors=(Detector(name="CCD1", geometry=single(rows=16, columns=16, overscan=4)),),
        blocks=(Block(id="B", start=date(2024, 12, 31)), Block(id="C")), simulate=settings,
    )  # fmt: skip


def with_plan(*plan: dict[str, Any], **more: Any) -> Campaign:
    return campaign({"truth": {"lamp": {"600": 100.0}}, "plan": list(plan), **more})


def test_no_table_is_no_fault() -> None:
    assert validate(campaign({})) == []
    assert simulate(campaign({})).written == 0


def test_good_settings_have_no_findings() -> None:
    assert validate(with_plan(BIAS, FLAT)) == []


@pytest.mark.parametrize(
    ("settings", "near"),
    [
        ({"sed": 1}, "seed"),
        ({"truth": {"read_nois": 4}}, "read_noise"),
        ({"plan": [{**BIAS, "exptimes": 4}]}, "exptime"),
        ({"blocks": {"B": {"ofset": 4}}}, "offset"),
        ({"plan": [{**BIAS, "faults": [{"kind": "empty", "detektor": "CCD1"}]}]}, "detector"),
    ],
)
def test_unknown_key_names_the_nearest(settings: dict[str, Any], near: str) -> None:
    (finding,) = validate(campaign(settings))
    assert finding.kind == "unknown-key"
    assert finding.todo == f"Did you mean {near!r}?"
    assert finding.where.startswith("campaign.toml [")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({**FLAT, "block": "NOWHERE"}, "no block 'NOWHERE'"),
        ({**FLAT, "wavelength": 700}, "no wavelength '700'"),
        ({**FLAT, "first": 2}, "Exposure 2 of B is already BIAS's"),
        ({**FLAT, "exptime": -1}, "greater than or equal to 0"),
        ({**FLAT, "type": "flatt"}, "'bias', 'dark', 'flat' or 'point'"),
        ({**FLAT, "type": None}, "either type or parts"),
        ({**FLAT, "block": ""}, "neither block nor blocks"),
    ],
)
def test_a_wrong_entry_costs_only_itself(wrong: dict[str, Any], says: str) -> None:
    settings, findings = read(with_plan(BIAS, wrong))
    assert [f.kind for f in findings] == ["bad-value"]
    assert says in findings[0].what
    assert settings is not None
    assert [e.test for e in settings.plan] == ["BIAS"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"kind": "empty", "detector": "CCD9"}, "'CCD9'"),
        ({"kind": "noisy-channel", "channel": "Z"}, "'Z'"),
        ({"kind": "empty", "channel": "A"}, "whole frames"),
        ({"kind": "swapped-setting", "amount": 777}, "wavelength of the lamp: 600"),
        ({"kind": "empty", "frame": 7}, "frame 7"),
    ],
)
def test_faults_that_mean_nothing_are_found(fault: dict[str, Any], says: str) -> None:
    (finding,) = validate(with_plan({**FLAT, "faults": [fault]}))
    assert says in finding.what


def test_faults_by_test() -> None:
    good = with_plan(BIAS, faults=[{"kind": "empty", "test": "BIAS", "frame": 2}])
    settings, findings = read(good)
    assert findings == []
    assert settings is not None
    assert [len(e.faults) for e in exposures(good, settings)["B"]] == [0, 1]
    (finding,) = validate(with_plan(BIAS, faults=[{"kind": "empty", "test": "BIASS"}]))
    assert "'BIASS'" in finding.what


def test_a_truth_that_lacks_a_channel_is_found() -> None:
    settings = {"truth": {"gain": {"CCD2": 3.0}}, "plan": [BIAS]}
    (finding,) = validate(campaign(settings))
    assert "gain is given by name, but not for CCD1 A" in finding.what


def test_unusable_truth_writes_nothing(tmp_path: Path) -> None:
    done = simulate(campaign({"truth": {"prnu": "much"}, "plan": [BIAS]}, tmp_path))
    assert done.written == 0
    assert [f.kind for f in done.findings] == ["bad-value"]
    assert list(tmp_path.iterdir()) == []


def test_block_keys_lie_over_the_common_truth() -> None:
    made = with_plan(BIAS, blocks={"B": {"gain": 2.5, "lamp": {"700": 5.0}}})
    settings, findings = read(made)
    assert findings == []
    assert settings is not None
    assert settings.truth_of("B").gain == 2.5
    assert settings.truth_of("B").lamp == {"600": 100.0, "700": 5.0}
    assert settings.truth_of("C").gain == 3.3


def test_parts_and_interleaving() -> None:
    parts = [{"type": "bias", "frames": 2}, {"type": "flat", "exptime": [1, 2], "wavelength": 600}]
    plan = {"block": "B", "test": "COSMETICS00", "first": 5, "parts": parts}
    settings, findings = read(with_plan(plan))
    assert findings == []
    assert settings is not None
    made = exposures(with_plan(plan), settings)["B"]
    assert [(e.number, e.type, e.exptime) for e in made] == [
        (5, "bias", 0), (6, "bias", 0), (7, "flat", 1), (8, "flat", 2),
    ]  # fmt: skip
    settings, _ = read(with_plan({**plan, "interleave": True}))
    assert settings is not None
    assert [e.type for e in exposures(with_plan(plan), settings)["B"]] == ["bias", "flat", "flat", "bias"]


def test_exposures_without_a_number_follow_on() -> None:
    plan = [
        BIAS,
        {**BIAS, "test": "BIAS2", "first": None},
        {**FLAT, "first": 20},
        {**BIAS, "test": "BIAS3", "first": None},
    ]
    made = with_plan(*({k: v for k, v in p.items() if v is not None} for p in plan))
    settings, findings = read(made)
    assert findings == []
    assert settings is not None
    assert [e.number for e in exposures(made, settings)["B"]] == [1, 2, 3, 4, 20, 21, 22]


def test_one_entry_for_several_blocks() -> None:
    plan = {**BIAS, "block": "", "blocks": ["B", "C"]}
    made = with_plan(plan)
    settings, _ = read(made)
    assert settings is not None
    assert {b: [e.number for e in es] for b, es in exposures(made, settings).items()} == {
        "B": [1, 2],
        "C": [1, 2],
    }


@given(
    st.lists(st.tuples(st.integers(1, 4), st.lists(st.floats(0, 900), min_size=1, max_size=4)), max_size=5)
)
def test_exposures_are_numbered_once_and_follow_in_time(tests: list[tuple[int, list[float]]]) -> None:
    plan = [
        {"block": "B", "test": f"DARK{i}", "type": "dark", "first": 100 * i, "frames": n, "exptime": times}
        for i, (n, times) in enumerate(tests)
    ]
    made = with_plan(*plan)
    settings, findings = read(made)
    assert findings == []
    assert settings is not None
    found = exposures(made, settings).get("B", [])
    assert len({e.number for e in found}) == len(found) == sum(n * len(times) for n, times in tests)
    ends = [(b.begun - a.begun).total_seconds() - a.exptime for a, b in pairwise(found)]
    assert all(gap > settings.overhead - 1.001 for gap in ends)


def test_headers_of_a_plain_camera(tmp_path: Path) -> None:
    simulate(campaign({"truth": {"lamp": {"V": 100.0}}, "plan": [{**FLAT, "wavelength": "V"}]}, tmp_path))
    header = fits.getheader(tmp_path / "frames/B/FLAT_00011.fits")
    expected = {
        "IMAGETYP": "flat", "EXPTIME": 1.0, "DATE-OBS": "2024-12-31T09:00:00", "FILTER": "V", "DETECTOR": "CCD1",
        "EXPNUM": 11, "TEST": "FLAT", "OBJECT": "flat", "CCD-TEMP": -120.0,
    }  # fmt: skip
    assert {key: header[key] for key in expected} == expected


def test_headers_of_euclid_vis_and_a_night_across_midnight(tmp_path: Path) -> None:
    plan = {**BIAS, "test": "DARK01", "type": "dark", "exptime": 565, "start": datetime(2024, 12, 31, 23, 55)}
    simulate(campaign({"plan": [plan]}, tmp_path, "euclid-vis"))
    first = tmp_path / "frames/B/31_Dec_24/EUC_1_311224D235500T_ROE1_CCD1.fits"
    second = tmp_path / "frames/B/01_Jan_25/EUC_2_010125D000602T_ROE1_CCD1.fits"
    assert second.is_file()
    header = fits.getheader(first)
    expected = {
        "OBSID": 1, "CCD": "CCD1", "EXPTIME": 565.0, "DATE": "311224D235500T", "PROGRAM": "CALCAMP",
        "TEST": "DARK01", "OBJECT": "dark", "SHUTTR": 0, "SOURCE": "off", "INSTRUME": "VIS",
    }  # fmt: skip
    assert {key: header[key] for key in expected} == expected
    assert "WAVE" not in header
    with fits.open(first) as units:
        assert units[-1].data.shape == (16, 20)
    logs = sorted(p.name for p in tmp_path.rglob("EXP_LOG_*.txt"))
    assert logs == ["EXP_LOG_010125.txt", "EXP_LOG_311224.txt"]
