"""FITS files made byte by byte, so that tests can break them at any place; and campaigns around them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from campaign.geometry import Geometry, single
from campaign.model import Block, Campaign, DataSpec, Detector

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ROWS, COLUMNS = 6, 8


def card(keyword: str, value: object) -> str:
    """One card. Text that starts with '=' is written raw, other text as a string."""
    if isinstance(value, bool):
        shown = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        shown = value[1:] if value.startswith("=") else "'" + value.replace("'", "''").ljust(8) + "'"
    else:
        shown = f"{value:>20}"
    head = f"{keyword:<8}= " if len(keyword) <= 8 else f"HIERARCH {keyword} = "
    return (head + shown).ljust(80)


def header(cards: Mapping[str, object]) -> bytes:
    """A padded header block."""
    text = "".join(card(k, v) for k, v in cards.items()) + "END".ljust(80)
    return (text + " " * (-len(text) % 2880)).encode("latin-1")


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 2880)


def image(pixels: np.ndarray, cards: Mapping[str, object] | None = None, *, extension: bool = False) -> bytes:
    """An HDU of unsigned 16-bit pixels (or of the array's own type), with cards."""
    unsigned = pixels.dtype == np.uint16
    stored = (pixels ^ 0x8000).view(np.int16) if unsigned else pixels
    bits = stored.dtype.itemsize * 8 * (-1 if stored.dtype.kind == "f" else 1)
    first = {"XTENSION": "IMAGE"} if extension else {"SIMPLE": True}
    axes = {f"NAXIS{i}": n for i, n in enumerate(reversed(pixels.shape), start=1)}
    more = {"PCOUNT": 0, "GCOUNT": 1} if extension else {}
    scale = {"BZERO": 32768, "BSCALE": 1} if unsigned else {}
    top = {**first, "BITPIX": bits, "NAXIS": pixels.ndim, **axes, **more, **scale}
    return header({**top, **(cards or {})}) + padded(stored.astype(stored.dtype.newbyteorder(">")).tobytes())


def primary(cards: Mapping[str, object] | None = None) -> bytes:
    """A primary HDU without data."""
    return header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, **(cards or {})})


def ramp(rows: int = ROWS, columns: int = COLUMNS, start: int = 1000) -> np.ndarray:
    return (start + np.arange(rows * columns).reshape(rows, columns)).astype(np.uint16)


def write(path: Path, *parts: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))
    return path


def frame_file(path: Path, **cards: object) -> Path:
    """A small good frame with these cards."""
    return write(path, image(ramp(), {k.replace("_", "-"): v for k, v in cards.items()}))


def campaign(
    root: Path,
    detectors: tuple[str, ...] = ("CCD1",),
    blocks: tuple[Block, ...] = (Block(id="BORN"),),
    geometry: Geometry | None = None,
    **data: Any,
) -> Campaign:
    geometry = geometry or single(rows=ROWS, columns=COLUMNS)
    return Campaign(
        root=root,
        id="made",
        title="Made",
        detectors=tuple(Detector(name=d, geometry=geometry) for d in detectors),
        blocks=blocks,
        data=DataSpec(**data),
    )
