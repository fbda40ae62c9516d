"""Values as Go reads and writes them: names, types, zero values, its words for what does not fit (1.3)."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.model.json import RawJson
from skep.wire import go_decode
from skep.wire.go_decode import GoDecodeError, GoTypeError, fields, quoted, string, string_map, written
from tests.wire.test_envelope import RAW

TEXT = st.text(max_size=20)


def _raw(text: str) -> RawJson:
    return RawJson(text.encode())


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("null", {}),
        ("{}", {}),
        ('{"ID":"a"}', {"ID": b'"a"'}),
        ('{"id":"a"}', {"ID": b'"a"'}),
        ('{"iD" : [ 1 ]}', {"ID": b"[ 1 ]"}),
        ('{"\\u0049d":1}', {"ID": b"1"}),
        ('{"Id":1,"iD":2}', {"ID": b"2"}),
        ('{"ID":1,"id":2}', {"ID": b"2"}),
        ('{"ID":1,"id":2,"ID":3}', {"ID": b"3"}),
        ('{"id":2,"ID":1}', {"ID": b"1"}),
        ('{"ID":1,"ID":2}', {"ID": b"2"}),
        ('{"ID":1,"ID":null}', {"ID": b"null"}),
        ('{"Other":1,"I D":2,"":3}', {}),
        ('{"Tag\\u017f":1}', {"Tags": b"1"}),
    ],
)
def test_fields_are_found_by_their_names(sent: str, found: dict[str, bytes]) -> None:
    assert fields(_raw(sent), ("ID", "Tags")) == found


U64 = 2**64 - 1


@pytest.mark.parametrize(
    ("read", "sent", "value"),
    [
        (go_decode.text, "null", ""),
        (go_decode.text, '"\\u00e9\\n"', "é\n"),
        (go_decode.optional_text, "null", None),
        (go_decode.optional_text, '""', ""),
        (go_decode.truth, "null", False),
        (go_decode.truth, "true", True),
        (go_decode.unsigned, "null", 0),
        (go_decode.unsigned, f"{U64}", U64),
        (go_decode.texts, "null", ()),
        (go_decode.texts, '["a",null]', ("a", "")),
        (go_decode.text_map, "null", {}),
        (go_decode.text_map, '{"A":"1","a":null,"A":"2"}', {"A": "2", "a": ""}),
    ],
)
def test_values_and_their_zeros(read: Callable[[RawJson | None], object], sent: str, value: object) -> None:
    assert read(_raw(sent)) == value
    if sent == "null":
        assert read(None) == value


@pytest.mark.parametrize(
    ("read", "sent", "words"),
    [
        (go_decode.text, "5", "number into Go struct field A.B of type string"),
        (go_decode.text, "{}", "object into Go struct field A.B of type string"),
        (go_decode.optional_text, "true", "bool into Go struct field A.B of type string"),
        (go_decode.truth, '"true"', "string into Go struct field A.B of type bool"),
        (go_decode.truth, "1", "number into Go struct field A.B of type bool"),
        (go_decode.unsigned, '"5"', "string into Go struct field A.B of type uint"),
        (go_decode.unsigned, "-1", "number -1 into Go struct field A.B of type uint"),
        (go_decode.unsigned, "1.0", "number 1.0 into Go struct field A.B of type uint"),
        (go_decode.unsigned, "1e3", "number 1e3 into Go struct field A.B of type uint"),
        (go_decode.unsigned, f"{U64 + 1}", f"number {U64 + 1} into Go struct field A.B of type uint"),
        (go_decode.texts, '"a"', "string into Go struct field A.B of type []string"),
        (go_decode.texts, "[1]", "number into Go struct field A.B of type string"),
        (go_decode.text_map, "[]", "array into Go struct field A.B of type map[string]string"),
        (go_decode.text_map, '{"a":{}}', "object into Go struct field A.B of type string"),
    ],
)
def test_other_types_are_refused_in_gos_words(
    read: Callable[[RawJson | None, str], object], sent: str, words: str
) -> None:
    with pytest.raises(GoTypeError) as told:
        read(_raw(sent), "A.B")
    assert str(told.value) == f"json: cannot unmarshal {words}"


def test_a_value_by_itself_has_no_field_in_its_fault() -> None:
    with pytest.raises(GoTypeError, match=r"^json: cannot unmarshal array into Go value of type string$"):
        go_decode.text(_raw("[]"))


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    with pytest.raises(GoTypeError) as told:
        go_decode.unsigned(_raw("9" * 1_000_000))
    assert len(str(told.value)) < 200


@given(st.dictionaries(TEXT, TEXT))
def test_a_map_of_texts_is_written_in_byte_order_and_read_again(values: dict[str, str]) -> None:
    raw = string_map(values)
    assert go_decode.text_map(raw) == values
    assert list(json.loads(raw) or {}) == sorted(values, key=str.encode)


@given(TEXT)
def test_a_text_is_written_and_read_again(text: str) -> None:
    raw = string(text)
    assert go_decode.text(raw) == text
    assert not {*"<>&\u2028\u2029"} & {*raw.decode()}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{ "a" : [ 1.50 , 1E6 ],\n\t"b": { } }', '{"a":[1.50,1E6],"b":{}}'),
        ('{"a":"< & >  "}', r'{"a":"\u003c \u0026 \u003e  "}'),
        ('"\u2028é"', '"\\u2028é"'),
        (r'"\u003c\/"', r'"\u003c\/"'),
        ("12345678901234567890", "12345678901234567890"),
    ],
)
def test_what_is_opaque_is_written_dense_and_as_spelled(given: str, sent: str) -> None:
    assert written(_raw(given)) == _raw(sent)
    assert written(_raw(f'[{given},"{"x" * 5000}"]')) == _raw(f'[{sent},"{"x" * 5000}"]')


@given(RAW)
def test_writing_changes_no_value(raw: RawJson) -> None:
    dense = written(raw)
    assert json.loads(dense) == json.loads(raw)
    assert written(dense) == dense


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Nope", '"Nope"'),
        ('a"b\\', r'"a\"b\\"'),
        ("é\n\x00\x7f", r'"é\n\x00\x7f"'),
        ("\u2028\U000e0001", r'"\u2028\U000e0001"'),
    ],
)
def test_names_are_quoted_as_go_does(name: str, shown: str) -> None:
    assert quoted(name) == shown


@pytest.mark.parametrize("raw", [b'{"a":1', b'{"a":', b"{", b'{"a":"\\x"}'])
def test_what_is_no_json_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(GoDecodeError):
        go_decode.first_value(raw)
