"""What to measure: for every test its procedures, for each detector the frames that fill their roles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Literal

from analysis.contract import ChannelSummary, Measurement, ParameterValue, Procedure, Role, Take
from builder.candidates import Candidates
from builder.epochs import Timeline
from builder.lenders import Lenders
from builder.plugins import Known, Reference
from builder.summaries import FrameKey, Summarised, frame_key
from campaign.findings import Finding
from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.model import Campaign, Detector
from campaign.record import Test

Form = Literal["fits", "ecsv", "reg"]
_as_json = json.JSONEncoder(sort_keys=True, default=str).encode
"""As ``json.dumps``, which makes an encoder for each of tens of thousands of calls."""


@dataclass(frozen=True)
class Handed:
    """A product that a test's result handed back, as an object of the store.

    ``measurements`` of that result and the test's ``block`` and ``time`` are told where products of several epochs are taken.
    """

    test: str
    setting: str
    result_id: str
    form: Form
    object: str
    measurements: tuple[Measurement, ...] = ()
    block: str = ""
    time: str = ""


NOTHING: Mapping[tuple[str, str, str, str], Sequence[Handed]] = {}


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
    parameters: Mapping[str, ParameterValue]
    used: Mapping[tuple[str, str], Mapping[str, Measurement]]
    used_ids: tuple[tuple[str, str], ...]
    setting: str
    campaign_root: Path
    products: Mapping[tuple[str, str], tuple[Form, str]] = field(default_factory=dict)  # form, object
    detectors: Mapping[str, Detector] = field(default_factory=dict)
    epochs: Mapping[tuple[str, str], tuple[Handed, ...]] = field(default_factory=dict)
    logged: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by frame id


@dataclass(frozen=True)
class NotRun:
    """A procedure that cannot run on a detector of a test, and why."""

    block: str
    test: str
    detector: Detector
    reference: Reference
    why: str
    roles: Mapping[str, tuple[Frame, ...]] = field(default_factory=dict)


def needs(
    known: Mapping[str, Known], given: Mapping[str, Mapping[str, ParameterValue]]
) -> dict[str, set[str]]:
    """The procedures of which each uses values or takes products, with the parameters ``given`` for some."""
    out = {}
    for name, one in known.items():
        p = one.procedure
        taken = p.taken({x.name: x.default for x in p.parameters} | dict(given.get(name, {})))
        out[name] = ({u.procedure for u in p.uses} | {t.procedure for t in taken}) & known.keys() - {name}
    return out


def waves(
    known: Mapping[str, Known], given: Mapping[str, Mapping[str, ParameterValue]] = {}
) -> list[list[str]]:
    """Procedures in the order they can run: each wave uses only values and products of earlier ones.

    ``given`` are the parameters that a campaign gives some of them. Uses that form a circle (``circles``), or that name an unknown procedure, are
    ignored: such values are then missing.
    """
    left = needs(known, given)
    out: list[list[str]] = []
    while left:
        ready = sorted(n for n, need in left.items() if not need & left.keys())
        if not ready:  # a circle that waits for nothing but itself
            ready = list(next(c for c in _circles(left) if all(left[n] & left.keys() <= set(c) for n in c)))
        out.append(ready)
        for name in ready:
            del left[name]
    return out


def circles(
    known: Mapping[str, Known], given: Mapping[str, Mapping[str, ParameterValue]]
) -> Iterator[Finding]:
    """A finding for each circle of procedures that need each other: they run without each other's values and products."""
    for circle in _circles(needs(known, given)):
        what = f"{', '.join(circle)}: each needs what another of them makes, so that they run without it"
        yield Finding("circle", what, todo="Take a step out of the corrections of one of them.")


