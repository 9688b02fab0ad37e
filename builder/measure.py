"""Measure everything: wave after wave of procedures, each result stored the moment it is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path

from analysis.contract import ContractError, Measurement
from builder.build_log import BuildLog
from builder.candidates import Candidates, Values
from builder.engine import Engine
from builder.plan import Handed, NotRun, Planner, Task, circles, waves
from builder.plugins import Known
from builder.recover import touches
from builder.run import Measured, measure
from builder.store import Store, StoredResult
from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.names import slug
from campaign.record import Test


@dataclass
class MeasuredAll:
    """The tasks of every test, the results they have, and what went wrong."""

    tasks: dict[str, list[Task | NotRun]] = field(default_factory=dict)
    results: dict[str, StoredResult] = field(default_factory=dict)
    failed: dict[str, StoredResult] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    run: int = 0
    reused: int = 0
    reused_seconds: float = 0.0  # what the reused ones took when they were measured

    def result(self, result_id: str) -> StoredResult:
        """The result of a task, stored or failed. Raises KeyError for a task that was not run."""
        return self.results[result_id] if result_id in self.results else self.failed[result_id]


def measurement_id(result_id: str, measurement: Measurement, default_setting: str) -> str:
    """The permanent name of a measurement: result, quantity, channel, and setting where it is not the test's."""
    m = measurement
    return result_id + _part(m.quantity, m.channel or "", None if m.setting == default_setting else m.setting)


@lru_cache(maxsize=1 << 16)  # all tests of a procedure share them
def _part(quantity: str, channel: str, setting: str | None) -> str:
    parts = ["", quantity, *([channel] if channel else []), *([] if setting is None else [slug(setting)])]
    return ".".join(parts)


def error_id(result_id: str, code: str) -> str:
    """The id under which a failure is kept: the same code on the same inputs fails again, other code may not."""
    return hashlib.sha256(f"{result_id} {code}".encode()).hexdigest()[:20]


