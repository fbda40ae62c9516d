"""infrakit-compat.md 3.3: the hash is InfraKit's, bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.model.json import NULL, RawJson
from skep.planning.confighash import _stable, config_sha, go_float

DATA = Path(__file__).parents[1] / "data"


def sha_of_group(group: Any) -> str:
    properties = group["Properties"]
    instance, flavor = properties["Instance"], properties["Flavor"]
    return config_sha(instance["Plugin"], raw(instance["Properties"]), flavor["Plugin"], raw(flavor["Properties"]))


def raw(value: Any) -> RawJson:
    return RawJson(json.dumps(value).encode())


CATTLE = {
    "ID": "cattle",
    "Properties": {
        "Allocation": {"Size": 5},
        "Instance": {"Plugin": "instance-file", "Properties": {"Note": "Instance properties version 1.0"}},
        "Flavor": {
            "Plugin": "flavor-vanilla",
            "Properties": {
                "Init": ["docker pull nginx:alpine", "docker run -d -p 80:80 nginx-alpine"],
                "Tags": {"tier": "web", "project": "infrakit"},
            },
        },
    },
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("swarm-vagrant-manager.json", "oEztfTbk_UCCPGqL1EnCjNhXEV0="),
        ("swarm-vagrant-workers.json", "skPXP1SjlgNBuVkZN4rDhwVfCIQ="),
    ],
)
def test_infrakits_own_examples_have_infrakits_hashes(name: str, expected: str) -> None:
    assert sha_of_group(json.loads((DATA / name).read_text())) == expected


def test_the_captured_commit_has_the_hash_of_the_tutorial() -> None:
    assert sha_of_group(CATTLE) == "006438mMXW8gXeYtUxgf9Zbg94Y="


def test_infrakits_example_of_combined_flavors_has_infrakits_hash() -> None:
    flavors = [
        {"Plugin": "flavor-vanilla", "Properties": {"Init": [f"vanilla {word}"], "Tags": {f"v{number}": f"tag {word}"}}}
        for number, word in ((1, "one"), (2, "two"))
    ]
    sha = config_sha("instance-file", RawJson(b"{}"), "flavor-combo", raw({"Flavors": flavors}))
    assert sha == "pAD2EkxjoqO35Dx5UZUIehOU-Go="


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("null", "null"),
        ("true", "true"),
        ("false", "false"),
        ("{}", "{}"),
        ("[ ]", "[]"),
        ("[[],{}]", "[\n      [],\n      {}\n    ]"),
        ("[1,2]", "[\n      1,\n      2\n    ]"),
        ('{"a":{"b":1}}', '{\n      "a": {\n        "b": 1\n      }\n    }'),
        # Upper case before lower, and by bytes, not by UTF-16: U+FF5E comes before U+1F600.
        ('{"a":1,"B":2}', '{\n      "B": 2,\n      "a": 1\n    }'),
        ('{"\U0001f600":1,"\uff5e":2}', '{\n      "\uff5e": 2,\n      "\U0001f600": 1\n    }'),
        ('{"a":1,"a":2}', '{\n      "a": 2\n    }'),
        ('"<&>"', r'"\u003c\u0026\u003e"'),
        ('{"<":1}', '{\n      "\\u003c": 1\n    }'),
        ('"\u2028\u2029"', r'"\u2028\u2029"'),
        (r'"\u2028\u2029"', r'"\u2028\u2029"'),
        (r'"\n\r\t\"\\\/"', r'"\n\r\t\"\\/"'),
        (r'"\b\f\u0000\u001f"', r'"\u0008\u000c\u0000\u001f"'),
        ('"\x7f\u00e9\U0001f600"', '"\x7f\u00e9\U0001f600"'),
        (r'"\u00e9\ud83d\ude00"', '"\u00e9\U0001f600"'),
        (r'"\udc00x"', '"\ufffdx"'),
        ("1e6", "1000000"),
        ("-0", "-0"),
        ("9007199254740993", "9007199254740992"),
    ],
)
def test_properties_are_printed_as_gos_marshal_indent_prints_them(value: str, text: str) -> None:
    """Each rule of 3.3, and the prefix and indent of two spaces that InfraKit gives it."""
    printed = f'{{\n    "Plugin": "p",\n    "Properties": {text}\n  }}'
    assert _stable("p", RawJson(value.encode())) == printed


def test_what_is_no_utf_8_is_what_go_makes_of_it() -> None:
    assert _stable("p", RawJson(b'"a\xffb"')) == '{\n    "Plugin": "p",\n    "Properties": "a\ufffdb"\n  }'


def test_numbers_and_html_are_printed_as_go_prints_them() -> None:
    instance = RawJson(b'{"n":1e6,"big":12345678901234567890,"html":"<&>"}')
    flavor = RawJson(b'{"Init":["a","b"],"Tags":{"t":"v"}}')
    assert config_sha("instance-file", instance, "flavor-vanilla", flavor) == "g34ZSncpHwUCTxklP1Qx7D_-6NE="


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1e6, "1000000"),
        (123.25, "123.25"),
        (-0.5, "-0.5"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (12345678901234567890.0, "12345678901234567000"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_go_float(number: float, text: str) -> None:
    assert go_float(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back_as_itself(number: float) -> None:
    assert float(go_float(number)).hex() == number.hex()


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def respelled(value: Any) -> str:
    """The same JSON with its keys in reverse and its whole numbers with an exponent."""
    match value:
        case dict():
            parts = [f"{json.dumps(name)} :\n{respelled(value[name])}" for name in reversed(value)]
            return "{" + " , ".join(parts) + "}"
        case list():
            return "[ " + ",".join(map(respelled, value)) + " ]"
        case int() if not isinstance(value, bool) and value:
            return f"{value * 10}e-1" if value % 2 else f"{value}E+0"
        case _:
            return json.dumps(value, ensure_ascii=False)


@given(TREES)
def test_key_order_and_spelling_do_not_matter(value: Any) -> None:
    other = RawJson(respelled(value).encode())
    assert config_sha("i", raw(value), "f", NULL) == config_sha("i", other, "f", NULL)


@given(TREES, TREES)
def test_different_properties_have_different_hashes(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    as_floats = [json.loads(json.dumps(value), parse_int=float) for value in (one, other)]
    if not same and as_floats[0] != as_floats[1]:
        assert config_sha("i", raw(one), "f", NULL) != config_sha("i", raw(other), "f", NULL)


def test_half_a_surrogate_pair_is_what_go_makes_of_it() -> None:
    assert config_sha("i", RawJson(b'"\\ud800"'), "f", NULL) == config_sha("i", RawJson(b'"\\ufffd"'), "f", NULL)


def test_the_plugins_and_their_order_matter() -> None:
    assert len({config_sha(a, NULL, b, NULL) for a, b in [("a", "b"), ("b", "a"), ("a", "a")]}) == 3
