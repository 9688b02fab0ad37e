"""Every built-in procedure keeps its word: on good frames, on bad ones, and when it would break it."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.contract import (
    ALARMS,
    FLAGS,
    REASONS,
    ContractError,
    Epoch,
    FrameInput,
    Inputs,
    Procedure,
    Results,
    TableProduct,
)
from analysis.figures import Plot
from analysis.in_memory import detector, digitised, frame_input, inputs
from analysis.procedures import MODULES, builtin
from campaign.geometry import Region, quadrants
from campaign.model import Detector

GEOMETRY = quadrants(rows=104, columns=100, prescan=6, overscan=12, parallel=4)
CHANNELS = [c.name for c in GEOMETRY.channels]
NAME = re.compile(r"[a-z][a-z0-9_]*")
LEVELS = {
    "bias": [0.0] * 6,
    "dark": [40.0] * 6,
    "flat": [float(v) for v in (2, 2, 3, 3, 5, 5, 12, 12, 20, 20, 30, 30, 30, 30)],
    "point": [5.0, 5.0, 12.0, 12.0, 20.0, 20.0],
}


def camera() -> Detector:
    return detector(GEOMETRY)


def spots(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Point sources twenty pixels apart, of brightness 1 and a width of 1.5 pixels."""
    y, x = ((np.arange(n) % 20 - 10.0) ** 2 for n in shape)
    return np.asarray(np.exp(-0.5 * (y[:, None] + x) / 1.5**2))


