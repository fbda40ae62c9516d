"""Texts are fetched from files and web servers, within limits, and what goes wrong says what to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from skep.adapters.fetch import UrlFetch
from skep.model.errors import InvalidError, NotFoundError, RejectedError, SkepError, UnavailableError

TEXT = "docker pull nginx\n# für alle\n"


@asynccontextmanager
async def web(answer: bytes, *, ends: bool = True) -> AsyncIterator[str]:
    """The address of a server that gives this answer to everybody, and then hangs up or says no more."""
    waiting: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if ends:
            writer.close()
        waiting.append(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in waiting:
            writer.close()


def status(code: int, body: str = "") -> bytes:
    return f"HTTP/1.1 {code} Words\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()


async def test_text_comes_from_files_and_from_web_servers(tmp_path: Path) -> None:
    file = tmp_path / "a script.sh"
    file.write_text(TEXT)
    assert await UrlFetch().text(file.as_uri()) == TEXT
    assert await UrlFetch().text(f"file://localhost{str(file).replace(' ', '%20')}") == TEXT
    async with web(status(200, TEXT)) as address:
        assert await UrlFetch().text(f"{address}/init.sh?sig=x") == TEXT


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (404, NotFoundError, "it is not there"),
        (410, NotFoundError, "HTTP 410"),
        (403, RejectedError, "HTTP 403"),
        (500, UnavailableError, "HTTP 500"),
        (429, UnavailableError, "HTTP 429"),
    ],
)
async def test_an_answer_without_the_text_says_what_to_do(code: int, error: type[SkepError], says: str) -> None:
    async with web(status(code)) as address:
        with pytest.raises(error, match=says) as caught:
            await UrlFetch().text(f"{address.replace('//', '//ann:pass@')}/a.sh?signature=abc")
    assert "pass" not in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("file:///does/not/exist", NotFoundError, "No such file"),
        ("file:///dev/zero", InvalidError, "is no file"),
        ("file://elsewhere/etc/x", InvalidError, "want file:///PATH"),
        ("file:relative", InvalidError, "want file:///PATH"),
        ("ftp://127.0.0.1/x", InvalidError, "want file:///PATH, http://"),
        ("", InvalidError, "want file:///PATH, http://"),
        ("http://", InvalidError, "InvalidU"),
        ("http://[::1/x", InvalidError, "leads nowhere: Invalid IPv6 URL"),
        ("file:///tmp/%00", InvalidError, "leads nowhere: embedded null byte"),
        ("http://127.0.0.1:1/x", UnavailableError, "http://127.0.0.1:1/x"),
    ],
)
async def test_a_url_that_leads_nowhere_is_told(url: str, error: type[SkepError], says: str) -> None:
    with pytest.raises(error, match=says):
        await UrlFetch().text(url)


async def test_what_is_too_long_or_no_text_is_refused(tmp_path: Path) -> None:
    long, binary = tmp_path / "long", tmp_path / "binary"
    long.write_text("x" * 101)
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidError, match="more than 100 bytes"):
        await UrlFetch(bytes_max=100).text(long.as_uri())
    with pytest.raises(InvalidError, match="no text in UTF-8"):
        await UrlFetch().text(binary.as_uri())


async def test_a_body_without_end_is_not_waited_for() -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    async with web(endless, ends=False) as address:
        with pytest.raises(InvalidError, match="more than 100 bytes"):
            await UrlFetch(bytes_max=100).text(address)
        with pytest.raises(UnavailableError, match=r"no answer within 0\.2 s"):
            await UrlFetch(timeout_s=0.2).text(address)
