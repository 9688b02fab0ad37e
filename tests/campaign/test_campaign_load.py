"""The campaign folder: what loads, and what each wrong thing costs."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign.findings import Finding, Severity
from campaign.load import load
from campaign.model import Campaign

HEAD = '[campaign]\ntitle = "Test"\n'
SINGLE = '[geometry.small]\npreset = "single"\nrows = 8\ncolumns = 8\noverscan = 2\n[detectors.CAM]\ngeometry = "small"\n'


def write(root: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_toml", ".toml").replace("_md", ".md").replace(
            "_rst", ".rst"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def loaded(root: Path) -> tuple[Campaign, list[Finding]]:
    campaign, findings = load(root)
    assert campaign is not None, findings
    return campaign, findings


def only(findings: list[Finding], kind: str) -> Finding:
    assert [f.kind for f in findings] == [kind], findings
    return findings[0]


def test_a_whole_campaign_loads_without_findings(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    write(
        tmp_path,
        campaign_toml=HEAD
        + 'instrument = "VIS"\n[data]\nroots = ["frames"]\n[[sources]]\nid = "s"\naddress = "records/t.csv"\nblock = "B"\n'
        + '[[documents]]\ntitle = "Plan"\nhref = "documents/plan v1.pdf"\ndate = 2018-05-01\n'
        + '[procedures.bias]\ntests = ["BIAS*"]\nparameters = { clip = 3, robust = true, mode = "x" }\n'
        + SINGLE
        + '[detectors.CCD1]\ngeometry = "euclid-vis"\nhdu = "CCD1"\ngain = { E = 3.5, H = 3 }\n'
        + "[simulate]\nseed = 1\nlevels = [1, [2]]\n",
        blocks__B_md="---\ntitle: Block B\nstart: 2018-05-03\nend: 2018-05-04\nstatus: done\nserial_is_not_a_key_here: 1\n---\nText\n".replace(
            "serial_is_not_a_key_here: 1\n", "hardware: {ROE: 0123}\n"
        ),
        blocks__A_rst="---\nstart: 2019-01-01\nsuperseded_by: B\ncaveats:\n  - Light leak\n  - {id: c2, text: Noise, scope: {tests: ['PTC*']}}\n---\nText\n",
        blocks__C_md="---\nid: Z\ndetectors: [CAM]\nsupersedes: A\n---\n",
        caveats_toml='[[caveat]]\nid = "c1"\ntext = "t"\nscope.blocks = ["A*"]\nscope.channels = ["E"]\ndate = "2018-05-01"\n',
        caveats__more_toml='[[caveat]]\nid = "c3"\ntext = "t"\n',
        limits__l_toml='[[limit]]\nid = "R1"\nquantity = "bias.offset"\nlow = 1\nhigh = 2\nscope.detectors = ["CCD*"]\n',
        **{"documents__plan v1.pdf": b"x", "documents__sub__b.txt": b"x", "documents__README": b"x"},
    )
    write(
        tmp_path, **{"procedures__own.py": b"", "procedures___part.py": b"", "procedures__test_own.py": b""}
    )
    campaign, findings = loaded(tmp_path)
    assert findings == []
    assert campaign.root == tmp_path
    assert campaign.id == tmp_path.name
    assert [b.id for b in campaign.blocks] == ["B", "A", "Z"]  # by start date; without one, last
    assert [b.format for b in campaign.blocks] == ["md", "rst", "md"]
    block = campaign.blocks[0]
    assert (block.title, block.start, block.status, block.hardware) == (
        "Block B",
        date(2018, 5, 3),
        "done",
        {"ROE": "0123"},
    )
    assert (block.body, block.path) == ("Text\n", "blocks/B.md")
    assert campaign.blocks[2].title == "Z"
    assert [(c.id, c.scope.blocks) for c in campaign.caveats] == [
        ("A-1", ("A",)),
        ("c2", ("A",)),
        ("c1", ("A*",)),
        ("c3", ()),
    ]
    assert campaign.caveats[1].scope.tests == ("PTC*",)
    assert campaign.caveats[2].date == date(2018, 5, 1)
    assert [(li.id, li.low, li.high, li.file) for li in campaign.limits] == [
        ("R1", 1.0, 2.0, "limits/l.toml")
    ]
    assert [d.name for d in campaign.detectors] == ["CAM", "CCD1"]
    assert campaign.detectors[0].geometry.shape == (8, 10)
    assert [c.gain for c in campaign.detectors[1].geometry.channels] == [3.5, None, None, 3.0]
    assert [(d.title, d.href) for d in campaign.documents] == [
        ("Plan", "documents/plan v1.pdf"),
        ("b.txt", "documents/sub/b.txt"),
    ]
    assert campaign.plugins == (tmp_path / "procedures/own.py",)
    assert campaign.procedures["bias"].parameters == {"clip": 3, "robust": True, "mode": "x"}
    assert campaign.simulate == {"seed": 1, "levels": [1, [2]]}


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        (None, "campaign.toml", "no campaign.toml"),
        (b"[campaign]\ntitle = \n", "campaign.toml:2", "Invalid value"),
        (b"[campaign]\ninstrument = 'x'\n", "campaign.toml:1", "lacks 'title'"),
        (b"[campaign]\n\ntitle = 3\n", "campaign.toml:3", "title is 3, so the file is not used"),
        (b"campaign = 3\n", "campaign.toml:1", "campaign is 3"),
        (b"", "campaign.toml:1", "lacks 'campaign'"),
        (b"[campaign]\ntitle = 'a\xe9'\n", "campaign.toml:2", "not UTF-8"),
    ],
)
def test_no_usable_campaign_toml(tmp_path: Path, text: bytes | None, where: str, says: str) -> None:
    if text is not None:
        write(tmp_path, campaign_toml=text)
    campaign, findings = load(tmp_path)
    assert campaign is None
    assert (findings[0].where, findings[0].severity) == (where, Severity.ERROR)
    assert says in findings[0].what


def test_an_empty_title_is_the_name(tmp_path: Path) -> None:
    write(tmp_path, campaign_toml='[campaign]\nid = "vgcc"\ntitle = " "\n')
    campaign, findings = loaded(tmp_path)
    assert campaign.title == "vgcc"
    assert only(findings, "incomplete").where == "campaign.toml:3"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    campaign, findings = load(tmp_path / "nowhere")
    assert campaign is None
    assert "calbook new" in only(findings, "bad-file").todo


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    toml = "\ufeff" + HEAD + 'titel = "x"\n'
    block = "\ufeff---\ntitle: x\nstatsu: done\n---\nText\n"
    write(tmp_path, campaign_toml=toml.replace("\n", "\r\n"), blocks__B_md=block.replace("\n", "\r\n"))
    campaign, findings = loaded(tmp_path)
    assert campaign.blocks[0].body == "Text\n"
    assert [(f.kind, f.where) for f in findings] == [
        ("unknown-key", "campaign.toml:3"),
        ("unknown-key", "blocks/B.md:3"),
    ]


def test_an_unknown_key_costs_only_itself(tmp_path: Path) -> None:
    write(
        tmp_path,
        campaign_toml=HEAD + '[sheets]\ntimeuot = 3\nretries = 5\n[[people]]\nname = "A"\nmail = "x"\n',
    )
    campaign, findings = loaded(tmp_path)
    assert [(f.kind, f.where) for f in findings] == [
        ("unknown-key", "campaign.toml:4"),
        ("unknown-key", "campaign.toml:8"),
    ]
    assert "did you mean 'timeout'?" in findings[0].todo
    assert campaign.sheets.retries == 5
    assert campaign.people[0].name == "A"


@pytest.mark.parametrize(
    ("toml", "line", "todo"),
    [
        ('[data]\nassign = "recod"\n', 4, "allowed are 'record', 'header' or 'both'"),
        ("[data]\nroots = 'frames'\n", 4, "a list is wanted"),
        ("[data]\nsetting = [\n 'a',\n 3,\n]\n", 6, "text is wanted"),
        ("[sheets]\n\nretries = -1\n", 5, "at least 0"),
        ("[sheets]\ntimeout = 'soon'\n", 4, "a number is wanted"),
        ("[sheets]\ntimeout = nan\n", 4, "a finite number"),
        ("[sheets]\nretries = true\n", 4, "a whole number"),
        ("data = 3\n", 1, "a table is wanted"),
        ("[[people]]\nname = 'A'\n[[people]]\nrole = 'x'\n", 5, "add 'name'"),
        ("[[documents]]\ntitle = 'A'\ndate = 20180501\n", 5, "2018-05-01"),
        ("[[documents]]\ntitle = 'A'\ndate = 2018-05-01T10:00:00\n", 5, "2018-05-01"),
    ],
)
def test_a_wrong_value_names_its_line_and_what_is_allowed(
    tmp_path: Path, toml: str, line: int, todo: str
) -> None:
    write(tmp_path, campaign_toml=(toml + HEAD) if toml.startswith("data") else HEAD + toml)
    _, findings = loaded(tmp_path)
    found = only(findings, "bad-value")
    assert found.where == f"campaign.toml:{line}"
    assert todo in found.todo


def test_later_entries_survive_earlier_bad_ones(tmp_path: Path) -> None:
    write(
        tmp_path,
        campaign_toml=HEAD
        + "[[people]]\nname = 1\n[[people]]\n[[people]]\nname = 'C'\nrole = 2\n[[people]]\nname = 'D'\n",
    )
    campaign, findings = loaded(tmp_path)
    assert [p.name for p in campaign.people] == ["C", "D"]
    assert [f.where for f in findings] == ["campaign.toml:5", "campaign.toml:4", "campaign.toml:8"]


@pytest.mark.parametrize(
    ("toml", "kind", "line", "says"),
    [
        ("[geometry.g]\npreset = 'sngle'\n", "bad-value", 3, "not one of euclid-vis, single, decam"),
        ("[geometry.g]\npreset = 'single'\nrows = 3\n", "bad-value", 3, "needs columns"),
        ("[geometry.g]\npreset = 'decam'\nrows = 3\n", "bad-value", 3, "does not take rows"),
        ("[detectors.D]\ngeometry = 'single'\n", "bad-value", 4, "needs rows and columns"),
        ("[detectors.D]\ngeometry = 'smal'\n", "unknown-name", 4, "'smal' is not there"),
        ("[detectors.D]\ngeometry = 'decam'\ngain = { A = 4, E = 4 }\n", "unknown-name", 5, "no channel 'E'"),
        ("[detectors.D]\ngeometry = 'decam'\n[detectors.D.gain]\nA = 0\n", "bad-value", 6, "is 0"),
    ],
)
def test_detectors_and_geometries(tmp_path: Path, toml: str, kind: str, line: int, says: str) -> None:
    write(tmp_path, campaign_toml=HEAD + toml + SINGLE)
    campaign, findings = loaded(tmp_path)
    found = only(findings, kind)
    assert says in found.what
    assert found.where == f"campaign.toml:{line}"
    assert "CAM" in [d.name for d in campaign.detectors]


def test_half_a_geometry_is_none(tmp_path: Path) -> None:
    """A misspelt overscan would leave the preset's in place, and every offset would be wrong."""
    write(tmp_path, campaign_toml=HEAD + SINGLE.replace("overscan", "overscans"))
    campaign, findings = loaded(tmp_path)
    assert campaign.detectors == ()
    assert "so geometry.small is not used" in findings[0].what
    assert "'overscan'" in findings[0].todo


