"""Persistence: what an exposure that saturated leaves in later darks, where it saturated, and how it fades."""

from __future__ import annotations

from analysis.contract import Inputs, Procedure, Results, Role, Version
from analysis.conversion import GAIN
from analysis.correction_steps import takes
from analysis.persistence.declared import FIGURES, PARAMETERS, PRODUCTS, QUANTITIES, STEPS


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.persistence.measuring``."""
    from analysis.persistence import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="persistence",
    title="Persistence",
    purpose="What remains in later darks of light that saturated, where it did, and how long it takes to fade: how long to wait after a bright source.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version("1.1", "2026-11-21", "Where clipping begins comes from some of the pixels; all within are averaged in one round. Numbers move by hundredths of their errors. The median is known to less than a converter's step."),
        Version("1.2", "2026-11-21", "The error of a residual counts what pixels left out for cosmic rays would have told, where pixels hold back different amounts: larger by one or two per cent with thirty per cent of scatter and some hits."),
    ),
    roles=(
        Role("dark", ("dark",), 2, "darks of the same exposure time before and after the light"),
        Role("exposed", ("flat", "point"), 1, "exposures that saturate some of the pixels, between these darks"),
        Role("bias", ("bias",), 0, "bias frames, where the corrections ask for their structure", elsewhere=True),
    ),
    uses=(GAIN,),
    takes=takes(*STEPS),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=PRODUCTS,
    acceptance=(
        "The saturated share is within least_fraction and most_fraction, so that both the mask and its background are large enough.",
        "The control is consistent with zero, or far smaller than the residual.",
        "The residual after the wait that observations allow is below the limit for the dark signal.",
    ),
    caveats=("A step of correction was asked for, and what it takes is not there.", "The share of saturated pixels is outside what the test is made for.",),
    algorithm="""\
Order: darks before the first exposure to light are the reference, those after the last are measured; dates decide, else exposure numbers.

Mask: pixels that any of the exposures saturated. Three pixels around it belong neither to it nor to the background, which are the pixels exposed to less than a
thousandth of the level of the mask, or the half exposed least where that is more: light below saturation persists too.

Residual of a dark k, of the same exposure time as the reference, offsets taken off; R the mean of N reference darks:

    P_k = ⟨D_k − R⟩ within the mask − ⟨D_k − R⟩ outside
    σ² = (σ_1² + P_k / g) / n_in + σ_1² / n_out  of its own;  (σ_1² / N)(1 / n_in + 1 / n_out)  common to all darks
    σ_1² = s² N / (N + 1);  s: scatter of D_k − R outside;  g: gain [e⁻/ADU];  n: pixels
    v (1 / n_in − 1 / n_mask)  of its own for pixels of the mask that are left out;  v: variance within the mask beyond noise, by which pixels differ

Without a gain the term P_k / g comes from the first two darks: their difference, the second scaled to the first, is free of what pixels hold back.

Cosmic rays: a pixel within the mask in which two successive darks, scaled to each other, differ by more than sigma is left out of both, so that pixels that hold
back more than others stay; a single dark is clipped about itself. Of the darks before the light the highest value of a pixel is left out where it stands out by sigma. Outside the mask values are clipped. Squares of 32 pixels of the
background that differ by more than noise (chance below 0.001) add their variance, and flag the residual as unstable.

Fading, with t_k from the end of the light to the beginning of a dark of time T, and the covariance of the residuals:

    P_k ∝ exp(−t_k/τ) (1 − exp(−T/τ))  or  P_k ∝ ∫ t^−p dt from t_k to t_k + T

The better law is that of the lower χ². A constant that is not known to a factor of about 1.6 (0.5 in its logarithm) is called not reached.""",
    references=(
        "W. G. Cochran, Sampling Techniques, Wiley 1977, section 2.4 (mean of a part of a finite population).",
        "R. M. Smith et al., 2008, Proc. SPIE 7021, 70210J (a theory of persistence in HgCdTe photodiodes: traps, and their release in time).",
        "J. Janesick, Scientific Charge-Coupled Devices, SPIE Press 2001 (residual image: surface states at full well).",
        "D. Polin et al., 2025, J. Instrum. 20, P07031 (residual images of CCDs of the LSST camera).",
    ),
    comments=(
        "The residual is a mean over all saturated pixels: of a source that spills over, those that were filled by spilling count as well.",
        "Where the light is not dark outside the mask, its lesser persistence is part of the background and is taken off: see the figure by level.",
        "Pixels beyond the converter's end are known to be saturated and not by how much.",
    ),
    measure=measure,
)  # fmt: skip
