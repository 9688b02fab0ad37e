"""The store only adds; what it shows is history; a half-written object is never seen."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis.contract import Measurement
from builder.store import Store, StoredResult, StoreError, put_object, write_atomically

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
    store.add_result(result("r1", 1.0), build)
    store.add_result(result("r1", 2.0), build)
    assert store.results(["r1"])["r1"].measurements[0].value == 1.0


def test_shown_keeps_history_and_records_only_changes(store: Store) -> None:
    for number, ident in enumerate(("r1", "r1", "r2"), start=1):
        build = store.begin(NOW, "c", {})
        assert build == number
        store.add_result(result(ident), build)
        store.show({PLACE: ident}, build)
    assert store.shown() == {PLACE: ["r2", "r1"]}
    store.show({}, store.begin(NOW, "c", {}))
    assert store.shown() == {PLACE: ["", "r2", "r1"]}


def test_a_verdict_that_flips_is_added_beside_the_earlier(store: Store) -> None:
    for verdict in ("pass", "pass", "fail"):
        store.judge({"m": (verdict, "L1", 0.0, 1.0, "why")}, store.begin(NOW, "c", {}))
    assert [v[0] for v in store.verdicts()["m"]] == ["fail", "pass"]


def test_a_build_that_changed_nothing_is_forgotten_but_not_one_with_results(store: Store) -> None:
    first = store.begin(NOW, "c", {})
    store.add_result(result("r1"), first)
    store.forget(first)
    second = store.begin(NOW, "c", {})
    assert second == first + 1
    store.forget(second)
    assert store.begin(NOW, "c", {}) == second


def test_last_build_is_the_last_that_finished(store: Store) -> None:
    assert store.last_build() is None
    build = store.begin(NOW, "c", {"a": "1"})
    store.begin(NOW, "killed", {})
    store.finish(build, NOW, "d", {"tests": {}}, [("new test", "B/T", "p")], {"load": 0.1})
    last = store.last_build()
    assert last is not None
    assert (last["id"], last["versions"], last["changes"]) == (build, {"a": "1"}, [["new test", "B/T", "p"]])


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
