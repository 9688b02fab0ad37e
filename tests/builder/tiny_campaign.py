"""Tiny real campaigns for whole builds: 32 × 32 pixel frames, a procedure of their own, and nothing that is faked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from made_fits import image, write

from builder.build import Built, Options, build
from builder.progress import Progress

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
SIZE, OVERSCAN = 32, 8

HEAD = """
[campaign]
title = "Tiny"

[geometry.chip]
preset = "single"
rows = 32
columns = 32
overscan = 8

[detectors.CAM1]
geometry = "chip"

[[sources]]
id = "record"
address = "records/tests.csv"
block = "B1"

[procedures.level]
tests = ["BIAS*"]
"""

LEVEL = '''"""Level of the frames."""
from pathlib import Path
from analysis.contract import Procedure, Quantity, Results, Role, Version

def measure(inputs, results):
    if (Path(__file__).parent / "die").exists():
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    for channel in inputs.detector.geometry.channels:
        held = [f.summaries[channel.name].mean for f in inputs.frames["bias"]]
        spread = max(held) - min(held)
        results.value("level", sum(held) / len(held), spread or 0.1, n=len(held), channel=channel.name)
        results.missing("well", "not-reached", channel=channel.name)
    results.value("frames", float(len(held)), None, n=len(held))

PROCEDURE = Procedure(
    name="level", title="Level", purpose="Level of frames.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "zero-second frames"),),
    quantities=(
        Quantity("level", "B", "ADU", "Level of the image", "mean of clipped means", unplotted="no figures"),
        Quantity("well", "W", "ADU", "Full well", "none: bias frames do not reach it", unplotted="no figures"),
        Quantity("frames", "n", "1", "Frames used", "count", per="detector", unplotted="no figures"),
    ),
    algorithm="The mean of the frames.", acceptance=("The level is what it was.",),
    measure=measure,
)
'''


def pixels(seed: int, level: float = 1000.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.rint(rng.normal(level, 5.0, (SIZE, SIZE + OVERSCAN))).astype(np.uint16)


def bias(path: Path, number: int, *, data: np.ndarray | None = None, **cards: object) -> Path:
    """A bias frame with its exposure number in the header."""
    held = pixels(number) if data is None else data
    more = {
        "EXPNUM": number,
        "IMAGETYP": "bias",
        "EXPTIME": 0.0,
        "DATE-OBS": f"2025-02-01T10:{number % 60:02d}:00",
    }
    return write(path, image(held, {**more, **{k.replace("_", "-"): v for k, v in cards.items()}}))


def make(folder: Path, *, rows: str = "BIAS01,1,3,0,done,\nBIAS02,4,5,0,done,\n", more: str = "") -> Path:
    """A campaign of two tests of bias frames; ``more`` is added to campaign.toml."""
    files = {
        "campaign.toml": HEAD + more,
        "blocks/B1.md": "---\ntitle: First block\nstatus: done\nstart: 2025-02-01\n---\n\nNotes of the block.\n",
        "records/tests.csv": "test,first,last,exptime,status,comments\n" + rows,
        "limits/limits.toml": '[[limit]]\nid = "LIM-1"\nquantity = "level.level"\nlow = 900\nhigh = 1100\n',
        "procedures/level.py": LEVEL,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    for number in range(1, 6):
        bias(folder / "frames" / f"b{number}.fits", number)
    return folder


def built(
    folder: Path,
    *,
    now: datetime = NOW,
    output: Path | None = None,
    fresh: bool = False,
    workers: int = 1,
    **environ: str,
) -> Built:
    """Build a campaign here, in one process, at a stated time."""
    options = Options(folder, lambda: now, environ, output, workers=workers, fresh=fresh)
    return build(options, Progress(quiet=True))


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Html:
    """A page: its elements in order, and all its text."""

    elements: list[Element] = field(default_factory=list)
    text: str = ""

    @property
    def ids(self) -> set[str]:
        return {e.attributes["id"] for e in self.elements if "id" in e.attributes}


def _measurement(href: str) -> str:
    """The measurement that a link leads to: by its anchor, where that begins with a dot after the page's name."""
    page, _, anchor = unquote(href).partition("#")
    return page.rpartition("/")[2].removesuffix(".html") + anchor if anchor.startswith(".") else anchor


def _name_measurement(cell: Element, href: str) -> None:
    """A matrix cell that names no measurement is of the one that its first link leads to."""
    held = cell.attributes
    if "cell" in held.get("class", "").split() and "data-value" in held and "#" in href:
        held.setdefault("data-measurement", _measurement(href))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Html()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {n: v or "" for n, v in attrs})
        if tag == "a" and self.page.elements:
            _name_measurement(self.page.elements[-1], element.attributes.get("href", ""))
        self.page.elements.append(element)

    def handle_data(self, data: str) -> None:
        self.page.text += data
        if self.page.elements:
            self.page.elements[-1].text += data


def read_page(path: Path) -> Html:
    reader = _Reader()
    reader.feed(path.read_text("utf-8"))
    reader.close()
    reader.page.text = re.sub(r"\s+", " ", reader.page.text)
    return reader.page


def pages_of(site: Path) -> dict[str, Html]:
    return {p.relative_to(site).as_posix(): read_page(p) for p in sorted(site.rglob("*.html"))}


def dead_links(site: Path, pages: dict[str, Html]) -> list[str]:
    """Links and images of a site that lead to no file or anchor of it."""
    dead = []
    for name, page in pages.items():
        for element in page.elements:
            for key in ("href", "src"):
                target = element.attributes.get(key)
                if target is None or urlsplit(target).scheme or target.startswith("//"):
                    continue
                parts = urlsplit(target)
                path = (site / name).parent / unquote(parts.path) if parts.path else site / name
                to = path.resolve()
                if not to.is_file() or not to.is_relative_to(site.resolve()):
                    dead.append(f"{name}: {target}")
                elif parts.fragment and to.suffix == ".html":
                    there = pages[to.relative_to(site.resolve()).as_posix()]
                    if unquote(parts.fragment) not in there.ids:
                        dead.append(f"{name}: {target} (anchor)")
    return dead


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and modification time [ns] of all files below a folder."""
    return {
        p.relative_to(folder).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