@pytest.mark.parametrize(
    "fault",
    ["hihg = 4", "high = '4'", "high = nan", "scope.block = ['A']", "scope.blocks = 'A'", "severity = 'no'"],
)
def test_half_a_limit_is_none(tmp_path: Path, fault: str) -> None:
    text = f"[[limit]]\nid = 'R1'\nquantity = 'bias.offset'\nlow = 1\n{fault}\n[[limit]]\nid = 'R2'\nquantity = 'bias.offset'\nlow = 1\n"
    write(tmp_path, campaign_toml=HEAD, limits__l_toml=text)
    campaign, findings = loaded(tmp_path)
    assert [limit.id for limit in campaign.limits] == ["R2"]
    assert len(findings) == 1
    assert findings[0].where == "limits/l.toml:5"
    assert "is not used" in findings[0].what


@pytest.mark.parametrize(
    ("lines", "kind", "line", "kept"),
    [
        ("low = 2\nhigh = 1", "bad-value", 4, False),
        ("low = 1\nscope.start = 2018-02-01\nscope.end = 2018-01-01", "bad-value", 5, False),
        ("note = 'x'", "incomplete", 1, True),
        ("low = 1\nscope.blocks = ['B', 'NOPE']", "unknown-name", 5, True),
        ("low = 1\nscope.channels = ['A', 'Q*']", "unknown-name", 5, True),
        ("low = 1\nscope.detectors = ['CAM1']", "unknown-name", 5, True),
        ("low = 2\nhigh = 2", None, 0, True),
    ],
)
def test_limits_that_cannot_be(tmp_path: Path, lines: str, kind: str | None, line: int, kept: bool) -> None:
    text = f"[[limit]]\nid = 'R1'\nquantity = 'bias.offset'\n{lines}\n"
    write(tmp_path, campaign_toml=HEAD + SINGLE, blocks__B_md="---\n---\n", limits__l_toml=text)
    campaign, findings = loaded(tmp_path)
    assert bool(campaign.limits) is kept
    if kind is None:
        assert findings == []
    else:
        assert only(findings, kind).where == f"limits/l.toml:{line}"


