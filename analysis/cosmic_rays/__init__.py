"""Cosmic rays: how many particles strike each channel, what charge they leave, how long their tracks are."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import (
    ContractError,
    FigureSpec,
    FrameInput,
    ImageProduct,
    Inputs,
    PanelSpec,
    Parameter,
    Procedure,
    ProductSpec,
    Quantity,
    Results,
    Role,
    Take,
    Version,
)
from analysis.conversion import GAIN, conversion
from analysis.correction import Chain, chain, corrections, takes, wanted
from analysis.cosmic_rays.hits import repeated, together
from analysis.cosmic_rays.outputs import PAIR, OfChannel, hand_on
from analysis.cosmic_rays.search import Found, laplacian, pair_difference
from analysis.masks import Mask
from campaign.geometry import Channel

STEPS = ("offset", "rows", "crosstalk", "bias", "nonlinearity", "dark")
"""Steps of correction that are offered."""

MASK = Take("defects", "mask", "pixels known to be bad, which are passed over")

ESTIMATORS = {
    "pairs": "islands in differences of darks of equal times",
    "lacosmic": "L.A.Cosmic, frame by frame",
}

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
        _report(inputs, results, one, estimator)
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


def _report(inputs: Inputs, results: Results, one: OfChannel, estimator: str) -> None:
    name, hits, n = one.channel.name, one.hits, len(one.found.frames)
    how = ESTIMATORS[estimator]
    flags = ["few-frames"] if n < 3 else []
    if any(f.summaries[name].not_finite for f in one.found.frames):
        flags.append("bad-pixels")
    if _uneven(hits.frame, n):
        flags.append("unstable")
    left = one.found.hits.number - hits.number
    note = f"{n} darks, {one.seconds:g} s in all; {left} hits left out whose pixel was hit twice"
    if one.corrected:
        note += f"; corrected: {one.corrected}"
    if n < 3:
        note += "; of so few frames pixels that jump are not told from hits"
    nothing = ["consistent-with-zero"] if hits.number == 0 else []
    error = sqrt(max(hits.number, 1))
    results.value(
        "hits", hits.number, error, channel=name, n=n, flags=[*flags, *nothing], estimator=how, note=note
    )
    found = one.found.efficiency
    if found is None:
        results.missing(
            "efficiency", "too-few-pixels", channel=name, note="no hit was found to be put elsewhere"
        )
        share, off = 1.0, 0.0
    else:
        share, off = found
        results.value(
            "efficiency", 100.0 * share, 100.0 * off, channel=name, n=one.found.planted, estimator=how
        )
    if share <= 0:
        for quantity in ("rate", "rate_area"):
            results.missing(
                quantity, "bad-fit", channel=name, note="no hit that was put elsewhere was found again"
            )
    else:
        per = 1e6 * 3600.0 / (one.found.pixels * one.seconds * share)
        rate, rate_error = hits.number * per, per * hypot(error, hits.number * off / share)
        results.value(
            "rate", rate, rate_error, channel=name, n=hits.number or n, flags=[*flags, *nothing], estimator=f"{how}; over efficiency", note=note
        )  # fmt: skip
        pitch = inputs.number("pixel_size")
        if pitch > 0:
            scale = 1.0 / (1e6 * (pitch * 1e-4) ** 2 * 60.0)
            results.value(
                "rate_area", rate * scale, rate_error * scale, channel=name, n=hits.number or n, flags=[*flags, *nothing], estimator=f"{how}; over efficiency"
            )  # fmt: skip
        else:
            results.missing(
                "rate_area", "no-pixel-size", channel=name, note="the parameter pixel_size says it"
            )
    _of_hits(results, one, flags, how)


def _of_hits(results: Results, one: OfChannel, flags: Sequence[str], how: str) -> None:
    """Charge, length and share of pixels."""
    name, hits = one.channel.name, one.hits
    if one.gain is None:
        results.missing("charge", "no-gain", channel=name)
    elif hits.number < 2:
        results.missing("charge", "too-few-pixels", channel=name, n=hits.number, note="fewer than two hits")
    else:
        middle, off = _median(hits.charge)
        value, error = one.gain.electrons(middle, off)
        results.value(
            "charge", value, error, channel=name, n=hits.number, flags=[*flags, *one.gain.flags], estimator=how,
            note=f"{value * PAIR / 1000.0:.3g} keV at {PAIR:g} eV per electron; {one.gain.note}",
        )  # fmt: skip
    if hits.number < 2:
        results.missing("length", "too-few-pixels", channel=name, n=hits.number, note="fewer than two hits")
    else:
        error = float(hits.length.std(ddof=1)) / sqrt(hits.number)
        results.value(
            "length",
            float(hits.length.mean()),
            error,
            channel=name,
            n=hits.number,
            flags=flags,
            estimator=how,
        )
    n = one.found.pixels * len(one.found.frames)
    struck, squares = float(hits.pixels.sum()), float((hits.pixels.astype(np.float64) ** 2).sum())
    error = sqrt(max(squares, 1.0))
    nothing = ["consistent-with-zero"] if hits.number == 0 else []
    results.value(
        "rejected",
        100.0 * struck / n,
        100.0 * error / n,
        channel=name,
        n=n,
        flags=[*flags, *nothing],
        estimator=how,
    )


def _median(values: NDArray[np.float64]) -> tuple[float, float]:
    """The median and its error: half the distance of the ranks one standard deviation of the binomial distribution below and above."""
    n = values.size
    low, middle, high = np.quantile(values, np.clip([0.5 - 0.5 / sqrt(n), 0.5, 0.5 + 0.5 / sqrt(n)], 0, 1))
    return float(middle), 0.5 * float(high - low)


def _uneven(frame: NDArray[np.intp], n: int) -> bool:
    """Whether frames have hits of numbers that differ by more than chance allows (Poisson, chance below 1e-6)."""
    counts = np.bincount(frame, minlength=n).astype(np.float64)
    if n < 2 or counts.mean() < 5:
        return False
    from scipy.special import chdtrc

    return bool(chdtrc(n - 1, float(((counts - counts.mean()) ** 2).sum() / counts.mean())) < 1e-6)


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
    parameters=(
        Parameter("estimator", "pairs", "pairs: differences of darks of equal times; lacosmic: the Laplacian of each frame (astroscrappy)"),
        Parameter("sigma", 6.0, "a hit has a pixel that stands out by this many σ", "σ", 4.0, 50.0),
        Parameter("grow", 3.0, "pixels beside it belong to it from this many σ on", "σ", 2.0, 50.0),
        Parameter("pixel_size", 0.0, "side of a pixel, for rates by area; 0 where it is not known", "µm", 0.0, 1000.0),
        Parameter("readout", 0.0, "time to read a frame, of which particles strike for half on average", "s", 0.0),
        corrections("", *STEPS),
    ),
    quantities=QUANTITIES,
    figures=(
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
    ),
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
