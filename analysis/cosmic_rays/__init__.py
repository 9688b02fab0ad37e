"""Cosmic rays: how many particles strike each channel, what charge they leave, how long their tracks are."""

from __future__ import annotations

from analysis.contract import Inputs, Procedure, ProductSpec, Results, Role, Take, Version
from analysis.conversion import GAIN
from analysis.correction_steps import takes
from analysis.cosmic_rays.declared import FIGURES, PARAMETERS, QUANTITIES, STEPS

MASK = Take("defects", "mask", "pixels known to be bad, which are passed over")


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.cosmic_rays.measuring``."""
    from analysis.cosmic_rays import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="cosmic_rays",
    title="Cosmic rays",
    purpose="How many particles strike each channel, what charge they leave, how long their tracks are, and how many pixels of a frame they spoil.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1", "2026-11-21",
            "Pairs: level and scatter around a pixel are of cells of 64 pixels, of which every second pixel of every second row counts, instead of cells of 32; hits move by a pixel or two at the threshold.",
        ),
    ),
    roles=(
        Role("dark", ("dark",), 1, "darks; two of one exposure time at least for differences"),
        Role("bias", ("bias",), 0, "bias frames, where the corrections ask for their structure", elsewhere=True),
    ),
    uses=(GAIN,),
    takes=(MASK, *takes(*STEPS)),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=(ProductSpec("hits", "ecsv", "hits: exposure, place, charge and energy, pixels, length, angle, significance"),),
    acceptance=("The rate is what is usual at the place: one to two hits cm⁻² min⁻¹ at sea level.", "Frames have as many hits as one another."),
    caveats=("A step of correction was asked for, and what it takes is not there.", "Two frames alone do not tell particles from pixels that jump.",),
    algorithm="""\
Pairs: the difference of two darks of equal time, less its level around each pixel, over the σ around it (cells of 64 pixels, of every second pixel of every second row, see the defects procedure); pixels that are bright in both frames have their shot noise
added. A hit is an island of pixels beyond grow, corners touching, with one beyond sigma; those above are of the first frame, those below of the second. Known defects are passed over.

L.A.Cosmic: the frame less its level around, searched by the Laplacian of the subsampled image; islands of what it marks are hits.

Hits whose brightest pixel is hit in another frame as well are left out: pixels that jump.

Efficiency: hits found are put at random places of the same frames, and the search is done again; it counts what is lost at the threshold, to other hits, and by falling apart.

    R = N / (ε n_pix Σ (t + t_read / 2)),  σ_R / R = √(1 / N + (σ_ε / ε)²)
    N: hits;  ε: efficiency;  n_pix: pixels that are not passed over;  t: exposure time;  t_read: readout

Charge is that of the island and of all pixels beside it, so that charge that diffused below the threshold counts.""",
    references=(
        "P. G. van Dokkum, 2001, PASP 113, 1420 (L.A.Cosmic).",
        "C. McCully et al., astroscrappy, doi:10.5281/zenodo.1482019.",
        "D. E. Groom, 2002, Experimental Astronomy 14, 45 (cosmic rays and other particles in CCDs).",
    ),
    comments=(
        "The mask of defects is always taken. Offset, bias structure and dark signal cancel in differences of darks; these steps serve single frames (lacosmic), where hot pixels and steps of the structure may count as hits, and rows serves both where the offset drifts from row to row. Crosstalk takes ghosts of bright hits off the other channels, "
        "non-linearity tells their charge; a hit beyond the table's end stays as it is. No flat divides what did not fall as light.",
        "The rate is of particles that leave more than the threshold in one pixel: those below are not known, and the efficiency does not tell of them.",
        "Efficiency by planting what was found overstates that of hits near the threshold, of which the fainter ones were lost before.",
        "Charge of hits that saturate is a lower bound.",
        "Natural radioactivity of glass and mounts counts as well.",
    ),
    measure=measure,
)  # fmt: skip
