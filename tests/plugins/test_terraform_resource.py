"""Tags and Init go where each kind of resource takes them, and come back (infrakit-compat.md 5.3)."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.model.errors import RejectedError
from skep.model.machine import InstanceSpec
from skep.plugins.cloud_redaction import redacted
from skep.plugins.cloud_tags import packed, readable, unpacked
from skep.plugins.terraform_resource import KINDS, Wanted, decoded, encoded, init_in, of_state

TAGS = {"infrakit.group": "g", "infrakit.config_sha": "eZj4wR53SReGpDxC9v02eHh-C8I="}
SPEC = InstanceSpec(tags=TAGS, init="echo ${HOME}", logical_id="pet")
NAME = "instance-7"


def wanted(type: str, value: object) -> Wanted:
    return Wanted(type, msgspec.json.decode(msgspec.json.encode(value), type=dict[str, msgspec.Raw]))


def written(type: str, value: object, spec: InstanceSpec = SPEC) -> Any:
    return json.loads(encoded(NAME, wanted(type, value), spec))["resource"][type][NAME]


ALL = TAGS | {"Name": NAME, "LogicalID": "pet"}
PLAIN_INIT = "echo $${HOME}"


@pytest.mark.parametrize(
    ("type", "value", "expected"),
    [
        ("aws_instance", {"ami": "a"}, {"ami": "a", "tags": ALL, "user_data": PLAIN_INIT}),
        (
            "aws_instance",
            {"tags": {"own": "1", "Name": "mine"}, "user_data": "first ${x}"},
            {"tags": {"own": "1"} | ALL, "user_data": f"first ${{x}}\n{PLAIN_INIT}"},
        ),
        (
            "azurerm_virtual_machine",
            {"os_profile": [{"computer_name": "c"}]},
            {"os_profile": [{"computer_name": "c", "custom_data": PLAIN_INIT}], "tags": ALL},
        ),
        (
            "azurerm_virtual_machine",
            {"os_profile": {"custom_data": "x"}},
            {"os_profile": {"custom_data": f"x\n{PLAIN_INIT}"}, "tags": ALL},
        ),
        (
            "azurerm_linux_virtual_machine",
            {"custom_data": base64.b64encode(b"one").decode()},
            {"custom_data": base64.b64encode(b"one\necho ${HOME}").decode(), "tags": ALL},
        ),
        (
            "softlayer_virtual_guest",
            {"tags": ["own:1"]},
            {
                "tags": ["own:1", *(f"{name}:{ALL[name]}" for name in ("Name", *TAGS, "LogicalID"))],
                "hostname": NAME,
                "user_metadata": PLAIN_INIT,
            },
        ),
        ("openstack_compute_instance_v2", {"a": 1}, {"a": 1, "metadata": ALL, "user_data": PLAIN_INIT}),
        ("terraform_data", {"input": {"a": 1}}, {"input": {"a": 1, "tags": ALL, "init": PLAIN_INIT}}),
    ],
)
def test_tags_and_init_stand_where_the_kind_takes_them(type: str, value: object, expected: object) -> None:
    assert written(type, value) == expected


def test_clouds_with_poor_labels_get_packed_ones() -> None:
    """infrakit-compat.md 7, 22: upper case and `=` are refused by Google, and tags there are a list."""
    value = written("google_compute_instance", {"tags": {"Own": "X"}, "labels": {"mine": "1"}})
    assert value["metadata_startup_script"] == PLAIN_INIT
    assert unpacked(value["labels"]) == ALL
    assert value["labels"] | {"mine": "1", "own": "x", "infrakit-group": "g"} == value["labels"]
    assert "tags" not in value
    kept = written("google_compute_instance", {"tags": ["http-server"]})
    assert kept["tags"] == ["http-server"]
    pairs = written("digitalocean_droplet", {"tags": {"own": "1"}})["tags"]
    assert {"own:1", "infrakit-group:g"} <= set(pairs)
    assert unpacked(dict(pair.split(":") for pair in pairs)) == ALL


def test_numbers_of_the_user_stay_as_they_were_written() -> None:
    value = Wanted("aws_instance", {"n": msgspec.Raw(b"12345678901234567890.50")})
    assert b'"n":12345678901234567890.50' in encoded(NAME, value, SPEC)


@pytest.mark.parametrize(
    ("type", "value", "told"),
    [
        ("vsphere_virtual_machine", {"a": 1}, "Init can't be handed over"),
        ("aws_instance", {"tags": "${local.tags}"}, "no map or list"),
        ("aws_instance", {"user_data": 7}, "no text"),
        ("terraform_data", {"input": "text"}, "has to be an object"),
    ],
)
def test_what_has_no_place_is_refused_and_not_dropped(type: str, value: object, told: str) -> None:
    """InfraKit's dropped Init where it did not know the type: a machine that never joins."""
    with pytest.raises(RejectedError, match=told) as caught:
        written(type, value)
    assert "HOME" not in str(caught.value)


