"""uvicorn's protocol with bounds: for the time that a request may take to come, its headers, and slow readers."""

import asyncio
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from skep.server.errors import Problem, problem_json


@dataclass(frozen=True, slots=True)
class Patience:
    """`request_s`: from the connection, or the first byte of a request, to its last: 4 MiB at 140 kB a second.

    `stuck_s`: a reader that takes nothing for so long is let go; events can be taken up again.
    `idle_s`: a connection is kept for the next request; whole seconds, as those of `grace_s`.
    `grace_s`: how long requests under way may take once the server stops. Those that only wait end at once.
    """

    request_s: float = 30.0
    stuck_s: float = 60.0
    idle_s: int = 5
    grace_s: int = 1


class PatientConfig(uvicorn.Config):
    """uvicorn's settings, and how patient it is."""

    patience = Patience()


HEAD_BYTES_MAX = 64 * 1024
"""Headers of one request. httptools itself has no limit. Chunk sizes and trailers count as well."""

FRAMING = 8
"""Sizes of chunks may take an eighth of what they frame: more is no way to send a body."""


class PatientProtocol(HttpToolsProtocol):
    """What it refuses, it refuses with a Problem: at once where no request can be told, else by the scope's state,
    where `refused` has status and Problem for `serving` to answer with."""

    config: PatientConfig

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._body_bytes = self._earlier_bytes = self._other_bytes = 0
        self._in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_clock()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._start_clock(again=False)
        body_bytes = self._body_bytes
        super().data_received(data)
        self._other_bytes += len(data) - (self._body_bytes - body_bytes)
        if self._other_bytes > HEAD_BYTES_MAX + len(data) + (self._body_bytes - self._earlier_bytes) // FRAMING:
            self._refuse(431, Problem("the headers are larger than 64 KiB", "TooLarge"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._other_bytes, self._earlier_bytes = 0, self._body_bytes
        self._start_clock()

    def on_headers_complete(self) -> None:
        if not self.url.startswith(b"/"):  # absolute-form, authority-form: for proxies, and this is none
            self.scope["state"]["refused"] = (403, Problem("only a path can be asked for here", "Forbidden"))
            self.url = b"/"
        head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if head_bytes > HEAD_BYTES_MAX:
            self.scope["state"]["refused"] = (431, Problem("the headers are larger than 64 KiB", "TooLarge"))
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        self._stop_clock()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, Problem("this is no HTTP/1.1 that this server understands", "Invalid"))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self._stuck or self.loop.call_later(self.config.patience.stuck_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _start_clock(self, *, again: bool = True) -> None:
        if again:
            self._stop_clock()
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.config.patience.request_s, self._too_late)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self._refuse(408, Problem(f"the request did not come within {self.config.patience.request_s:g} s", "TooSlow"))

    def _refuse(self, status: int, problem: Problem) -> None:
        """Answer where that can be understood, and close."""
        if self.transport.is_closing():
            return
        if not self._answered():
            body = problem_json(problem)
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def _answered(self) -> bool:
        """Whether this request has an answer, or an earlier one is being answered."""
        if self.cycle is None:
            return False
        if self.cycle.response_complete:
            return self._in_body
        return self.cycle.response_started or bool(self.pipeline)
