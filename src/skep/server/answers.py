"""What each route may answer besides success, as the OpenAPI document tells it."""

from typing import Any

from fastapi.responses import JSONResponse

from skep.server.bodies import answer
from skep.server.errors import Problem

Responses = dict[int | str, dict[str, Any]]

_WORDS = {
    400: "No HTTP that this server understands",
    403: "Over plain HTTP on loopback: asked by a web page, or for another host. Over TLS: not what that role may do",
    404: "What was named does not exist",
    405: "The path does not take that method",
    408: "The request did not come in time",
    409: "Refused, or changed meanwhile",
    413: "Larger than 4 MiB",
    415: "The body is not called JSON by its Content-Type",
    422: "Every fault of the input at once",
    431: "More than 64 KiB of headers",
    500: "A bug, with the ID of its log entry",
    502: "An engine or plugin refused, in its own words",
    503: "Try again later",
}


def problems(*statuses: int) -> Responses:
    """The answers with these statuses: each is a Problem."""
    return {status: {"model": answer(Problem), "description": _WORDS[status]} for status in sorted(statuses)}


EVERYWHERE = problems(400, 403, 408, 413, 422, 431, 500, 503)
"""What any request may be answered: by the listener, the limits, or a store that does not answer."""


class JsonLine(JSONResponse):
    """JSON that ends its line: what follows it on a terminal begins a new one."""

    def render(self, content: Any) -> bytes:
        return bytes(super().render(content)) + b"\n"


PLAIN_TEXT: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
