"""Loads the compiled kernels before they are needed: workers call it as they start, while others still read."""

from __future__ import annotations


def warm() -> None:
    """Compile the kernels that built-in procedures call, or load them from the cache of an earlier run.

    Those of pairs by histogram, which none of them calls, are loaded where they are called.
    """
    from analysis import covariance_kernels, region_kernels, stack_kernels
    from analysis.brighter_fatter import redistribution_kernels
    from analysis.crosstalk import square_kernels
    from analysis.defects import local_kernels
    from analysis.persistence import residual_kernels

    region_kernels.load()  # what every new frame needs comes first
    stack_kernels.warm()
    covariance_kernels.warm()
    local_kernels.warm()
    residual_kernels.warm()
    square_kernels.warm()
    redistribution_kernels.warm()
