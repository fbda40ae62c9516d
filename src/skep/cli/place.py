"""Where the server of this user listens."""

import os
from collections.abc import Mapping
from pathlib import Path

SOCKET_NAME = "skep.sock"


def state_dir(environ: Mapping[str, str], uid: int) -> Path:
    """`$SKEP_STATE_DIR`, else /var/lib/skep for root, else `$XDG_STATE_HOME/skep`."""
    if environ.get("SKEP_STATE_DIR"):
        return Path(environ["SKEP_STATE_DIR"])
    if uid == 0:
        return Path("/var/lib/skep")
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(home) / "skep"


def socket_path(socket: str | None, folder: str | None) -> Path:
    """The socket that was named, else the one in the state directory that was named, else the usual one."""
    if socket:
        return Path(socket)
    return (Path(folder) if folder else state_dir(os.environ, os.getuid())) / SOCKET_NAME
