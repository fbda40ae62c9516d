"""InfraKit's plugin server as an ASGI application: JSON-RPC over POST (infrakit-compat.md 2.1 and 2.2).

No connection is closed without an answer: what a handler did not expect becomes an error like any other. Bodies are
looked at once and never logged, for they hold join tokens (G21).
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from skep.model.errors import InvalidError, SkepError
from skep.model.json import NULL, RawJson
from skep.server.rpc_body import Bodies, BodyRefusedError
from skep.wire.calls import Interface, hello_result, implements_result, read_nothing, types_result
from skep.wire.envelope import INVALID_REQUEST, SERVER_ERROR, Refusal, Request, decode_request, error, result
from skep.wire.go_decode import GoDecodeError, GoTypeError, items, kind_of, quoted, written

log = structlog.get_logger()

T = TypeVar("T")

STOPPING = "the plugin is stopping: whether it did what was asked is unknown"

VERSION = "0.1.0"
"""What InfraKit v0.1.0 asks for, of every interface."""


@dataclass(frozen=True, slots=True)
class Method(Generic[T]):
    """One method: how its parameters are read, and what answers them; `answer` gets who asked as well."""

    read: Callable[[RawJson], T]
    answer: Callable[[T, str], Awaitable[RawJson]]


AnyMethod = Method[Any]


@dataclass(frozen=True, slots=True)
class Service:
    """A plugin's interface: its methods without `Instance.`, and which later versions it passes for (2.6).

    implements: those of v0.3.0 to v0.5; hello: master's.
    """

    name: str
    implements: tuple[str, ...]
    hello: str
    methods: Mapping[str, AnyMethod]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    type: bytes = b"application/json"


def rpc_app(*services: Service) -> ASGIApp:
    """The application that answers for these interfaces, at any path."""
    return _App({one.name: one.methods for one in (*services, *_handshakes(services))})


def _handshakes(services: tuple[Service, ...]) -> tuple[Service, Service]:
    """v0.1.0 asks `Plugin`, all later ones `Handshake`."""
    first = [Interface(one.name, VERSION) for one in services]
    later = [Interface(one.name, version) for one in services for version in one.implements]
    hello = [Interface(one.name, one.hello) for one in services]
    methods = {
        "Implements": _constant(implements_result(later)),
        "Hello": _constant(hello_result(hello)),
        "Types": _constant(types_result(later)),
    }
    plugin = Service("Plugin", (), "", {"Implements": _constant(implements_result(first))})
    return plugin, Service("Handshake", (), "", methods)


def _constant(value: RawJson) -> Method[None]:
    async def answer(params: None, who: str) -> RawJson:
        return value

    return Method(read_nothing, answer)


class _App:
    def __init__(self, services: Mapping[str, Mapping[str, AnyMethod]]) -> None:
        self._services = services
        self._bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await _send(send, _refused(scope) or await self._answered(scope, receive))
        except ClientDisconnect:  # its body did not come whole: nothing was done, and nobody is left to be told
            return

    async def _answered(self, scope: Scope, receive: Receive) -> _Answer:
        try:
            async with self._bodies.read(scope, receive) as body:
                request = decode_request(body)
                del body
                if isinstance(request, Refusal):
                    return _Answer(200, request.body)
                return _Answer(200, await self._call(request, scope["state"].get("peer", "")))
        except BodyRefusedError as fault:
            return _Answer(fault.status, error(b"null", SERVER_ERROR, str(fault)))

    async def _call(self, request: Request, who: str) -> bytes:
        """The body to send; empty for a call that wants no answer."""
        answer = await self._outcome(request, request.id or b"null", who)
        return b"" if request.id is None else answer

    async def _outcome(self, request: Request, id: bytes, who: str) -> bytes:
        name = request.service_method
        try:
            method = self._found(name)
            return result(id, await method.answer(_read(method, request.params), who))
        except _RefusedError as fault:
            return error(id, fault.code, str(fault), fault.data)
        except SkepError as fault:
            log.debug("a call failed", method=name, error=type(fault).__name__)
            return error(id, SERVER_ERROR, _words(fault))
        except asyncio.CancelledError:  # only the server's end does this, and all that is left to do is to say so
            return error(id, SERVER_ERROR, STOPPING)
        except Exception as fault:  # the outermost seam: logged with its traceback, never shown
            return error(id, SERVER_ERROR, _incident(fault, name))

    def _found(self, name: str) -> AnyMethod:
        """_RefusedError has gorilla/rpc's words for what is not there."""
        service, _, method = name.partition(".")
        if name.count(".") != 1:
            raise _RefusedError(SERVER_ERROR, f"rpc: service/method request ill-formed: {quoted(name)}")
        if service not in self._services:
            raise _RefusedError(SERVER_ERROR, f"rpc: can't find service {quoted(name)}")
        if method not in self._services[service]:
            raise _RefusedError(SERVER_ERROR, f"rpc: can't find method {quoted(name)}")
        return self._services[service][method]


class _RefusedError(Exception):
    def __init__(self, code: int, words: str, data: RawJson = NULL) -> None:
        self.code, self.data = code, data
        super().__init__(words)


def _read(method: Method[T], params: RawJson) -> T:
    """What the parameters say; _RefusedError has Go's words for what they can't be."""
    try:
        return _read_either(method, params)
    except GoDecodeError as fault:
        raise _RefusedError(INVALID_REQUEST, str(fault), written(params)) from fault


def _read_either(method: Method[T], params: RawJson) -> T:
    """An object, or a list of which the first is one: where that fails, the words are those of Go's second try."""
    if kind_of(params) == "array":
        (first, *_) = (*items(params, "", "[1]interface {}"), NULL)
        return method.read(first)
    try:
        return method.read(params)
    except GoTypeError as fault:
        raise GoTypeError(params, "", "[1]interface {}") from fault


def _refused(scope: Scope) -> _Answer | None:
    """Why this is no call at all, as gorilla/rpc says it; None for one that may be."""
    if scope["method"] != "POST":
        return _plain(405, f"rpc: POST method required, received {scope['method']}")
    given = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    kind = given.split(b";", 1)[0].strip().decode("latin-1")
    if kind.lower() not in ("", "application/json"):
        return _plain(415, f"rpc: unrecognized Content-Type: {kind}")
    return None


def _plain(status: int, text: str) -> _Answer:
    return _Answer(status, text.encode(), b"text/plain; charset=utf-8")


async def _send(send: Send, answer: _Answer) -> None:
    length = str(len(answer.body)).encode()
    headers = [(b"content-type", answer.type), (b"content-length", length)]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _words(fault: SkepError) -> str:
    """On one line: clients of InfraKit print it as part of one."""
    return "; ".join(map(str, fault.faults)) if isinstance(fault, InvalidError) else str(fault)


def _incident(fault: Exception, method: str) -> str:
    incident = secrets.token_hex(4)
    log.error("a call failed", incident=incident, method=method, exc_info=fault)
    return f"internal error (incident {incident}): a bug in skep; the plugin's log tells more under this ID"
