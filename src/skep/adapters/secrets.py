"""Keyed hashes with a key of this state directory."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from skep.model.errors import UnavailableError

KEY_BYTES = 32
"""As long as the hash it keys (RFC 2104)."""


class FileSecrets:
    """Implements ports.Secrets with the key in `path` (0600), made at the first use and never replaced."""

    def __init__(self, path: Path) -> None:
        """UnavailableError: the disk says no."""
        try:
            self._key = _read_or_make(path)
        except OSError as error:
            raise UnavailableError(f"the key {path} can't be used: {error}") from error

    def keyed_hash(self, value: str) -> str:
        """64 hex digits of HMAC-SHA-256."""
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()


def _read_or_make(path: Path) -> bytes:
    """The folder's lock is held, so no other process makes one meanwhile; a crash leaves no half key."""
    if path.exists():
        return path.read_bytes()
    key = secrets.token_bytes(KEY_BYTES)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    return key
