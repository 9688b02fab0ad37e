"""Effects of detectors and lamps, one module each: pure functions that share no code with ``analysis``."""
