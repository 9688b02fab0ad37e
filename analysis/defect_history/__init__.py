"""Defects over epochs: the masks of all tests up to this one merged to one, and what came and went between them."""

from __future__ import annotations

from analysis.contract import Inputs, Parameter, Procedure, ProductSpec, Results, Version
from analysis.defect_history.declared import FIGURES, MASKS, QUANTITIES


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector of one test, see ``analysis.defect_history.measuring``."""
    from analysis.defect_history import measuring

    measuring.measure(inputs, results)


PROCEDURE = Procedure(
    name="defect_history",
    title="Defects over epochs",
    purpose="Which pixels are bad in enough of all tests up to this one, as one merged mask for all that follows; and which came and went since the last.",
    history=(Version("1.0", "2026-11-21", "First version."),),
    roles=(),
    takes=(MASKS,),
    parameters=(
        Parameter("fraction", 0.5, "share of the epochs that have to say so for a pixel to be bad; 0: any one of them is enough", "", 0.0, 1.0),
        Parameter("last", 0, "latest epochs that are used; 0: all", "", 0),
        Parameter("block_only", False, "whether only tests of the same block are epochs"),
    ),
    quantities=QUANTITIES,
    figures=FIGURES,
    products=(
        ProductSpec("mask", "fits", "merged mask: bits of each pixel, int32, the table of bits and the epochs in the header; 0 is good"),
        ProductSpec("epochs", "ecsv", "pixels of each class in each epoch, how many are new and how many gone since the epoch before"),
        ProductSpec("changed", "ecsv", "pixels that come and go: place, course over the epochs, classes, share, and a region for SAOImage DS9"),
        ProductSpec("regions", "reg", "the same pixels to be laid over a frame: red appeared, green gone, orange comes and goes"),
    ),
    acceptance=(
        "The merged bad area is within its limit.",
        "No more pixels are new since the epoch before than noise at the thresholds makes.",
    ),
    caveats=(
        "This test has no mask of its own.",
        "The mask of an epoch is left out because its shape is another.",
    ),
    algorithm="""\
An epoch is a test with a mask of the defects procedure, of whatever block, on the same detector (where blocks name its hardware: on the same piece), taken no later than this one.
So a result does not change when later tests come. Epochs are in the order of their first frames; a test without times comes after the one before it in the record.

A bit is in the merged mask if at least the given fraction of the epochs have it: of those that saw the pixel (no bit no-value) and looked for the class. One is needed at least, equality
is enough. A pixel that is bad in so many epochs, though of no one class in so many, has the bits that it had most often: one that is warm today and hot tomorrow is bad. With the fraction 0 the masks are united, no-value included.

    bit b of pixel i:  Σ_e b_ie ≥ max(1, ⌈f n_ib⌉),  n_ib: epochs that saw i and looked for b

What is new and gone is counted in classes that both epochs looked for; columns, clusters and other shapes count only where both looked for the same classes.

Noise moves pixels over thresholds. One that is found with the chance p is new with p (1 − p), so that as many are expected new, and as many gone, as the variance σ_N² of the epoch's count.

    N_flip = Σ_class √((σ_N,before⁴ + σ_N,after⁴) / 2)
    J = N_both / N_either,  σ_J = √(N_flip (1 + J²)) / N_either
    σ_merged² = ⟨σ_N²⟩ √π ∫ q (1 − q) dd,  q = P(k of n | Φ(d)): k of n epochs find a pixel that lies d σ above its threshold

The last takes pixels to lie evenly about the threshold, as σ_N² itself does; with k = 1 the false pixels of each epoch are added.""",
    references=(
        "P. Jaccard, 1912, New Phytologist 11, 37 (likeness of two sets).",
        "Rubin Observatory, package cp_pipe (defects of several sets of frames merged by the fraction that agrees).",
    ),
    comments=(
        "A class whose frames an epoch borrowed from another test is of those frames' time. Where two epochs rest on the same frames they agree in that class, and fewer flips are seen than expected.",
        "Epochs of fewer frames have higher thresholds: pixels between two thresholds come and go with the number of frames, not with time.",
        "A class that an epoch could not look for counts neither for nor against a pixel; columns and clusters count in every epoch.",
        "Pixels that flicker slowly are found by flickering and by the table of changed pixels; those that change within a test are the class unstable of the defects procedure.",
        "The step of corrections named defects takes the merged mask of the latest test that has one, before any mask of a single test.",
    ),
    measure=measure,
)  # fmt: skip
