"""Report versions: archive of the example, verify against plain hashing tools, compare of 100,000 measurements.

The example is built once in a temporary folder. The peers of verify are ``sha256sum``, BLAKE3's own library and plain reading of the same
files. Where a time was asked for, that is set beside ours, with a ratio of one to be reached.

    python -m bench archive [--quick]
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from bench.table import Row, show
from builder.archive.bag import PAYLOAD, tag_texts
from builder.archive.contents import INPUT_COLUMNS
from builder.archive.digests import digest_file
from builder.archive.edition import Edition, Key, Number, edition_of
from builder.archive.moved import PresentNumbers, moved_since
from builder.archive.versions import find
from builder.measurement_tables import COLUMNS

CHECKOUT = Path(__file__).resolve().parent.parent
CALBOOK = [sys.executable, "-c", "from builder.cli import main; main()"]
COUNT = 100_000
ASKED = "the most that was asked for"


class Took(NamedTuple):
    """Wall and processor seconds."""

    wall: float
    cpu: float


def timed(command: list[str], least: int = 3) -> Took:
    """Least wall and processor seconds of a whole command, interpreter start included. Raises when it fails."""
    wall, cpu = [], []
    for _ in range(least):
        used, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        wall.append(time.perf_counter() - begun)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
    return Took(min(wall), min(cpu))


def best(work: Callable[[], object], times: int) -> float:
    """Least wall seconds of a piece of work in this process."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return min(took)


def asked(work: str, took: Took, most: float, note: str = "") -> Row:
    """A row of what a whole command has to do within so many seconds."""
    return Row(work, took.wall, ASKED, most, reach=1.0, note=f"{took.cpu:.2f} s cpu{note}")


def example(folder: Path, quick: bool) -> list[Row]:
    """Archive an example: the first time, and again with nothing changed; ``quick`` takes the smaller one."""
    name = "stl1001" if quick else "vgcc"
    campaign = folder / name
    shutil.copytree(CHECKOUT / "examples" / name, campaign, ignore=shutil.ignore_patterns("build", "frames"))
    subprocess.run([*CALBOOK, "build", str(campaign), "-q"], cwd=CHECKOUT, capture_output=True, check=False)
    first = []
    for number in range(3):
        to = folder / f"versions{number}"
        first.append(timed([*CALBOOK, "archive", str(campaign), "-l", "x", "-a", "y", "--to", str(to)], 1))
    again = timed([*CALBOOK, "archive", str(campaign), "-l", "x", "-a", "y", "--to", str(to)])
    whole = sorted(to.glob("0001*"))[0]
    copied = min(_copied(whole, folder / "copy") for _ in range(3))
    files = sum(1 for p in whole.rglob("*") if p.is_file())
    return [
        asked(
            f"archive of the example {name}, its first version",
            min(first),
            3.0,
            f"; {files} files",
        ),
        Row("the same", min(first).wall, "copying the same files, no flush", copied),
        asked("archive of it, nothing changed since, compared with the version before", again, 3.0),
        Row("verify its versions", timed([*CALBOOK, "verify", str(to)]).wall, "", None),
    ]


def _copied(source: Path, target: Path) -> float:
    begun = time.perf_counter()
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    took = time.perf_counter() - begun
    subprocess.run(["chmod", "-R", "u+w", str(target)], check=True)
    shutil.rmtree(target)
    return took


def speed(folder: Path, quick: bool) -> list[Row]:
    """Verify a version of 2 GB (``quick``: 0.2 GB) from the page cache, in this process, beside what hashing alone takes."""
    from blake3 import blake3

    from builder.archive.verify import verify_folder

    bag, data = folder / "0001-large", folder / "0001-large" / PAYLOAD
    data.mkdir(parents=True)
    rng = random.Random(1)
    for number in range(4 if quick else 40):
        (data / f"{number}.fits").write_bytes(rng.randbytes(1 << 20) * 50)
    entries = {f"{PAYLOAD}/{p.name}": digest_file(p) for p in data.iterdir()}
    for name, text in tag_texts(entries, {}).items():
        (bag / name).write_text(text)
    size = sum(e.size for e in entries.values()) / 1e9
    files = [str(p) for p in data.iterdir()]
    buffer = bytearray(1 << 20)

    def read() -> None:
        for name in files:
            with Path(name).open("rb", buffering=0) as stream:
                while stream.readinto(buffer):
                    pass

    ours = best(lambda: verify_folder(bag), 5)
    what, rate = f"verify {size:.1f} GB in {len(files)} files, page cache", f"{size / ours:.1f} GB/s"
    peers: Mapping[str, Callable[[], object]] = {
        "sha256sum": lambda: subprocess.run(["sha256sum", *files], capture_output=True, check=True),
        "BLAKE3's library, one thread": lambda: [blake3(Path(f).read_bytes()) for f in files],
        "only reading": read,
    }
    return [
        Row(what, ours, "1 GB/s", size / 1.0, reach=1.0, note=rate),
        *(Row(what, ours, peer, best(work, 3)) for peer, work in peers.items()),
        Row("verify --full (SHA-256 too)", best(lambda: verify_folder(bag, full=True), 3), "", None),
    ]


