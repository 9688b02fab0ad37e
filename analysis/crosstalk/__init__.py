"""Crosstalk: how much of one channel's signal appears in the others that are read at the same time."""

from __future__ import annotations

from analysis.contract import (
    FigureSpec,
    Inputs,
    PanelSpec,
    Parameter,
    Procedure,
    ProductSpec,
    Quantity,
    Results,
    Role,
    Version,
)
from analysis.correction_steps import corrections, takes

METHODS = ("masked ratio", "stamp fit")
"""Ways to a coefficient; the first is the default."""

_RATIO = "weighted slope of the victim's level on the aggressor's signal within small squares, pixels above the threshold against the local background; or the stamp fit"

QUANTITIES = (
    Quantity(
        "largest", "c_max", "", "Largest coefficient of crosstalk into this channel from any other: ADU here per ADU there",
        f"the largest significant coefficient, else the most significant one; each the {_RATIO}; error from pixel noise, widened to the scatter of squares where that is more",
    ),
    Quantity(
        "total", "Σc", "", "Sum of all coefficients into this channel: what the others add to it when all are lit alike",
        "sum of the coefficients measured; errors added in quadrature",
    ),
    Quantity(
        "significant", "N_c", "channels", "Channels whose crosstalk into this one is significant",
        "number of coefficients beyond so many errors as the parameter significance says; error from the number expected by chance", "health",
    ),
    Quantity(
        "flux_slope", "dc/dS", "1/ADU", "Change of the largest coefficient with the aggressor's signal",
        "second coefficient of a weighted fit of the victim's level to the signal and its square, local backgrounds projected out", "performance",
    ),
    Quantity(
        "noise_correlation", "ρ_max", "", "Largest correlation of this channel's read noise with that of another channel",
        "Pearson's correlation of overscan pixels read at the same time; error (1 − ρ²)/√n", "health",
        unplotted="one number of each pair of channels, in the table of the matrix",
    ),
)  # fmt: skip
"""What the crosstalk procedure measures, per channel."""


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.crosstalk.measuring``."""
    from analysis.crosstalk import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="crosstalk",
    title="Crosstalk",
    purpose="How much of a bright source in one channel appears in the channels read at the same time, of this detector and of others: whether images need it taken off.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version("1.1", "2026-11-21", "Where outliers of a square begin is settled by some hundred of its pixels: numbers move by hundredths of their errors. The stamp fit counts what reaches a channel by way of a third."),
    ),
    roles=(
        Role("light", ("flat", "point"), 1, "exposures with bright sources that do not cover everything: spots, stars, flats with structure, cosmic rays", every_detector=True),
        Role("bias", ("bias",), 0, "bias frames, where the corrections ask for their structure", elsewhere=True),
    ),
    takes=takes("dark", "flat", "defects"),
    parameters=(
        Parameter("method", METHODS[0], f"way to the coefficients: {', '.join(METHODS)}"),
        Parameter("threshold", 5000.0, "a pixel is a source from this level above its local background on", "ADU", 10.0),
        Parameter("side", 64, "side of the squares within which victim and background are compared", "pixels", 16, 256),
        Parameter("most_squares", 48, "squares of each channel and exposure that are looked at, those with the most bright pixels", "", 4, 100000),
        Parameter("significance", 5.0, "a coefficient is significant beyond so many of its errors", "σ", 2.0, 20.0),
        corrections(""),
    ),
    quantities=QUANTITIES,
    figures=(
        FigureSpec(
            "matrix", "Matrix of crosstalk", "Coefficient of each pair, a row for each channel that listens, a column for each that is bright; empty where nothing was "
            "measured. Look for pairs of neighbouring electronics.",
            (PanelSpec("Coefficient [10⁻⁶ ADU/ADU] of victim (rows, upwards) and aggressor (columns)."),),
            ("largest",),
        ),
        FigureSpec(
            "coefficients", "Coefficients with their errors", "Every coefficient with its error, by the channel that is bright, in the colour of the one that listens. Look for what stands out of zero, and for a channel that hears all others alike: then it is "
            "their common supply.",
            (PanelSpec("Coefficient [10⁻⁶ ADU/ADU] with errors, by the channel that is bright."),),
            ("largest", "total", "significant"),
        ),
        FigureSpec(
            "flux", "Largest coefficient against signal", "The largest coefficient into each channel by the signal of the aggressor. Look for a slope: then one number does not correct it.",
            (PanelSpec("Coefficient [10⁻⁶ ADU/ADU] with errors against the aggressor's signal above its background [ADU]."),),
            ("flux_slope",),
        ),
    ),
    products=(
        ProductSpec("matrix", "ecsv", "coefficient of each pair with its error, significance, slope with signal and the correlation of noise; NaN where it was not measured"),
    ),
    acceptance=("No coefficient is above its limit, or those that are do not depend on the signal, so that the correction takes them off.", "After the correction no coefficient is significant."),
    caveats=(),
    algorithm="""\\
Places are (row, serial) in the order of the readout: channels read at mirrored corners are turned, and prescans of different width shift lines against each other.
What is converted at the same moment has the same place.

Squares of side pixels in which another channel has a source are looked at, of very many those with the most bright pixels (chosen by the aggressor alone, which biases nothing). A source is above threshold over its local background (a plane); lit is
what stands out of noise at all.

Masked ratio: in each square the victim's level v, weighted by its noise σ there, is fitted by a plane and the aggressor's signal s, over the source's pixels and
those where no channel is lit. Pixels where a second channel, or the victim itself, is lit are left out; those more than 5 σ off are clipped.

    c = Σ (s_⊥ v_⊥ − n cov) / σ²  /  Σ s_⊥² / σ²;  σ_c = (Σ s_⊥² / σ²)^−1/2
    s_⊥, v_⊥: less the planes fitted to them;  cov: covariance of both channels' read noise, of n pixels

Where squares scatter by more than that (chance below 0.001) the error is widened to their scatter.
Change with signal: v = c s + c' s² in the same way.

Stamp fit: all pixels of a square, the wings of sources included, as a sum of all aggressors at once and a polynomial of second order. The read noise's covariances, from overscans,
are taken off both sides of the normal equations, and enter the error:

    σ² = σ_v² + c² σ_a² − 2 c cov

What reaches a victim v by way of a third channel k is in the record of k, to which the fit leaves it; it is added, as the masked ratio sees it: c_va + Σ_k c_vk c_ka.""",
    references=(
        "mixcoatl, test library of the LSST camera (coefficients by fits of a model to stamps).",
        "A. A. Plazas Malagón et al., 2024, arXiv:2404.14516, and cp_pipe of the LSST pipelines, measureCrosstalk (ratios of pixels above a threshold).",
        "W. A. Fuller, Measurement Error Models, Wiley 1987, section 1.2 (what noise in common does to a slope).",
    ),
    comments=(
        "Crosstalk is that of levels as read, so that it is taken off before they are made linear: the step nonlinearity makes no sense here.",
        "A coefficient is that of signals as they were recorded; what a channel hears of itself cannot be told.",
        "Sources that are lit in several channels at the same place of the readout are told apart by the stamp fit alone, and only if they differ.",
        "Saturated pixels of an aggressor are left out, because their signal is not known; the edges of saturated blobs count.",
        "Optical ghosts that fall on the mirrored place look like crosstalk.",
        "Of another detector only frames of the same exposure count: what is not read at the same time is not compared.",
    ),
    measure=measure,
)  # fmt: skip
