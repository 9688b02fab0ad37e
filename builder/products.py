"""Products as files: FITS images and ECSV tables, with headers that say where they come from."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from analysis.contract import ImageProduct, TableProduct

Card = tuple[str, str | float | int | bool, str]


def fits_bytes(product: ImageProduct, cards: Sequence[Card], inputs: Sequence[tuple[str, str, str]]) -> bytes:
    """A FITS file: provenance in the primary header, an extension per plane, and a table of the inputs.

    ``cards`` are (keyword, value, comment); ``inputs`` are (role, file, BLAKE3 fingerprint). The bytes
    depend on the content alone: no dates are added.
    """
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    for keyword, value, comment in cards:
        primary.header[keyword] = (_ascii(value), _ascii(comment))
    for keyword, (value, comment) in product.cards.items():
        primary.header[keyword] = (_ascii(value), _ascii(comment))
    hdus = [primary]
    for name, plane in product.planes.items():
        data = np.asarray(plane)
        if data.dtype == bool:
            data = data.astype(np.uint8)
        hdu = fits.ImageHDU(data, name=name or "IMAGE")
        hdu.header["BUNIT"] = (product.unit, "unit of the pixels")
        hdus.append(hdu)
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
    hdus.append(fits.BinTableHDU.from_columns(columns, name="INPUTS"))
    for hdu in hdus:
        hdu.add_datasum(when="data unit checksum")
        hdu.add_checksum(when="HDU checksum")
    out = io.BytesIO()
    fits.HDUList(hdus).writeto(out)
    return out.getvalue()


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
