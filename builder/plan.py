"""What to measure: for every test its procedures, for each detector the frames that fill their roles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path

from analysis.contract import ALARMS, ChannelSummary, Measurement, ParameterValue, Procedure, Role
from builder.plugins import Known, Reference
from builder.summaries import Summarised, file_key, frame_key
from campaign.findings import Finding
from campaign.frames import Frame
from campaign.model import Campaign, Detector
from campaign.record import Test


@dataclass(frozen=True)
class Task:
    """One procedure on one detector of one test, ready to run anywhere: plain, picklable values."""

    result_id: str
    block: str
    test: str
    detector: Detector
    reference: Reference
    roles: Mapping[str, tuple[Frame, ...]]
    summaries: Mapping[str, Mapping[str, ChannelSummary]]  # by frame id
    fingerprints: Mapping[str, str]  # by frame id
    parameters: Mapping[str, ParameterValue]
    used: Mapping[tuple[str, str], Mapping[str, Measurement]]
    used_ids: tuple[tuple[str, str], ...]
    setting: str
    campaign_root: Path


@dataclass(frozen=True)
class NotRun:
    """A procedure that cannot run on a detector of a test, and why."""

    block: str
    test: str
    detector: Detector
    reference: Reference
    why: str
    roles: Mapping[str, tuple[Frame, ...]] = field(default_factory=dict)


def waves(known: Mapping[str, Known]) -> list[list[str]]:
    """Procedures in the order they can run: each wave uses only values of earlier ones.

    Uses that form a circle, or that name an unknown procedure, are ignored: such values are then missing.
    """
    left = {
        n: {u.procedure for u in k.procedure.uses if u.procedure in known} - {n} for n, k in known.items()
    }
    out: list[list[str]] = []
    while left:
        ready = sorted(n for n, needs in left.items() if not needs & left.keys()) or sorted(left)
        out.append(ready)
        for name in ready:
            del left[name]
    return out


def setting_of(campaign: Campaign, frames: Sequence[Frame]) -> str:
    """The configuration of a test's frames: 'wavelength=800, mode=fwd_bas'; differing values joined by '|'."""
    parts = []
    for name in campaign.data.setting:
        values = sorted({str(f.fields[name]) for f in frames if f.fields.get(name) not in (None, "")})
        if values:
            parts.append(f"{name}={'|'.join(values)}")
    return ", ".join(parts)


def _near(frame: Frame, others: Sequence[Frame]) -> tuple[float, str]:
    """How far a frame is from a test's own, in time or exposure number; for choosing the nearest."""
    date, dates = frame.date, [f.date for f in others if f.date is not None]
    if date is not None and dates:
        return min(abs((date - d).total_seconds()) for d in dates), frame.exposure
    number, numbers = frame.number, [f.number for f in others if f.number is not None]
    if number is not None and numbers:
        return float(min(abs(number - n) for n in numbers)), frame.exposure
    return 0.0, frame.exposure


def _same_temperature(frame: Frame, others: Sequence[Frame], tolerance: float = 2.0) -> bool:
    temperature = frame.fields.get("temperature")
    known = [t for o in others if isinstance(t := o.fields.get("temperature"), int | float)]
    return (
        not isinstance(temperature, int | float)
        or not known
        or min(abs(temperature - t) for t in known) <= tolerance
    )


def fill_roles(
    roles: Sequence[Role],
    types: Mapping[str, str],
    own: Sequence[Frame],
    block_frames: Sequence[tuple[str, Frame]],
) -> dict[str, tuple[Frame, ...]]:
    """Frames by role: the test's own of the role's types; for roles that allow it, else the nearest test's.

    ``types`` overrides a role's frame type ('any' for all frames). ``block_frames`` are (test, frame) of
    the same detector in the whole block. Borrowed frames come from the one test that is nearest in time
    and, where temperatures are known, within 2 °C.
    """
    out = {}
    for role in roles:
        wanted = (types[role.name],) if role.name in types else role.types
        found = [f for f in own if "any" in wanted or f.type in wanted]
        if len(found) < max(role.minimum, 1) and role.elsewhere:
            others = [(t, f) for t, f in block_frames if f.type in wanted and _same_temperature(f, own)]
            if others:
                nearest = min(others, key=lambda pair: _near(pair[1], own))[0]
                found = [f for t, f in others if t == nearest]
        out[role.name] = tuple(found)
    return out


def preference(
    made_by: str, measurement: Measurement, test: str, setting: str
) -> tuple[bool, bool, bool, float]:
    """Which of several measured values another procedure uses: the least of these.

    The test's own first; else one without a flag that makes it doubtful, then of the same setting, then the
    one with the smallest uncertainty.
    """
    return (
        made_by != test,
        bool(ALARMS & set(measurement.flags)),
        measurement.setting != setting,
        inf if measurement.uncertainty is None else measurement.uncertainty,
    )


def declared(procedure: Procedure) -> list[object]:
    """What a procedure promises: a result made under another promise is another result, whatever its version says."""
    quantities = [[q.name, q.unit, q.estimator, q.per] for q in procedure.quantities]
    return [quantities, [f.name for f in procedure.figures], [[p.name, p.form] for p in procedure.products]]


def result_id(
    reference: Reference, procedure: Procedure, detector: Detector, task_parts: Mapping[str, object]
) -> str:
    """The identity of a result: everything it depends on, digested."""
    parts = {
        "procedure": [reference.name, procedure.version, reference.source, declared(procedure)],
        "detector": [detector.name, asdict(detector.geometry)],
        **task_parts,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:20]


