"""Plots over time, their data, and the feed: what they show is what there is."""

from __future__ import annotations

import csv
import json
import pickle
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from math import inf
from xml.etree import ElementTree

import numpy as np
import pytest
from report_fixture import ATTRIBUTE, SCRIPT, make_report

from analysis.series import Key, Series, days_of
from analysis.trend import Event
from builder.draw import CHANNELS, CHANNELS_DARK
from builder.draw_frame import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, frame, limit_lines
from builder.draw_time import time_ticks, value_ticks
from builder.draw_trend import FAIL, MARK, limits_apart, trend_svg
from builder.render.book import Book
from builder.render.regressions import feed, newest_first, shifts_of, worst_first
from builder.render.trend_plots import every_plot, plot_csv, plot_files, plot_script, ranges
from builder.trend_found import find
from builder.trend_series import Bound, Followed, Overlay, Spot, Trends

DAY = days_of(datetime(2024, 1, 1, tzinfo=UTC))
SVG = "{http://www.w3.org/2000/svg}"
ATOM = "{http://www.w3.org/2005/Atom}"


def followed(
    values: list[float | None], *, channel: str = "E", bounds: list[Bound | None] | None = None, over: tuple[Overlay, ...] = (),
    error: float | None = 0.1, versions: list[str] | None = None, excluded: tuple[int, ...] = (), step: float = 1.0,
) -> Followed:  # fmt: skip
    """A series of a value a day (or every ``step`` days) from 2024-01-01 on."""
    spots = tuple(
        Spot(
            DAY + step * n, v, error, f"B{n // 10}", f"T{n}", f"r{n}.a", "", "pass",
            bounds[n] if bounds else None, (), "left out" if n in excluded else "", versions[n] if versions else "1", "",
        )
        for n, v in enumerate(values)
    )  # fmt: skip
    key = Key("level.level", "CAM1", channel)
    series = Series(
        key, np.array([s.time for s in spots]), np.array([np.nan if s.value is None else s.value for s in spots]),
        versions=tuple(s.version for s in spots), excluded=tuple(s.excluded for s in spots),
    )  # fmt: skip
    return Followed(
        key, "ADU", spots, find((series, [Event(o.start, o.text) for o in over])), over, f"{channel}{values}"
    )


def noise(n: int, seed: int = 3) -> list[float | None]:
    return [10.0 + float(v) for v in np.random.default_rng(seed).normal(size=n)]


def drawn(*held: Followed) -> tuple[str, ElementTree.Element]:
    text = trend_svg(held, "B [ADU]", 0)[0].decode()
    return text, ElementTree.fromstring(text)


def x(axes_of: Followed, day: float) -> str:
    axes = frame([axes_of])
    assert axes is not None
    return f"{axes.x(DAY + day):.1f}"


def test_every_value_is_drawn_once_inside_or_at_the_edge() -> None:
    values = noise(40)
    values[7], values[9], values[20] = 500.0, -500.0, None
    one = followed(values)
    text, _ = drawn(one)
    (path,) = re.findall(
        r'<path d="M([^"]*)" fill="none" stroke="none" marker-start="url\(#m0\)" marker-mid', text
    )
    places = [tuple(map(float, p.split())) for p in path.split("L")]
    assert len(places) == 37
    assert all(LEFT <= px <= WIDTH - RIGHT and TOP <= py <= HEIGHT - BOTTOM for px, py in places)
    assert [p[0] for p in places] == sorted(p[0] for p in places)
    (arrows,) = re.findall(rf'<path d="([^"]*)" fill="{FAIL}"/>', text)
    assert arrows == f"M{x(one, 7)} {TOP + 3}l4.5 8h-9zM{x(one, 9)} {HEIGHT - BOTTOM - 3}l4.5 -8h-9z"
    assert re.findall(rf'<circle cx="{x(one, 39)}"', text)  # the latest


def test_a_lone_value_an_outlier_and_one_left_out() -> None:
    text, _ = drawn(followed([1.0]))
    assert 'marker-start="url(#m0)"' in text and "marker-end" not in text
    values = noise(30)
    values[10] = 16.0
    one = followed(values, excluded=(4,))
    text, _ = drawn(one)
    assert one.found.outliers == (10,)
    assert f'<circle cx="{x(one, 10)}"' in text or f"M{x(one, 10)} {TOP + 3}" in text
    assert re.search(
        rf'<path d="M{x(one, 4)} [\d.]+" fill="none" stroke="none" marker-start="url\(#m0x\)"', text
    )


def test_nothing_to_draw_is_said() -> None:
    assert "no values" in drawn(followed([None, None]))[0]


def test_limits_are_drawn_as_they_were_then() -> None:
    old, new = Bound("OLD", 5.0, 14.0, None, DAY + 10.0), Bound("NEW", 6.0, 14.0, DAY + 10.0, None)
    one = followed(noise(20), bounds=[old] * 10 + [new] * 10)
    assert limit_lines(one) == [(old, -inf, DAY + 10.0), (new, DAY + 10.0, inf)]
    text, _ = drawn(one)
    lines = re.findall(rf'<path d="M([\d.]+) ([\d.]+)H([\d.]+)" stroke="{FAIL}"', text)
    turn = x(one, 10)
    assert [(a, b) for a, _, b in lines] == [(f"{LEFT:.1f}", turn)] * 2 + [(turn, f"{WIDTH - RIGHT:.1f}")] * 2
    assert lines[0][1] != lines[2][1] and lines[1][1] == lines[3][1]


