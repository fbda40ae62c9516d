"""InfraKit's protocol: bytes to values and back, no I/O."""
