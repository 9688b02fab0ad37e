"""Bias: the offset without light, its noise and its structure.

Levels come from the frames' summaries and overscans, the read noise from differences of consecutive frames (so that
nothing that two frames have in common, structure or slow drift, counts as noise), the structure from two
independent half masters.
"""

from __future__ import annotations

from analysis.bias.declared import FIGURES, PARAMETERS, PRODUCTS, QUANTITIES
from analysis.contract import Inputs, Procedure, Results, Role, Version
from analysis.conversion import GAIN

__all__ = ["PROCEDURE", "QUANTITIES", "measure"]


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.bias.measuring``."""
    from analysis.bias import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="bias",
    title="Bias",
    purpose="The offset of each channel without light, how steady it is, the noise of reading a pixel, and the "
    "structure that a bias frame leaves in every image.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1",
            "2026-11-21",
            "The master is the mean of the two half masters, weighted pixel by pixel, instead of a third stack; stacks are clipped by the noise "
            "that a few bands of rows tell. The smooth shape follows the means of cells without outliers: their medians followed the steps of the "
            "converter, alike in both halves, which counted as structure of some hundredths of an ADU.",
        ),
        Version(
            "1.2",
            "2026-11-21",
            "New: level of the prescan, correlation of the channels' noise, bias jumps, pattern noise, profiles as a product, and two more estimators of the read noise. "
            "What was measured before keeps its numbers.",
        ),
        Version(
            "1.3",
            "2026-11-21",
            "Gradients are from the means of rows and columns without outliers, not from their medians, which followed the steps of the converter; their errors are smaller. "
            "Of many rows some 4096 tell the spectrum. Where outliers begin is settled by fewer pixels: structure, correlation and profiles move by small parts of their errors.",
        ),
    ),
    roles=(Role("bias", ("bias",), 3, "frames of zero exposure, in the order they were taken"),),
    uses=(GAIN,),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=PRODUCTS,
    acceptance=(
        "The offset lies in the window of its channel, and so does the read noise.",
        "No flag says clamped or unstable.",
    ),
    caveats=("Values that pile up at one level make offset and noise wrong by an unknown amount.",),
    algorithm="""\
Level of a frame: clipped mean of the image; clip bias corrected as for a normal distribution. Its error is that of pixel noise
unless the frames scatter by more, in which case the scatter counts.

Read noise: half the variance of the clipped difference of each frame with the one before, averaged over pairs. Rounding by the
converter adds 1/12 ADU², which is taken off (unless remove_rounding is off, or the noise is below half an ADU).

    σ² = ½ ⟨var(Fᵢ − Fᵢ₋₁)⟩ − 1/12
    σ: read noise [ADU], times g in electrons;  F: frames [ADU];  g: gain [e⁻/ADU]

Structure: frames are split into odd and even ones and each half is stacked. What the two masters have in common about their smooth
shapes is structure, what they have not is noise; the covariance is split into columns, rows and single pixels.

    structure² = cov(m₁ − s₁, m₂ − s₂) = columns² + rows² + pixels²
    m₁, m₂: masters of the odd and the even frames [ADU];  s₁, s₂: their smooth shapes, 2-D polynomials

Smooth shapes are fitted to the means of about 40 × 40 cells, each without what lies beyond 5 robust σ of its median.
The master is the mean of m₁ and m₂, each pixel weighted with the number of its values.

Gradients keep the sign of reading: positive when the level grows away from the readout node.

Correlation of channels: pixels of equal place in the order of reading were sampled together. In differences of two frames, each over its own noise,

    ρ = Σ d₁ d₂ / √(Σ d₁² Σ d₂²), of what lies within 5 σ
    d₁, d₂: differences of two frames in two channels

with its error from the jackknife over 16 bands of rows of each pair. Of several channels the largest |ρ| is reported, which noise alone makes differ from zero: the
note states the chance that independent channels show as much.

Bias jumps: of the means of rows (overscan, else image) the median of all frames is taken off; the mean of the 30 rows from each row on less that of the 30 rows before it is
compared with its own robust scatter. The size is measured against the mean of the frames without jumps, three rows on either side left out, since they settled where
the jump is. What all frames have in common is searched alike, against the slope around.

Pattern noise: some 4096 rows, spread evenly over the frames, less the mean of their columns over all frames and less their own mean, with a Hann window, are transformed; powers are averaged over rows. A peak is
significant above the level that white noise exceeds with the chance false_alarm at any of the K frequencies.

    A² = (4 / N) Σ (P / Σw² − b),  over 3 bins on either side;  b (x − 1): level, x from the χ² distribution with 2 M degrees of freedom, 1 − (1 − p)^(1/K)
    A: amplitude of the sine [ADU];  P: mean power;  w: window;  b: background, running median of 49 bins;  N: columns;  M: rows""",
    references=(
        "J. Janesick, Photon Transfer, SPIE Press 2007, chapters 3 and 11 (noise sources, read noise).",
        "A. C. Cohen, 1950, Ann. Math. Stat. 21, 557 (normal distribution from a truncated sample).",
        "EMVA Standard 1288, release 4.0 (quantisation noise 1/12).",
        "F. J. Harris, 1978, Proc. IEEE 66, 51 (windows).",
        "J. D. Scargle, 1982, ApJ 263, 835, section III (false-alarm level of a spectrum's highest peak).",
        "B. Efron and C. Stein, 1981, Ann. Stat. 9, 586 (jackknife).",
    ),
    comments=(
        "No step of correction is offered: without light there is nothing that one would change.",
        "Three frames are enough for every number; with fewer than five the flag few-frames says that errors rest on little.",
        "Noise that two consecutive frames share (pick-up locked to the read-out) is structure here, not read noise.",
        "Periods that have the same phase in every row and frame are column structure; in the spectrum are those whose phase changes from row to row or frame to frame.",
        "Clipped and model read noise contain the fixed pattern: they are offered for comparison with other teams' numbers, not as the better ones.",
    ),
    measure=measure,
)
