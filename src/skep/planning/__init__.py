"""What should happen: pure functions of model values. No clock, no randomness, no I/O lives here."""
