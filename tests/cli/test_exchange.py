"""HTTP and JSON by hand: the same as the standard library's, however the bytes come."""

import io
import json
import math
import subprocess
import sys
from collections.abc import Callable
from http.client import HTTPResponse
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skep.cli.exchange import AnswerError, quoted, read_answer, write_request
from skep.cli.json_text import read_json, write_json

SRC = str(Path(__file__).parents[2] / "src")
HEADS = (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n", b"HTTP/1.0 404 Not Found\r\n", b"HTTP/1.1 503\r\n")


def _pieces(raw: bytes, cuts: list[int]) -> Callable[[int], bytes]:
    """A receiver that gives `raw` in pieces, and then nothing."""
    places = sorted({cut % (len(raw) + 1) for cut in cuts} | {0, len(raw)})
    waiting = [raw[begin:end] for begin, end in pairwise(places)]
    return lambda _size: waiting.pop(0) if waiting else b""


def _chunked(body: bytes, cuts: list[int]) -> bytes:
    receive = _pieces(body, cuts)
    chunks = []
    while piece := receive(0):
        chunks.append(b"%X;a=b\r\n%s\r\n" % (len(piece), piece))
    return b"".join(chunks) + b"0\r\n\r\n"


@given(
    head=st.sampled_from(HEADS),
    body=st.binary(max_size=300),
    framing=st.sampled_from(["length", "chunked", "end"]),
    inner=st.lists(st.integers(0, 10_000), max_size=5),
    cuts=st.lists(st.integers(0, 10_000), max_size=20),
)
def test_an_answer_is_read_as_the_standard_library_reads_it(
    head: bytes, body: bytes, framing: str, inner: list[int], cuts: list[int]
) -> None:
    framed = {
        "length": b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(body, inner),
        "end": b"\r\n" + body,
    }
    raw = head + framed[framing]
    assert read_answer(_pieces(raw, cuts)) == _by_library(raw) == (int(head[9:12]), body)


def _by_library(raw: bytes) -> tuple[int, bytes]:
    class Socket:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(raw)

    response = HTTPResponse(cast(Any, Socket()))
    response.begin()
    return response.status, response.read()


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 fine\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"x" * 200_000,
    ],
)
def test_what_is_no_answer_is_told_apart(raw: bytes) -> None:
    with pytest.raises(AnswerError):
        read_answer(_pieces(raw, []))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
    ],
)
def test_an_answer_that_breaks_off_is_never_taken_for_whole(raw: bytes) -> None:
    with pytest.raises(ConnectionError):
        read_answer(_pieces(raw, []))


def test_a_request_is_whole() -> None:
    head, _, body = write_request("POST", "/v1/apply", {"files": ["é"]}).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/apply HTTP/1.1"
    assert f"Content-Length: {len(body)}".encode() in lines
    assert json.loads(body) == {"files": ["é"]}
    assert write_request("GET", "/v1/status").endswith(b"Connection: close\r\n\r\n")


@given(text=st.text(max_size=30))
def test_any_text_is_a_part_of_a_url(text: str) -> None:
    assume(text.isprintable())
    assert quoted(text) == quote(text, safe="")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=VALUES, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_json_is_read_as_the_standard_library_reads_it(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = f" {json.dumps(value, indent=indent, ensure_ascii=ascii_only)}\r\n\t"
    assert read_json(text.encode(errors="surrogatepass")) == value


@given(value=VALUES)
def test_json_is_written_as_the_standard_library_writes_it(value: Any) -> None:
    assert write_json(value) == json.dumps(value)


@pytest.mark.parametrize("text", [b"", b" ", b"hello", b"{", b'{"a": 1} x', b"[1,]", b'"\xff"', b"{'a': 1}", b'"a\nb"'])
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def test_what_is_no_json_is_told_also_while_the_module_json_is_not_loaded() -> None:
    """As in a command: there the scanner in C has no error of its own to raise."""
    said = f"import sys; sys.path.insert(0, {SRC!r}); from skep.cli.json_text import read_json"
    said += "; assert 'json' not in sys.modules"
    tried = "\ntry: read_json(b'{\"a\" 1}')\nexcept ValueError: print('no JSON')"
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", said + tried], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("no JSON\n", "")


def test_a_python_that_lacks_the_parts_in_c_does_it_with_the_library() -> None:
    assert read_json(b' {"a": [1, null]} ', lambda: None) == {"a": [1, None]}
    assert write_json({"a": ["é", None]}, lambda: None) == write_json({"a": ["é", None]})


def test_json_knows_what_python_writes_for_what_is_no_number() -> None:
    assert math.isnan(read_json(b"NaN"))
    assert read_json(b"[Infinity, -Infinity]") == [math.inf, -math.inf]


def test_json_refuses_to_write_what_it_has_no_word_for() -> None:
    with pytest.raises(TypeError, match="set has no JSON"):
        write_json({1, 2})
