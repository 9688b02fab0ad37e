"""Defects: pixels, columns and clusters that must be masked, with one mask of published bits."""

from __future__ import annotations

from analysis.contract import Inputs, Procedure, Results, Role, Version
from analysis.defects.declared import FIGURES, PARAMETERS, PRODUCTS, QUANTITIES


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.defects.measuring``."""
    from analysis.defects import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="defects",
    title="Defects",
    purpose="Which pixels, columns and clusters of each channel are hot, warm, dark, dead, bright, noisy, non-linear or unstable, as one mask for all that follows.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version("1.1", "2026-11-21", "Level and scatter of a cell come from two looks, the first at every fourth row. Both move by small parts of their errors."),
        Version("1.2", "2026-11-22", "Uncertainties of counts are never below what half a pixel near the threshold makes (0.53), where they were next to nothing; false pixels count once in them, not half as often again."),
    ),
    roles=(
        Role("dark", ("dark",), 0, "darks: of the longest time if there are three, else all of at least half of it", elsewhere=True),
        Role("flat", ("flat",), 0, "flats; of several levels for non-linear pixels", elsewhere=True),
        Role("bias", ("bias",), 0, "bias frames: offset, structure, and five or more for noisy pixels", elsewhere=True),
    ),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=PRODUCTS,
    acceptance=("The bad area is within its limit.", "No more columns and clusters than the limits of the detector's grade allow."),
    caveats=(
        "Cosmic rays of one or two frames count as defects.",
        "Dust in front of the detector counts as dark pixels.",
    ),
    algorithm="""\
Each master is compared with what is ordinary around each pixel: mean and σ of cells of side × side pixels, of what lies within 3 σ of the mean, the
cut made good, straight between the cells' centres. σ is the scatter of ordinary pixels: noise and pattern together, wider where fewer frames were kept for the pixel.

    s = (m − μ) / σ √(n_kept / n)
    m: pixel of the master;  μ, σ: level and scatter around it;  n: frames

Dark master: clipped mean (5 σ of the expected noise, shot noise included where a gain is known) of the longest darks, each less its level, bias structure taken off. Warm is s > sigma and an excess above warm_rate;
hot is an excess of hot_rate as well, in e⁻/s by the nominal gain. Where no gain is known hot is s ≥ hot_sigma.

Flat master: the flats that gathered most light without saturation. Dark is s < −sigma and a response below the parameter dark, dead one up to dead; bright is the other side.
Both thresholds must be crossed: the one in σ keeps noise out, the one in fractions ordinary pattern.

Noisy: variance over frames against the usual one around (mean of fourth roots, Hawkins and Wixley), with a chance below that of sigma in χ² and a noise above noisy times the usual; what is left without its
farthest value must be improbable as well (0.1 %), so that a cosmic ray makes no noisy pixel.

Unstable: half masters of the first and the last darks differ by sigma, their own shot noise included. Non-linear: responses at the brightest level and at that nearest to a quarter of it
differ by sigma and by the parameter non_linear.

Columns: with column_hot (column_dark) bad pixels, gaps filled; or with a mean, of significances cut at 3, that stands out of 15 neighbours by sigma. Bloom: bad pixels in one piece with saturated ones of their column.

    N_false = N Q(T),  Q: upper tail of the normal distribution, of darks that of Poisson charge with normal noise (Lugannani and Rice)
    σ_N² = (n_1 − N_false + ½) / √π + N_false,  n_1: counted pixels within 1 σ of noise above their threshold, at least N_false

Measured again, a pixel of the expected margin d [σ] is counted with the chance p = Φ(d); h pixels per σ make Σ p (1 − p) = h / √π, and h is known from those just above the threshold.
The ½ is that of Jeffreys' prior for h: a count of which none is near the threshold has σ = 0.53, not nothing.""",
    references=(
        "Rubin Observatory, packages eotest and cp_pipe (bright pixels above 5 e⁻/s, dark ones below 80 %).",
        "D. M. Hawkins & R. A. J. Wixley, 1986, Am. Stat. 40, 296 (fourth roots of χ²).",
        "R. Lugannani & S. Rice, 1980, Adv. Appl. Prob. 12, 475 (saddle point approximation of tails).",
    ),
    comments=(
        "No step of correction is offered: pixels are compared with those beside them at the same level, which corrections move together; and whoever takes the mask makes no circle.",
        "A pixel at the threshold is found with a chance of one half: completeness is a matter of how far above it a defect is.",
        "Pixels a few σ above others widen σ a little, and so raise the threshold: where they are 0.4 % of all, 0.7 % fewer warm ones are counted than without them.",
        "Pixels below the dark signal around them have no class; in flats they show as dark.",
        "The mask is of one test. Where the campaign names a reference test, the page tells bit by bit what is new and what is gone since; masks of several epochs are merged by the procedure defect_history.",
        "Where most darks saturate, or flats have one level alone, the classes that need more are missing, and the others stand.",
    ),
    measure=measure,
)  # fmt: skip
