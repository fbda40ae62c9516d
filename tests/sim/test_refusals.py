"""What would do harm to what is there is refused, whichever way it comes in, and nothing is changed by it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from skep.cli.state import state_of
from skep.model.errors import RefusedError
from skep.model.spec import Key
from tests.fakes.foreign import ForeignInstances
from tests.server.bodies import as_json
from tests.sim.controller import Simulation, group, simulation, workers, workload
from tests.sim.loop import run
from tests.sim.ways import WAYS, on, refused

MANAGERS, BOXES = Key.parse("group/managers"), Key.parse("group/boxes")
OTHERS: dict[str, Any] = group("others", {"LogicalIDs": ["10.9.0.30"]}, "manager")


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


@WAYS
@pytest.mark.parametrize("freed", [False, True])
def test_managers_are_not_given_another_cluster(way: str, freed: bool) -> None:
    """Those that were freed are as much the managers of their Swarm; all were replaced at once, in no time (N4)."""

    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running() as core:
            await sim.apply(named(10, 11, 12))
            await sim.converged(200)
            if freed:
                await core.free(MANAGERS, "sim")
                await sim.clock.sleep(20)
            await refused(
                sim, way, "holds the managers of cluster managers, and its Swarm", on(named(10, 11, 12), "blue")
            )
            await sim.apply(named(10, 11, 12))
            await sim.converged(200)
        assert sim.world.acts["provision"] == 3
        assert not sim.world.violations

    run(main)


def test_managers_may_be_told_the_name_that_their_cluster_has_already() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running():
            await sim.apply(named(10, 11, 12))
            await sim.converged(200)
            await sim.apply(on(named(10, 11, 12), "managers"))
            await sim.converged(1000)
        assert sim.world.acts["swarm init"] == 1
        assert not sim.world.violations

    run(main)


def test_managers_that_were_freed_and_are_gone_may_come_back_as_another_cluster() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running() as core:
            await sim.apply(named(10))
            await sim.converged(200)
            await core.free(MANAGERS, "sim")
            for machine in sim.world.group("managers"):
                sim.world.vanish(machine)
            await sim.apply(on(named(10), "blue"))
            await sim.converged(200)

    run(main)


def test_one_manager_that_was_freed_is_not_replaced_when_it_is_taken_back() -> None:
    """N7: the rules of those that are looked after are theirs, too."""

    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running() as core:
            await sim.apply(named(10))
            await sim.converged(200)
            await core.free(MANAGERS, "sim")
            changed = named(10)
            changed["Properties"]["Instance"]["Properties"] = {"Note": "two"}
            await refused(sim, "apply", "one manager, and this spec needs a new machine", changed)

    run(main)


def sized(memory: str, *ids: int) -> dict[str, Any]:
    document = named(*ids)
    document["Properties"]["Instance"]["Properties"] = {"Note": memory}
    return document


@WAYS
def test_managers_are_not_brought_to_one_that_would_need_a_new_machine(way: str) -> None:
    """N4: two of three were removed for it, and then the roll of the last one was refused, as was the way back."""

    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running():
            await sim.apply(sized("900MiB", 10, 11, 12))
            await sim.converged(200)
            await refused(sim, way, "left with one manager, and this spec needs a new machine", sized("1GiB", 10))
            await sim.apply(sized("900MiB", 10))
            await sim.converged(600)
            assert slots(sim) == {"10.9.0.10"}

    run(main)


def test_what_counts_is_what_the_one_manager_is_and_not_what_was_asked_of_it_last() -> None:
    """N4: a roll that never began leaves its machine as it was, and one that is through has made it anew."""

    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running():
            await sim.apply(sized("900MiB", 10, 11, 12))
            await sim.converged(200)
            waiting = sized("1GiB", 10, 11, 12)
            del waiting["Properties"]["Updating"]
            await sim.apply(waiting)
            await refused(sim, "apply", "left with one manager", sized("1GiB", 10))
            await sim.apply(sized("900MiB", 10))
            await sim.converged(600)
            assert sim.world.acts["provision"] == 3
            await sim.apply(sized("900MiB", 10, 11, 12))
            await sim.converged(600)
            await sim.apply(sized("1GiB", 10, 11, 12))
            await sim.converged(1000)
            await sim.apply(sized("1GiB", 10))
            await sim.converged(600)
        assert not sim.world.violations

    run(main)


def test_three_managers_that_can_t_be_rolled_are_told_so_at_once_for_nothing_but_people_changes_it() -> None:
    """N4, W54: who waits for it waited for ever, and the journal had no word of it."""

    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running() as core:
            changed = sized("1GiB", 10, 11, 12)
            del changed["Properties"]["Updating"]
            await sim.apply(sized("900MiB", 10, 11, 12))
            await sim.converged(200)
            await sim.apply(changed)
            await sim.clock.sleep(100)
            (view,) = await sim.views()
            state = state_of(as_json(view))
            assert (state.word, state.final) == ("Refused", True)
            assert "would leave no spare; Updating.MaxUnavailable: 1 takes that risk" in state.detail
            assert [e.reason for e in await core.events(0, 0.0, str(MANAGERS))].count("RollRefused") == 1
            await sim.apply(sized("1GiB", 10, 11, 12))
            await sim.converged(1000)
        assert not sim.world.violations

    run(main)


def test_all_that_is_refused_is_told_at_once_and_none_of_it_is_stored() -> None:
    async def main() -> None:
        sim = simulation(seed=3)
        async with sim.running():
            await sim.apply(named(10, 11, 12), OTHERS)
            await sim.converged(200)
            words = r"(?s)cluster managers.*cluster others"
            await refused(sim, "apply", words, on(named(10, 11, 12), "blue"), workload(), on(OTHERS, "red"))
            assert {v.name: v.generation for v in await sim.views()} == {"managers": 1, "others": 1}

    run(main)


def boxes(plugin: str = "instance-sim", size: int = 3) -> dict[str, Any]:
    """Machines of no Swarm."""
    document: dict[str, Any] = workers(size) | {"ID": "boxes"}
    document["Properties"]["Instance"] = {"Plugin": plugin, "Properties": {}}
    document["Properties"]["Flavor"] = {"Plugin": "flavor-vanilla", "Properties": {}}
    del document["Properties"]["Images"]
    return document


def with_boxes(body: Callable[[Simulation, ForeignInstances], Awaitable[None]], size: int = 3) -> None:
    """Some are there, and there is another plugin, which does not know them."""

    async def main() -> None:
        sim = simulation(seed=3)
        sim.more["other"] = other = ForeignInstances(sim.clock)
        async with sim.running():
            await sim.apply(boxes(size=size))
            await sim.converged(60)
            await body(sim, other)

    run(main)


@WAYS
@pytest.mark.parametrize("freed", [False, True])
def test_machines_stay_with_the_plugin_that_knows_them(way: str, freed: bool) -> None:
    """They were left to run for ever, and nobody was told."""

    async def body(sim: Simulation, other: ForeignInstances) -> None:
        assert sim.core is not None
        if freed:
            await sim.core.free(BOXES, "sim")
        await refused(sim, way, "group boxes has 3 instances of plugin instance-sim, which other", boxes("other"))
        assert other.attempts == []

    with_boxes(body)


def test_a_plugin_has_other_names_and_an_empty_group_may_have_another_one() -> None:
    async def body(sim: Simulation, other: ForeignInstances) -> None:
        await sim.apply(boxes("sim"))
        await sim.converged(200)
        assert len(sim.world.group("boxes")) == 3
        await sim.apply(boxes("sim", 0))
        await sim.converged(60)
        await sim.apply(boxes("other"))
        await sim.converged(60)
        assert (len(sim.world.group("boxes")), len(other.machines)) == (0, 3)
        await rolled_back(sim, 1)

    with_boxes(body)


async def rolled_back(sim: Simulation, generation: int) -> None:
    """A rollback is refused as an apply would be (W48)."""
    assert sim.core is not None
    with pytest.raises(RefusedError, match="which instance-sim does not know"):
        await sim.core.rollback(BOXES, generation, "sim")


def test_a_group_that_is_paused_stays_with_its_plugin_also_while_it_is_empty() -> None:
    """W49: what is added meanwhile is made as before, by the plugin of before."""

    async def body(sim: Simulation, other: ForeignInstances) -> None:
        assert sim.core is not None
        await sim.core.pause(BOXES, "sim")
        await sim.apply(boxes(size=0))
        await sim.until(lambda _: not sim.world.group("boxes"), 60)
        await refused(sim, "apply", "group boxes is paused, .*: resume it first", boxes("other"))
        await sim.core.resume(BOXES, "sim")
        await sim.apply(boxes("other"))
        await sim.converged(60)
        assert len(other.machines) == 3

    with_boxes(body)


def test_a_plugin_that_can_t_be_asked_may_have_machines_unless_they_were_freed() -> None:
    async def body(sim: Simulation, other: ForeignInstances) -> None:
        await sim.apply(boxes(size=0))
        await sim.converged(60)
        await sim.apply(boxes("other"))
        await sim.converged(60)
        other.silent = True
        await refused(sim, "apply", "may have instances of plugin other, .* free the group", boxes())
        assert sim.core is not None
        await sim.core.free(BOXES, "sim")
        await sim.apply(boxes())
        await sim.converged(60)
        assert (len(sim.world.group("boxes")), len(other.machines)) == (3, 3)

    with_boxes(body)


def test_what_is_on_its_way_from_a_plugin_counts_as_there() -> None:
    async def body(sim: Simulation, other: ForeignInstances) -> None:
        await sim.apply(boxes(size=0))
        await sim.converged(60)
        other.provision_s = 300.0
        await sim.apply(boxes("other"))
        await sim.clock.sleep(10)
        await refused(sim, "apply", "is getting instances of plugin other", boxes())

    with_boxes(body)
