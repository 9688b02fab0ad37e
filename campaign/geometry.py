"""The pixel geometry of detectors: which part of an image belongs to which channel.

Coordinates are zero-based, half open, in the order of the array that FITS readers return: rows (y) first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from campaign.frozen import dataclass

Corner = Literal["lower-left", "lower-right", "upper-left", "upper-right"]


@dataclass(frozen=True)
class Region:
    """A rectangle of pixels: rows y0 ≤ y < y1, columns x0 ≤ x < x1."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index into an array of the whole image."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def trimmed(self, y: tuple[int, int] = (0, 0), x: tuple[int, int] = (0, 0)) -> Region:
        """The region less ``y`` rows and ``x`` columns at its (low, high) sides.

        Raises ValueError when nothing would be left.
        """
        out = Region(self.y0 + y[0], self.y1 - y[1], self.x0 + x[0], self.x1 - x[1])
        if out.y0 >= out.y1 or out.x0 >= out.x1:
            raise ValueError(f"nothing is left of {self} when trimmed by rows {y} and columns {x}")
        return out


@dataclass(frozen=True)
class Channel:
    """One readout amplifier's part of an image.

    ``hdu`` names the image extension that holds it (EXTNAME or number); None is the frame's only image.
    ``corner`` is the corner of the *channel's* image region beside its readout node. ``gain`` is the
    nominal gain in e⁻/ADU, or None when it is not known.
    """

    name: str
    image: Region
    prescan: Region | None = None
    overscan: Region | None = None
    parallel: Region | None = None
    corner: Corner = "lower-left"
    hdu: str | int | None = None
    gain: float | None = None

    def region(self, name: str) -> Region | None:
        """The region called image, prescan, overscan or parallel; None when the channel has none."""
        if name not in ("image", "prescan", "overscan", "parallel"):
            raise ValueError(f"a channel has no region {name!r}: image, prescan, overscan or parallel")
        found: Region | None = getattr(self, name)
        return found


@dataclass(frozen=True)
class Geometry:
    """The channels of a detector and the shape (rows, columns) of the images that hold them."""

    name: str
    shape: tuple[int, int]
    channels: tuple[Channel, ...]
    saturation: float = 65535.0

    def channel(self, name: str) -> Channel:
        """The channel of that name. Raises KeyError."""
        for channel in self.channels:
            if channel.name == name:
                return channel
        raise KeyError(name)


def single(
    name: str = "single", *, rows: int, columns: int, prescan: int = 0, overscan: int = 0, channel: str = "A"
) -> Geometry:
    """A plain camera with one amplifier reading to the left."""
    x0, x1 = prescan, prescan + columns
    return Geometry(
        name,
        (rows, x1 + overscan),
        (
            Channel(
                channel,
                Region(0, rows, x0, x1),
                Region(0, rows, 0, x0) if prescan else None,
                Region(0, rows, x1, x1 + overscan) if overscan else None,
            ),
        ),
    )


def quadrants(
    name: str = "quadrants",
    *,
    rows: int = 2066,
    columns: int = 2048,
    prescan: int = 51,
    overscan: int = 20,
    parallel: int = 20,
) -> Geometry:
    """Four quadrants as of Euclid VIS: E upper left, F upper right, G lower right, H lower left, each read at its outer corner.

    ``rows`` and ``columns`` are active pixels of a quadrant. Physical image: H lower left, G lower right,
    E upper left, F upper right; prescans outside, serial overscans meet in the middle columns, parallel
    overscans in the middle rows.
    """
    nx, ny = prescan + columns + overscan, rows + parallel

    def place(quadrant: str, top: bool, right: bool, corner: Corner) -> Channel:
        def xspan(a: int, b: int) -> tuple[int, int]:
            return (2 * nx - b, 2 * nx - a) if right else (a, b)

        def yspan(a: int, b: int) -> tuple[int, int]:
            return (2 * ny - b, 2 * ny - a) if top else (a, b)

        def box(y: tuple[int, int], x: tuple[int, int]) -> Region | None:
            return Region(*yspan(*y), *xspan(*x)) if y[1] > y[0] and x[1] > x[0] else None

        image = box((0, rows), (prescan, prescan + columns))
        assert image is not None
        return Channel(
            quadrant,
            image,
            box((0, rows), (0, prescan)),
            box((0, rows), (prescan + columns, nx)),
            box((rows, ny), (prescan, prescan + columns)),
            corner,
        )

    return Geometry(
        name,
        (2 * ny, 2 * nx),
        (
            place("E", True, False, "upper-left"),
            place("F", True, True, "upper-right"),
            place("G", False, True, "lower-right"),
            place("H", False, False, "lower-left"),
        ),
    )


def decam(name: str = "decam") -> Geometry:
    """A DECam science CCD: two amplifiers side by side, as the raw extension stores them (4146 × 2160).

    Amplifier B is the left half and A the right half, as DATASECB/A and BIASSECB/A of the raw headers
    say: six prescan columns at each side, 50 overscan columns between them and the data.
    """
    rows = slice(50, 4146)
    y0, y1 = rows.start, rows.stop
    return Geometry(
        name,
        (4146, 2160),
        (
            Channel(
                "A",
                Region(y0, y1, 1080, 2104),
                Region(y0, y1, 2154, 2160),
                Region(y0, y1, 2104, 2154),
                None,
                "lower-right",
            ),
            Channel(
                "B", Region(y0, y1, 56, 1080), Region(y0, y1, 0, 6), Region(y0, y1, 6, 56), None, "lower-left"
            ),
        ),
    )


PRESETS: dict[str, Callable[..., Geometry]] = {"euclid-vis": quadrants, "single": single, "decam": decam}


def with_gains(geometry: Geometry, gains: dict[str, float]) -> Geometry:
    """The geometry with nominal gains [e⁻/ADU] set for the channels named."""
    return replace(
        geometry, channels=tuple(replace(c, gain=gains.get(c.name, c.gain)) for c in geometry.channels)
    )
