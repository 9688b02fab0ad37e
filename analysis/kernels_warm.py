"""Loads the compiled kernels before they are needed: workers call it as they start, while others still read."""

from __future__ import annotations


def warm() -> None:
    """Compile the kernels that nearly every build needs, or load them from the cache of an earlier run.

    Those that no built-in procedure calls (pairs by histogram, covariances) are loaded where they are called.
    """
    from analysis import region_kernels, stack_kernels
    from analysis.bias import reading_kernels
    from analysis.cosmic_rays import search_kernels
    from analysis.flat import response_kernels

    region_kernels.load()
    stack_kernels.warm()
    reading_kernels.load()
    response_kernels.load()
    search_kernels.load()
