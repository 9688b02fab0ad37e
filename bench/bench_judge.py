"""Re-judging: 100,000 stored measurements after a limit changed, of every kind of limit, with the store's writing.

The measurements are of a real store. What is timed is what a build does between measuring and rendering: judge all,
record the verdicts that moved, and tell what flipped. Loading the results, which every build that has something to do
does, is a row of its own. Time is processor time, the least of three: each of another change of the limits.

Run: python -m bench.bench_judge [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

from analysis.contract import Measurement
from bench.table import Row, show
from builder import stages
from builder.expectations import Expectations, Place, Taken, spot_of
from builder.flips import VerdictHistory
from builder.judging import Applied, JudgedAll
from builder.store import Store, StoredResult
from campaign.model import Block, Campaign, Limit
from campaign.record import Test

CHANNELS = ("E", "F", "G", "H")
QUANTITIES = tuple(f"q{n}" for n in range(25))
T = TypeVar("T")
BEGAN = date(2019, 1, 1)


def results(count: int) -> list[StoredResult]:
    """Results of 100 numbers each: a test a day, one detector, four channels, 25 quantities."""
    rng = np.random.default_rng(1)
    out = []
    for n in range(count):
        values = rng.normal(100.0, 1.0, (len(QUANTITIES), len(CHANNELS)))
        numbers = tuple(
            Measurement(q, c, "mode=slow", float(values[i, k]), 0.1, "ADU", "mean", 9)
            for i, q in enumerate(QUANTITIES)
            for k, c in enumerate(CHANNELS)
        )
        detail = {"setting": "mode=slow"}
        when = datetime(2019, 1, 1, tzinfo=UTC).isoformat()
        out.append(
            StoredResult(f"{n:020x}", "B", f"T{n:05d}", "CCD1", "p", "1", "done", when, 1.0, detail, numbers)
        )
    return out


def campaign_of(bound: float, kind: str) -> Campaign:
    """One limit for each quantity, or four (one for each channel), that keep about 98 % of the values."""
    terms: dict[str, dict[str, object]] = {
        "absolute": {"low": 90, "high": 100 + bound},
        "relative to a reference test": {"relative_to": {"test": "T00000", "by": "ratio"}, "high": 1 + bound / 100},
        "statistical, of 30 points before": {"statistic": {"sigma": bound, "points": 30}},
    }  # fmt: skip
    if kind == "absolute, one for each channel":
        limits = [
            Limit.model_validate(
                {"id": f"L{q}{c}", "quantity": f"p.{q}", "scope": {"channels": [c]}} | terms["absolute"]
            )
            for q in QUANTITIES
            for c in CHANNELS
        ]
    else:
        limits = [
            Limit.model_validate({"id": f"L{q}", "quantity": f"p.{q}"} | terms[kind]) for q in QUANTITIES
        ]
    return Campaign(
        root=Path(), id="c", title="C", limits=tuple(limits), blocks=(Block(id="B", start=BEGAN),)
    )


def judged_again(campaign: Campaign, held: list[StoredResult]) -> JudgedAll:
    """Judge all measurements, as ``judge_all`` does for the results of a build."""
    block = campaign.blocks[0]
    taken = {
        ("B", r.test): Taken(Test("B", r.test, date=BEGAN + timedelta(days=n)), block)
        for n, r in enumerate(held)
    }
    places = [Place(r.procedure, r.block, r.test, r.detector, taken["B", r.test].test.date) for r in held]
    numbers = [
        (f"{r.id}.{m.quantity}.{m.channel}", p, m) for r, p in zip(held, places, strict=True) for m in r.measurements
    ]  # fmt: skip
    expectations = Expectations(lambda: ((spot_of(p, m), m) for _, p, m in numbers), taken)
    out, limits = JudgedAll(), Applied(campaign.limits)
    for mid, place, m in numbers:
        out.add(mid, limits.judge(m, place, expectations), spot_of(place, m), m, current=True)
    return out


def run(quick: bool) -> list[Row]:
    """The rows of this benchmark: kinds of limits, seconds of judging, recording and telling."""
    count = 100 if quick else 1000
    held, rows = results(count), []
    label = f"{count * 100:,} measurements"
    kinds = (
        "absolute", "absolute, one for each channel", "relative to a reference test", "statistical, of 30 points before",
    )  # fmt: skip
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
            build = _begin(store, 0)
            for result in held:
                store.add_result(result, build)
            store.show({(r.block, r.test, r.procedure, r.detector): r.id for r in held}, build)
            _judge(store, campaign_of(3.0, kind), held, build)
            store.finish(build, datetime(2025, 1, 1, tzinfo=UTC), "", {}, [], {})
            took, parts, moved = [], [], 0
            for n, bound in enumerate((2.0, 3.0, 2.0), start=1):
                build = _begin(store, n)
                seconds, flips = _judge(store, campaign_of(bound, kind), held, build)
                store.finish(build, datetime(2025, 1, 1 + n, tzinfo=UTC), "", {}, [], {})
                took.append(sum(seconds))
                parts.append(seconds)
                moved = len(flips.flips)
            best = parts[took.index(min(took))]
            note = f"judging {best[0]:.2f}, recording {best[1]:.2f}, telling {best[2]:.2f}; {moved:,} flips told; reach 5 s"
            rows.append(Row(f"{label} judged again, limits {kind}", min(took), "", None, "s CPU", note=note))
            if kind == kinds[0]:
                _, seconds_of = _cpu(lambda: store.results([r.id for r in held]))
                rows.append(Row(f"{label} loaded from the store", seconds_of, "", None, "s CPU"))
    return rows


def _begin(store: Store, day: int) -> int:
    return store.begin(datetime(2025, 1, 1 + day, tzinfo=UTC), "bench", {})


def _judge(
    store: Store, campaign: Campaign, held: list[StoredResult], build: int
) -> tuple[tuple[float, float, float], VerdictHistory]:
    judged, judging = _cpu(lambda: judged_again(campaign, held))
    _, recording = _cpu(lambda: store.judge(judged.rows(), build))
    told, telling = _cpu(lambda: stages.verdicts(store, campaign, judged, build))
    return (judging, recording, telling), told


def _cpu(work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    made = work()
    return made, time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    show("Judging again", run(parser.parse_args().quick))


if __name__ == "__main__":
    main()
