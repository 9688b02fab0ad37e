"""What is measured with which frames: roles, borrowing, order of procedures, identity of results."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.contract import Inputs, Measurement, Procedure, Quantity, Results, Role, Take, Use, Version
from analysis.correction import STEPS, corrections
from analysis.procedures import builtin
from builder.candidates import preference
from builder.lenders import Lenders, near, same_temperature
from builder.plan import circles, fill_roles, result_id, setting_of, waves
from builder.plugins import Known, Reference
from campaign.frames import Frame, FrameFile
from campaign.geometry import single
from campaign.model import Campaign, DataSpec, Detector

BIAS = Role("bias", ("bias",), 1, "zero-second frames", elsewhere=True)
DARK = Role("dark", ("dark",), 2, "closed shutter")


def frame(
    number: int, kind: str, *, temperature: float | None = None, minute: int = 0, **fields: object
) -> Frame:
    given_fields = {"type": kind, "date": f"2020-01-01T00:{minute:02d}:00", **fields}
    if temperature is not None:
        given_fields["temperature"] = temperature
    file = FrameFile("frames", f"{number}.fits", 1, 1, number)
    return Frame(f"{number}/CCD1", str(number), "CCD1", file, {"": 0}, given_fields, block="B")  # type: ignore[arg-type]


def do_nothing(_inputs: Inputs, _results: Results) -> None:
    """A measurement of nothing."""


def known(name: str, *uses: str) -> Known:
    procedure = Procedure(
        name, name, "p", (Version("1", "2020-01-01", "first"),), (), (Quantity("q", "q", "", "d", "e"),), do_nothing,
        uses=tuple(Use(u, "q", "m") for u in uses),
    )  # fmt: skip
    return Known(procedure, Reference(name))


def test_procedures_run_after_those_they_use() -> None:
    order = waves({"dark": known("dark", "ptc"), "ptc": known("ptc", "bias"), "bias": known("bias")})
    assert order == [["bias"], ["ptc"], ["dark"]]


def test_a_circle_of_uses_still_runs_everything_once() -> None:
    order = waves({"a": known("a", "b"), "b": known("b", "a"), "c": known("c", "gone")})
    assert sorted(n for wave in order for n in wave) == ["a", "b", "c"]


def test_what_waits_for_a_circle_runs_after_it() -> None:
    order = waves({"a": known("a", "b"), "b": known("b", "a"), "c": known("c", "a"), "d": known("d", "c")})
    assert order == [["a", "b"], ["c"], ["d"]]


def test_a_product_of_a_step_is_taken_only_where_the_corrections_name_it() -> None:
    """Two procedures that could correct each other make no circle until a campaign asks for it, which is told."""
    held = {"a": _correcting("a", "b", "dark"), "b": _correcting("b", "a", "flat")}
    assert waves(held) == [["a", "b"]] and not list(circles(held, {}))
    asked = {"a": {"corrections": "offset dark"}}
    assert waves(held, asked) == [["b"], ["a"]] and not list(circles(held, asked))
    both = asked | {"b": {"corrections": "flat"}}
    assert waves(held, both) == [["a", "b"]]
    (told,) = circles(held, both)
    assert told.kind == "circle" and told.what.startswith("a, b:")


def _correcting(name: str, maker: str, step: str) -> Known:
    taking = replace(
        known(name).procedure, takes=(Take(maker, "q", "m", step=step),), parameters=(corrections("offset"),)
    )
    return Known(taking, Reference(name))


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefg"), max_size=4)))
def test_waves_hold_each_procedure_once(uses: dict[str, list[str]]) -> None:
    order = waves({n: known(n, *u) for n, u in uses.items()})
    assert sorted(n for wave in order for n in wave) == sorted(uses)


def test_own_frames_fill_a_role_before_borrowed_ones() -> None:
    own = [frame(1, "bias"), frame(2, "dark"), frame(3, "dark")]
    roles = fill_roles((BIAS, DARK), {}, own, Lenders([("other", frame(9, "bias"))]))
    assert [f.exposure for f in roles["bias"]] == ["1"]
    assert [f.exposure for f in roles["dark"]] == ["2", "3"]


def test_frames_are_borrowed_from_the_nearest_test_only() -> None:
    own = [frame(10, "dark", minute=30)]
    block = [
        ("early", frame(1, "bias", minute=1)),
        ("near", frame(8, "bias", minute=28)),
        ("near", frame(9, "bias", minute=29)),
    ]
    assert [f.exposure for f in fill_roles((BIAS,), {}, own, Lenders(block))["bias"]] == ["8", "9"]


def test_frames_at_another_temperature_are_not_borrowed() -> None:
    own = [frame(10, "dark", temperature=-10.2)]
    block = [("warm", frame(9, "bias", temperature=-5.0)), ("cold", frame(1, "bias", temperature=-9.8))]
    assert [f.exposure for f in fill_roles((BIAS,), {}, own, Lenders(block))["bias"]] == ["1"]
    assert fill_roles((BIAS,), {}, own, Lenders(block[:1]))["bias"] == ()


MADE = st.tuples(st.sampled_from("TUV"), st.integers(0, 5), st.sampled_from([None, -10.0, -11.5, -5.0]))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MADE, max_size=8), st.lists(MADE, min_size=1, max_size=3), st.booleans())
def test_the_search_in_time_finds_what_looking_at_all_would(
    lent: list[tuple[str, int, float | None]], made: list[tuple[str, int, float | None]], dated: bool
) -> None:
    block = [(t, frame(n, "bias", temperature=c, minute=m)) for n, (t, m, c) in enumerate(lent)]
    if not dated and block:  # one frame without a date: then numbers count for it
        block[0] = (block[0][0], replace(block[0][1], fields={"type": "bias"}))
    own = [frame(100 + n, "dark", temperature=c, minute=m) for n, (_, m, c) in enumerate(made)]
    fit = [(t, f) for t, f in block if same_temperature(f, own)]
    nearest = min(fit, key=lambda pair: near(pair[1], own))[0] if fit else None
    assert Lenders(block).nearest(("bias",), own) == [f for t, f in fit if t == nearest]


def test_a_role_that_may_not_borrow_does_not() -> None:
    assert fill_roles((DARK,), {}, [frame(1, "dark")], Lenders([("x", frame(2, "dark"))]))["dark"] == (
        frame(1, "dark"),
    )


def test_any_takes_every_frame() -> None:
    own = [frame(1, "other"), frame(2, "dark")]
    assert fill_roles((BIAS,), {"bias": "any"}, own, Lenders([]))["bias"] == tuple(own)


def test_the_best_value_of_another_procedure_is_used() -> None:
    def gain(test: str, setting: str, error: float, *flags: str) -> tuple[str, Measurement]:
        return test, Measurement("gain", "E", setting, 3.3, error, "e⁻/ADU", "fit", 10, flags)

    own = gain("PTC01", "w=800", 0.5, "lamp-drift")
    doubtful = gain("PTC02", "w=590", 0.01, "lamp-drift")
    rough, fine = gain("PTC03", "w=590", 0.3), gain("PTC04", "w=590", 0.2)
    elsewhere = gain("PTC05", "w=800", 0.1)
    ordered = sorted(
        [doubtful, elsewhere, rough, own, fine], key=lambda c: preference(c[0], c[1], "PTC01", "w=590")
    )
    assert [test for test, _ in ordered] == ["PTC01", "PTC04", "PTC03", "PTC05", "PTC02"]


def test_setting_joins_the_fields_named() -> None:
    campaign = Campaign(root="/", id="x", title="x", data=DataSpec(setting=("wavelength", "mode")))  # type: ignore[arg-type]
    same = [frame(1, "flat", wavelength=800, mode="fwd"), frame(2, "flat", wavelength=800, mode="fwd")]
    assert setting_of(campaign, same) == "wavelength=800, mode=fwd"
    assert setting_of(campaign, [*same, frame(3, "flat", wavelength=590)]) == "wavelength=590|800, mode=fwd"


def test_a_result_is_another_when_anything_it_depends_on_is() -> None:
    detector = Detector(name="CCD1", geometry=single(rows=8, columns=8))
    wide = Detector(name="CCD1", geometry=single(rows=8, columns=9))
    own = known("bias")
    newer = dataclasses.replace(
        own.procedure, history=(*own.procedure.history, Version("2", "2020-01-02", "better"))
    )
    other_unit = dataclasses.replace(own.procedure, quantities=(Quantity("q", "q", "ADU", "d", "e"),))
    reworded = dataclasses.replace(own.procedure, title="another title", purpose="told differently")
    edited = dataclasses.replace(own.reference, source="abc")
    parts = {"roles": {"bias": ["x"]}, "parameters": {"sigma": 3.0}}
    base = result_id(own.reference, own.procedure, detector, parts)
    others = [
        result_id(own.reference, newer, detector, parts),
        result_id(own.reference, other_unit, detector, parts),
        result_id(own.reference, own.procedure, wide, parts),
        result_id(own.reference, own.procedure, detector, parts | {"roles": {"bias": ["y"]}}),
        result_id(own.reference, own.procedure, detector, parts | {"parameters": {"sigma": 4.0}}),
        result_id(edited, own.procedure, detector, parts),
    ]
    assert len({base, *others}) == 7
    assert base == result_id(own.reference, reworded, detector, dict(reversed(parts.items())))


def test_built_in_procedures_make_a_circle_only_where_linearity_asks_for_crosstalk() -> None:
    """With every step asked for that each offers: crosstalk's matrix may rest on what rests on the table of non-linearity."""
    held = {p.name: Known(p, Reference(p.name)) for p in builtin()}
    every = {n: {"corrections": " ".join(STEPS)} for n in held}
    (told,) = circles(held, every)
    assert {"crosstalk", "linearity"} <= set(told.what.partition(":")[0].split(", "))
    without = every | {"linearity": {"corrections": "offset rows bias defects"}}
    assert not list(circles(held, without)) and not list(circles(held, {}))
    # nor does crosstalk by default, which corrects nothing
    assert not list(circles(held, every | {"crosstalk": {}}))