def test_a_quantity_needs_its_procedure(tmp_path: Path) -> None:
    write(tmp_path, campaign_toml=HEAD, limits__l_toml="[[limit]]\nid = 'R1'\nquantity = 'gain'\nlow = 1\n")
    campaign, findings = loaded(tmp_path)
    assert campaign.limits == ()
    assert only(findings, "bad-value").where == "limits/l.toml:3"


def test_ids_are_used_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        campaign_toml=HEAD
        + "[[sources]]\nid = 's'\naddress = 'a.csv'\n[[sources]]\nid = 's'\naddress = 'b.csv'\n",
        blocks__B_md="---\n---\n",
        blocks__B_rst="---\n---\n",
        blocks__C_md="---\nid: b\n---\n",
        caveats_toml="[[caveat]]\nid = 'c'\ntext = 'one'\n[[caveat]]\nid = 'c'\ntext = 'two'\n",
    )
    campaign, findings = loaded(tmp_path)
    assert {f.kind for f in findings} == {"bad-value"}
    assert {f.where for f in findings} == {
        "campaign.toml:7",
        "blocks/B.rst:2",
        "blocks/C.md:2",
        "caveats.toml:5",
    }
    assert [s.address for s in campaign.sources] == ["a.csv"]
    assert [c.text for c in campaign.caveats] == ["one"]
    assert [b.path for b in campaign.blocks] == ["blocks/B.md"]


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("Just prose\n", 1, "front matter"),
        ("---\ntitle: [\n---\n", 3, "expected"),
        (b"---\ntitle: a\n---\n\xff\xfe\n", 4, "UTF-8"),
        (b"\xff\xfe-\x00-\x00", 1, "UTF-8"),
        (b"---\ntitle: a\x00b\n---\n", 2, "special characters"),
    ],
)
def test_a_bad_block_costs_only_itself(tmp_path: Path, content: str | bytes, line: int, says: str) -> None:
    write(tmp_path, campaign_toml=HEAD, blocks__BAD_md=content, blocks__GOOD_md="---\n---\n")
    campaign, findings = loaded(tmp_path)
    found = only(findings, "bad-file")
    assert (found.where, found.block) == (f"blocks/BAD.md:{line}", "BAD")
    assert says in found.what
    assert [b.id for b in campaign.blocks] == ["GOOD"]


