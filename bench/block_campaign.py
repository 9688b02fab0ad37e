"""A whole block at full size: 60 simulated frames of one detector with four quadrants, as a campaign folder.

Ten bias frames, ten darks, eighteen pairs of flats at eighteen levels and four flats of one level more: what
bias, dark, photon transfer and flat are measured from. Frames are those of the geometry preset euclid-vis,
4238 × 4172 pixels of 16 bit, 35 MB each.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

TIMES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6)

CAMPAIGN = """
[campaign]
title = "A whole block"

[geometry.full]
preset = "euclid-vis"
{size}
saturation = 65535

[detectors.CCD1]
geometry = "full"

[data]
roots = ["frames"]
setting = ["wavelength"]

[[sources]]
id = "record"
address = "records/tests.csv"
block = "FULL"

[procedures.bias]
tests = ["BIAS*"]

[procedures.dark]
tests = ["DARK*"]

[procedures.flat]
tests = ["FLAT*"]

[procedures.photon_transfer]
tests = ["PTC*"]

[simulate]
seed = 7

[simulate.truth]
gain = 3.3
read_noise = 4.5
offset = 2700.0
dark_current = 0.01
full_well = 230000.0
prnu = 0.008
a00 = -1.2e-6
hot_pixels = 60
hot_current = 2.0
dead_pixels = 40
bad_columns = 2
cosmic_rate = 0.01
gradient = 0.02
vignetting = 0.04
structure = 3
lamp = {{ 800 = 16000 }}

[[simulate.plan]]
block = "FULL"
test = "BIAS01"
type = "bias"
first = 1
frames = 10

[[simulate.plan]]
block = "FULL"
test = "DARK01"
type = "dark"
frames = 10
exptime = 565

[[simulate.plan]]
block = "FULL"
test = "PTC01"
type = "flat"
frames = 2
exptime = {times}
wavelength = 800

[[simulate.plan]]
block = "FULL"
test = "FLAT01"
type = "flat"
frames = 4
exptime = 1.7
wavelength = 800
"""

RECORD = """session,test,first,last,frames,exptime,status
D1,BIAS01,1,10,10,0,done
D1,DARK01,11,20,10,565,done
D2,PTC01,21,56,36,,done
D2,FLAT01,57,60,4,1.7,done
"""

BLOCK = """---
title: A whole block
kind: detection chain
status: done
start: 2019-03-11
end: 2019-03-14
---
Simulated at full size.
"""


def write(folder: Path, *, rows: int = 2066, columns: int = 2048) -> Path:
    """The campaign folder with its frames, made where they are not there yet (minutes at full size).

    ``rows`` and ``columns`` are the active pixels of a quadrant. Raises RuntimeError when the simulation fails.
    """
    (folder / "blocks").mkdir(parents=True, exist_ok=True)
    (folder / "records").mkdir(exist_ok=True)
    size = f"rows = {rows}\ncolumns = {columns}"
    (folder / "campaign.toml").write_text(CAMPAIGN.format(size=size, times=list(TIMES)))
    (folder / "records/tests.csv").write_text(RECORD)
    (folder / "blocks/FULL.md").write_text(BLOCK)
    if len(list((folder / "frames").rglob("*.fits"))) < 60:
        command = [sys.executable, "-c", "from builder.cli import main; main()", "simulate", str(folder)]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr or done.stdout)
    return folder


def frames(folder: Path) -> dict[str, list[Path]]:
    """The frames by test, in order of exposure."""
    found = (folder / "frames").rglob("*.fits")
    out: dict[str, list[Path]] = {test: [] for test in ("BIAS01", "DARK01", "PTC01", "FLAT01")}
    for path in sorted(found, key=lambda p: p.stem.rpartition("_")[2]):
        out[path.stem.partition("_")[0]].append(path)
    return out


if __name__ == "__main__":
    write(Path(sys.argv[1]))
