"""The guide's page of measurements: tables of the benchmarks, and how costs grow, drawn for light and dark pages."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

from bench.table import Row

LIBRARIES = ("numpy", "numba", "astropy", "ccdproc", "scipy", "matplotlib", "sphinx", "distributed")
HEAD = """# Measured

Written by `make bench`; what is measured, and against what, is told in [](speed.md). Times are those of the clock unless "cpu" is said,
the best of a few runs in a warm page cache; memory is the peak of the largest process of ours, its imports included.
"""


def write_page(guide: Path, found: Mapping[str, Sequence[Row]], titles: Mapping[str, str]) -> None:
    """Write ``measured.md`` and its figures, with the tables of earlier runs where a benchmark was not run now."""
    kept = guide / "measured.json"
    held: dict[str, dict[str, object]] = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    for name, rows in found.items():
        held[name] = {"where": where(), "rows": [asdict(r) for r in rows]}
    kept.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", "utf-8")
    parts = [HEAD]
    for name, title in titles.items():
        if name in held:
            rows = [Row(**r) for r in held[name]["rows"]]  # type: ignore[attr-defined]
            parts.append(f"## {title}\n\n{held[name]['where']}\n\n{table(rows)}")
            if any(r.series for r in rows):
                parts.append(figures(guide, name, rows))
    (guide / "measured.md").write_text("\n".join(parts), "utf-8")


def where() -> str:
    """The machine, the day, the file system of temporary files and the versions, in a sentence."""
    held = {d.metadata["Name"].lower(): d.version for d in distributions()}
    libraries = ", ".join(f"{name} {held.get(name, 'absent')}" for name in LIBRARIES)
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores of {platform.machine()}, {memory:.0f} GiB, Python {platform.python_version()}, "
        f"files on {file_system(tempfile.gettempdir())}; {libraries}."
    )


def file_system(folder: str) -> str:
    """The kind of file system that a folder is on, as Linux tells it; 'the default disk' elsewhere."""
    mounts, place = Path("/proc/mounts"), Path(folder).resolve()
    lines = mounts.read_text("utf-8").splitlines() if mounts.exists() else []
    kinds = {line.split()[1]: line.split()[2] for line in lines}
    return next((kinds[str(p)] for p in (place, *place.parents) if str(p) in kinds), "the default disk")


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table; columns that no row fills are left out."""
    columns = {
        "Work": [r.work for r in rows],
        "calbook": [amount(r.ours, r.unit) for r in rows],
        "Otherwise": [amount(r.theirs, r.unit) + (f" ({r.peer})" if r.peer and r.theirs is not None else "") for r in rows],
        "Ratio": ["" if r.ratio is None else f"{r.ratio:.3g}×" for r in rows],
        "Wanted": [("" if r.reach is None else f"≥ {r.reach:g}×") for r in rows],
        "Peak memory": ["" if r.memory_mb is None else f"{r.memory_mb:.0f} MB" + (f" (≤ {r.reach_mb:g})" if r.reach_mb else "") for r in rows],
        "Note": [("**missed**; " if r.missed else "") + r.note.replace("|", "\\|") for r in rows],
    }  # fmt: skip
    shown = {head: cells for head, cells in columns.items() if any(cells)}
    lines = [list(shown), ["---"] * len(shown), *map(list, zip(*shown.values(), strict=True))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def amount(value: float | None, unit: str) -> str:
    """A number of three digits with its unit; milliseconds and microseconds where seconds would be small."""
    if value is None:
        return ""
    if unit.endswith("s") and unit.split()[-1] == "s" and 0 < value < 0.1:
        return f"{1e3 * value:.3g} {unit[:-1]}ms"
    return f"{value:.3g} {unit}"


def figures(guide: Path, name: str, rows: Sequence[Row]) -> str:
    """Costs against size on log–log axes, one panel for each kind of size, drawn twice: for light and for dark pages."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "calbook"  # the same bytes each time
    by_size: dict[str, list[Row]] = {}
    for row in rows:
        if row.series:
            by_size.setdefault(row.work.rpartition(" ")[2], []).append(row)
    inches = 5.6, 3.4 * len(by_size)
    for theme, ink in (("light", "#1b1f24"), ("dark", "#e6e6e6")):
        style = {
            "text.color": ink,
            "axes.labelcolor": ink,
            "axes.edgecolor": ink,
            "xtick.color": ink,
            "ytick.color": ink,
        }
        with plt.rc_context({**style, "svg.fonttype": "none", "font.size": 9}):
            figure, panels = plt.subplots(len(by_size), 1, figsize=inches, squeeze=False)
            for panel, (size, held) in zip(panels[:, 0], by_size.items(), strict=True):
                for row, mark in zip(held, "osD^vPX", strict=False):
                    sizes, costs = zip(*row.series, strict=True)
                    panel.loglog(sizes, costs, marker=mark, label=row.work.rpartition(",")[0])
                panel.set(xlabel=f"number of {size}", ylabel="processor time [s]")
                panel.grid(alpha=0.25)
                panel.legend(frameon=False, fontsize=8)
            figure.tight_layout()
            (guide / "figures").mkdir(exist_ok=True)
            figure.savefig(
                guide / "figures" / f"{name}-{theme}.svg", transparent=True, metadata={"Date": None}
            )
            plt.close(figure)
    width, height = (round(96 * side) for side in inches)  # so that text does not move when the picture comes
    alt = "Processor time against size, on logarithmic axes; the table above has the numbers"
    return "\n".join(
        f"```{{image}} figures/{name}-{theme}.svg\n:alt: {alt}\n:class: only-{theme}\n:width: {width}\n:height: {height}\n```\n"
        for theme in ("light", "dark")
    )