@pytest.mark.parametrize(
    ("facts", "kind", "line", "says"),
    [
        ("status: dome", "bad-value", 2, "status is 'dome'"),
        ("start: 20180501", "bad-value", 2, "start is '20180501'"),
        ("start: 2018-02-30", "bad-value", 2, "2018-02-30"),
        ("start: 2018-05-02\nend: 2018-05-01", "bad-value", 3, "ends (2018-05-01) before"),
        ("detectors: CAM", "bad-value", 2, "detectors is 'CAM'"),
        ("hardware:\n  ROE: [1]", "bad-value", 3, "hardware.ROE is a list"),
        ("data_archived: perhaps", "bad-value", 2, "perhaps"),
        ("links:\n  - label: x", "bad-value", 3, "lacks 'href'"),
        ("superceded_by: C", "unknown-key", 2, "superceded_by"),
        ("caveat: x", "unknown-key", 2, "'caveat'"),
        ("caveats:\n  - text: x\n    scope: {block: [B]}", "unknown-key", 4, "caveats.scope"),
        ("caveats:\n  - text: x\n    severity: bad", "bad-value", 4, "caveats.severity"),
        ("superseded_by: NOPE", "unknown-name", 2, "no block"),
        ("supersedes: B", "bad-value", 2, "itself"),
        ("detectors:\n  - CAM\n  - CAN", "unknown-name", 4, "'CAN'"),
        ("links:\n  - {label: x, href: 'javascript:alert(1)'}", "unsafe-path", 3, "scheme 'javascript'"),
        ("links:\n  - {label: x, href: ../../secret}", "unsafe-path", 3, "leads out"),
        ("id: a/b", "bad-value", 2, "cannot name a block"),
    ],
)
def test_wrong_facts_of_a_block(tmp_path: Path, facts: str, kind: str, line: int, says: str) -> None:
    write(tmp_path, campaign_toml=HEAD + SINGLE, blocks__B_md=f"---\n{facts}\n---\nBody\n")
    campaign, findings = loaded(tmp_path)
    found = only(findings, kind)
    assert says in found.what
    assert found.where == f"blocks/B.md:{line}"
    assert found.block is not None
    if "a/b" not in facts:
        block = campaign.blocks[0]
        assert (block.body, block.links, block.superseded_by, block.supersedes) == ("Body\n", (), "", "")


