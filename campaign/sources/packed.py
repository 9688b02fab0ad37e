"""Packed spreadsheets (xlsx and ods are zip files): opened only when whole and of a sane size."""

from __future__ import annotations

import io
import zipfile

from campaign.sources.grid import MAX_BYTES, SourceError


def opened(data: bytes, needs: str) -> zipfile.ZipFile:
    """The zip file in ``data``, which must hold a member ``needs``.

    Raises SourceError when the file is cut short, is something else, or would unpack to more than
    ``MAX_BYTES``. A password-protected xlsx is no zip file at all, and is named as such.
    """
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise SourceError("the file is protected by a password, or is of the old xls format: save it as xlsx")
    try:
        packed = zipfile.ZipFile(io.BytesIO(data))
        names = packed.namelist()
        size = sum(info.file_size for info in packed.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise SourceError("the file is cut short or is not a spreadsheet: it may be half written") from None
    if needs not in names:
        raise SourceError(f"the file holds no {needs}: it is not a spreadsheet of its kind")
    if size > MAX_BYTES:
        raise SourceError(
            f"the file unpacks to more than {MAX_BYTES // 1_000_000} MB: this is no test record"
        )
    return packed


def chosen(names: list[str], wanted: str) -> str:
    """The worksheet of that name, or the first when none is named. Raises SourceError when it is not there."""
    if not names:
        raise SourceError("the file holds no worksheet")
    if wanted and wanted not in names:
        there = ", ".join(repr(n) for n in names[:20])
        raise SourceError(f"there is no sheet {wanted!r} (was it renamed?); there are: {there}")
    return wanted or names[0]
