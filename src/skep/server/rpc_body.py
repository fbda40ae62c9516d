"""Bodies of calls, and how much memory they may take."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

BODY_BYTES_MAX = 16 * 1024 * 1024
"""A machine's Init is some KiB; a cloud takes 16 KiB of it."""

COMMAS_MAX = 200_000
"""Values in one body cost a hundred times their length while they are read, and time in which nobody else is answered:
four million that fit into 16 MiB took 1.4 GiB and 20 s. A spec has some hundred; commas in texts count as well."""

HELD_BYTES_MAX = 64 * 1024 * 1024
"""Bodies of all calls under way: five hundred machines with 128 KiB each."""


class BodyRefusedError(Exception):
    """A body that is not read to its end, with its HTTP status."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)


class Bodies:
    """Reads bodies; what it gave counts until its call has ended."""

    def __init__(self) -> None:
        self._held = 0

    @asynccontextmanager
    async def read(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """The whole body. BodyRefusedError where it is too large, or where others hold too much already: the rest
        is let in and forgotten, so that whoever sends it comes to read the answer. ClientDisconnect where it never
        came whole: nobody is left to be told."""
        parts: list[bytes] = []
        taken = 0
        try:
            _check(_told_length(scope), self._held)
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                part: bytes = message.get("body", b"")
                taken += len(part)
                self._held += len(part)
                _check(taken, self._held)
                parts.append(part)
                more = message.get("more_body", False)
            body = b"".join(parts)
            parts.clear()
            if body.count(b",") > COMMAS_MAX:
                raise BodyRefusedError(413, f"the request has more than {COMMAS_MAX} values")
            yield body
        finally:
            self._held -= taken


def _check(size: int, held: int) -> None:
    if size > BODY_BYTES_MAX:
        raise BodyRefusedError(413, "the request is larger than 16 MiB")
    if held > HELD_BYTES_MAX:
        raise BodyRefusedError(503, "too many large requests at once: try again in a moment")


def _told_length(scope: Scope) -> int:
    """Content-Length; 0 where there is none. The parser has refused what is no number."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
