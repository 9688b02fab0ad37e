"""The page of a detector: its map, and its key numbers over all blocks and tests."""

from __future__ import annotations

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.matrix import MOST_RESULTS, Label, key_quantities, matrix
from builder.render.page import Page
from builder.render.pages_home import HOME
from builder.report import Outcome
from campaign.findings import worst_first
from campaign.frozen import dataclass
from campaign.geometry import Geometry, Region

MOST_FINDINGS = 20
MAP_WIDTH = 320  # CSS pixels


@dataclass(frozen=True)
class MapRegion:
    """A rectangle of the map, in its pixels, y downwards."""

    x: int
    y: int
    width: int
    height: int
    image: bool
    title: str


@dataclass(frozen=True)
class MapChannel:
    """Where a channel's name and its readout node go."""

    name: str
    corner: str
    x: int
    y: int
    node_x: int
    node_y: int


@dataclass(frozen=True)
class DetectorMap:
    """A drawing of a detector's channels, row 0 at the bottom."""

    width: int
    height: int
    regions: tuple[MapRegion, ...]
    channels: tuple[MapChannel, ...]


def detector_page(book: Book, name: str) -> Page:
    """The page of a detector."""
    path = a.detector_page(name)
    declared = book.report.campaign.detector(name)
    outcomes = book.of_detector.get(name, [])
    names = dict.fromkeys(o.procedure.name for o in outcomes)
    matrices = [
        matrix(book.report.campaign, p, outcomes, _label, key_quantities(p), MOST_RESULTS)
        for p in (book.procedures[n] for n in names)
    ]
    findings = worst_first(f for f in book.findings if f.detector == name)
    present = [b.block.id for b in book.report.blocks if not b.block.detectors or name in b.block.detectors]
    context = {
        "book": book,
        "name": name,
        "outcomes": outcomes,
        "geometry": declared.geometry if declared else None,
        "map": detector_map(declared.geometry) if declared else None,
        "matrices": [m for m in matrices if m.groups],
        "caveats": [c for c in book.caveats if c.scope.detectors and c.scope.covers(detector=name)],
        "findings": findings[:MOST_FINDINGS],
        "more_findings": max(len(findings) - MOST_FINDINGS, 0),
        "blocks": present,
    }  # fmt: skip
    sections = (
        ("channels", "Channels"), ("measurements", "Measurements"), ("discrepancies", "Wrong or unknown"), ("blocks", "Blocks"),
    )  # fmt: skip
    body = render("detector.html.j2", path, context, book.absent)
    return Page(path, f"Detector {name}", body, "detector", (HOME,), sections, name)


def _label(outcome: Outcome) -> Label:
    return (outcome.block, a.block_page(outcome.block)), (
        outcome.test,
        a.test_page(outcome.block, outcome.test),
    )


def detector_map(geometry: Geometry) -> DetectorMap | None:
    """The channels of a detector as a drawing; None when they do not share one image."""
    if not geometry.channels or any(c.hdu is not None for c in geometry.channels):
        return None
    rows, columns = geometry.shape
    scale = MAP_WIDTH / max(columns, rows)

    def at(x: float, y: float) -> tuple[int, int]:
        return round(x * scale), round((rows - y) * scale)

    def box(region: Region, image: bool, title: str) -> MapRegion:
        (left, bottom), (right, top) = at(region.x0, region.y0), at(region.x1, region.y1)
        return MapRegion(left, top, right - left, bottom - top, image, title)

    regions, channels = [], []
    for c in geometry.channels:
        named = (
            ("image", c.image),
            ("prescan", c.prescan),
            ("overscan", c.overscan),
            ("parallel overscan", c.parallel),
        )
        regions += [box(r, what == "image", f"{c.name}: {what}") for what, r in named if r]
        centre = at((c.image.x0 + c.image.x1) / 2, (c.image.y0 + c.image.y1) / 2)
        up, right = c.corner.startswith("upper"), c.corner.endswith("right")
        node = at(c.image.x1 if right else c.image.x0, c.image.y1 if up else c.image.y0)
        channels.append(MapChannel(c.name, c.corner, *centre, *node))
    return DetectorMap(round(columns * scale), round(rows * scale), tuple(regions), tuple(channels))