def frames(kind: str, fault: str = "") -> list[FrameInput]:
    """Frames of one type as every procedure may get them, with a fault or without."""
    rng = np.random.default_rng([ord(c) for c in kind + fault])
    out = []
    for i, level in enumerate(LEVELS[kind]):
        image = rng.normal(1000.0, 3.0, GEOMETRY.shape)
        signal = level if kind in ("bias", "dark") else 1000.0 * level
        for channel in GEOMETRY.channels:
            shape = spots(channel.image.shape) if kind == "point" else 1.0
            image[channel.image.slices] += rng.poisson(signal * shape, channel.image.shape)
        exptime = {"bias": 0.0, "dark": 100.0 * (1 + i // 2)}.get(kind, max(level, 1.0))
        stored: np.ndarray = digitised(image)  # type: ignore[type-arg]
        if fault == "saturated":
            stored = np.full_like(stored, 65535)
        elif fault == "unlit":
            stored = np.zeros_like(stored)
        elif fault == "no numbers":
            stored = np.full(stored.shape, np.nan)
        warmth = -100.0 + 0.5 * (i * i % 5)
        time = None if fault == "timeless" else exptime
        out.append(frame_input(stored, camera(), kind, i, time, temperature=warmth))
    return out


def spotted(found: list[FrameInput], level: int, number: float | None = None) -> list[FrameInput]:
    """Frames with a bright square in one channel after another; at another place in the order when a ``number`` is given."""
    out = []
    for n, frame in enumerate(found):
        image = frame.pixels.read(
            GEOMETRY.channels[0], Region(0, GEOMETRY.shape[0], 0, GEOMETRY.shape[1])
        ).copy()
        for k, channel in enumerate(GEOMETRY.channels):
            if number is not None or k == n % 4:
                box = channel.image
                image[box.y0 + 12 + 4 * n % 16 : box.y0 + 20 + 4 * n % 16, box.x0 + 10 : box.x0 + 19] = level
        when = float(n) if number is None else number + 0.01 * n
        out.append(frame_input(image, camera(), frame.frame.type, when, frame.frame.exptime))  # type: ignore[arg-type]
    return out


def given(procedure: Procedure, fault: str = "", few: bool = False) -> Inputs:
    roles = {}
    for role in procedure.roles:
        found = frames(role.types[0], fault)
        if role.name == "exposed" and not fault:  # what saturates between the darks
            found = spotted(found[:2], 65535, 2.5)
        elif role.name == "light" and not fault:
            found = spotted(found, 60000)
        roles[role.name] = found[: role.minimum] if few else found
    epochs = {
        (t.procedure, t.product): epochs_of(t.procedure, t.product, fault, 1 if few else 3)
        for t in procedure.takes
        if t.which == "epochs"
    }
    return inputs(procedure, camera(), roles, epochs=epochs)


@cache
def epochs_of(maker: str, product: str, fault: str, number: int) -> tuple[Epoch, ...]:
    """What another procedure hands back of the same frames, as if several tests had taken them; nothing where it hands back nothing."""
    made = next(p for p in builtin() if p.name == maker)
    results = measure(made, given(made, fault))
    if product not in results.products:
        return ()
    return tuple(
        Epoch("BLOCK", f"TEST{n:02d}", f"2020-01-0{n}T00:00:00+00:00", tuple(results.measurements), lambda: results.products[product])
        for n in range(1, number + 1)
    )  # fmt: skip


def measure(procedure: Procedure, what: Inputs) -> Results:
    results = Results(procedure, CHANNELS, what.setting)
    procedure.measure(what, results)
    return results


@pytest.fixture(params=MODULES)
def procedure(request: pytest.FixtureRequest) -> Procedure:
    return next(p for p in builtin() if p.name == request.param)


def test_the_list_is_complete_and_named_as_its_modules() -> None:
    assert tuple(p.name for p in builtin()) == MODULES
    assert builtin() is builtin()


def test_all_that_is_declared_is_produced(procedure: Procedure) -> None:
    results = measure(procedure, given(procedure))
    results.check()
    assert all(m.unit == procedure.quantity(m.quantity).unit for m in results.measurements)
    values = [m for m in results.measurements if m.value is not None]
    assert values, "good frames must give numbers"
    assert all(m.n > 0 for m in values)
    assert all(m.uncertainty is None or m.uncertainty >= 0 for m in values)


@pytest.mark.parametrize("fault", ["saturated", "unlit", "no numbers", "timeless"])
def test_bad_frames_cost_numbers_never_the_procedure(procedure: Procedure, fault: str) -> None:
    results = measure(procedure, given(procedure, fault))
    results.check()
    for m in results.measurements:
        assert (m.value is None) == (m.reason is not None)
        assert m.reason is None or m.reason in REASONS


def test_the_fewest_frames_it_asks_for_are_enough_to_answer(procedure: Procedure) -> None:
    measure(procedure, given(procedure, few=True)).check()


def test_figures_and_tables_are_sound(procedure: Procedure) -> None:
    results = measure(procedure, given(procedure))
    for figure in results.figures.values():
        for panel in figure.panels if isinstance(figure, Plot) else ():
            assert panel.xlabel and panel.ylabel
            for series in panel.series:
                assert len(series.x) == len(series.y)
                assert series.yerr is None or len(series.yerr) == len(series.y)
                assert series.channel is None or series.channel in CHANNELS
    for product in results.products.values():
        if isinstance(product, TableProduct):
            assert len({len(column) for column in product.columns.values()}) == 1
            assert set(product.units) | set(product.descriptions) <= set(product.columns)


@pytest.mark.parametrize("part", ["quantities", "figures", "products"])
def test_what_is_not_declared_is_refused(procedure: Procedure, part: str) -> None:
    """Take each thing out of the declaration in turn: handing it back must fail."""
    what = given(procedure)
    for gone in getattr(procedure, part):
        less = replace(procedure, **{part: tuple(x for x in getattr(procedure, part) if x is not gone)})
        results = Results(less, CHANNELS)
        with pytest.raises(ContractError, match=gone.name):
            less.measure(what, results)


@pytest.mark.parametrize("part", ["quantities", "figures", "products"])
def test_what_is_declared_but_not_produced_is_found(procedure: Procedure, part: str) -> None:
    extra = replace(getattr(procedure, part)[0], name="never_made")
    more = replace(procedure, **{part: (*getattr(procedure, part), extra)})
    with pytest.raises(ContractError, match="never_made"):
        measure(more, given(procedure)).check()


def test_the_declaration_documents_itself(procedure: Procedure) -> None:
    assert NAME.fullmatch(procedure.name) and procedure.title and procedure.purpose.endswith(".")
    assert procedure.history and procedure.algorithm and procedure.references and procedure.acceptance
    named = [
        *procedure.parameters,
        *procedure.quantities,
        *procedure.figures,
        *procedure.products,
        *procedure.roles,
    ]
    for group in (
        procedure.parameters,
        procedure.quantities,
        procedure.figures,
        procedure.products,
        procedure.roles,
    ):
        names = [x.name for x in group]
        assert len(set(names)) == len(names)
    for thing in named:
        assert NAME.fullmatch(thing.name), thing.name
    for described in (*procedure.parameters, *procedure.products, *procedure.roles):
        assert len(described.meaning) > 10, described.name
    for quantity in procedure.quantities:
        assert quantity.symbol and quantity.definition and quantity.estimator
    for figure in procedure.figures:
        assert len(figure.caption) > 20


def test_defaults_lie_within_their_ranges(procedure: Procedure) -> None:
    assert procedure.settings({}) == {p.name: p.default for p in procedure.parameters}
    assert procedure.settings({p.name: p.default for p in procedure.parameters}) == procedure.settings({})
    with pytest.raises(ContractError, match="no parameter"):
        procedure.settings({"no_such_parameter": 1})


def test_alarms_are_flags() -> None:
    assert FLAGS.keys() >= ALARMS
