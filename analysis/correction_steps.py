"""The steps of correction that procedures may offer, and how one that offers them declares so; ``analysis.correction`` applies them."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.contract import Parameter, Take

STEPS: Mapping[str, str] = {
    "offset": "the level of the overscan, else of the prescan, of each frame",
    "rows": "the level of each row's overscan instead of the whole frame's",
    "crosstalk": "the other channels' signals in the same frame, by the matrix of crosstalk",
    "bias": "the master bias less the offsets of its frames, from the role bias; all of its level where no offset was taken off",
    "nonlinearity": "what the linearity procedure's table says is to be added at each level; nothing below zero, no value above the highest level measured",
    "dark": "the master dark's rate times the exposure time",
    "brighter-fatter": "charge put back over the borders that charge had moved, by the kernel of the brighter-fatter effect",
    "flat": "division by the master flat",
    "defects": "the mask of known defects: that merged over epochs, else that of one test, else that of the flats alone",
}
"""The steps, in the order in which they are applied, and what each takes off."""

TAKES: Mapping[str, tuple[Take, ...]] = {
    "crosstalk": (
        Take(
            "crosstalk", "matrix", "how much of each channel's signal appears in the others", step="crosstalk"
        ),
    ),
    "nonlinearity": (
        Take(
            "linearity", "correction", "what has to be added to levels to make them linear", step="nonlinearity"
        ),
    ),
    "dark": (Take("dark", "master_dark", "the dark signal of each pixel that is taken off", step="dark"),),
    "brighter-fatter": (
        Take(
            "brighter_fatter", "kernel", "the kernel by which charge is put back to where it fell", step="brighter-fatter"
        ),
    ),
    "flat": (
        Take("flat", "master_flat", "the response of each pixel by which frames are divided", step="flat"),
    ),
    "defects": (
        Take("defect_history", "mask", "pixels that are bad in enough epochs, left out", "latest", "defects"),
        Take("defects", "mask", "pixels known to be bad, left out where no epochs were merged", step="defects"),
        Take(
            "flat",
            "defects",
            "pixels that do not respond as others do, left out where there is no mask of defects",
            step="defects",
        ),
    ),
}  # fmt: skip
"""The products of other procedures that a step takes: a procedure that offers the step declares them.

The step brighter-fatter needs a gain too: who offers it declares ``analysis.conversion.GAIN`` among its ``uses``.
"""

OFFERED = ("nonlinearity", "defects")
"""Steps that procedures of pairs of flats offer beyond the offset. In flats of one scene bias structure, dark signal and crosstalk are as good as the same, and far below the light; their response is what flats measure."""
OF_MASTER = ("nonlinearity", "dark", "defects")
"""Steps that master flats offer: dark signal is no light, and what a pixel's response is told over holds it."""


def corrections(default: str, *offered: str) -> Parameter:
    """The parameter by which a campaign chooses the steps of a procedure, separated by spaces, of all of the chain or those ``offered``.

    A procedure that offers few does with the moments of its pixels what the chain does with pixels, or takes offset and bias off by itself.
    """
    what = f"steps of correction: {', '.join(offered or STEPS)}; always in this order"
    return Parameter("corrections", default, what)


def takes(*steps: str, but: str = "") -> tuple[Take, ...]:
    """What a procedure that offers these steps must declare as ``takes``; the same product once, none of the procedure ``but``, which may rest on this one."""
    found = dict.fromkeys(take for step in steps for take in TAKES.get(step, ()))
    return tuple(take for take in found if take.procedure != but)
