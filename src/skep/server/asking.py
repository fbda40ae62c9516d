"""Who asks, and until when an answer may wait."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

T = TypeVar("T")


def who(request: Request) -> str:
    """The peer as the listener knows it: `uid 0 (root)`, `127.0.0.1 (insecure HTTP)`, the name in a certificate."""
    peer: str = request.state.peer
    return peer


async def until_stop(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives; None as soon as the server stops, so that nobody who listens keeps it from stopping."""
    stop: asyncio.Event = request.state.stop
    asked, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((asked, stopped), return_when=asyncio.FIRST_COMPLETED)
        return await asked if asked.done() else None
    finally:
        asked.cancel()
        stopped.cancel()
