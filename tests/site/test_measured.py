"""The guide's page of measurements: with it, and without it where nothing was measured."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from page_reader import read

from bench.page import write_page
from bench.table import Row
from builder.render.prose import Prose, build_prose
from builder.render.write import Site
from campaign.model import Campaign

GUIDE = Path(__file__).parents[2] / "site_src" / "guide"
ROWS = [
    Row("nothing changed, 1000 frames", 1.0, "linear growth", 2.0, "cpu s", None, 80.0, 1024.0, "", [(100, 0.5), (1000, 1.0)]),
    Row("pages from nothing, 300 pages", 0.9, "linear growth", 1.0, "cpu s", None, 80.0, 50.0, "a | b", [(100, 0.3), (300, 0.9)]),
]  # fmt: skip


def rendered(folder: Path, guide: Path) -> tuple[Path, Prose]:
    site = Site(folder / "site")
    prose = build_prose(Campaign(root=folder, id="none", title="Guide"), site, folder / "state", guide)
    return site.out, prose


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """The guide as it is in a fresh clone."""
    made = shutil.copytree(GUIDE, tmp_path / "guide", ignore=shutil.ignore_patterns("measured.*", "figures"))
    return Path(made)


def test_what_was_measured_is_shown_in_both_themes(guide: Path, tmp_path: Path) -> None:
    write_page(guide, {"growth": ROWS}, {"frames": "Frames", "growth": "How costs grow"})
    write_page(
        guide,
        {"frames": [Row("one pass", 0.036, "astropy", 0.64)]},
        {"frames": "Frames", "growth": "How costs grow"},
    )
    site, prose = rendered(tmp_path, guide)
    assert [f.what for f in prose.findings] == []
    page = read((site / "guide/measured.html").read_text("utf-8"))
    assert [e.text.rstrip("#").strip() for e in page.of("h2")] == ["Frames", "How costs grow"]
    assert "36 ms" in page.text and "17.8×" in page.text and "missed" in page.text and "a | b" in page.text
    shown = {e.attributes["class"]: e.attributes for e in page.of("img")}
    assert set(shown) == {"only-light", "only-dark"}
    for theme, ink in (("light", "#1b1f24"), ("dark", "#e6e6e6")):
        image = site / "guide" / shown[f"only-{theme}"]["src"]
        assert ink in image.read_text("utf-8") and shown[f"only-{theme}"]["alt"]
        assert int(shown[f"only-{theme}"]["width"]) > 400 and int(shown[f"only-{theme}"]["height"]) > 300
        assert not re.search(r"<dc:date>", image.read_text("utf-8"))


def test_a_guide_without_measurements_says_so(guide: Path, tmp_path: Path) -> None:
    site, prose = rendered(tmp_path, guide)
    assert [f.what for f in prose.findings] == []
    assert "Nothing was measured" in (site / "guide/measured.html").read_text("utf-8")
