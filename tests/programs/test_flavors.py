"""The four flavor programs, as processes that are asked over their sockets (infrakit-compat.md 1.1, 2.4)."""

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.wire_server import say, serving_tcp
from tests.engines.certificates import Authority
from tests.programs.running import Bench, bench

IDS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
SPEC = {"Properties": {"Box": "x"}, "Tags": None, "Init": "", "LogicalID": None, "Attachments": None}
PROGRAMS = ("vanilla", "swarm", "combo", "zookeeper")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as running:
        yield running


class OverSocket(HTTPConnection):
    """http.client on a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("a", timeout=30)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


def ask(programs: Bench, name: str, method: str, params: object) -> dict[str, Any]:
    """The whole answer to one call."""
    connection = OverSocket(programs.plugins / name)
    try:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 2**62})
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    assert answer["id"] == 2**62
    return answer


def prepared(programs: Bench, name: str, properties: object, logical_id: str | None = None, **spec: object) -> Any:
    allocation = {"Size": 0 if logical_id else 1, "LogicalIDs": IDS if logical_id else None}
    params = {"Properties": properties, "Spec": SPEC | {"LogicalID": logical_id} | spec, "Allocation": allocation}
    return ask(programs, name, "Flavor.Prepare", params)["result"]["Spec"]


@pytest.mark.parametrize("flavor", PROGRAMS)
async def test_each_says_what_it_is_and_leaves_without_a_trace(programs: Bench, flavor: str) -> None:
    """infrakit-compat.md 1.1, 2.3."""
    name = f"flavor-{flavor}"
    programs.start(f"flavor_{flavor}", name)
    apis = ask(programs, name, "Plugin.Implements", {})["result"]["APIs"]
    assert {"Name": "Flavor", "Version": "0.1.0"} in apis
    assert await programs.stop(name, signal.SIGINT) == 0
    assert not (programs.plugins / name).exists()
    assert programs.run(f"flavor_{flavor}", "version").stdout.startswith("Version: ")
    help = programs.run(f"flavor_{flavor}", "--help").stdout
    assert f"[default:{name}]" in "".join(help.split())


def test_vanilla_and_combo_through_sockets(programs: Bench) -> None:
    """infrakit-compat.md 4.2, 4.4: a combo finds the others by their sockets, and itself without one."""
    programs.start("flavor_vanilla", "flavor-vanilla")
    programs.start("flavor_combo", "flavor-combo")
    one = {"Plugin": "flavor-vanilla", "Properties": {"Init": ["one"], "Tags": {"a": "1"}, "Unknown": 1}}
    inner = {
        "Plugin": "flavor-combo",
        "Properties": [one, {"Plugin": "flavor-vanilla", "Properties": {"Init": ["two"]}}],
    }
    spec = prepared(programs, "flavor-combo", {"Flavors": [inner]}, Init="BASE")
    assert spec == SPEC | {"Init": "BASE\none\ntwo", "Tags": {"a": "1"}}
    validated = ask(
        programs,
        "flavor-combo",
        "Flavor.Validate",
        {"Properties": {"Flavors": [one, {"Plugin": "nope"}]}, "Allocation": {"Size": 1, "LogicalIDs": None}},
    )
    assert validated["error"]["message"] == "Flavors[1].Plugin: Plugin not found: nope"
    machine = {"ID": "i", "LogicalID": None, "Tags": None}
    asked = {"Properties": {"Flavors": [one]}, "Instance": machine}
    assert ask(programs, "flavor-combo", "Flavor.Healthy", asked)["result"] == {"Health": 1}
    assert ask(programs, "flavor-combo", "Flavor.Drain", asked)["result"] == {"OK": True}


def test_templates_are_read_where_the_program_runs(programs: Bench, tmp_path: Path) -> None:
    template = tmp_path / "init.sh"
    template.write_text("hostname {{ INSTANCE_LOGICAL_ID }}\n")
    programs.start("flavor_vanilla", "v")
    properties = {"InitScriptTemplateURL": template.as_uri()}
    assert prepared(programs, "v", properties, IDS[1])["Init"] == "hostname 10.0.0.2\n"
    template.write_text("hostname\n{{ HOSTNAME }}\n")
    params = {"Properties": properties, "Allocation": {"Size": 1, "LogicalIDs": None}}
    message = ask(programs, "v", "Flavor.Validate", params)["error"]["message"]
    assert message == f"InitScriptTemplateURL: {template.as_uri()}:2: 'HOSTNAME' is undefined"


def test_zookeeper_makes_an_ensemble(programs: Bench) -> None:
    """infrakit-compat.md 4.3."""
    programs.start("flavor_zookeeper", "zk")
    assert "echo '2' > /var/lib/zookeeper/myid\n" in prepared(programs, "zk", {"type": "member"}, IDS[1])["Init"]
    asked = {"Properties": {"Type": "member"}, "Allocation": {"Size": 3, "LogicalIDs": None}}
    error = ask(programs, "zk", "Flavor.Validate", asked)["error"]
    assert error["code"] == -32000
    assert error["message"] == "IP addresses are required as LogicalIDs for a ZooKeeper ensemble"


def test_swarm_without_its_engine_says_so_and_goes_on(programs: Bench) -> None:
    """infrakit-compat.md 4.1, 6: what the group plugin logs until the manager answers."""
    programs.start("flavor_swarm", "flavor-swarm", "--host", "tcp://127.0.0.1:9", "--bootstrap", IDS[0])
    worker = {"Type": "worker", "DockerRestartCommand": "service docker restart"}
    asked = {"Properties": worker, "Spec": SPEC, "Allocation": {"Size": 1, "LogicalIDs": None}}
    message = ask(programs, "flavor-swarm", "Flavor.Prepare", asked)["error"]["message"]
    assert message.startswith("Failed to fetch Swarm join tokens: ")
    assert "tcp://127.0.0.1:9" in message
    founder = prepared(programs, "flavor-swarm", {**worker, "Type": "manager"}, IDS[0])
    assert "docker swarm init --advertise-addr 10.0.0.1" in founder["Init"]
    assert list(founder["Tags"]) == ["swarm-association-id"]
    asked = {"Properties": {"Type": "boss"}, "Allocation": {"Size": 1, "LogicalIDs": None}}
    assert ask(programs, "flavor-swarm", "Flavor.Validate", asked)["error"]["message"] == "Unrecognized node Type"


async def test_swarm_verifies_its_engine_unless_told_not_to(programs: Bench, tmp_path: Path) -> None:
    """infrakit-compat.md 1.1, 4.1: InfraKit's verified nothing, and spoke plain TCP where no CA was given."""
    authority = Authority(tmp_path / "ca")
    client = authority.issue("client", "ann")
    own = ["--tlscert", client.cert, "--tlskey", client.key]

    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        await say(writer, b'{"ID": "x", "Name": "n", "Swarm": {"LocalNodeState": "inactive"}}')

    async def told(name: str, *flags: str) -> str:
        host = ["--host", f"tcp://127.0.0.1:{port}", *own, *flags]
        await asyncio.to_thread(programs.start, "flavor_swarm", name, *host)
        asked = {"Properties": {"Type": "worker"}, "Spec": SPEC, "Allocation": {"Size": 1, "LogicalIDs": None}}
        answer = await asyncio.to_thread(ask, programs, name, "Flavor.Prepare", asked)
        return str(answer["error"]["message"])

    async with serving_tcp(answer, authority.server("other.example.com")) as port:
        assert "its certificate is for another name" in await told("a", "--tlscacert", client.ca)
        assert "its certificate is for another name" in await told("b", "--tlscacert", client.ca, "--tlsverify")
        assert "is not signed by" in await told("c")
        assert "its Swarm is inactive" in await told("d", "--tlsverify=false")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--host", "carrier-pigeon://x"], "carrier-pigeon://x"),
        (["--tlsverify=perhaps"], "--tlsverify"),
        (["--nope"], "--nope"),
    ],
)
def test_swarm_is_told_at_the_start_what_it_cannot_use(programs: Bench, flags: list[str], says: str) -> None:
    done = programs.run("flavor_swarm", "--name", "s", *flags)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (programs.plugins / "s").exists()
