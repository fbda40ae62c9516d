"""What is printed: infrakit-compat.md 1.2 and 3.2, byte for byte."""

import json
from pathlib import Path

import pytest

import skep
from tests.cli.infrakit.command_line import infrakit, printed
from tests.cli.infrakit.plugin_double import PluginDouble, served

HEADER = "ID                            \tLOGICAL                       \tTAGS\n"
CATTLE = (
    "instance-4582464082013813178  \t  -                           \t"
    "infrakit.config_sha=006438mMXW8gXeYtUxgf9Zbg94Y=,infrakit.group=cattle,project=infrakit,tier=web\n"
)
PET = "i                             \t192.168.2.200                 \t\n"
DESCRIPTIONS = (
    '[{"ID":"instance-4582464082013813178","LogicalID":null,"Tags":{"tier":"web","project":"infrakit",'
    '"infrakit.group":"cattle","infrakit.config_sha":"006438mMXW8gXeYtUxgf9Zbg94Y="}},'
    '{"ID":"i","LogicalID":"192.168.2.200","Tags":null}]'
)


def test_version_is_two_lines() -> None:
    assert printed("version") == f"Version: {skep.__version__}\nRevision: Unspecified\n"


def test_plugin_ls_shows_every_socket(folder: Path, group: PluginDouble) -> None:
    with served(folder / "a-plugin-with-a-rather-long-name", {}):
        (folder / "a-folder").mkdir()
        (folder / "group.pid").write_text("1")
        rows = (
            f"a-plugin-with-a-rather-long-name\t{folder}/a-plugin-with-a-rather-long-name\n"
            f"group               \t{folder}/group\n"
        )
        assert printed("plugin", "ls") == f"NAME                \tLISTEN\n{rows}"
        assert printed("plugin", "ls", "-q") == rows
        assert printed("plugin", "ls", "--quiet") == rows
        assert json.loads(printed("plugin", "ls", "--json"))[1] == {"Name": "group", "Listen": f"{folder}/group"}
    assert group.bodies == []


def test_plugin_ls_reads_where_plugins_of_other_hosts_listen(folder: Path) -> None:
    (folder / "far.listen").write_text("tcp://192.0.2.1:9090\n")
    assert printed("plugin", "ls", "-q") == "far                 \ttcp://192.0.2.1:9090\n"


def test_plugin_ls_passes_over_what_is_no_socket_with_a_warning(folder: Path, group: PluginDouble) -> None:
    """infrakit-compat.md 2.1: links to sockets are passed over, too."""
    (folder / "alink").symlink_to(group.path)
    (folder / "notes").write_text("")
    result = infrakit("plugin", "ls", "-q")
    assert result.out == f"group               \t{folder}/group\n"
    assert [line.partition(" ")[2] for line in result.err.splitlines()] == [
        f'level=warning msg="Loading plugin err= File is not a socket: {folder}/{name}" ' for name in ("alink", "notes")
    ]
    assert infrakit("--log", "2", "plugin", "ls").err == ""


def test_the_folder_is_made_for_this_user_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRAKIT_PLUGINS_DIR", str(folder / "a" / "plugins"))
    assert printed("plugin", "ls") == "NAME                \tLISTEN\n"
    assert (folder / "a" / "plugins").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("instances", [DESCRIPTIONS, "null", "[]"])
def test_group_describe_is_a_table(group: PluginDouble, instances: str) -> None:
    group.answers["Group.DescribeGroup"] = f'{{"Description":{{"Instances":{instances},"Converged":true}}}}'
    rows = CATTLE + PET if instances == DESCRIPTIONS else ""
    assert printed("group", "describe", "cattle") == HEADER + rows
    assert printed("group", "describe", "cattle", "-q") == rows
    found = json.loads(printed("group", "describe", "cattle", "--json"))
    assert found == {"Instances": json.loads(instances), "Converged": True}


def test_what_went_wrong_is_told_beside_the_table(group: PluginDouble) -> None:
    """infrakit-compat.md 7 #4: the table stays InfraKit's, for scripts that read it."""
    group.answers["Group.DescribeGroup"] = '{"Description":{"Instances":[],"Converged":false,"Error":"no\\nbox"}}'
    result = infrakit("group", "describe", "cattle")
    assert (result.code, result.out) == (0, HEADER)
    assert result.err.partition(" ")[2] == 'level=warning msg="no\\nbox" \n'
    told = json.loads(printed("group", "describe", "cattle", "--json"))
    assert told == {"Instances": [], "Converged": False, "Error": "no\nbox"}


def test_instance_describe_is_the_same_table(instance: PluginDouble) -> None:
    instance.answers["Instance.DescribeInstances"] = f'{{"Descriptions":{DESCRIPTIONS}}}'
    line = ("instance", "describe", "--name", "instance-file")
    assert printed(*line) == HEADER + CATTLE + PET
    assert printed(*line, "-q") == CATTLE + PET
    assert json.loads(printed(*line, "--json")) == json.loads(DESCRIPTIONS)


