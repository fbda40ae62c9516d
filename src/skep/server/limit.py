"""How much a request may bring."""

from fastapi.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 4 * 1024 * 1024
"""A spec is a few KiB; a folder of a thousand of them still fits."""


class BodyLimit:
    """Ends the reading of a larger body with a 413 that FastAPI passes on (Starlette's own limit speaks plain text)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def receive_some() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES_MAX:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_some, send)
