"""The rules of infrakit-compat.md 2.2 as tables, and as properties."""

import json
from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.model.json import RawJson
from skep.wire.envelope import Refusal, Request, RpcError, decode_answer, decode_request, encode_request, error, result
from skep.wire.go_decode import GoDecodeError

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

RAW = JSON_VALUES.map(lambda value: RawJson(json.dumps(value, ensure_ascii=False).encode(errors="replace")))

IDS = st.one_of(
    st.integers(0, 2**63).map(lambda number: str(number).encode()),
    st.sampled_from([b"0", b"-1", b"1.0", b"1.50", b"1e3", b"9223372036854775807", b'"a<b"', b'"\\u003c"', b'""']),
    RAW.filter(lambda raw: raw != b"null"),
)


def _call(**parts: bytes) -> bytes:
    whole = {"jsonrpc": b'"2.0"', "method": b'"Group.InspectGroups"', "params": b"{}", "id": b"1"} | parts
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in whole.items() if value) + b"}"


@given(IDS)
def test_an_id_comes_back_byte_for_byte(id: bytes) -> None:
    request = decode_request(_call(id=id))
    assert isinstance(request, Request)
    assert request.id == id
    assert result(id, RawJson(b"{}")) == b'{"jsonrpc":"2.0","result":{},"id":' + id + b"}\n"
    assert error(id, -32000, "x").endswith(b',"id":' + id + b"}\n")


@given(st.text(ascii_letters, min_size=1), RAW, st.integers(0, 2**63 - 1))
def test_what_a_client_says_is_what_a_server_hears(method: str, params: RawJson, id: int) -> None:
    assert decode_request(encode_request(method, params, id)) == Request(str(id).encode(), method, params)


@given(st.sampled_from(["jsonrpc", "method", "params", "id"]), st.integers(0, 127))
def test_names_match_without_regard_to_case(name: str, upper: int) -> None:
    spelled = "".join(char.upper() if upper >> at & 1 else char for at, char in enumerate(name))
    body = _call(id=b"7", params=b'{"a":1}').replace(f'"{name}"'.encode(), f'"{spelled}"'.encode())
    assert decode_request(body) == Request(b"7", "Group.InspectGroups", RawJson(b'{"a":1}'))


@given(st.dictionaries(st.text(min_size=8, max_size=12), JSON_VALUES, max_size=3))
def test_unknown_fields_are_passed_over(more: dict[str, object]) -> None:
    known = json.loads(_call())
    assert decode_request(json.dumps(more | known).encode()) == Request(b"1", "Group.InspectGroups", RawJson(b"{}"))


def test_the_last_of_a_repeated_field_wins() -> None:
    assert decode_request(b'{"id":1,"jsonrpc":"1.0","jsonrpc":"2.0","method":"a.b","id":2}') == Request(
        b"2", "a.b", RawJson(b"null")
    )


def test_the_last_of_a_repeated_field_wins_however_it_is_spelled() -> None:
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"a.b","ID":2,"METHOD":"c.d","params":{"x":{"id":9}},"id":3,"Method":"e.f"}'
    )
    assert decode_request(body) == Request(b"3", "e.f", RawJson(b'{"x":{"id":9}}'))
    assert decode_request(body.replace(b'"id":3', b'"iD":4')) == Request(b"4", "e.f", RawJson(b'{"x":{"id":9}}'))


@pytest.mark.parametrize("id", [b"", b"null", b" null "], ids=["absent", "null", "null among white space"])
def test_without_an_id_it_is_a_notification(id: bytes) -> None:
    request = decode_request(_call(id=id))
    assert isinstance(request, Request)
    assert request.id is None


