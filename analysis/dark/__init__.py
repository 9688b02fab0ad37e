"""Dark: the signal that grows without light, its distribution over pixels, and the pixels that glow."""

from __future__ import annotations

from analysis.contract import Inputs, Procedure, Results, Role, Version
from analysis.conversion import GAIN
from analysis.correction_steps import takes
from analysis.dark.declared import FIGURES, OFFERED, PARAMETERS, PRODUCTS, QUANTITIES

__all__ = ["PROCEDURE", "QUANTITIES", "measure"]


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.dark.measuring``."""
    from analysis.dark import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="dark",
    title="Dark",
    purpose="The signal that each channel gathers without light, how it is spread over pixels, and the pixels and "
    "columns that must be masked.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1", "2026-11-21",
            "The bias structure is the master that the bias procedure makes of the same frames, if sigma is the same: clipped by the noise of their differences, "
            "not by their whole scatter. Overscan levels are those of the frames' summaries. Levels, currents and quantiles move by small parts of their errors, "
            "glow_rows and glow_columns by up to 0.7 of theirs.",
        ),
        Version(
            "1.2", "2026-11-21",
            "dark_current_95 has the noise of the master taken out in quadrature: it was the quantile of rate plus noise, which depended on the read noise and the number of frames, and differed between "
            "channels that were alike by more than its error. It is lower by up to 1.6 times the master's noise, its error larger, and needs two frames. New: median and mean, warm pixels and columns, glow beside the amplifier, "
            "light leak against time, temperature law, a mask of the common bits, estimators single and stacked.",
        ),
        Version(
            "1.3", "2026-11-21",
            "glow_rows and glow_columns are from the means of rows and columns without outliers, not from their medians; of the middle every fourth stripe of 8 rows is compared with the corner for glow. "
            "Rates are spread over the steps of few whole numbers by their distribution function, not by random numbers: quantiles move by small parts of their errors.",
        ),
    ),
    roles=(
        Role("dark", ("dark",), 1, "exposures with the shutter closed, of one or several times"),
        Role("bias", ("bias",), 0, "bias frames at the same temperature: offset and structure", elsewhere=True),
    ),
    uses=(GAIN,),
    takes=takes(*OFFERED),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=PRODUCTS,
    acceptance=("The dark current is below its limit at the temperature of the test.", "No flag says negative, poor-fit or unstable."),
    caveats=("A step of correction was asked for, and what it takes is not there.", "A steady light leak is not told apart from dark current; one that changes with time is.",),
    algorithm="""\
Level of a frame: clipped mean of its image less the frame's overscan, else less the mean level of bias frames.

Dark current: with three or more different exposure times a weighted straight line with free intercept, so that a wrong offset does not
matter; else the level over time.

    D = Σ w (t − t̄) L / Σ w (t − t̄)²,  w = 1 / σ_L²;  else  D = ⟨L / t⟩ [ADU/s];  D [e⁻/s] = g D [ADU/s]
    L: level [ADU] with its error σ_L;  t: exposure time [s], t̄ its weighted mean;  g: gain [e⁻/ADU]

The error includes the offset's: pixel noise of the overscan, or the bias frames' scatter
(each dark frame's offset wanders as theirs do) and the error of their mean.

A value below zero by more than three errors is flagged negative; within three errors of zero it is consistent with it.

Master: exposures of at least half the longest time, bias structure taken off, as rates aligned to the dark current, clipped with
the expected noise (shot noise included).

Distribution: rates of the master are true rates and its noise. The 95 % quantile of the true ones is had as for normal distributions,

    D₉₅ = q_c + √((q₉₅ − q_c)² − (z σ_m)²);  z = Φ⁻¹(0.95 / (1 − h));  σ_m² = c² Σ σᵢ² / n² + σ_b²
    q₉₅: 95 % quantile of the master;  h: share of the pixels beyond 5 σ, which noise has not brought there;  q_c: median of the others;  σᵢ: noise of the rates of frame i from differences of frames;  c: what clipping adds to the noise of a mean of n values, from a simulation with a fixed seed;
    σ_b: noise of the master bias over the exposure time

exactly for normal distributions and where the tail is far wider than the noise. Where a gain is known, median and quantile are freed of the skewness that shot noise gives them (Cornish–Fisher, first term):
it is skewed itself, and larger where the rate is. Within three errors of no spread D₉₅ is flagged consistent-with-zero: no more is known than that.

Glow: mean of the corner eighth beside the readout node less that of the middle half, in the master, of cells of 8 × 8 pixels without their outliers. Light leak: within each exposure time the level over exposure time
against when it was taken; one slope, a level for each time. Temperature law: dark currents of the temperatures (half a degree apart or more) with

    D(T) = D₀ exp(−E_a / k T)
    k = 8.617e-5 eV/K;  in the form of Meyer and Neldel D₀ = D₀₀ exp(E_a / E_MN), E_MN = 0.0253 eV, of which the note tells D₀₀""",
    references=(
        "J. Janesick, Scientific Charge-Coupled Devices, SPIE Press 2001 (dark current).",
        "E. A. Cornish and R. A. Fisher, 1938, Revue de l'Institut International de Statistique 5, 307 (quantiles from cumulants).",
        "R. Widenhorn et al., 2002, Proc. SPIE 4669, 193 (temperature dependence of dark current, Meyer–Neldel rule).",
    ),
    comments=(
        "The temperature of the detector is not corrected for: compare tests of one temperature. Frames of several temperatures in one test tell the temperature law; their common dark current is flagged unstable.",
        "Corrected for non-linearity rates are per second of corrected ADU, which matters for hot pixels: each frame's pixels at their level above the offset. The temperature law is of levels as read: what low levels share cancels in it.",
        "A single frame of the longest time is enough for a master, but its cosmic rays count among the hot pixels.",
    ),
    measure=measure,
)  # fmt: skip
