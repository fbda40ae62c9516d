"""Real Docker Engines for tests, each in a network namespace of its own."""
