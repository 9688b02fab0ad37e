"""Products as files: FITS in pieces, as astropy reads and verifies it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from blake3 import blake3

from analysis.contract import ImageProduct
from builder.products import fits_bytes, fits_pieces, put_pieces

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
