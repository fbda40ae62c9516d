"""Settings: who wins, what is refused and how it is said, and the page that documents them."""

import subprocess
import sys
from pathlib import Path

import pytest

from skep.model.errors import InvalidError
from skep.settings import SETTINGS, SOCKET_PATH_MAX, documentation, load

ROOT_DIR = Path(__file__).parents[1]


def faults(flags: dict[str, str], env: dict[str, str]) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        load(flags, env, uid=1000, cores=2)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("flags", "env", "uid", "expected"),
    [
        ({}, {}, 0, "/var/lib/skep"),
        ({}, {"HOME": "/home/ann"}, 1000, "/home/ann/.local/state/skep"),
        ({}, {"HOME": "/home/ann", "XDG_STATE_HOME": "/x"}, 1000, "/x/skep"),
        ({}, {"SKEP_STATE_DIR": "/srv/a"}, 0, "/srv/a"),
        ({"state_dir": "/srv/b"}, {"SKEP_STATE_DIR": "/srv/a"}, 0, "/srv/b"),
    ],
)
def test_where_state_is_kept(flags: dict[str, str], env: dict[str, str], uid: int, expected: str) -> None:
    settings = load(flags, env, uid=uid, cores=2)
    assert str(settings.state_dir) == expected
    assert str(settings.socket) == f"{expected}/skep.sock"
    assert str(settings.config) == f"{expected}/skep.toml"


def test_a_nul_in_the_file_is_told_before_anything_is_opened_or_bound(tmp_path: Path) -> None:
    (tmp_path / "skep.toml").write_text('tls_listen = "\\u0000a:1"\ntls_cert = "\\u0000"\n')
    told = faults({}, {"SKEP_STATE_DIR": str(tmp_path)})
    assert [text.split(": ", 1)[1] for text in told] == [
        f"{name}: has a NUL in it, which no path, host or name can have" for name in ("tls_listen", "tls_cert")
    ]


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "skep.toml").write_text('parallel = 3\nhistory = 3\npoll_s = 3\ncontroller = "other"\n')
    env = {"SKEP_STATE_DIR": str(tmp_path), "SKEP_PARALLEL": "4", "SKEP_HISTORY": "4", "SKEP_ENGINE": ""}
    settings = load({"parallel": "5"}, env, uid=0, cores=3)
    assert (settings.parallel, settings.history, settings.poll_s, settings.resync_s) == (5, 4, 3.0, 30.0)
    assert (settings.controller, settings.engine, settings.call_limit) == ("other", "", 6)


def test_every_fault_is_told_with_where_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('paralel = 3\nhistory = "3"\nstate_dir = "/x"\nresync_s = true\npoll_s = nan\nnonsense = 1\n')
    env = {"SKEP_CONFIG": str(file), "SKEP_LOG_LEVEL": "loud", "SKEP_CALL_LIMIT": "many"}
    assert faults({"parallel": "0", "controller": "-x"}, env) == [
        f"{file}: paralel: is no setting; did you mean parallel?",
        f"{file}: state_dir: says where this file is and can't stand in it",
        f"{file}: nonsense: is no setting",
        f"{file}: resync_s: must be a number",
        f"{file}: poll_s: must be from 0.1 to 86400 s",
        "--parallel: must be from 1 to 500 actions",
        'SKEP_CALL_LIMIT: must be a whole number, not "many"',
        'SKEP_LOG_LEVEL: must be one of debug, info, warning, error, not "loud"',
        f"{file}: history: must be a whole number",
        "--controller: has up to 63 letters, digits and, inside, - _ .",
    ]


@pytest.mark.parametrize(("text", "told"), [("a = ", "is not TOML: "), (None, "there is no such file")])
def test_a_file_that_is_named_must_be_readable(tmp_path: Path, text: str | None, told: str) -> None:
    file = tmp_path / "s.toml"
    if text is not None:
        file.write_text(text)
    (fault,) = faults({"config": str(file)}, {})
    assert fault.startswith(f"{file}: {told}")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_bytes(b"\xff\xfe")
    (fault,) = faults({"config": str(file)}, {})
    assert fault.startswith(f"{file}: can't be read: ")


def test_the_state_directory_leaves_room_for_the_sockets_of_machines() -> None:
    longest = "/" + "s" * (SOCKET_PATH_MAX - len("/m/0123456789ab/e.sock") - 1)
    assert load({"state_dir": longest}, {}, uid=0, cores=1).state_dir == Path(longest)
    (fault,) = faults({"state_dir": longest + "s"}, {})
    assert fault == f"--state-dir: {longest}s has more than 85 bytes: no room for sockets below it"


def test_a_socket_path_has_at_most_107_bytes() -> None:
    (fault,) = faults({"state_dir": "/s", "socket": "/" + "é" * 60}, {})
    assert fault.endswith("has more than 107 bytes")


def test_every_field_has_its_row_and_every_row_its_field(tmp_path: Path) -> None:
    settings = load({"state_dir": str(tmp_path)}, {}, uid=0, cores=1)
    assert [row.name for row in SETTINGS] == list(settings.__slots__)


def test_the_page_is_the_table() -> None:
    assert (ROOT_DIR / "docs" / "settings.md").read_text() == documentation()


def test_importing_settings_costs_a_client_nothing() -> None:
    code = "import sys, skep.settings; print(*{'aiohttp', 'pydantic', 'asyncio', 'fastapi'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
