"""JSON-RPC 2.0 as InfraKit speaks it: one call and one answer in a body each (infrakit-compat.md 2.1 and 2.2)."""

from dataclasses import dataclass

from skep.model.json import NULL, RawJson
from skep.wire.go_decode import (
    GoDecodeError,
    GoTypeError,
    fields,
    first_value,
    kind_of,
    object_of,
    string,
    text,
    written,
)

SERVER_ERROR = -32000
"""Whatever the plugin says, and methods that are not there."""

INVALID_REQUEST = -32600
"""Another JSON-RPC than 2.0, and parameters of the wrong type."""

PARSE_ERROR = -32700
"""A body whose parts have the wrong type."""

NOTHING = RawJson(b"{}")

_NAMES = ("jsonrpc", "method", "params", "id")


@dataclass(frozen=True, slots=True)
class Request:
    """A call. `id` is the JSON as it was sent, for no number of it may change; None asks for no answer."""

    id: bytes | None
    service_method: str
    params: RawJson


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a body that is no call; empty where nobody can be answered."""

    body: bytes


class RpcError(Exception):
    """The other side's error."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


def decode_request(body: bytes) -> Request | Refusal:
    """What a body asks for. No JSON, a list of calls, and whatever is wrong in a call without ID: an empty refusal."""
    try:
        found = fields(first_value(body), _NAMES)
    except GoDecodeError:
        return Refusal(b"")
    id = found.get("id", NULL)
    known = None if id == NULL else bytes(id)
    try:
        version, method = (
            text(found.get("jsonrpc"), "serverRequest.jsonrpc"),
            text(found.get("method"), "serverRequest.method"),
        )
    except GoTypeError as fault:
        return _refusal(known, PARSE_ERROR, str(fault), NULL)
    params = found.get("params", NULL)
    if version != "2.0":
        data = object_of(
            jsonrpc=string(version), method=string(method), params=written(params), id=written(RawJson(id))
        )
        return _refusal(known, INVALID_REQUEST, "jsonrpc must be 2.0", data)
    return Request(known, method, params)


def _refusal(id: bytes | None, code: int, message: str, data: RawJson) -> Refusal:
    return Refusal(b"" if id is None else error(id, code, message, data))


def result(id: bytes, value: RawJson) -> bytes:
    """The answer to a call that succeeded; `value` as it shall be sent."""
    return b'{"jsonrpc":"2.0","result":' + value + b',"id":' + id + b"}\n"


def error(id: bytes, code: int, message: str, data: RawJson = NULL) -> bytes:
    """The answer to a call that failed."""
    told = object_of(code=str(code).encode(), message=string(message), data=data)
    return b'{"jsonrpc":"2.0","error":' + told + b',"id":' + id + b"}\n"


def encode_request(service_method: str, params: RawJson, id: int) -> bytes:
    """The body of a call."""
    return object_of(jsonrpc=b'"2.0"', method=string(service_method), params=params, id=str(id).encode())


def decode_answer(body: bytes) -> RawJson:
    """The result. RpcError where the other side told an error, or null; GoDecodeError for what is no answer."""
    found = fields(first_value(body), ("result", "error"))
    told = found.get("error", NULL)
    if told != NULL:
        raise _told(told)
    if found.get("result", NULL) == NULL:
        raise RpcError(SERVER_ERROR, "result is null")
    return found["result"]


def _told(error: RawJson) -> RpcError:
    """What is no error object is the text itself."""
    try:
        found = fields(error, ("code", "message"))
        return RpcError(_code(found.get("code", NULL)), text(found.get("message")))
    except GoDecodeError:
        return RpcError(SERVER_ERROR, error.decode(errors="replace"))


def _code(raw: RawJson) -> int:
    return int(raw) if kind_of(raw) == "number" and raw.lstrip(b"-").isdigit() and len(raw) < 12 else SERVER_ERROR
