"""What an Engine promises (ports.Engine), on simulated engines and on real ones: two nodes of one Swarm."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.adapters.node_image import EXAMPLE_IMAGE, build_example_image
from skep.plugins.docker import DockerInstances
from tests.contract import engine_containers, engine_local, engine_swarm
from tests.contract.engine_bed import Bed, Check, swarm_of_two
from tests.engines.host import HostEngine
from tests.sim.loop import SimClock, run
from tests.sim.world import World

CHECKS: list[Check] = [*engine_swarm.CHECKS, *engine_containers.CHECKS, *engine_local.CHECKS]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_simulated(check: Check) -> None:
    async def main() -> None:
        world = World(SimClock(), Random(1))
        world.host_images[EXAMPLE_IMAGE] = "sha256:1"
        await check(await swarm_of_two(world.instances, world.engines, "sim://nowhere"))

    run(main)


@asynccontextmanager
async def _real_bed(host: HostEngine, image: str) -> AsyncIterator[Bed]:
    engines = DockerEngines()
    controller = f"e{secrets.token_hex(3)}"

    async def node_image() -> str:
        return image

    engine, folder = engines.engine(host.endpoint), host.folder / "s" / controller
    machines = DockerInstances(engine, engines, controller, folder, node_image, SystemClock(), routes=list)
    try:
        await build_example_image(engine)
        yield await swarm_of_two(machines, engines, f"unix://{host.folder}/nowhere.sock")
    finally:
        await machines.remove_everything()
        await engines.close()


@pytest.fixture(scope="module")
def on_real_bed(host_engine: HostEngine, node_image: str) -> Iterator[Callable[[Check], None]]:
    """Runs a check on two real engines, which all checks share: one loop for all of them."""
    with asyncio.Runner() as runner:
        context = _real_bed(host_engine, node_image)
        bed = runner.run(context.__aenter__())
        try:
            yield lambda check: runner.run(check(bed))
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.mark.docker
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_real(check: Check, on_real_bed: Callable[[Check], None]) -> None:
    on_real_bed(check)
