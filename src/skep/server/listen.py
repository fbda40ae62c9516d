"""Sockets that listen: a unix socket that is ours alone, and TCP."""

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from skep.model.errors import RefusedError, UnavailableError

PATH_BYTES_MAX = 107
"""sockaddr_un of Linux, without its closing NUL."""

BACKLOG = 4096
"""Measured: a thousand clients that connect at once are all answered."""

_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """PID and user ID of the process at the other end, as the kernel tells them."""
    pid, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return pid, uid


def listen_unix(path: Path, flag: str = "--socket") -> socket.socket:
    """A listening socket at `path`, mode 0600. A socket that nobody listens on any more is replaced.

    RefusedError: somebody listens there, something else lies there, or the path is too long; `flag` sets another.
    """
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise RefusedError(f"{path} is longer than a socket's path may be ({PATH_BYTES_MAX} bytes): set {flag}")
    try:
        with _one_at_a_time(path.parent):
            _clear(path, flag)
            return _bind(path)
    except OSError as error:
        raise UnavailableError(f"can't listen on {path}: {error}") from error


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Of two that find the same dead socket, the second would remove the first one's living one. The folder itself is
    locked, so that no file is left among the sockets; where it can't be (NFS, not readable), it is left to luck."""
    with ExitStack() as stack:
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _clear(path: Path, flag: str) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise RefusedError(f"{path} exists and is no socket: move it away, or set {flag}")
    holder = _holder(path)
    if holder:
        raise RefusedError(f"{holder} listens on {path} already: stop it, or set {flag}")
    path.unlink()


def _holder(path: Path) -> str:
    """Who listens there; empty for a socket left behind by one that is gone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return ""
        except BlockingIOError:  # its backlog is full: it lives, and the kernel tells no PID
            return "another process"
        return f"process {peer_of(probe)[0]}"


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def listen_tcp(host: str, port: int, flag: str) -> socket.socket:
    """A listening socket at an address; the empty host is all of this host's. UnavailableError where it is taken."""
    both = not host and socket.has_dualstack_ipv6()
    listener = socket.socket(socket.AF_INET6 if both or ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if both:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UnavailableError(f"can't listen on {shown_address(host, port)} ({flag}): {error}") from error
    listener.setblocking(False)
    return listener


def shown_address(host: str, port: int) -> str:
    """`10.0.0.1:2476`, `[::1]:2476`; an IPv4 address that came through a socket for both is shown as one."""
    plain = host.removeprefix("::ffff:") if "." in host else host
    return f"[{plain}]:{port}" if ":" in plain else f"{plain}:{port}"
