"""The store only adds; what it shows is history; a half-written object is never seen."""

from __future__ import annotations

import os
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis.contract import Measurement
from builder.store import PARTS, Store, StoredResult, StoreError, put_object, write_atomically
from builder.store_copy import StoreCopy
from builder.store_schema import ENDING, KEPT, SCHEMA_VERSION, SETTLED, STEPS

NOW = datetime(2020, 1, 1, tzinfo=UTC)
PLACE = ("B", "T", "bias", "CCD1")


def result(ident: str, value: float | None = 1.5) -> StoredResult:
    measurement = Measurement(
        "noise",
        "E",
        "mode=x",
        value,
        0.1,
        "ADU",
        "pairs",
        10,
        ("clamped",),
        None if value else "bad-fit",
        "n",
    )
    return StoredResult(
        ident, "B", "T", "CCD1", "bias", "1", "done", NOW.isoformat(), 0.5, {"log": ["x"]}, (measurement,)
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_must_not_be_written_to(tmp_path: Path) -> None:
    Store(tmp_path / "store").db.close()
    (tmp_path / "store").chmod(0o500)
    (tmp_path / "store" / "calbook.sqlite").chmod(0o400)
    with pytest.raises(StoreError, match="--output"):
        Store(tmp_path / "store")


def test_a_result_reads_back_as_it_was(store: Store) -> None:
    build = store.begin(NOW, "c", {})
    for ident, value in (("r1", 0.1 + 0.2), ("r2", None)):
        store.add_result(result(ident, value), build)
        assert store.results([ident])[ident] == result(ident, value)


def test_adding_again_changes_nothing(store: Store) -> None:
    build = store.begin(NOW, "c", {})
    assert store.add_result(result("r1", 1.0), build)
    assert not store.add_result(result("r1", 2.0), build)
    assert store.results(["r1"])["r1"].measurements[0].value == 1.0


def test_what_results_say_alike_is_in_memory_once_and_their_frames_only_when_wanted(store: Store) -> None:
    build = store.begin(NOW, "c", {})
    detail = {"inputs": [["bias", "1/CCD1", "frames", "1.fits", "ab"]], "parameters": {"clip": 4.0, "n": 4}, "versions": {"numpy": "2"}, "log": []}  # fmt: skip
    for ident in ("r1", "r2"):
        store.add_result(replace(result(ident), detail=detail), build)
    one, two = store.results(["r1", "r2"], inputs=False).values()
    assert one.detail == two.detail == {k: v for k, v in detail.items() if k != "inputs"}
    assert all(one.detail[k] is two.detail[k] for k in ("parameters", "versions"))
    a, b = one.measurements[0], two.measurements[0]
    assert a == b and a.estimator is b.estimator and a.setting is b.setting
    assert store.results(["r1"])["r1"].detail == detail


def test_shown_keeps_history_and_records_only_changes(store: Store) -> None:
    for number, ident in enumerate(("r1", "r1", "r2"), start=1):
        build = store.begin(NOW, "c", {})
        assert build == number
        store.add_result(result(ident), build)
        store.show({PLACE: ident}, build)
        store.finish(build, NOW, "d", {}, [], {})
    assert store.shown() == {PLACE: ["r2", "r1"]}
    store.show({}, store.begin(NOW, "c", {}))
    assert store.shown() == {PLACE: ["", "r2", "r1"]}


def test_a_verdict_that_flips_is_added_beside_the_earlier(store: Store) -> None:
    for verdict in ("pass", "pass", "fail"):
        build = store.begin(NOW, "c", {})
        moving, staying = (verdict, "L1", 0.0, 1.0, "why"), ("pass", None, None, None, "")
        store.judge({"r": {"r.m": moving}, "rr": {"rr.m": staying}}, build)
        store.finish(build, NOW, "d", {}, [], {})
    assert [v[0] for v in store.verdicts()["r.m"]] == ["fail", "pass"]
    assert store.verdicts(["r"]) == {"r.m": store.verdicts()["r.m"]}  # and not those of "rr"


def test_a_build_that_changed_nothing_is_forgotten_but_not_one_with_results(store: Store) -> None:
    first = store.begin(NOW, "c", {})
    store.add_result(result("r1"), first)
    store.forget(first)
    store.finish(first, NOW, "d", {}, [], {})
    second = store.begin(NOW, "c", {})
    assert second == first + 1
    store.forget(second)
    assert store.begin(NOW, "c", {}) == second


def test_last_build_is_the_last_that_finished(store: Store) -> None:
    assert store.last_build() is None
    build = store.begin(NOW, "c", {"a": "1"})
    store.finish(build, NOW, "d", {"tests": {}}, [("new test", "B/T", "p")], {"load": 0.1})
    store.begin(NOW, "killed", {})
    last = store.last_build()
    assert last is not None
    assert (last["id"], last["versions"], last["changes"]) == (build, {"a": "1"}, [["new test", "B/T", "p"]])


def test_states_do_not_pile_up_build_after_build(store: Store) -> None:
    """They are as large as the campaign, and only the next build looks at one."""
    for number in range(3):
        store.finish(store.begin(NOW, "c", {}), NOW, "d", {"tests": {"T": number}}, [("new test", "B/T", "p")], {})  # fmt: skip
    last = store.last_build()
    assert last is not None and last["state"] == {"tests": {"T": 2}}
    assert [s is None for (s,) in store.db.execute("SELECT state FROM builds ORDER BY id")] == [True, True, False]  # fmt: skip
    assert {c for (c,) in store.db.execute("SELECT changes FROM builds")} == {'[["new test", "B/T", "p"]]'}


def test_a_build_takes_over_the_number_of_one_that_was_killed_and_what_that_had_shown(store: Store) -> None:
    first = store.begin(NOW, "c", {})
    store.add_result(result("r1"), first)
    store.show({PLACE: "r1"}, first)
    store.judge({"r1": {"r1.noise": ("pass", None, None, None, "")}}, first)
    store.page_changed("p.html", "digest", {"part": "x"})
    store.save_drawn({"p.html": ("key", "digest", "[]")}, (), first)
    assert store.begin(NOW, "again", {"a": "2"}) == first
    assert (store.shown(), store.verdicts(), store.page_history("p.html")) == ({}, {}, [])
    assert store.results(["r1"])["r1"] == result("r1")  # what was measured stays
    store.judge({"r1": {"r1.noise": ("pass", None, None, None, "")}}, first)
    assert [v[0] for v in store.verdicts()["r1.noise"]] == ["pass"]


def test_an_old_database_is_brought_up_to_date_and_keeps_its_history(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calbook.sqlite") as db:
        db.executescript(STEPS[0] + "PRAGMA user_version=1;")
        db.execute("INSERT INTO builds VALUES (1, 's', 'f', 'c', '{}', 'd', '{\"tests\": {}}', '[]', '{}')")
        db.execute(
            "INSERT INTO results VALUES ('r1', 1, 'B', 'T', 'CCD1', 'bias', '1', 'done', 's', 0.5, '{}')"
        )
        db.execute("INSERT INTO shown VALUES ('B', 'T', 'bias', 'CCD1', 'r1', 1)")
        db.execute("INSERT INTO verdicts VALUES ('r1.noise', 'pass', NULL, NULL, NULL, 'why', 1)")
        db.execute("INSERT INTO pages VALUES ('p.html', 'd', '{\"its results\": \"x\"}', 1)")
    db.close()
    with Store(tmp_path) as store:
        assert store.db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert store.shown() == {PLACE: ["r1"]}
        assert store.results(["r1"])["r1"].detector == "CCD1"
        assert store.verdicts(["r1"])["r1.noise"][0][0] == "pass"
        assert store.page_history("p.html") == [(1, "s", "d", {"its results": "x"})]
        assert (store.drawn(), store.complete()) == ({}, None)
        last = store.last_build()
        assert last is not None and last["id"] == 1
    fresh = Store(tmp_path / "new")
    tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
    assert fresh.db.execute(tables).fetchall() == Store(tmp_path).db.execute(tables).fetchall()


def test_the_copy_for_the_site_holds_the_history_and_no_caches(store: Store, tmp_path: Path) -> None:
    build = store.begin(NOW, "c", {})
    store.add_result(result("r1"), build)
    store.save_cached("files", {"frames/a.fits": "{}"})
    store.page_changed("p.html", "digest", {"part": "x"})
    store.save_drawn({"p.html": ("key", "digest", "[]")}, (), build)
    (tmp_path / "copy.sqlite").write_bytes(store.copy())
    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for table, count in {"results": 1, "measurements": 1, "pages": 1, "files": 0, "drawn": 0}.items():
        assert copy.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,), table
    assert store.copy() == store.copy()


def test_a_copy_begun_before_the_end_of_a_build_is_that_of_afterwards(store: Store) -> None:
    """What a build ends with is added while the copy is under way, in the same transaction log."""
    build = store.begin(NOW, "c", {})
    store.add_result(result("r1"), build)
    with store.copying() as begun:
        begun.begin()
        store.say_caveats({"C1": "said"}, build)
        store.page_changed("p.html", "digest", {"part": "x"})
        store.save_drawn({"p.html": ("key", "digest", "[]")}, (), build)
        store.finish(build, NOW, "whole", {}, (), {})
        assert begun.finish().read_bytes() == store.copy()
    assert set(SETTLED) | set(ENDING) == set(KEPT) and not set(SETTLED) & set(ENDING)


def test_the_copy_keeps_the_order_of_rows(store: Store) -> None:
    """They are handed over as they are, in the order in which they were added: not that of any index."""
    build = store.begin(NOW, "c", {})
    for name in ("r3", "r1", "r2"):
        store.add_result(result(name), build)
    store.db.execute("DELETE FROM measurements WHERE result_id = 'r1'")  # an old store may have gaps
    copy = sqlite3.connect(":memory:")
    copy.deserialize(store.copy())
    assert [r[0] for r in copy.execute("SELECT id FROM results ORDER BY rowid")] == ["r3", "r1", "r2"]
    for table in KEPT:
        rows = f"SELECT * FROM {table} ORDER BY rowid"
        assert copy.execute(rows).fetchall() == list(map(tuple, store.db.execute(rows).fetchall())), table


def test_a_copy_of_what_is_no_database_says_so_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "calbook.sqlite").write_bytes(b"no database at all" * 1000)
    with (
        StoreCopy(tmp_path / "calbook.sqlite", tmp_path / "parts") as copy,
        pytest.raises(sqlite3.DatabaseError, match="not a database"),
    ):
        copy.finish()
    assert not list((tmp_path / "parts").iterdir())


