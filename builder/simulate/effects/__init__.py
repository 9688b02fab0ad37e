"""Effects of detectors and their electronics, each a module of small functions on charge or levels."""