def test_group_ls_is_one_id_a_line(group: PluginDouble) -> None:
    group.answers["Group.InspectGroups"] = '{"Groups":[{"ID":"cattle","Properties":{}},{"id":"pets"}]}'
    assert printed("group", "ls") == "ID\ncattle\npets\n"
    assert printed("group", "ls", "-q") == "cattle\npets\n"
    assert json.loads(printed("group", "ls", "--json")) == ["cattle", "pets"]
    group.answers["Group.InspectGroups"] = '{"Groups":null}'
    assert printed("group", "ls", "-q") == ""
    assert printed("group", "ls", "--json") == "[]\n"


def test_group_inspect_keeps_the_spelling_of_numbers_and_the_order_of_names(group: PluginDouble) -> None:
    """The answer is that of infrakit-compat.md 2.4."""
    group.answers["Group.InspectGroups"] = (
        '{"Groups":[{"ID":"g1","Properties":{"Instance":{"Plugin":"instance-file","Properties":{"n":1e6,'
        '"big":12345678901234567890,"html":"\\u003c\\u0026\\u003e"}},"Flavor":{"Plugin":"flavor-vanilla",'
        '"Properties":{"Init":["a","b"],"Tags":{}}},"Allocation":{"Size":2,"LogicalIDs":null}}}]}'
    )
    assert printed("group", "inspect", "g1") == (
        "{\n"
        '  "ID": "g1",\n'
        '  "Properties": {\n'
        '    "Instance": {\n'
        '      "Plugin": "instance-file",\n'
        '      "Properties": {\n'
        '        "n": 1e6,\n'
        '        "big": 12345678901234567890,\n'
        '        "html": "\\u003c\\u0026\\u003e"\n'
        "      }\n"
        "    },\n"
        '    "Flavor": {\n'
        '      "Plugin": "flavor-vanilla",\n'
        '      "Properties": {\n'
        '        "Init": [\n'
        '          "a",\n'
        '          "b"\n'
        "        ],\n"
        '        "Tags": {}\n'
        "      }\n"
        "    },\n"
        '    "Allocation": {\n'
        '      "Size": 2,\n'
        '      "LogicalIDs": null\n'
        "    }\n"
        "  }\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("verb", "method", "text"),
    [
        ("free", "FreeGroup", "Freed cattle\n"),
        ("destroy", "DestroyGroup", "destroy cattle initiated\n"),
    ],
)
def test_a_group_is_freed_and_destroyed(group: PluginDouble, verb: str, method: str, text: str) -> None:
    group.answers[f"Group.{method}"] = '{"OK":true}'
    assert printed("group", verb, "cattle") == text
    group.answers[f"Group.{method}"] = "{}"
    assert printed("group", verb, "cattle") == text


@pytest.mark.parametrize(
    "details",
    [
        "Managing 5 instances",
        "Noop",
        "Adjusting the instance configuration, no restarts necessary",
        "Terminating 2 instances to reduce the group size to 3,  then performing a rolling update on 1 instances",
    ],
)
def test_a_plan_is_printed_as_it_came(group: PluginDouble, tmp_path: Path, details: str) -> None:
    """infrakit-compat.md 3.2: the double space included."""
    file = tmp_path / "g.json"
    file.write_text('{"id":"cattle"}')
    group.answers["Group.CommitGroup"] = json.dumps({"Details": details})
    assert printed("group", "commit", str(file)) == f"Committed cattle: {details}\n"
    assert printed("group", "commit", "--pretend", str(file)) == f"Committing cattle would involve: {details}\n"


def test_flavor_prepare_indents_all_lines_but_the_first(flavor: PluginDouble, tmp_path: Path) -> None:
    """infrakit-compat.md 1.2: MarshalIndent with the prefix of two spaces."""
    (tmp_path / "f.json").write_text("{}")
    (tmp_path / "s.json").write_text("{}")
    flavor.answers["Flavor.Prepare"] = (
        '{"Spec":{"Properties":{"n":1.0},"Tags":{"b":"2","a":"1"},"Init":"x <y>\\n","LogicalID":null,"Attachments":[]}}'
    )
    files = (str(tmp_path / "f.json"), str(tmp_path / "s.json"))
    assert printed("flavor", "prepare", *files, "--name", "flavor-vanilla") == (
        "{\n"
        '    "Properties": {\n'
        '      "n": 1.0\n'
        "    },\n"
        '    "Tags": {\n'
        '      "a": "1",\n'
        '      "b": "2"\n'
        "    },\n"
        '    "Init": "x \\u003cy\\u003e\\n",\n'
        '    "LogicalID": null,\n'
        '    "Attachments": []\n'
        "  }\n"
    )


@pytest.mark.parametrize(("health", "text"), [("0", "0\n"), ("1", "1\n"), ("2", "2\n")])
def test_flavor_healthy_is_a_number(flavor: PluginDouble, tmp_path: Path, health: str, text: str) -> None:
    (tmp_path / "f.json").write_text("{}")
    flavor.answers["Flavor.Healthy"] = f'{{"Health":{health}}}'
    assert printed("flavor", "healthy", str(tmp_path / "f.json"), "--name", "flavor-vanilla") == text


def test_flavor_drain_says_who(flavor: PluginDouble, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text("{}")
    flavor.answers["Flavor.Drain"] = '{"OK":true}'
    line = ("flavor", "drain", str(tmp_path / "f.json"), "--name", "flavor-vanilla", "--id", "i-1")
    assert printed(*line) == "drained i-1\n"
