"""Why a file can't be read, in words that let somebody mend it."""

import os
from pathlib import Path


def unreadable(what: str, path: str, error: OSError) -> str:
    """`can't read the key /x/key.pem: Permission denied (mode 0600, uid 0; this process is uid 1000)`."""
    return f"can't read the {what} {path}: {error.strerror}{owner(path, error)}"


def owner(path: str, error: OSError) -> str:
    """Behind the error's own words: the file's mode and uid, and this process's; empty where it is not about rights."""
    if not isinstance(error, PermissionError):
        return ""
    try:
        found = Path(path).stat()
    except OSError:
        return f" (a folder above it; this process is uid {os.geteuid()})"
    return f" (mode {found.st_mode & 0o7777:04o}, uid {found.st_uid}; this process is uid {os.geteuid()})"
