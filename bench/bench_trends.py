"""Steps and drifts: how often they are seen where there are none, how many are found, and how long it takes.

    python -m bench.bench_trends [--series 1000] [--calibrate]

Series are simulated (fixed seeds), of lengths spread evenly in the logarithm between 10 and 1,000 points. ``--calibrate``
makes the table ``analysis.steps.PENALTIES`` anew instead. The truth tests use the same simulations.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.control import Window, limits, outliers
from analysis.series import Key, Series, display_range, gaps
from analysis.steps import PENALTIES, find_steps, noise_of
from analysis.trend import Trend, trend
from bench.table import Row
from builder.trend_found import Kept
from builder.trend_series import Followed

Floats = NDArray[np.float64]
Made = tuple[Floats, Floats | None]
KEY = Key("made", "CCD")
SHORTEST, LONGEST = 10, 1000
LASTS = 5


def white(rng: np.random.Generator, n: int) -> Made:
    return rng.normal(size=n), None


def student(rng: np.random.Generator, n: int, freedom: float) -> Made:
    """Heavier tails; σ is the standard deviation."""
    return rng.standard_t(freedom, n) * np.sqrt((freedom - 2.0) / freedom), None


def unequal(rng: np.random.Generator, n: int) -> Made:
    """Each point with an error of its own (by factors of two, up and down), truly stated."""
    errors = np.exp(rng.normal(0.0, 0.7, n))
    return rng.normal(size=n) * errors, errors


def understated(rng: np.random.Generator, n: int) -> Made:
    """Errors of 0.3 stated, unequal, where the values scatter by 1 on top."""
    errors = 0.3 * np.exp(rng.normal(0.0, 0.7, n))
    return rng.normal(size=n) * np.hypot(errors, 1.0), errors


def with_outliers(rng: np.random.Generator, n: int) -> Made:
    """One point in fifty off by 10 σ."""
    values = rng.normal(size=n)
    astray = rng.random(n) < 0.02
    return values + astray * rng.choice([-10.0, 10.0], n), None


def red(rng: np.random.Generator, n: int, correlation: float) -> Made:
    from scipy import signal

    values = signal.lfilter([1.0], [1.0, -correlation], rng.normal(size=n + 50))[50:]
    return np.asarray(values * np.sqrt(1.0 - correlation**2)), None


def counted(rng: np.random.Generator, n: int) -> Made:
    """Whole numbers with hardly any scatter, as counts of bad columns."""
    return rng.poisson(0.3, n).astype(np.float64), None


NOISES: dict[str, Callable[[np.random.Generator, int], Made]] = {
    "white": white,
    "Student, 5 degrees": lambda rng, n: student(rng, n, 5.0),
    "Student, 3 degrees": lambda rng, n: student(rng, n, 3.0),
    "unequal errors": unequal,
    "understated errors": understated,
    "2 % outliers of 10 σ": with_outliers,
    "small counts": counted,
    "red, 0.1": lambda rng, n: red(rng, n, 0.1),
    "red, 0.3": lambda rng, n: red(rng, n, 0.3),
}


def series(made: Made, rng: np.random.Generator) -> Series:
    """At uneven times: a few days apart, now and then months."""
    values, errors = made
    times = np.cumsum(rng.exponential(3.0, values.size) + 100.0 * (rng.random(values.size) < 0.01))
    return Series(KEY, times, values, errors)


def lengths(rng: np.random.Generator, number: int, low: int = SHORTEST, high: int = LONGEST) -> Iterator[int]:
    return (int(n) for n in np.exp(rng.uniform(np.log(low), np.log(high + 1), number)))


def false_alarms(
    noise: str, number: int, seed: int, low: int = SHORTEST, high: int = LONGEST
) -> tuple[int, int]:
    """How many of ``number`` series without steps or drift are said to have steps; and to have a drift."""
    rng = np.random.default_rng(seed)
    found = [trend(series(NOISES[noise](rng, n), rng)) for n in lengths(rng, number, low, high)]
    return sum(bool(f.steps) for f in found), sum(f.drift is not None for f in found)


def stepped(rng: np.random.Generator, made: Made, size: float, pulse: bool) -> tuple[Made, tuple[int, ...]]:
    """Add a step of ``size`` σ (of the median point) that lasts to the end, or one that goes back after 5 to 50 points."""
    values, errors = made
    n = values.size
    unit = 1.0 if errors is None else max(1.0, float(np.median(errors)))
    size *= unit * rng.choice([-1.0, 1.0])
    at = int(rng.integers(LASTS, n - LASTS + 1))
    end = n
    if pulse:
        lasts = int(rng.integers(LASTS, min(50, n // 3) + 1))
        at = int(rng.integers(LASTS, n - LASTS - lasts + 1))
        end = at + lasts
    values = values.copy()
    values[at:end] += size
    return (values, errors), (at, end) if pulse else (at,)


class Tally:
    """What became of simulated steps."""

    def __init__(self) -> None:
        self.steps = self.found = self.near = self.more = self.covered = 0
        self.pulls: list[float] = []

    def add(self, truth: tuple[int, ...], size: float, seen: Trend) -> None:
        taken = set()
        for k, at in enumerate(truth):
            self.steps += 1
            close = [s for s in seen.steps if abs(s.index - at) <= LASTS // 2 + 1]
            if close:
                step = min(close, key=lambda s: abs(s.index - at))
                taken.add(step.index)
                self.found += 1
                self.near += abs(step.index - at) <= 1
                self.covered += step.earliest <= at <= step.latest
                self.pulls.append((step.size - (size if k == 0 else -size)) / step.uncertainty)
        self.more += len(seen.steps) > len(taken)


def found(
    noise: str, number: int, seed: int, *, pulse: bool = False, size: float = 3.0,
    low: int = SHORTEST, high: int = LONGEST,
) -> Tally:  # fmt: skip
    """Series with one step (or a pulse: two) each."""
    rng = np.random.default_rng(seed)
    tally = Tally()
    for n in lengths(rng, number, max(low, 3 * LASTS) if pulse else low, high):
        quiet = NOISES[noise](rng, n)
        made, truth = stepped(rng, quiet, size, pulse)
        signed = float(made[0][truth[0]] - quiet[0][truth[0]])
        tally.add(truth, signed, trend(series(made, rng)))
    return tally


def slope_pulls(noise: str, number: int, seed: int) -> tuple[int, Floats]:
    """Series that drift by 8 σ from end to end: how many were told so, and (found − true)/uncertainty of these."""
    rng = np.random.default_rng(seed)
    pulls = []
    for n in lengths(rng, number, 20):
        quiet = series(NOISES[noise](rng, n), rng)
        slope = float(rng.choice([-8.0, 8.0]) / (quiet.times[-1] - quiet.times[0]))
        seen = trend(Series(KEY, quiet.times, quiet.values + slope * quiet.times, quiet.uncertainties))
        if seen.model == "drift" and seen.drift is not None:
            pulls.append((seen.drift.slope - slope) / seen.drift.uncertainty)
    return len(pulls), np.array(pulls)


def calibrate(number: int) -> None:
    """The penalty that the steps of white noise exceed in 1 %, 0.5 % and 0.3 % of series, by length."""
    rng = np.random.default_rng(77)
    print(f"{'points':>8}{'1 %':>8}{'0.5 %':>8}{'0.3 %':>8}{'in use':>8}")
    for n, used in PENALTIES:
        noises = (noise_of(rng.normal(size=n), None) for _ in range(number))
        costs = []
        for noise in noises:
            low, high = 2.0, 60.0
            for _ in range(12):
                middle = (low * high) ** 0.5
                low, high = (middle, high) if find_steps(noise, cost=middle).size else (low, middle)
            costs.append(low)
        print(
            f"{n:8d}"
            + "".join(f"{np.quantile(costs, 1 - q):8.2f}" for q in (0.01, 0.005, 0.003))
            + f"{used:8.2f}",
            flush=True,
        )


def whole(one: Series) -> None:
    """All that a page asks of a series."""
    seen = trend(one)
    last = limits(one, Window("before", points=30))
    outliers(last)
    gaps(one)
    display_range(one, show=(float(np.nanmin(last.low)), float(np.nanmax(last.high))))
    assert seen.latest is not None


def speed() -> None:
    rng = np.random.default_rng(9)
    whole(series(unequal(rng, 100), rng))  # compiles, or loads what was compiled
    print(
        "\nAll of it (trend, limits of each point, outliers, gaps, axis), CPU seconds per series, best of three"
    )
    before: tuple[int, float] | None = None
    for n in (100, 300, 1000, 3000, 10000):
        made = [stepped(rng, unequal(rng, n), 3.0, False)[0] for _ in range(max(2, 20_000 // n))]
        ready = [series(m, rng) for m in made]
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            for one in ready:
                whole(one)
            best = min(best, (time.process_time() - start) / len(ready))
        grows = f"   grows as n^{np.log(best / before[1]) / np.log(n / before[0]):.2f}" if before else ""
        print(f"{n:8d} points {best * 1e3:9.2f} ms{grows}")
        before = (n, best)
    ready = [series(stepped(rng, unequal(rng, 1000), 3.0, False)[0], rng) for _ in range(200)]
    start = time.process_time()
    for one in ready:
        whole(one)
    print(f"200 series of 1,000 points: {time.process_time() - start:.2f} s CPU")


def rates(number: int) -> None:
    print(f"{number} series each; steps seen where there are none, and drifts")
    for k, noise in enumerate(NOISES):
        steps, drifts = false_alarms(noise, number, 100 + k)
        print(f"  {noise:24}{100 * steps / number:7.2f} %{100 * drifts / number:8.2f} %", flush=True)
    print(
        "Steps of 3 σ that last 5 points or more: found, within ±1 point, in the 95 % range, series with others too, size pulls"
    )
    for pulse in (False, True):
        for k, noise in enumerate(NOISES):
            print(
                f"  {noise + (', going back' if pulse else ''):36}"
                + tell(found(noise, number, 200 + k, pulse=pulse)),
                flush=True,
            )
    print("Drifts of 8 σ from end to end, 20 points or more: told as drift and nothing else, slope pulls")
    for k, noise in enumerate(NOISES):
        told, pulls = slope_pulls(noise, number, 400 + k)
        print(f"  {noise:24}{100 * told / number:7.1f} %{pulls.mean():8.2f} ± {pulls.std():.2f}", flush=True)
    print("White noise, by length")
    for low, high in ((10, 14), (15, 19), (20, 29), (30, 99), (100, 299), (300, 1000)):
        for pulse in (False, True):
            if high >= 20 or not pulse:
                print(f"  {f'{low}–{high}' + (', going back' if pulse else ''):36}"
                      + tell(found("white", number, 300, pulse=pulse, low=low, high=high)), flush=True)  # fmt: skip


def run(quick: bool) -> list[Row]:
    """Trend pages of 200 series of 1,000 points: cold, again, with one new value, with one in every series; and one plot."""
    from bench.trend_report import make, trend_site
    from builder.trends import follow

    number, points = (40, 100) if quick else (200, 1000)
    rng = np.random.default_rng(9)
    whole(series(unequal(rng, 100), rng))  # compiles, or loads what was compiled
    first, second, third = (make(number, points, changed) for changed in (0, 1, number))
    rows, size = [], f"{number} series × {points:,} points"
    allowed = {"cold": 20.0, "one new value": 2.0, "a new value in each": None, "nothing new": None}
    with trend_site() as site:  # in one process, by its CPU: other work on the machine does not count
        for what, report in zip(allowed, (first, second, third, third), strict=True):
            start = time.process_time()
            pages, files = site.draw(report, None)
            cost, limit = time.process_time() - start, allowed[what]
            note = f"{pages} pages drawn, {files} pictures and data files; CPU"
            reach = None if limit is None or quick else 1.0
            rows.append(
                Row(
                    f"{size}, {what}",
                    cost,
                    "" if limit is None else "what is allowed",
                    limit,
                    reach=reach,
                    note=note,
                )
            )
    trends = follow(first.campaign, first.blocks, first.procedures, Kept())
    rows.append(_one_plot(trends.series[:4], points))
    return rows


def _one_plot(held: Sequence[Followed], points: int) -> Row:
    """A plot of four series, light and dark: ours and matplotlib's, best of five CPU times."""
    from analysis.figures import Panel, Plot
    from analysis.figures import Series as Drawn
    from builder.draw import draw
    from builder.draw_trend import trend_svg

    panel = Panel(
        "time", "value", tuple(
            Drawn(np.array([s.time for s in one.spots]), np.array([s.value for s in one.spots]),
                  yerr=np.array([s.uncertainty for s in one.spots]), label=one.key.channel, channel=one.key.channel)
            for one in held
        ),
    )  # fmt: skip
    costs = []
    for drawing in (lambda: trend_svg(held, "value", 0), lambda: draw(Plot((panel,)))):
        times = []
        for _ in range(5):
            start = time.process_time()
            drawing()
            times.append(time.process_time() - start)
        costs.append(min(times))
    work = f"drawing one plot of 4 × {points:,} points, light and dark"
    return Row(work, costs[0], "matplotlib, points and bars", costs[1], reach=5.0, note="CPU")


def tell(tally: Tally) -> str:
    seen = max(tally.found, 1)
    return (
        f"{100 * tally.found / tally.steps:7.1f} %{100 * tally.near / seen:7.1f} %{100 * tally.covered / seen:7.1f} %"
        f"{100 * tally.more / tally.steps:7.2f} %{np.mean(tally.pulls or [0]):8.2f} ± {np.std(tally.pulls or [0]):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--series", type=int, default=1000, help="of each kind")
    parser.add_argument("--calibrate", action="store_true", help="make the table of penalties instead")
    options = parser.parse_args()
    if options.calibrate:
        calibrate(options.series)
        return
    rates(options.series)
    speed()


if __name__ == "__main__":
    main()
