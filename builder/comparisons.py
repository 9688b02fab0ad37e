"""Comparisons (see below)."""