def test_between_limits_without_dates_the_line_changes_half_way() -> None:
    a, b = Bound("A", None, 14.0, None, None), Bound("B", None, 15.0, None, None)
    assert limit_lines(followed(noise(4), bounds=[a, a, b, None])) == [
        (a, -inf, DAY + 1.5), (b, DAY + 1.5, DAY + 2.5),
    ]  # fmt: skip
    begun = Bound("C", None, 14.0, DAY - 3.0, DAY + 9.0)
    assert limit_lines(followed(noise(4), bounds=[begun] * 4)) == [(begun, DAY - 3.0, DAY + 9.0)]
    assert limit_lines(followed(noise(4))) == []


def test_channels_with_limits_of_their_own_show_them_in_their_colours() -> None:
    a, b = Bound("A", None, 14.0, None, None), Bound("B", None, 15.0, None, None)
    same = [followed(noise(4), channel=c, bounds=[a] * 4) for c in "EF"]
    apart = [followed(noise(4), channel=c, bounds=[x] * 4) for c, x in (("E", a), ("F", b))]
    assert not limits_apart(same) and limits_apart(apart)
    text, _ = drawn(*same)
    assert len(re.findall(rf'stroke="{FAIL}"', text)) == 1  # drawn once
    text, _ = drawn(*apart)
    assert f'stroke="{FAIL}"' not in text
    assert all(f'stroke="{CHANNELS[n]}" stroke-dasharray="7 3"' in text for n in (0, 1))


def test_a_limit_far_away_is_named_and_does_not_squash_the_values() -> None:
    far = Bound("FAR", None, 1e6, None, None)
    one = followed(noise(20), bounds=[far] * 20)
    axes = frame([one])
    assert axes is not None and axes.high < 20.0 and axes.outside == (far,)
    assert "limits beyond the axis: FAR: ≤ 1e+06" in drawn(one)[0]


def test_what_happened_gaps_and_versions_are_drawn() -> None:
    over = (
        Overlay("block", DAY, None, "First", "B0"), Overlay("caveat", DAY + 3.0, DAY + 6.0, "warm", "C<1>"),
        Overlay("intervention", DAY + 12.0, None, f"cooled {SCRIPT}", ""), Overlay("caveat", DAY + 100.0, inf, "later", "C2"),
    )  # fmt: skip
    one = followed(noise(20), over=over, versions=["1"] * 15 + ["2"] * 5)
    text, root = drawn(one)
    told = [e.text for e in root.iter(f"{SVG}text")]
    assert {"B0", "† C<1>", "version 2"} <= set(told) and any(
        str(t).startswith("cooled <script") for t in told
    )
    assert "† C2" not in told and SCRIPT not in text
    assert text.count(f'<path d="M{x(one, 15)} {TOP}V') == 1
    spots = (*one.spots[:10], *(s._replace(time=s.time + 400.0) for s in one.spots[10:]))
    series = Series(
        one.key, np.array([s.time for s in spots]), np.array([s.value for s in spots], dtype=float)
    )
    text, _ = drawn(replace(one, spots=spots, found=find((series, ())), overlays=()))
    assert "401 d without values" in text


def test_the_dark_picture_is_the_same_drawing() -> None:
    one = followed(noise(20))
    light, dark = (p.decode() for p in trend_svg([one], "B", 1))
    assert CHANNELS[0] in light and CHANNELS_DARK[0] in dark and CHANNELS[0] not in dark and MARK not in dark
    assert re.sub("#[0-9a-f]{6}", "", light) == re.sub("#[0-9a-f]{6}", "", dark)


@pytest.mark.parametrize("span", [0.01, 0.2, 1.5, 20.0, 100.0, 400.0, 3000.0, 20000.0])
def test_ticks_of_time_are_few_round_and_in_order(span: float) -> None:
    ticks = time_ticks(DAY + 0.3, DAY + 0.3 + span)
    times = [t for t, _ in ticks]
    assert (
        2 <= len(ticks) <= 9 and times == sorted(times) and all(a != b for (_, a), (_, b) in pairwise(ticks))
    )
    assert all(DAY + 0.3 <= t <= DAY + 0.3 + span for t in times)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 10.0, ["0", "2", "4", "6", "8", "10"]), (-1.0, 1.0, ["−1.0", "−0.5", "0", "0.5", "1.0"]),
        (2600.1, 2600.4, ["2600.10", "2600.15", "2600.20", "2600.25", "2600.30", "2600.35", "2600.40"]),
        (0.0, 5e6, ["0", "1×10⁶", "2×10⁶", "3×10⁶", "4×10⁶", "5×10⁶"]), (1.0, 1.0, []),
    ],
)  # fmt: skip
def test_ticks_of_values(low: float, high: float, texts: list[str]) -> None:
    assert [t for _, t in value_ticks(low, high)] == texts


