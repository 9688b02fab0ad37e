"""Frames with known truth, from a campaign's plan. Shares no code with the estimators it serves to test."""
