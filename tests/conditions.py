"""Waiting for a condition with a deadline, in the loop's own time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.05


async def until(read: Callable[[], Awaitable[T]], wanted: T, *, within_s: float = 30.0) -> None:
    """Return when `read` gives `wanted`; AssertionError tells what it gave last."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    seen = await read()
    while seen != wanted:
        assert loop.time() < end_s, f"still {seen!r} and not {wanted!r} after {within_s:g} s"
        await asyncio.sleep(POLL_S)
        seen = await read()
