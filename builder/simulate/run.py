"""The simulator's run: which frames are due, making them, and stating the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from builder.simulate.files import write_whole
from builder.simulate.headers import Style
from builder.simulate.plan import exposures
from builder.simulate.reading import read
from builder.simulate.shots import all_logs, all_shots, digest
from builder.simulate.statement import NAME, made_before, state
from builder.simulate.work import jobs, work
from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.model import Campaign

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Simulated:
    """What was done: frames written, their bytes, where the truth is, and what was wrong on the way."""

    written: int
    bytes: int
    truth: Path
    findings: tuple[Finding, ...] = ()


def simulate(
    campaign: Campaign, *, missing_only: bool = True, progress: Progress | None = None, workers: int = 1
) -> Simulated:
    """Write the frames of the campaign's plan, their logs and ``truth.json`` below the first data root.

    With ``missing_only`` a frame is written only when it is absent or was made from other settings, and a
    file that the simulator did not make is left alone. ``progress`` is told (done, total, what). A run that
    was killed is finished by the next. Settings that cannot be used yield findings, and nothing is written.
    Raises OSError when the root cannot be written.
    """
    settings, findings = read(campaign)
    root = campaign.root / campaign.data.roots[0]
    if settings is None or not campaign.simulate:
        return Simulated(0, 0, root / NAME, tuple(findings))
    planned = exposures(campaign, settings)
    shots = all_shots(campaign, settings, planned)
    logs = all_logs(campaign, settings, planned)
    files = {s.path: s.recipe for s in shots if not s.lost} | {p: digest(t) for p, t in logs.items()}
    known = made_before(root)
    if missing_only:
        foreign = [p for p in files if p not in known and (root / p).exists()]
        findings += [_left_alone(path) for path in foreign]
        files = {p: r for p, r in files.items() if p not in set(foreign)}
    _remove_outdated(root, known, files)
    if known != files or not (root / NAME).is_file():
        # before the frames: from here on the files are this run's, and an absent one is due
        write_whole(root / NAME, state(campaign, settings, planned, shots, files).encode())
    for path, text in logs.items():
        if path in files and not (missing_only and (root / path).exists()):
            write_whole(root / path, text.encode())
    due = [s for s in shots if s.path in files and not s.lost]
    due = [s for s in due if not (missing_only and (root / s.path).exists())]
    done = size = 0
    for job, count in work(jobs(root, Style.of(campaign), settings, due), workers):
        done, size = done + len(job.shots), size + count
        if progress is not None:
            progress(done, len(due), job.label)
    return Simulated(done, size, root / NAME, tuple(findings))


def _remove_outdated(root: Path, known: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Remove what an earlier run made from settings that no longer hold."""
    for path, recipe in known.items():
        if files.get(path) != recipe:
            (root / path).unlink(missing_ok=True)


def _left_alone(path: str) -> Finding:
    return Finding(
        "contradiction",
        f"A file stands where a simulated frame belongs, and was not made by the simulator: {path}",
        path,
        "It is left as it is. Move it, or give the plan another exposure number.",
    )
