"""Choosing by date, the retention rule, and the list of raw files that could leave the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tiny_campaign import bias, built, pixels
from typer.testing import CliRunner

from builder.archive import ArchiveError, OutOfRangeError, after, before, nearest, versions
from builder.archive.calibrations import calibrations
from builder.archive.make import Made, remove
from builder.archive.retention import disk_use, freed, retained
from builder.archive.selection import moment
from builder.cli import app

Archive = Callable[..., Made]
DAYS = [date(2007, 3, 10), date(2007, 1, 6), date(2022, 4, 14)]


def same(day: date) -> date:
    return day


def test_before_after_and_nearest() -> None:
    assert before(DAYS, date(2007, 1, 8), same) == date(2007, 1, 6)
    assert after(DAYS, date(2007, 1, 8), same) == date(2007, 3, 10)
    assert nearest(DAYS, date(2007, 2, 20), same) == date(2007, 3, 10)
    assert before(DAYS, date(2007, 3, 10), same) == date(2007, 1, 6)  # a whole day: not itself
    assert after(DAYS, date(2007, 3, 10), same) == date(2022, 4, 14)
    assert nearest(DAYS, date(2007, 3, 10), same) == date(2007, 3, 10)
    tied = [(date(2025, 1, 1), "a"), (date(2025, 1, 3), "b"), (date(2025, 1, 1), "c")]
    assert nearest(tied, date(2025, 1, 2), lambda t: t[0]) == (date(2025, 1, 1), "c")
    assert after(tied, date(2024, 1, 2), lambda t: t[0]) == (date(2025, 1, 1), "c")


def test_moments_are_compared_as_moments() -> None:
    times = [datetime(2025, 3, 1, hour, tzinfo=UTC) for hour in (9, 15)]
    assert before(times, moment("2025-03-01T12:00"), lambda t: t) == times[0]
    assert after(times, moment("2025-03-01T14:00+02:00"), lambda t: t) == times[1]
    assert nearest(times, moment("2025-03-01"), lambda t: t) == times[0]  # its noon: as near, so the earlier
    assert nearest(times, moment("2025-03-01T12:01"), lambda t: t) == times[1]


@pytest.mark.parametrize(
    ("choose", "when"),
    [(before, "2007-01-06"), (before, "1999-01-01"), (after, "2022-04-14"), (after, "2030-01-01"),
     (nearest, "2007-01-05"), (nearest, "2022-04-15")],
)  # fmt: skip
def test_outside_of_the_range_is_a_clear_error(choose: Callable[..., date], when: str) -> None:
    with pytest.raises(
        OutOfRangeError, match=rf"nothing .*{when}: the first is of 2007-01-06, the last of 2022-04-14"
    ):
        choose(DAYS, moment(when), same)
    with pytest.raises(OutOfRangeError, match="nothing at all"):
        choose([], moment(when), same)


def test_a_date_is_a_date() -> None:
    for text in ("yesterday", "2025:366", "2025:000"):
        with pytest.raises(ArchiveError, match="is no date"):
            moment(text)
    # days as they are written at an observatory, with the selections that its own tool makes
    assert before(DAYS, moment("2007:008"), same) == date(2007, 1, 6) == moment("2007:006")
    assert after(DAYS, moment("2007:008"), same) == date(2007, 3, 10) == moment("2007:069")
    assert moment("2024:366") == date(2024, 12, 31)


def test_versions_and_calibrations_by_date_from_the_command_line(campaign: Path, archived: Archive) -> None:
    run = CliRunner()
    assert "no versions yet" in run.invoke(app, ["versions", str(campaign)]).output
    for label in "abc":  # of 1, 2 and 3 March
        archived(label)
    assert len(run.invoke(app, ["versions", str(campaign)]).output.splitlines()) == 3
    for option, day, name in (
        ("--before", "2025-03-03", "0002-b"),
        ("--after", "2025-03-02", "0003-c"),
        ("--nearest", "2025-03-01", "0001-a"),
    ):
        assert run.invoke(app, ["versions", str(campaign), option, day]).output.rstrip().endswith(name)
    assert run.invoke(app, ["versions", str(campaign), "--nearest", "2026-01-01"]).exit_code == 2
    assert (
        run.invoke(
            app, ["versions", str(campaign), "--nearest", "2025-03-01", "--after", "2025-03-01"]
        ).exit_code
        == 2
    )
    told = run.invoke(app, ["versions", str(campaign), "--procedure", "level", "--nearest", "2025-02-01"])
    assert "B1/BIAS0" in told.output and told.exit_code == 0
    assert run.invoke(app, ["versions", str(campaign), "--procedure", "dark"]).exit_code == 2
    found = calibrations(versions(campaign)[0].folder, "level", "CAM1")
    assert [(c.date, c.test) for c in found] == [(date(2025, 2, 1), "BIAS01"), (date(2025, 2, 1), "BIAS02")]
    assert found[0].page.is_file()


def test_a_retention_rule_lists_and_deletes_nothing(campaign: Path, archived: Archive) -> None:
    one = archived("first light").version
    months = [(2025, 1, 5), (2025, 1, 20), (2025, 2, 1), (2025, 4, 1), (2025, 4, 2), (2025, 4, 3)]
    held = [
        replace(one, number=n, label=f"v{n}", date=datetime(*m, tzinfo=UTC)) for n, m in enumerate(months, 1)
    ]

    def kept(rule: str) -> list[int]:
        return [k.version.number for k in retained(held, rule) if k.because]

    assert kept("keep last 2, one per month") == [2, 3, 5, 6]
    assert kept("last 0") == [] and kept("last 99") == [1, 2, 3, 4, 5, 6]
    assert kept("one per year, label v1") == [1, 6] and kept("one per quarter") == [3, 6]
    for rule in ("keep", "last", "one per fortnight", "everything", "last 5; one per month"):
        with pytest.raises(ArchiveError, match="is no rule"):
            retained(held, rule)
    archived("second")
    rows = json.loads(
        CliRunner().invoke(app, ["versions", str(campaign), "--retain", "keep last 1", "--json"]).stdout
    )["versions"]
    assert [(r["number"], r["kept_by"]) for r in rows] == [(1, []), (2, ["last 1"])]
    told = CliRunner().invoke(app, ["versions", str(campaign), "--retain", "keep last 1"])
    assert (
        "could go     1  2025-03-01" in told.output
        and "Nothing was deleted" in told.output
        and len(versions(campaign)) == 2
    )


def test_what_would_be_freed_is_what_is_freed(campaign: Path, archived: Archive) -> None:
    archived("a")
    (campaign / "blocks/B1.md").write_text((campaign / "blocks/B1.md").read_text() + "\nMore.\n")
    built(campaign)
    archived("b")
    first, second = (v.folder for v in versions(campaign))
    both, told = disk_use([first, second]), freed([first], [second])
    remove(first)
    assert disk_use([second]) == both - told and 0 < told < both / 2


def test_raw_files_may_go_when_their_results_are_archived_and_verified(
    campaign: Path, archived: Archive
) -> None:
    def told() -> dict[str, str]:
        ran = CliRunner().invoke(app, ["versions", str(campaign), "--release"])
        assert ran.exit_code == 0, ran.output
        rows = [
            line.removeprefix("may go").removeprefix("stays").strip() for line in ran.output.splitlines()[:-1]
        ]
        states = [line.split()[0] for line in ran.output.splitlines()[:-1]]
        return {r.split("  ")[0]: f"{s} {r.split('  ')[1]}" for s, r in zip(states, rows, strict=True)}

    assert set(told().values()) == {"stays no version verifies"}
    listed = json.loads(CliRunner().invoke(app, ["versions", str(campaign), "--release", "--json"]).stdout)
    assert len(listed["files"]) == 5 and not any(f["may_go"] for f in listed["files"])
    folder = archived("a").version.folder
    assert told() == {f"frames/b{n}.fits": "may version 1 (a)" for n in range(1, 6)}
    frame = campaign / "frames/b2.fits"
    os.utime(frame, (1, 1))  # another time, the same content
    assert told()["frames/b2.fits"] == "may version 1 (a)"
    raw = frame.read_bytes()
    frame.write_bytes(raw[:-1] + b"?")
    assert told()["frames/b2.fits"] == "stays it changed since it was measured"
    frame.write_bytes(raw)
    bias(campaign / "frames/b5.fits", 5, data=pixels(5, 1004.0))
    built(campaign)
    now = told()
    assert now["frames/b5.fits"] == "stays its content is not among the inputs of version 1 (a)"
    assert now["frames/b4.fits"] == "stays 1 of its results are not in version 1 (a)" and now[
        "frames/b1.fits"
    ].startswith("may")
    page = folder / "data/site/index.html"
    page.chmod(0o644)
    page.write_bytes(b"damaged")
    assert set(told().values()) == {"stays no version verifies"}