class Planner:
    """Plans the tasks of a campaign's tests."""

    def __init__(
        self,
        campaign: Campaign,
        known: Mapping[str, Known],
        by_test: Mapping[str, tuple[Frame, ...]],
        summarised: Summarised,
    ) -> None:
        self.campaign = campaign
        self.known = known
        self.by_test = by_test
        self.summarised = summarised
        self._of_detector: dict[tuple[str, str], list[tuple[str, Frame]]] = {}
        for key, frames in by_test.items():
            block, _, test = key.partition("/")
            for frame in frames:
                if frame_key(frame) in summarised.channels:
                    self._of_detector.setdefault((block, frame.detector), []).append((test, frame))

    def procedures_of(self, test: Test) -> list[str]:
        """The procedures of a test: those its record names, else those the campaign assigns."""
        return [p for p in (test.procedures or self.campaign.procedures_for(test.name)) if p in self.known]

    def unassigned(self, tests: Sequence[Test]) -> list[Finding]:
        """A finding for each test that has frames and no procedure, and for each procedure of a row that is not known."""
        out = []
        for test in tests:
            unknown = [p for p in test.procedures if p not in self.known]
            for name in unknown:
                what = f"{test.name}: the record names the procedure {name!r}, which does not exist"
                todo = f"Correct the record; there are: {', '.join(self.known)}."
                out.append(Finding("unknown-name", what, test.place, todo, test.block, test.name))
            if not unknown and self.by_test.get(test.key) and not self.procedures_of(test):
                what = f"{test.name} has frames, but no procedure analyses it"
                todo = "Name it in the tests of a [procedures.*] table, if it is to be analysed."
                out.append(Finding("no-procedure", what, test.place, todo, test.block, test.name))
        return out

    def plan(
        self,
        test: Test,
        procedure: str,
        values: Mapping[tuple[str, str, str, str], Sequence[tuple[str, str, Measurement]]],
    ) -> list[Task | NotRun]:
        """The tasks of one procedure on one test, one per detector.

        ``values`` holds, by (block, detector, procedure, quantity), what was measured so far as
        (test, measurement id, measurement) in the order of tests.
        """
        block = self.campaign.block(test.block)
        assert block is not None
        known = self.known[procedure]
        use = self.campaign.procedures.get(procedure)
        parameters = known.procedure.settings(use.parameters if use else {})
        out: list[Task | NotRun] = []
        frames = self.by_test.get(test.key, ())
        for detector in self.campaign.detectors_of(block):
            own = [
                f for f in frames if f.detector == detector.name and frame_key(f) in self.summarised.channels
            ]
            place = (test.block, test.name, detector, known.reference)
            if not own:
                out.append(NotRun(*place, f"no usable frame of {detector.name} was found"))
                continue
            roles = fill_roles(
                known.procedure.roles, use.roles if use else {}, own,
                self._of_detector.get((test.block, detector.name), []),
            )  # fmt: skip
            short = [r for r in known.procedure.roles if len(roles[r.name]) < r.minimum]
            if short:
                why = "; ".join(
                    f"{len(roles[r.name]) or 'no'} {r.name} frames of {detector.name}, {r.minimum} are needed"
                    for r in short
                )
                out.append(NotRun(*place, why, roles))
                continue
            out.append(self._task(test, known, detector, roles, parameters, own, values))
        return out

    def _task(
        self,
        test: Test,
        known: Known,
        detector: Detector,
        roles: Mapping[str, tuple[Frame, ...]],
        parameters: Mapping[str, ParameterValue],
        own: Sequence[Frame],
        values: Mapping[tuple[str, str, str, str], Sequence[tuple[str, str, Measurement]]],
    ) -> Task:
        setting = setting_of(self.campaign, own)
        used: dict[tuple[str, str], dict[str, Measurement]] = {}
        used_ids: list[tuple[str, str]] = []
        for u in known.procedure.uses:
            candidates = values.get((test.block, detector.name, u.procedure, u.quantity), ())
            for channel in (c.name for c in detector.geometry.channels):
                fit = [c for c in candidates if c[2].channel == channel and c[2].value is not None]
                fit.sort(key=lambda c: preference(c[0], c[2], test.name, setting))
                if fit:
                    used.setdefault((u.procedure, u.quantity), {})[channel] = fit[0][2]
                    used_ids.append((f"{u.procedure}.{u.quantity} of {channel}", fit[0][1]))
        frames = {f.id: f for held in roles.values() for f in held}
        prints = {i: self.summarised.fingerprints[file_key(f.file)] for i, f in frames.items()}
        parts = {
            "block": test.block,
            "test": test.name,
            "roles": {
                r: [[f.id, prints[f.id], sorted(f.hdus.items()), sorted(f.fields.items())] for f in held]
                for r, held in roles.items()
            },
            "parameters": dict(parameters),
            "used": [[k, v] for k, v in used_ids],
            "setting": setting,
        }
        return Task(
            result_id(known.reference, known.procedure, detector, parts),
            test.block, test.name, detector, known.reference, roles,
            {i: self.summarised.channels[frame_key(f)] for i, f in frames.items()},
            prints, parameters, used, tuple(used_ids), setting, self.campaign.root,
        )  # fmt: skip
