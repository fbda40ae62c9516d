"""A plugin of another maker: it answers on a unix socket as it is told, and keeps what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class RefusalError(Exception):
    """The answer is an error with this text."""


class UnknownMethodError(RefusalError):
    """The answer to a method that is not there (infrakit-compat.md 2.2)."""

    def __init__(self, method: str) -> None:
        super().__init__(f'rpc: can\'t find service "{method}"')


class RawAnswerError(Exception):
    """The answer is these bytes, HTTP and all, and then it hangs up."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer


Answer = Callable[[Any], Any]
"""Params to result, as a value or as JSON; it may also raise one of the above, or wait."""


def implements(*names: str, version: str = "0.1.0") -> Answer:
    """The oldest handshake (2.3)."""
    return lambda params: {"APIs": [{"Name": name, "Version": version} for name in names]}


@dataclass
class PluginDouble:
    """`answers` by method; a method that is not among them is unknown. `calls` is what was asked, in order."""

    answers: dict[str, Answer]
    calls: list[tuple[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    under_way: int = 0
    at_once: int = 0
    connections: int = 0

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await self._head(reader):
                self.heads.append(head)
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.bodies.append(body)
                writer.write(await self._answered(body))
                await writer.drain()
        except RawAnswerError as raw:
            writer.write(raw.answer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""

    async def _answered(self, body: bytes) -> bytes:
        request = json.loads(body)
        self.calls.append((request["method"], request["params"]))
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        try:
            answer = await self._result(request["method"], request["params"])
        except RefusalError as error:
            told = {"code": -32000, "message": str(error), "data": None}
            return http(json.dumps({"jsonrpc": "2.0", "error": told, "id": request["id"]}).encode())
        finally:
            self.under_way -= 1
        result = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return http(b'{"jsonrpc":"2.0","result":%s,"id":%d}\n' % (result, request["id"]))

    async def _result(self, method: str, params: Any) -> Any:
        if method not in self.answers:
            raise UnknownMethodError(method)
        answer = self.answers[method](params)
        return await answer if asyncio.iscoroutine(answer) else answer


def http(body: bytes, status: str = "200 OK") -> bytes:
    """As a plugin of v0.1.0 answers (2.1): the type is sniffed from the body."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def listening(double: PluginDouble, path: Path, backlog: int = 4096) -> AsyncIterator[PluginDouble]:
    """On that socket until the end, when whoever waits is hung up on and the socket is gone."""
    tasks = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await double.serve(reader, writer)
        except asyncio.CancelledError:
            return

    server = await asyncio.start_unix_server(serve, path, backlog=backlog)
    try:
        yield double
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(path.unlink, missing_ok=True)
