"""Each case of known truth, with few realisations: values and uncertainties are right within what so few can show.

The published figures, from many: ``make truth``.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.truth.case import Case, Found, Pulls, run
from bench.truth.cases import cases


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_values_and_uncertainties_are_right(case: Case) -> None:
    assert run(case, case.quick).faults(errors=4.0) == []


def drawn(bias: float, scatter: float, n: int = 4000, **wanted: object) -> Pulls:
    """Pulls of a procedure that is off by ``bias`` σ and understates its uncertainty by ``scatter``."""
    rng = np.random.default_rng(7)
    case = Case("p", "q", "made up", lambda seed: (), **wanted)  # type: ignore[arg-type]
    return Pulls(case, tuple(Found(10.0 + float(x), 1.0, 10.0) for x in rng.normal(bias, scatter, n)))


def test_what_is_right_has_no_faults_and_what_is_not_has() -> None:
    assert drawn(0.0, 1.0, pull=0.1).faults() == []
    assert drawn(0.3, 1.0, pull=0.1).faults()[0].startswith("mean pull +0.2")
    assert drawn(0.3, 1.0, relative=0.01).faults()[0].startswith("relative bias +0.02")
    assert drawn(0.3, 1.0, relative=0.01, pull=0.5, any_of=True).faults() == []
    assert drawn(0.0, 1.3, pull=0.1).faults()[0].startswith("scatter of the pulls 1.")
    assert drawn(0.0, 0.7, pull=0.1).faults()[0].startswith("scatter of the pulls 0.")


def test_few_realisations_show_no_more_than_their_errors_allow() -> None:
    few = drawn(0.3, 1.0, n=30, pull=0.1)
    assert few.faults(errors=4.0) == []
    assert drawn(2.0, 1.0, n=30, pull=0.1).faults(errors=4.0) != []
