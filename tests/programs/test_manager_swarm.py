"""Managers of groups on a real Swarm of three: who leads, what is kept, and fail-over (infrakit-compat.md 3.9)."""

import asyncio
import base64
import json
import random
import tempfile
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngine
from skep.adapters.group_store_swarm import LABEL_BYTES_MAX, SwarmGroupStore
from skep.adapters.leader_swarm import SwarmLeadership
from skep.adapters.plugin_folder import PluginFolder
from skep.control.infrakit_manager import Manager
from skep.model.errors import RefusedError, SkepError
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup
from tests.conditions import until
from tests.engines.host import HostEngine
from tests.engines.machines import Machines, open_machines, spec
from tests.fakes.groups import Cloud, FakeGroups, group
from tests.programs.running import bench

pytestmark = pytest.mark.docker

POLL_S = 0.5
ELECTION_S = 90.0
"""Swarm takes a few seconds to elect; a busy machine takes its time to notice."""


@dataclass
class Host:
    """A manager of the Swarm, with a manager of groups and its group plugin."""

    instance: str
    engine: DockerEngine
    backend: FakeGroups
    manager: Manager

    async def leads(self) -> bool:
        try:
            return (await SwarmLeadership(self.engine).status()).leads
        except SkepError:
            return False

    async def watched(self) -> list[str]:
        return sorted(self.backend.watched)


async def _swarm_of_three(machines: Machines) -> Sequence[str]:
    """Machines that are managers of one Swarm, whose spec is not the one that every Swarm begins with."""
    init = "docker swarm init --advertise-addr eth0 --task-history-limit 7 --dispatcher-heartbeat 7s >/dev/null"
    first = await machines.plugin.provision(spec("m1", init))
    engine = machines.inner(first)
    tokens, [node] = await engine.join_tokens(), await engine.nodes()
    join = f"docker swarm join --token {tokens.manager} {node.manager_addr} >/dev/null"
    others = await asyncio.gather(*(machines.plugin.provision(spec(f"m{n}", join)) for n in (2, 3)))
    return [first, *others]


@asynccontextmanager
async def _hosts(machines: Machines) -> AsyncIterator[list[Host]]:
    cloud, made = Cloud(), []
    for instance in await _swarm_of_three(machines):
        engine, backend = machines.inner(instance), FakeGroups(cloud)
        store, leadership = SwarmGroupStore(engine), SwarmLeadership(engine)
        manager = Manager(backend, "group-stateless", leadership, store, SystemClock(), POLL_S)
        made.append(Host(instance, engine, backend, manager))
    running = [asyncio.create_task(host.manager.run()) for host in made]
    try:
        yield made
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def _leader(hosts: Sequence[Host]) -> Host:
    found: list[Host] = []

    async def count() -> int:
        leading = await asyncio.gather(*(host.leads() for host in hosts))
        found[:] = [host for host, leads in zip(hosts, leading, strict=True) if leads]
        return len(found)

    await until(count, 1, within_s=ELECTION_S)
    return found[0]


async def _swarm_spec(engine: DockerEngine) -> dict[str, Any]:
    """As the engine tells it, without its labels."""
    found = json.loads(await engine._wire.raw("read the Swarm", "swarm"))["Spec"]
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if key != "Labels"}


async def test_groups_fail_over_with_the_swarms_leader(host_engine: HostEngine, node_image: str) -> None:
    """The next leader commits what is stored, goes on with what was being destroyed, and the Swarm stays as it was."""
    async with open_machines(host_engine, node_image) as machines, _hosts(machines) as hosts:
        leader = await _leader(hosts)
        followers = [host for host in hosts if host is not leader]
        before, tokens = await _swarm_spec(leader.engine), await leader.engine.join_tokens()
        assert before["Orchestration"] == {"TaskHistoryRetentionLimit": 7}
        name = next(node.hostname for node in await leader.engine.nodes() if node.leader)
        with pytest.raises(RefusedError, match=f"^not-a-leader: can't commit group 'a' here; {name} "):
            await followers[0].manager.commit(group("a"), pretend=False)
        await asyncio.gather(*(leader.manager.commit(group(id), pretend=False) for id in "abc"))
        await leader.manager.free("b")
        assert await _swarm_spec(leader.engine) == before
        assert await leader.engine.join_tokens() == tokens
        label = (await followers[0].engine.swarm_labels()).labels["infrakit"]
        assert sorted(json.loads(zlib.decompress(base64.b64decode(label)))["Groups"]) == ["a", "c"]

        leader.backend.slow_s["destroy c"] = 1e6
        destroying = asyncio.create_task(leader.manager.destroy("c"))

        async def doomed() -> list[str]:
            return list((await SwarmGroupStore(leader.engine).load()).destroying)

        await until(doomed, ["c"])
        await machines.docker("kill", leader.instance)
        successor = await _leader(followers)
        await until(successor.watched, ["a"], within_s=ELECTION_S)
        await until(lambda: _stored(successor), {"a"}, within_s=ELECTION_S)
        assert successor.backend.cloud.machines == {"a": 5, "b": 5}
        await until(leader.watched, [], within_s=ELECTION_S)  # it can't know who leads
        with pytest.raises(SkepError):
            await destroying
        await successor.manager.commit(group("d", 1), pretend=False)
        assert await _stored(successor) == {"a", "d"}
        assert await _swarm_spec(successor.engine) == before


