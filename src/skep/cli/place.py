"""Where the server of this user listens."""

# pathlib would take longer to load than all the rest.
# ruff: noqa: PTH111, PTH118, PTH123

from __future__ import annotations

import os

from skep.cli.failures import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_NAME = "skep.sock"
CONFIG_NAME = "skep.toml"


def state_dir(environ: Mapping[str, str], uid: int) -> str:
    """`$SKEP_STATE_DIR`, else /var/lib/skep for root, else `$XDG_STATE_HOME/skep`."""
    if environ.get("SKEP_STATE_DIR"):
        return os.path.expanduser(environ["SKEP_STATE_DIR"])
    if uid == 0:
        return "/var/lib/skep"
    home = os.path.expanduser(environ.get("HOME") or "~")
    return os.path.join(environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state"), "skep")


def socket_path(socket: str | None, folder: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """The socket that a flag or SKEP_SOCKET names, else the one of skep.toml, else STATE/skep.sock.

    Failure: skep.toml can't be read, so that nobody knows.
    """
    named = socket or environ.get("SKEP_SOCKET")
    if named:
        return os.path.expanduser(named)
    state = os.path.expanduser(folder) if folder else state_dir(environ, os.getuid())
    config = os.path.expanduser(environ.get("SKEP_CONFIG") or os.path.join(state, CONFIG_NAME))
    return _configured(config) or os.path.join(state, SOCKET_NAME)


def _configured(config: str) -> str:
    """What the file of settings says; empty when there is none, or nothing of it."""
    try:
        with open(config, encoding="utf-8") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"can't read {config}: {error}; --socket or SKEP_SOCKET names the server's socket") from error
    if "socket" not in text:
        return ""
    import tomllib  # noqa: PLC0415 - takes longer to load than all the rest

    try:
        socket = tomllib.loads(text).get("socket", "")
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"{config} is not TOML: {error}; --socket or SKEP_SOCKET names the server's socket") from error
    return os.path.expanduser(socket) if isinstance(socket, str) else ""
