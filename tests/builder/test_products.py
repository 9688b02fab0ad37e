"""Products as files: FITS in pieces, as astropy reads and verifies it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from blake3 import blake3

from analysis.contract import ImageProduct, RegionProduct
from builder.products import fits_bytes, fits_pieces, put_pieces, read_product, region_bytes

CARDS = [("BLOCK", "Bé", "tested unit")]
INPUTS = [("bias", "frames/a.fits", "ab" * 32), ("dark", "b", "cd")]


@pytest.mark.parametrize("kind", ["f4", "f8", "u1", "i1", "i2", "u2", "i4", "u4", "?"])
def test_planes_come_back_and_checksums_hold(kind: str) -> None:
    rng = np.random.default_rng(1)
    planes = {
        "E": rng.integers(0, 2, (33, 57)).astype(kind),
        "E_ERR": rng.normal(0, 1, (31, 43)).astype("f4"),
    }
    data = fits_bytes(ImageProduct(planes, "ADU/s", {"NFRAMES": (3, "frames")}), CARDS, INPUTS)
    assert len(data) % 2880 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a checksum that is wrong is a warning
        with fits.open(io.BytesIO(data), checksum=True) as found:
            found.verify("exception")
            assert found[0].header["NFRAMES"] == 3 and found[0].header["BLOCK"] == "B\\xe9"
            for name, plane in planes.items():
                assert np.array_equal(found[name].data, plane) and found[name].header["BUNIT"] == "ADU/s"
            assert found["INPUTS"].data["ROLE"].tolist() == ["bias", "dark"]


def test_planes_may_have_units_of_their_own_and_any_number_of_axes(tmp_path: Path) -> None:
    planes = {"A_COV": np.arange(24.0).reshape(2, 3, 4), "A_LEVEL": np.array([1.0, 2.0])}
    product = ImageProduct(planes, "adu2", units={"A_LEVEL": "adu"})
    path = tmp_path / "a.fits"
    path.write_bytes(fits_bytes(product, (), ()))
    found = read_product(path, "fits")
    assert isinstance(found, ImageProduct) and (found.unit, found.units) == ("adu2", {"A_LEVEL": "adu"})
    assert all(np.array_equal(found.planes[n], plane) for n, plane in planes.items())


def test_pieces_are_stored_under_the_digest_of_the_whole(tmp_path: Path) -> None:
    product = ImageProduct({"A": np.zeros((1100, 1000), np.float32)}, "ADU")
    stored = put_pieces(tmp_path, fits_pieces(product, CARDS, INPUTS), ".fits")
    whole = fits_bytes(product, CARDS, INPUTS)
    assert (tmp_path / str(stored["object"])).read_bytes() == whole
    assert stored["digest"] == blake3(whole).hexdigest() and stored["size"] == len(whole)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1 << 17, "a text", "t" * 60])
def test_comments_are_cut_where_a_card_ends(value: int | str) -> None:
    product = ImageProduct({"A": np.zeros((2, 2), np.int32)}, "", {"BIT17": (value, "no value there " * 9)})
    with fits.open(io.BytesIO(fits_bytes(product, (), ()))) as file:
        card = file[0].header.cards["BIT17"]
        assert card.value == value and ("no value there " * 9).startswith(card.comment)
        assert len(card.image) == 80 and (card.comment or value == "t" * 60)


def test_regions_come_back_and_no_text_becomes_a_line_of_its_own(tmp_path: Path) -> None:
    boxes = ("box(5,1,1,1,0) # color=red tag={hot}", "box(9,7,3,1,0) # tag={sté\nimage}")
    content = region_bytes(RegionProduct(boxes), [("TEST", "FLAT\nbox(1,1,1,1,0)", "")], INPUTS)
    lines = content.decode("ascii").splitlines()
    assert lines[0] == "# Region file format: DS9 version 4.1"
    assert lines[1] == "# TEST = FLAT\\x0abox(1,1,1,1,0)"
    assert lines[2:4] == [f"# bias: frames/a.fits blake3={'ab' * 32}", "# dark: b blake3=cd"]
    assert [line for line in lines if not line.startswith("#")] == [
        "image",
        boxes[0],
        "box(9,7,3,1,0) # tag={st\\xe9\\x0aimage}",
    ]
    path = tmp_path / "a.reg"
    path.write_bytes(content)
    found = read_product(path, "reg")
    assert isinstance(found, RegionProduct) and found.regions[0] == boxes[0] and len(found.regions) == 2
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match="no regions"):
        read_product(path, "reg")
