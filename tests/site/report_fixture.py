"""A synthetic report with every state a page can meet: all verdicts, all kinds of finding, hostile text.

Nothing is read or computed: the values are made up, the same each time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from analysis.contract import (
    FigureSpec,
    Inputs,
    Measurement,
    Parameter,
    Procedure,
    ProductSpec,
    Quantity,
    Results,
    Role,
    Use,
    Version,
)
from builder.caveats import raised_caveats
from builder.costs import Costs, ProcedureCost, StageCost, TestCost
from builder.decide import decide
from builder.render import addresses
from builder.report import (
    BlockReport,
    BuildInfo,
    Change,
    Counts,
    DrawnFigure,
    FrameReport,
    Judged,
    Levels,
    Outcome,
    Report,
    StoredProduct,
    TestReport,
    Verdict,
)
from builder.trend_found import Kept
from builder.trends import follow
from campaign.certification import Decided, Decision
from campaign.findings import KINDS, Finding
from campaign.frames import Frame, FrameFile
from campaign.geometry import quadrants, single
from campaign.model import (
    Block,
    Campaign,
    Caveat,
    CertificationRule,
    CertificationUse,
    Detector,
    Document,
    Intervention,
    Limit,
    Link,
    Person,
    ProcedureUse,
    Scope,
    Source,
)
from campaign.record import Cell, Snapshot, Table, Test
from campaign.series import SeriesRow, SeriesTable

SCRIPT = "<script>alert(1)</script>"
ATTRIBUTE = '"><img src=x onerror=alert(2)>'
HOSTILE_FILE = "raw/a \"quoted\" 'name' & <b>ümlaut</b> #7?.fits"
NOW = datetime(2019, 3, 20, 18, 0, tzinfo=UTC)
QUADRANTS = "EFGH"


def _measure(inputs: Inputs, results: Results) -> None:
    raise NotImplementedError("the fixture measures nothing")


BIAS = Procedure(
    name="bias",
    title="Bias",
    purpose="Offset and read noise of each channel, from frames without light or exposure.",
    history=(
        Version("1", "2018-11-02", "First version."),
        Version("2", "2019-01-15", "Clip bias corrected."),
    ),
    roles=(Role("bias", ("bias",), 3, "Frames of zero exposure"),),
    quantities=(
        Quantity("offset", "O", "ADU", "Mean level of the image region.", "clipped mean"),
        Quantity("read_noise", "σ", "ADU", "Scatter of a pixel between frames.", "pair differences"),
        Quantity(
            "structure",
            "s",
            "ADU",
            "Scatter of the master over the detector.",
            "standard deviation",
            kind="engineering",
            per="detector",
        ),
    ),
    measure=_measure,
    algorithm="Frames are stacked with iterative clipping.\n\nThe noise is that of the differences of pairs.",
    parameters=(
        Parameter("clip", 3.0, "Clip at so many sigma", "σ", 1.0, 10.0),
        Parameter("mode", "median", "How rows are combined"),
    ),
    figures=(FigureSpec("profile", "Profile", "Look for steps along the rows."),),
    products=(ProductSpec("master_bias", "fits", "Clipped mean of the frames."),),
    acceptance=("Read noise within its limit on every channel.",),
    caveats=("Offsets drift while the electronics warm up.",),
    references=("A Handbook of CCD Testing, section 4. https://example.org/handbook",),
)
TRANSFER = Procedure(
    name="photon_transfer",
    title=f"Photon transfer {SCRIPT}",
    purpose="Gain from the variance of pairs of flats.",
    history=(Version("1", "2018-12-01", "First version."),),
    roles=(
        Role("flat", ("flat",), 4, "Pairs of flats"),
        Role("bias", ("bias",), 0, "For the offset", elsewhere=True),
    ),
    quantities=(
        Quantity("gain", "g", "e⁻/ADU", "Electrons per ADU.", "straight line"),
        Quantity("full_well", "w", "e⁻", "Level where the variance turns over.", "turnover"),
        Quantity("dark_rate", "d", "e⁻/s", "Signal without light.", "difference"),
    ),
    measure=_measure,
    figures=(
        FigureSpec("curve", "Curve", "Look for a turnover."),
        FigureSpec("residuals", "Residuals", "Flat."),
    ),
    products=(ProductSpec("table", "ecsv", "Points of the curve."),),
    uses=(Use("bias", "read_noise", "Fixes the intercept"),),
)

CAVEATS = (
    Caveat(
        id="warm-roe",
        text="The electronics were still warming up on the first day.",
        severity="minor",
        author="A. Analyst",
        date=date(2019, 3, 11),
        scope=Scope(blocks=("BORN",), tests=("BIAS*",)),
    ),
    Caveat(
        id="ccd2-f",
        text=f"CCD2 quadrant F is noisy {SCRIPT}",
        severity="major",
        author=ATTRIBUTE,
        date=date(2019, 3, 12),
        scope=Scope(detectors=("CCD2",), channels=("F",)),
    ),
    Caveat(id="all", text="Serial numbers are provisional.", severity="info"),
    Caveat(id="all", text="Another caveat of the same name.", severity="info"),
    Caveat(
        id="old",
        text="The lamp flickered.",
        severity="minor",
        resolved=date(2019, 3, 15),
        scope=Scope(blocks=("BORN",), start=date(2019, 3, 1), end=date(2019, 3, 14)),
    ),
)
LIMITS = (
    Limit(id="VGCC-RON-01", quantity="bias.read_noise", low=0.86, high=1.44, document="PL-6-001", file="limits/bias.toml"),
    Limit(
        id="VGCC-GAIN-01",
        quantity="photon_transfer.gain",
        low=3.0,
        high=3.5,
        severity="warn",
        scope=Scope(start=date(2019, 1, 1)),
        note=SCRIPT,
    ),
    Limit(
        id="VGCC-RON-01", quantity="bias.read_noise", high=2.0, scope=Scope(blocks=("DRY-*",)), document="PL-6-001, dry runs",
    ),
    Limit(id=f"odd {ATTRIBUTE}", quantity="nothing.known", high=1e-7),
)  # fmt: skip


def _frame(block: str, number: int, detector: str, kind: str, state: str = "ok") -> Frame:
    path = HOSTILE_FILE if number == 103 else f"{block}/{number}_{detector}.fits"
    taken = datetime(2019, 3, 11, 9, 0) + timedelta(minutes=number - 100)
    fields: dict[str, str | float | None] = {
        "exposure": str(number),
        "detector": detector,
        "type": kind,
        "exptime": None if number == 102 else 0.0 if kind == "bias" else 2.5,
        "date": taken.isoformat(),
        "wavelength": 800.0 if kind == "flat" else None,
        "object": SCRIPT if number == 103 else "lab",
    }
    file = FrameFile(
        "frames", path, 1_240_320, 1, number, state, "cut short" if state != "ok" else "", f"{number:064x}"
    )
    sources = {"exptime": "header EXPTIME", "type": "file name"}
    return Frame(f"{number}/{detector}", str(number), detector, file, {"": 0}, fields, sources, block)


def _measurements(result: str, procedure: Procedure, detector: str, offset: int) -> list[Judged]:
    out = []
    for quantity in procedure.quantities:
        channels = [None] if quantity.per == "detector" else list(QUADRANTS)
        for i, channel in enumerate(channels):
            out.append(_judged(result, procedure, quantity, detector, channel, i + offset))
    return out


def _judged(
    result: str, procedure: Procedure, quantity: Quantity, detector: str, channel: str | None, k: int
) -> Judged:
    base, spread = {
        "offset": (2650.1234567890123, 3.21),
        "read_noise": (1.0512345, 0.012),
        "structure": (0.25, None),
        "gain": (3.41234567, 0.0123),
        "full_well": (175_432.1, 2345.0),
        "dark_rate": (5.4e-7, 2.1e-8),
    }[quantity.name]
    value: float | None = base * (1 + 0.07 * (k % 5))
    verdict, why, flags, reason = Verdict.NOT_EVALUATED, "no limit applies", (), None
    limit = next((x for x in LIMITS if x.quantity == f"{procedure.name}.{quantity.name}"), None)
    if limit is not None and value is not None:
        inside = (limit.low or 0) <= value <= (limit.high or 1e99)
        verdict = Verdict.PASS if inside else Verdict(limit.severity)
        why = "within the limit" if inside else "above the limit"
    if quantity.name == "read_noise" and k % 5 == 1:
        flags, verdict, why = (
            ("lamp-drift", "few-frames"),
            Verdict.WARN,
            "within the limit, but the light changed",
        )
    if quantity.name == "full_well" and k % 2:
        value, reason, verdict = None, "not-reached", Verdict.NOT_REACHED
        why = "the data do not reach the regime in which this could be measured"
    if quantity.name == "dark_rate" and k % 4 == 3:
        value, reason, why = None, "too-few-frames", "there are fewer frames than the estimator needs"
    name = ".".join([result, quantity.name, *([channel] if channel else [])])
    caveats = tuple(c for c in CAVEATS[:2] if c.scope.covers("BORN", "BIAS01", detector, channel))
    earlier = (("2019-03-18T10:00:00+00:00", base, spread, "pass", "00ff00ff00ff00ff00ff"),) if k == 0 else ()
    measured = Measurement(
        quantity.name, channel, "600 nm" if procedure is TRANSFER else "", value, None if value is None else spread, quantity.unit,
        quantity.estimator, 0 if value is None else 40 + k, flags, reason, SCRIPT if k == 2 else "",
    )  # fmt: skip
    return Judged(name, measured, verdict, limit, why, caveats, earlier)


def _outcome(
    block: str, test: str, detector: str, procedure: Procedure, serial: int, frames: tuple[Frame, ...] = ()
) -> Outcome:
    result = f"{serial:020x}"
    figures = tuple(
        DrawnFigure(
            spec.name, spec.title, spec.caption, f"figures/{result}-{spec.name}-light.svg",
            f"figures/{result}-{spec.name}-dark.svg", f"figures/{result}-{spec.name}.csv", 640, 400,
            f"{spec.title} of {detector}",
        )
        for spec in procedure.figures[:1]
    )  # fmt: skip
    products = tuple(
        StoredProduct(
            p.name, p.meaning, f"products/{block}/{test}/{detector}_{p.name}.{p.form}", 35_400_000, "ab" * 32
        )
        for p in procedure.products
    )
    return Outcome(
        result, block, test, detector, procedure, "done", "", ("stacked 4 frames", f"log {SCRIPT}"),
        tuple(_measurements(result, procedure, detector, serial)), figures, products,
        {f.name: "too few frames" for f in procedure.figures[1:]}, ("The lamp was not warm.",),
        tuple((procedure.roles[0].name, f) for f in frames if f.detector == detector),
        (("bias.read_noise", f"{0xB0:020x}.read_noise.E"), ("bias.offset", "ffffffffffffffffffff.offset.E"))
        if procedure.uses else (),
        {p.name: p.default for p in procedure.parameters}, {"calbook": "0.1.0", "numpy": "2.1"},
        "2019-03-20T17:58:00+00:00", 1.234, addresses.result_page(result),
    )  # fmt: skip


def _with_raised(test: TestReport) -> TestReport:
    """The test with the caveats that its procedures raised, on itself, its results and its numbers."""
    said = [(o.procedure.name, o.detector, text) for o in test.outcomes for text in o.raised]
    raised = raised_caveats(test.block.id, test.test.name, said)

    def own(o: Outcome) -> Outcome:
        held = tuple(c for c in raised if c.raised_by == o.procedure.name and o.detector in c.scope.detectors)
        numbers = tuple(replace(j, caveats=j.caveats + held) for j in o.measurements)
        return replace(o, caveats=held, measurements=numbers)

    return replace(test, outcomes=tuple(own(o) for o in test.outcomes), caveats=test.caveats + raised)


def _broken(outcome: Outcome) -> Outcome:
    return replace(
        outcome, status="error", error=f"ZeroDivisionError: division by zero {SCRIPT}", measurements=(), figures=(),
        products=(), absent={}, log=("reading frames", "Traceback: line 1 & <more>"),
    )  # fmt: skip


def _row(row: int, **cells: str | float | datetime | None) -> dict[str, Cell]:
    columns = {name: f"{chr(65 + i)}{row}" for i, name in enumerate(cells)}
    return {name: Cell(value, columns[name]) for name, value in cells.items()}


def _table() -> Table:
    rows = [
        _row(
            2, Session="D11", Test="BIAS01", First=100, Last=103, Comments="https://example.org/log?a=1&b=2"
        ),
        _row(3, Session="D11", Test="BIAS02", First=104, Last=107, Comments=SCRIPT),
        _row(4, Session="D12", Test="PTC01", First=110, Last=119, Comments=None),
        _row(7, Session="D12", Test=SCRIPT, First=120.5, Last="javascript:alert(1)", Comments=ATTRIBUTE),
    ]
    rows[3]["First"] = Cell(120.5, "C7", "a formula's cached value")
    return Table(("Session", "Test", "First", "Last", "Comments"), tuple(rows), (2, 3, 4, 7), "Tests")


SOURCES = (
    Source(id="born", address="records/born.csv", block="BORN"),
    Source(id="curie", address="https://example.org/sheet/1", block="CURIE"),
    Source(id="erwin", address="https://example.org/sheet/2", block="ERWIN"),
    Source(id="tracker", address="records/hardware.csv", kind="hardware"),
)


def _snapshots() -> tuple[Snapshot, ...]:
    hardware = Table(
        ("Item", "Serial", "Where"),
        (
            _row(2, Item="ROE", Serial="FM01", Where="BORN"),
            _row(3, Item=SCRIPT, Serial=ATTRIBUTE, Where="store"),
        ),
        (2, 3),
    )
    return (
        Snapshot("born", "records/born.csv", _table(), NOW - timedelta(minutes=2), "r1"),
        Snapshot("curie", "https://example.org/sheet/1", replace(_table(), sheet="CURIE"), NOW - timedelta(days=3), "r7", True, f"HTTP 429 {SCRIPT}"),
        Snapshot("erwin", "https://example.org/sheet/2", None, None, error="no network"),
        Snapshot("tracker", "records/hardware.csv", hardware, NOW - timedelta(hours=5), "r2"),
    )  # fmt: skip


COSTS = Costs(
    (StageCost("load", 0.1, 88.2), StageCost("measure", 65.2, 140.0, f"8 results new, 30 reused {SCRIPT}"), StageCost("render", 0.0)),
    (ProcedureCost("bias", 6, 80.5, 12.5, 30.25, 410.4), ProcedureCost(f"gone {SCRIPT}", 2, 0.0, 0.0, 0.0, 0.0)),
    (TestCost("BORN", "BIAS01", 4, 60.5, 410.4), TestCost("BORN", f"OLD01 {SCRIPT}", 2, 0.0, 0.0)),
    {"files": 36, "files_touched": 1, "files_read": 3, "results_new": 8, "results_reused": 30, "reused_seconds": 512,
     "site_written": 12, "site_kept": 200},
    2, f"pool of 2 processes {SCRIPT}", "build-20190320T180000Z.jsonl",
)  # fmt: skip

BLOCKS = (
    Block(
        id="BORN", title="BORN, flight model 1", kind="detection chain", status="done", start=date(2019, 3, 11),
        end=date(2019, 3, 14), facility="Chamber #2", hardware={"ROE": "FM01", "CCD1": "15081-08-02"}, body="x",
        links=(
            Link(label="Data", href="https://example.org/data"),
            Link(label="Scripts", href="documents/scripts 1.txt"),
            Link(label=SCRIPT, href="javascript:alert(3)"),
            Link(label="Up", href="../secret.txt"),
            Link(label="Gone", href="documents/gone.pdf"),
        ),
    ),
    Block(id="CURIE", status="running", start=date(2019, 4, 3), status_note=f"second day {SCRIPT}"),
    Block(id="DIRAC", status="planned"),
    Block(id="ERWIN", status="demoted", status_note="CCD1 damaged", superseded_by="BORN"),
    Block(id="JULES", status="superseded", superseded_by="nobody knows", supersedes="DIRAC"),
    Block(id="DRY-RUN", kind="dry run", status="archived", data_archived=True, end=date(2018, 2, 9)),
    Block(id=ATTRIBUTE, title=SCRIPT, status="running", facility=ATTRIBUTE),
)  # fmt: skip


def _campaign() -> Campaign:
    return Campaign(
        root=Path("campaign"),
        id="vgcc",
        title="VIS ground calibration",
        instrument="VIS",
        description="Calibration of the detection chains.",
        people=(
            Person(name="A. Analyst", role="analysis", contact="mailto:a@example.org"),
            Person(name=SCRIPT, contact=ATTRIBUTE),
        ),
        documents=(
            Document(
                title="Test plan", href="https://example.org/plan.pdf", reference="PL-6-039", version="2.0"
            ),
            Document(
                title="Description", href="documents/description.pdf", date=date(2019, 1, 1), note="draft"
            ),
            Document(title=f"Bad {SCRIPT}", href="data:text/html,<script>alert(4)</script>"),
        ),
        detectors=(
            Detector(name="CCD1", geometry=quadrants(rows=32, columns=32, prescan=4, overscan=4, parallel=4)),
            Detector(name="CCD2", geometry=quadrants(rows=32, columns=32, prescan=4, overscan=4, parallel=4)),
            Detector(name="spare <i>CCD</i>", geometry=single(rows=16, columns=16)),
        ),
        sources=SOURCES,
        procedures={
            "bias": ProcedureUse(tests=("BIAS*", "<script>*"), parameters={"clip": 4.0}),
            "photon_transfer": ProcedureUse(tests=("PTC*", "FLAT*", "PSF*")),
        },
        limits=LIMITS,
        caveats=CAVEATS,
        blocks=BLOCKS,
        decisions=DECISIONS,
        certification=CertificationUse(
            reasons={"frost": f"ice on the window {SCRIPT}"},
            rules=(CertificationRule(name=f"routine {SCRIPT}", caveated=True, coverage=0.0),),
        ),
    )


def _decision(who: str, decision: Decided, subject: str, row: int, **more: object) -> Decision:
    return Decision(who=who, decision=decision, subject=subject, row=row, **more)  # type: ignore[arg-type]


DECISIONS = (
    _decision("A. Nother", "accepted", "BORN/BIAS01/bias/CCD1", 2, date=date(2019, 3, 12), result=f"{0xB0:020x}"),
    _decision("A. Nother", "rejected", "BORN/BIAS02", 3, date=date(2019, 3, 12), reason="lamp", text=f"{SCRIPT} {ATTRIBUTE}"),
    _decision(SCRIPT, "accepted", "BORN/PTC01/photon_transfer/CCD1", 4, result="0123456789abcdef"),
    _decision("B. Other", "valid outlier", "BORN/PTC01/photon_transfer/CCD2", 5, reason="other"),
    _decision("B. Other", "accepted", "BORN/PTC02/photon_transfer/CCD2", 6, text="=1+1"),
    _decision("B. Other", "reviewed", "frame:BORN/104/CCD1", 7),
    _decision("B. Other", "accepted", f"nowhere/{SCRIPT}", 8),
)  # fmt: skip


def _born(block: Block) -> BlockReport:
    bias1 = tuple(_frame("BORN", n, d, "bias") for n in range(100, 104) for d in ("CCD1", "CCD2"))
    bias2 = tuple(_frame("BORN", n, d, "bias") for n in range(104, 107) for d in ("CCD1", "CCD2"))
    flats = tuple(_frame("BORN", n, d, "flat") for n in range(110, 120) for d in ("CCD1", "CCD2"))
    table = _table()
    missing = Finding(
        "missing-frames", "The record asks for 4 exposures; 3 were found.", "records/born.csv, row 3",
        "Find exposure 107, or correct the record.", "BORN", "BIAS02",
    )  # fmt: skip
    none = Finding(
        "no-frames", "No frames of exposures 130–135 were found.", "row 9", "Copy them.", "BORN", "FLAT01"
    )

    def test(name: str, row: int = 0, **more: object) -> Test:
        cells = dict(zip(table.row_numbers, table.rows, strict=True)).get(row, {})
        session = "D11" if name.startswith("BIAS") else "D12"
        return Test("BORN", name, session, source="born", row=row, cells=cells, **more)  # type: ignore[arg-type]

    made = (
        TestReport(
            test("BIAS01", 2, exposures=((100, 103),), frames=4, exptime=0.0, status="done", comments="fine",
                 date=date(2019, 3, 11)),
            block, bias1, 4, (), tuple(_outcome("BORN", "BIAS01", d, BIAS, n, bias1) for d, n in (("CCD1", 0xB0), ("CCD2", 0xB4))),
            (CAVEATS[0], CAVEATS[1], CAVEATS[4]), Verdict.WARN, "",
        ),
        TestReport(
            test("BIAS02", 3, exposures=((104, 107),), frames=4, comments=SCRIPT), block, bias2, 4, (missing,),
            (_outcome("BORN", "BIAS02", "CCD1", BIAS, 0xB5, bias2),), (CAVEATS[0],), Verdict.PASS, "some frames are missing",
        ),
        TestReport(
            test("PTC01", 4, exposures=((110, 119),), frames=10, exptime=2.5), block, flats, 10, (),
            (
                _outcome("BORN", "PTC01", "CCD1", TRANSFER, 0xB6, flats),
                _outcome("BORN", "PTC01", "CCD2", TRANSFER, 0xB7, flats),
                Outcome("", "BORN", "PTC01", "CCD2", BIAS, "not run", "bias: needs 3 frames of role bias, has 0"),
            ), (), Verdict.FAIL, "1 of 3 analyses could not run",
        ),
        TestReport(
            test("PTC02", exposures=((110, 119),)), block, flats[:4], None, (),
            (_broken(_outcome("BORN", "PTC02", "CCD1", TRANSFER, 0xB8, flats)), _outcome("BORN", "PTC02", "CCD2", TRANSFER, 0xB9)),
            (), Verdict.ERROR, "",
        ),
        TestReport(test("FLAT01", exposures=((130, 135),)), block, (), 6, (none,), (), (), Verdict.NOT_RUN, "no frames were found"),
        TestReport(test("CHINJ01"), block, flats[4:6], None, (), (), (), Verdict.NOT_EVALUATED, "no procedure analyses this test"),
        TestReport(test("NL02"), block, (), None, (), (), (), Verdict.NOT_REACHED, "nothing reached"),
        TestReport(test("PSF01", status="planned"), block, (), None, (), (), (), Verdict.PLANNED, "planned, not yet acquired"),
        TestReport(test(SCRIPT, 7, comments=ATTRIBUTE, folder=HOSTILE_FILE, status=SCRIPT), block, (), None, (), (), (), Verdict.NOT_RUN, SCRIPT),
    )  # fmt: skip
    made = tuple(_with_raised(t) for t in made)
    assigned = {f.id: t.test.name for t in made for f in t.frames}
    damaged = Finding("bad-pixels", f"12 pixels are not numbers {SCRIPT}", HOSTILE_FILE, block="BORN")
    stray = _frame("BORN", 140, "CCD1", "other")
    frames = tuple(
        FrameReport(
            f, assigned.get(f.id), COUNTED, (damaged,) if f.exposure == "103" else (),
            f"{f.exposure}-{f.detector}.webp" if f.type != "other" else "",
        )
        for f in (*bias1, *bias2, *flats, stray)
    )  # fmt: skip
    bad = (FrameFile("frames", HOSTILE_FILE, 2880, 1, 1, "truncated", f"2880 bytes of 34560 {SCRIPT}"),)
    return BlockReport(
        block, made, frames, bad, (_snapshots()[0],), (CAVEATS[0], CAVEATS[2], CAVEATS[4]), (missing, none, damaged),
        "<p>Notes of the <em>first</em> block.</p>",
    )  # fmt: skip


class _Counted(Counts):
    def of(self, frame: Frame) -> tuple[Levels, int | None]:
        if frame.type == "other":
            return {}, None
        overscan = 2600.25 if frame.type == "flat" else None
        return {q: (2650.0 + i, overscan) for i, q in enumerate(QUADRANTS)}, int(frame.exposure) % 7

    def source(self, frame: Frame) -> str:
        return frame.id


COUNTED = _Counted()


def _placed(report: BlockReport) -> BlockReport:
    """The block and its tests with their addresses."""
    block = report.block.id
    tests = tuple(replace(t, page=addresses.test_page(block, t.test.name)) for t in report.tests)
    return replace(report, tests=tests, page=addresses.block_page(block))


def _findings() -> tuple[Finding, ...]:
    """One finding of each kind, some with a place, some hostile."""
    out = []
    for n, kind in enumerate(KINDS):
        block = (None, "BORN", "CURIE", "nowhere", ATTRIBUTE)[n % 5]
        test = "BIAS01" if block == "BORN" and n % 2 else None
        what = f"{kind} happened {SCRIPT if n % 3 == 0 else ''}".strip()
        detector = "CCD1" if n % 7 == 0 else None
        out.append(Finding(kind, what, f"campaign.toml:{n} {ATTRIBUTE if n % 4 == 0 else ''}", "Correct it." if n % 2 else "", block, test, detector))  # fmt: skip
    return tuple(out)


def make_report() -> Report:
    """The report: seven blocks, nine tests in the first, every kind of finding."""
    campaign = _campaign()
    snapshots = _snapshots()
    curie = campaign.blocks[1]
    flat = TestReport(
        Test("CURIE", "BIAS01", source="curie", row=2, exposures=((1, 4),)), curie, (), 4, (),
        (_outcome("CURIE", "BIAS01", "CCD1", BIAS, 0xBA),), (), Verdict.PASS, "",
    )  # fmt: skip
    odd = campaign.blocks[6]
    hostile = TestReport(Test(odd.id, SCRIPT), odd, (), None, (), (), (), Verdict.NOT_RUN, SCRIPT)
    blocks = (
        _born(campaign.blocks[0]),
        BlockReport(curie, (flat,), snapshots=(snapshots[1],), caveats=(CAVEATS[2],)),
        BlockReport(campaign.blocks[2]),
        BlockReport(campaign.blocks[3], snapshots=(snapshots[2],), caveats=(CAVEATS[2],)),
        BlockReport(campaign.blocks[4]),
        BlockReport(campaign.blocks[5]),
        BlockReport(odd, (hostile,), caveats=(CAVEATS[1],)),
    )
    blocks = tuple(_placed(b) for b in blocks)
    changes = (
        Change("new test", f"BORN/PTC02 {SCRIPT}", addresses.test_page("BORN", "PTC02")),
        Change("value", "BORN/PTC01: gain 3.40 → 3.41", addresses.test_page("BORN", "PTC01")),
        Change("test gone", "BORN/OLD01"),
        Change("verdict", "a page that was never made", "trends/nothing.html"),
    )
    info = BuildInfo(
        7, NOW, f"calbook build {ATTRIBUTE}", {"calbook": "0.1.0", "python": "3.11.7"},
        COSTS, {"frames": 36, "results": 8}, "2019-03-19T18:00:00+00:00",
    )  # fmt: skip
    campaign = campaign.model_copy(
        update={
            "series": (_lamp(),),
            "interventions": (
                Intervention(
                    date=date(2019, 1, 13), text=f"Lamp exchanged {SCRIPT}", scope=Scope(detectors=("lamp*",))
                ),
            ),
        }
    )
    trends = follow(campaign, blocks, (BIAS, TRANSFER), Kept())
    certification, _ = decide(campaign, blocks)
    return Report(
        campaign, blocks, (BIAS, TRANSFER), snapshots, _findings(), changes, info,
        trends=trends, certification=certification,
    )  # fmt: skip


def _lamp() -> SeriesTable:
    """A lamp that steps from 1 to 2 on 13 January, with an outlier, a value that is missing, and hostile text."""
    rows = []
    for n in range(24):
        value = (1.0 if n < 12 else 2.0) + 0.01 * ((n * 7) % 5 - 2) + (0.3 if n == 20 else 0.0)
        rows.append(
            SeriesRow(
                datetime(2019, 1, 1 + n, tzinfo=UTC), None if n == 5 else value, 0.01, f"flux {ATTRIBUTE}", "W<m²>",
                f"lamp {SCRIPT}", "", "λ < 600 nm", f"note {SCRIPT}", n + 2,
            )
        )  # fmt: skip
    return SeriesTable("lamp <i>A</i>", "series/lamp <i>A</i>.csv", tuple(rows))
