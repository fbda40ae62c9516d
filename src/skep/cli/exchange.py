"""As much of HTTP/1.1 as one request to our own server needs, apart from any socket."""

from __future__ import annotations

from skep.cli.json_text import write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES = 1 << 16
HEAD_BYTES_MAX = 1 << 16
"""A head is a few hundred bytes; what sends more is not our server."""


UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
"""What stands for itself in a URL (RFC 3986)."""


class AnswerError(Exception):
    """What came is no whole HTTP answer."""


def quoted(text: str) -> str:
    """It as a part of a URL, any byte of it."""
    raw = text.encode(errors="surrogateescape")
    return "".join(chr(one) if one in UNRESERVED else f"%{one:02X}" for one in raw)


def write_request(method: str, path: str, body: object = None) -> bytes:
    """A request that asks to close the connection after it; a body is sent as JSON."""
    head = f"{method} {path} HTTP/1.1\r\nHost: skep\r\nAccept: application/json\r\nConnection: close\r\n"
    if body is None:
        return f"{head}\r\n".encode("ascii")
    content = write_json(body).encode("ascii")
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode("ascii") + content


def read_answer(receive: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Status and body of the answer that `receive` gives piece by piece, empty at its end. AnswerError: it is none."""
    source = _Source(receive)
    try:
        first, *lines = source.until(b"\r\n\r\n").split(b"\r\n")
        protocol, status, *_ = first.split(b" ", 2)
        if not protocol.startswith(b"HTTP/1."):
            raise ValueError
        return int(status), _body(source, dict(map(_header, lines)))
    except ValueError as error:
        raise AnswerError(str(error) or "it does not speak HTTP") from error


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip().lower()


def _body(source: _Source, headers: dict[bytes, bytes]) -> bytes:
    if headers.get(b"transfer-encoding") == b"chunked":
        return _chunks(source)
    length = headers.get(b"content-length")
    return source.rest() if length is None else source.take(int(length))


def _chunks(source: _Source) -> bytes:
    """Each piece behind its length in hexadecimal; the last one is empty, and trailers behind it are of no use."""
    found = []
    while size := int(source.until(b"\r\n").split(b";")[0], 16):
        found.append(source.take(size))
        source.take(2)
    return b"".join(found)


class _Source:
    """The bytes to come, in the portions that the reader wants."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._held = b""

    def until(self, mark: bytes) -> bytes:
        """What stands before `mark`, which is left behind."""
        while mark not in self._held:
            if len(self._held) > HEAD_BYTES_MAX:
                raise ValueError("its head has no end")
            self._held += self._more()
        found, _, self._held = self._held.partition(mark)
        return found

    def take(self, size: int) -> bytes:
        if size < 0:
            raise ValueError("it has a negative length")
        parts, held = [self._held], len(self._held)
        while held < size:
            parts.append(self._more())
            held += len(parts[-1])
        whole = b"".join(parts)
        self._held = whole[size:]
        return whole[:size]

    def rest(self) -> bytes:
        parts = [self._held]
        while more := self._receive(READ_BYTES):
            parts.append(more)
        return b"".join(parts)

    def _more(self) -> bytes:
        more = self._receive(READ_BYTES)
        if not more:
            raise ConnectionResetError("the answer ended early")
        return more
