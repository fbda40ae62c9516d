"""How people write where an engine is (`tcp://10.0.0.1:2376`, `ssh://ann@build`), and where we may listen."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

_PASSWORD = re.compile(r"(//[^/:@,]*):[^,]*@")

_LISTENING = re.compile(r"([^:/@\s\[\]]*|\[[^/@\s\[\]]+\]):([0-9]{1,5})")

WANTED = (
    "want unix:///PATH, tcp://HOST:PORT, http://HOST:PORT, https://HOST:PORT, ssh://[USER@]HOST[:PORT][/SOCKET] or "
    "context://NAME"
)


@dataclass(frozen=True, slots=True)
class SshTarget:
    """Who to log in as and where; `path` is the engine's socket over there, empty for docker's own choice."""

    host: str
    user: str = ""
    port: int = 0
    path: str = ""


def endpoint_fault(endpoint: str) -> str:
    """Why `endpoint` can't be one; empty when it can. Whether anybody is there is another question."""
    scheme, _, rest = endpoint.partition("://")
    try:
        if scheme == "ssh":
            ssh_target(endpoint)
        elif scheme in ("tcp", "http", "https"):
            _check_address(urlsplit(endpoint))
        elif not (rest if scheme == "context" else scheme == "unix" and rest.startswith("/") and len(rest) > 1):
            return WANTED
    except ValueError as error:
        return str(error)
    return ""


def ssh_target(endpoint: str) -> SshTarget:
    """`ssh://[user@]host[:port][/path]` in its parts; ValueError says what is wrong with it."""
    parts = urlsplit(endpoint)
    host, user = _as_written(parts), unquote(parts.username or "")
    if parts.password is not None:
        raise ValueError("a password can't stand in it: use a key")
    if not host or parts.port == 0:
        raise ValueError(WANTED)
    if host.startswith("-") or user.startswith("-"):
        raise ValueError("ssh would take its host or user for an option")
    if parts.query or parts.fragment:
        raise ValueError("nothing may follow the path of the socket")
    return SshTarget(host, user, parts.port or 0, unquote(parts.path.rstrip("/")))


def _as_written(parts: SplitResult) -> str:
    """The host in its own spelling, which ssh's settings go by."""
    host, named = parts.hostname or "", parts.netloc.rpartition("@")[2]
    return host if named.startswith("[") else named[: len(host)]


def without_password(endpoint: str) -> str:
    """`endpoint` as it may be shown: a password that somebody wrote into it is left out."""
    return _PASSWORD.sub(r"\1:…@", endpoint)


def shown_url(url: str) -> str:
    """`url` as it may be shown: without a password, and without a query, which may be a signature."""
    return without_password(url.partition("?")[0])


def _check_address(parts: SplitResult) -> None:
    if not parts.hostname or parts.port == 0:
        raise ValueError(WANTED)
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("only a host and a port can stand in it")


def loopback_address(text: str) -> tuple[str, int]:
    """Address and port of `127.0.0.1:2476`, `localhost:2476` or `[::1]:2476`; port 0 takes a free one.

    ValueError says what is wrong with it: others than loopback would let everybody in who reaches them.
    """
    host, port = listen_address(text)
    host = "127.0.0.1" if host.lower() == "localhost" else host
    if not host:
        raise ValueError(f'must be HOST:PORT, as 127.0.0.1:8080, not "{text}"')
    if not _is_loopback(host):
        raise ValueError(
            f"must be a loopback address, as 127.0.0.1, not {host}: whoever reaches it may start containers"
        )
    return host, port


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `10.0.0.1:2476`, `[::]:2476` or `:2476`, which is every address of this host.

    ValueError says what is wrong with it.
    """
    match = _LISTENING.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise ValueError(f'must be HOST:PORT, as 127.0.0.1:8080, not "{text}"')
    return match[1].strip("[]"), int(match[2])


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
