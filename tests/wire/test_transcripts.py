"""What InfraKit's own programs said is read whole and written again byte for byte, by either side."""

from collections.abc import Callable
from typing import Any

import pytest

from skep.model.json import RawJson
from skep.wire import calls
from skep.wire.envelope import Request, decode_answer, decode_request, encode_request, result
from tests.wire.transcripts import EXCHANGES, Exchange

Read = Callable[[RawJson], Any]
Write = Callable[..., RawJson]


def _nothing(_: object) -> RawJson:
    return calls.NOTHING


def _ok(_: object) -> RawJson:
    return calls.OK


def _spread(write: Write) -> Write:
    return lambda values: write(*values)


def _commit(asked: tuple[Any, bool]) -> RawJson:
    return calls.commit_params(asked[0], pretend=asked[1])


PARAMS: dict[str, tuple[Read, Write]] = {
    "Plugin.Implements": (calls.read_nothing, _nothing),
    "Group.CommitGroup": (calls.read_commit, _commit),
    "Group.DescribeGroup": (calls.read_id, calls.id_object),
    "Group.InspectGroups": (calls.read_nothing, _nothing),
    "Instance.DescribeInstances": (calls.read_describe_instances, calls.describe_instances_params),
    "Instance.Provision": (calls.read_provision, calls.provision_params),
    "Instance.Destroy": (calls.read_instance_destroy, calls.instance_destroy_params),
    "Flavor.Validate": (calls.read_flavor_validate, _spread(calls.flavor_validate_params)),
    "Flavor.Prepare": (calls.read_prepare, _spread(calls.prepare_params)),
    "Flavor.Healthy": (calls.read_member, _spread(calls.member_params)),
    "Flavor.Drain": (calls.read_member, _spread(calls.member_params)),
}

RESULTS: dict[str, tuple[Read, Write]] = {
    "Plugin.Implements": (calls.read_implements, calls.implements_result),
    "Group.CommitGroup": (calls.read_details, calls.details_result),
    "Group.DescribeGroup": (calls.read_group_description, calls.group_description_result),
    "Group.InspectGroups": (calls.read_groups, calls.groups_result),
    "Instance.DescribeInstances": (calls.read_descriptions, calls.descriptions_result),
    "Instance.Provision": (calls.read_provisioned, calls.id_object),
    "Instance.Destroy": (calls.read_nothing, _ok),
    "Flavor.Validate": (calls.read_nothing, _ok),
    "Flavor.Healthy": (calls.read_health, calls.health_result),
    "Flavor.Drain": (calls.read_nothing, _ok),
}

ANSWERED = [one for one in EXCHANGES if one.answer]


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_a_call_is_read_and_written_again(exchange: Exchange) -> None:
    read, write = PARAMS[exchange.method]
    request = decode_request(exchange.request)
    assert isinstance(request, Request)
    assert (request.service_method, request.id) == (exchange.method, str(exchange.id).encode())
    assert encode_request(exchange.method, write(read(request.params)), exchange.id) == exchange.request


@pytest.mark.parametrize("exchange", ANSWERED, ids=str)
def test_an_answer_is_read_and_written_again(exchange: Exchange) -> None:
    read, write = RESULTS[exchange.method]
    value = read(decode_answer(exchange.answer + b"\n"))
    assert result(str(exchange.id).encode(), write(value)) == exchange.answer + b"\n"


def test_the_lengths_are_those_that_were_captured() -> None:
    """infrakit-compat.md 2.1 has the headers of this one: 83 bytes there, and 98 with the line break back."""
    handshake = EXCHANGES[0]
    assert len(handshake.request) == 83
    assert len(handshake.answer + b"\n") == 98
