"""Placeholders, dead links and broken mark-up, and what must not be taken for them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from campaign.findings import KINDS, Finding
from campaign.lint import check_caveats, check_quantities, lint, placeholders
from campaign.load import load
from campaign.markup import read_prose
from campaign.model import Block, Campaign, Caveat, Document, Limit, Link, ProcedureUse, Scope

PORTAL = Path(__file__).parents[3] / "shared/data/vgcc_portal"


def found(root: Path, body: str, form: str = "md") -> list[tuple[str, str]]:
    block = Block.model_validate({"id": "B", "body": body, "format": form, "path": f"blocks/B.{form}"})
    findings = lint(Campaign(root=root, id="c", title="t", blocks=(block,)))
    assert all(f.block == "B" for f in findings)
    return [(f.kind, f.where.removeprefix(f"blocks/B.{form}:")) for f in findings]


@pytest.mark.parametrize(
    "text",
    [
        *("Lorem ipsum dolor", "* Lore Ipsum...", "Gain: TBD.", "TBC", "(TODO) measure", "FIXME: wrong"),
        *("EUCL-MSS-TR-7-XXX", "Description to be written.", "caveats: to be added", "insert text here"),
        *("Results coming soon", "the value is ???", "TBW"),
    ],
)
def test_placeholders(text: str) -> None:
    assert len(placeholders(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        *(
            "damage to be confirmed by inspection",
            "LORENTZ",
            "These are not intended to be names",
            "Why? What??",
        ),
        *("the frames to be added in quadrature", "the todo list", "outbound", "XX Cas", "She wrote it here"),
    ],
)
def test_no_placeholders(text: str) -> None:
    assert placeholders(text) == []


def test_placeholders_wherever_people_write(tmp_path: Path) -> None:
    campaign = Campaign(
        root=tmp_path,
        id="c",
        title="TBD",
        description="TODO",
        documents=(Document(title="Plan", reference="CAL-XXX"),),
        caveats=(Caveat(id="k", text="lorem ipsum", scope=Scope(blocks=("B",))),),
        limits=(Limit(id="R", quantity="a.b", note="TBC", file="limits/l.toml"),),
        blocks=(Block(id="B", title="FIXME", hardware={"ROE": "TBD"}, path="blocks/B.md"),),
    )
    findings = lint(campaign)
    assert {f.kind for f in findings} == {"placeholder"}
    assert [(f.where, f.block) for f in findings] == [
        ("campaign.toml", None),
        ("campaign.toml", None),
        ("campaign.toml", None),
        ("caveat k", "B"),
        ("limits/l.toml", None),
        ("blocks/B.md", "B"),
        ("blocks/B.md", "B"),
    ]


def test_the_description_is_markdown(tmp_path: Path) -> None:
    text = "An [unsafe](javascript:x), a [dead](gone.pdf) and a [good](https://example.org) link"
    findings = lint(Campaign(root=tmp_path, id="c", title="t", description=text))
    assert [(f.kind, f.where) for f in findings] == [
        ("unsafe-path", "campaign.toml"),
        ("dead-link", "campaign.toml"),
    ]


MARKDOWN = """\
A [good](https://example.org), a
[dead](nothing.pdf) and an [empty]() one.

`TODO [code](nowhere)` and <javascript:alert(1)>

```
TBD [code](nowhere)
```

<!-- TODO: hidden -->

```{note}
Here [inside](nothing-either.pdf) TBD
```

![no figure](figures/none.png) and [undefined][ref] and [out](../../x)

| a | b |
|---|---|
| [dead](gone.csv) | TBD |

[anchor](#here), [page](../../procedures/bias.html), [mail](mailto:a@b.c), [here](B.md), [root](documents/a%20b.pdf)
"""


def test_markdown(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks/B.md").write_text("")
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/a b.pdf").write_text("")
    assert sorted(found(tmp_path, MARKDOWN), key=lambda f: (int(f[1]), f[0])) == [
        ("dead-link", "2"),
        ("dead-link", "2"),
        ("unsafe-path", "4"),
        ("dead-link", "13"),
        ("placeholder", "13"),
        ("dead-link", "16"),
        ("dead-link", "16"),
        ("dead-link", "16"),
        ("dead-link", "20"),
        ("placeholder", "20"),
    ]


RST = """\
Title
=====
* a list under a title
* is a list

Paragraph:
* not a list

- item
  continued
- item

`Good <https://example.org>`_ and `broken
<https://example.org>` and :doc:`role <other>` and ``literal <x>`` and `anonymous <https://a.b>`__

.. TODO a comment
   with TBD
.. note:: TBD

A `dead <nothing.pdf>`_ link::

    TBD `code <nowhere>`

.. _target: nowhere.txt
.. image:: gone.png

`named <target_>`_, `script <javascript:x>`_ and `empty <>`_

:field: value
1. glued to a field is fine
"""


def test_rst(tmp_path: Path) -> None:
    assert sorted(found(tmp_path, RST, "rst"), key=lambda f: (int(f[1]), f[0])) == [
        ("broken-markup", "7"),
        ("dead-link", "13"),
        ("placeholder", "18"),
        ("dead-link", "20"),
        ("dead-link", "24"),
        ("dead-link", "25"),
        ("dead-link", "27"),
        ("unsafe-path", "27"),
    ]


def test_lines_count_from_the_top_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "campaign.toml").write_text('[campaign]\ntitle = "t"\n')
    (tmp_path / "blocks/B.md").write_text("---\ntitle: x\n---\n\nGain: TBD\n")
    campaign, findings = load(tmp_path)
    assert campaign is not None
    assert findings == []
    assert [(f.kind, f.where) for f in lint(campaign)] == [("placeholder", "blocks/B.md:5")]


def test_links_and_documents_that_lead_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("")
    links = (
        Link(label="a", href="there.txt#part"),
        Link(label="b", href="gone.txt"),
        Link(label="c", href="https://example.org"),
        Link(label="d", href="https://"),
        Link(label="e", href=" "),
    )
    block = Block(id="B", status="superseded", links=links, path="blocks/B.md")
    documents = (Document(title="A", href="gone.pdf"), Document(title="No address"))
    findings = lint(Campaign(root=tmp_path, id="c", title="t", blocks=(block,), documents=documents))
    assert [(f.kind, f.what.split("'")[1] if "'" in f.what else "") for f in findings] == [
        ("dead-link", "A"),
        ("incomplete", ""),
        ("dead-link", "b"),
        ("dead-link", "d"),
        ("dead-link", "e"),
    ]


def test_quantities_and_procedures_that_do_not_exist(tmp_path: Path) -> None:
    limits = tuple(
        Limit(id=q, quantity=q, low=1, file="limits/l.toml")
        for q in ("bias.offset", "bias.ofset", "bais.offset", "dark.x.y")
    )
    campaign = Campaign(
        root=tmp_path,
        id="c",
        title="t",
        limits=limits,
        procedures={"bias": ProcedureUse(), "ptc": ProcedureUse()},
    )
    findings = check_quantities(
        campaign, {"bias": ["offset", "noise"], "dark": ["x.y"], "photon_transfer": []}
    )
    assert {f.kind for f in findings} == {"unknown-name"}
    assert [(f.where, f.todo.split("?")[0]) for f in findings] == [
        ("campaign.toml", "known: bias, dark, photon_transfer"),
        ("limits/l.toml", "did you mean 'offset'"),
        ("limits/l.toml", "did you mean 'bias'"),
    ]


@pytest.mark.real
@pytest.mark.skipif(not PORTAL.is_dir(), reason="the real campaign record is not beside the checkout")
def test_the_faults_of_a_real_record_are_found() -> None:
    """The page of the first two dry runs: six links without underscore, two glued lists, one placeholder."""
    text = (PORTAL / "history/353f0686_monitor.rst").read_text(encoding="utf-8")
    faults = read_prose(text, "rst").faults
    assert [line for line, kind, _ in faults if kind == "dead-link"] == [42, 44, 51, 52, 59, 60]
    assert [line for line, kind, _ in faults if kind == "broken-markup"] == [52, 60]
    assert placeholders(text) == ["Lore Ipsum"]
    mended = (PORTAL / "blocks.rst").read_text(encoding="utf-8")
    assert read_prose(mended, "rst").faults == []
    assert placeholders(mended) == []


def test_names_and_days_of_caveats_are_checked() -> None:
    """A procedure or quantity that is not there is named with the nearest; one that has expired is told until it is resolved."""
    known = {"bias": ["offset", "read_noise"], "dark": ["dark_current"]}

    def told(**scope: tuple[str, ...]) -> list[tuple[str, str]]:
        caveat = Caveat(id="k", text="t", scope=Scope(**scope))  # type: ignore[arg-type]
        campaign = Campaign(root=Path(), id="c", title="C", caveats=(caveat,))
        return [(f.kind, f.todo) for f in check_caveats(campaign, known)]

    assert told(procedures=("bias", "da*"), quantities=("offset", "bias.read_*", "*.dark_current")) == []
    ((kind, todo),) = told(procedures=("biass",))
    assert kind == "unknown-name" and "bias" in todo
    ((kind, todo),) = told(quantities=("ofset",))
    assert kind == "unknown-name" and "offset" in todo
    ((kind, todo),) = told(quantities=("dark.darkcurrent",))
    assert kind == "unknown-name" and "dark.dark_current" in todo
    over = Caveat(id="k", text="t", expires=date(2025, 1, 1), expired=True)
    resolved = over.model_copy(update={"resolved": date(2025, 1, 2)})
    findings = check_caveats(Campaign(root=Path(), id="c", title="C", caveats=(over, resolved)), known)
    assert [(f.kind, f.where) for f in findings] == [("expired-caveat", "caveat k")]
    assert "2025-01-01" in findings[0].what


def test_every_kind_of_the_folder_is_declared_and_tested() -> None:
    """The tests of this folder produce each of these; a new kind has to be added here, with its test."""
    kinds = list(KINDS)
    folder = kinds[: kinds.index("source-unread")]
    tested = "".join(p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in folder if f'"{kind}"' not in tested] == []
    assert Finding("incomplete", "x").severity == "warning"
