"""The guide: everything that there is to know of is in it, its links lead somewhere, its examples work."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer
from page_reader import Read, read

from analysis.contract import ALARMS, FLAGS, REASONS
from analysis.procedures import builtin
from builder.acquired.presets import PRESETS
from builder.archive.on_site import VERSIONS_SCRIPT
from builder.cli import app
from builder.expectations import UNJUDGED
from builder.measurement_tables import COLUMNS
from builder.render import addresses
from builder.render.checked import CHECKED
from builder.render.prose import Prose, build_prose
from builder.render.reference import MEANINGS, commands, reference_pages, reference_sources
from builder.render.search import NAV, SEARCH_DATA
from builder.render.write import Site
from builder.report import SHAPES, Verdict
from builder.simulate.settings import FAULTS, Settings
from campaign.findings import KINDS
from campaign.frames import FIELDS
from campaign.geometry import PRESETS as GEOMETRIES
from campaign.load import load
from campaign.model import Campaign
from campaign.reference import settings, settings_of
from campaign.sources.columns import FIELDS as COLUMN_FIELDS

CHECKOUT = Path(__file__).parents[2]
GUIDE = CHECKOUT / "site_src" / "guide"
PAGES = sorted(p.stem for p in GUIDE.glob("*.md"))
FIXED = {
    addresses.HOME, addresses.CHECK, addresses.COMPARISONS, addresses.HEALTH, addresses.CAVEATS, addresses.LIMITS, addresses.VERDICTS, addresses.PROCEDURES, addresses.TRENDS, addresses.BUILD, "search.html", NAV, SEARCH_DATA, CHECKED, VERSIONS_SCRIPT,
}  # fmt: skip
"""What the rest of every site has: the guide and its frame may link to it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Prose]:
    folder = tmp_path_factory.mktemp("guide")
    site = Site(folder / "site")
    campaign = Campaign(root=folder, id="none", title="The guide alone")
    return site, build_prose(campaign, site, folder / "state", GUIDE)


@pytest.fixture(scope="module")
def pages(site: tuple[Site, Prose]) -> dict[str, Read]:
    return {p.stem: read(p.read_text("utf-8")) for p in (site[0].out / "guide").glob("*.html")}


def cells(page: Read) -> set[str]:
    """The texts of all code on a page."""
    return {e.text for e in page.elements if e.tag == "code"}


def plain(text: str) -> str:
    """Text on one line, its quotation marks as they were typed."""
    return " ".join(text.translate(str.maketrans("‘’“”", "''\"\"")).split())


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """(page, text) of the guide's code blocks of a language."""
    for path in sorted(GUIDE.glob("*.md")):
        for text in re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.M | re.S):
            yield path.stem, text


def test_guide_builds_without_a_warning(site: tuple[Site, Prose]) -> None:
    assert [f.what for f in site[1].findings] == []


def test_every_page_is_in_the_contents(site: tuple[Site, Prose], pages: dict[str, Read]) -> None:
    generated = {Path(name).stem for name in reference_pages()}
    assert set(pages) == set(PAGES) | generated
    assert site[1].guide_pages[0][0] == "guide/index.html"
    named = (GUIDE / "index.md").read_text("utf-8").rpartition("toctree")[2].split()
    assert {n for n in named if n.isidentifier() or "-" in n} >= set(pages) - {"index"}


def test_links_lead_somewhere(site: tuple[Site, Prose], pages: dict[str, Read]) -> None:
    made = set(site[0])
    dead = []
    for name, page in pages.items():
        for href in page.hrefs:
            parts = urlsplit(href)
            if parts.scheme or parts.netloc:
                continue
            path = f"guide/{parts.path}" if parts.path else f"guide/{name}.html"
            target = unquote(str(Path("/" + path).resolve())[1:])
            if target in FIXED:
                continue
            if target not in made:
                dead.append(f"{name}: {href}")
            elif (
                parts.fragment
                and target.endswith(".html")
                and parts.fragment not in pages[Path(target).stem].ids
            ):
                dead.append(f"{name}: {href} (no such anchor)")
    assert dead == []


def test_every_setting_is_documented(pages: dict[str, Read]) -> None:
    page = pages["settings"]
    text = plain(page.text)
    for setting in [*settings(), *settings_of("campaign.toml", Settings, "simulate")]:
        assert setting.key in cells(page), setting
        assert plain(setting.description.replace("`", "")) in text, setting
        if setting.table:
            assert any(e.text.startswith(setting.table) for e in page.of("h3")), setting
    assert set(FAULTS) <= cells(page)