def large(folder: Path, quick: bool) -> list[Row]:
    """Two versions of 100,000 measurements (``quick``: 10,000), a tenth of them moved: compared, and flagged on a site."""
    count = COUNT // 10 if quick else COUNT
    place = folder / "versions"
    rng = random.Random(2)
    head = {
        "campaign": {"id": "x", "title": "X", "instrument": "", "build": 1, "built_at": "", "counts": {}},
        "versions": {}, "blocks": [], "limits": [], "caveats": [], "findings": [], "record": {},
    }  # fmt: skip
    for number in (1, 2):
        bag = place / f"{number:04d}-v"
        data = bag / PAYLOAD
        (data / "site/data").mkdir(parents=True)
        results, rows, tests = {}, [",".join(COLUMNS)], []
        for r in range(count // 50):
            new = number == 2 and r % 10 == 0
            ident = f"{'n' if new else 'r'}{r:019d}"
            block, test, detector = f"B{r // 100}", f"T{r % 100 // 3}", f"CCD{r % 3}"
            results[ident] = {
                "block": block, "test": test, "detector": detector, "procedure": "p", "version": "1", "status": "done",
                "parameters": {}, "used": [], "inputs": {"flat": list(range(r, r + 20))}, "code": "c", "products": {},
            }  # fmt: skip
            if r % 3 == 0:
                facts = {
                    "name": test,
                    "session": "",
                    "status": "done",
                    "exposures": 1,
                    "frames": 1,
                    "expected": 1,
                }
                tests.append(
                    {"block": block, **facts, "verdict": "pass", "page": "x.html", "date": "2025-01-01"}
                )
            for m in range(50):
                value = rng.gauss(100, 1) if new else 100 + m + r * 1e-3
                rows.append(
                    f"{block},S,{test},p,q{m},{detector},E,,{value!r},0.25,ADU,10,,pass,1.0,200.0,L,2025,{ident}.q{m}.E"
                )
        (data / "site/data/measurements.csv").write_text("\n".join(rows) + "\n")
        (data / "contents.json").write_text(
            json.dumps({"format": 1, **head, "tests": tests, "results": results})
        )
        inputs = [
            ",".join(INPUT_COLUMNS),
            *(f"frames/f{n}.fits,1,{n:064x},yes" for n in range(count // 50 + 20)),
        ]
        (data / "inputs.csv").write_text("\n".join(inputs) + "\n")
        counts = dict.fromkeys(
            ("blocks", "tests", "results", "limits", "caveats", "findings", "inputs", "pages"), 0
        )
        facts = {"number": number, "label": "v", "note": "", "author": "a", "date": datetime(2025, 1, number, tzinfo=UTC).isoformat(),
                 "calbook": "", "campaign": head["campaign"], "build": {"id": 1, "started": ""}, "counts": {**counts, "verdicts": {}},
                 "files": 0, "bytes": 0}  # fmt: skip
        (data / "version.json").write_text(json.dumps(facts))
        entries = {
            f"{PAYLOAD}/{p.relative_to(data).as_posix()}": digest_file(p)
            for p in data.rglob("*")
            if p.is_file()
        }
        for name, text in tag_texts(entries, {}).items():
            (bag / name).write_text(text)
    kept = folder / "published"
    first, last = find("1", place), edition_of(find("2", place))
    cold = best(lambda: shutil.rmtree(kept, ignore_errors=True) or moved_since(first, Numbers(last), kept), 3)
    known = Numbers(last)
    assert len(moved_since(first, known, kept).moved) == count // 10
    said = f"{count} measurements, {count // 10} moved"
    return [
        asked(
            f"compare, {said}, page and JSON written",
            timed([*CALBOOK, "compare", "1", "2", "--of", str(place)]),
            5.0,
        ),
        Row(
            f"flags of a version in a build, {said}",
            cold,
            "the same version, known from the build before",
            best(lambda: moved_since(first, known, kept), 3),
        ),
    ]


class Numbers(PresentNumbers):
    """The numbers of an edition in the place of a report's."""

    def __init__(self, edition: Edition) -> None:
        self._edition = edition

    @cached_property
    def numbers(self) -> dict[Key, Number]:
        """As the edition has them."""
        return dict(self._edition.numbers)

    @cached_property
    def pages(self) -> dict[str, str]:
        """None: there is no site."""
        return {}

    def edition(self, results: set[str]) -> Edition:
        """The edition itself."""
        return self._edition


def run(quick: bool) -> list[Row]:
    """The rows; ``quick`` takes small sizes."""
    rows = []
    for part in (example, speed, large):
        with tempfile.TemporaryDirectory(prefix="calbook-bench-") as work:
            folder = Path(work)
            rows += part(folder, quick)
            subprocess.run(["chmod", "-R", "u+w", work], check=True)
    return rows


def main() -> None:
    """Print the table."""
    show("Report versions", run("--quick" in sys.argv))


if __name__ == "__main__":
    main()
