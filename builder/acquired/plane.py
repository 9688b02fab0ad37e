"""How one image lies in a file, and how its stored numbers become values."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from builder.acquired.fitsfile import Hdu
from campaign.frozen import dataclass

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


class PixelsLost(OSError):
    """A frame's file vanished, shrank or changed since it was indexed."""


@dataclass(frozen=True)
class Plane:
    """How one image is stored: shape, type and scale of its numbers, and where."""

    hdu: int
    kind: str
    rows: int
    columns: int
    bitpix: int
    offset: int
    zero: float
    scale: float
    blank: int | None

    @classmethod
    def of(cls, hdu: Hdu) -> Plane:
        """As a header says. Raises PixelsLost when the HDU is no image."""
        if not hdu.is_image or len(hdu.shape) < 2:
            raise PixelsLost(f"HDU {hdu.index} is no image")
        zero, scale = (_real(hdu.cards.get(k), d) for k, d in (("BZERO", 0.0), ("BSCALE", 1.0)))
        blank = _real(hdu.cards.get("BLANK"), math.nan) if hdu.bitpix > 0 else math.nan
        rows, columns = hdu.shape[-2:]
        whole = int(blank) if math.isfinite(blank) else None
        return cls(hdu.index, hdu.kind, rows, columns, hdu.bitpix, hdu.offset, zero, scale, whole)

    @cached_property
    def stored(self) -> np.dtype[np.generic]:
        """Type of the numbers in the file."""
        return np.dtype(_DTYPES[self.bitpix])

    @cached_property
    def unsigned(self) -> bool:
        """Whether the file holds unsigned 16-bit numbers by the usual offset."""
        return self.bitpix == 16 and self.zero == 32768 and self.scale == 1 and self.blank is None

    @cached_property
    def lowest(self) -> int | None:
        """The least value that can be stored [ADU], where values are whole numbers of 8 or 16 bits; else None."""
        if self.bitpix not in (8, 16) or self.scale != 1 or self.blank is not None:
            return None
        if not self.zero.is_integer() or abs(self.zero) > 2**31:
            return None
        return int(self.zero) - (32768 if self.bitpix == 16 else 0)

    @cached_property
    def dtype(self) -> np.dtype[np.generic]:
        """Type handed out: uint16; float64 for 32- and 64-bit integers, which float32 cannot hold; else float32."""
        if self.unsigned:
            return np.dtype(np.uint16)
        return np.dtype(np.float64 if self.bitpix in (32, 64) else np.float32)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row as stored."""
        return self.columns * self.stored.itemsize

    def decode(self, raw: NDArray[np.generic], out: NDArray[np.generic]) -> None:
        """Numbers as stored → values [ADU], into ``out`` of the same shape and of ``dtype`` or a wider type.

        NumPy exchanges the bytes of what lies in the processor's cache as fast as compiled code does (measured).
        """
        if self.unsigned and out.dtype == np.uint16:
            np.copyto(out, raw.view(">u2"))
            np.bitwise_xor(out, np.uint16(0x8000), out=out)
        elif self.unsigned:
            np.copyto(out, raw, casting="unsafe")
            np.add(out, np.float32(32768), out=out)
        elif self.zero == 0 and self.scale == 1:
            np.copyto(out, raw, casting="unsafe")
        else:
            np.copyto(out, raw.astype(np.float64) * self.scale + self.zero, casting="unsafe")
        if self.blank is not None:
            out[raw == self.blank] = np.nan


def _real(text: str | None, default: float) -> float:
    try:
        return float(text.replace("D", "E")) if text and text.strip() else default
    except ValueError:
        return default