def test_a_copy_that_nobody_wants_ends_with_its_file_and_its_thread(store: Store) -> None:
    build = store.begin(NOW, "c", {})
    many = [(f"r{n}.noise", "pass", None, None, None, "why " * 50, build) for n in range(100_000)]
    with store.transaction():
        store.db.executemany("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)", many)
    with store.copying() as copy:
        copy.begin()
        assert list((store.objects / PARTS).iterdir())
    assert not [t for t in threading.enumerate() if "database" in t.name]
    assert not list((store.objects / PARTS).iterdir())


def test_what_pages_show_becomes_history_only_when_they_are_recorded(store: Store) -> None:
    build = store.begin(NOW, "c", {})
    store.page_changed("p.html", "digest", {"part": "x"})
    assert store.page_history("p.html") == []
    with Store(store.folder) as other:  # as after a build that was killed
        other.save_drawn({}, (), build)
        assert other.page_history("p.html") == []
    store.save_drawn({"p.html": ("key", "digest", "[]")}, (), build)
    store.save_drawn({}, (), build)
    assert [(since, parts) for since, _, _, parts in store.page_history("p.html")] == [(build, {"part": "x"})]


def test_whether_many_files_are_known_is_told_to_the_one(store: Store) -> None:
    assert not store.has_files(1)
    store.save_cached("files", {"frames/a.fits": "{}", "frames/b.fits": "{}"})
    assert (store.has_files(2), store.has_files(3)) == (True, False)


def test_objects_are_named_by_content(tmp_path: Path) -> None:
    one, two = put_object(tmp_path, b"x", ".svg"), put_object(tmp_path, b"y", ".svg")
    assert one != two
    assert put_object(tmp_path, b"x", ".svg") == one
    assert (tmp_path / one).read_bytes() == b"x"


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_foreign_file_in_place_of_the_database_is_explained(tmp_path: Path) -> None:
    (tmp_path / "calbook.sqlite").write_bytes(b"not a database, " * 100)
    with pytest.raises(StoreError, match="Move it away"):
        Store(tmp_path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).db.close()
    with sqlite3.connect(tmp_path / "calbook.sqlite") as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="newer calbook"):
        Store(tmp_path)