@pytest.mark.parametrize("params", [b"", b"null"])
def test_without_params_they_are_null(params: bytes) -> None:
    assert decode_request(_call(params=params)) == Request(b"1", "Group.InspectGroups", RawJson(b"null"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"{",
        b"nonsense",
        b'{"id":1',
        b'{"id":01}',
        b"[]",
        b"[%b]" % _call(),
        b"5",
        b'"text"',
        b"true",
        b"null",
        b"\xef\xbb\xbf" + _call(),
        b"\0\xff",
        _call(params=b"[" * 200_000),
        _call(params=b"[" * 5_000 + b"]" * 5_000),
        _call(id=b"", jsonrpc=b'"1.0"'),
        _call(id=b"", method=b"5"),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_can_not_be_answered_gets_an_empty_body(body: bytes) -> None:
    assert decode_request(body) == Refusal(b"")


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        (
            {"jsonrpc": b'"1.0"', "id": b"3"},
            b'"code":-32600,"message":"jsonrpc must be 2.0","data":'
            b'{"jsonrpc":"1.0","method":"Group.InspectGroups","params":{},"id":3}},"id":3}',
        ),
        (
            {"jsonrpc": b"", "params": b"", "id": b'"x"'},
            b'"code":-32600,"message":"jsonrpc must be 2.0","data":'
            b'{"jsonrpc":"","method":"Group.InspectGroups","params":null,"id":"x"}},"id":"x"}',
        ),
        (
            {"method": b"5"},
            b'"code":-32700,"message":"json: cannot unmarshal number into Go struct field serverRequest.method of type '
            b'string","data":null},"id":1}',
        ),
    ],
    ids=["another version", "no version", "a method that is no text"],
)
def test_another_envelope_is_refused_in_words(parts: dict[str, bytes], answer: bytes) -> None:
    assert decode_request(_call(**parts)) == Refusal(b'{"jsonrpc":"2.0","error":{' + answer + b"\n")


@pytest.mark.parametrize("tail", [b"", b"\n", b" {}", b"garbage", b"\0"])
def test_what_follows_the_call_is_not_looked_at(tail: bytes) -> None:
    """As Go's Decoder: it takes one value and leaves the rest."""
    assert decode_request(_call() + tail) == Request(b"1", "Group.InspectGroups", RawJson(b"{}"))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'{"a":"\ud800"}', rb'{"a":"\ufffd"}'),
        (rb'{"a":"\ud800\ud800\udc00"}', rb'{"a":"\ufffd\ud800\udc00"}'),
        (rb'{"a":"\\ud800"}', rb'{"a":"\\ud800"}'),
        (rb'{"a":"\\\ud800"}', rb'{"a":"\\\ufffd"}'),
        (b'{"a":"\xff"}', '{"a":"�"}'.encode()),
    ],
)
def test_what_is_no_text_becomes_a_replacement(sent: bytes, read: bytes) -> None:
    request = decode_request(_call(params=sent))
    assert isinstance(request, Request)
    assert request.params == read


def test_what_is_opaque_keeps_its_spelling() -> None:
    raw = rb'{"z":1.50, "a":1E6,  "big":12345678901234567890,"e":"\u00e9","z":0}'
    request = decode_request(b" " + _call(params=b"\t" + raw + b"\n"))
    assert isinstance(request, Request)
    assert request.params == raw


@given(st.binary(max_size=200))
def test_no_body_is_too_much(body: bytes) -> None:
    assert isinstance(decode_request(body), Request | Refusal)


@given(RAW)
def test_no_json_is_too_much(body: bytes) -> None:
    assert isinstance(decode_request(body), Request | Refusal)


# --- answers ----------------------------------------------------------------------------------------------------


@given(RAW.filter(lambda raw: raw != b"null"))
def test_a_result_is_given_as_it_is(value: RawJson) -> None:
    assert decode_answer(result(b"1", value)) == value


@given(st.integers(-99_999_999, 0), st.text())
def test_an_error_is_told_in_the_same_words(code: int, message: str) -> None:
    with pytest.raises(RpcError) as told:
        decode_answer(error(b"1", code, message))
    assert (told.value.code, told.value.message) == (code, message)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"jsonrpc":"2.0","id":1}', -32000, "result is null"),
        (b'{"result":null,"error":null,"id":1}', -32000, "result is null"),
        (b'{"error":"plain words","id":1}', -32000, '"plain words"'),
        (b'{"ERROR":{"Code":7,"Message":"x"},"id":1}', 7, "x"),
        (b'{"error":{},"id":1}', -32000, ""),
        (b'{"error":{"code":1.5,"message":"x"},"id":1}', -32000, "x"),
        (b'{"error":{"code":%b,"message":"x"},"id":1}' % (b"9" * 5000), -32000, "x"),
    ],
)
def test_errors_of_every_shape_are_errors(body: bytes, code: int, message: str) -> None:
    with pytest.raises(RpcError) as told:
        decode_answer(body)
    assert (told.value.code, told.value.message) == (code, message)


@pytest.mark.parametrize("body", [b"", b"502 Bad Gateway", b"[]", b"5", b"{"])
def test_what_is_no_answer_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(GoDecodeError):
        decode_answer(body)
