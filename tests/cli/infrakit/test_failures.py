"""What goes wrong is one line of logrus on stderr and exit code 1 (infrakit-compat.md 1.2, 3.8)."""

import socket
import threading
from pathlib import Path

import pytest

from tests.cli.infrakit.command_line import infrakit, refused
from tests.cli.infrakit.plugin_double import PluginDouble, Raw, RpcFault, implements, served


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("group", "ls"), "group"),
        (("group", "ls", "--name", "group-stateless"), "group-stateless"),
        (("instance", "describe"), ""),
        (("flavor", "--name", "..", "validate", "f.json"), ".."),
        (("instance", "describe", "--name", "aws/ec2-instance"), "aws/ec2-instance"),
    ],
)
def test_a_plugin_that_is_not_there(folder: Path, arguments: tuple[str, ...], name: str) -> None:
    assert refused(*arguments) == f'"Plugin not found: {name}"'


def test_a_socket_that_nobody_listens_on_is_a_plugin_that_is_not_there(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "group"))
    assert refused("group", "ls") == f'"Plugin not found: group (nobody listens on {folder}/group any more)"'


def test_a_host_that_is_away_is_named(folder: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    (folder / "group.listen").write_text(f"tcp://127.0.0.1:{port}")
    assert refused("group", "ls").startswith(f'"Post \\"http://a/\\": dial tcp 127.0.0.1:{port}: ')
    (folder / "group.listen").write_text("tcp://nowhere")
    assert "no tcp://host:port" in refused("group", "ls")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (implements("Flavor"), '"Plugin does not support interface {Instance 0.1.0}"'),
        ({"Plugin.Implements": "{}"}, '"Plugin does not support interface {Instance 0.1.0}"'),
        (
            implements("Instance", "0.3.0"),
            '"Plugin supports Instance interface version 0.3.0, client requires 0.1.0"',
        ),
        ({}, '"rpc: can\'t find service \\"Handshake.Hello\\""'),
        ({"Plugin.Implements": Raw(b"")}, "EOF"),
        ({"Plugin.Implements": Raw(b'{"jsonrpc":"2.0","id":1}')}, '"result is null"'),
        ({"Plugin.Implements": Raw(b"boom")}, "\"invalid character 'b' looking for beginning of value\""),
        ({"Plugin.Implements": Raw(b"[]")}, '"the plugin\'s answer is no object"'),
    ],
)
def test_a_plugin_that_is_something_else(folder: Path, answers: dict[str, str | Raw], message: str) -> None:
    """infrakit-compat.md 2.2 and 2.3."""
    with served(folder / "p", answers):
        assert refused("instance", "describe", "--name", "p") == message


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Group 'cattle' is not being watched", "\"Group 'cattle' is not being watched\""),
        (
            "Failed to find Flavor plugin 'x':Plugin not found: x",
            "\"Failed to find Flavor plugin 'x':Plugin not found: x\"",
        ),
        ("EOF", "EOF"),
        ('a\n"b"\té\x01', '"a\\n\\"b\\"\\té\\x01"'),
    ],
)
def test_a_plugins_error_is_passed_on(group: PluginDouble, message: str, shown: str) -> None:
    group.answers["Group.DestroyGroup"] = RpcFault(message)
    assert refused("group", "destroy", "cattle") == shown


def test_inspect_of_an_unknown_group_has_no_quotes(group: PluginDouble) -> None:
    """infrakit-compat.md 3.8: unlike the plugin's own text."""
    group.answers["Group.InspectGroups"] = '{"Groups":[{"ID":"other"}]}'
    assert refused("group", "inspect", "cattle") == '"Group cattle is not being watched"'


def test_an_answer_that_is_no_answer(group: PluginDouble) -> None:
    group.status = 413
    group.answers["Plugin.Implements"] = Raw(b"too large\n")
    assert refused("group", "ls") == '"group answered with HTTP status 413: too large"'


def test_a_plugin_that_hangs_up(folder: Path) -> None:
    """infrakit-compat.md 1.3: what Go's client says, and who it was."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "group"))
        listener.listen()
        thread = threading.Thread(target=_hang_up, args=(listener,))
        thread.start()
        message = refused("group", "ls")
        thread.join()
    assert message.startswith('"Post \\"http://a/\\": EOF (group broke off: ')


def _hang_up(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    connection.close()


def test_a_file_that_is_not_there_or_no_file(group: PluginDouble, tmp_path: Path) -> None:
    assert refused("group", "commit", "/nowhere.json") == '"open /nowhere.json: no such file or directory"'
    assert refused("group", "commit", str(tmp_path)) == f'"read {tmp_path}: is a directory"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bad", "invalid character 'b' looking for beginning of value"),
        ("", "unexpected end of JSON input"),
        ('{"ID": "x",}', "invalid character '}' looking for beginning of object key string"),
        ("[]", "json: cannot unmarshal array into Go value of type group.Spec"),
        ('{"ID": 5}', "json: cannot unmarshal number into Go struct field Spec.ID of type group.ID"),
    ],
)
def test_a_file_that_is_no_spec(group: PluginDouble, tmp_path: Path, text: str, message: str) -> None:
    """infrakit-compat.md 1.2: Go's errors are passed through."""
    file = tmp_path / "g"
    file.write_text(text)
    assert refused("group", "commit", str(file)) == f'"{message}"'
    assert len(group.bodies) == 1  # the handshake


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nope",), '"unknown command \\"nope\\" for \\"infrakit\\""'),
        (("group", "nope"), '"unknown command \\"nope\\" for \\"infrakit group\\""'),
        (("--nope",), '"unknown flag: --nope"'),
        (("group", "ls", "--size", "5"), '"unknown flag: --size"'),
        (("plugin", "ls", "-x"), "\"unknown shorthand flag: 'x' in -x\""),
        (("version", "-q"), "\"unknown shorthand flag: 'q' in -q\""),
        (("group", "ls", "--name"), '"flag needs an argument: --name"'),
        (
            ("flavor", "validate", "f", "--size", "-1"),
            '"invalid argument \\"-1\\" for \\"--size\\" flag: strconv.ParseUint: parsing \\"-1\\": invalid syntax"',
        ),
    ],
)
def test_a_line_that_can_not_be_read(arguments: tuple[str, ...], message: str) -> None:
    assert refused(*arguments) == message


def test_log_0_says_nothing(folder: Path) -> None:
    for level in ("0", "-3"):
        result = infrakit("--log", level, "group", "ls")
        assert (result.code, result.out, result.err) == (1, "", "")


def test_a_plugin_that_says_nothing_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is stopped takes connections; InfraKit's command line waited for ever (infrakit-compat.md 7, #599)."""
    monkeypatch.setattr("skep.cli.infrakit.rpc.HANDSHAKE_S", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "group"))
        listener.listen()
        result = infrakit("group", "ls")
    assert (result.code, result.out) == (1, "")
    assert 'msg="group gave no answer within 0.2 s"' in result.err