def test_caveats_are_never_lost_for_a_wrong_date(tmp_path: Path) -> None:
    text = "[[caveat]]\nid = 'c'\ntext = 't'\ndate = 2018-05-01\nresolved = 2018-04-01\nscope = { start = 2019-01-02, end = 2019-01-01 }\n"
    write(tmp_path, campaign_toml=HEAD, caveats_toml=text)
    campaign, findings = loaded(tmp_path)
    assert [(f.kind, f.where) for f in findings] == [
        ("bad-value", "caveats.toml:6"),
        ("bad-value", "caveats.toml:5"),
    ]
    assert campaign.caveats[0].resolved is None
    assert campaign.caveats[0].scope.start is None
    write(
        tmp_path,
        caveats_toml="[[caveat]]\nid = 'c'\ntext = 't'\ndate = 2018-05-01\nexpires = 2018-04-01\nexpired = true\n",
    )
    campaign, findings = loaded(tmp_path)
    assert [(f.kind, f.where) for f in findings] == [
        ("unknown-key", "caveats.toml:6"),
        ("bad-value", "caveats.toml:5"),
    ]
    assert (campaign.caveats[0].expires, campaign.caveats[0].open) == (None, True)


def test_paths_that_leave_the_campaign_are_not_used(tmp_path: Path) -> None:
    root = write(
        tmp_path / "c",
        campaign_toml=HEAD
        + "[[sources]]\nid = 's'\naddress = '../s.csv'\n"
        + "[[documents]]\ntitle = 'd'\nhref = 'documents/../../d.pdf'\n"
        + "[data]\nroots = ['../frames', '/']\nlogs = ['*.txt', '../*.log']\n"
        + "block_folders = { B = '..', C = 'x/../C' }\n",
        blocks__B_md="---\n---\n",
        blocks__C_md="---\n---\n",
    )
    (tmp_path / "frames").mkdir()
    (tmp_path / "secret.pdf").write_text("x")
    (root / "documents").mkdir()
    (root / "documents/out.pdf").symlink_to(tmp_path / "secret.pdf")
    campaign, findings = loaded(root)
    assert {f.kind for f in findings} == {"unsafe-path"}
    assert {f.where for f in findings} == {
        "campaign.toml:5",
        "campaign.toml:8",
        "campaign.toml:11",
        "campaign.toml:12",
        "documents/out.pdf",
    }
    assert campaign.sources == ()
    assert [(d.title, d.href) for d in campaign.documents] == [("d", "")]
    assert campaign.data.roots == ("../frames", "/")  # the user's own disks may be anywhere
    assert campaign.data.logs == ("*.txt",)
    assert campaign.data.block_folders == {"C": "x/../C"}


