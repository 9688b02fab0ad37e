"""The machine: index, run, store, judge, render, and the command line."""
