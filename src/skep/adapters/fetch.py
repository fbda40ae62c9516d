"""Text by URL: ports.Fetch over files of this host and HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp

from skep.model.errors import Fault, InvalidError, NotFoundError, RejectedError, UnavailableError
from skep.specs.endpoints import shown_url

BYTES_MAX = 1024 * 1024
"""No cloud takes an init script of a quarter of this."""

TIMEOUT_S = 10.0
"""For the whole of a file: whoever waits for it holds up the making of a machine."""

AT_ONCE = 8
"""A group of a hundred machines asks for its template a hundred times."""


class UrlFetch:
    """Each fetch is a fresh one; nothing is kept, so that a template that was mended is used at once."""

    def __init__(self, timeout_s: float = TIMEOUT_S, bytes_max: int = BYTES_MAX) -> None:
        self._timeout_s = timeout_s
        self._bytes_max = bytes_max
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def text(self, url: str) -> str:
        try:
            async with self._turns:
                content = await self._content(url)
        except ValueError as error:  # a bracket that nothing closes, a NUL in a path
            raise InvalidError([Fault(f"{shown_url(url)} leads nowhere: {error}")]) from error
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise InvalidError([Fault(f"{shown_url(url)} is no text in UTF-8")]) from error

    async def _content(self, url: str) -> bytes:
        scheme = urlsplit(url).scheme
        if scheme == "file":
            return await asyncio.to_thread(self._file, url)
        if scheme in ("http", "https"):
            return await self._http(url)
        raise InvalidError([Fault(f"{shown_url(url)}: want file:///PATH, http://… or https://…")])

    def _file(self, url: str) -> bytes:
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_absolute():
            raise InvalidError([Fault(f"{url}: want file:///PATH with the whole path")])
        try:
            if path.exists() and not path.is_file():
                raise InvalidError([Fault(f"{url} is no file")])
            with path.open("rb") as file:
                return self._bounded(url, file.read(self._bytes_max + 1))
        except OSError as error:
            raise NotFoundError(f"could not read {url}: {error.strerror}") from error

    async def _http(self, url: str) -> bytes:
        shown = shown_url(url)
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
                _check_status(shown, response.status)
                return self._bounded(shown, await _start(response.content.iter_any(), self._bytes_max + 1))
        except TimeoutError as error:
            raise UnavailableError(f"could not fetch {shown}: no answer within {self._timeout_s:g} s") from error
        except (aiohttp.InvalidURL, aiohttp.TooManyRedirects) as error:
            raise InvalidError([Fault(f"could not fetch {shown}: {type(error).__name__}")]) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(f"could not fetch {shown}: {_why(error)}") from error

    def _bounded(self, url: str, content: bytes) -> bytes:
        if len(content) > self._bytes_max:
            raise InvalidError([Fault(f"{url} has more than {self._bytes_max} bytes")])
        return content


async def _start(chunks: AsyncIterator[bytes], size: int) -> bytes:
    """No more than `size` bytes of it, and one chunk: what goes on without end is not waited for."""
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) >= size:
            break
    return bytes(content)


def _check_status(shown: str, status: int) -> None:
    if status in (404, 410):
        raise NotFoundError(f"could not fetch {shown}: it is not there (HTTP {status})")
    if status >= 500 or status in (408, 425, 429):
        raise UnavailableError(f"could not fetch {shown}: HTTP {status}")
    if status >= 300:
        raise RejectedError(f"could not fetch {shown}: HTTP {status}")


def _why(error: Exception) -> str:
    return (
        str(error.os_error) if isinstance(error, aiohttp.ClientConnectorError) else str(error) or type(error).__name__
    )
