"""Run every benchmark, one after the other, each in its own process."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("bench.bench_stack", "bench.bench_pages", "bench.bench_build", "bench.bench_archive")

if __name__ == "__main__":
    failed = [b for b in BENCHMARKS if subprocess.run([sys.executable, "-m", b], check=False).returncode]
    sys.exit(f"these did not finish: {', '.join(failed)}" if failed else 0)
