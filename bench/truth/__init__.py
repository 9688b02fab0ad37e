"""How do we know: procedures run on frames whose truth is known, many times, and their pulls told."""
