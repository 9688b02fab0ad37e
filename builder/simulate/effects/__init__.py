"""What detectors and their electronics do to charge and levels, each effect by itself: pure functions of arrays and a random generator."""
