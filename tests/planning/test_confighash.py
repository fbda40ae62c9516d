"""infrakit-compat.md 3.3: the hash is InfraKit's, bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.model.json import NULL, RawJson
from skep.planning.confighash import config_sha, go_float

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
