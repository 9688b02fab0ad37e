"""How the cost of a build grows: frames 10² → 10⁵ with a tenth as many tests, and pages 10² → 10⁴.

    python -m bench.bench_growth [--frames 100 1000 10000] [--pages 100 1000 3000] [--repeats 3]

Each campaign is real: tiny FITS files that are listed, indexed and read, records, limits, a procedure. Every build is a
process of its own, so that imports count (of compiled modules, as anybody has them) and peak memory is its own. Told are processor
seconds of it and of its workers, which other work on the machine disturbs less than the clock, and the clock beside them; the
exponent is that of processor seconds, the slope on log-log axes between the two largest sizes, where what is fixed (imports) counts least. The rebuilds of 10⁴ frames take minutes to set up, those of 10⁵ a quarter of an hour.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.bench_pages import ours as cold_pages
from bench.large_campaign import frame, write
from bench.table import Row, show
from builder.memory import Peak

CHECKOUT = Path(__file__).resolve().parent.parent
REACH = {"nothing changed": 3.0, "one new frame": 3.0}
"""Seconds for 10,000 frames and 1,000 tests."""
LARGE = 10_000
BUILD = """
import os, resource, sys, time
from pathlib import Path
from datetime import UTC, datetime
begun = time.perf_counter()
from builder.memory import Peak, for_one_command
for_one_command()
from builder.engine import one_thread_each
one_thread_each()
from builder.build import Options, build
from builder.progress import Progress
done = build(Options(Path(sys.argv[1]), lambda: datetime.now(UTC), os.environ), Progress(quiet=True))
taken = time.perf_counter() - begun
use = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(taken, *(u.ru_utime + u.ru_stime for u in use), Peak().so_far(), done.drawn)
"""


@dataclass(frozen=True)
class Cost:
    """What a build took: seconds by the clock, those of the processor in the build's own process (``driver``) and in its
    workers, peak memory [MB], pages drawn.
    """

    seconds: float
    driver: float
    workers: float
    memory: float
    drawn: int

    @property
    def cpu(self) -> float:
        """Processor seconds of all processes."""
        return self.driver + self.workers


def as_anybody() -> dict[str, str]:
    """The environment of a build: Python keeps compiled modules, which a machine of tests may have told it not to."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def build(folder: Path) -> Cost:
    """One build, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=CHECKOUT, env=as_anybody(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    *numbers, drawn = done.stdout.split()[-5:]
    return Cost(*map(float, numbers), drawn=int(drawn))


def add_frame(folder: Path, number: int) -> None:
    """One more frame with a test of its own, analysed as the others are."""
    path = folder / "records" / "B00.csv"
    data = frame(number, datetime(2026, 1, 1, tzinfo=UTC))
    (folder / "frames" / "B00" / f"f{number:07d}.fits").write_bytes(data)
    path.write_text(f"{path.read_text('utf-8')}BIASN{number},{number},{number},0,done,\n", "utf-8")


def remark(folder: Path, number: int) -> None:
    """Another remark on a test of the first block, in its record."""
    path = folder / "records" / "B00.csv"
    rows = path.read_text("utf-8").splitlines()
    rows[1] = f"{rows[1].rpartition(',')[0]},remark {number}"
    path.write_text("\n".join(rows) + "\n", "utf-8")


def listing(folder: Path) -> Cost:
    """Every file of the data directory looked at, none opened."""
    from builder.acquired.listing import list_data

    use, begun = time.process_time(), time.perf_counter()
    with Peak() as peak:
        list_data(folder, ("frames",), (), ())
    return Cost(time.perf_counter() - begun, time.process_time() - use, 0.0, peak.mb, 0)


def least(run: Callable[[], Cost], repeats: int) -> Cost:
    """The cheapest of several runs: the others were disturbed."""
    return min((run() for _ in range(repeats)), key=lambda c: c.cpu)


def of_campaign(frames: int, repeats: int) -> dict[str, Cost]:
    """What a campaign of that many frames costs, kind of build by kind."""
    with tempfile.TemporaryDirectory(prefix="calbook-growth-") as work:
        folder = write(Path(work), frames=frames, tests=frames // 10)
        out = {"from nothing": build(folder)}
        build(folder)  # the first look after a cold build reads records again that were written moments ago
        out["nothing changed"] = least(lambda: build(folder), repeats)
        numbers = iter(range(frames + 1, frames + 1 + repeats))

        def one_more() -> Cost:
            add_frame(folder, next(numbers))
            return build(folder)

        out["one new frame"] = least(one_more, repeats)
        out["listing alone"] = least(lambda: listing(folder), repeats)
    return out


def of_pages(work: Path, pages: int) -> dict[str, Cost]:
    """What drawing that many pages from nothing costs, chrome and all."""
    folder = work / str(pages)
    folder.mkdir()
    use, begun = time.process_time(), time.perf_counter()
    with Peak() as peak:
        cold_pages(folder, pages)
    taken = time.perf_counter() - begun, time.process_time() - use
    return {"pages from nothing": Cost(*taken, 0.0, peak.mb, pages)}


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float | None:
    """The slope of values against sizes on log-log axes, between the two largest sizes; None for a single one."""
    if len(sizes) < 2:
        return None
    return math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])


def table(sizes: Sequence[int], costs: Sequence[dict[str, Cost]], what: str) -> list[Row]:
    """A row for each kind of work: its cost at the largest size, beside what linear growth from the size before gives."""
    rows = []
    for kind in costs[0]:
        held = [c[kind] for c in costs]
        slope, last = exponent(sizes, [c.cpu for c in held]), held[-1]
        told = ", ".join(
            f"{n}: {c.cpu:.2f} (driver {c.driver:.2f}, clock {c.seconds:.2f})"
            for n, c in zip(sizes, held, strict=True)
        )
        note = f"cpu s by {what}: {told}"
        if slope is not None:
            note = f"exponent {slope:.2f}{' ABOVE LINEAR' if slope > 1.1 else ''}; {note}"
        if kind in REACH and LARGE in sizes:
            at = held[list(sizes).index(LARGE)]
            note += f"; {at.seconds:.2f} s at {LARGE} by the clock, reach {REACH[kind]:g}"
        linear = held[-2].cpu * sizes[-1] / sizes[-2] if slope is not None else None
        peer = "linear growth" if linear is not None else ""
        rows.append(Row(f"{kind}, {sizes[-1]} {what}", last.cpu, peer, linear, "cpu s", None, last.memory, 1024.0, note, [(n, c.cpu) for n, c in zip(sizes, held, strict=True)]))  # fmt: skip
    return rows


def run(quick: bool, frames: Sequence[int] = (), pages: Sequence[int] = (), repeats: int = 3) -> list[Row]:
    """The rows of both tables; ``quick`` stops at sizes that take a minute."""
    frames = frames or ((100, 400) if quick else (100, 1000, 10_000, 100_000))
    pages = pages or ((100, 300) if quick else (100, 1000, 3000, 10_000))
    # pages first, and nothing removed between them: a file system that has files to forget makes new ones slowly
    with tempfile.TemporaryDirectory(prefix="calbook-growth-") as work:
        of_pages(Path(work), 10)  # what Sphinx and Jinja load once is no part of the growth
        of_sites = table(pages, [of_pages(Path(work), n) for n in pages], "pages")
    return table(frames, [of_campaign(n, repeats) for n in frames], "frames") + of_sites


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, about a minute")
    parser.add_argument("--frames", type=int, nargs="+", default=())
    parser.add_argument("--pages", type=int, nargs="+", default=())
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    show("growth", run(given.quick, given.frames, given.pages, given.repeats))


if __name__ == "__main__":
    main()
