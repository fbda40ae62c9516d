"""Values to the shapes of infrakit-compat.md 2.4 and back, for any value; and what other generations send (2.6)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.model.json import NULL, RawJson
from skep.model.machine import Attachment, CommittedGroup, GroupDescription, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.wire import calls, messages
from skep.wire.calls import Interface
from skep.wire.go_decode import GoTypeError, written
from tests.wire.test_envelope import RAW

TEXT = st.text(max_size=12)
TAGS = st.dictionaries(TEXT, TEXT, max_size=4)
DENSE = RAW.map(written)

SPECS = st.builds(
    InstanceSpec,
    properties=DENSE,
    tags=TAGS,
    init=TEXT,
    logical_id=st.none() | TEXT,
    attachments=st.lists(st.builds(Attachment, TEXT, TEXT), max_size=3).map(tuple),
)
DESCRIPTIONS = st.builds(InstanceDescription, TEXT, st.none() | TEXT, TAGS)
ALLOCATIONS = st.builds(Allocation, size=st.integers(0, 2**64 - 1)) | st.builds(
    Allocation, logical_ids=st.lists(TEXT, min_size=1, max_size=4).map(tuple)
)
GROUPS = st.builds(CommittedGroup, TEXT, DENSE)
GROUP_DESCRIPTIONS = st.builds(GroupDescription, st.lists(DESCRIPTIONS, max_size=3).map(tuple), st.booleans(), TEXT)


@given(SPECS)
def test_instance_specs(spec: InstanceSpec) -> None:
    raw = messages.instance_spec_to_wire(spec)
    assert messages.instance_spec_from_wire(raw) == spec
    assert list(json.loads(raw)) == ["Properties", "Tags", "Init", "LogicalID", "Attachments"]
    assert calls.read_provision(calls.provision_params(spec)) == spec
    assert calls.read_spec(calls.spec_result(spec)) == spec


@given(DESCRIPTIONS, DENSE)
def test_descriptions(description: InstanceDescription, properties: RawJson) -> None:
    raw = messages.description_to_wire(description)
    assert messages.description_from_wire(raw) == description
    assert list(json.loads(raw)) == ["ID", "LogicalID", "Tags"]
    assert calls.read_member(calls.member_params(properties, description)) == (properties, description)
    assert calls.read_descriptions(calls.descriptions_result([description])) == (description,)


@given(DENSE, SPECS, ALLOCATIONS)
def test_allocations(properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> None:
    raw = messages.allocation_to_wire(allocation)
    assert messages.allocation_from_wire(raw) == allocation
    assert list(json.loads(raw)) == ["Size", "LogicalIDs"]
    asked = calls.prepare_params(properties, spec, allocation)
    assert calls.read_prepare(asked) == (properties, spec, allocation)
    assert calls.read_flavor_validate(calls.flavor_validate_params(properties, allocation)) == (properties, allocation)


@given(GROUPS, st.booleans(), GROUP_DESCRIPTIONS)
def test_groups(group: CommittedGroup, pretend: bool, description: GroupDescription) -> None:
    assert calls.read_commit(calls.commit_params(group, pretend=pretend)) == (group, pretend)
    assert calls.read_groups(calls.groups_result([group, group])) == (group, group)
    assert calls.read_group_description(calls.group_description_result(description)) == description


@pytest.mark.parametrize(("health", "number"), [(Health.UNKNOWN, 0), (Health.HEALTHY, 1), (Health.UNHEALTHY, 2)])
def test_healths_are_numbers(health: Health, number: int) -> None:
    assert calls.health_result(health) == b'{"Health":%d}' % number
    assert calls.read_health(RawJson(b'{"Health":%d}' % number)) is health


def test_a_health_of_no_meaning_is_unknown() -> None:
    assert calls.read_health(RawJson(b'{"Health":7}')) is Health.UNKNOWN


def test_nothing_is_written_as_go_writes_it() -> None:
    """Maps and lists that were never made are null, but for the machines of a listing (captured in 2.4)."""
    assert messages.instance_spec_to_wire(InstanceSpec()) == (
        b'{"Properties":null,"Tags":null,"Init":"","LogicalID":null,"Attachments":null}'
    )
    assert messages.description_to_wire(InstanceDescription("a")) == b'{"ID":"a","LogicalID":null,"Tags":null}'
    assert messages.allocation_to_wire(Allocation()) == b'{"Size":0,"LogicalIDs":null}'
    assert messages.group_to_wire(CommittedGroup("g")) == b'{"ID":"g","Properties":null}'
    assert calls.descriptions_result([]) == b'{"Descriptions":[]}'
    assert calls.groups_result([]) == b'{"Groups":null}'
    assert calls.group_description_result(GroupDescription()) == b'{"Description":{"Instances":[],"Converged":false}}'
    assert calls.group_description_result(GroupDescription(error="no")) == (
        b'{"Description":{"Instances":[],"Converged":false,"Error":"no"}}'
    )
    assert calls.describe_instances_params({}) == b'{"Tags":null}'


ABSENT: dict[str, tuple[Callable[[RawJson], Any], object]] = {
    "Provision": (calls.read_provision, InstanceSpec(tags={})),
    "Destroy": (calls.read_instance_destroy, ""),
    "DescribeInstances": (calls.read_describe_instances, {}),
    "Validate": (calls.read_properties, NULL),
    "Flavor.Validate": (calls.read_flavor_validate, (NULL, Allocation())),
    "Prepare": (calls.read_prepare, (NULL, InstanceSpec(tags={}), Allocation())),
    "Healthy": (calls.read_member, (NULL, InstanceDescription("", tags={}))),
    "CommitGroup": (calls.read_commit, (CommittedGroup(""), False)),
    "FreeGroup": (calls.read_id, ""),
    "provisioned": (calls.read_provisioned, None),
    "descriptions": (calls.read_descriptions, ()),
    "health": (calls.read_health, Health.UNKNOWN),
    "spec": (calls.read_spec, InstanceSpec(tags={})),
    "details": (calls.read_details, ""),
    "description": (calls.read_group_description, GroupDescription()),
    "groups": (calls.read_groups, ()),
    "implements": (calls.read_implements, ()),
    "hello": (calls.read_hello, {}),
}


@pytest.mark.parametrize("name", ABSENT)
@pytest.mark.parametrize("sent", [b"null", b"{}", b'{"Later":{"Unknown":[1]}}'])
def test_what_is_left_out_is_the_zero_value(name: str, sent: bytes) -> None:
    read, value = ABSENT[name]
    assert read(RawJson(sent)) == value


@pytest.mark.parametrize("name", ABSENT)
@pytest.mark.parametrize("sent", [b"5", b'"text"', b"[]", b"true"])
def test_what_is_no_object_is_a_fault(name: str, sent: bytes) -> None:
    with pytest.raises(GoTypeError):
        ABSENT[name][0](RawJson(sent))


def test_names_match_without_regard_to_case_at_every_depth() -> None:
    """infrakit-compat.md 1.3: `{"id":…,"properties":{"allocation":{"size":2}}}` is to be accepted."""
    sent = b"""{"spec":{"PROPERTIES":{"a":1},"tags":{"Kept":"Kept"},"init":"x","logicalid":"l",
        "attachments":[{"id":"d","TYPE":"ebs"}]},"type":"compute"}"""
    read = calls.read_provision(RawJson(sent))
    attachments = (Attachment("d", "ebs"),)
    assert read == InstanceSpec(RawJson(b'{"a":1}'), {"Kept": "Kept"}, "x", "l", attachments)
    assert calls.read_flavor_validate(RawJson(b'{"allocation":{"size":2,"logicalIds":["a"]}}'))[1] == Allocation(
        2, ("a",)
    )


def test_requests_of_later_generations_are_read() -> None:
    """infrakit-compat.md 2.6: more fields, none of them asked for here."""
    destroy = b'{"Type":"compute","Instance":"i-1","Context":{"Reason":"terminate"}}'
    assert calls.read_instance_destroy(RawJson(destroy)) == "i-1"
    describe = b'{"Type":"","Tags":{"a":"b"},"Properties":true}'
    assert calls.read_describe_instances(RawJson(describe)) == {"a": "b"}
    prepare = b'{"Type":"","Properties":null,"Spec":{},"Allocation":{},"Index":{"Group":"g","Sequence":1}}'
    assert calls.read_prepare(RawJson(prepare))[2] == Allocation()
    described = b'{"Type":"","Descriptions":[{"ID":"a","LogicalID":null,"Tags":null,"Properties":{"x":1}}]}'
    assert calls.read_descriptions(RawJson(described)) == (InstanceDescription("a", tags={}),)


@pytest.mark.parametrize(
    ("read", "sent"),
    [
        (calls.read_provision, b'{"Spec":{"Tags":{"a":1}}}'),
        (calls.read_provision, b'{"Spec":{"Attachments":{}}}'),
        (calls.read_provision, b'{"Spec":[]}'),
        (calls.read_instance_destroy, b'{"Instance":7}'),
        (calls.read_flavor_validate, b'{"Allocation":{"Size":-1}}'),
        (calls.read_flavor_validate, b'{"Allocation":{"LogicalIDs":"a"}}'),
        (calls.read_commit, b'{"Spec":{"ID":"a"},"Pretend":"yes"}'),
        (calls.read_health, b'{"Health":"1"}'),
    ],
)
def test_a_field_of_another_type_is_a_fault(read: Callable[[RawJson], object], sent: bytes) -> None:
    with pytest.raises(GoTypeError):
        read(RawJson(sent))


# --- handshakes --------------------------------------------------------------------------------------------------

INSTANCE = Interface("Instance", "0.6.1")


def test_masters_hello_is_read_and_written() -> None:
    captured = b'{"Objects":{"Group/0.1.1":[{"Name":".","ProxyFor":""}],"Metadata/0.1.1":[{"Name":"compute"}]}}'
    assert calls.read_hello(RawJson(captured)) == {
        Interface("Group", "0.1.1"): (".",),
        Interface("Metadata", "0.1.1"): ("compute",),
    }
    assert calls.hello_result([INSTANCE]) == b'{"Objects":{"Instance/0.6.1":[{"Name":".","ProxyFor":""}]}}'
    assert calls.read_hello(calls.hello_result([INSTANCE])) == {INSTANCE: (".",)}


def test_the_interfaces_are_read_and_written() -> None:
    both = (Interface("Instance", "0.1.0"), Interface("Instance", "0.3.0"))
    assert calls.read_implements(calls.implements_result(both)) == both
    assert calls.types_result(both) == b'{"Types":{"Instance/0.1.0":[],"Instance/0.3.0":[]}}'
