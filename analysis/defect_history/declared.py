"""What the history of defects takes, tells and draws."""

from __future__ import annotations

from analysis.contract import FigureSpec, PanelSpec, Quantity, Take
from analysis.defects.declared import PIXELS

MASKS = Take(
    "defects",
    "mask",
    "pixels that were found to be bad in each epoch, which are merged and compared",
    "epochs",
)

_MERGED = "count of the merged mask; the uncertainty is that of counting again in as many epochs of the same detector: pixels near the thresholds"
_NOISE = "the uncertainty is that of flips at the thresholds"

QUANTITIES = (
    Quantity("epochs", "N_ep", "epochs", "Tests whose masks are merged", "count", "engineering"),
    Quantity("bad_area", "A_bad", "%", "Share of the channel's pixels that have any bit in the merged mask", _MERGED),
    *(
        Quantity(
            kind.replace("-", "_"), f"N_{short}", "pixels", f"Pixels with the bit {kind} in the merged mask", _MERGED, "health"
        )
        for kind, short in zip(PIXELS, ("hot", "warm", "dark", "dead", "bright", "noisy", "nl", "unst"), strict=True)
    ),
    Quantity(
        "added", "N_new", "pixels", "Pixels that are bad in the latest epoch and were not in the one before",
        f"count, in classes that both looked for, of pixels that both saw; those that noise makes are among them (flips); {_NOISE}", "health",
    ),
    Quantity(
        "removed", "N_gone", "pixels", "Pixels that were bad in the epoch before the latest and are not in that", f"count, as for added; {_NOISE}", "health"
    ),
    Quantity(
        "flips", "N_flip", "pixels", "Pixels expected to be new, and as many to be gone, though nothing changed",
        "variance of the count of bad pixels: root mean square of those of both epochs, summed over classes", "engineering",
    ),
    Quantity(
        "likeness", "J", "", "Pixels that are bad in both of the latest two epochs over those bad in either (Jaccard)", f"ratio of counts; {_NOISE}", "health"
    ),
    Quantity(
        "flickering", "N_fl", "pixels", "Pixels that came or went more than once over the epochs (the latest 64)",
        "count, in classes that all epochs looked for; the uncertainty is the root of how many noise alone makes, which the note tells", "health",
    ),
    Quantity(
        "detector_bad_area", "A_det", "%", "Share of the detector's pixels that have any bit in the merged mask", "count of all channels' masks; uncertainty as for bad_area",
        per="detector", unplotted="the sum of the channels' areas",
    ),
)  # fmt: skip
"""What the history of defects tells."""

FIGURES = (
    FigureSpec(
        "share", "How often each pixel is bad",
        "Share of the epochs that saw a pixel in which it is bad, on the detector; pixels that came or went are marked. Look for lines and crowds of marks: something happened there.",
        (PanelSpec("Share of the epochs [%] in which each pixel is bad, at its place on the detector, averaged over squares; pixels that came or went marked, of very many every so many-th."),),
        ("flickering",),
    ),
    FigureSpec(
        "merged", "Merged mask by class", "Pixels of each channel by bit of the merged mask. Points on the lowest line are of classes without any pixel.",
        (PanelSpec("Pixels, logarithmic, of each class, by channel; what no pixel has is drawn at a tenth of a pixel."),),
        ("bad_area", *(kind.replace("-", "_") for kind in PIXELS)),
    ),
    FigureSpec(
        "over_time", "Bad pixels over time", "Pixels of each epoch's own mask, a few epochs under their names, many at their times. Steps and slopes are damage or annealing; a class that was not looked for in an epoch has no point there.",
        (
            PanelSpec("Pixels with any defect against time, by channel, with their uncertainty."),
            *(PanelSpec(f"The same of pixels with the bit {kind}.") for kind in PIXELS),
        ),
    ),
    FigureSpec(
        "changes", "What is new, what is gone",
        "Pixels that one epoch has and the one before has not, and the other way round, and what noise at the thresholds makes of a detector on which nothing changed. Where there are many more than that, something changed.",
        (
            PanelSpec("Pixels that are new against time, by channel; open: expected by noise."),
            PanelSpec("Pixels that are gone against time, by channel; open: expected by noise."),
        ),
        ("added", "removed", "flips"),
    ),
    FigureSpec(
        "persistence", "Likeness of epochs", "Pixels that are bad in both of two epochs over those that are bad in either, in classes that all epochs looked for. Blocks of like epochs end where something happened.",
        (PanelSpec("Likeness of each epoch (column) with each (row), of all channels together; 1 is the same pixels."),),
        ("likeness", "epochs"),
    ),
)  # fmt: skip