async def _stored(host: Host) -> set[str]:
    document = await SwarmGroupStore(host.engine).load()
    return {*document.groups, *document.destroying}


def _noise(bytes_: int) -> CommittedGroup:
    """A group that can't be packed: base64 over zlib makes a third more of random bytes' base64."""
    text = base64.b64encode(random.Random(1).randbytes(bytes_ * 3 // 4)).decode()
    return CommittedGroup("noise", RawJson(json.dumps({"noise": text}).encode()))


@pytest.mark.parametrize("image", ["node_image", "newer_node_image"])
async def test_a_label_of_the_largest_size_is_kept_and_the_swarms_spec_with_it(
    image: str, host_engine: HostEngine, request: pytest.FixtureRequest
) -> None:
    """On the oldest engine that is spoken to and on a newer one."""
    node_image = request.getfixturevalue(image)
    async with open_machines(host_engine, node_image) as machines:
        init = "docker swarm init --advertise-addr eth0 --task-history-limit 7 --cert-expiry 99h >/dev/null"
        engine = machines.inner(await machines.plugin.provision(spec("alone", init)))
        before, store = await _swarm_spec(engine), SwarmGroupStore(engine)
        biggest = _noise(LABEL_BYTES_MAX - 20_000)
        await store.change(lambda document: document.committed(biggest, "g"))
        assert LABEL_BYTES_MAX * 0.9 < len((await engine.swarm_labels()).labels["infrakit"]) <= LABEL_BYTES_MAX
        assert json.loads((await store.load()).groups["noise"].group.properties) == json.loads(biggest.properties)
        with pytest.raises(RefusedError, match="bytes, and"):
            await store.change(lambda document: document.committed(_noise(LABEL_BYTES_MAX + 20_000), "g"))
        await store.change(lambda document: document.without("noise"))
        assert await _swarm_spec(engine) == before
        assert (await SwarmLeadership(engine).status()).leads


async def test_the_program_keeps_groups_in_its_swarm(host_engine: HostEngine, node_image: str) -> None:
    """`infrakit-manager swarm`, a process of its own, before a group plugin that is one too."""
    async with open_machines(host_engine, node_image) as machines:
        init = "docker swarm init --advertise-addr eth0 >/dev/null"
        instance = await machines.plugin.provision(spec("alone", init))
        engine = machines.inner(instance)
        with tempfile.TemporaryDirectory(prefix="m") as folder, bench(Path(folder)) as programs:
            programs.begin("instance_file", "instance-file", "--dir", str(Path(folder) / "machines"))
            programs.begin("flavor_vanilla", "flavor-vanilla")
            programs.begin("group_default", "group-stateless")
            programs.begin("manager", "group", "swarm", "--host", engine.endpoint, "--poll-interval", "200ms")
            for name in ("instance-file", "flavor-vanilla", "group-stateless", "group"):
                await asyncio.to_thread(programs.wait, name)
            client = PluginFolder(programs.plugins)
            assert await client.group("group").commit(group("cattle", 2), pretend=False) == "Managing 2 instances"
            assert list((await SwarmGroupStore(engine).load()).groups) == ["cattle"]
            await client.group("group").destroy("cattle")
            assert not (await SwarmGroupStore(engine).load()).groups
            await client.close()
            assert await programs.stop("group") == 0
            assert "SWMTKN" not in programs.log("group")
