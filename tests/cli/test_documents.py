"""What is printed for programs: JSON to the letter as the library's, and YAML that libraries read as the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from skep.cli.documents import json_lines, yaml_lines

ODD = ["", "no", "On", "1.5", "0x1f", "2026-11-22", "a: b", "a:", "- a", "# a", "a #b", " a", "a ", "~", "<<", "null"]
ODD += [
    "é",
    "日本",
    "a\nb",
    "a\u2028b",
    "\x7f\x85\x00",
    "😀",
    "\ud800",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "{a",
    "[a",
    "1_000",
]
TEXTS = st.text(max_size=20) | st.sampled_from(ODD) | st.text(alphabet="ab: -#'\"\\,", max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(value=VALUES, ascii_only=st.booleans())
def test_json_is_printed_as_the_standard_library_prints_it(value: Any, ascii_only: bool) -> None:
    assert "\n".join(json_lines(value, ascii_only=ascii_only)) == json.dumps(value, indent=2, ensure_ascii=ascii_only)


@given(value=VALUES)
def test_yaml_says_what_the_value_says(value: Any) -> None:
    text = "\n".join(yaml_lines(value))
    assert _read(text) == value
    assert text.isprintable() or "\n" in text


@pytest.mark.parametrize("value", [[], {}, None, "web", {"a" * 2000: {"b": [1]}, "c": 2}, {"é" * 600: []}])
def test_yaml_of_small_and_of_long_things(value: Any) -> None:
    assert _read("\n".join(yaml_lines(value))) == value


def test_numbers_with_an_exponent_are_numbers_in_yaml_1_1_too() -> None:
    assert yaml_lines([1e-05, 1e22, 1.5e300]) == ["- 1.0e-05", "- 1.0e+22", "- 1.5e+300"]


def test_no_numbers_have_their_own_words() -> None:
    values = [float("inf"), float("-inf")]
    assert _read("\n".join(yaml_lines(values))) == values
    assert yaml_lines(float("nan")) == [".nan"]
    assert json_lines([*values, float("nan")]) == json.dumps([*values, float("nan")], indent=2).split("\n")


def test_yaml_reads_well() -> None:
    value = {"Name": "web", "Ports": [{"Target": 80}, {"Target": 81, "Mode": "host"}], "Env": {"A": "yes", "B": ""}}
    assert yaml_lines(value) == [
        "Name: web",
        "Ports:",
        "- Target: 80",
        "- Target: 81",
        "  Mode: host",
        "Env:",
        '  A: "yes"',
        '  B: ""',
    ]


def _read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)
