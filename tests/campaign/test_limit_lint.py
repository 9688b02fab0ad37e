"""Limits that cannot be, that contradict one another, that leave days without, and that judge nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from campaign.findings import Finding
from campaign.limit_lint import check_limits, check_use, limit_faults
from campaign.load import load
from campaign.model import Limit, around

KNOWN = {"blocks": ["B1", "B2"], "detectors": ["CCD1", "CCD2"], "channels": ["E", "F"]}


def limit(ident: str = "R1", **more: object) -> Limit:
    return Limit.model_validate({"id": ident, "quantity": "bias.offset", "low": 1, "high": 2} | more)


def kinds(*limits: Limit) -> list[str]:
    return [f.kind for f in check_limits(limits, KNOWN)]


def written(folder: Path, text: str) -> tuple[tuple[Limit, ...], list[Finding]]:
    (folder / "limits").mkdir()
    (folder / "blocks").mkdir()
    (folder / "blocks/B1.md").write_text("---\n---\n")
    (folder / "campaign.toml").write_text('[campaign]\ntitle = "T"\n[data]\nroots = []\n')
    (folder / "limits/l.toml").write_text(text)
    campaign, findings = load(folder)
    assert campaign is not None
    return campaign.limits, findings


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        ("reference = 5\nlow = 1\nhigh = 2", 3, "outside its own range"),
        ("tolerance = 1", 3, "without a reference"),
        ("reference = 5\ntolerance = 1\ntolerance_percent = 2", 5, "both given"),
        ("reference = 5\ntolerance = 1\nlow = 2", 4, "a tolerance and low or high"),
        ("reference = 0\ntolerance_percent = 5", 4, "reference of 0"),
        ("statistic = { sigma = 3 }\nhigh = 2", 4, "beside statistic"),
        ("relative_to = { test = 'T' }", 3, "no range"),
        ("relative_to = { test = 'T' }\nreference = 1\nlow = 0", 4, "beside relative_to"),
        ("relative_to = { quantity = 'bias.offset' }\nlow = 0", 3, "relative to itself"),
        ("relative_to = { quantity = 'offset' }\nlow = 0", 3, "names no quantity"),
        ("relative_to = { block = 'B1', quantity = 'a.b' }\nlow = 0", 3, "a block and no test"),
        ("relative_to = { field = 'exptime', test = 'T' }\nlow = 0", 3, "a commanded value and another"),
    ],
)
def test_a_limit_that_would_judge_wrongly_is_not_used(
    lines: str, line: int, says: str, tmp_path: Path
) -> None:
    limits, findings = written(tmp_path, f"[[limit]]\nid = 'R1'\n{lines}\nquantity = 'bias.offset'\n")
    assert limits == ()
    assert [f.kind for f in findings] == ["bad-value"]
    assert (findings[0].where, says in findings[0].what) == (f"limits/l.toml:{line}", True)


@pytest.mark.parametrize(
    "lines",
    [
        "reference = 5\ntolerance = 1",
        "reference = 5\ntolerance_percent = 1",
        "reference = 1.5\nlow = 1\nhigh = 2",
        "relative_to = { test = 'T', block = 'B1', by = 'ratio' }\nlow = 0.9\nhigh = 1.1",
        "relative_to = { test = 'T' }\ntolerance_percent = 5",
        "relative_to = { quantity = 'flat.level' }\nhigh = 0",
        "relative_to = { field = 'exptime', by = 'ratio' }\nhigh = 3",
        "relative_to = { setting = 'mode=fast' }\nhigh = 3",
        "statistic = { sigma = 4, days = 90, sides = 'around' }",
    ],
)
def test_every_kind_of_limit_loads(lines: str, tmp_path: Path) -> None:
    limits, findings = written(tmp_path, f"\n[[limit]]\nid = 'R1'\n{lines}\nquantity = 'bias.offset'\n")
    assert findings == []
    assert [x.where for x in limits] == ["limits/l.toml:2"]


def test_the_line_of_a_limit_says_nothing_of_it() -> None:
    """A limit that moved within its file is the same limit: no page is drawn again for that."""
    assert "line" not in limit(line=7).model_dump()


def test_reference_and_tolerance_are_worked_out_in_decimal() -> None:
    assert limit(low=None, high=None, reference=0.8, tolerance=0.1).stated == (
        0.7,
        0.9,
    )  # not 0.7000000000000001
    assert around(-200.0, None, 5.0) == (-210.0, -190.0)
    assert around(3.0, None, None) == (None, None)
    assert limit(relative_to={"test": "T"}).stated == (None, None)


def test_entries_of_one_id_that_follow_each_other_are_right() -> None:
    assert kinds(
        limit(scope={"end": "2019-01-31"}),
        limit(scope={"start": "2019-02-01", "end": "2019-03-01"}, low=3, high=4, document="D2"),
        limit(scope={"start": "2019-03-02"}),
    ) == []  # fmt: skip


def test_overlapping_validity_is_found() -> None:
    found = check_limits(
        [
            limit(scope={"end": "2019-02-01"}, file="l.toml", line=1),
            limit(scope={"start": "2019-02-01"}, file="l.toml", line=9),
        ],
        KNOWN,
    )
    assert [(f.kind, f.where) for f in found] == [("limit-overlap", "l.toml:9")]
    assert "l.toml:1" in found[0].what


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ({"channels": ["E"]}, {"channels": ["F"]}, False),
        ({"channels": ["E"]}, {"channels": ["*"]}, True),
        ({"detectors": ["CCD[12]"]}, {"detectors": ["*2"]}, True),
        ({"detectors": ["CCD1"]}, {"detectors": ["CCD2"]}, False),
        ({"blocks": ["B1"]}, {}, True),
        ({"blocks": ["B1"]}, {"blocks": ["B2"]}, False),
        ({"tests": ["BIAS*"]}, {"tests": ["BIAS02"]}, True),
        ({"tests": ["BIAS*"]}, {"tests": ["DARK*"]}, False),
    ],
)
def test_only_what_can_judge_the_same_overlaps(
    first: dict[str, object], second: dict[str, object], overlap: bool
) -> None:
    held = kinds(limit(scope=first), limit(scope=second))
    assert held == (["limit-overlap"] if overlap else [])


def test_settings_tell_entries_apart() -> None:
    assert kinds(limit(settings=["mode=fast"]), limit(settings=["mode=slow"])) == []


def test_gaps_are_found_with_their_days() -> None:
    found = check_limits(
        [limit(scope={"start": "2019-02-10"}), limit(scope={"end": "2019-01-31"})], KNOWN
    )  # fmt: skip
    assert [f.kind for f in found] == ["limit-gap"]
    assert "from 2019-02-01 to 2019-02-09" in found[0].what
    assert kinds(limit(scope={"end": "2019-01-31"}), limit("R2", scope={"start": "2019-02-10"})) == []
    # entries of other channels have validities of their own
    assert kinds(limit(scope={"end": "2019-01-31", "channels": ["E"]}), limit(scope={"start": "2019-02-10", "channels": ["F"]})) == []  # fmt: skip


def test_limits_that_no_value_meets_contradict() -> None:
    assert kinds(limit(), limit("R2", low=3, high=4)) == ["limit-contradiction"]
    assert kinds(limit(), limit("R2", low=2, high=4)) == []  # 2 is within both
    assert kinds(limit(scope={"channels": ["E"]}), limit("R2", low=3, high=4, scope={"channels": ["F"]})) == []  # fmt: skip


def test_one_limit_of_two_documents_is_found() -> None:
    assert kinds(limit(document="A"), limit(document="B")) == ["limit-overlap", "limit-documents"]


def test_a_thousand_limits_of_one_quantity_are_told_apart() -> None:
    held = [
        limit(f"R{n}{c}", scope={"detectors": [f"CCD{n}"], "channels": [c]})
        for n in range(40)
        for c in ("E", "F")
    ]
    assert check_limits([*held, limit("R0E", scope={"detectors": ["CCD39"], "channels": ["F"]})], KNOWN) == []
    again = limit("R39F", scope={"detectors": ["CCD39"], "channels": ["F"]})
    assert kinds(*held, again) == ["limit-overlap"]


def test_a_limit_that_matches_nothing_is_told() -> None:
    measured = {"bias.offset": {"B1": date(2019, 3, 1)}}

    def told(*limits: Limit) -> list[str]:
        return [f.kind for f in check_use(limits, lambda x: x.id == "USED", measured)]

    assert told(limit("USED"), limit("R1")) == ["limit-unused"]
    assert told(limit(quantity="dark.current")) == []  # nothing of that was measured yet
    assert told(limit(scope={"blocks": ["B2"]})) == []  # nor there
    assert told(limit(scope={"start": "2019-03-02"})) == []  # it is still to come
    assert told(limit(scope={"start": "2019-03-01"})) == ["limit-unused"]


def test_a_sound_limit_has_no_fault() -> None:
    assert list(limit_faults(limit())) == []
