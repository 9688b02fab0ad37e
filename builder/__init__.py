"""The machine: index, run, store, judge, render, and the command line."""

VERSION = "0.1.0"
"""The version of calbook; the package's metadata take it from here."""
