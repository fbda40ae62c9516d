"""What ends a command of `infrakit` with exit code 1."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818 - it is told to people, in InfraKit's words
    """Printed to stderr as one line of logrus (infrakit-compat.md 1.2)."""
