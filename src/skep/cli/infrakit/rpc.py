"""Calls of a plugin: JSON-RPC 2.0 over HTTP over its socket (infrakit-compat.md 2.1 to 2.3)."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_STREAM, socket
from time import monotonic

from skep.cli.exchange import AnswerError, read_answer
from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.json_text import NULL, Number, members, read, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skep.cli.infrakit.discovery import Endpoint
    from skep.cli.infrakit.logline import Log

CONNECT_S = 10.0
"""For a host that is dead; once connected, a call may take as long as a machine takes to be made."""

HANDSHAKE_S = 15.0
"""It is answered from memory: a plugin that does not answer it is stopped, or hangs."""

CLIENT_VERSION = "0.1.0"
VERSIONS = {
    "Group": frozenset({"0.1.0", "0.1.1"}),
    "Instance": frozenset({"0.1.0", "0.3.0", "0.5.0", "0.6.0", "0.6.1"}),
    "Flavor": frozenset({"0.1.0", "0.1.1"}),
}
"""What other generations call interfaces that have the methods we call (infrakit-compat.md 2.6)."""


class _RpcError(Exception):
    """The plugin's own error."""


class Plugin:
    """One plugin behind a socket, and the interface that is wanted of it: Group, Instance or Flavor."""

    def __init__(self, endpoint: Endpoint, interface: str, log: Log) -> None:
        self._endpoint, self._interface, self._log = endpoint, interface, log

    def shake_hands(self) -> None:
        """Failure: it is not there, or it is something else."""
        try:
            self._check_apis(self._call("Plugin.Implements", "{}"), {CLIENT_VERSION})
        except _RpcError:
            self._shake_hands_as_later()

    def _shake_hands_as_later(self) -> None:
        """As plugins of other generations do."""
        try:
            self._check_apis(self._call("Handshake.Implements", "{}"), VERSIONS[self._interface])
            return
        except _RpcError:
            pass
        try:
            told = read(self._call("Handshake.Hello", "{}"))
        except _RpcError as error:
            raise Failure(str(error)) from error
        objects = field(told, "Objects")
        names = [name.partition("/") for name in objects] if isinstance(objects, dict) else []
        self._check([(name, version) for name, _, version in names], VERSIONS[self._interface])

    def _check_apis(self, result: str, versions: set[str] | frozenset[str]) -> None:
        apis = field(read(result), "APIs")
        rows = apis if isinstance(apis, list) else []
        self._check([(text(field(one, "Name")), text(field(one, "Version"))) for one in rows], versions)

    def _check(self, told: list[tuple[str, str]], versions: set[str] | frozenset[str]) -> None:
        offered = [version for name, version in told if name == self._interface]
        if not offered:
            raise Failure(f"Plugin does not support interface {{{self._interface} {CLIENT_VERSION}}}")
        if versions.isdisjoint(offered):
            raise Failure(
                f"Plugin supports {self._interface} interface version {offered[0]}, client requires {CLIENT_VERSION}"
            )

    def call(self, method: str, *params: tuple[str, str]) -> dict[str, str]:
        """Of the result, each name in lower case and its value as written. Failure: the plugin's error, in its words.

        method: without the interface; params: names and JSON.
        """
        given = [*params, *self._part()]
        try:
            result = self._call(
                f"{self._interface}.{method}",
                f"{{{','.join(f'{string(name)}:{value}' for name, value in given)}}}",
            )
        except _RpcError as error:
            raise Failure(str(error)) from error
        if not isinstance(read(result), dict):
            raise Failure(f"{self._endpoint.name} answered {self._interface}.{method} with no object")
        return members(result)

    def _part(self) -> list[tuple[str, str]]:
        """How later generations are told which of several objects behind a socket is meant."""
        part = self._endpoint.part
        return [("Name" if self._interface == "Group" else "Type", string(part))] if part else []

    def _call(self, method: str, params: str) -> str:
        number = int.from_bytes(os.urandom(8), "big") >> 1
        body = f'{{"jsonrpc":"2.0","method":{string(method)},"params":{params},"id":{number}}}'
        began_s = monotonic()
        handshake = method.startswith(("Plugin.", "Handshake."))
        answer = self._exchange(body.encode(), HANDSHAKE_S if handshake else None)
        self._log.debug(f"{method} at {self._endpoint.address} took {monotonic() - began_s:.3f} s")
        return _result(answer)

    def _exchange(self, body: bytes, timeout_s: float | None) -> str:
        head = (
            "POST / HTTP/1.1\r\nHost: a\r\nUser-Agent: infrakit\r\n"
            f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        )
        connection = self._connected()
        connection.settimeout(timeout_s)
        try:
            _send(connection, head.encode() + body)
            status, answer = read_answer(connection.recv)
        except TimeoutError as error:
            raise Failure(f"{self._endpoint.name} gave no answer within {timeout_s:g} s") from error
        except (AnswerError, OSError) as error:
            # Go's client says no more; what it was that broke off is worth a few words.
            raise Failure(f'Post "http://a/": EOF ({self._endpoint.name} broke off: {error})') from error
        finally:
            connection.close()
        if status != 200:
            told = answer.decode(errors="replace").strip()
            raise Failure(f"{self._endpoint.name} answered with HTTP status {status}: {told}")
        return answer.decode(errors="replace")

    def _connected(self) -> socket:
        address, name = self._endpoint.address, self._endpoint.name
        if "://" in address:
            from skep.cli.infrakit.remote import connected  # noqa: PLC0415 - few plugins are on another host

            return connected(name, address, CONNECT_S)
        connection = socket(AF_UNIX, SOCK_STREAM)
        try:
            connection.connect(address)
            return connection
        except (ConnectionRefusedError, FileNotFoundError) as error:
            connection.close()
            raise Failure(f"Plugin not found: {name} (nobody listens on {address} any more)") from error
        except OSError as error:
            connection.close()
            why = (error.strerror or str(error)).lower()
            raise Failure(f'Post "http://a/": dial unix {address}: connect: {why}') from error


def _send(connection: socket, request: bytes) -> None:
    """A plugin that refuses what it has not read yet hangs up on it: why, stands in its answer."""
    try:
        connection.sendall(request)
    except (BrokenPipeError, ConnectionResetError):
        return


def _result(answer: str) -> str:
    """The result as it is written. _RpcError: there is an error instead."""
    if not answer.strip():
        raise Failure("EOF")
    if not isinstance(read(answer), dict):
        raise Failure("the plugin's answer is no object")
    found = members(answer)
    error = read(found.get("error", NULL))
    if error is not None:
        raise _RpcError(text(field(error, "message")) or found["error"])
    if found.get("result", NULL) == NULL:
        raise Failure("result is null")
    return found["result"]


def field(value: Any, name: str) -> Any:
    """Of an object, the value under this name in any spelling; None where there is none."""
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    return next((one for key, one in value.items() if key.lower() == name.lower()), None)


def text(value: Any) -> str:
    """It, where it is a text; else empty, as Go has what is absent."""
    return value if isinstance(value, str) and not isinstance(value, Number) else ""
