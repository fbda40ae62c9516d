"""The small pure parts: durations, ages, tables, places."""

import pytest

from skep.cli.duration import seconds
from skep.cli.failures import Failure
from skep.cli.output import Table, age
from skep.cli.place import socket_path, state_dir
from skep.cli.spoken import spoken
from skep.model.errors import RefusedError, UnavailableError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172800),
        ("", None),
        ("m", None),
        ("5 m", None),
        ("-5s", None),
        ("5x", None),
        ("1.5h", None),
    ],
)
def test_durations(text: str, wanted: float | None) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"), [(-1, "-"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3600, "1h"), (90000, "1d")]
)
def test_ages(given: float, wanted: str) -> None:
    assert age(given) == wanted


def test_a_table_is_cut_at_its_last_column_alone() -> None:
    table = Table(("NAME", "STATE", "DETAIL"), (("web", "Failed", "a long story about it"), ("x", "Ready", "")))
    assert table.lines(24) == ["NAME  STATE   DETAIL", "web   Failed  a long st…", "x     Ready   -"]
    assert table.lines(5)[1] == "web   Failed  a long …"


def test_a_cell_holds_one_line_without_control_characters() -> None:
    assert Table(("A",), (("one\n\x1b[31mtwo\t three\0",),)).lines() == ["A", "one [31mtwo three"]


@pytest.mark.parametrize(
    ("environ", "uid", "wanted"),
    [
        ({"SKEP_STATE_DIR": "/srv/x"}, 0, "/srv/x"),
        ({}, 0, "/var/lib/skep"),
        ({"XDG_STATE_HOME": "/home/a/.state"}, 1000, "/home/a/.state/skep"),
        ({"HOME": "/home/a"}, 1000, "/home/a/.local/state/skep"),
    ],
)
def test_the_state_directory_is_found(environ: dict[str, str], uid: int, wanted: str) -> None:
    assert state_dir(environ, uid) == wanted


def test_a_socket_that_is_named_wins() -> None:
    assert socket_path("/a/s", "/b") == "/a/s"
    assert socket_path(None, "/b") == "/b/skep.sock"


def test_what_the_server_raises_on_purpose_is_told_also_out_of_a_group() -> None:
    with pytest.raises(Failure, match=r"^one\ntwo$"), spoken():
        raise ExceptionGroup("several", [RefusedError("one"), ExceptionGroup("", [UnavailableError("two")])])


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(ZeroDivisionError), spoken():
        raise ZeroDivisionError
    with pytest.raises(ExceptionGroup), spoken():
        raise ExceptionGroup("several", [RefusedError("one"), ZeroDivisionError()])
