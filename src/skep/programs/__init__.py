"""Executables: InfraKit's programs, the same classes as inside the daemon, each served on a socket of its own."""
