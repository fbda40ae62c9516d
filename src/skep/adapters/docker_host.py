"""Which Docker Engine is this host's own, and whether machines may be made on it."""

import hashlib
import ipaddress
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from skep.model.errors import NotFoundError, RefusedError
from skep.ports import Engine

DEFAULT_SOCKET = Path("/var/run/docker.sock")
CONNECT_TIMEOUT_S = 1.0
"""A socket of the same host takes a connection at once, or nobody listens."""


def own_socket(state_dir: Path) -> Path:
    """Where the engine that skep starts for itself listens."""
    return state_dir / "engine" / "docker.sock"


def find_engine(
    explicit: str, environ: Mapping[str, str], home: Path, state_dir: Path, default_socket: Path = DEFAULT_SOCKET
) -> str:
    """The endpoint of this host's engine, in the order of docker's own client, then skep's own engine.

    NotFoundError says what was tried and what to do.
    """
    chosen = explicit or environ.get("DOCKER_HOST", "") or _context_endpoint(environ, home)
    if chosen:
        return chosen
    sockets = [default_socket, own_socket(state_dir)]
    for path in sockets:
        if _listens(path):
            return f"unix://{path}"
    raise NotFoundError(
        "found no Docker Engine: no endpoint was given, DOCKER_HOST is not set, no docker context is chosen, "
        f"and nothing listens on {' or '.join(map(str, sockets))}. Install or start one "
        "(scripts/up does both), or set DOCKER_HOST"
    )


def _listens(path: Path) -> bool:
    """A socket that a dead engine left behind does not count; one that we may not open does, and fails later."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except PermissionError:
            return True
        except OSError:
            return False
        return True


def _context_endpoint(environ: Mapping[str, str], home: Path) -> str:
    """The chosen docker context's endpoint; empty for the default context. NotFoundError for one that is broken."""
    folder = Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else home / ".docker"
    name = environ.get("DOCKER_CONTEXT", "") or _current_context(folder / "config.json")
    if name in ("", "default"):
        return ""
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    try:
        return str(json.loads(meta.read_bytes())["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFoundError(
            f"the docker context {name!r} is chosen and has no readable endpoint in {meta}: "
            "choose another (docker context use default) or set DOCKER_HOST"
        ) from error


def _current_context(config: Path) -> str:
    try:
        return str(json.loads(config.read_bytes()).get("currentContext") or "")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError) as error:
        raise NotFoundError(
            f"could not read docker's settings in {config}: {error}; mend them or set DOCKER_HOST"
        ) from error


async def check_for_machines(engine: Engine) -> None:
    """RefusedError where machines can't be made: they are driven through sockets in folders of this host."""
    if not is_local(engine.endpoint):
        raise RefusedError(
            f"machines can't be made on the remote engine {engine.endpoint}: run skep on that host, "
            "or unset DOCKER_HOST to use this one's"
        )
    info = await engine.info()
    if "Docker Desktop" in info.operating_system:
        raise RefusedError(
            f"machines can't be made on Docker Desktop ({engine.endpoint}): its engine runs in a VM that does not "
            "share this host's sockets; use a Docker Engine on Linux"
        )


def is_local(endpoint: str) -> bool:
    """Whether an endpoint is on this host: a unix socket, or a loopback address."""
    if endpoint.startswith("unix://"):
        return True
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
