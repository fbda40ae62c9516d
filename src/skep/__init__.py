"""skep keeps Docker Swarms at their desired state, from bare machines to running containers."""

__version__ = "0.1.0"
