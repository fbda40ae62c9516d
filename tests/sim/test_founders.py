"""The manager that was chosen to found the Swarm, and what becomes of it when it can't be made (semantics.md N9)."""

import contextlib

import pytest

from skep.control.documents import spec_of
from skep.control.groups import GROUP_TAG
from skep.control.machines import Group, GroupActuator
from skep.model.errors import NotReadyError
from skep.model.json import RawJson
from skep.model.machine import InstanceSpec
from skep.model.spec import GroupSpec
from skep.model.state import Desired
from tests.control.desk import Desk
from tests.control.lab import creation, nobody
from tests.sim.controller import Simulation, group, simulation, workers
from tests.sim.loop import run

FOUNDER, OTHERS, NEW = "10.9.0.10", ("10.9.0.11", "10.9.0.12"), "10.9.0.13"


def managers(*ids: str) -> dict[str, object]:
    return group("managers", {"LogicalIDs": list(ids)}, "manager")


async def chosen(sim: Simulation) -> str:
    assert sim.core is not None
    return (await sim.core._world.clusters.state("managers")).bootstrap


@pytest.mark.parametrize("crash", [False, True])
def test_a_founder_that_can_t_be_made_gives_way_when_its_logical_id_is_replaced(crash: bool) -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        sim.world.not_to_be_had.add(FOUNDER)
        async with sim.running():
            await sim.apply(managers(FOUNDER))
            await sim.clock.sleep(5)
            await sim.apply(managers(FOUNDER, *OTHERS), workers(1))
            await sim.clock.sleep(200)
            assert await chosen(sim) == FOUNDER
            assert not sim.world.swarms()
            await sim.apply(managers(NEW, *OTHERS))
            if not crash:
                await sim.converged(400)
        async with sim.running():
            await sim.converged(400)
            assert await chosen(sim) in (NEW, *OTHERS)
            [swarm] = sim.world.swarms()
            assert len(swarm.nodes) == 4
        assert sim.world.acts["swarm init"] == 1
        assert not sim.world.violations

    run(main)


def test_a_founder_that_may_still_be_made_stays_the_founder_though_nobody_wants_it_any_more() -> None:
    """Its machine is there, and what is under way for it is carried on: it founds the Swarm, late."""

    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await sim.apply(managers(FOUNDER))
            await sim.until(lambda _: bool(sim.world.group("managers")), 60)
            [first] = sim.world.group("managers")
            sim.world.stop(first)
            await sim.apply(managers(FOUNDER, *OTHERS))
            await sim.apply(managers(NEW, *OTHERS))
            await sim.clock.sleep(300)
            assert await chosen(sim) == FOUNDER
            await sim.until(lambda _: sim.world.acts["swarm init"] == 1, 300)
            [swarm] = sim.world.swarms()
            await sim.until(lambda views: views[0].ready == 3, 300)
            assert sim.world.swarms() == [swarm]
        assert not sim.world.violations

    run(main)


@pytest.mark.parametrize(("listed", "chosen"), [(True, FOUNDER), (False, NEW)])
def test_a_machine_that_is_listed_may_have_founded_the_swarm(listed: bool, chosen: str) -> None:
    """Whoever asks to found it in its stead waits until the machine is gone."""

    async def main() -> str:
        desk = Desk()
        await desk.apply(managers(NEW, *OTHERS))
        await desk.clusters.claim_bootstrap("managers", FOUNDER)
        if listed:
            made = InstanceSpec(RawJson(b"{}"), {GROUP_TAG: "managers"}, logical_id=FOUNDER)
            await desk.world.instances.provision(made)
        [document] = await desk.catalog.list()
        spec = spec_of(document.spec)
        assert isinstance(spec, GroupSpec)
        flavor, place = desk.plugins.flavor("flavor-swarm"), desk.topology.places([document])[0]
        group = Group(spec, desk.world.instances, flavor, place, ends=False, lapsed=FOUNDER)
        actuator, wanted = (
            GroupActuator(group, desk.clusters, desk.world.kernel.clock, 0.0),
            Desired(spec.key, 1, 3, ""),
        )
        await actuator.observe(wanted)
        with contextlib.suppress(NotReadyError):
            await actuator.create(wanted, creation(slot=NEW), nobody)
        return (await desk.clusters.state("managers")).bootstrap

    assert run(main) == chosen
