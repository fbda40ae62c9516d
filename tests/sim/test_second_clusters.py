"""A second cluster beside the one that workers and workloads of no named cluster are on already: it moves nobody."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from skep.control.documents import decode, encode_record, record_path
from skep.model.cluster import StaticCluster
from skep.model.errors import RefusedError
from skep.model.spec import Key
from skep.model.state import ConditionType, Record
from tests.sim.controller import Simulation, group, managers, simulation, workers, workload
from tests.sim.loop import run

SECOND = group("second", {"LogicalIDs": ["10.9.0.20"]}, "manager")
WORKERS = Key.parse("group/workers")
MANAGERS = Key.parse("group/managers")

LONG_S = 1500.0
"""More than any time after which a machine that has not joined is replaced (semantics.md N27)."""


async def second(sim: Simulation, origin: str) -> None:
    """Another cluster, of a group that is applied or of the settings of the next controller."""
    if origin == "settings":
        sim.static = (StaticCluster("edge", ("sim://nowhere",)),)
        return
    async with sim.running():
        await sim.apply(SECOND)
        await sim.until(lambda views: any(v.name == "second" and v.converged for v in views), 60)


def on_one(body: Callable[[Simulation], Awaitable[None]], size: int = 1) -> None:
    """Managers, workers and a workload that name no cluster, at rest; the controller has ended."""

    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await sim.apply(managers(1), workers(size), workload())
            await sim.converged(60)
        await body(sim)
        assert not sim.world.violations

    run(main)


@pytest.mark.parametrize("origin", ["group", "settings"])
@pytest.mark.parametrize("size", [1, 2])
def test_workers_that_name_no_cluster_stay_in_theirs_and_nobody_replaces_them(origin: str, size: int) -> None:
    async def body(sim: Simulation) -> None:
        before = {m.id for m in sim.world.group("workers")}
        await second(sim, origin)
        async with sim.running():
            await sim.clock.sleep(LONG_S)
            assert {m.id for m in sim.world.group("workers")} == before
            await sim.apply(workers(size + 1))
            await sim.converged(120)
            assert {v.cluster for v in await sim.views() if v.name in ("workers", "web")} == {"managers"}

    on_one(body, size)


@pytest.mark.parametrize("origin", ["group", "settings"])
def test_managers_that_others_need_can_t_be_removed_all_the_same(origin: str) -> None:
    """N33, N40: also where all that is known of these others is where they were made."""

    async def body(sim: Simulation) -> None:
        await second(sim, origin)
        async with sim.running():
            with pytest.raises(RefusedError, match="group/workers, workload/web would lose their cluster"):
                await sim.delete(managers(1))
            assert sim.core is not None
            sim.ending |= {"managers", "workers"}
            gone = await sim.core.remove(MANAGERS, "sim", True)
            assert {c.key for c in gone} == {"group/managers", "group/workers", "workload/web"}
            await sim.until(lambda views: all(v.name == "second" for v in views), 120)
            assert not sim.world.group("workers")

    on_one(body)


async def forget_where_they_are(sim: Simulation) -> None:
    """As records were before they told of groups where they are."""
    stored = await sim.store.get(record_path(WORKERS))
    assert stored is not None
    record = replace(decode(Record, stored.value), made_in="")
    value = encode_record(record, 0.0, 0.0)
    await sim.store.put(record_path(WORKERS), value, version=stored.version)


@pytest.mark.parametrize("origin", ["group", "settings"])
def test_workers_of_whom_nobody_knows_where_they_are_are_left_alone_until_it_is_told(origin: str) -> None:
    async def body(sim: Simulation) -> None:
        before = {m.id for m in sim.world.group("workers")}
        await second(sim, origin)
        await forget_where_they_are(sim)
        async with sim.running():
            await sim.apply(workers(2))
            await sim.clock.sleep(LONG_S)
            assert {m.id for m in sim.world.group("workers")} == before
            [view] = [v for v in await sim.views() if v.name == "workers"]
            assert "there are several clusters" in " ".join(view.waiting)
            assert not view.converged
            for cascade in (False, True):
                with pytest.raises(RefusedError, match=r"group/workers may be on the cluster .* name the Cluster"):
                    assert sim.core is not None
                    await sim.core.remove(MANAGERS, "sim", cascade)
        sim.static = ()
        async with sim.running():
            if origin == "group":
                assert sim.core is not None
                await sim.core.free(Key.parse("group/workers"), "sim")
                await sim.delete(SECOND)
                await sim.until(lambda views: all(v.name != "second" for v in views), 120)
                await sim.apply(workers(2))
            await sim.converged(120)
            assert before < {m.id for m in sim.world.group("workers")}

    on_one(body)


async def workers_of_the_settings(sim: Simulation, count: int = 2) -> StaticCluster:
    """Some that name no cluster, of the only one, which is called prod."""
    async with sim.running():
        await sim.apply(managers(1))
        await sim.converged(60)
        assert sim.core is not None
        await sim.core.free(MANAGERS, "sim")
    [manager] = sim.world.group("managers")
    prod = StaticCluster("prod", (f"sim://{manager.id}",))
    await sim.store.delete("cluster/managers")
    sim.static = (prod,)
    async with sim.running():
        await sim.apply(workers(count))
        await sim.converged(120)
    return prod


def test_workers_whose_cluster_has_left_the_settings_are_left_alone_and_told_what_to_do() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        prod = await workers_of_the_settings(sim)
        before = {m.id for m in sim.world.group("workers")}
        sim.static = ()
        async with sim.running():
            await sim.apply(SECOND, workers(3))
            await sim.clock.sleep(LONG_S)
            assert {m.id for m in sim.world.group("workers")} == before
            [view] = [v for v in await sim.views() if v.name == "workers"]
            assert "joined cluster prod, and there is none of this name any more" in " ".join(view.waiting)
            await sim.delete(workers(3))
            await sim.clock.sleep(60)
            [view] = [v for v in await sim.views() if v.name == "workers"]
            assert "or free the group" in " ".join(view.waiting)
        sim.static = (prod,)
        async with sim.running():
            await sim.until(lambda views: all(v.name == "second" for v in views), 120)
        assert not sim.world.group("workers")

    run(main)


def test_workers_stay_when_they_are_freed_and_applied_again_to_a_cluster_that_has_another_name() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        prod = await workers_of_the_settings(sim)
        before = {m.id for m in sim.world.group("workers")}
        sim.static = (replace(prod, name="main"),)
        async with sim.running():
            await sim.clock.sleep(LONG_S)
            [view] = await sim.views()
            told = [c.message for c in view.conditions if c.type is ConditionType.PROGRESSING]
            assert "apply it again where only the cluster's name has changed" in told[0]
            assert sim.core is not None
            await sim.core.free(Key.parse("group/workers"), "sim")
            await sim.apply(workers(2))
            await sim.converged(120)
        assert {m.id for m in sim.world.group("workers")} == before

    run(main)


def test_workers_of_a_silent_swarm_of_the_settings_do_not_count_as_those_that_have_not_joined() -> None:
    """Also where a controller that has just begun never heard that Swarm."""

    async def main() -> None:
        sim = simulation(seed=1)
        await workers_of_the_settings(sim, 1)
        [manager] = sim.world.group("managers")
        before = {m.id for m in sim.world.group("workers")}
        sim.world.cut(manager, LONG_S)
        async with sim.running():
            await sim.clock.sleep(LONG_S - 60)
            assert {m.id for m in sim.world.group("workers")} == before
            await sim.converged(300)

    run(main)


def on(cluster: str, count: int = 3) -> dict[str, object]:
    return workload(count=count) | {"Cluster": cluster}


def services(sim: Simulation) -> dict[str, int]:
    """How many services there are on the Swarm of each group."""
    found = {}
    for swarm in sim.world.swarms():
        [name] = {m.group for m in sim.world.machines.values() if m.host.swarm is swarm}
        found[name] = len(swarm.services._services)
    return found


async def begun_on_the_first(sim: Simulation) -> None:
    """A workload runs there; another cluster is beside it."""
    await sim.apply(managers(1), SECOND)
    await sim.converged(60)
    await sim.apply(on("managers"))
    await sim.until(lambda _: sim.world.running("web") == 3, 120)


@pytest.mark.parametrize("gap_s", [0.0, 0.3, 1.0, 10.0])
def test_what_is_deleted_and_applied_elsewhere_at_once_begins_there_when_the_old_is_gone(gap_s: float) -> None:
    """W22: a new life of the name, whether the removal of the one before was over or not."""

    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await begun_on_the_first(sim)
            await sim.delete(on("managers"))
            await sim.clock.sleep(gap_s)
            await sim.apply(on("second"))
            await sim.clock.sleep(1)
            await sim.converged(120)
            assert {v.cluster for v in await sim.views() if v.name == "web"} == {"second"}
            assert services(sim) == {"managers": 0, "second": 1}
            await sim.apply(on("managers"))
            await sim.clock.sleep(40)
            [view] = [v for v in await sim.views() if v.name == "web"]
            assert "it is on cluster second, and a workload does not move" in " ".join(view.waiting)

    run(main)


@pytest.mark.parametrize("way", ["wait", "free"])
def test_what_is_applied_elsewhere_waits_while_nobody_knows_whether_the_old_is_gone(way: str) -> None:
    """Also over a restart; and it says what to do."""

    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await begun_on_the_first(sim)
            sim.world.cut(sim.world.group("managers")[0], 500.0)
            await sim.delete(on("managers"))
            await sim.apply(on("second"))
            await sim.clock.sleep(100)
        async with sim.running():
            await sim.clock.sleep(100)
            assert services(sim) == {"managers": 1, "second": 0}
            [view] = [v for v in await sim.views() if v.name == "web"]
            assert "deleted of it on cluster managers has to go first" in " ".join(view.waiting)
            assert not view.converged
            if way == "free":
                assert sim.core is not None
                await sim.core.free(Key.parse("workload/web"), "sim")
                await sim.clock.sleep(1)
                await sim.apply(on("second"))
                await sim.until(lambda _: sim.world.running("web") == 6, 60)
            await sim.clock.sleep(400)
            await sim.converged(120)
            assert services(sim) == {"managers": int(way == "free"), "second": 1}

    run(main)


def test_a_group_of_workers_that_was_never_made_goes_though_nobody_knows_its_cluster() -> None:
    async def body(sim: Simulation) -> None:
        await second(sim, "group")
        async with sim.running():
            await sim.apply(group("more", {"Size": 1}, "worker"))
            await sim.clock.sleep(60)
            assert not sim.world.group("more")
            await sim.delete(group("more", {"Size": 1}, "worker"))
            await sim.until(lambda views: all(v.name != "more" for v in views), 60)

    on_one(body)
