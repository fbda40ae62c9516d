"""How much a request may bring, and all of them together."""

from fastapi.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 4 * 1024 * 1024
"""A spec is a few KiB; a folder of a thousand of them still fits."""

HELD_BYTES_MAX = 16 * 1024 * 1024
"""Bodies of all requests under way: a body costs several times its length while it is read."""


class BodyLimit:
    """Ends the reading of a larger body with a 413 that FastAPI passes on (Starlette's own limit speaks plain text),
    and with a 503 where others hold too much already. A length that is told beforehand is believed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken, told = 0, _told_length(scope)

        async def receive_some() -> Message:
            nonlocal taken
            if told > BODY_BYTES_MAX:
                raise HTTPException(413)
            message = await receive()
            size = len(message.get("body", b""))
            taken += size
            self._held += size
            if taken > BODY_BYTES_MAX:
                raise HTTPException(413)
            if self._held > HELD_BYTES_MAX:
                raise HTTPException(503)
            return message

        try:
            await self._app(scope, receive_some, send)
        finally:
            self._held -= taken


def _told_length(scope: Scope) -> int:
    """Content-Length; 0 where there is none. The parser has refused what is no number."""
    return next((int(value) for name, value in scope.get("headers", ()) if name == b"content-length"), 0)
