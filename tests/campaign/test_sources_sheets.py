"""Google Sheets against a server on this machine: what is read, what fails how, and that no secret shows."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sheets_server import KEY, LOGIN_PAGE, TOKEN, Fault, SheetsServer, Worksheet

from campaign.findings import Finding
from campaign.model import Campaign, SheetsSettings, Source
from campaign.record import Snapshot
from campaign.sources.addresses import SheetAddress
from campaign.sources.grid import SourceError
from campaign.sources.pull import pull
from campaign.sources.secrets import Secrets
from campaign.sources.sheets_access import api_base

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
ROWS: list[list[Any]] = [["Test", "OBSID"], ["BIAS01", "101-110"], ["PTC01", "111-120"]]


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer(
        {"BOOK1": [Worksheet("Notes", [["x"]], gid=0), Worksheet("D11's", [*ROWS], gid=7)]}
    ) as running:
        yield running


class Run:
    """Pulls from the server again and again into one store, at a clock that is set by hand."""

    def __init__(self, server: SheetsServer, folder: Path) -> None:
        self.server, self.folder, self.at = server, folder, NOW
        self.address, self.sheet = "https://docs.google.com/spreadsheets/d/BOOK1/edit#gid=7", ""
        self.settings: dict[str, Any] = {"api": server.api, "timeout": 5.0, "retries": 2}
        self.environ = {"CALBOOK_SHEETS_KEY": KEY}
        self.slept: list[float] = []

    def __call__(self, *, offline: bool = False) -> tuple[Snapshot, list[Finding]]:
        sources = (Source(id="rec", address=self.address, sheet=self.sheet, block="B"),)
        campaign = Campaign(
            root=self.folder, id="c", title="C", sources=sources, sheets=SheetsSettings(**self.settings)
        )
        snapshots, findings = pull(
            campaign,
            self.folder / "store",
            now=lambda: self.at,
            environ=self.environ,
            offline=offline,
            sleep=self.slept.append,
        )
        return snapshots[0], findings


@pytest.fixture
def run(server: SheetsServer, tmp_path: Path) -> Run:
    return Run(server, tmp_path)


def test_sheet_is_read_by_its_number_with_addresses(run: Run) -> None:
    snapshot, findings = run()
    assert findings == []
    assert snapshot.table is not None
    assert snapshot.table.sheet == "D11's"
    assert snapshot.table.columns == ("Test", "OBSID")
    assert [(c.value, c.address) for c in snapshot.table.rows[1].values()] == [
        ("PTC01", "A3"),
        ("111-120", "B3"),
    ]
    assert (snapshot.pulled_at, snapshot.stale, snapshot.error) == (NOW, False, "")


def test_cells_keep_their_kind(run: Run) -> None:
    def formatted(number: float, kind: str, shown: str) -> dict[str, Any]:
        form = {"numberFormat": {"type": kind}}
        return {"effectiveValue": {"numberValue": number}, "effectiveFormat": form, "formattedValue": shown}

    sheet = run.server.books["BOOK1"][1]
    sheet.rows = [
        ["a", "b", "c", "d", "e", "f", "g"],
        [
            formatted(43535, "DATE", "11-Mar-19"),
            formatted(43535.5, "DATE_TIME", "11 Mar noon"),
            formatted(0.123456, "NUMBER", "0.12"),
            {"effectiveValue": {"errorValue": {"type": "REF", "message": "gone"}}, "formattedValue": "#REF!",
             "userEnteredValue": {"formulaValue": "=X1"}},
            {"effectiveValue": {"numberValue": 3}, "formattedValue": "3", "userEnteredValue": {"formulaValue": "=1+2"}},
            True,
            {"effectiveValue": {"stringValue": "#REF!"}, "formattedValue": "#REF!", "note": "typed; by hand"},
        ],
    ]  # fmt: skip
    sheet.merges = [{"startRowIndex": 1, "endRowIndex": 3, "startColumnIndex": 5, "endColumnIndex": 6}]
    sheet.rows.append(["x"])
    sheet.hidden = {3}
    snapshot, findings = run()
    assert snapshot.table is not None
    row = snapshot.table.rows[0]
    assert row["a"].value == date(2019, 3, 11)
    assert row["b"].value == datetime(2019, 3, 11, 12)
    assert (row["c"].value, row["c"].note) == (0.123456, "shown as: 0.12")
    assert (row["d"].value, row["d"].note) == (None, "error value #REF!; formula")
    assert (row["e"].value, row["e"].note) == (3, "formula")
    assert (row["f"].value, row["f"].note) == (True, "shown as: TRUE; merged")
    assert (row["g"].value, row["g"].note) == ("#REF!", "comment: typed, by hand")
    assert (snapshot.table.rows[1]["f"].value, snapshot.table.rows[1]["f"].note) == (
        True,
        "merged from F2; hidden row",
    )
    assert sorted(f.kind for f in findings) == ["bad-cell", "table-shape"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(401), "401"),
        (Fault(403), "403"),
        (Fault(404), "404"),
        (Fault(302, {"Location": "https://accounts.invalid/login"}), "login page"),
        (Fault(200, {"Content-Type": "text/html"}, LOGIN_PAGE), "web page"),
        (Fault(200, body=LOGIN_PAGE), "web page"),
        (Fault(200, body=b"[1, 2]"), "not one of Google Sheets"),
        (Fault(200, body=b'{"sheets": 3}'), "not one of Google Sheets"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(run: Run, fault: Fault, says: str) -> None:
    run()
    asked = len(run.server.paths)
    run.server.faults.append(fault)
    run.at = NOW + timedelta(days=3, hours=2)
    snapshot, findings = run()
    assert len(run.server.paths) == asked + 1
    assert run.slept == []
    assert snapshot.stale
    assert snapshot.table is not None
    assert says in snapshot.error
    assert (snapshot.pulled_at, snapshot.checked_at) == (NOW, NOW)
    (finding,) = findings
    assert finding.kind == "source-stale"
    assert finding.block == "B"
    assert says in finding.what
    assert "3 days ago" in finding.what


@pytest.mark.parametrize(
    "fault",
    [Fault(500), Fault(503), Fault(429), Fault(cut=20), Fault(200, body=b'{"sheets": [')],
)
def test_what_may_pass_is_tried_again_and_heals(run: Run, fault: Fault) -> None:
    run.server.faults += [fault, fault]
    snapshot, findings = run()
    assert findings == []
    assert not snapshot.stale
    assert run.slept == [1.0, 2.0]


@pytest.mark.parametrize("fault", [Fault(500), Fault(cut=20), Fault(429)])
def test_what_does_not_heal_falls_back_after_the_attempts_allowed(run: Run, fault: Fault) -> None:
    run()
    run.server.faults += [fault] * 3
    snapshot, findings = run()
    assert snapshot.stale
    assert [f.kind for f in findings] == ["source-stale"]
    assert "tried 3 times" in snapshot.error
    assert len(run.slept) == 2


def test_retry_after_is_honoured_in_seconds_and_as_a_date(run: Run) -> None:
    in_nine = (NOW + timedelta(seconds=9)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    run.server.faults += [Fault(429, {"Retry-After": "7"}), Fault(503, {"Retry-After": in_nine})]
    snapshot, _ = run()
    assert not snapshot.stale
    assert run.slept == [7.0, 9.0]


def test_a_server_that_asks_for_too_long_is_not_waited_for(run: Run) -> None:
    run()
    run.server.faults.append(Fault(429, {"Retry-After": "3600"}))
    snapshot, _ = run()
    assert run.slept == []
    assert "asks to wait 3600 s" in snapshot.error


@pytest.mark.parametrize("fault", [Fault(slow=True), Fault(trickle=True)])
def test_a_slow_answer_is_not_waited_for(run: Run, fault: Fault) -> None:
    run()
    run.settings |= {"timeout": 0.2, "retries": 0}
    run.server.faults.append(fault)
    snapshot, findings = run()
    assert snapshot.stale
    assert "no answer within 0.2 s" in snapshot.error
    assert [f.kind for f in findings] == ["source-stale"]


def test_no_network_is_met_once_for_all_sources(run: Run, tmp_path: Path) -> None:
    with SheetsServer({}) as gone:
        closed = gone.api
    sources = tuple(Source(id=f"s{i}", address=f"gsheet:BOOK{i}", block="B") for i in range(5))
    settings = SheetsSettings(api=closed, timeout=2, retries=1)
    campaign = Campaign(root=tmp_path, id="c", title="C", sources=sources, sheets=settings)
    snapshots, findings = pull(
        campaign, tmp_path / "s", now=lambda: NOW, environ=run.environ, sleep=run.slept.append
    )
    assert [f.kind for f in findings] == ["source-unread"] * 5
    assert all(s.table is None and s.stale for s in snapshots)
    assert run.slept == [1.0]


def test_renamed_sheet_falls_back_and_names_what_is_there(run: Run) -> None:
    run.sheet = "D11's"
    run()
    run.server.books["BOOK1"][1].title = "D11 old"
    snapshot, findings = run()
    assert snapshot.stale
    assert "'D11 old'" in findings[0].what
    assert "renamed" in findings[0].what


@pytest.mark.parametrize("half", ["rows", "header"])
def test_half_read_sheet_falls_back(run: Run, half: str) -> None:
    before, _ = run()
    sheet = run.server.books["BOOK1"][1]
    if half == "rows":
        sheet.sent_rows = 2
    else:
        sheet.rows = [[], *ROWS[1:]]
    snapshot, findings = run()
    assert snapshot.stale
    assert snapshot.table == before.table
    assert [f.kind for f in findings] == ["source-stale"]
    assert ("read half" if half == "rows" else "no column names") in snapshot.error


def test_a_change_adds_a_snapshot_and_no_change_does_not(run: Run) -> None:
    first, _ = run()
    run.at += timedelta(hours=1)
    same, _ = run()
    assert (same.pulled_at, same.checked_at, same.revision) == (NOW, run.at, first.revision)
    run.server.books["BOOK1"][1].rows = [*ROWS, ["FLAT01", "121-130"]]
    run.at += timedelta(hours=1)
    changed, _ = run()
    assert changed.pulled_at == run.at
    assert changed.revision != first.revision
    assert len([p for p in (run.folder / "store" / "rec").glob("*.json") if p.name != "last.json"]) == 2


def test_offline_asks_nobody(run: Run) -> None:
    run()
    asked = len(run.server.paths)
    snapshot, findings = run(offline=True)
    assert len(run.server.paths) == asked
    assert snapshot.stale
    assert [f.kind for f in findings] == ["source-stale"]


def test_without_credentials_the_source_says_what_to_set(run: Run) -> None:
    run.environ = {}
    snapshot, findings = run()
    assert snapshot.table is None
    assert "CALBOOK_SHEETS_KEY" in findings[0].what
    assert run.server.paths == []


def _account(run: Run, **changes: str) -> str:
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    from cryptography.hazmat.primitives import serialization

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    info = {
        "type": "service_account",
        "client_email": "calbook@lab.invalid",
        "private_key": key.decode(),
        "private_key_id": "id-that-must-never-show",
        "token_uri": f"{run.server.api}/token",
        **changes,
    }
    path = run.folder / "account.json"
    path.write_text(json.dumps(info))
    run.environ = {"CALBOOK_SHEETS_CREDENTIALS": str(path)}
    return str(info["private_key"])


def test_service_account_fetches_one_token(run: Run) -> None:
    _account(run)
    snapshot, findings = run()
    assert findings == []
    assert snapshot.table is not None
    assert run.server.tokens_given == 1


def test_refused_service_account_is_said_without_its_secrets(run: Run) -> None:
    private = _account(run)
    body = json.dumps({"error": "invalid_grant", "error_description": f"bad {TOKEN} {private}"}).encode()
    run.server.token_faults.append(Fault(400, body=body))
    snapshot, _ = run()
    assert "the service account was refused" in snapshot.error
    assert "invalid_grant" in snapshot.error
    assert TOKEN not in snapshot.error
    assert private[40:80] not in snapshot.error


@pytest.mark.parametrize(
    "changes", [{"private_key": "no key"}, {"token_uri": "http://elsewhere.invalid/token"}]
)
def test_unusable_key_file(run: Run, changes: dict[str, str]) -> None:
    _account(run, **changes)
    snapshot, _ = run()
    assert "key file" in snapshot.error
    assert run.server.paths == []


def test_no_secret_in_anything_written_or_said(
    run: Run, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = json.dumps(
        {"error": {"code": 403, "message": f"key={KEY} and Bearer {TOKEN} are bad, {KEY}"}}
    ).encode()
    said: list[object] = []
    for account in (False, True):
        secrets = [KEY, TOKEN, "id-that-must-never-show"]
        if account:
            secrets += _account(run).splitlines()[1:-1]
        said.append(run())
        for fault in (Fault(403, body=echo), Fault(400, body=echo), Fault(500, body=echo)):
            run.server.faults += [fault] * (3 if fault.status == 500 else 1)
            said.append(run())
        written = [p.read_text() for p in (run.folder / "store").rglob("*") if p.is_file()]
        out = capfd.readouterr()
        everything = "\n".join([*map(repr, said), *written, caplog.text, out.out, out.err, *run.server.paths])
        assert "403" in everything
        assert [s for s in secrets if s in everything] == []


def test_redaction_knows_secrets_and_their_looks() -> None:
    secrets = Secrets()
    secrets.add("hunter22", "", None, "abc")
    pem = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"
    text = secrets.redact(f"hunter22 abc {KEY} ya29.x-y Bearer q1w2 ?key=zz&x=1 {pem}")
    assert text == "[secret] abc [secret] [secret] [secret] ?[secret]&x=1 [secret]"


@pytest.mark.parametrize(
    ("setting", "base"),
    [
        ("", "https://sheets.googleapis.com"),
        ("https://proxy.lab/sheets/", "https://proxy.lab/sheets"),
        ("https://proxy.lab/v4/spreadsheets", "https://proxy.lab"),
        ("http://127.0.0.1:8000/v4/", "http://127.0.0.1:8000"),
    ],
)
def test_base_addresses(setting: str, base: str) -> None:
    assert api_base(setting) == base


@pytest.mark.parametrize(
    "setting", ["http://proxy.lab", "https://u:pw@proxy.lab", "https://p.lab/?key=1", "ftp://x"]
)
def test_base_addresses_that_would_spill_keys_are_refused(setting: str) -> None:
    with pytest.raises(SourceError) as caught:
        api_base(setting)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://docs.google.com/spreadsheets/d/1aB-c_9/edit#gid=12", SheetAddress("1aB-c_9", 12)),
        ("https://docs.google.com/spreadsheets/u/0/d/1aB/edit?gid=5#gid=5", SheetAddress("1aB", 5)),
        ("gsheet:1aB", SheetAddress("1aB")),
        ("gsheet:1aB#gid=0", SheetAddress("1aB", 0)),
        ("records/a.csv", None),
        ("https://example.org/spreadsheets/d/1aB", None),
    ],
)
def test_addresses(address: str, found: SheetAddress | None) -> None:
    assert SheetAddress.of(address) == found


def test_published_address_is_refused_with_the_reason(run: Run) -> None:
    run.address = "https://docs.google.com/spreadsheets/d/e/2PACX-1/pubhtml"
    snapshot, findings = run()
    assert snapshot.table is None
    assert "copy it from the browser" in findings[0].what
