"""Plugins on another host, which a `.listen` file names."""

from __future__ import annotations

import socket
from ssl import create_default_context

from skep.cli.infrakit.failures import Failure


def connected(name: str, address: str, timeout_s: float) -> socket.socket:
    """A connection to `tcp://host:port`. Failure: nobody is reached in time."""
    host, has_port, port = address.partition("://")[2].partition("/")[0].rpartition(":")
    if not has_port or not port.isdigit():
        raise Failure(f"{name} is said to listen at {address}, which is no tcp://host:port")
    try:
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout_s)
    except (OSError, OverflowError) as error:
        raise Failure(f'Post "http://a/": dial tcp {host}:{port}: {error}') from error
    connection.settimeout(None)
    return _secured(connection, host) if address.startswith("https:") else connection


def _secured(connection: socket.socket, host: str) -> socket.socket:
    try:
        return create_default_context().wrap_socket(connection, server_hostname=host)
    except OSError as error:
        connection.close()
        raise Failure(f'Post "https://{host}/": {error}') from error
