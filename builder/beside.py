"""What the worker beside a build loads first, told in a module of which the build itself need load nothing."""

from __future__ import annotations


def warm() -> None:
    """Load what looks for steps and drifts: longer than all else that the worker is asked for."""
    from builder.trend_found import warm

    warm()
