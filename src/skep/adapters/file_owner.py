"""Whose a file is that this process may not read."""

import os
from pathlib import Path


def owner(path: str, error: OSError) -> str:
    """Behind the error's own words: the file's mode and uid, and this process's uid; empty where they don't matter."""
    if not isinstance(error, PermissionError):
        return ""
    try:
        found = Path(path).stat()
    except OSError:
        return f" (a folder above it; this process is uid {os.geteuid()})"
    return f" (mode {found.st_mode & 0o7777:04o}, uid {found.st_uid}; this process is uid {os.geteuid()})"
