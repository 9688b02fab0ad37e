"""Benchmarks: ours and a peer's, side by side in one run. ``python -m bench`` (or ``make bench``) runs all."""
