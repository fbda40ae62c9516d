"""Containers of 2015 are adopted as they run, whenever the controller dies on the way (semantics.md W20, W21, F3)."""

import pytest

from skep.control.documents import adopted_path, decode
from skep.model.adopted import AdoptedContainers
from skep.model.request import ApplyOptions
from skep.specs.source import SourceFile
from tests.control.values import WEB
from tests.sim.container_run import farm
from tests.sim.container_watch import ContainerWatch
from tests.sim.controller import Simulation, texts, workload
from tests.sim.keeper import RESYNC_S
from tests.sim.loop import run

ACTS_MAX = 100
"""More than an adoption has; one that does not end has no end here either."""


async def _old(sim: Simulation) -> set[str]:
    """Two on each engine, as the state manager of 2015 made them."""
    made = set()
    for name, host in enumerate([*sim.world.alone] * 2):
        engine = sim.world.engines.engine(f"sim://{host}")
        body = {"Image": "web:1", "Labels": {"swarm.cluster.state": "web"}}
        made.add(id := await engine.create_container(f"old{name}", body))
        await engine.start_container(id)
    return made


async def _crashed(sim: Simulation, crash_at: int) -> bool:
    """Whether the controller that adopts acted so often, and died of it; another one has seen to the rest by then."""
    first = sim.begin()
    await first.ready()
    await first.core.apply([SourceFile("sim", texts([workload("web", 3)]))], "sim", ApplyOptions(adopt=True))
    await first.kill()
    second = sim.begin(crash_at)
    await sim.clock.sleep(RESYNC_S)
    died = second.gate.dead.is_set()
    await second.kill()
    async with sim.running():
        await sim.clock.sleep(RESYNC_S)
        await sim.converged(60)
    return died


@pytest.mark.parametrize("sign", [1, -1])
def test_a_crash_at_any_act_of_an_adoption_costs_no_container_and_makes_none(sign: int) -> None:
    async def main(crash_at: int) -> bool:
        sim = farm(1, 2)
        ContainerWatch(sim.world).asked("web", 3)
        old = await _old(sim)
        died = await _crashed(sim, crash_at)
        there = {c.shown.id: c.shown.state for host in sim.world.alone.values() for c in host.containers.values()}
        assert there == dict.fromkeys(old, "running")
        stored = await sim.store.get(adopted_path(WEB))
        assert stored is not None
        adopted = decode(AdoptedContainers, stored.value).containers
        assert len({a.slot for a in adopted}) == len({a.id for a in adopted} & old) == len(adopted) == 3
        assert not sim.world.violations
        return died

    acts = 1
    while run(lambda acts=acts: main(sign * acts), 3600.0):  # type: ignore[misc]
        acts += 1
        assert acts < ACTS_MAX
    assert acts > 3
