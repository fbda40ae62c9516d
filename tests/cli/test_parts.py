"""The small pure parts: durations, ages, tables, places."""

import time
from pathlib import Path

import pytest

from skep.cli.duration import seconds
from skep.cli.failures import Failure
from skep.cli.output import Table, age, localised
from skep.cli.place import socket_path, state_dir
from skep.cli.spoken import spoken
from skep.cli.state import ADVICE, TROUBLES
from skep.model.errors import RefusedError, UnavailableError
from skep.settings import load


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
    ("given", "wanted"),
    [
        ("no room; next try at 2026-11-22T06:30:18Z", "no room; next try at 12:00:18"),
        ("next try at 2026-11-22T06:30:18Z, it says", "next try at 12:00:18, it says"),
        ("the next try at this", "the next try at this"),
        ("next try at some moment of the day", "next try at some moment of the day"),
    ],
)
def test_a_moment_in_a_reason_is_told_in_the_time_zone_of_who_reads(
    given: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setenv("TZ", "UTC-5:30")
        time.tzset()
        assert localised(given) == wanted
    time.tzset()


@pytest.mark.parametrize(
    ("given", "wanted"), [(-1, "-"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3600, "1h"), (90000, "1d")]
)
def test_ages(given: float, wanted: str) -> None:
    assert age(given) == wanted


TABLE = Table(("NAME", "DETAIL", "STATE", "MESSAGE"), (("web", "a long story", "Failed", "an even longer story"),))


@pytest.mark.parametrize(
    ("width", "wanted"),
    [
        (None, "web   a long story  Failed  an even longer story"),
        (48, "web   a long story  Failed  an even longer story"),
        (47, "web   a long story  Failed  an even longer sto…"),
        (40, "web   a long story  Failed  an even lon…"),
        (38, "web   a long sto…  Failed  an even lo…"),
        (33, "web   a long …  Failed  an even …"),
        (5, "web   a long …  Failed  an even…"),
    ],
)
def test_the_widest_free_text_of_a_table_is_cut(width: int | None, wanted: str) -> None:
    line = TABLE.lines(width)[1]
    assert line == wanted
    assert width is None or len(line) <= max(width, 32)


def test_names_are_never_cut() -> None:
    name = "a-very-long-name-of-a-workload"
    assert Table(("NAME", "DETAIL"), ((name, "x" * 100),)).lines(20) == [f"{'NAME':30}  DETAIL", f"{name}  xxxxxxx…"]


def test_wide_characters_take_two_columns() -> None:
    table = Table(("DETAIL", "STATE"), (("日本語のエラー", "Failed"), ("e\u0301", "Ready")))
    assert table.lines() == ["DETAIL          STATE", "日本語のエラー  Failed", "e\u0301               Ready"]
    assert table.lines(18)[1] == "日本語の…   Failed"


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


def test_the_socket_is_that_of_the_settings(tmp_path: Path) -> None:
    environ = {"SKEP_STATE_DIR": str(tmp_path)}
    assert socket_path(None, None, environ) == f"{tmp_path}/skep.sock"
    (tmp_path / "skep.toml").write_text("parallel = 3 # not the socket\n")
    assert socket_path(None, None, environ) == f"{tmp_path}/skep.sock"
    (tmp_path / "skep.toml").write_text('socket = "/run/x.sock"\n')
    assert socket_path(None, None, environ) == "/run/x.sock"
    assert socket_path(None, str(tmp_path), {}) == "/run/x.sock"
    assert socket_path(None, None, {"SKEP_CONFIG": str(tmp_path / "skep.toml")}) == "/run/x.sock"
    assert socket_path(None, None, {**environ, "SKEP_SOCKET": "/b"}) == "/b"
    assert str(load({}, environ, uid=1000).socket) == "/run/x.sock"


def test_settings_that_nobody_can_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "skep.toml").write_text("socket = \n")
    with pytest.raises(Failure, match="is not TOML"):
        socket_path(None, str(tmp_path), {})


def test_advice_is_for_states_that_there_are() -> None:
    assert set(ADVICE) <= {"Paused", *(word for _, _, word in TROUBLES)}


def test_what_the_server_raises_on_purpose_is_told_also_out_of_a_group() -> None:
    with pytest.raises(Failure, match=r"^one\ntwo$"), spoken():
        raise ExceptionGroup("several", [RefusedError("one"), ExceptionGroup("", [UnavailableError("two")])])


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(ZeroDivisionError), spoken():
        raise ZeroDivisionError
    with pytest.raises(ExceptionGroup), spoken():
        raise ExceptionGroup("several", [RefusedError("one"), ZeroDivisionError()])
