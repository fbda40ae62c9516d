"""What goes over the wire: infrakit-compat.md 2.1 and 2.4, as captured from InfraKit's own programs."""

import json
from pathlib import Path

import pytest

from tests.cli.infrakit.command_line import infrakit, printed
from tests.cli.infrakit.plugin_double import PluginDouble
from tests.planning.test_confighash import CATTLE

HANDSHAKE = '{"jsonrpc":"2.0","method":"Plugin.Implements","params":{}}'
PROPERTIES = '{"Init":["…"],"Tags":{"tier":"web","project":"infrakit"}}'
SPEC = '{"Properties":{},"Tags":{"infrakit.config_sha":"eZj4wR53SReGpDxC9v02eHh-C8I=","infrakit.group":"g1"},"Init":"","LogicalID":"c","Attachments":null}'  # noqa: E501


@pytest.fixture
def flavor_file(tmp_path: Path) -> str:
    file = tmp_path / "flavor.json"
    file.write_text(PROPERTIES)
    return str(file)


def test_a_plugin_is_greeted_and_then_called(group: PluginDouble) -> None:
    group.answers["Group.InspectGroups"] = '{"Groups":null}'
    assert printed("group", "ls") == "ID\n"
    assert group.bodies == [HANDSHAKE, '{"jsonrpc":"2.0","method":"Group.InspectGroups","params":{}}']
    head = group.heads[0]
    assert (head["path"], head["Host"], head["Content-Type"]) == ("/", "a", "application/json")


def test_ids_are_random_and_fit_into_63_bits(group: PluginDouble) -> None:
    group.answers["Group.InspectGroups"] = '{"Groups":null}'
    for _ in range(8):
        printed("group", "ls", "-q")
    assert len(set(group.ids)) == 16
    assert all(0 <= one < 1 << 63 for one in group.ids)
    assert max(group.ids) > 1 << 53


def test_the_tutorials_commit_is_the_captured_one(group: PluginDouble, tmp_path: Path) -> None:
    file = tmp_path / "cattle.json"
    file.write_text(json.dumps(CATTLE, indent=4))
    group.answers["Group.CommitGroup"] = '{"Details":"Managing 5 instances"}'
    assert (
        printed("group", "commit", str(file), "--pretend") == "Committing cattle would involve: Managing 5 instances\n"
    )
    assert group.bodies[-1] == (
        '{"jsonrpc":"2.0","method":"Group.CommitGroup","params":{"Spec":{"ID":"cattle","Properties":{"Allocation":'
        '{"Size":5},"Instance":{"Plugin":"instance-file","Properties":{"Note":"Instance properties version 1.0"}},'
        '"Flavor":{"Plugin":"flavor-vanilla","Properties":{"Init":["docker pull nginx:alpine",'
        '"docker run -d -p 80:80 nginx-alpine"],"Tags":{"tier":"web","project":"infrakit"}}}}},"Pretend":true}}'
    )
    assert printed("group", "commit", str(file)) == "Committed cattle: Managing 5 instances\n"
    assert group.bodies[-1].endswith('"Pretend":false}}')


@pytest.mark.parametrize(
    ("verb", "method"),
    [("free", "FreeGroup"), ("describe", "DescribeGroup"), ("destroy", "DestroyGroup")],
)
def test_verbs_of_one_group_send_its_id(group: PluginDouble, verb: str, method: str) -> None:
    group.answers[f"Group.{method}"] = '{"OK":true}'
    printed("group", verb, "q1")
    assert group.bodies[-1] == f'{{"jsonrpc":"2.0","method":"Group.{method}","params":{{"ID":"q1"}}}}'


