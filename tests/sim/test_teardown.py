"""Everything taken back from the clusters of the settings, when no controller runs."""

import pytest

from skep.control.teardown import remove_workloads
from skep.model.cluster import StaticCluster
from skep.model.errors import UnavailableError
from tests.sim.controller import Simulation, simulation, workload
from tests.sim.loop import run
from tests.sim.test_clusters import found

FARM = StaticCluster("farm", ("sim://e1", "sim://e2"))


async def farmed() -> Simulation:
    """Four containers on two engines and a service of two on a Swarm, and beside them what is not skep's."""
    sim = simulation(seed=1)
    for name in ("e1", "e2"):
        sim.world.add_engine(name, "web:1", "db:1")
    await found(sim, "10.9.5.1", "10.9.5.2")
    sim.static = (FARM, *sim.static)
    async with sim.running():
        await sim.apply(workload(count=4) | {"Cluster": "farm"})
        await sim.apply(workload("two", count=2) | {"Cluster": "prod"})
        await sim.converged(60)
    labels = {"skep.controller": "another", "skep.workload": "web"}
    await sim.world.engines.engine("sim://e1").create_container("other", {"Image": "db:1", "Labels": labels})
    await sim.world.engines.engine("sim://e1").create_container(
        "machine", {"Image": "db:1", "Labels": {"skep.controller": "skep"}}
    )
    return sim


def test_containers_and_services_of_this_controller_go_and_nothing_else() -> None:
    async def main() -> None:
        sim = await farmed()
        removed = await remove_workloads(sim.static, sim.world.engines, "skep")
        assert sorted(line.split()[0] for line in removed) == ["container"] * 4 + ["service"]
        left = [c.shown.name for host in sim.world.alone.values() for c in host.containers.values()]
        assert left == ["other", "machine"]
        assert await sim.world.engines.engine(sim.static[1].endpoints[0]).services() == []
        assert await remove_workloads(sim.static, sim.world.engines, "skep") == ()

    run(main)


def test_nothing_is_removed_while_an_engine_does_not_answer() -> None:
    async def main() -> None:
        sim = await farmed()
        sim.world.alone["e2"].halt()
        with pytest.raises(UnavailableError, match="nothing was removed, since an engine of the settings does not"):
            await remove_workloads(sim.static, sim.world.engines, "skep")
        assert len(sim.world.alone["e1"].containers) == 4

    run(main)
