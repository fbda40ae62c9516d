"""The whole controller on a calm world: what a user sees when nothing goes wrong."""

from collections.abc import Awaitable, Callable, Iterable, Iterator

from skep.model.view import KeyView
from skep.specs.source import SourceFile
from tests.sim.controller import Simulation, managers, simulation, texts, workers, workload
from tests.sim.loop import run

Body = Callable[[Simulation], Awaitable[None]]


def simulated(body: Body) -> Simulation:
    async def main() -> Simulation:
        sim = simulation(seed=1)
        async with sim.running():
            await body(sim)
        return sim

    sim = run(main)
    assert not sim.world.violations
    return sim


async def quickstart(sim: Simulation) -> None:
    await sim.apply(managers(1), workers(2), workload())
    await sim.converged(60)


def test_a_swarm_and_its_workload_come_up_from_nothing_in_any_order() -> None:
    async def body(sim: Simulation) -> None:
        await sim.apply(workload())
        await sim.apply(workers(2))
        await sim.apply(managers(1))
        await sim.converged(60)
        assert sim.world.running("web") == 5
        assert sim.world.acts["swarm init"] == 1

    simulated(body)


def test_applying_the_same_again_acts_on_nothing() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        acts = sum(sim.world.acts.values())
        await quickstart(sim)
        await sim.clock.sleep(120)
        assert sum(sim.world.acts.values()) == acts

    simulated(body)


def test_a_stopped_worker_is_started_with_its_disk() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        machine = sim.world.group("workers")[0]
        sim.world.stop(machine)
        await sim.until(lambda views: not all(v.converged for v in views), 10)
        await sim.converged(60)
        assert machine in sim.world.group("workers")
        await sim.until(lambda _: sim.world.running("web") == 5, 60)

    simulated(body)


def test_a_vanished_worker_is_replaced_and_leaves_no_stale_node() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        sim.world.vanish(sim.world.group("workers")[0])
        await sim.clock.sleep(20)
        await sim.converged(60)
        [swarm] = sim.world.swarms()
        assert len(sim.world.group("workers")) == 2
        assert len(swarm.nodes) == 3

    simulated(body)


def test_the_only_manager_is_started_again_and_the_swarm_is_as_before() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        [swarm] = sim.world.swarms()
        sim.world.stop(sim.world.group("managers")[0])
        await sim.clock.sleep(5)
        await sim.converged(60)
        assert sim.world.swarms() == [swarm]
        assert sim.world.acts["swarm init"] == 1

    simulated(body)


def test_everything_goes_in_order_when_it_is_deleted() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        await sim.delete(managers(1), workers(2), workload())
        await sim.until(lambda views: not views, 60)
        assert not sim.world.machines

    simulated(body)


def test_a_group_of_workers_is_rolled_to_a_new_spec_without_a_gap() -> None:
    async def body(sim: Simulation) -> None:
        await sim.apply(managers(1), workers(3), workload())
        await sim.converged(60)
        old = {m.id for m in sim.world.group("workers")}
        await sim.apply(workers(3, Note="two"))
        await sim.converged(300)
        assert not old & {m.id for m in sim.world.group("workers")}
        [swarm] = sim.world.swarms()
        assert len(swarm.nodes) == 4

    simulated(body)


def test_three_managers_form_one_swarm_and_are_never_fewer_than_a_majority() -> None:
    async def body(sim: Simulation) -> None:
        await sim.apply(managers(3), workers(1))
        await sim.converged(120)
        sim.world.vanish(sim.world.group("managers")[1])
        await sim.clock.sleep(5)
        await sim.converged(120)
        assert len(sim.world.swarms()) == 1
        assert len(sim.world.group("managers")) == 3

    simulated(body)


def test_machines_whose_engines_are_on_this_host_are_made_ten_at_once() -> None:
    """N39, although they join no Swarm: each takes much of the host while it boots."""

    async def body(sim: Simulation) -> None:
        cattle = workers(25)
        cattle["Properties"]["Flavor"] = {"Plugin": "flavor-vanilla"}  # type: ignore[index]
        await sim.apply(cattle)
        most = 0
        while not (views := await sim.views())[0].converged:
            most = max(most, len(views[0].doing))
            await sim.clock.sleep(0.1)
        assert most == 10

    simulated(body)


