"""A large campaign made in seconds: small frames, one plug-in procedure of cheap numbers, any number of tests.

What it weighs is everything around the measuring: listing, matching, planning, judging, rendering. Each frame is a
real FITS file that is listed, opened and read once like any other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

SIZE, OVERSCAN = 16, 4

HEAD = """
[campaign]
title = "Large"

[geometry.quad]
preset = "euclid-vis"
rows = {size}
columns = {size}
prescan = 4
overscan = {overscan}
parallel = 2

[detectors.CCD1]
geometry = "quad"
"""

SOURCE = """
[[sources]]
id = "{block}"
address = "records/{block}.csv"
block = "{block}"
"""

PROCEDURE = '''"""Levels of the frames, from their summaries."""

from analysis.contract import Procedure, Quantity, Role, Version

NAMES = ("level", "spread", "low", "high", "drift")


def measure(inputs, results):
    for channel in inputs.detector.geometry.channels:
        held = [f.summaries[channel.name] for f in inputs.frames["bias"]]
        means = [s.mean for s in held]
        found = (sum(means) / len(means), held[0].std, held[0].low, held[0].high, means[-1] - means[0])
        for name, value in zip(NAMES, found):
            results.value(name, value, 0.1, n=len(held), channel=channel.name)


PROCEDURE = Procedure(
    name="level", title="Level", purpose="Levels of frames.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "zero-second frames"),),
    quantities=tuple(Quantity(n, n[0].upper(), "ADU", f"The {n} of the image", "from clipped means") for n in NAMES),
    measure=measure,
)
'''


def frame(number: int, when: datetime) -> bytes:
    """A FITS file of one 16-bit image with the few cards that an index needs."""
    rows, columns = 2 * (SIZE + 2), 2 * (SIZE + OVERSCAN + 4)
    rng = np.random.default_rng(number)
    image = np.rint(rng.normal(1000.0, 5.0, (rows, columns))).astype(np.uint16)
    cards = {
        "SIMPLE": "T", "BITPIX": 16, "NAXIS": 2, "NAXIS1": columns, "NAXIS2": rows, "BZERO": 32768, "BSCALE": 1,
        "EXPNUM": number, "IMAGETYP": "'bias    '", "EXPTIME": 0.0, "CCDTEMP": -120.1,
        "DATE-OBS": f"'{when:%Y-%m-%dT%H:%M:%S}'",
    }  # fmt: skip
    text = "".join(f"{k:<8}= {v!s:>20}".ljust(80) for k, v in cards.items()) + "END".ljust(80)
    header = (text + " " * (-len(text) % 2880)).encode()
    data = (image ^ 0x8000).view(np.int16).astype(">i2").tobytes()
    return header + data + b"\0" * (-len(data) % 2880)


def write(folder: Path, *, frames: int, tests: int, blocks: int = 10) -> Path:
    """Write a campaign of that many frames, shared out evenly over tests and blocks."""
    blocks = min(blocks, tests)
    each, held = frames // tests, tests // blocks
    text, number = HEAD.format(size=SIZE, overscan=OVERSCAN), 0
    begun = datetime(2025, 1, 1, tzinfo=UTC)
    for b in range(blocks):
        block = f"B{b:02d}"
        text += SOURCE.format(block=block)
        rows = ["test,first,last,exptime,status,comments"]
        place = folder / "frames" / block
        place.mkdir(parents=True, exist_ok=True)
        for t in range(held):
            rows.append(f"BIAS{t:05d},{number + 1},{number + each},0,done,")
            for _ in range(each):
                number += 1
                (place / f"f{number:07d}.fits").write_bytes(
                    frame(number, begun + timedelta(seconds=60 * number))
                )
        add(folder / "records" / f"{block}.csv", "\n".join(rows) + "\n")
        add(
            folder / "blocks" / f"{block}.md",
            f"---\ntitle: Block {b}\nstatus: done\nstart: 2025-01-01\n---\n\nNotes.\n",
        )
    add(folder / "campaign.toml", text + '\n[procedures.level]\ntests = ["BIAS*"]\n')
    add(folder / "procedures" / "level.py", PROCEDURE)
    add(
        folder / "limits" / "limits.toml",
        '[[limit]]\nid = "L1"\nquantity = "level.level"\nlow = 900\nhigh = 1100\n',
    )
    return folder


def add(path: Path, text: str) -> None:
    """Write a text file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
