"""Report versions: archive of the example, verify against plain hashing tools, compare of 100,000 measurements.

The example is built once in a temporary folder (``--built FOLDER`` takes a built campaign instead, and leaves versions
in a temporary folder). The peers of verify are ``sha256sum`` and ``b3sum``'s library over the same files, one after the other.

Run: python -m bench.bench_archive [--built FOLDER]
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from builder.archive.bag import PAYLOAD, tag_texts
from builder.archive.contents import INPUT_COLUMNS
from builder.archive.digests import digest_file
from builder.exports import COLUMNS

CHECKOUT = Path(__file__).resolve().parent.parent
CALBOOK = [sys.executable, "-c", "from builder.cli import main; main()"]
COUNT = 100_000


def timed(command: list[str], least: int = 3) -> tuple[float, float]:
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
    return min(wall), min(cpu)


def say(what: str, took: tuple[float, float], reach: str = "") -> None:
    print(f"  {what:<58}{took[0]:7.2f} s wall {took[1]:7.2f} s cpu   {reach}")


def example(folder: Path, given: Path | None) -> None:
    """Archive the example: the first time, and again with nothing changed."""
    campaign = given or folder / "vgcc"
    if given is None:
        shutil.copytree(
            CHECKOUT / "examples/vgcc", campaign, ignore=shutil.ignore_patterns("build", "frames")
        )
        subprocess.run(
            [*CALBOOK, "build", str(campaign), "-q"], cwd=CHECKOUT, capture_output=True, check=False
        )
    first = []
    for number in range(3):
        to = folder / f"versions{number}"
        first.append(timed([*CALBOOK, "archive", str(campaign), "-l", "x", "-a", "y", "--to", str(to)], 1))
    again = timed([*CALBOOK, "archive", str(campaign), "-l", "x", "-a", "y", "--to", str(to)])
    say("archive of the example, the first version", min(first), "(reach ≤ 3 s)")
    say("archive of the example, nothing changed since", again, "(reach ≤ 3 s)")
    say("verify its versions", timed([*CALBOOK, "verify", str(to)]))
    folder_of = sorted(to.glob("0001*"))[0]
    copied = min(_copied(folder_of, folder / "copy") for _ in range(3))
    say("the least: copying the same files, no flush", (copied, 0.0))


def _copied(source: Path, target: Path) -> float:
    begun = time.perf_counter()
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    took = time.perf_counter() - begun
    subprocess.run(["chmod", "-R", "u+w", str(target)], check=True)
    shutil.rmtree(target)
    return took


def speed(folder: Path) -> None:
    """Verify a version of 2 GB from the page cache, in this process, beside what hashing alone takes."""
    from blake3 import blake3

    from builder.archive.verify import verify_folder

    bag, data = folder / "0001-large", folder / "0001-large" / PAYLOAD
    data.mkdir(parents=True)
    rng = random.Random(1)
    for number in range(40):
        (data / f"{number}.fits").write_bytes(rng.randbytes(1 << 20) * 50)
    entries = {f"{PAYLOAD}/{p.name}": digest_file(p) for p in data.iterdir()}
    for name, text in tag_texts(entries, {}).items():
        (bag / name).write_text(text)
    size = sum(e.size for e in entries.values()) / 1e9
    files = [str(p) for p in data.iterdir()]

    def rate(what: str, work: object, reach: str = "") -> None:
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            work()  # type: ignore[operator]
            took.append(time.perf_counter() - begun)
        print(f"  {what:<58}{size / min(took):7.2f} GB/s {'':20}{reach}")

    def read() -> None:
        for name in files:
            with Path(name).open("rb", buffering=0) as stream:
                while stream.readinto(buffer):
                    pass

    buffer = bytearray(1 << 20)
    print(f"verify, {size:.1f} GB in {len(files)} files, from the page cache, {os.cpu_count()} processors")
    rate("verify (BLAKE3)", lambda: verify_folder(bag), "(reach ≥ 1 GB/s)")
    rate("verify --full (BLAKE3 and SHA-256)", lambda: verify_folder(bag, full=True))
    rate("sha256sum", lambda: subprocess.run(["sha256sum", *files], capture_output=True, check=True))
    rate(
        "BLAKE3's library, one file after the other, one thread",
        lambda: [blake3(Path(f).read_bytes()) for f in files],
    )
    rate("only reading", read)


def large(folder: Path) -> None:
    """Compare two versions of 100,000 measurements, a tenth of them moved: the whole command, page included."""
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
        for r in range(COUNT // 50):
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
            *(f"frames/f{n}.fits,1,{n:064x},yes" for n in range(COUNT // 50 + 20)),
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
    print(f"compare, {COUNT} measurements each, {COUNT // 10} of them moved")
    say(
        "the whole command, page and JSON written",
        timed([*CALBOOK, "compare", "1", "2", "--of", str(place)]),
        "(reach ≤ 5 s)",
    )


def main(arguments: list[str]) -> None:
    """Print the table."""
    given = Path(arguments[arguments.index("--built") + 1]).resolve() if "--built" in arguments else None
    parts = {"example": lambda f: example(f, given), "speed": speed, "large": large}
    for name, part in parts.items():
        with tempfile.TemporaryDirectory(prefix="calbook-bench-") as work:
            part(Path(work) / name) if name != "example" else part(Path(work))


if __name__ == "__main__":
    main(sys.argv[1:])
