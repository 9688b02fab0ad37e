"""Gates: whether a detector and its converter work at all as they should: edges, bits, codes, range, overscan, lost pixels."""

from __future__ import annotations

from analysis.contract import Inputs, Procedure, Results, Role, Version
from analysis.gates.declared import FIGURES, PARAMETERS, PRODUCTS, QUANTITIES

__all__ = ["PROCEDURE", "QUANTITIES", "measure"]


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.gates.measuring``."""
    from analysis.gates import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="gates",
    title="Gates",
    purpose="Whether a detector and its converter work as they should before anything is measured with them: torn edges, the end of the range, lost and "
    "shifted pixels, stuck bits, unequal codes, and overscans that are no reference.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1",
            "2026-11-21",
            "Columns' means at the edges leave out single pixels that stand out: a dead pixel in an outermost column counted as a tear.",
        ),
    ),
    roles=(
        Role("flat", ("flat",), 1, "flats of any level and colour, in the order they were taken"),
        Role("bias", ("bias",), 0, "bias frames: the overscan without light, and the offset where there is none", elsewhere=True),
    ),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=PRODUCTS,
    acceptance=(
        "No bit is stuck, no edge torn, no row, column or frame lost or shifted.",
        "The overscan of lit frames is level and not clamped.",
    ),
    caveats=("A bit or code that the light does not come to is not tested: the note tells which bits were.",),
    algorithm="""\
Edges: column means of the rows 10 to 210 from the readout without single pixels that stand out by five robust σ, less the offset, over the straight line through the columns 25 and more from the edges. The largest |deviation| in the outer two columns at either
edge is reported (divisadero). Torn is an edge whose ratio of the outermost column to the next differs between 7, 50 and 95 % of the rows.

Bits: in the sum of the exact histograms of all flats whose noise spreads over several codes. A bit with both states works. One with a single state is stuck if more than a thousand values lie in
the four codes on one side of a code at which it changes, and none in the four on the other; else it was not tested.

Codes: E is the smooth shape of the histogram, a polynomial of degree 4 through the codes within one noise of a frame of each (Savitzky–Golay); h₀ is its weight on the code itself.

    DNL(c) = (N − E) / E (1 − h₀) ± 1 / √(E (1 − h₀));  DNL² = ⟨((N − E)² / (1 − h₀) − E) / E²⟩
    N: counts of the code c;  E: counts expected

Range: a flat that piles up at its highest level by more than the tail of its noise allows is at the end of the converter's (or amplifier's) range.

Lost rows and columns: means below 5 % of the median level. Shifted frames: the fine structure of the means of rows and columns fits the median of all flats clearly better at another lag (by six over the root of their number).

Overscan: level against bias frames; straight line through its rows; values that pile up at one end.""",
    references=(
        "IEEE Standard 1241-2010 (differential non-linearity from code histograms).",
        "A. Savitzky and M. J. E. Golay, 1964, Analytical Chemistry 36, 1627.",
        "LSST DESC eotest, tearing and divisadero tasks (definitions of the edge ratios, cuts of 0.05).",
    ),
    comments=(
        "No step of correction is offered: codes, clamps and edges are looked for in what the converter said.",
        "It does not say whether the flats are good ones: the flat procedure does. Levels, lamps and colours may be mixed, the more the better for the converter.",
        "Differential non-linearity needs histograms that are smooth by themselves: flats with noise of 5 ADU or more, and some hundred counts a code.",
        "Saturation of the pixels themselves (full well) spreads over many codes and is told by photon transfer, not here.",
    ),
    measure=measure,
)  # fmt: skip
