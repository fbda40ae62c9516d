"""Where plugins are: the files of one folder (infrakit-compat.md 2.1)."""

# pathlib would take longer to load than all the rest.
# ruff: noqa: PTH103, PTH111, PTH118, PTH122, PTH123, PTH208

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISSOCK

from skep.cli.infrakit.failures import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from skep.cli.infrakit.logline import Log

LISTEN = ".listen"
"""A file of this kind holds where a plugin on another host listens: `tcp://host:port`."""
COMPANIONS = (".pid", ".lock")
"""Files that later generations and skep lay beside a socket."""
LISTEN_BYTES_MAX = 4096


class Endpoint:
    """A plugin's name, and where it listens: the path of a socket, or `tcp://host:port`.

    part: which of several objects behind the socket is meant; what stands behind the slash in its name.
    """

    def __init__(self, name: str, address: str, part: str = "") -> None:
        self.name, self.address, self.part = name, address, part


def plugins_folder(environ: Mapping[str, str] = os.environ) -> str:
    """`$INFRAKIT_PLUGINS_DIR`, else `~/.infrakit/plugins`; made for this user alone where it is not there."""
    home = os.path.expanduser("~")
    if not environ.get("INFRAKIT_PLUGINS_DIR") and home == "~":
        raise Failure(f"user {os.getuid()} has no home folder: set HOME or INFRAKIT_PLUGINS_DIR")
    folder = environ.get("INFRAKIT_PLUGINS_DIR") or os.path.join(home, ".infrakit", "plugins")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise Failure(f"mkdir {folder}: {(error.strerror or str(error)).lower()}") from error
    return folder


def find(name: str) -> Endpoint:
    """The plugin of this name; `lookup/part` means one of several behind a socket. Failure: there is none."""
    lookup, _, part = name.partition("/")
    if lookup in {"", ".", ".."} or "\0" in name:
        raise Failure(f"Plugin not found: {name}")
    folder = plugins_folder()
    for file in (lookup, lookup + LISTEN):
        address = _address(os.path.join(folder, file))
        if address:
            return Endpoint(name, address, part)
    raise Failure(f"Plugin not found: {name}")


def every(log: Log) -> list[Endpoint]:
    """All plugins by name. What lies there and is none gets a warning; folders do not."""
    folder = plugins_folder()
    try:
        files = sorted(os.listdir(folder))
    except OSError as error:
        raise Failure(f"open {folder}: {(error.strerror or str(error)).lower()}") from error
    found = []
    for file in files:
        path = os.path.join(folder, file)
        address = _address(path)
        if address:
            found.append(Endpoint(file.removesuffix(LISTEN), address))
        elif not _is_folder(path) and os.path.splitext(file)[1] not in COMPANIONS:
            log.warning(f"Loading plugin err= File is not a socket: {path}")
    return found


def _address(path: str) -> str:
    """Empty where no plugin listens by this file. A link to a socket is none, as InfraKit has it."""
    try:
        if S_ISSOCK(os.lstat(path).st_mode):
            return path
        if not path.endswith(LISTEN):
            return ""
        with open(path, encoding="ascii") as file:
            address = file.read(LISTEN_BYTES_MAX).strip()
    except (OSError, ValueError):
        return ""
    return address if address.startswith(("tcp://", "http://", "https://")) else ""


def _is_folder(path: str) -> bool:
    try:
        return S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return True  # gone meanwhile: nothing to warn of
