"""Declarations: those built in leave nothing unsaid, and each thing left unsaid is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_contract import CHANNELS, given, measure

from analysis.contract import FigureSpec, PanelSpec, Parameter, Procedure, Role, Take, Use, Version
from analysis.declaration_lint import call_path, faults
from analysis.figures import Plot
from analysis.procedures import builtin

KNOWN = {p.name: [q.name for q in p.quantities] for p in builtin()}
PRODUCTS = {p.name: [x.name for x in p.products] for p in builtin()}
BIAS = builtin()[0]
FIRST, FIGURE = BIAS.quantities[0], BIAS.figures[0]


@pytest.mark.parametrize("procedure", builtin(), ids=lambda p: p.name)
def test_built_in_declarations_leave_nothing_unsaid(procedure: Procedure) -> None:
    assert faults(procedure, KNOWN, PRODUCTS) == []
    assert procedure.comments
    assert call_path(procedure) == f"analysis.{procedure.name}:measure"


@pytest.mark.parametrize("procedure", builtin(), ids=lambda p: p.name)
def test_figures_have_the_panels_that_are_captioned(procedure: Procedure) -> None:
    results = measure(procedure, given(procedure))
    drawn, settings = results.figures, {m.setting for m in results.measurements}
    count = {"figure": 1, "channel": len(CHANNELS), "channel and setting": len(CHANNELS) * len(settings)}
    assert set(drawn) == {f.name for f in procedure.figures}
    for spec in procedure.figures:
        figure = drawn[spec.name]
        panels = len(figure.panels) if isinstance(figure, Plot) else 1
        assert panels == sum(count[p.each] for p in spec.panels), spec.name


def unlike(**change: Any) -> Procedure:
    return replace(BIAS, **change)


def quantity(**change: Any) -> Procedure:
    return unlike(quantities=(replace(FIRST, **change), *BIAS.quantities[1:]))


def figure(**change: Any) -> Procedure:
    return unlike(figures=(replace(FIGURE, **change), *BIAS.figures[1:]))


@pytest.mark.parametrize(
    ("wrong", "part", "word"),
    [
        (unlike(purpose=" "), "purpose", "no purpose"),
        (unlike(algorithm=""), "algorithm", "no algorithm"),
        (unlike(acceptance=()), "acceptance", "acceptable"),
        (unlike(history=()), "history", "no version"),
        (unlike(history=(*BIAS.history, BIAS.history[-1])), "history", "twice"),
        (unlike(history=(Version("1", "March", "first"),)), "history", "'March'"),
        (unlike(history=(Version("1", "2025-01-02", "a"), Version("2", "2025-01-01", "b"))), "history", "earlier"),
        (unlike(history=(Version("1", "2025-01-02", ""),)), "history", "what changed"),
        (unlike(roles=(Role("bias", ("zero",), 1, "frames"),)), "roles.bias", "'zero'"),
        (unlike(roles=(Role("bias", ("bias",), 1, ""),)), "roles.bias", "not described"),
        (unlike(parameters=(Parameter("sigma", 1.0, "clipping", "σ", 2.0),)), "parameters.sigma", "range"),
        (unlike(uses=(Use("dark", "darkness", "why not"),)), "uses", "dark.darkness"),
        (unlike(uses=(Use("nothing", "gain", "why not"),)), "uses", "nothing.gain"),
        (quantity(definition=""), "quantities.offset", "no definition"),
        (quantity(estimator=""), "quantities.offset", "no estimator"),
        (quantity(symbol=""), "quantities.offset", "no symbol"),
        (quantity(unit=" "), "quantities.offset", "unit"),
        (quantity(kind="important"), "quantities.offset", "'important'"),
        (quantity(unplotted="not worth it"), "quantities.offset", "excused"),
        (unlike(quantities=(FIRST, FIRST), figures=(replace(FIGURE, shows=("offset",)),)), "quantities.offset", "twice"),
        (figure(shows=("offset_drift", "read_noise")), "quantities.offset", "no figure"),
        (figure(shows=(*FIGURE.shows, "darkness")), "figures.stability", "'darkness'"),
        (figure(caption=""), "figures.stability", "no caption"),
        (figure(panels=()), "figures.stability", "panels"),
        (figure(panels=(FIGURE.panels[0], PanelSpec(""))), "figures.stability", "panel 2"),
        (unlike(measure=lambda inputs, results: None), "measure", "by a name"),
        (unlike(measure=builtin()[1].measure, figures=()), "figures", ""),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)  # fmt: skip
def test_what_is_left_unsaid_is_found(wrong: Procedure, part: str, word: str) -> None:
    found = faults(wrong, KNOWN)
    if part == "figures":  # without any figure every quantity needs its excuse
        assert {f.part for f in found} == {f"quantities.{q.name}" for q in BIAS.quantities if not q.unplotted}
        return
    assert [f.part for f in found] == [part]
    assert word in found[0].what
    assert found[0].todo


def renamed(inputs: object, results: object) -> None:
    """A function that is not where it says: see the next test."""


def test_a_function_that_is_not_where_its_name_says(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = unlike(measure=renamed)
    assert faults(wrong, KNOWN) == []
    monkeypatch.setattr(renamed, "__qualname__", "test_built_in_declarations_leave_nothing_unsaid")
    assert [f.part for f in faults(wrong, KNOWN)] == ["measure"]
    monkeypatch.setattr(renamed, "__module__", "analysis.no_such_module")
    assert "no_such_module" in faults(wrong, KNOWN)[0].what


def test_a_product_that_nothing_hands_back() -> None:
    taking = unlike(takes=(Take("flat", "master_flat", "response"), Take("flat", "glitter", "nothing")))
    assert faults(taking, KNOWN) == []  # without the products there are it cannot be told
    products = {"flat": ["master_flat", "defects"]}
    assert [f.what for f in faults(taking, KNOWN, products)] == [
        "it takes flat.glitter, which nothing hands back"
    ]


def test_a_product_of_nobody_knows_which_tests() -> None:
    odd: Any = "some"
    taking = unlike(takes=(Take("defects", "mask", " ", odd), Take("defects", "mask", "masks", "epochs")))
    assert [f.what for f in faults(taking, KNOWN, PRODUCTS)] == [
        "of which tests it takes defects.mask is 'some'",
        "it does not say what it takes defects.mask for",
    ]


def test_a_figure_may_show_what_nothing_else_does() -> None:
    more = FigureSpec("more", "More", "Look.", (PanelSpec("All [ADU]"),), ("offset_overscan",))
    assert [f.part for f in faults(unlike(figures=(*BIAS.figures, more)), KNOWN)] == [
        "quantities.offset_overscan"
    ]
