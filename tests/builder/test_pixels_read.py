"""Pixels: every storage gives the same numbers as astropy, only the wanted part is read, losses are told."""

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_fits import REAL, Block, campaign, image, primary, ramp, write

from builder.acquired import pixels
from builder.acquired.index import index
from builder.acquired.pixels import FilePixels, FrameHeader, PixelsLost, fingerprint, open_pixels
from campaign.frames import Frame, FrameFile
from campaign.geometry import Channel, Region, single

WHOLE = Region(0, 6, 0, 8)
CHANNEL = Channel("A", WHOLE)


def opened(path: Path, hdus: dict[str, int] | None = None) -> FilePixels:
    info = path.stat()
    file = FrameFile(path.parent.name, path.name, info.st_size, info.st_mtime_ns, info.st_ino)
    return open_pixels(Frame("1/C", "1", "C", file, hdus or {"": 0}), path.parent.parent)


@pytest.mark.parametrize(
    ("pixels_", "cards", "expected"),
    [
        (ramp(start=40000 - 24), {}, np.uint16),
        (np.arange(48, dtype=np.int16).reshape(6, 8) - 9, {}, np.float32),
        (np.arange(48, dtype=np.int16).reshape(6, 8), {"BSCALE": 0.5, "BZERO": 100.0}, np.float32),
        (np.arange(48, dtype=np.uint8).reshape(6, 8), {}, np.float32),
        (np.arange(48, dtype=np.int32).reshape(6, 8) + 2**24 + 1, {}, np.float64),
        (np.linspace(-1, 1, 48).astype(np.float32).reshape(6, 8), {}, np.float32),
        (np.linspace(-1, 1, 48).reshape(6, 8), {}, np.float32),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_numbers_agree_with_astropy(
    tmp_path: Path, pixels_: np.ndarray, cards: dict[str, float], expected: type, packed: bool
) -> None:
    from astropy.io import fits

    plain = write(tmp_path / "d" / "a.fits", image(pixels_, cards))
    path = write(tmp_path / "d" / "a.fits.gz", gzip.compress(plain.read_bytes())) if packed else plain
    got = opened(path).read(CHANNEL, WHOLE)
    truth = fits.getdata(plain)
    assert got.dtype == expected and got.dtype.isnative
    np.testing.assert_array_equal(got, truth.astype(expected))
    np.testing.assert_array_equal(
        opened(path).read(CHANNEL, Region(2, 5, 3, 7)), truth[2:5, 3:7].astype(expected)
    )


def test_blank_pixels_are_nan(tmp_path: Path) -> None:
    stored = np.arange(48, dtype=np.int16).reshape(6, 8)
    got = opened(write(tmp_path / "d" / "a.fits", image(stored, {"BLANK": 5, "BZERO": 10.0}))).read(
        CHANNEL, WHOLE
    )
    assert np.flatnonzero(np.isnan(got)).tolist() == [5] and got[0, 0] == 10.0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_region_in_any_band_size(tmp_path: Path, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 40))
    truth = np.random.default_rng(rows * 100 + columns).integers(0, 65536, (rows, columns), dtype=np.uint16)
    y0, x0 = data.draw(st.integers(0, rows)), data.draw(st.integers(0, columns))
    region = Region(y0, data.draw(st.integers(y0, rows)), x0, data.draw(st.integers(x0, columns)))
    path = write(tmp_path / "d" / "a.fits", image(truth))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixels, "BAND", data.draw(st.sampled_from([1, 64, 300, 1 << 20])))
        got = opened(path).read(CHANNEL, region)
    assert got.shape == region.shape
    np.testing.assert_array_equal(got, truth[region.slices])


def test_tile_compressed(tmp_path: Path) -> None:
    from astropy.io import fits

    (tmp_path / "d").mkdir()
    fits.CompImageHDU(ramp(start=33000), compression_type="RICE_1").writeto(tmp_path / "d" / "a.fits.fz")
    held = opened(tmp_path / "d" / "a.fits.fz", {"": 1})
    got = held.read(CHANNEL, Region(1, 4, 2, 6))
    assert got.dtype == np.uint16 and got.dtype.isnative
    np.testing.assert_array_equal(got, ramp(start=33000)[1:4, 2:6])
    got[:] = 0  # what is handed out is the caller's own
    assert held.read(CHANNEL, WHOLE).min() == 33000
    floats = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    fits.CompImageHDU(floats, compression_type="GZIP_1", quantize_level=0).writeto(
        tmp_path / "d" / "f.fits.fz"
    )
    got = opened(tmp_path / "d" / "f.fits.fz", {"": 1}).read(CHANNEL, WHOLE)
    assert got.dtype == np.float32 and got.dtype.isnative
    np.testing.assert_array_equal(got, floats)


def test_channels_in_extensions(tmp_path: Path) -> None:
    parts = [image(ramp(start=s), extension=True) for s in (100, 200)]
    held = opened(write(tmp_path / "d" / "a.fits", primary(), *parts), {"E": 1, "F": 2})
    assert [int(held.read(Channel(c, WHOLE), WHOLE)[0, 0]) for c in "EF"] == [100, 200]
    with pytest.raises(PixelsLost, match="HDU"):
        held.read(Channel("G", WHOLE), WHOLE)


