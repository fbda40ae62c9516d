"""Swarms that the settings name: workloads and groups of workers on them, without a manager group of ours."""

from collections.abc import Awaitable, Callable

import pytest

from skep.model.cluster import StaticCluster
from skep.model.errors import RefusedError
from skep.model.machine import InstanceSpec
from skep.model.spec import Key
from skep.specs.source import SourceFile
from tests.fakes.instances import Machine
from tests.sim.controller import Simulation, managers, simulation, texts, workers, workload
from tests.sim.loop import run

WEB = Key.parse("workload/web")

INIT = "docker swarm init --advertise-addr {address}\n"
JOIN = "docker swarm join --token {token} --advertise-addr {address} {manager}:2377\n"


async def found(sim: Simulation, *addresses: str) -> list[Machine]:
    """A Swarm of managers that somebody else made, which the settings call prod."""
    made: list[Machine] = []
    for address in addresses:
        init = INIT.replace("{address}", address)
        if made:
            tokens = await sim.world.engine(made[0]).join_tokens()
            init = JOIN.replace("{token}", tokens.manager).replace("{manager}", addresses[0])
            init = init.replace("{address}", address)
        spec = InstanceSpec(b"{}", {"skep.request": address}, init, address)  # type: ignore[arg-type]
        made.append(sim.world.machines[await sim.world.instances.provision(spec)])
        made[-1].host.images.update(sim.world.host_images)
    sim.static = (StaticCluster("prod", tuple(f"sim://{m.id}" for m in made)),)
    return made


def on_prod(body: Callable[[Simulation, list[Machine]], Awaitable[None]], size: int = 1) -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        made = await found(sim, *(f"10.9.5.{n}" for n in range(1, size + 1)))
        async with sim.running():
            await body(sim, made)
        assert not sim.world.violations

    run(main)


def test_workers_join_a_swarm_of_the_settings_and_workloads_run_on_it() -> None:
    async def body(sim: Simulation, made: list[Machine]) -> None:
        await sim.apply(workers(2), workload())
        await sim.converged(60)
        await sim.until(lambda _: sim.world.running("web") == 5, 60)
        [swarm] = sim.world.swarms()
        assert len(swarm.nodes) == 3
        assert {v.cluster for v in await sim.views()} == {"prod"}

    on_prod(body)


def test_workers_leave_it_with_care_though_no_group_of_ours_holds_its_managers() -> None:
    async def body(sim: Simulation, made: list[Machine]) -> None:
        await sim.apply(workers(2))
        await sim.converged(60)
        await sim.delete(workers(2))
        await sim.until(lambda views: views == (), 120)
        [swarm] = sim.world.swarms()
        assert (len(swarm.nodes), sim.world.acts["remove node"]) == (1, 2)

    on_prod(body)


def test_a_service_of_a_silent_swarm_is_not_forgotten() -> None:
    """Nobody knows that it is gone: the key stays until the Swarm has answered, in this life of skep or the next."""

    async def main() -> None:
        sim = simulation(seed=1)
        [manager] = await found(sim, "10.9.5.1")
        async with sim.running():
            await sim.apply(workload())
            await sim.until(lambda _: sim.world.running("web") == 5, 60)
            sim.world.cut(manager, 300.0)
            await sim.delete(workload())
            await sim.clock.sleep(100)
            assert len(await sim.views()) == 1
        async with sim.running():
            await sim.clock.sleep(100)
            assert len(await sim.views()) == 1
            await sim.until(lambda views: views == (), 200)
        assert sim.world.running("web") == 0

    run(main)


def test_a_workload_goes_on_through_another_manager() -> None:
    async def body(sim: Simulation, made: list[Machine]) -> None:
        await sim.apply(workload())
        await sim.converged(60)
        sim.world.stop(made[0])
        await sim.apply(workload(count=7))
        await sim.until(lambda _: sim.world.running("web") == 7, 120)

    on_prod(body, size=3)


def test_who_names_a_cluster_that_is_not_there_is_told_which_there_are() -> None:
    async def body(sim: Simulation, made: list[Machine]) -> None:
        await sim.apply(workload() | {"Cluster": "pord"})
        await sim.clock.sleep(5)
        [view] = await sim.views()
        assert "there is no cluster pord; there is prod" in " ".join(view.waiting)
        await sim.apply(workload() | {"Cluster": "prod"})
        await sim.converged(60)

    on_prod(body)