def test_the_data_of_a_plot_hold_every_point() -> None:
    report = make_report()
    plots = list(every_plot(Book(report)))
    assert {p.group for p in plots} == set(report.trends.groups)
    (lamp,) = [p for p in plots if p.group[0].startswith("lamp")]
    rows = list(csv.DictReader(plot_csv(lamp).decode().splitlines()))
    assert len(rows) == 24 and rows[5]["value"] == "" and rows[20]["outlier"] == "yes"
    assert rows[0]["time"] == "2019-01-01T00:00:00Z" and float(rows[0]["expected"]) == pytest.approx(1.0)
    assert {r["note"] for r in rows} == {f"note {SCRIPT}"}
    script = plot_script(lamp).decode()
    assert "<" not in script
    (panel,) = json.loads(script[len("window.calbookFigure(") : -3])["panels"]
    (series,) = panel["series"]
    assert len(series["x"]) == len(series["y"]) == len(series["at"]) == 23
    assert panel["places"][0][0].endswith(f"row 2: note {SCRIPT}") and panel["places"][0][1] == ""


def test_a_worker_makes_the_same_files_of_a_plot() -> None:
    for plot in every_plot(Book(make_report())):
        sent = pickle.loads(pickle.dumps(plot))
        assert sent == plot and all(type(s) is Spot for one in sent.held for s in one.spots)
        assert plot_files(sent) == plot_files(plot) and plot_files(plot).keys() == plot.paths.keys()


def test_points_of_measurements_open_their_tests() -> None:
    report = make_report()
    plot = next(p for p in every_plot(Book(report)) if p.group == ("bias", "offset"))
    panel = json.loads(plot_script(plot).decode()[len("window.calbookFigure(") : -3])["panels"][0]
    assert ["BIAS01 of BORN", "../../blocks/BORN/tests/BIAS01.html"] in panel["places"]


def test_ranges_are_counted_from_the_latest_value() -> None:
    held = [followed(noise(20), step=30.0)]
    last = DAY + 19 * 30.0
    found = {name: (start, stop) for name, _, start, stop in ranges(held)}
    assert list(found) == ["days-30", "days-90", "days-365", "range-B0", "range-B1", "days-all"]
    assert found["days-90"][0] == last - 90.0 and found["days-90"][1] > last
    assert found["range-B0"][0] <= DAY and DAY + 270.0 <= found["range-B0"][1] < DAY + 300.0


def stepping(seed: int, size: float, n: int = 40) -> Followed:
    values = [v + (size if k >= n // 2 else 0.0) for k, v in enumerate(noise(n, seed)) if v is not None]
    one = followed(list(values), channel="EFGH"[seed % 4])
    return replace(one, key=one.key._replace(setting=str(seed)))


def test_steps_are_listed_newest_and_worst_first() -> None:
    early, late, large = stepping(1, 6.0, 30), stepping(2, 6.0, 60), stepping(3, 60.0, 40)
    held = newest_first(Trends((early, late, large)))
    assert [s.of.key.setting for s in held] == ["2", "3", "1"]
    assert worst_first(held)[0].of.key.setting == "3"
    assert all(s.kind == "step" and s.told.endswith(" ADU") for s in held)


def test_a_drift_is_told_per_year() -> None:
    values = [v + 0.2 * n for n, v in enumerate(noise(60)) if v is not None]
    (drift,) = shifts_of(followed(list(values)))
    assert drift.kind == "drift" and drift.told.endswith("ADU per year")
    assert drift.size == pytest.approx(0.2 * 365.25, rel=0.1)


def test_the_feed_is_atom_with_lasting_ids() -> None:
    report = make_report()
    held = newest_first(report.trends)
    assert held
    root = ElementTree.fromstring(feed("c", f"T {ATTRIBUTE}\x00", held))
    assert root.tag == f"{ATOM}feed"
    for element in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            (child,) = element.findall(f"{ATOM}{name}")
            assert child.text
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", element.findtext(f"{ATOM}updated") or "")
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    ids = [e.findtext(f"{ATOM}id") for e in root.findall(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids) == len(held)
    href = root.find(f"{ATOM}entry/{ATOM}link").get("href")  # type: ignore[union-attr]
    assert (
        href
        and href.endswith(f"#plot-{held[0].page.partition('#plot-')[2]}")
        and not href.startswith("trends/")
    )
    assert (
        feed("c", "T", []).decode().count("<entry>") == 0
        and ElementTree.fromstring(feed("c", "T", [])) is not None
    )


def test_an_entry_keeps_its_id_when_values_are_added() -> None:
    (before,) = shifts_of(stepping(1, 8.0))
    values = [s.value for s in stepping(1, 8.0).spots] + [18.0, 18.5]
    longer = followed(values, channel="F")
    (after,) = shifts_of(replace(longer, key=before.of.key))
    assert after.id == before.id and after.size != before.size
