"""A small server that answers as it is told: on a unix socket, on TCP, with and without TLS."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Called with the head of a request, whose first line is `GET /v1.41/info HTTP/1.1`."""

VERSION = b'{"ApiVersion":"1.41"}'


async def say(
    writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", content: str = "application/json"
) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


class _Connections:
    """What serves the connections, so that they end with the server."""

    def __init__(self, answer: Answer, version: bytes) -> None:
        self._answer, self._version = answer, version
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._tasks.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if head.startswith("GET /version"):
                    await say(writer, self._version)
                else:
                    await self._answer(head, writer)
        writer.close()

    async def end(self) -> None:
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            if task:
                await asyncio.wait_for(task, 5)


@contextlib.asynccontextmanager
async def serving(path: Path, answer: Answer, version: bytes = VERSION) -> AsyncIterator[str]:
    """The endpoint of a server on a unix socket; GET /version is answered for it."""
    connections = _Connections(answer, version)
    server = await asyncio.start_unix_server(connections.serve, path)
    try:
        yield f"unix://{path}"
    finally:
        server.close()
        await connections.end()


@contextlib.asynccontextmanager
async def serving_tcp(
    answer: Answer, context: ssl.SSLContext | None = None, version: bytes = VERSION
) -> AsyncIterator[int]:
    """The port of a server on 127.0.0.1."""
    connections = _Connections(answer, version)
    server = await asyncio.start_server(connections.serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await connections.end()
