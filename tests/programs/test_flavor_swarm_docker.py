"""`infrakit-flavor-swarm` as a process beside real engines: it founds a Swarm, fills it and empties it."""

import asyncio
import json
from pathlib import Path

import pytest

from skep.adapters.plugin_folder import PluginFolder
from skep.model.errors import NotReadyError, RejectedError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health, Phase
from skep.ports import DrainRequest, FlavorPlugin
from tests.conditions import until
from tests.engines.host import HostEngine
from tests.engines.machines import Machines, open_machines, spec
from tests.programs.running import Bench, bench

pytestmark = pytest.mark.docker

RESTART = 'kill -HUP "$(cat /var/run/docker.pid)"'
MANAGER = RawJson(json.dumps({"Type": "manager", "DockerRestartCommand": RESTART}).encode())
WORKER = RawJson(
    json.dumps({"Type": "worker", "DockerRestartCommand": RESTART, "EngineLabels": {"disk": "ssd"}}).encode()
)
PETS = Allocation(logical_ids=("manager-1",))


async def advance(phase: Phase) -> None:
    raise AssertionError("a phase is not told over a socket")


async def drain(flavor: FlavorPlugin, properties: RawJson, machine: InstanceDescription) -> None:
    await flavor.drain(properties, machine, DrainRequest(), advance)


async def become(flavor: FlavorPlugin, properties: RawJson, machine: InstanceDescription, wanted: Health) -> None:
    async def health() -> Health:
        [answer] = await flavor.healthy(properties, [machine])
        return answer.health

    await until(health, wanted, within_s=90)


def test_a_real_swarm_is_founded_filled_and_emptied_over_a_socket(
    host_engine: HostEngine, node_image: str, tmp_path: Path
) -> None:
    """infrakit-compat.md 4.1: with InfraKit's tags alone, and by the order of the origin document."""

    async def main() -> None:
        plugins = PluginFolder(tmp_path / "p")
        try:
            async with open_machines(host_engine, node_image) as machines:
                with bench(tmp_path) as programs:
                    await _swarm_lives(programs, plugins.flavor("flavor-swarm"), machines)
        finally:
            await plugins.close()

    asyncio.run(main())


async def _swarm_lives(programs: Bench, flavor: FlavorPlugin, machines: Machines) -> None:
    founder = spec("m1", logical_id="manager-1")
    engine = machines.folder(await machines.plugin.boot(founder)) / "e.sock"
    host = ["--host", f"unix://{engine}"]
    await asyncio.to_thread(programs.start, "flavor_swarm", "flavor-swarm", *host, "--log", "5")
    with pytest.raises(NotReadyError, match=r"Failed to fetch Swarm join tokens: .* its Swarm is inactive"):
        await flavor.prepare(WORKER, InstanceSpec(tags={"infrakit.group": "w"}), Allocation(size=1))
    with pytest.raises(NotReadyError, match="its Swarm is inactive"):
        await flavor.prepare(MANAGER, founder, PETS)
    await programs.stop("flavor-swarm")

    bootstrap = ["--bootstrap", "manager-1", "--log", "5"]
    await asyncio.to_thread(programs.start, "flavor_swarm", "flavor-swarm", *host, *bootstrap)
    prepared = await flavor.prepare(MANAGER, founder, PETS)
    manager = await machines.shown(await machines.plugin.provision(prepared))
    await become(flavor, MANAGER, manager, Health.HEALTHY)

    bare = InstanceSpec(founder.properties, {"infrakit.group": "w", "infrakit.config_sha": "x"})
    first, second = await asyncio.gather(*(_worker(flavor, machines, bare) for _ in range(2)))
    inner = machines.inner(manager.id)
    assert {node.engine_labels["disk"] for node in await inner.nodes({"role": ["worker"]})} == {"ssd"}
    assert first.tags["swarm-id"] == (await inner.info()).cluster_id
    with pytest.raises(RejectedError, match="the last manager, and the Swarm has other nodes that are ready"):
        await drain(flavor, MANAGER, manager)

    await machines.docker("kill", second.id)
    await become(flavor, WORKER, second, Health.UNHEALTHY)
    for worker in (first, first, second):
        await drain(flavor, WORKER, worker)
        await machines.plugin.destroy(worker.id)
    assert [node.role for node in await inner.nodes()] == ["manager"]
    await drain(flavor, MANAGER, manager)

    token = (await inner.join_tokens()).worker
    assert "SWMTKN" in token
    assert "SWMTKN" not in programs.log("flavor-swarm")


async def _worker(flavor: FlavorPlugin, machines: Machines, bare: InstanceSpec) -> InstanceDescription:
    prepared = await flavor.prepare(WORKER, bare, Allocation(size=1))
    worker = await machines.shown(await machines.plugin.provision(prepared))
    await become(flavor, WORKER, worker, Health.HEALTHY)
    return worker