def test_other_kinds_are_taken_without_init() -> None:
    text = encoded(NAME, wanted("vsphere_virtual_machine", {"a": 1}), InstanceSpec(tags=TAGS, logical_id="x"))
    machine = decoded(NAME, text)
    assert (machine.address, machine.tags, machine.logical_id) == (f"vsphere_virtual_machine.{NAME}", TAGS, "x")


@pytest.mark.parametrize("type", sorted(KINDS))
def test_a_file_is_read_back_as_it_was_asked_for(type: str) -> None:
    text = encoded(NAME, wanted(type, {"note": 1}), SPEC)
    machine = decoded(NAME, text)
    assert (machine.tags, machine.logical_id, machine.type) == (TAGS, "pet", type)
    assert init_in(machine, text) == SPEC.init


@pytest.mark.parametrize("type", sorted(KINDS))
def test_a_state_is_read_back_as_it_was_asked_for(type: str) -> None:
    value = json.loads(msgspec.json.encode(written(type, {"note": 1})).replace(b"$${", b"${"))
    if type == "terraform_data":
        value["input"] = {"value": value["input"], "type": []}
    attributes = msgspec.json.decode(msgspec.json.encode(value), type=dict[str, msgspec.Raw])
    machine = of_state(type, NAME, attributes)
    assert machine is not None
    assert (machine.tags, machine.logical_id) == (TAGS, "pet")


@pytest.mark.parametrize(
    "attributes", [{}, {"tags": {"Name": "web"}}, {"tags": None}, {"tags": ["a"]}, {"tags": {"a": None}}]
)
def test_resources_without_a_group_are_no_machines(attributes: object) -> None:
    raw = msgspec.json.decode(msgspec.json.encode(attributes), type=dict[str, msgspec.Raw])
    assert of_state("aws_instance", NAME, raw) is None


@pytest.mark.parametrize(
    ("text", "tags", "logical_id"),
    [
        ({"aws_instance": {NAME: {"tags": {"a": "b", "LogicalID": "x"}}}}, {"a": "b", "LogicalID": "x"}, "x"),
        ({"google_compute_instance": {NAME: {"tags": {"a": "b"}}}}, {"a": "b"}, None),
        ({"softlayer_virtual_guest": {NAME: {"tags": ["a:b:c"]}}}, {"a": "b:c"}, None),
        ({"null_resource": {NAME: {}}}, {}, None),
    ],
)
def test_files_of_infrakit_are_machines(text: object, tags: object, logical_id: str | None) -> None:
    machine = decoded(NAME, json.dumps({"resource": text}).encode())
    assert (machine.tags, machine.logical_id) == (tags, logical_id)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"resource":{}}',
        b'{"resource":{"a":{"other":{}}}}',
        b'{"resource":{"a":{"instance-7":{},"other":{}}}}',
        b'{"resource":{"a":{"instance-7":{}},"b":{"instance-7":{}}}}',
        b'{"//":{"skep":7},"resource":{"a":{"instance-7":{}}}}',
    ],
)
def test_other_files_are_none(text: bytes) -> None:
    with pytest.raises(ValueError):
        decoded(NAME, text)


@given(st.dictionaries(st.text(), st.text()))
def test_packed_tags_come_back_and_fit_into_labels(tags: dict[str, str]) -> None:
    labels = packed(tags)
    assert unpacked(labels | {"other": "label"}) == tags
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert all(set(name + value) <= allowed and len(value) <= 63 for name, value in labels.items())


@given(st.dictionaries(st.text(), st.text()))
def test_readable_labels_hold_nothing_that_clouds_forbid(tags: dict[str, str]) -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    for name, value in readable(tags).items():
        assert name and name[0].isalpha() and len(name) <= 63 and len(value) <= 63
        assert set(name + value) <= allowed


def test_labels_that_lost_a_part_hold_no_tags() -> None:
    labels = packed({"a": "b" * 100})
    assert unpacked(dict(list(labels.items())[1:])) == {}


def test_a_script_is_hidden_in_every_form() -> None:
    init = "#!/bin/sh\ndocker swarm join --token SWMTKN-1-abc 10.0.0.1\nexport PASSWORD=correcthorsebattery"
    quoted = base64.b64encode(init.encode()).decode()
    told = redacted(f"bad {quoted}; docker swarm join --token SWMTKN-1-abc 10.0.0.1; correcthorsebattery", [init])
    assert told == "bad [hidden]; [hidden]; [hidden]"
    assert redacted("bad SWMTKN-1-x and key", [], ["key"]) == "bad SWMTKN-… and [hidden]"