def _circles(needs: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """The procedures that need themselves by way of others, by circle, in order of names."""
    reach = {n: set(need) for n, need in needs.items()}
    for by in reach:
        for found in reach.values():
            if by in found:
                found |= reach[by]
    return sorted(
        {tuple(sorted(m for m in found if n in reach.get(m, ()))) for n, found in reach.items() if n in found}
    )


def setting_of(campaign: Campaign, frames: Sequence[Frame]) -> str:
    """The configuration of a test's frames: 'wavelength=800, mode=fwd_bas'; differing values joined by '|'."""
    parts = []
    for name in campaign.data.setting:
        values = sorted({str(f.fields[name]) for f in frames if f.fields.get(name) not in (None, "")})
        if values:
            parts.append(f"{name}={'|'.join(values)}")
    return ", ".join(parts)


def fill_roles(
    roles: Sequence[Role],
    types: Mapping[str, str],
    own: Sequence[Frame],
    lenders: Lenders,
    everyone: Sequence[Frame] = (),
) -> dict[str, tuple[Frame, ...]]:
    """Frames by role: the test's own of the role's types; for roles that allow it, else the nearest test's.

    ``types`` overrides a role's frame type ('any' for all frames). ``lenders`` are the frames of
    the same detector in the whole block. Borrowed frames come from the one test that is nearest in time
    and, where temperatures are known, within 2 °C. ``everyone`` are the test's frames of all detectors.
    """
    out = {}
    for role in roles:
        wanted = (types[role.name],) if role.name in types else role.types
        found = [f for f in (everyone if role.every_detector else own) if "any" in wanted or f.type in wanted]
        if len(found) < max(role.minimum, 1) and role.elsewhere:
            found = lenders.nearest(wanted, own) or found
        out[role.name] = tuple(found)
    return out


def declared(procedure: Procedure) -> list[object]:
    """What a procedure promises: a result made under another promise is another result, whatever its version says."""
    quantities = [[q.name, q.unit, q.estimator, q.per] for q in procedure.quantities]
    return [quantities, [f.name for f in procedure.figures], [[p.name, p.form] for p in procedure.products]]


def result_id(
    reference: Reference, procedure: Procedure, detector: Detector, task_parts: Mapping[str, object]
) -> str:
    """The identity of a result: everything it depends on, digested."""
    parts = {name: json.dumps(value, sort_keys=True, default=str) for name, value in task_parts.items()}
    return _identity(parts | _fixed(reference, procedure, detector))


def _fixed(reference: Reference, procedure: Procedure, detector: Detector) -> dict[str, str]:
    """What all tests of a procedure on a detector share, as JSON."""
    parts = {
        "procedure": [reference.name, procedure.version, reference.source, declared(procedure)],
        "detector": [detector.name, asdict(detector.geometry)],
    }
    return {name: json.dumps(value, sort_keys=True, default=str) for name, value in parts.items()}


def _identity(parts: Mapping[str, str]) -> str:
    """The digest of parts that are JSON already: that of ``json.dumps`` of the whole, keys sorted."""
    text = "{" + ", ".join(f'"{name}": {parts[name]}' for name in sorted(parts)) + "}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


class Planner:
    """Plans the tasks of a campaign's tests. ``logged`` tells what an exposure log says of a frame."""

    def __init__(
        self,
        campaign: Campaign,
        known: Mapping[str, Known],
        summarised: Summarised,
        logged: Callable[[Frame], Mapping[str, str]] = lambda frame: {},
    ) -> None:
        self.campaign = campaign
        self.known = known
        self.by_test = summarised.matching.by_test
        self.summarised = summarised
        self.logged = logged
        of_detector: dict[tuple[str, str], list[tuple[str, Frame]]] = {}
        for key, frames in self.by_test.items():
            block, _, test = key.partition("/")
            for frame in frames:
                if summarised.has(frame):
                    of_detector.setdefault((block, frame.detector), []).append((test, frame))
        self._lenders = {place: Lenders(held) for place, held in of_detector.items()}
        self._timeline = Timeline(campaign, self.by_test)
        self._blocks = {b.id: b for b in campaign.blocks}
        self._shared: dict[tuple[str, str], dict[str, str]] = {}
        self._parameters: dict[str, Mapping[str, ParameterValue]] = {}
        self._alone = {d.name: {d.name: d} for d in campaign.detectors}
        self._texts: dict[FrameKey, str] = {}

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
        values: Mapping[tuple[str, str, str, str], Candidates],
        products: Mapping[tuple[str, str, str, str], Sequence[Handed]] = NOTHING,
    ) -> list[Task | NotRun]:
        """The tasks of one procedure on one test, one per detector.

        ``values`` and ``products`` hold, by (block, detector, procedure, quantity or product), what was measured so far.
        The tasks hold no summaries yet: see ``loaded``.
        """
        block = self._blocks[test.block]
        known = self.known[procedure]
        use = self.campaign.procedures.get(procedure)
        if procedure not in self._parameters:
            self._parameters[procedure] = known.procedure.settings(use.parameters if use else {})
        parameters = self._parameters[procedure]  # one object in all of its tasks
        out: list[Task | NotRun] = []
        frames = [f for f in self.by_test.get(test.key, ()) if self.summarised.has(f)]
        for detector in self.campaign.detectors_of(block):
            own = [f for f in frames if f.detector == detector.name]
            place = (test.block, test.name, detector, known.reference)
            if not own:
                out.append(NotRun(*place, f"no usable frame of {detector.name} was found"))
                continue
            roles = fill_roles(
                known.procedure.roles, use.roles if use else {}, own,
                self._lenders.get((test.block, detector.name)) or Lenders(()), frames,
            )  # fmt: skip
            short = [r for r in known.procedure.roles if len(roles[r.name]) < r.minimum]
            if short:
                why = "; ".join(
                    f"{len(roles[r.name]) or 'no'} {r.name} frames of {detector.name}, {r.minimum} are needed"
                    for r in short
                )
                out.append(NotRun(*place, why, roles))
                continue
            out.append(self._task(test, known, detector, roles, parameters, own, values, products))
        return out

    def _task(
        self,
        test: Test,
        known: Known,
        detector: Detector,
        roles: Mapping[str, tuple[Frame, ...]],
        parameters: Mapping[str, ParameterValue],
        own: Sequence[Frame],
        values: Mapping[tuple[str, str, str, str], Candidates],
        products: Mapping[tuple[str, str, str, str], Sequence[Handed]],
    ) -> Task:
        setting = setting_of(self.campaign, own)
        used: dict[tuple[str, str], dict[str, Measurement]] = {}
        used_ids: list[tuple[str, str]] = []
        for u in known.procedure.uses:
            candidates = values.get((test.block, detector.name, u.procedure, u.quantity))
            if candidates is None:
                continue
            for channel in (c.name for c in detector.geometry.channels):
                if found := candidates.best(channel, test.name, setting):
                    used.setdefault((u.procedure, u.quantity), {})[channel] = found[2]
                    used_ids.append((f"{u.procedure}.{u.quantity} of {channel}", found[1]))
        taken: dict[tuple[str, str], tuple[Form, str]] = {}
        epochs: dict[tuple[str, str], tuple[Handed, ...]] = {}
        for t in known.procedure.taken(parameters):
            name = f"{t.procedure}.{t.product}"
            if t.which == "epochs":
                several = self._epochs(test, detector, t, products)
                epochs[t.procedure, t.product] = several
                used_ids += [(f"{name} of {h.block}/{h.test}", h.result_id) for h in several]
            elif held := products.get((test.block, detector.name, t.procedure, t.product)):
                one = self._chosen(test, detector, setting, t, held)
                taken[t.procedure, t.product] = one.form, one.object
                used_ids.append((name, one.result_id))
        together = any(r.every_detector for r in known.procedure.roles)
        everyone = self._alone[detector.name]
        if together:
            everyone = {d.name: d for d in self.campaign.detectors_of(self._blocks[test.block])}
        shared = (known.reference.name, detector.name)
        if shared not in self._shared:
            self._shared[shared] = _fixed(known.reference, known.procedure, detector)
        texts = {r: f"[{', '.join(map(self._text, held))}]" for r, held in roles.items()}
        parts = {
            **self._shared[shared],
            "block": json.dumps(test.block),
            "test": json.dumps(test.name),
            "roles": "{" + ", ".join(f"{json.dumps(r)}: {texts[r]}" for r in sorted(texts)) + "}",
            "parameters": json.dumps(dict(parameters), sort_keys=True, default=str),
            "used": json.dumps([[k, v] for k, v in used_ids]),
            "setting": json.dumps(setting),
        }
        if together:
            geometries = [[d.name, asdict(d.geometry)] for d in everyone.values()]
            parts["detectors"] = json.dumps(geometries, sort_keys=True, default=str)
        if epochs:
            parts["epochs"] = json.dumps([[*k, *(h.time for h in held)] for k, held in epochs.items()])
        return Task(
            _identity(parts),
            test.block, test.name, detector, known.reference, roles,
            {}, parameters, used, tuple(used_ids), setting, self.campaign.root,
            taken, everyone, epochs,
        )  # fmt: skip

    def _chosen(
        self, test: Test, detector: Detector, setting: str, take: Take, held: Sequence[Handed]
    ) -> Handed:
        """The one product of several tests of the block that a test takes."""
        if take.which == "latest":
            places = self._timeline.until(detector.name, test.block, test.name)
            order = {p.test: n for n, p in enumerate(places) if p.block == test.block}
            return max(held, key=lambda h: order.get(h.test, -1))
        return min(held, key=lambda h: (h.test != test.name, h.setting != setting))

    def _epochs(
        self,
        test: Test,
        detector: Detector,
        take: Take,
        products: Mapping[tuple[str, str, str, str], Sequence[Handed]],
    ) -> tuple[Handed, ...]:
        """The products of all tests that are no later than this one, the earliest first."""
        places = self._timeline.until(detector.name, test.block, test.name)
        made = {
            (block, h.test): h
            for block in dict.fromkeys(p.block for p in places)
            for h in products.get((block, detector.name, take.procedure, take.product), ())
        }
        return tuple(
            replace(made[p.block, p.test], block=p.block, time=p.time)
            for p in places
            if (p.block, p.test) in made
        )

    def loaded(self, task: Task) -> Task:
        """A task with the summaries of its frames and what logs say of them: only what is measured needs them."""
        frames = {f.id: f for held in task.roles.values() for f in held}
        return replace(
            task,
            summaries={i: self.summarised.summaries.channels(f) for i, f in frames.items()},
            logged={i: said for i, f in frames.items() if (said := self.logged(f))},
        )

    def _text(self, frame: Frame) -> str:
        """What a result depends on of a frame, as JSON; made once for all procedures and tests that use it."""
        key = frame_key(frame)
        if key not in self._texts:
            fields = sorted(frame.fields.items())
            held = [frame.id, frame.file.fingerprint, sorted(frame.hdus.items()), fields]
            self._texts[key] = _as_json(held)
        return self._texts[key]
