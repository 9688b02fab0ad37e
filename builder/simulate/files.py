"""Writing frames: FITS bytes, planted damage, and files that appear whole or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

from builder.simulate.headers import Card
from builder.simulate.plan import Exposure
from builder.simulate.readout import Image

FOREIGN = b"This is a note that somebody saved under the name of a frame. It holds no image.\n"


def fits_bytes(image: Image, cards: Mapping[str, Card], *, extension: str = "") -> bytes:
    """A FITS file: the image in the primary HDU, or in an extension of that name with the cards in the primary."""
    from astropy.io import fits

    header = fits.Header([fits.Card(k, v) for k, v in cards.items()])
    if extension:
        second = fits.ImageHDU(image, name=extension)
        second.header["BUNIT"] = "ADU"
        units = fits.HDUList([fits.PrimaryHDU(header=header), second])
    else:
        units = fits.HDUList([fits.PrimaryHDU(image, header)])
    buffer = io.BytesIO()
    units.writeto(buffer)
    return buffer.getvalue()


def misshapen(image: Image, exposure: Exposure, detector: str) -> Image:
    """The image, short of some rows where that was planted."""
    fault = exposure.strikes("wrong-shape", detector)
    return image[: max(1, image.shape[0] - int(fault.strength))] if fault else image


def damaged(content: bytes, exposure: Exposure, detector: str) -> bytes:
    """The bytes that reach the disk: cut, gone or foreign where that was planted."""
    if exposure.strikes("empty", detector):
        return b""
    if exposure.strikes("foreign", detector):
        return FOREIGN
    if fault := exposure.strikes("truncated", detector):
        return content[: int(len(content) * fault.strength)]
    return content


def write_whole(path: Path, content: bytes) -> bool:
    """Write by atomic rename, unless the file holds just that already. Returns whether it was written."""
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return True