def test_a_manager_that_stops_while_it_is_demoted_is_started_to_vote_itself_out() -> None:
    """Two managers, one of them half out: without it there is no majority that could let it go."""

    async def body(sim: Simulation) -> None:
        await sim.apply(managers(3))
        await sim.converged(120)

        def stop_the_second(what: str, by_us: bool) -> None:
            managing = sim.world.group("managers")
            demoted = [m for m in managing if f"node {m.id} updated:  worker" in what]
            if demoted and len(managing) == 2:
                sim.world.stop(demoted[0])

        sim.world.watch(stop_the_second)
        await sim.apply(managers(1))
        await sim.converged(300)
        assert len(sim.world.group("managers")) == 1
        assert any("lost its leader" in line for line in sim.world.kernel.history)

    simulated(body)


def test_a_revision_that_the_swarm_gave_up_is_tried_again_when_it_is_applied_again() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        sim.world.mark_bad("web:2")
        await sim.apply(workload(image="web:2"))
        await sim.until(lambda views: any("RevisionFailed" in c.reason for v in views for c in v.conditions), 120)
        acts = sum(sim.world.acts.values())
        await sim.clock.sleep(120)
        assert sum(sim.world.acts.values()) == acts
        for swarm in sim.world.swarms():
            swarm.services.bad_images.clear()
        await sim.apply(workload(image="web:2"))
        await sim.converged(120)
        assert sim.world.running("web") == 5

    simulated(body)


def test_a_workload_waits_until_its_groups_have_brought_its_new_image() -> None:
    async def body(sim: Simulation) -> None:
        late: list[str] = []
        both = [managers(1), workers(2)]
        for document in both:
            document["Properties"]["Images"] = ["web:1"]  # type: ignore[index]
        await sim.apply(*both, workload())
        await sim.converged(60)
        sim.world.watch(lambda what, by_us: late.append(what) if "rejected" in what else None)
        await sim.apply(managers(1), workers(2), workload(image="web:2"))
        await sim.converged(60)
        holding = [m for m in sim.world.machines.values() if "web:2" in m.host.images]
        assert len(holding) == 3
        order = [line for line in sim.world.kernel.history if "holds web:2" in line or "service web updated" in line]
        assert "service web updated" in order[-1]
        assert not late

    simulated(body)


def test_who_asks_for_a_fresh_reading_sees_what_no_event_tells() -> None:
    """Swarm has no events of tasks: a converged service is looked at with the resync, unless somebody asks."""

    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        await sim.clock.sleep(5)
        assert sim.core is not None
        assert sim.world.kill_task("web")
        [old] = [v for v in await sim.core.views() if v.name == "web"]
        [fresh] = [v for v in await sim.core.views(fresh=True) if v.name == "web"]
        assert (old.ready, old.converged) == (5, True)
        assert (fresh.ready, fresh.converged) == (4, False)
        await sim.converged(60)
        told = [e for e in await sim.core.events(0, 0, "workload/web") if e.reason in ("Unavailable", "Available")]
        assert [e.message for e in told][-2:] == ["4 of 5 serve", "5 of 5 serve"]

    simulated(body)


def test_what_a_swarm_can_not_do_is_refused_in_words_and_changes_nothing() -> None:
    async def body(sim: Simulation) -> None:
        await quickstart(sim)
        before = dict(sim.world.acts)
        asked: dict[str, object] = {**workload(), "Devices": ["/dev/fuse"], "Count": 6}
        assert sim.core is not None
        dry = await sim.core.plan([SourceFile("sim", texts([asked]))])
        await sim.apply(asked, {**workload("solo"), "GPUs": "all"})
        await sim.until(lambda views: len([*refused(views)]) == 2, 60)
        await sim.clock.sleep(60)
        views = await sim.views()
        assert sorted(told.split(":")[0] for told in refused(views)) == ["Devices", "GPUs"]
        assert "Devices: Swarm mode gives no devices to containers" in str(dry)
        assert (sim.world.acts, sim.world.running("web"), sim.world.running("solo")) == (before, 5, 0)
        await sim.apply(workload(count=6), workload("solo", 1))
        await sim.converged(60)
        assert (sim.world.running("web"), sim.world.running("solo")) == (6, 1)

    simulated(body)


def refused(views: Iterable[KeyView]) -> Iterator[str]:
    """What conditions say of Swarm mode."""
    return (c.message for v in views for c in v.conditions if c.type == "RollRefused" and "Swarm mode" in c.message)