@pytest.mark.parametrize(
    ("cluster", "actions", "told"),
    [
        ("pord", 0, "there is no cluster pord; there are managers, prod"),
        ("", 0, "there are several clusters (managers, prod): say which with Cluster"),
        ("managers", 1, ""),
    ],
)
def test_a_plan_says_which_cluster_has_to_be_named_as_apply_would(cluster: str, actions: int, told: str) -> None:
    """Also of a cluster that is still to be formed by a group of the same files."""

    async def body(sim: Simulation, made: list[Machine]) -> None:
        asked = [managers(1), workload() | ({"Cluster": cluster} if cluster else {})]
        plans = await sim.core.plan([SourceFile("sim", texts(asked))])
        [web] = [one for one in plans if one.key == "workload/web"]
        assert len(web.actions) == actions
        assert told in " ".join(web.notes)

    on_prod(body)


def test_a_stored_group_and_the_settings_can_t_both_have_a_cluster_of_one_name() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await sim.apply(managers(1))
            await sim.converged(60)
        sim.static = (StaticCluster("managers", ("sim://machine-1",)),)
        life = sim.begin()
        with pytest.raises(RefusedError, match="the settings have a cluster managers, and the managers of a stored"):
            await life.task
        sim.static = ()
        async with sim.running():
            await sim.converged(60)

    run(main)


def test_the_name_of_a_freed_cluster_can_be_given_to_the_same_one_in_the_settings() -> None:
    """So a Swarm that skep made can be handed over: free its managers, and name them."""

    async def main() -> None:
        sim = simulation(seed=1)
        async with sim.running():
            await sim.apply(managers(1), workers(1), workload())
            await sim.converged(60)
            assert sim.core is not None
            await sim.core.free(Key.parse("group/managers"), "sim")
        [manager] = sim.world.group("managers")
        sim.static = (StaticCluster("managers", (f"sim://{manager.id}",)),)
        acts = sim.world.acts["provision"]
        async with sim.running():
            await sim.clock.sleep(60)
            await sim.converged(60)
            assert {v.cluster for v in await sim.views()} == {"managers"}
            assert sim.world.acts["provision"] == acts

    run(main)


def test_clusters_are_shown_with_their_engines() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        made = await found(sim, "10.9.5.1")
        sim.static = (*sim.static, StaticCluster("moon", ("sim://nowhere",)))
        async with sim.running():
            assert sim.core is not None
            await sim.apply(managers(1))
            await sim.converged(60)
            shown = {v.name: v for v in await sim.core.clusters()}
            assert {n: (v.kind, v.origin) for n, v in shown.items()} == {
                "prod": ("swarm", "settings"),
                "moon": ("unknown", "settings"),
                "managers": ("swarm", "group/managers"),
            }
            assert [(e.name, e.state) for v in shown.values() for e in v.engines] == [
                (made[0].id, "answering"),
                ("nowhere", "silent"),
                ("10.9.0.10", "answering"),
            ]
            sim.world.stop(sim.world.group("managers")[0])
            [silent] = next(v for v in await sim.core.clusters() if v.name == "managers").engines
            assert (silent.state, bool(silent.error)) == ("silent", True)

    run(main)


@pytest.mark.parametrize("kind", ["swarm", "engine"])
@pytest.mark.parametrize("way", ["settings", "free"])
def test_a_removal_is_not_over_while_its_cluster_has_left_the_settings(kind: str, way: str) -> None:
    """W23: it says which cluster is missing, and goes on when that is back, or ends when the workload is freed."""

    async def main() -> None:
        sim = simulation(seed=1)
        await found(sim, "10.9.5.1")
        if kind == "engine":
            sim.world.add_engine("e1", "web:1")
            sim.static = (StaticCluster("prod", ("sim://e1",)),)
        static = sim.static
        async with sim.running():
            await sim.apply(workload())
            await sim.converged(60)
        ran = running(sim, kind)
        assert ran == 5
        sim.static = ()
        async with sim.running():
            await sim.clock.sleep(40)
            [view] = await sim.views()
            assert "on cluster prod, and the settings have none of this name any more" in " ".join(view.waiting)
            await sim.delete(workload())
            await sim.clock.sleep(600)
            [view] = await sim.views()
            assert (view.removed, running(sim, kind)) == (True, ran)
            assert "on cluster prod, and the settings have none of this name any more" in " ".join(view.waiting)
            assert sim.core is not None
            if way == "free":
                await sim.core.free(WEB, "sim")
                assert await sim.views() == ()
        sim.static = static
        async with sim.running():
            await sim.until(lambda views: views == (), 60)
            assert running(sim, kind) == (ran if way == "free" else 0)
            if way == "free":
                await sim.apply(workload(count=3))
                await sim.converged(120)
                assert running(sim, kind) == 3

    run(main)


