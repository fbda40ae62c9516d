"""What InfraKit's servers do wrong (infrakit-compat.md 3.10), and ours don't: each test fails without its fix."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from skep.model.errors import RefusedError
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.server.listen import listen_unix
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods, instance_methods
from tests.server.plugin_doubles import InstancesDouble
from tests.server.plugin_running import DEADLINE_S, NAME, plugin_running

TOKEN = "SWMTKN-1-secret"


# --- G3: a provision that returns {"ID":null} crashes the group plugin ----------------------------------------------


@pytest.mark.parametrize("made", [None, ""])
def test_g03_a_machine_without_an_id_is_an_error(made: str | None, tmp_path: Path) -> None:
    with plugin_running(rpc_app(instance_methods(InstancesDouble(provision=made))), tmp_path) as server:
        answer = server.call("Instance.Provision", {"Spec": {}})
    assert "result" not in json.loads(answer.body)
    assert answer.error == (-32000, "the plugin made a machine and gave no ID for it")


# --- G16: a socket left by SIGKILL, a missing folder, or a taken name is a nil-pointer panic ------------------------


def _program(home: Path) -> subprocess.Popen[str]:
    environ = {**os.environ, "HOME": str(home), "INFRAKIT_PLUGINS_DIR": str(home / "p")}
    command = [sys.executable, "-m", "skep.programs.instance_file"]
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)


def _wait(program: subprocess.Popen[str], path: Path) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not _listens(path):
        assert program.poll() is None, program.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _end(program: subprocess.Popen[str]) -> str:
    program.send_signal(signal.SIGTERM)
    return program.communicate(timeout=DEADLINE_S)[1]


def test_g16_a_missing_folder_is_made_and_a_socket_left_by_a_kill_replaced(tmp_path: Path) -> None:
    path = tmp_path / "p" / "instance-file"
    killed = _program(tmp_path)
    _wait(killed, path)
    killed.kill()
    killed.communicate()
    assert path.exists()
    second = _program(tmp_path)
    _wait(second, path)
    assert "Traceback" not in _end(second)
    assert not path.exists()


def test_g16_who_holds_a_name_is_named_to_the_second_and_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "p" / "instance-file"
    first = _program(tmp_path)
    _wait(first, path)
    second = _program(tmp_path)
    _, told = second.communicate(timeout=DEADLINE_S)
    assert second.returncode == 1
    assert f"process {first.pid} listens on {path} already" in told
    assert len(told.splitlines()) == 1
    assert _listens(path)
    _end(first)


def test_g16_of_many_that_find_a_dead_socket_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for _ in range(30):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        assert _winners(path) == 1
        path.unlink()


def _winners(path: Path) -> int:
    """How many of eight took the socket at the same moment; all others were refused."""
    start, looked = threading.Barrier(8), threading.Barrier(8)

    def take() -> bool:
        start.wait(10)
        try:
            with listen_unix(path):
                looked.wait(10)
                return True
        except RefusedError:
            looked.wait(10)
            return False

    with ThreadPoolExecutor(8) as pool:
        return sum(future.result(20) for future in [pool.submit(take) for _ in range(8)])


# --- G21: the type of an answer is lost, and each body is buffered and dumped ---------------------------------------


def test_g21_an_answer_says_that_it_is_json(tmp_path: Path) -> None:
    with plugin_running(rpc_app(instance_methods(InstancesDouble())), tmp_path) as server:
        answers = [server.call("Instance.Destroy", {"Instance": "i"}), server.call("Nope.Nope")]
    assert [answer.headers["content-type"] for answer in answers] == ["application/json"] * 2


def test_g21_no_body_comes_near_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At no level: neither of what is asked nor of what is answered, be it a success, a refusal or a bug."""
    plugin = InstancesDouble(provision=TOKEN)
    params = {"Spec": {"Init": TOKEN, "Tags": {"t": TOKEN}}}
    with (
        caplog.at_level(logging.DEBUG),
        structlog.testing.capture_logs() as lines,
        plugin_running(rpc_app(instance_methods(plugin)), tmp_path) as server,
    ):
        assert TOKEN in server.call("Instance.Provision", params).body.decode()
        server.call("Instance.Provision", {"Spec": {"Init": TOKEN, "Tags": TOKEN}})
        server.call("Instance.Nope", params)
        server.post(TOKEN.encode())
        plugin.answers["provision"] = RuntimeError("disk full")
        server.call("Instance.Provision", params)
    assert [line["event"] for line in lines] == ["a call failed"]
    assert TOKEN not in repr(lines)
    assert TOKEN not in caplog.text


# --- a panic closes the connection without an answer (2.2, 2.4; checklist 10) ---------------------------------------


@pytest.mark.parametrize("method", ["Validate", "Prepare", "Healthy", "Drain"])
@pytest.mark.parametrize("params", [{}, None, {"Properties": None}])
def test_a_flavor_answers_a_request_without_properties(method: str, params: object, tmp_path: Path) -> None:
    """InfraKit's flavors take the pointer for granted (pkg/rpc/flavor/service.go)."""
    with plugin_running(rpc_app(flavor_methods(VanillaFlavor())), tmp_path) as server:
        assert server.call(f"Flavor.{method}", params).status == 200
        assert server.result(f"Flavor.{method}", params)


def test_a_plugin_that_breaks_down_is_answered_for(tmp_path: Path) -> None:
    plugin = InstancesDouble(destroy=RuntimeError("nil pointer"))
    with plugin_running(rpc_app(instance_methods(plugin)), tmp_path) as server:
        code, words = server.call("Instance.Destroy", {"Instance": "i"}).error
        assert server.path.name == NAME
        assert server.listens()
    assert code == -32000
    assert words.startswith("internal error (incident ")
