"""Which image extensions of a file hold which detector: one file per detector, or many detectors in one file.

In order: what the campaign says (``hdu`` of a detector or channel), an EXTNAME '<detector>.<channel>' (as of
the Euclid VIS focal plane), an EXTNAME or header keyword that names a detector (as of DECam), and for a file with a single
image the detector that its header, its name or the campaign names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from builder.acquired.fitsfile import Hdu
from builder.acquired.headers import HeaderMap
from campaign.frozen import dataclass
from campaign.geometry import Geometry
from campaign.model import Detector


@dataclass(frozen=True)
class Held:
    """A detector's image in a file: its HDUs by channel ({'': n} for all), and its header.

    ``detector`` is '' where the layout does not tell it; ``source`` says what told it.
    """

    detector: str
    source: str
    hdus: Mapping[str, int]
    cards: Mapping[str, str]
    quoted: Sequence[str]


def held_images(
    hdus: Sequence[Hdu], detectors: Sequence[Detector], mapping: HeaderMap
) -> tuple[list[Held], list[str]]:
    """The detectors' images in a file, and the names of image extensions that belong to none."""
    images = [h for h in hdus if h.is_image]
    claimed = _claimed(images, detectors) or _by_channel_name(images, detectors)
    if claimed:
        out = [_held(hdus, name, source, by) for name, source, by in claimed]
        used = {i for _, _, by in claimed for i in by.values()}
    elif len(images) <= 1:
        out = [_held(hdus, "", "", {"": h.index}) for h in images]
        used = {h.index for h in images}
    else:
        out, used = _by_header(hdus, images, detectors, mapping)
    return out, [h.name or f"HDU {h.index}" for h in images if h.index not in used]


def _held(hdus: Sequence[Hdu], detector: str, source: str, by: Mapping[str, int]) -> Held:
    first = hdus[min(by.values())]
    if first.index == 0:
        return Held(detector, source, by, first.cards, first.quoted)
    quoted = {*(q for q in hdus[0].quoted if q not in first.cards), *first.quoted}
    return Held(detector, source, by, cards_of(hdus, by), tuple(quoted))


def cards_of(hdus: Sequence[Hdu], by: Mapping[str, int]) -> Mapping[str, str]:
    """The header of an image in the HDUs ``by`` channel: that of its first one, over the primary header."""
    first = hdus[min(by.values())]
    return first.cards if first.index == 0 else {**hdus[0].cards, **first.cards}


def _find(images: Sequence[Hdu], hdu: str | int) -> int | None:
    for image in images:
        if image.index == hdu or (isinstance(hdu, str) and image.name.casefold() == hdu.casefold()):
            return image.index
    return None


def _claimed(
    images: Sequence[Hdu], detectors: Sequence[Detector]
) -> list[tuple[str, str, Mapping[str, int]]]:
    """Images that the campaign's configuration gives to a detector."""
    out: list[tuple[str, str, Mapping[str, int]]] = []
    for detector in detectors:
        if detector.hdu is not None:
            index = _find(images, detector.hdu)
            if index is not None:
                out.append((detector.name, f"setting hdu {detector.hdu}", {"": index}))
            continue
        named = {c.name: c.hdu for c in detector.geometry.channels if c.hdu is not None}
        found = {name: i for name, hdu in named.items() if (i := _find(images, hdu)) is not None}
        if found and len(found) == len(detector.geometry.channels):
            out.append((detector.name, "setting hdu of its channels", found))
    places = [tuple(sorted(by.values())) for _, _, by in out]
    if len(set(places)) < len(places):  # all detectors use the same extension: one file each
        return [("", "", out[0][2])]
    return out


def _by_channel_name(
    images: Sequence[Hdu], detectors: Sequence[Detector]
) -> list[tuple[str, str, Mapping[str, int]]]:
    by_name = {h.name.casefold(): h.index for h in images if "." in h.name}
    if not by_name:
        return []
    out: list[tuple[str, str, Mapping[str, int]]] = []
    for detector in detectors:
        names = {c.name: f"{detector.name}.{c.name}".casefold() for c in detector.geometry.channels}
        if all(n in by_name for n in names.values()):
            out.append((detector.name, "EXTNAME", {c: by_name[n] for c, n in names.items()}))
    return out


def _by_header(
    hdus: Sequence[Hdu], images: Sequence[Hdu], detectors: Sequence[Detector], mapping: HeaderMap
) -> tuple[list[Held], set[int]]:
    """Images whose own header names a detector; else the only one that has a detector's shape."""
    out: list[Held] = []
    for image in images:
        for word in ("EXTNAME", *mapping.keywords("").get("detector", ())):
            name = mapping.detector(image.cards.get(word, ""))
            if name and name not in {h.detector for h in out}:
                out.append(_held(hdus, name, f"header {word}", {"": image.index}))
                break
    if out:
        return out, {i for h in out for i in h.hdus.values()}
    fitting = [h for h in images if any(fits(h.shape, d.geometry) for d in detectors)]
    if len(fitting) == 1:
        return [_held(hdus, "", "", {"": fitting[0].index})], {fitting[0].index}
    return [], set()


def fits(shape: Sequence[int], geometry: Geometry) -> bool:
    """Whether an image of this shape (axes of length 1 in front are nothing) is one of the geometry's."""
    return tuple(shape[-2:]) == geometry.shape and all(n == 1 for n in shape[:-2])
