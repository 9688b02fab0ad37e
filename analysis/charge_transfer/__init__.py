"""Charge transfer: what registers leave behind, and what electronics remember, from what is read after flats."""

from __future__ import annotations

from analysis.charge_transfer.quantities import QUANTITIES
from analysis.contract import (
    FigureSpec,
    Inputs,
    PanelSpec,
    Parameter,
    Procedure,
    ProductSpec,
    Results,
    Role,
    Version,
)
from analysis.correction_steps import corrections, takes

STEPS = ("nonlinearity",)
"""Steps of correction that are offered: what takes other frames or neighbours has no place behind the image."""


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.charge_transfer.measuring``."""
    from analysis.charge_transfer import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="charge_transfer",
    title="Charge transfer",
    purpose="How much charge is left behind when packets are moved along columns and rows, how that depends on their size, and what the electronics add to it.",
    history=(Version("1.0", "2026-11-21", "First version."),),
    roles=(
        Role("flat", ("flat",), 1, "flats, of several levels where CTI against the signal is wanted"),
        Role("bias", ("bias",), 0, "bias frames: the structure that overscans have without light", elsewhere=True),
    ),
    takes=takes(*STEPS),
    parameters=(
        Parameter("estimator", "eper", "of the CTI that is reported: eper (charge behind the image), first-pixel (charge missing from the first columns: serial, with a prescan), trap-model (fit)"),
        Parameter("pixels", 2, "pixels after (before) the edge whose charge is summed", "", 1, 20),
        Parameter("reference_level", 0.0, "level above the offset nearest to which CTI is reported; 0: half of the range", "ADU", 0.0),
        Parameter("level_settings", False, "whether CTI of each exposure time is also reported, as a setting of its own"),
        Parameter("more_serial", 0, "serial transfers that no pixel of the file shows", "", 0),
        Parameter("more_parallel", 0, "parallel transfers that no pixel of the file shows", "", 0),
        Parameter("bias_structure", "auto", "whether what bias frames show in the same pixels is taken off: always, never, or auto: where it exceeds noise"),
        Parameter("clip", 6.0, "clipping of lines that particles or defects disturb; at 6 σ it costs no normal noise", "σ", 4.0, 20.0),
        Parameter("rise", 0.2, "fraction by which CTI above a turnoff exceeds that below", "", 0.0),
        corrections("", *STEPS),
    ),
    quantities=QUANTITIES,
    figures=(
        FigureSpec(
            "serial_profiles", "Overscan columns after flats",
            "Mean overscan columns above the offset, over the last image column, by level. Charge deferred by all transfers alike stands in the first "
            "column at every level; what decays over a few columns at every level is the electronics'; what decays at low levels only is traps'. Columns that do not exceed the offset by their error are not shown.",
            (PanelSpec("Overscan columns over the last image column, logarithmic, against the number of the column; some levels of many.", "channel and setting"),),
            ("serial_cti", "local_decay", "trap_release"),
        ),
        FigureSpec(
            "parallel_profiles", "Parallel overscan rows after flats",
            "The same for rows read after the image. Slow release from traps makes a tail.",
            (PanelSpec("Overscan rows over the last image row, logarithmic, against the number of the row; some levels of many.", "channel and setting"),),
            ("parallel_cti",),
        ),
        FigureSpec(
            "cti_by_level", "CTI against level",
            "CTI by edge response at each level, with errors. A rise to low levels is traps' or spurious charge; a rise to high levels is the turnoff.",
            (
                PanelSpec("Serial CTI [10⁻⁶] against the level of the last image column [ADU]."),
                PanelSpec("Parallel CTI [10⁻⁶] against the level of the last image row [ADU]."),
            ),
            ("serial_cti", "parallel_cti", "serial_turnoff", "reference_signal"),
        ),
        FigureSpec(
            "deferred_charge", "Deferred charge against level",
            "Charge in the first pixels after the image, with the fit. A straight line of slope one is CTI and electronics; a step that levels off is a trap of that size. Charge that does not exceed its error is not shown.",
            (
                PanelSpec("Charge in the first overscan columns [ADU] against the level of the last image column [ADU], both logarithmic."),
                PanelSpec("Charge in the first overscan rows [ADU] against the level of the last image row [ADU], both logarithmic."),
            ),
            ("serial_deferred", "parallel_deferred", "local_offset", "trap_size"),
        ),
        FigureSpec(
            "edge_response", "Hard-edge response",
            "Overscan columns over the last image column near half range. The first point is the hard-edge response; a dip below zero is undershoot of the electronics.",
            (PanelSpec("Overscan columns above the offset over the last image column, against the number of the column."),),
            ("hard_edge_response",),
        ),
    ),
    products=(
        ProductSpec("profiles", "ecsv", "the pixels after the image of each level and direction, above the offset, with errors"),
        ProductSpec("levels", "ecsv", "CTI and deferred charge of each level and direction"),
    ),
    acceptance=(
        "Serial and parallel CTI at the reference level are below their limits.",
        "The hard-edge response is within its limits (Euclid VIS: 1.5e-3 either way), and no flag says poor-fit, clamped or unstable.",
    ),
    caveats=("A step of correction was asked for, and what it takes is not there.", "Where much of what is found behind the image decays as the electronics' offset does, the CTI by edge response holds it too.",),
    algorithm="""\
