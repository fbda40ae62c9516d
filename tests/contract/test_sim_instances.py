"""The simulated machines keep the same promises as the real ones: one suite for both."""

from collections.abc import Awaitable, Callable
from random import Random

import pytest

from skep.model.json import RawJson
from tests.contract.instances import World as Given
from tests.contract.test_instance_plugin import CHECKS
from tests.sim.loop import SimClock, run
from tests.sim.world import World


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[Given], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World(SimClock(), Random(1))
        world.host_images["skep/web:1"] = "sha256:1"

        async def runs(instance: str) -> int:
            return world.machines[instance].init_runs

        async def stop(instance: str) -> None:
            await world.kernel.clock.sleep(0.1)
            world.stop(world.machines[instance])

        await check(Given(world.instances, "echo ran", runs, stop, RawJson(b"{}"), images=["skep/web:1"]))

    run(main)
