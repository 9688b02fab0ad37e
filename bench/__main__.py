"""Run the benchmarks one after the other, each in its own process, and write what they found into the guide.

    python -m bench [--quick] [NAME …]

Tables are printed, and with those of earlier runs of other benchmarks written to ``site_src/guide/measured.md``; how costs
grow is drawn beside it. ``--quick`` takes small sizes, prints, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from bench.page import write_page
from bench.table import Row, show

BENCHMARKS = {
    "frames": "Reading frames, 4238 × 4172 of 16 bit",
    "stack": "Stacks of such frames",
    "pairs": "Photon-transfer pair of such frames",
    "block": "A block of 60 such frames, from nothing to pages",
    "build": "Builds of the example campaign",
    "pages": "Data pages",
    "procedures": "Procedures beside reading their frames",
    "emva": "Gain, read noise, non-uniformity, dark current beside emva1288",
    "growth": "How costs grow",
    "engine": "Handing out work, and what the one writer does",
    "trends": "Trends of 200 series",
    "judge": "Judging 100,000 measurements again",
    "archive": "Report versions",
}
"""Titles by name; the module is ``bench.bench_<name>``."""


def one(name: str, quick: bool) -> None:
    """Run one benchmark here; its rows go to standard output as the last line."""
    rows = import_module(f"bench.bench_{name}").run(quick)
    print(json.dumps([asdict(r) for r in rows]))


def rows_of(name: str, quick: bool) -> list[Row]:
    """Run one benchmark in a process of its own. Raises CalledProcessError when it does not finish."""
    command = [sys.executable, "-m", "bench", "--one", name, *(["--quick"] if quick else [])]
    # byte code is kept, as on any machine where a program is installed
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as said:
        subprocess.run(command, check=True, stdout=said, env=environment)
        said.seek(0)
        return [Row(**r) for r in json.loads(said.read().strip().splitlines()[-1])]


def main() -> int:
    """Run what is asked for; the exit status is 1 when a benchmark did not finish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing written")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one, given.quick)
        return 0
    failed, found = [], {}
    for name in given.names or BENCHMARKS:
        try:
            found[name] = rows_of(name, given.quick)
        except (subprocess.CalledProcessError, ValueError, IndexError):
            failed.append(name)
            continue
        show(BENCHMARKS[name], found[name])
        print(flush=True)
    if not given.quick:
        write_page(Path(__file__).resolve().parents[1] / "site_src" / "guide", found, BENCHMARKS)
    if failed:
        print(f"these did not finish: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
