"""Masters against those of the reference tests: ratio and difference images, drawn once for each two products; masks bit by bit.

What was found is kept under ``store/compared``, named by the digests of both products and all else that it depends on; the
pictures are objects of the store. Deleting it costs time, never a number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from analysis.contract import Procedure
from builder.comparisons import references
from builder.digests import digest
from builder.engine import Engine
from builder.report import (
    BlockReport,
    DrawnFigure,
    ImageComparison,
    MaskComparison,
    Outcome,
    PlaneComparison,
    StoredProduct,
)
from builder.store import Store, put_object, write_atomically
from campaign.frozen import dataclass
from campaign.model import Campaign, Detector

VERSION = "2"
"""Raise it when what is compared or drawn changes."""
MOST_SETTINGS = 4
"""Settings of one master of which images are drawn; the numbers are of all."""


@dataclass(frozen=True)
class Job:
    """Two products to compare, where they are, and what they are images of."""

    made_of: str
    here: Path
    there: Path
    objects: Path
    detector: Detector
    title: str


def compared(
    campaign: Campaign, blocks: Sequence[BlockReport], store: Store, engine: Engine
) -> tuple[ImageComparison, ...]:
    """Every master of every test whose procedure has a reference, against the reference's master of that detector.

    Only what was not compared before is read and drawn, by the engine's workers.
    """
    kept, wanted = store.folder / "compared", list(_wanted(campaign, blocks))
    jobs: dict[str, Job] = {}
    found: dict[str, dict[str, Any]] = {}
    for image, here, there, detector in wanted:
        if there is None or detector is None or image.made_of in found or image.made_of in jobs:
            continue
        before = _kept(kept / f"{image.made_of}.json", store.objects)
        if before is not None:
            found[image.made_of] = before
        else:
            title = here.name.replace("_", " ")
            places = (store.objects / here.object, store.objects / there.object)
            jobs[image.made_of] = Job(image.made_of, *places, store.objects, detector, title)
    for job, made in engine.run(compare_images, list(jobs.values())):
        if isinstance(made, Exception):
            found[job.made_of] = {
                "why": f"{type(made).__name__}: {made}",
                "planes": [],
                "masks": [],
                "figures": [],
                "unit": "",
            }
        else:
            found[job.made_of] = made
            write_atomically(kept / f"{job.made_of}.json", json.dumps(made, sort_keys=True).encode())
    _tidy(kept, found)
    told = (_told(image, found.get(image.made_of)) for image, *_ in wanted)
    return tuple(image for image in told if image.planes or image.masks or image.why)


def _wanted(
    campaign: Campaign, blocks: Sequence[BlockReport]
) -> Iterator[tuple[ImageComparison, StoredProduct, StoredProduct | None, Detector | None]]:
    named = references(campaign)
    if not named:
        return
    outcomes: dict[tuple[str, str, str, str], Outcome] = {
        o.place: o for b in blocks for t in b.tests for o in t.outcomes
    }
    for outcome in outcomes.values():
        place = named.get(outcome.procedure.name)
        if place is None or place == (outcome.block, outcome.test):
            continue
        reference = outcomes.get((*place, outcome.procedure.name, outcome.detector))
        for product in outcome.products:
            if product.name not in _images(outcome.procedure):
                continue
            there = (
                next((p for p in reference.products if p.name == product.name), None) if reference else None
            )
            detector = campaign.detector(outcome.detector)
            made_of = digest(VERSION, product.digest, there.digest, detector) if there else ""
            why = (
                ""
                if there
                else f"{'/'.join(place)} has no {product.name.replace('_', ' ')} of {outcome.detector}"
            )
            yield ImageComparison((*outcome.place, product.name), place, why=why, made_of=made_of), product, there, detector  # fmt: skip


def _images(procedure: Procedure) -> set[str]:
    return {p.name for p in procedure.products if p.form == "fits"}


def _kept(path: Path, objects: Path) -> dict[str, Any] | None:
    """What was kept, if it is whole and so are its pictures."""
    try:
        made: dict[str, Any] = json.loads(path.read_bytes())
        names = [f[k] for f in made["figures"] for k in ("light", "dark", "data")]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return made if all((objects / n).is_file() for n in names) else None


def _tidy(folder: Path, used: Mapping[str, object]) -> None:
    for path in folder.glob("*.json") if folder.is_dir() else ():
        if path.stem not in used:
            path.unlink(missing_ok=True)


def _told(image: ImageComparison, made: Mapping[str, Any] | None) -> ImageComparison:
    if made is None:
        return image
    figures = [
        DrawnFigure(
            f["name"], f["title"], f["caption"], f"figures/{f['light']}", f"figures/{f['dark']}", f"figures/{f['data']}",
            f["width"], f["height"], f["alt"],
        )
        for f in made["figures"]
    ]  # fmt: skip
    planes = tuple(PlaneComparison(**p) for p in made["planes"])
    masks = tuple(MaskComparison(**m) for m in made["masks"])
    return replace(
        image, unit=made["unit"], planes=planes, masks=masks, figures=tuple(figures), why=made["why"]
    )


def compare_images(job: Job) -> dict[str, Any]:
    """Compare two products plane by plane, and draw the images; the pictures are stored under the job's ``objects``.

    Planes are found by their names; errors (…_ERR) are passed over, and masks of whole numbers whose header does not hold the table of
    bits. Raises OSError where a product cannot be read.
    """
    import numpy as np

    from analysis.against import against

    here, unit = _planes(job.here)
    there, _ = _planes(job.there)
    planes: list[PlaneComparison] = []
    images: dict[str, dict[str, dict[str, Any]]] = {}
    for name, plane in here.items():
        if not np.issubdtype(plane.dtype, np.floating):  # a mask
            continue
        if name not in there:
            planes.append(PlaneComparison(name, f"the reference has no plane {name}"))
            continue
        try:
            told, difference, ratio = against(plane, there[name])
        except ValueError as error:
            planes.append(PlaneComparison(name, str(error)))
            continue
        planes.append(PlaneComparison(name, **asdict(told)))
        channel, setting = _channel_of(name, job.detector)
        if channel:
            held = images.setdefault(setting, {"difference": {}, "ratio": {}})
            held["difference"][channel] = difference
            if ratio is not None:
                held["ratio"][channel] = ratio
    figures = [
        _drawn(job, kind, setting, held[kind], unit)
        for setting, held in list(images.items())[:MOST_SETTINGS]
        for kind in ("ratio", "difference")
        if held[kind]
    ]
    masks = _masks(here, there) if _is_mask(job.here) and _is_mask(job.there) else []
    told_masks = [asdict(m) for m in masks]
    return {
        "unit": unit,
        "why": "",
        "planes": [asdict(p) for p in planes],
        "masks": told_masks,
        "figures": figures,
    }


def _is_mask(path: Path) -> bool:
    """Whether a product is a mask of the one table of bits: its header says what each is."""
    from astropy.io import fits

    from analysis.masks import MEANINGS

    header = fits.getheader(path)
    return [header.get(f"BIT{n}") for n in range(len(MEANINGS))] == list(MEANINGS)


def _masks(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[MaskComparison]:
    """What became of each bit since the reference; planes of which one is not there, or not of that shape, are passed over."""
    from analysis.defects.epochs import changes

    return [
        MaskComparison(name, bit, change.common, change.added, change.removed, change.likeness)
        for name, mask in here.items()
        if name in there and there[name].shape == mask.shape
        for bit, change in changes(there[name], mask).items()
    ]


def _planes(path: Path) -> tuple[dict[str, Any], str]:
    """The planes of a product by name, and their unit."""
    from astropy.io import fits

    with fits.open(path, memmap=True) as hdus:
        held = {h.name: h for h in hdus if isinstance(h, fits.ImageHDU) and not h.name.endswith("_ERR")}
        unit = next((str(h.header.get("BUNIT", "")) for h in held.values()), "")
        return {name: h.data.copy() for name, h in held.items() if h.data is not None}, unit


def _channel_of(plane: str, detector: Detector) -> tuple[str, str]:
    """The channel that a plane is of ('' for none) and the setting that its name tells: FITS keeps names in capitals."""
    first, _, setting = plane.partition(" ")
    names = [c.name for c in detector.geometry.channels if c.name.upper() == first.upper()]
    return (names[0], setting.strip()) if names else ("", "")


def _drawn(job: Job, kind: str, setting: str, planes: Mapping[str, Any], unit: str) -> dict[str, Any]:
    from analysis.maps import map_of
    from builder.draw import draw

    label = f"{job.title}, {kind}" + (f" [{unit}]" if unit and kind == "difference" else "")
    drawn = draw(map_of(planes, job.detector, label), [c.name for c in job.detector.geometry.channels])
    at = f" at {setting.lower()}" if setting else ""
    how = "divided by" if kind == "ratio" else "less"
    look = "Structure is what changed between the two; an even image is a change of level."
    return {
        "name": f"{kind}-{setting}".strip("-"),
        "title": f"{kind.capitalize()}{at}",
        "caption": f"The {job.title} {how} that of the reference, averaged over squares. {look}",
        "light": put_object(job.objects, drawn.light, drawn.suffix),
        "dark": put_object(job.objects, drawn.dark, drawn.suffix),
        "data": put_object(job.objects, drawn.csv.encode(), ".csv"),
        "width": drawn.width,
        "height": drawn.height,
        "alt": drawn.alt,
    }
