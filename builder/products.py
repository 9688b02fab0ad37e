"""Products as files: FITS images, ECSV tables and regions for SAOImage DS9, with headers that say where they come from."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ImageProduct, Product, RegionProduct, TableProduct

Card = tuple[str, str | float | int | bool, str]
Piece = bytes

_BLOCK = 2880
_BAND = 1 << 20
"""Values written at once."""


def fits_pieces(
    product: ImageProduct, cards: Sequence[Card], inputs: Sequence[tuple[str, str, str]]
) -> Iterator[Piece]:
    """A FITS file, piece by piece: provenance in the primary header, an extension per plane, and a table of the inputs.

    ``cards`` are (keyword, value, comment); ``inputs`` are (role, file, BLAKE3 fingerprint). The bytes
    depend on the content alone: no dates are added. Planes are never copied whole, so a file of any size costs no memory.
    """
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    for keyword, value, comment in [*cards, *((k, *held) for k, held in product.cards.items())]:
        primary.header[keyword] = _card(value, comment)
    columns = [
        fits.Column(
            name=name,
            format=f"{max([len(str(_ascii(v))) for v in values] or [1])}A",
            array=[_ascii(v) for v in values],
        )
        for name, values in zip(
            ("ROLE", "FILE", "BLAKE3"), zip(*inputs, strict=True) if inputs else ((), (), ()), strict=True
        )
    ]
    frame = fits.HDUList([primary, fits.BinTableHDU.from_columns(columns, name="INPUTS")])
    for hdu in frame:
        hdu.add_datasum(when="data unit checksum")
        hdu.add_checksum(when="HDU checksum")
    out = io.BytesIO()
    frame.writeto(out)
    head = len(primary.header.tostring())
    yield out.getvalue()[:head]
    for name, plane in product.planes.items():
        data = np.asarray(plane)
        unit = product.units.get(name, product.unit)
        yield from _image(data.view(np.uint8) if data.dtype == bool else data, name or "IMAGE", unit)
    yield out.getvalue()[head:]


def fits_bytes(product: ImageProduct, cards: Sequence[Card], inputs: Sequence[tuple[str, str, str]]) -> bytes:
    """The same in one piece."""
    return b"".join(fits_pieces(product, cards, inputs))


def _image(data: NDArray[np.generic], name: str, unit: str) -> Iterator[Piece]:
    """An image extension: its header, told the sums of data that are only read, then the data in bands of rows."""
    from astropy.io import fits

    stub = fits.ImageHDU(np.zeros((1,) * data.ndim, data.dtype), name=name)
    header = stub.header
    for axis, size in enumerate(reversed(data.shape), start=1):
        header[f"NAXIS{axis}"] = size
    header["BUNIT"] = (unit, "unit of the pixels")
    total = _sum_of(data)
    header["CHECKSUM"] = ("0" * 16, "HDU checksum")
    header["DATASUM"] = (str(_folded(total)), "data unit checksum")
    text = header.tostring().encode("ascii")
    whole = _folded(_sum32(text) + total)
    header["CHECKSUM"] = (_encoded(~whole & 0xFFFFFFFF), "HDU checksum")
    yield header.tostring().encode("ascii")
    size = 0
    for band in _bands(data):
        size += len(band)
        yield band
    yield b"\0" * (-size % _BLOCK)


def _bands(data: NDArray[np.generic]) -> Iterator[bytes]:
    """The data as a FITS file holds them, in bands of rows; all but the last have a multiple of four bytes."""
    flat = np.ascontiguousarray(data).reshape(-1)
    order, size = data.dtype.newbyteorder(">"), data.dtype.itemsize
    # FITS has unsigned bytes and signed wider integers: the others are stored off by half their range (BZERO)
    shifted = (data.dtype.kind == "u") == (size > 1) and data.dtype.kind in "iu"
    top = np.array(1 << (8 * size - 1), f"u{size}")
    for start in range(0, flat.size, _BAND):
        band = flat[start : start + _BAND]
        band = (band.view(f"u{size}") ^ top).view(data.dtype) if shifted else band
        yield band.astype(order).tobytes()


def _sum_of(data: NDArray[np.generic]) -> int:
    """Sum of the 32-bit words of the data as a FITS file holds them; of 32-bit floats without exchanging their bytes first."""
    if data.dtype.newbyteorder("=") != np.float32:
        return sum(_sum32(band) for band in _bands(data))
    flat = np.ascontiguousarray(data).reshape(-1)
    words = flat.view(np.dtype(np.uint32).newbyteorder(flat.dtype.byteorder))
    return sum(int(words[i : i + _BAND].sum(dtype=np.uint64)) for i in range(0, words.size, _BAND))


def _sum32(piece: bytes) -> int:
    """Sum of big-endian 32-bit words; a last incomplete word is filled up with zeros."""
    short = -len(piece) % 4
    words = np.frombuffer(piece + b"\0" * short if short else piece, ">u4")
    return int(words.sum(dtype=np.uint64))


def _folded(total: int) -> int:
    """The ones' complement sum of 32 bits that a plain sum stands for."""
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _encoded(value: int) -> str:
    """A 32-bit checksum as sixteen characters (FITS standard 4.0, appendix J), none of them punctuation."""
    out = [""] * 16
    for i in range(4):
        byte = (value >> (24 - 8 * i)) & 0xFF
        held = [byte // 4 + 48] * 4
        held[0] += byte % 4
        while any(58 <= c <= 64 or 91 <= c <= 96 for c in held):
            for j in (0, 2):
                if any(58 <= c <= 64 or 91 <= c <= 96 for c in held[j : j + 2]):
                    held[j] += 1
                    held[j + 1] -= 1
        for j in range(4):
            out[4 * j + i] = chr(held[j])
    text = "".join(out)
    return text[-1] + text[:-1]


def put_pieces(objects: Path, pieces: Iterable[Piece], suffix: str) -> dict[str, str | int]:
    """Store bytes that come in pieces, as ``builder.store.put_object`` does: {'object': name, 'size', 'digest' (BLAKE3)}."""
    from blake3 import blake3

    digest, size = blake3(), 0
    objects.mkdir(parents=True, exist_ok=True)
    handle, place = tempfile.mkstemp(prefix=".", suffix=".part", dir=objects)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
                size += len(piece)
        whole = digest.hexdigest()
        name = f"{whole[:2]}/{whole[:32]}{suffix}"
        path = objects / name
        path.parent.mkdir(exist_ok=True)
        Path(place).chmod(0o444)  # the site links to it: nobody may change it in place
        Path(place).replace(path)
    except BaseException:
        Path(place).unlink(missing_ok=True)
        raise
    return {"object": name, "size": size, "digest": whole}


def read_product(path: Path, form: Literal["fits", "ecsv", "reg"]) -> Product:
    """A product as it was handed back; the cards of an image are left out. Planes are maps of the file, read where they are used.

    Raises OSError or ValueError when the file is gone or damaged.
    """
    if form == "reg":
        lines = path.read_text("ascii").splitlines()
        if "image" not in lines:
            raise ValueError(f"{path.name} holds no regions in image coordinates")
        return RegionProduct(tuple(lines[lines.index("image") + 1 :]))
    if form == "ecsv":
        from astropy.table import Table

        table = Table.read(path, format="ascii.ecsv")
        missing: dict[str, float | str] = {"f": np.nan, "U": ""}  # an empty text is masked when it is read
        return TableProduct(
            {
                str(n): np.ma.filled(table[n], missing[table[n].dtype.kind])
                if table[n].dtype.kind in missing
                else np.asarray(table[n])
                for n in table.colnames
            },
            {str(n): str(table[n].unit or "") for n in table.colnames},
        )
    from astropy.io import fits

    with fits.open(path, memmap=True, lazy_load_hdus=False) as file:
        images = [hdu for hdu in file if isinstance(hdu, fits.ImageHDU)]
        names = [str(hdu.header["EXTNAME"]) for hdu in images]  # hdu.name would be in capitals
        planes = {"" if n == "IMAGE" else n: hdu.data for n, hdu in zip(names, images, strict=True)}
        units = {n: str(hdu.header.get("BUNIT", "")) for n, hdu in zip(planes, images, strict=True)}
        first = next(iter(units.values()), "")
        return ImageProduct(planes, first, units={n: unit for n, unit in units.items() if unit != first})


def _card(value: str | float, comment: str) -> tuple[str | float, str]:
    """Value and comment of a card in ASCII, the comment cut where a card of 80 characters ends."""
    held = _ascii(value)
    taken = max(20, len(str(held)) + 2)
    return held, str(_ascii(comment))[: max(0, 80 - len("KEYWORD = ") - taken - len(" / "))]


def _ascii(value: str | float) -> str | float:
    """FITS headers hold printable ASCII only: anything else is written as an escape."""
    if not isinstance(value, str):
        return value
    plain = value.encode("ascii", "backslashreplace").decode()
    return "".join(c if 32 <= ord(c) < 127 else f"\\x{ord(c):02x}" for c in plain)


def ecsv_bytes(product: TableProduct, meta: Sequence[Card], inputs: Sequence[tuple[str, str, str]]) -> bytes:
    """An ECSV table: units and descriptions of the columns, provenance in the metadata."""
    from astropy.table import Column, Table

    table = Table(
        [
            Column(
                list(values),
                name=name,
                unit=product.units.get(name),
                description=product.descriptions.get(name),
            )
            for name, values in product.columns.items()
        ]
    )
    table.meta = {keyword.lower(): value for keyword, value, _ in meta}
    table.meta["inputs"] = [f"{role}: {file} blake3={digest}" for role, file, digest in inputs]
    out = io.StringIO()
    table.write(out, format="ascii.ecsv")
    return out.getvalue().encode()


def region_bytes(
    product: RegionProduct, meta: Sequence[Card], inputs: Sequence[tuple[str, str, str]]
) -> bytes:
    """A region file of SAOImage DS9: provenance in comments, then a region a line, in image coordinates.

    It is plain ASCII; whatever is not printable, line ends too, is written as an escape, so that no text becomes a line of its own.
    """
    lines = ["# Region file format: DS9 version 4.1"]
    lines += [f"# {keyword} = {_ascii(value)}" for keyword, value, _ in meta]
    lines += [f"# {_ascii(f'{role}: {file} blake3={digest}')}" for role, file, digest in inputs]
    lines += ["image", *(str(_ascii(region)) for region in product.regions)]
    return ("\n".join(lines) + "\n").encode("ascii")
