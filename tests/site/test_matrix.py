"""What a compliance matrix says once instead of in every cell: shared settings, shared flags, caveats of the whole page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_fixture import make_report

from builder.render.environment import quantity_words, symbol
from builder.render.matrix import Matrix, MatrixCell, MatrixGroup, MatrixRow, stated_once
from builder.render.matrix import matrix as laid_out
from builder.report import Judged, Outcome, Verdict
from campaign.model import Caveat, Limit

OUTCOME: Outcome = next(o for o in make_report().outcomes() if len(o.measurements) > 3)
QUANTITY = OUTCOME.procedure.quantities[0]


def row(setting: str, *flags: tuple[str, ...]) -> MatrixRow:
    first = OUTCOME.measurements[0]
    cells = tuple(
        MatrixCell(replace(first, measurement=replace(first.measurement, flags=f)), None) for f in flags
    )
    return MatrixRow((("CCD1", "detectors/CCD1.html"),), OUTCOME, setting, cells)


def matrix(*rows: MatrixRow) -> Matrix:
    return Matrix(OUTCOME.procedure, ("E", "F"), (MatrixGroup(QUANTITY, (), rows),))


@pytest.mark.parametrize(
    ("settings", "shared", "own"),
    [
        (["wavelength=800, exptime=1", "wavelength=800, exptime=2"], "wavelength=800", ["exptime=1", "exptime=2"]),
        (["600 nm", "600 nm"], "600 nm", ["", ""]),
        (["a=1", "a=2"], "", ["a=1", "a=2"]),
        (["", "a=1"], "", ["", "a=1"]),
    ],
)  # fmt: skip
def test_settings_are_split_into_shared_and_own(settings: list[str], shared: str, own: list[str]) -> None:
    rows = [row(s, ()) for s in settings]
    held = matrix(*rows)
    assert held.setting == shared
    assert [held.own_setting(r) for r in rows] == own


def test_only_flags_of_all_numbers_head_the_row() -> None:
    assert row("", ("drift", "few-frames"), ("drift",)).flags == ("drift",)
    assert row("", ("drift",), ()).flags == ()
    assert row("", ("drift",)).flags == ()  # one number carries its own


def test_only_informing_caveats_of_every_number_are_said_once() -> None:
    everywhere = Caveat(id="all", text="simulated", severity="info")
    serious = Caveat(id="serious", text="lamp", severity="minor")
    somewhere = Caveat(id="some", text="one channel", severity="info")

    def with_caveats(held: Judged, n: int) -> Judged:
        return replace(held, caveats=(everywhere, serious, *([somewhere] if n == 0 else [])))

    outcome = replace(
        OUTCOME, measurements=tuple(with_caveats(j, n) for n, j in enumerate(OUTCOME.measurements))
    )
    assert stated_once([outcome], [everywhere, serious, somewhere]) == {"all"}
    assert stated_once([outcome], [serious]) == frozenset()


def test_names_and_symbols_read_as_people_write_them() -> None:
    assert quantity_words("read_noise_adu") == "read noise ADU"
    assert quantity_words("fit_chi2") == "fit χ²"
    assert symbol("σ_R") == "σ<sub>R</sub>"
    assert symbol("<b>_<i>") == "&lt;b&gt;<sub>&lt;i&gt;</sub>"
    assert symbol("g") == "g"


def test_a_block_unfolds_what_a_limit_judges_or_needs_a_look() -> None:
    """Quantities without limits are folded until one of their numbers warns; a stopped outcome is never folded away."""

    def group(verdict: Verdict, n: int, stopped: bool = False) -> MatrixGroup:
        held = row("", ()) if not stopped else replace(row(""), cells=())
        cells = tuple(replace(c, judged=replace(c.judged, verdict=verdict)) for c in held.cells if c)
        return MatrixGroup(replace(QUANTITY, name=f"q{n}"), (), (replace(held, cells=cells),))

    quiet, loud = group(Verdict.NOT_EVALUATED, 1), group(Verdict.WARN, 2)
    held = Matrix(OUTCOME.procedure, ("E",), (quiet, loud))
    assert (held.unfolded, held.folded) == ((loud,), (quiet,))
    limited = replace(quiet, limits=(Limit(id="L", quantity="q1"),))
    assert replace(held, groups=(limited, loud)).folded == ()
    judged = replace(loud, limits=limited.limits)
    again = replace(loud, quantity=quiet.quantity)
    assert replace(held, groups=(judged, again)).folded == (again,)  # the same result warns above already
    assert replace(held, groups=(quiet,)).unfolded == ()
    stopped = group(Verdict.ERROR, 3, stopped=True)
    assert replace(held, groups=(stopped, quiet)).unfolded == (stopped,)


def test_a_quantity_without_any_number_says_why_where_all_share_the_reason() -> None:
    def without(*reasons: str | None) -> MatrixGroup:
        first = OUTCOME.measurements[0]
        cells = tuple(
            MatrixCell(replace(first, measurement=replace(first.measurement, reason=r)), None)
            for r in reasons
        )
        return MatrixGroup(QUANTITY, (), (MatrixRow((("CCD1", ""),), OUTCOME, "", cells),))

    assert without("not-reached", "not-reached").absent == "not-reached"
    assert without("not-reached", None).absent == ""
    assert without("not-reached", "saturated").absent == ""
    assert without(None, None).absent == ""


def test_numbers_are_aligned_under_each_other_not_with_their_neighbours() -> None:
    values = {"E": (1.234, 5.6), "F": (0.5, 12.25)}
    channels = ("E", "F")
    quantity = replace(QUANTITY, name="q", per="channel")
    procedure = replace(OUTCOME.procedure, quantities=(quantity,))

    def outcome(n: int) -> Outcome:
        first = OUTCOME.measurements[0]
        held = tuple(
            replace(
                first,
                id=f"{n}.{c}",
                measurement=replace(
                    first.measurement, quantity="q", channel=c, value=values[c][n], uncertainty=None
                ),
            )
            for c in channels
        )
        return replace(OUTCOME, procedure=procedure, measurements=held)

    def shown(*numbers: int) -> list[list[str]]:
        made = laid_out(
            make_report().campaign, procedure, [outcome(n) for n in numbers], lambda _: (("", ""),)
        )
        return [[c.shown.value for c in row.cells if c and c.shown] for row in made.groups[0].rows]

    alone = shown(0)
    assert "\u2007" not in "".join(alone[0])
    both = shown(0, 1)
    for one, other in zip(*both, strict=True):
        assert len(one.partition(".")[2]) == len(other.partition(".")[2])