def test_an_instance_is_provisioned_with_every_field(instance: PluginDouble, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text('{"properties": {"n": 1e6, "a" : [1, 2]}, "Init": "docker <pull>", "unknown": 1}')
    instance.answers["Instance.Provision"] = '{"ID":"instance-5187969599926512830"}'
    assert printed("instance", "provision", str(file), "--name", "instance-file") == "instance-5187969599926512830\n"
    assert instance.params() == (
        '{"Spec":{"Properties":{"n":1e6,"a":[1,2]},"Tags":null,"Init":"docker \\u003cpull\\u003e",'
        '"LogicalID":null,"Attachments":null}}'
    )


@pytest.mark.parametrize(
    ("arguments", "params"),
    [
        (("describe",), '{"Tags":{}}'),
        (("describe", "--tags", "b=2,a=1"), '{"Tags":{"a":"1","b":"2"}}'),
        (("describe", "--tags", "b=2", "--tags=a=1"), '{"Tags":{"a":"1","b":"2"}}'),
        (("describe", "--tags", "a=b=c"), '{"Tags":{"a":"b=c"}}'),
        (("describe", "--tags", "a"), '{"Tags":{"a":""}}'),
        (("describe", "--tags", '"a=1,2"'), '{"Tags":{"a":"1,2"}}'),
        (("destroy", "i-1"), '{"Instance":"i-1"}'),
    ],
)
def test_instances_are_described_and_destroyed(instance: PluginDouble, arguments: tuple[str, ...], params: str) -> None:
    described = '{"Descriptions":[{"ID":"i-1"}]}'
    instance.answers |= {"Instance.DescribeInstances": described, "Instance.Destroy": '{"OK":true}'}
    printed("instance", "--name", "instance-file", *arguments)
    assert instance.params() == params


def test_destroying_an_instance_asks_nothing_else(instance: PluginDouble) -> None:
    """infrakit-compat.md 2.5: one that the plugin can't list is destroyed all the same."""
    instance.answers["Instance.Destroy"] = '{"OK":true}'
    assert printed("instance", "destroy", "--name", "instance-file", "i-11") == "destroyed i-11\n"
    assert [json.loads(body)["method"] for body in instance.bodies] == ["Plugin.Implements", "Instance.Destroy"]


def test_a_flavor_without_logical_ids_is_sent_an_empty_list(flavor: PluginDouble, flavor_file: str) -> None:
    """infrakit-compat.md 2.4: the command line sends [] where others send null."""
    flavor.answers["Flavor.Validate"] = '{"OK":true}'
    assert printed("flavor", "--name", "flavor-vanilla", "validate", flavor_file, "--size", "5") == ""
    assert flavor.params() == f'{{"Properties":{PROPERTIES},"Allocation":{{"Size":5,"LogicalIDs":[]}}}}'


def test_a_flavor_prepares_a_spec(flavor: PluginDouble, flavor_file: str, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(SPEC)
    flavor.answers["Flavor.Prepare"] = f'{{"Spec":{SPEC}}}'
    printed("flavor", "prepare", "--name=flavor-vanilla", flavor_file, str(spec), "--logical-ids", "a,b,c")
    assert flavor.params() == (
        f'{{"Properties":{PROPERTIES},"Spec":{SPEC},"Allocation":{{"Size":0,"LogicalIDs":["a","b","c"]}}}}'
    )


@pytest.mark.parametrize(("verb", "answer"), [("healthy", '{"Health":1}'), ("drain", '{"OK":true}')])
def test_a_flavor_is_asked_about_one_instance(flavor: PluginDouble, flavor_file: str, verb: str, answer: str) -> None:
    flavor.answers[f"Flavor.{verb.title()}"] = answer
    about = ("--id", "i-1", "--logical-id", "b", "--tags", "infrakit.group=g1")
    printed("flavor", verb, "--name", "flavor-vanilla", flavor_file, *about)
    assert flavor.params() == (
        f'{{"Properties":{PROPERTIES},"Instance":{{"ID":"i-1","LogicalID":"b","Tags":{{"infrakit.group":"g1"}}}}}}'
    )
    printed("flavor", verb, "--name", "flavor-vanilla", flavor_file)
    assert flavor.params().endswith('"Instance":{"ID":"","LogicalID":null,"Tags":null}}')


def test_properties_are_passed_on_as_written(instance: PluginDouble, tmp_path: Path) -> None:
    """No number goes through a float, and names keep their order."""
    file = tmp_path / "properties.json"
    file.write_text('{ "z": 1e6, "big": 12345678901234567890, "a": 1.10, "s": "\\u00e9 é",\n "z": -0 }')
    instance.answers["Instance.Validate"] = '{"OK":true}'
    assert printed("instance", "validate", str(file), "--name", "instance-file") == "validate:ok\n"
    assert instance.params() == ('{"Properties":{"z":1e6,"big":12345678901234567890,"a":1.10,"s":"\\u00e9 é","z":-0}}')


@pytest.mark.parametrize(
    "answers",
    [
        {"Handshake.Implements": '{"APIs":[{"Name":"Instance","Version":"0.5.0"}]}'},
        {"Handshake.Hello": '{"Objects":{"Instance/0.6.1":[{"Name":".","ProxyFor":""}],"Metadata/0.1.1":[]}}'},
    ],
)
def test_plugins_of_later_generations_are_understood(instance: PluginDouble, answers: dict[str, str]) -> None:
    """infrakit-compat.md 2.6."""
    del instance.answers["Plugin.Implements"]
    instance.answers |= {"Instance.Destroy": '{"Type":"","Instance":"i-1"}', **answers}
    assert printed("instance", "destroy", "i-1", "--name", "instance-file") == "destroyed i-1\n"


def test_one_of_several_objects_behind_a_socket_is_named(instance: PluginDouble, group: PluginDouble) -> None:
    """infrakit-compat.md 2.6: `Type`, or `Name` for groups."""
    instance.answers["Instance.Destroy"] = '{"Instance":"i-1"}'
    printed("instance", "destroy", "i-1", "--name", "instance-file/compute")
    assert instance.params() == '{"Instance":"i-1","Type":"compute"}'
    group.answers["Group.FreeGroup"] = '{"ID":"g"}'
    printed("group", "free", "g", "--name", "group/us")
    assert group.params() == '{"ID":"g","Name":"us"}'


def test_log_5_tells_of_calls_and_never_what_they_hold(group: PluginDouble) -> None:
    """InfraKit ignored --log here, and printed join tokens where it did not."""
    group.answers["Group.FreeGroup"] = '{"OK":true,"token":"SWMTKN-1-secret"}'
    result = infrakit("--log", "5", "group", "free", "secret-group")
    assert result.out == "Freed secret-group\n"
    assert [line.partition("level=")[2][:5] for line in result.err.splitlines()] == ["debug", "debug"]
    assert "Group.FreeGroup" in result.err
    assert "secret" not in result.err
