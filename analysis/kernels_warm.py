"""Loads the compiled kernels before they are needed: workers call it as they start, while others still read."""

from __future__ import annotations


def warm() -> None:
    """Compile every kernel, or load it from the cache of an earlier run."""
    from analysis import covariance_kernels, pair_kernels, region_kernels, stack_kernels

    region_kernels.load()
    stack_kernels.warm()
    pair_kernels.warm()
    covariance_kernels.warm()
