"""Flat: the response of pixels to uniform light, and how steady that light was."""

from __future__ import annotations

from analysis.contract import Inputs, Procedure, ProductSpec, Results, Role, Version
from analysis.correction_steps import OF_MASTER, takes
from analysis.flat.declared import FIGURES, PARAMETERS, QUANTITIES

__all__ = ["PROCEDURE", "QUANTITIES", "measure"]


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.flat.measuring``."""
    from analysis.flat import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="flat",
    title="Flat field",
    purpose="The master flat of each channel, how unequal its pixels respond, which of them are dead, and how steady and even the light was.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1", "2026-11-21",
            "The smooth shape follows the means of cells without outliers instead of their medians, which are noisier; the error of the "
            "non-uniformity includes the pixels' pattern; overscan levels are those of the frames' summaries.",
        ),
        Version(
            "1.2", "2026-11-21",
            "The response is over a spline through the means of cells of 25 pixels, which follows dust and steps of the illumination, instead of a polynomial (estimator polynomial, the numbers of before): PRNU is lower by "
            "what there is of coarser structure, and agrees within its error where there is none. The error of the level counts that of overscans once, not twice. New: ratio to a reference, gradients, dust, drift of the lamp, S/N of a single flat, PRNU against level and wavelength.",
        ),
        Version(
            "1.3", "2026-11-21",
            "Pattern, noise and dust are told in fewer passes over the pixels: outliers beyond 6 σ of either half are left out of the response's variance and those beyond 5 σ of the halves' difference of its noise, both σ of a sample of pixels; "
            "signal_to_noise and non_uniformity move by small parts of their errors. prnu is over the mean response, which a spline under bowed light makes 1.0005: it was larger by a fifth of its error. Dust spots that touch at a corner are one. Flicker is looked for in the means of rows and columns that were kept of each frame, and in the pixels where those scatter. "
            "The mask has the bits of all other masks (dark, bright, no-value) instead of 1, 2 and 4. Profiles show means without dark and bright pixels, not medians.",
        ),
    ),
    roles=(
        Role("flat", ("flat",), 2, "flats, compared within one wavelength and exposure time, in the order they were taken"),
        Role("bias", ("bias",), 0, "bias frames, for the offset where there is no overscan", elsewhere=True),
    ),
    takes=takes(*OF_MASTER, but="flat"),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=(
        ProductSpec("master_flat", "fits", "mean of the flats over their mean level, illumination included"),
        ProductSpec("defects", "fits", "mask of pixels, int32, with the bits of all masks: dark, bright, no-value"),
    ),
    acceptance=(
        "The level is what was planned, the PRNU within its limit.",
        "No flag says that the lamp drifted or flickered, or that the converter clamped.",
    ),
    caveats=(
        "A step of correction was asked for, and what it takes is not there.",
        "Dust and other structure finer than the cells of the spline counts as PRNU.",
        "PRNU falls as the level rises, where charge that a pixel has collected drives its borders in (brighter-fatter effect): "
        "by the fraction |a₀₀| Q / 2 to first order, with a₀₀ [1/e⁻] of the brighter-fatter procedure and the charge Q [e⁻]. Compare it at equal levels.",
    ),
    algorithm="""\
Offsets are from the overscan, else from bias frames. Each flat is compared with the mean of the others, at equal level: rows or columns that scatter by more
than pixel noise mean that the light flickered. Such flats, and clamped or saturated ones, are left out of the master; the flags stand beside the results.

Flats are brought to their mean level and stacked in two halves, odd and even, with 5 σ clipping. The illumination is a bicubic spline through the means of cells of 25 × 25 pixels,
each without what lies beyond 5 robust σ of its median (estimator polynomial: a 2-D polynomial through the means of about 40 × 40 cells; reference: the polynomial of the ratio to another setting's master, half by half). Non-uniformity,
gradients and dust are always told from the polynomial.
What the halves have in common about it is the pixels' response, what they have not is noise; so the PRNU is free of photon noise without
knowing the gain. Its square may come out below zero when there is none.

    PRNU² = cov(m₁ / s, m₂ / s) / ⟨m₁ / s⟩ ⟨m₂ / s⟩ (1 − (2 tr S − tr SᵀS) / N)
    m₁, m₂: masters of the odd and the even flats, at the mean level;  s: smooth shape of the whole master;  S: the linear smoother that the spline is, which takes part of independent pixels' variance;  N: pixels

Dust: regions in which the mean of 5 × 5 pixels of the master over the polynomial lies low, wider and higher than a column. The spline follows much of it: what counts as response is finer than its cells.""",
    references=(
        "J. Janesick, Photon Transfer, SPIE Press 2007, chapter 3 (fixed pattern noise).",
        "EMVA Standard 1288, release 4.0 (photo-response non-uniformity).",
        "T. Hastie and R. Tibshirani, Generalized Additive Models, Chapman and Hall 1990, section 3.5 (degrees of freedom of linear smoothers).",
    ),
    comments=(
        "Each wavelength and exposure time is a setting with numbers of its own; only the figure of the master is of the first alone.",
        "Corrected for non-linearity the master is that of corrected frames: where the response sags it is too even, contrast by contrast, by the slope of the curve. Frames that the chain divides by it should be corrected alike. "
        "Without the step dark the dark signal counts as light, which it is not: response and PRNU are told over both, and come out low by its share (0.1 % where it is a thousandth of the light). "
        "With the step defects known bad pixels have no value in the master, and count among neither dark nor bright ones.",
        "Nothing is told of the colour of the light: flats of different lamps under one setting are compared as if they were alike.",
    ),
    measure=measure,
)  # fmt: skip
