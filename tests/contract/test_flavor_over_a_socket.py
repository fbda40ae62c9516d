"""What the swarm flavor promises, promised over a socket too: all but what InfraKit's protocol can't say."""

import asyncio
import time
from pathlib import Path
from random import Random

from skep.adapters.plugin_folder import PluginFolder
from skep.server.plugin_socket import answer_on, plugin_socket
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods
from tests.contract.test_flavor import Stage, a_swarm_lives
from tests.sim.world import World

HASTE = 50


class HurriedClock:
    """Real time, in which sockets live, and fifty times as much of it for machines."""

    def monotonic_s(self) -> float:
        return time.monotonic() * HASTE

    def wall_s(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / HASTE)


async def test_a_swarm_lives_over_a_socket(tmp_path: Path) -> None:
    clock, stop = HurriedClock(), asyncio.Event()
    world = World(clock, Random(1))

    async def kill(instance: str) -> None:
        world.stop(world.machines[instance])

    stage = Stage(world.instances, world.engines, clock, kill)
    plugins = PluginFolder(tmp_path)
    stage.remote = plugins.flavor("swarm")
    with plugin_socket("swarm", tmp_path) as listener:
        async with asyncio.TaskGroup() as group:
            group.create_task(answer_on(listener, rpc_app(flavor_methods(stage.served)), stop))
            try:
                await a_swarm_lives(stage)
            finally:
                await plugins.close()
                stop.set()
    assert world.violations == []
