"""Which Docker Engine is this host's own, and whether machines may be made on it."""

import ipaddress
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from skep.adapters.docker_contexts import DEFAULT_SOCKET, docker_folder, may_be_there, read_context
from skep.adapters.docker_errors import UnreachableError
from skep.model.cluster import TlsFiles
from skep.model.errors import NotFoundError, RefusedError
from skep.ports import Engine

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
    """The chosen docker context's endpoint; empty for the default context. NotFoundError for one that is broken.

    A context with TLS files stays one, so that its files are found with it.
    """
    folder = docker_folder(environ, home)
    name = environ.get("DOCKER_CONTEXT", "") or _current_context(folder / "config.json")
    if name in ("", "default"):
        return ""
    try:
        context = read_context(folder, name)
    except UnreachableError as error:
        raise NotFoundError(
            f"the docker context {name!r} is chosen: {error}. Choose another (docker context use default) "
            "or set DOCKER_HOST"
        ) from error
    return f"context://{name}" if context.tls else context.host


def host_tls(environ: Mapping[str, str], home: Path) -> TlsFiles | None:
    """The TLS files that the environment gives for DOCKER_HOST, by the rules of docker's client; None for none.

    DOCKER_TLS_VERIFY or DOCKER_TLS with anything in it asks for TLS; the second alone does not look at the engine's
    certificate. The files lie in DOCKER_CERT_PATH, else in docker's own folder, and may be missing there.
    """
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not verify and not environ.get("DOCKER_TLS"):
        return None
    given = environ.get("DOCKER_CERT_PATH", "")
    folder = Path(given) if given else docker_folder(environ, home)
    names = ("ca.pem", "cert.pem", "key.pem")
    ca, cert, key = (str(folder / name) if given or may_be_there(folder / name) else "" for name in names)
    return TlsFiles(ca if verify else "", cert, key, verify)


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
    """Whether an endpoint is on this host: a unix socket, or a loopback address that is no tunnel's."""
    if endpoint.startswith("unix://"):
        return True
    if not endpoint.startswith(("tcp://", "http://", "https://")):
        return False
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
