"""`swarm-cluster-state-manager` as a process on a real engine over TLS (semantics.md W53)."""

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from skep.adapters.docker import DockerEngine
from skep.adapters.node_image import EXAMPLE_IMAGE, build_example_image
from skep.model.cluster import TlsFiles
from tests.e2e.waiting import eventually
from tests.engines.certificates import Authority
from tests.engines.host import HostEngine, host_engine
from tests.programs.test_cluster_state_manager import Manager, managing

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certs") / "ca")


@pytest.fixture(scope="module")
def files(authority: Authority) -> TlsFiles:
    """As docker-machine's of a master: for servers and for clients."""
    return authority.issue("machine", "127.0.0.1")


async def _example(engine: HostEngine) -> None:
    client = DockerEngine(engine.endpoint)
    try:
        await build_example_image(client)
    finally:
        await client.close()


@pytest.fixture(scope="module")
def engine(authority: Authority) -> Iterator[tuple[HostEngine, str]]:
    """One that takes clients with certificates alone, and its URL."""
    own = authority.issue("engine", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = ["-H", "fd://", "--tlsverify", "--tlscacert", own.ca, "--tlscert", own.cert, "--tlskey", own.key]
        with host_engine(options, listener) as made:
            asyncio.run(_example(made))
            yield made, f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def ids(engine: HostEngine, name: str, *options: str) -> list[str]:
    """As the document lists them."""
    return engine.docker("ps", "-f", f"label=swarm.cluster.state={name}", "-q", "--no-trunc", *options).split()


def test_the_document_on_an_engine_over_tls(engine: tuple[HostEngine, str], files: TlsFiles) -> None:
    """Submit, status, the label, what is removed by hand comes back, a smaller Count, Count 0, DELETE, and the log."""
    host, url = engine
    with managing(files, url) as manager:

        def current() -> object:
            return [(one["DesiredCount"], one["CurrentCount"]) for one in manager.status()]

        assert manager.submit(Name="nginx", Image=EXAMPLE_IMAGE, Count=5)["change"] == "created"
        eventually(current, [(5, 5)])
        first = ids(host, "nginx")
        expected = ["Starting Swarm cluster state manager...", "updating nginx cluster state"]
        expected += ["creating 5 nginx containers", *sorted(f"created nginx container: {id}" for id in first)]
        eventually(_in_blocks(manager), expected)

        host.docker("rm", "-f", *first[:2])
        eventually(lambda: len(ids(host, "nginx")), 5)
        eventually(current, [(5, 5)])
        again = sorted(f"created nginx container: {id}" for id in set(ids(host, "nginx")) - set(first))
        assert len(again) == 2
        assert set(again) <= set(manager.lines())

        assert manager.submit(Name="nginx", Image=EXAMPLE_IMAGE, Count=3)["change"] == "configured"
        eventually(current, [(3, 3)])
        eventually(lambda: len(ids(host, "nginx", "-a")), 3)
        told = manager.lines()
        after = told[told.index("removing 2 nginx containers") :]
        assert [line.rpartition(" ")[0] for line in after[1:]] == ["removed nginx container:"] * 2
        assert all(re.fullmatch("[0-9a-f]{64}", line.rpartition(" ")[2]) for line in after[1:])

        manager.submit(Name="nginx", Image=EXAMPLE_IMAGE, Count=0)
        eventually(current, [(0, 0)])
        eventually(lambda: ids(host, "nginx", "-a"), [])
        manager.curl("/v1/workloads/nginx", "-X", "DELETE")
        eventually(manager.status, [])


def _in_blocks(manager: Manager) -> Callable[[], list[str]]:
    """The lines as they came, but those of containers made side by side in the order of their IDs."""

    def lines() -> list[str]:
        told = manager.lines()
        made = sorted(line for line in told if line.startswith("created "))
        return [*(line for line in told if not line.startswith("created ")), *made]

    return lines


def test_a_certificate_that_the_engine_does_not_take_is_told_and_the_server_stays(
    engine: tuple[HostEngine, str], tmp_path: Path
) -> None:
    _, url = engine
    theirs = Authority(tmp_path / "theirs").issue("machine", "127.0.0.1")
    with managing(theirs, url) as manager:
        manager.submit(Name="nginx", Image=EXAMPLE_IMAGE, Count=1)
        clusters = manager.curl("/v1/clusters").stdout
        assert '"state":"answering"' not in clusters
        assert manager.status() == [{"Name": "nginx", "Image": EXAMPLE_IMAGE, "DesiredCount": 1, "CurrentCount": 0}]


@pytest.mark.parametrize(
    ("flags", "state", "made"),
    [
        ([], "silent", 0),
        (["--insecure-skip-verify=false"], "silent", 0),
        (["--insecure-skip-verify"], "answering", 1),
        (["-insecure-skip-verify=true"], "answering", 1),
    ],
)
def test_an_engine_of_another_ca_is_worked_with_only_where_the_flag_says_so(
    engine: tuple[HostEngine, str], files: TlsFiles, tmp_path: Path, flags: list[str], state: str, made: int
) -> None:
    """`--tlscacert` names a CA that has not signed the engine's certificate. It goes on to say which clients get in."""
    host, url = engine
    others = Authority(tmp_path / "others")
    theirs = others.issue("client", "ann")
    identity = ("--cacert", files.ca, "--cert", theirs.cert, "--key", theirs.key)
    with managing(replace(files, ca=theirs.ca), url, more=flags) as manager:

        def seen() -> str:
            [cluster] = json.loads(manager.curl("/v1/clusters", identity=identity).stdout)
            [shown] = cluster["engines"]
            assert (shown["state"] == "silent") == ("its certificate is not signed by" in shown["error"])
            return str(shown["state"])

        eventually(seen, state)
        spec = json.dumps({"Name": "unproven", "Image": EXAMPLE_IMAGE, "Count": 1})
        manager.curl("/submit", "-d", spec, identity=identity)
        eventually(lambda: len(ids(host, "unproven")), made)
        manager.curl("/v1/workloads/unproven", "-X", "DELETE", identity=identity)
        eventually(lambda: ids(host, "unproven", "-a"), [])
