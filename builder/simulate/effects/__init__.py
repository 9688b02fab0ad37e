"""Effects of detectors on charge and levels: small pure functions, put together into frames by simulations."""
