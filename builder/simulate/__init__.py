"""Frames with known truth, from a campaign's plan. Shares no code with the estimators it serves to test."""

from builder.simulate.reading import validate
from builder.simulate.run import Simulated, SimulationError, simulate

__all__ = ["Simulated", "SimulationError", "simulate", "validate"]