def test_data_roots_that_are_not_there(tmp_path: Path) -> None:
    toml = HEAD + '[data]\nroots = [\n "a",\n "campaign.toml",\n "nul\\u0000",\n]\n'
    write(tmp_path, campaign_toml=toml)
    _, findings = loaded(tmp_path)
    assert [(f.kind, f.where) for f in findings] == [
        ("missing-folder", f"campaign.toml:{n}") for n in (5, 6, 7)
    ]
    write(tmp_path, campaign_toml=HEAD + "[data]\nroots = ['a']\n[simulate]\non_build = true\n")
    assert load(tmp_path)[1] == []  # the build makes the frames, in the first root
    write(tmp_path, campaign_toml=HEAD + "[data]\nroots = ['a', 'b']\n[simulate]\non_build = true\n")
    assert "'b'" in only(load(tmp_path)[1], "missing-folder").what


def test_a_single_day_is_no_inversion(tmp_path: Path) -> None:
    write(tmp_path, campaign_toml=HEAD, blocks__B_md="---\nstart: 2018-05-01\nend: 2018-05-01\n---\n")
    campaign, findings = loaded(tmp_path)
    assert findings == []
    assert campaign.blocks[0].end == date(2018, 5, 1)


def test_names_in_campaign_toml(tmp_path: Path) -> None:
    toml = (
        HEAD
        + "[[sources]]\nid = 's'\naddress = 'a.csv'\nblock = 'BRON'\n[data]\ndetector = 'CCD'\n[data.block_folders]\nX = 'x'\n"
    )
    write(tmp_path, campaign_toml=toml, blocks__BORN_md="---\n---\n")
    _, findings = loaded(tmp_path)
    assert [(f.kind, f.where) for f in findings] == [
        ("unknown-name", f"campaign.toml:{n}") for n in (6, 10, 8)
    ]
    assert "did you mean 'BORN'?" in findings[0].todo


def test_misspelt_folders_and_alien_files_are_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, campaign_toml=HEAD, limit__l_toml="", caveats__c_toml="", blocks__b_rst="---\n---\n")
    write(
        tmp_path,
        **{"caveats__c.tml": "", "blocks__b.markdown": "", "blocks__map.png": b"", "blocks__README.md": ""},
    )
    _, findings = loaded(tmp_path)
    assert {(f.kind, f.where) for f in findings} == {
        ("unknown-name", "limit"),
        ("bad-file", "caveats/c.tml"),
        ("bad-file", "blocks/b.markdown"),
    }
    assert "'limits'" in next(f.todo for f in findings if f.where == "limit")


def test_bad_limit_and_caveat_files_cost_only_themselves(tmp_path: Path) -> None:
    good = "[[limit]]\nid = 'R'\nquantity = 'a.b'\nlow = 1\n"
    write(
        tmp_path, campaign_toml=HEAD, limits__a_toml="[[limit]\n", limits__b_toml=good, caveats_toml=b"\xff"
    )
    campaign, findings = loaded(tmp_path)
    assert [(f.kind, f.where) for f in findings] == [
        ("bad-file", "caveats.toml:1"),
        ("bad-file", "limits/a.toml:1"),
    ]
    assert len(campaign.limits) == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40), st.binary(max_size=40), st.text("a:- \n[]{}'\"\u00e9", max_size=30))
def test_whatever_the_files_hold_the_folder_loads(
    tmp_path: Path, tail: bytes, limit: bytes, facts: str
) -> None:
    write(
        tmp_path,
        campaign_toml=HEAD.encode() + tail,
        limits__l_toml=limit,
        blocks__B_md=f"---\n{facts}\n---\n",
    )
    _, findings = load(tmp_path)
    assert all(f.what and f.where for f in findings)


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xffname"))
    try:
        root.mkdir()
    except OSError:
        pytest.skip("this file system holds names that are text only")
    campaign, _ = loaded(write(root, campaign_toml=HEAD))
    assert campaign.id == "bad\\udcffname"
    campaign.id.encode()