The last image pixel of each line (row for serial, column for parallel) and the pixels read after it are averaged over the flats of a level, then over
lines. Lines with saturated, lost or struck pixels are left out: those where a pixel, less its share of the line's light, lies beyond the clip. The covariance of the means
comes from blocks of neighbouring lines of the averaged frame; all errors follow from it, so that what the pixels of a line share (drift from row to row, the
offset's error) counts at its weight. Frames that differ by more than this make the error that of their scatter; late pixels that differ by more than noise add their scatter.

The offset is the mean of the later half of the pixels after the image. Where those that follow the summed ones stand out by four errors, an exponential with an offset is fitted to all but the summed ones instead.

    CTI ≈ Σ (O − b) / (N (L − b)), first k pixels;  exactly Σ P(X ≥ i) = Σ (O − b) / (L − b), i = 1 … k, X Poisson with mean N CTI (and L lacks a fraction CTI)
    N = image columns + all elements of the register before them (serial);  N = image rows (parallel)
    O: pixels after the image, L: last image pixel, b: offset [ADU];  k: pixels summed;  N: transfers of the last image pixel

First-pixel response: the first image columns after the prescan lack what they left behind, and receive less than they leave. A straight line through the columns that follow says
what they should hold; these have lost a fraction CTI themselves, so that the columns' number does not enter.

    CTI = Σ (E − F) / (p E₁), first k columns
    F: first image columns, E: their expected level, both above the prescan [ADU];  p: elements of the register before the image

Trap model: the pixels after the image at all levels together, each level with a free offset.

    O − b = S P(X ≥ i) + A S exp(−i/τ) + min(f S, w) (exp(1/τ_T) − 1) exp(−i/τ_T)
    S: signal [ADU];  A, τ: offset of the electronics and its decay;  f, w, τ_T: share that traps capture, their size [ADU], their release

The decay is fitted where the offset exceeds four errors, a trap from four levels on where χ² falls by 30. The hard-edge response is the first overscan column over the last image column at the level nearest half range.""",
    references=(
        "J. Janesick, Scientific Charge-Coupled Devices, SPIE Press 2001, chapter 5 (extended pixel edge and first-pixel response).",
        "A. Snyder et al., 2021, J. Astron. Telesc. Instrum. Syst. 7, 048002 (offset of the electronics, CTI and traps).",
    ),
    comments=(
        "Of the steps of correction non-linearity alone is offered: a converter that is not linear moves the ratio of deferred charge to the last image pixel by the deviation between their levels, and the step corrects the means of both. What is read after the image and the last image pixel share their lines, hence the offset of each row; "
        "channels that are lit alike hear of each other in the image and after it alike; and no flat divides charge that is moved, whatever the response that gathered it.",
        "Charge released later than the pixels after the image are read is not seen by edge response: CTI by slow traps comes out low.",
        "First-pixel response is had of the serial direction alone, and only with a prescan: no geometry tells of dark rows that are read before the image, so that parallel CTI has no value with this estimator.",
        "First-pixel response has few transfers (the prescan's) and rests on an even response of the first columns: pixels at the image's edge that are larger or smaller move it.",
        "Slow drift of the offset over the parallel overscan is told from charge by the scatter of its late rows only.",
        "A trap whose size is beyond all levels cannot be told from an offset of the electronics of the same decay.",
    ),
    measure=measure,
)  # fmt: skip
