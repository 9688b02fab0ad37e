"""Cosmic rays: how many particles strike each channel, what charge they leave, how long their tracks are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import (
    ContractError,
    FrameInput,
    ImageProduct,
    Inputs,
    Procedure,
    ProductSpec,
    Results,
    Role,
    Take,
    Version,
)
from analysis.conversion import GAIN, conversion
from analysis.correction import Chain, chain, takes, wanted
from analysis.cosmic_rays.declared import ESTIMATORS, FIGURES, PARAMETERS, QUANTITIES, STEPS
from analysis.cosmic_rays.hits import repeated, together
from analysis.cosmic_rays.outputs import OfChannel, hand_on
from analysis.cosmic_rays.results import report
from analysis.cosmic_rays.search import Found, laplacian, pair_difference
from analysis.masks import Mask
from campaign.geometry import Channel

MASK = Take("defects", "mask", "pixels known to be bad, which are passed over")


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the hits in the darks of one detector; see ``PROCEDURE`` for the quantities.

    Raises ContractError for an estimator that there is not.
    """
    estimator = str(inputs.parameters["estimator"])
    if estimator not in ESTIMATORS:
        raise ContractError(f"estimator: {estimator!r} is none of {', '.join(ESTIMATORS)}")
    have = []
    for channel in inputs.detector.geometry.channels:
        groups, reason, note = _groups(inputs, channel, estimator)
        if reason:
            for quantity in QUANTITIES:
                results.missing(quantity.name, reason, channel=channel.name, note=note)
            continue
        asked = wanted(inputs, STEPS)
        steps = chain(inputs, channel, asked) if asked else None
        if steps is not None:
            for name, why in steps.without.items():
                results.caveat(f"{channel.name}: without the step {name}: {why}.")
        one = _search(inputs, channel, groups, estimator, steps)
        if one is None:
            for quantity in QUANTITIES:
                results.missing(
                    quantity.name,
                    "too-few-pixels",
                    channel=channel.name,
                    note="no two frames have finite pixels in common",
                )
            continue
        report(inputs, results, one, estimator)
        have.append(one)
    hand_on(results, inputs.detector, have)


def _groups(
    inputs: Inputs, channel: Channel, estimator: str
) -> tuple[list[tuple[float, list[FrameInput]]], str, str]:
    """Darks by exposure time; and, where they cannot be used, a coded reason with a note."""
    given = inputs.frames.get("dark", ())
    real = [f for f in given if channel.name in f.summaries and f.summaries[channel.name].n > 1]
    if not real:
        return [], "too-few-pixels" if given else "too-few-frames", ""
    timed = [(f, float(f.frame.exptime)) for f in real if f.frame.exptime is not None and f.frame.exptime > 0]
    if not timed:
        return [], "exposure-time-unknown", ""
    good = [
        (f, t) for f, t in timed if f.summaries[channel.name].saturated <= 0.1 * f.summaries[channel.name].n
    ]
    if not good:
        return [], "saturated", "more than a tenth of each dark's pixels is saturated"
    groups: dict[str, tuple[float, list[FrameInput]]] = {}
    for frame, time in good:
        groups.setdefault(f"{time:.4g}", (time, []))[1].append(frame)
    least = 2 if estimator == "pairs" else 1
    usable = [g for g in groups.values() if len(g[1]) >= least]
    if not usable:
        return [], "too-few-frames", "no two darks have the same exposure time"
    return usable, "", ""


def _known(inputs: Inputs, channel: Channel) -> Mask | None:
    """The mask of known defects of a channel, None where there is none of its shape."""
    product = inputs.product(MASK.procedure, MASK.product)
    if not isinstance(product, ImageProduct) or channel.name not in product.planes:
        return None
    plane = np.asarray(product.planes[channel.name])
    return plane.astype(np.int32) if plane.shape == channel.image.shape else None


def _search(
    inputs: Inputs,
    channel: Channel,
    groups: Sequence[tuple[float, list[FrameInput]]],
    estimator: str,
    steps: Chain | None,
) -> OfChannel | None:
    gain, known = conversion(inputs, channel), _known(inputs, channel)
    sigma, grow = inputs.number("sigma"), inputs.number("grow")
    waiting = inputs.number("readout") / 2.0
    whole, seconds, exposed = Found(), 0.0, 0.0
    frames: list[FrameInput] = []
    parts = []
    for time, held in groups:
        factor = None if gain is None else gain.gain
        if estimator == "pairs":
            found = pair_difference(held, channel, known, sigma, grow, factor, steps)
        else:
            saturation = inputs.detector.geometry.saturation
            found = laplacian(held, channel, known, sigma, grow, factor, saturation, steps)
        if found.pixels == 0:
            continue
        parts.append(found.hits.later(len(frames)))
        frames += held
        seconds += len(held) * (time + waiting)
        exposed += len(held) * (time + waiting) * found.pixels
        whole.planted += found.planted
        whole.recovered += found.recovered
    if seconds <= 0:
        return None
    whole.hits, whole.frames, whole.pixels = together(parts), tuple(frames), round(exposed / seconds)
    jumping = repeated(whole.hits, len(frames))
    corrected = "" if steps is None else steps.words
    return OfChannel(channel, whole, whole.hits.chosen(~jumping), gain, seconds, corrected)


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