@cache
def code_digest() -> str:
    """A digest of the analysis code that runs, so that failures are tried again when it changes."""
    import analysis

    digest = hashlib.sha256()
    for path in sorted(Path(analysis.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def measure_all(
    tests: Sequence[Test],
    known: Mapping[str, Known],
    planner: Planner,
    store: Store,
    engine: Engine,
    build_id: int,
    versions: Mapping[str, str],
    now: Callable[[], datetime],
    advance: Callable[[int, int], None],
    log: BuildLog | None = None,
) -> MeasuredAll:
    """Run what has no stored result yet; hand back all results.

    Procedures that use values of others run after them. A failure costs its own result only.
    """
    wanted = {(u.procedure, u.quantity) for k in known.values() for u in k.procedure.uses}
    takes = [t for k in known.values() for t in k.procedure.takes]
    taken = {(t.procedure, t.product): False for t in takes} | {
        (t.procedure, t.product): True for t in takes if t.which == "epochs"
    }
    products: dict[tuple[str, str, str, str], list[Handed]] = {}
    out = MeasuredAll(findings=planner.unassigned(tests))
    values: Values = {}
    code = code_digest()
    given = {name: use.parameters for name, use in planner.campaign.procedures.items()}
    out.findings += circles(known, given)
    for wave in waves(known, given):
        todo: dict[str, Task] = {}
        planned: list[tuple[Test, Task | NotRun]] = []
        for test in tests:
            for procedure in planner.procedures_of(test):
                if procedure in wave:
                    planned += [(test, t) for t in _plan(planner, test, procedure, values, products, out)]
        ids = [
            i for _, t in planned if isinstance(t, Task) for i in (t.result_id, error_id(t.result_id, code))
        ]
        kept = store.results(ids, inputs=False)
        for test, task in planned:
            out.tasks.setdefault(test.key, []).append(task)
            if isinstance(task, Task):
                found = kept.get(task.result_id) or kept.get(error_id(task.result_id, code))
                if found is None or touches(found.detail, store.lost):
                    todo[task.result_id] = task
                else:
                    out.results[task.result_id] = found
                    out.reused += 1
                    out.reused_seconds += found.seconds
                    if log:
                        log.kept_result(task)
        added: dict[str, str] = {}
        jobs = ((planner.loaded(task), store.objects) for task in todo.values())
        for done, ((task, _), measured) in enumerate(engine.run(measure, jobs), start=1):
            if isinstance(measured, Exception):
                measured = Measured("error", 0.0, f"{type(measured).__name__}: {measured}", transient=True)
            if log:
                log.measured(task, measured)
            stored = _stored(task, measured, known, code, versions, now())
            if measured.transient:
                out.failed[task.result_id] = stored
            elif store.add_result(stored, build_id):
                added[task.result_id] = stored.id
            else:  # known, but what it names was lost
                out.results[task.result_id] = stored
            out.run += 1
            advance(done, len(todo))
        kept = store.results(added.values(), inputs=False)  # what they say alike is then in memory once
        out.results |= {result_id: kept[ident] for result_id, ident in added.items()}
        for _, task in planned:
            if isinstance(task, Task) and (result := out.results.get(task.result_id)):
                _collect(values, task, result, wanted)
                _collect_products(products, task, result, known, taken)
    _report_errors(out)
    order = {name: i for i, name in enumerate(known)}
    for held in out.tasks.values():
        held.sort(key=lambda t: order[t.reference.name])
    return out


def _plan(
    planner: Planner,
    test: Test,
    procedure: str,
    values: Values,
    products: Mapping[tuple[str, str, str, str], Sequence[Handed]],
    out: MeasuredAll,
) -> list[Task | NotRun]:
    try:
        return planner.plan(test, procedure, values, products)
    except ContractError as error:
        out.findings.append(
            Finding(
                "bad-value", str(error), f"campaign.toml [procedures.{procedure}]",
                "Correct the parameter; the tests of this procedure are not run until then.",
                block=test.block, test=test.name,
            )
        )  # fmt: skip
        return []


def _stored(
    task: Task,
    measured: Measured,
    known: Mapping[str, Known],
    code: str,
    versions: Mapping[str, str],
    now: datetime,
) -> StoredResult:
    done = measured.status == "done"
    detail = {
        **measured.detail,
        "error": measured.error,
        "undeclared": measured.undeclared,
        "parameters": dict(task.parameters),
        "inputs": [
            [role, f.id, f.file.root, f.file.path, f.file.fingerprint]
            for role, held in task.roles.items()
            for f in held
        ],
        "used": [list(u) for u in task.used_ids],
        "setting": task.setting,
        "versions": dict(versions),
    }
    # as the store will give it back, so that the next build makes the same bytes of it
    detail = json.loads(json.dumps(detail, sort_keys=True))
    return StoredResult(
        task.result_id if done else error_id(task.result_id, code),
        task.block,
        task.test,
        task.detector.name,
        task.reference.name,
        known[task.reference.name].procedure.version,
        measured.status,
        now.isoformat(timespec="seconds"),
        round(measured.seconds, 3),
        detail,
        measured.measurements,
    )


def _collect(values: Values, task: Task, result: StoredResult, wanted: Collection[tuple[str, str]]) -> None:
    for m in result.measurements:
        if (task.reference.name, m.quantity) in wanted and m.value is not None:
            place = (task.block, task.detector.name, task.reference.name, m.quantity)
            mid = measurement_id(result.id, m, task.setting)
            values.setdefault(place, Candidates()).add(task.test, mid, m)


def _collect_products(
    products: dict[tuple[str, str, str, str], list[Handed]],
    task: Task,
    result: StoredResult,
    known: Mapping[str, Known],
    taken: Mapping[tuple[str, str], bool],
) -> None:
    """Keep the products that others take; with the result's measurements those that are taken of all epochs (``taken`` is true)."""
    for spec in known[task.reference.name].procedure.products:
        made = result.detail.get("products", {}).get(spec.name)
        if made and (task.reference.name, spec.name) in taken:
            place = (task.block, task.detector.name, task.reference.name, spec.name)
            measured = tuple(result.measurements) if taken[task.reference.name, spec.name] else ()
            handed = Handed(task.test, task.setting, result.id, spec.form, made["object"], measured)
            products.setdefault(place, []).append(handed)


def _report_errors(out: MeasuredAll) -> None:
    for result in [*out.results.values(), *out.failed.values()]:
        if result.status == "error":
            message = str(result.detail["error"]).splitlines()[0]
            out.findings.append(
                Finding(
                    "procedure-undeclared" if result.detail["undeclared"] else "procedure-error",
                    f"{result.procedure} failed on {result.detector}: {message}",
                    f"{result.block}/{result.test}",
                    "The test's page has the whole error and the log.",
                    block=result.block, test=result.test, detector=result.detector,
                )
            )  # fmt: skip
