"""A Swarm whose machines have several flavors each: the controller sees managers and workers like any other."""

from collections.abc import Mapping

from tests.sim.controller import Simulation, managers, simulation, workers, workload
from tests.sim.loop import run


def combined(group: Mapping[str, object]) -> dict[str, object]:
    """The group with a script of its own before that of its flavor."""
    properties: dict[str, object] = dict(group["Properties"])  # type: ignore[call-overload]
    first = {"Plugin": "flavor-vanilla", "Properties": {"Init": ["echo hello"], "Tags": {"tier": "x"}}}
    properties["Flavor"] = {"Plugin": "flavor-combo", "Properties": {"Flavors": [first, properties["Flavor"]]}}
    return {"ID": group["ID"], "Properties": properties}


def test_a_combo_with_swarm_in_it_is_a_group_of_the_swarm() -> None:
    """infrakit-compat.md 4.4: N9 holds, workers wait for managers, a node that is lost leaves no stray, workers go
    first."""

    async def main() -> Simulation:
        sim = simulation(seed=1)
        groups = [combined(managers(3)), combined(workers(2))]
        async with sim.running():
            await sim.apply(groups[1], workload())
            await sim.clock.sleep(5)
            await sim.apply(groups[0])
            await sim.converged(120)
            sim.world.vanish(sim.world.group("workers")[0])
            [swarm] = sim.world.swarms()
            await sim.until(lambda views: not all(v.converged for v in views), 10)
            await sim.until(lambda views: all(v.converged for v in views) and len(swarm.nodes) == 5, 120)
            assert sim.world.acts["swarm init"] == 1
            assert all(machine.spec.tags["tier"] == "x" for machine in sim.world.group("workers"))
            await sim.delete(*groups, workload())
            await sim.until(lambda views: not views, 120)
        return sim

    assert run(main).world.violations == []
