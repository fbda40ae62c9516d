"""Contexts of docker's own client: where they lead, and with which certificates."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skep.adapters.docker_errors import UnreachableError
from skep.model.cluster import TlsFiles

DEFAULT_SOCKET = Path("/var/run/docker.sock")


@dataclass(frozen=True, slots=True)
class DockerContext:
    """`host` is an endpoint; `tls` is None where it is spoken to without."""

    host: str
    tls: TlsFiles | None = None


def docker_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where docker's client keeps its settings."""
    return Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else home / ".docker"


def may_be_there(path: Path) -> bool:
    """Also for one in a folder that can't be searched: who reads it says so."""
    try:
        return path.exists()
    except PermissionError:
        return True


def read_context(folder: Path, name: str) -> DockerContext:
    """The context of that name below docker's folder. UnreachableError says what is missing, and where."""
    if name == "default":
        return DockerContext(f"unix://{DEFAULT_SOCKET}")
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / digest / "meta.json"
    endpoint = _endpoint(meta, name)
    files = folder / "contexts" / "tls" / digest / "docker"
    ca, cert, key = (
        str(files / part) if may_be_there(files / part) else "" for part in ("ca.pem", "cert.pem", "key.pem")
    )
    skip = endpoint.get("SkipTLSVerify") is True
    return DockerContext(
        str(endpoint["Host"]), TlsFiles(ca, cert, key, not skip) if ca or cert or key or skip else None
    )


def _endpoint(meta: Path, name: str) -> Mapping[str, Any]:
    try:
        endpoint = json.loads(meta.read_bytes())["Endpoints"]["docker"]
    except FileNotFoundError as error:
        raise UnreachableError(f"docker knows no context {name!r} ({meta}): see docker context ls") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreachableError(f"the docker context {name!r} has no readable endpoint in {meta}: {error!r}") from error
    if not isinstance(endpoint, dict) or not endpoint.get("Host"):
        raise UnreachableError(f"the docker context {name!r} has no readable endpoint in {meta}: it names no host")
    return endpoint
