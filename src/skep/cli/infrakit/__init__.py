"""The command line `infrakit`."""
