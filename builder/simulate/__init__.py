"""Frames with known truth, from a campaign's plan. Shares no code with the estimators it serves to test."""

from builder.simulate.reading import validate
from builder.simulate.run import Simulated, simulate

__all__ = ["Simulated", "simulate", "validate"]