def test_every_command_and_option_is_documented(pages: dict[str, Read]) -> None:
    top = typer.main.get_command(app)
    held = commands(top, "calbook")
    assert {words for words, _ in held} >= {"calbook build", "calbook import rst", "calbook why"}
    headings = [e.text.rstrip("#").strip() for e in pages["commands"].of("h2")]
    assert headings == [words for words, _ in held]
    options = {o for _, command in [("", top), *held] for p in command.params for o in p.opts if o[0] == "-"}
    assert options <= cells(pages["commands"])


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("findings", set(KINDS)),
        ("flags", set(FLAGS) | set(REASONS) | set(UNJUDGED)),
        ("header-presets", set(PRESETS) | set(GEOMETRIES) | set(FIELDS)),
        ("columns", set(COLUMN_FIELDS)),
        ("numbers", set(COLUMNS)),
    ],
)
def test_every_name_is_documented(page: str, names: set[str], pages: dict[str, Read]) -> None:
    titles = {e.text.rstrip("#").strip().removeprefix("Preset ") for e in pages[page].of("h3")}
    assert names - cells(pages[page]) - titles == set()


def test_every_verdict_is_explained_with_its_shape(pages: dict[str, Read]) -> None:
    assert set(MEANINGS) == set(Verdict)
    for name in ("index", "flags"):
        rows = [e.text.split("\n") for e in pages[name].of("tr")]
        shown = {tuple(t.strip() for t in row if t.strip())[:2] for row in rows}
        assert {(SHAPES[v], str(v)) for v in Verdict} <= shown


def test_alarms_are_told_from_other_flags() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (yes|no) \|", reference_pages()["flags.md"], re.M)
    assert {flag for flag, alarm in rows if alarm == "yes"} == ALARMS
    assert {flag for flag, _ in rows} == set(FLAGS)


def test_every_built_in_procedure_is_named() -> None:
    text = (GUIDE / "procedures.md").read_text("utf-8")
    assert all(f"`{p.name}`" in text for p in builtin())


def test_built_in_procedures_explain_themselves() -> None:
    for procedure in builtin():
        assert procedure.purpose and procedure.algorithm and procedure.references and procedure.history
        for quantity in procedure.quantities:
            assert quantity.definition and quantity.estimator and quantity.symbol, (procedure.name, quantity)
        for parameter in procedure.parameters:
            assert parameter.meaning, (procedure.name, parameter)
        for shown in (*procedure.figures, *procedure.products):
            assert getattr(shown, "caption", "") or getattr(shown, "meaning", ""), (procedure.name, shown)


def test_modules_that_the_reference_is_made_of_are_watched() -> None:
    watched = {p.relative_to(CHECKOUT).as_posix() for p in reference_sources()}
    assert all((CHECKOUT / path).is_file() for path in watched)
    text = (CHECKOUT / "builder" / "render" / "reference.py").read_text("utf-8")
    imported = re.findall(r"^\s*from ((?:analysis|builder|campaign)[\w.]*) import", text, re.M)
    assert {f"{name.replace('.', '/')}.py" for name in imported} <= watched


def test_words_of_the_glossary_are_in_order() -> None:
    words = re.findall(r"^([a-z][\w ]*)\n: ", (GUIDE / "glossary.md").read_text("utf-8"), re.M)
    assert words == sorted(words)
    assert {"campaign", "block", "test", "detector", "channel", "caveat", "limit", "verdict"} <= set(words)


@pytest.mark.parametrize(("page", "text"), list(blocks("toml")))
def test_toml_of_the_guide_is_understood(page: str, text: str, tmp_path: Path) -> None:
    given = tomllib.loads(text)
    name = (
        "limits/limits.toml" if "limit" in given else "caveats.toml" if "caveat" in given else "campaign.toml"
    )
    head = "" if "campaign" in given else '[campaign]\ntitle = "T"\n'
    (tmp_path / "campaign.toml").write_text(head, "utf-8")
    (tmp_path / "limits").mkdir()
    (tmp_path / name).write_text(head + text if name == "campaign.toml" else text, "utf-8")
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "BENCH.md").write_text("---\ntitle: B\n---\n", "utf-8")
    campaign, findings = load(tmp_path)
    assert campaign is not None
    # a part of a campaign may name what another part would define
    wrong = [f for f in findings if f.kind not in ("missing-folder", "unknown-name")]
    assert wrong == []
    if "limit" in given:
        assert len(campaign.limits) == len(given["limit"])
    if "simulate" in given:
        Settings.model_validate(given["simulate"])
    known = {p.name: p for p in builtin()}
    for procedure, use in campaign.procedures.items():
        if procedure in known:
            known[procedure].settings(use.parameters)
