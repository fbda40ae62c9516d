"""This user's home folder. A container may run as a user that has none."""

import os
from pathlib import Path

from skep.model.errors import RefusedError


def home_folder(instead: str) -> Path:
    """Where it is. RefusedError: HOME is not set, and the user is none of this host; `instead` would do as well."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise RefusedError(f"user {os.getuid()} has no home folder: set HOME or {instead}") from error


def home_or_root() -> Path:
    """For what need not be there: of a user without any it is `/`, which is what container engines set HOME to."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")