@pytest.mark.parametrize("silent", [False, True])
def test_containers_are_removed_before_another_life_begins_elsewhere(silent: bool) -> None:
    """W22: an engine that is silent may have some, which is told with what to do."""

    async def main() -> None:
        sim = simulation(seed=1)
        old, new = sim.world.add_engine("e1", "web:1"), sim.world.add_engine("e2", "web:1")
        lab, den = StaticCluster("lab", ("sim://e1",)), StaticCluster("den", ("sim://e2",))
        sim.static = (lab, den)
        async with sim.running():
            await sim.apply(workload(count=2) | {"Cluster": "lab"})
            await sim.converged(60)
            if silent:
                old.halt()
            await sim.delete(workload())
            await sim.apply(workload(count=2) | {"Cluster": "den"})
            await sim.clock.sleep(60 if silent else 1)
            if silent:
                [view] = await sim.views()
                assert "deleted of it on cluster lab has to go first" in " ".join(view.waiting)
                assert not view.converged
                assert not new.containers
                old.boot()
            await sim.converged(120)
            assert [len(host.containers) for host in (old, new)] == [0, 2]

    run(main)


def running(sim: Simulation, kind: str) -> int:
    """Containers of web, however they are made."""
    if kind == "swarm":
        return sim.world.running("web")
    return sum(c.shown.state == "running" for host in sim.world.alone.values() for c in host.containers.values())


def test_a_workload_does_not_move_to_another_cluster_and_is_removed_from_where_it_is() -> None:
    """Else what it left behind would run on, and nobody would know of it."""

    async def body(sim: Simulation, made: list[Machine]) -> None:
        sim.world.add_engine("e1", "web:1")
        await sim.apply(workload())
        await sim.until(lambda _: sim.world.running("web") == 5, 60)
        for elsewhere in ("lab", "nowhere"):
            await sim.apply(workload(count=3) | {"Cluster": elsewhere})
            await sim.clock.sleep(40)
            [view] = await sim.views()
            assert "it is on cluster prod, and a workload does not move" in " ".join(view.waiting)
            assert sim.world.running("web") == 5
        await sim.apply(workload(count=3))
        await sim.until(lambda _: sim.world.running("web") == 3, 60)
        await sim.apply(workload(count=3) | {"Cluster": "lab"})
        await sim.delete(workload() | {"Cluster": "lab"})
        await sim.until(lambda views: views == (), 60)
        assert sim.world.running("web") == 0

    on_prod(body)


def test_a_workload_that_names_no_cluster_stays_where_it_is_when_there_are_more() -> None:
    async def main() -> None:
        sim = simulation(seed=1)
        await found(sim, "10.9.5.1")
        async with sim.running():
            await sim.apply(workload())
            await sim.until(lambda _: sim.world.running("web") == 5, 60)
        sim.world.add_engine("e1", "web:1")
        prod, lab = *sim.static, StaticCluster("lab", ("sim://e1",))
        for static in ((prod, lab), (lab, prod)):
            sim.static = static
            async with sim.running():
                await sim.apply(workload(count=sum(sim.world.acts.values()) % 7 + 1))
                await sim.clock.sleep(5)
                await sim.converged(60)
                assert [v.cluster for v in await sim.views()] == ["prod"]
        sim.static = (lab,)
        async with sim.running():
            await sim.clock.sleep(40)
            assert sim.world.acts["create container"] == 0

    run(main)
