"""What the cosmic rays procedure declares: quantities, parameters and figures."""

from __future__ import annotations

from analysis.contract import FigureSpec, PanelSpec, Parameter, Quantity
from analysis.correction_steps import corrections

STEPS = ("offset", "rows", "crosstalk", "bias", "nonlinearity", "dark")
"""Steps of correction that are offered."""

ESTIMATORS = {
    "pairs": "islands in differences of darks of equal times",
    "lacosmic": "L.A.Cosmic, frame by frame",
}
"""The searches by the names of the parameter ``estimator``, in words."""

QUANTITIES = (
    Quantity(
        "hits", "N", "hits", "Particles found, of all frames", "islands with a pixel above the threshold, without pixels that were hit twice; the uncertainty is Poisson's", "engineering",
    ),
    Quantity(
        "rate", "R", "Mpix⁻¹ h⁻¹", "Particles that strike a million pixels in an hour", "hits over efficiency, pixels and time; Poisson's uncertainty and that of the efficiency",
    ),
    Quantity(
        "rate_area", "R_A", "cm⁻² min⁻¹", "Particles that strike a square centimetre in a minute", "rate by the size of pixels", unplotted="rate times one number",
    ),
    Quantity(
        "efficiency", "ε", "%", "Share of hits that the search finds, of such as it found", "hits found, put at random places of the same frames and searched for again (fixed seed); binomial uncertainty", "engineering",
        unplotted="one number of all hits",
    ),
    Quantity(
        "charge", "Q", "e⁻", "Charge that half of the hits exceed", "median over hits of the charge in their pixels and those beside them; uncertainty by ranks, and of the gain",
    ),
    Quantity(
        "length", "L", "pix", "Mean length of hits", "mean over hits of the diagonal of their islands, from centre to centre; standard error of the mean",
    ),
    Quantity(
        "rejected", "f", "%", "Share of a frame's pixels that are struck", "pixels of islands over all pixels of all frames; uncertainty of a sum of a random number of sizes", "engineering",
        unplotted="rate and size of hits together",
    ),
)  # fmt: skip
"""What the cosmic rays procedure measures, per channel."""

PARAMETERS = (
    Parameter("estimator", "pairs", "pairs: differences of darks of equal times; lacosmic: the Laplacian of each frame (astroscrappy)"),
    Parameter("sigma", 6.0, "a hit has a pixel that stands out by this many σ", "σ", 4.0, 50.0),
    Parameter("grow", 3.0, "pixels beside it belong to it from this many σ on", "σ", 2.0, 50.0),
    Parameter("pixel_size", 0.0, "side of a pixel, for rates by area; 0 where it is not known", "µm", 0.0, 1000.0),
    Parameter("readout", 0.0, "time to read a frame, of which particles strike for half on average", "s", 0.0),
    corrections("", *STEPS),
)  # fmt: skip
"""What a campaign may set."""

FIGURES = (
    FigureSpec(
        "map", "Hits over the detector", "Places of all hits of all frames. They must be even: crowds are glow, pixels that jump, or a source near the detector.",
        (PanelSpec("Hits found in each square [Mpix⁻¹ h⁻¹] at their place on the detector, each marked."),),
        ("hits", "rate"),
    ),
    FigureSpec(
        "energies", "Charge of hits", "Distribution of the charge of hits. Particles that cross the detector make a peak with a tail to high charge; what piles up at the lowest charge are pixels that jump, or noise.",
        (PanelSpec("Rate of hits [Mpix⁻¹ h⁻¹] by charge [e⁻] (ADU without a gain), logarithmic, with Poisson errors."),),
        ("charge",),
    ),
    FigureSpec(
        "lengths", "Length of hits", "Distribution of the length of hits: short ones are steep, long ones slanting tracks. Deep detectors have longer ones.",
        (PanelSpec("Rate of hits [Mpix⁻¹ h⁻¹] by length [pix], with Poisson errors."),),
        ("length",),
    ),
)  # fmt: skip
"""What the cosmic rays procedure draws."""