def test_region_outside_the_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leaves the image"):
        opened(write(tmp_path / "d" / "a.fits", image(ramp()))).read(CHANNEL, Region(0, 7, 0, 8))


def test_files_that_vanish_shrink_or_change(tmp_path: Path) -> None:
    path = write(tmp_path / "d" / "a.fits", image(ramp()))
    held = opened(path)
    held.read(CHANNEL, WHOLE)
    os.utime(path, ns=(7, 7))
    with pytest.raises(PixelsLost, match="changed"):
        held.read(CHANNEL, WHOLE)
    held = opened(path)
    held.read(CHANNEL, WHOLE)
    info = path.stat()
    path.write_bytes(path.read_bytes()[:2900])
    os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))
    with pytest.raises(PixelsLost, match="changed"):
        held.read(CHANNEL, WHOLE)
    with pytest.raises(PixelsLost, match="file ends at byte 2900"):
        unchecked = Frame("1/C", "1", "C", FrameFile("d", "a.fits", 0, 0, 0), {"": 0})
        open_pixels(unchecked, tmp_path).read(CHANNEL, WHOLE)
    path.unlink()
    with pytest.raises(PixelsLost):
        held.read(CHANNEL, WHOLE)
    with pytest.raises(PixelsLost):
        FilePixels(held.frame, path).read(CHANNEL, WHOLE)


def test_cut_gzip_is_lost_pixels(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 65536, (60, 80), dtype=np.uint16)
    whole = gzip.compress(image(noise))
    region = Region(0, 60, 0, 80)
    path = write(tmp_path / "d" / "a.fits.gz", whole[: len(whole) // 2])
    with pytest.raises(PixelsLost):
        opened(path).read(Channel("A", region), region)


def test_pixels_travel_to_workers(tmp_path: Path) -> None:
    path = write(tmp_path / "d" / "a.fits.gz", gzip.compress(image(ramp())))
    held = opened(path)
    held.read(CHANNEL, WHOLE)
    sent = pickle.dumps(held)
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).read(CHANNEL, WHOLE), ramp())
    held.close()
    np.testing.assert_array_equal(held.read(CHANNEL, WHOLE), ramp())


def test_fingerprint_is_blake3_of_the_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", b"")
    assert fingerprint(path) == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    from blake3 import blake3

    big = os.urandom((8 << 20) + 12345)
    assert fingerprint(write(path, big)) == blake3(big).hexdigest()
    path.unlink()
    with pytest.raises(PixelsLost):
        fingerprint(path)


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "stl1001").is_dir(), reason="the real frames are not beside the checkout")
@pytest.mark.parametrize(
    ("folder", "shape"),
    [("stl1001", (1024, 1024)), ("eso", (1007, 1024)), ("decam/uband_binned_fp", (224, 192))],
)
def test_real_frames_agree_with_astropy(folder: str, shape: tuple[int, int]) -> None:
    from astropy.io import fits

    geometry = single(rows=shape[0], columns=shape[1])
    found = index(campaign(REAL, ("X",), (Block(id="b"),), geometry, roots=(folder,)), {})
    frame = found.frames[0]
    channel = geometry.channels[0]
    got = open_pixels(frame, REAL).read(channel, channel.image)
    truth = fits.getdata(REAL / frame.file.root / frame.file.path)
    np.testing.assert_array_equal(got, truth)
    assert got.dtype == (np.uint16 if folder == "stl1001" else np.float32)


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_is_that_of_the_image_over_the_primary(tmp_path: Path, packed: bool) -> None:
    data = primary({"EXPTIME": 1.0, "LAMP": "red"})
    data += image(ramp(), {"EXPTIME": 2.0}, extension=True) + image(ramp(), {"GAIN": 3}, extension=True)
    path = write(tmp_path / "d" / "a.fits", gzip.compress(data) if packed else data)
    header = FrameHeader(opened(path, {"E": 1, "F": 2}), {"LOG Lamp": "blue"})
    assert (header["EXPTIME"], header["LAMP"], header["LOG Lamp"]) == ("2.0", "red", "blue")
    assert header.get("GAIN") is None and len(header) == len(list(header)) == len(dict(header))


def test_a_header_is_read_when_it_is_looked_into(tmp_path: Path) -> None:
    path = write(tmp_path / "d" / "a.fits", image(ramp(), {"EXPTIME": 1.0}))
    known, late = (FrameHeader(opened(path), {}) for _ in range(2))
    assert known["EXPTIME"] == "1.0"
    write(path, image(ramp(), {"EXPTIME": 2.0, "MORE": 1}) + b"more")
    with pytest.raises(PixelsLost, match="changed since"):
        late.get("EXPTIME")
    path.unlink()
    with pytest.raises(PixelsLost, match="No such file"):
        late.get("EXPTIME")
    assert known["EXPTIME"] == "1.0"
