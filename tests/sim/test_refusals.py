"""What would do harm to what is there is refused, whichever way it comes in, and nothing is changed by it."""

from typing import Any

import pytest

from skep.model.errors import RefusedError
from tests.sim.controller import Simulation, group, simulation
from tests.sim.loop import run


def named(*ids: int) -> dict[str, Any]:
    document = group("managers", {"LogicalIDs": [f"10.9.0.{id}" for id in ids]}, "manager")
    document["Properties"]["Updating"] = {"MaxUnavailable": 1}  # type: ignore[index]
    return document


def slots(sim: Simulation) -> set[str]:
    return {str(m.spec.logical_id) for m in sim.world.group("managers")}


@pytest.mark.parametrize("way", [(10, 11, 20), (10, 11, 12, 20, 21)])
def test_one_manager_is_left_only_where_it_is_there_already(way: tuple[int, ...]) -> None:
    """N4: three whose place is taken by a new one ended with an old one alone, for good."""

    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running():
            await sim.apply(named(10, 11, 12))
            await sim.converged(200)
            with pytest.raises(RefusedError, match="would be left with one manager"):
                await sim.apply(named(20))
            await sim.apply(named(*way))
            await sim.converged(600)
            await sim.apply(named(20))
            await sim.converged(600)
            assert slots(sim) == {"10.9.0.20"}
        assert not sim.world.violations

    run(main)
