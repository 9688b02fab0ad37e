"""Effects of detectors and electronics, each a few pure functions on maps of charge [e⁻] or levels [ADU]."""
