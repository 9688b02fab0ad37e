"""What the gates procedure declares: quantities, figures, products and parameters."""

from __future__ import annotations

from analysis.contract import FigureSpec, PanelSpec, Parameter, ProductSpec, Quantity

QUANTITIES = (
    Quantity(
        "tearing", "δ_edge", "%", "Largest deviation of the two outermost columns at either edge from the straight line through the columns within (divisadero)",
        "column means of rows 10 to 210 from the readout, over the line through the columns 25 and more from the edges, mean of the unsaturated flats; error from the scatter of those columns",
        "health",
    ),
    Quantity(
        "torn_edges", "N_torn", "edges", "Edges at which the outermost column over the next changes along the columns, as where tearing begins",
        "ratio of the outer two columns at 7, 50 and 95 % of the rows: range beyond tear_cut and five of its error", "health",
    ),
    Quantity(
        "saturation_level", "S_max", "ADU", "Level at which lit values pile up: the end of the converter or its amplifier",
        "median over the flats that pile up at their highest level; error that of one code, 1/√12 ADU", "health",
    ),
    Quantity(
        "lost_rows", "N_row", "rows", "Rows without light or without a number in one flat at least", "means of rows below 5 % of their median above the offset", "health",
        unplotted="a count, of which rows the log tells",
    ),
    Quantity(
        "lost_columns", "N_col", "columns", "Columns without light or without a number in one flat at least", "means of columns below 5 % of their median above the offset", "health",
        unplotted="a count; the master flat shows which",
    ),
    Quantity(
        "lost_pixels", "N_lost", "pixels", "Pixels that read zero or no number, of all flats", "count in all flats", "health",
        unplotted="a count; the exposure table has it frame by frame",
    ),
    Quantity(
        "shifted_frames", "N_shift", "frames", "Flats whose rows or columns are displaced against the others", "correlation of the fine structure of rows' and columns' means at lags up to three pixels", "health",
        unplotted="a count of frames",
    ),
    Quantity(
        "stuck_bits", "N_bit", "bits", "Bits of the converter that never change though the light makes them", "bits alike in all values where the histogram breaks off at a code at which they change", "health",
    ),
    Quantity(
        "dnl", "DNL", "%", "Differential non-linearity: rms excess of the codes' widths",
        "mean square of the histogram over its smooth shape, codes of dnl_counts or more, Poisson noise taken out; error by jackknife over 32 blocks of codes", "health",
    ),
    Quantity(
        "dnl_largest", "DNL_max", "%", "Excess of the width of the code that differs most", "the histogram over its smooth shape, of codes of dnl_counts or more; error that of its counts", "health",
    ),
    Quantity(
        "overscan_change", "ΔB_over", "ADU", "Level of the overscan of flats less that of bias frames", "means over frames of the clipped means of the trimmed overscans; error from pixel noise, or the frames' scatter where that is larger",
        "health", unplotted="one number of two levels; the table of frames of the bias procedure has them",
    ),
    Quantity(
        "overscan_slope", "ΔB_rows", "ADU", "Change of the overscan's level from its first row read to its last, in flats",
        "straight line through its rows' means, averaged over flats; error from their scatter about it", "health",
    ),
    Quantity(
        "overscan_pile", "f_pile", "%", "Share of the overscan's pixels at its lowest or highest level, of the worst flat", "exact histogram of the trimmed overscan; flagged clamped when more than noise puts there", "health",
        unplotted="a share of pixels; where it counts a flag says so",
    ),
)  # fmt: skip
"""What the gates procedure measures, per channel."""

FIGURES = (
    FigureSpec(
        "bits", "Bits of the converter", "Share of all values of the flats in which each bit is set. A bit at 0 or 1 that the light should have changed is stuck; a low bit away from a half prefers a state.",
        (PanelSpec("Share of values with the bit set, against the bit (0 is the lowest)."),),
        ("stuck_bits",),
    ),
    FigureSpec(
        "dnl", "Differential non-linearity", "Excess of the width of each code, from the histogram of all flats over its smooth shape, with the counts' error; the most frequent codes. Look for codes that stand out, "
        "and for a pattern that repeats with a power of two.",
        (PanelSpec("Excess of the width of each code [%] against the code [ADU].", "channel"),),
        ("dnl", "dnl_largest"),
    ),
    FigureSpec(
        "edges", "Outer columns", "Columns beside the two edges over the straight line through the columns within, in the band of rows beside the readout. Tearing shows as a deficit and an excess in the outermost two.",
        (
            PanelSpec("Deviation [%] of the first columns read against the column, from zero."),
            PanelSpec("Deviation [%] of the last columns read against the column, counted back from the last."),
        ),
        ("tearing", "torn_edges"),
    ),
    FigureSpec(
        "overscan", "Overscan of lit frames", "Mean of each row of the overscan over the flats, less that of all. It should be level: a ramp follows the light that was read, a step is a jump of the offset.",
        (PanelSpec("Overscan's row less the mean of all [ADU] against the row, in order of reading; of more than two hundred the means of neighbours.", "channel"),),
        ("overscan_slope",),
    ),
    FigureSpec(
        "range", "Levels reached", "Highest value of each flat against its median. Where they run into a plateau the converter ends, or the amplifier does.",
        (PanelSpec("Highest value of each flat [ADU] against its median [ADU]; lines are the saturation levels found."),),
        ("saturation_level",),
    ),
)  # fmt: skip
"""What the gates procedure draws."""

PRODUCTS = (
    ProductSpec("bits", "ecsv", "share of values with each bit set, and whether it is stuck"),
    ProductSpec("dnl", "ecsv", "excess of the width of each code of enough counts, with its error"),
)
"""What the gates procedure hands on."""

PARAMETERS = (
    Parameter("tear_cut", 0.05, "change of the ratio of the outer two columns along the columns that counts as torn", "", 0.0, 1.0),
    Parameter("edge_frames", 10, "flats at most that tell the edges", "", 1, 1000),
    Parameter("dnl_counts", 400.0, "counts that a code must have to be judged", "", 25.0),
    Parameter("pile_fraction", 0.001, "fraction of pixels at the upper end from which a flat is saturated there", "", 0.0, 1.0),
)  # fmt: skip
"""What a campaign may set."""
