"""What the swarm flavor promises, on simulated machines and on real ones: one life of a Swarm, told once."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from skep.model.errors import ConflictError, NotFoundError, NotReadyError, RejectedError, UnavailableError
from skep.model.json import NULL, RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health, Phase
from skep.plugins.docker import DockerInstances
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.ports import Clock, DrainRequest, Engine, Engines, FlavorPlugin
from tests.conditions import until
from tests.engines.host import HostEngine
from tests.fakes.clusters import FakeClusters, Machines
from tests.sim.loop import SimClock, run
from tests.sim.world import World, keeps_quorum, one_init

MANAGER = RawJson(b'{"Type": "manager"}')
WORKER = RawJson(b'{"Type": "worker", "EngineLabels": {"disk": "ssd"}}')


@dataclass
class Stage:
    """A flavor, its cluster `m` of managers, and machines to be made with it. `phases` is what drains wrote down.

    remote: the flavor that is asked, where that is another one: over a socket. InfraKit's protocol (infrakit-compat.md
    2.4) has no strays, no leader and no phases.
    """

    machines: Machines
    engines: Engines
    clock: Clock
    kill: Callable[[str], Awaitable[None]]
    properties: RawJson = NULL
    logical_ids: tuple[str, ...] = ("manager-1",)
    phases: list[Phase] = field(default_factory=list)
    remote: FlavorPlugin | None = None

    def __post_init__(self) -> None:
        self.clusters = FakeClusters(self.machines, self.engines)
        self.clusters.expect("m", self.logical_ids[0])
        self.served = SwarmFlavor(self.clusters, self.engines, self.clock, Random(1))

    @property
    def flavor(self) -> FlavorPlugin:
        return self.remote or self.served

    def wrote(self, *phases: Phase) -> list[Phase]:
        """What a drain that takes these steps can be seen to write down."""
        return [] if self.remote else list(phases)

    def spec(self, request: str, logical_id: str | None) -> InstanceSpec:
        tags = {"infrakit.group": "m" if logical_id else "w", "skep.request": request}
        return InstanceSpec(self.properties, tags, logical_id=logical_id)

    async def make(self, request: str, logical_id: str | None = None) -> InstanceDescription:
        """Prepared and provisioned, a manager if it has a logical ID."""
        properties = MANAGER if logical_id else WORKER
        allocation = Allocation(logical_ids=self.logical_ids) if logical_id else Allocation(size=1)
        spec = await self.flavor.prepare(properties, self.spec(request, logical_id), allocation)
        return await self.described(await self.machines.provision(spec))

    async def described(self, instance: str) -> InstanceDescription:
        [found] = [item for item in await self.machines.describe({}) if item.id == instance]
        return found

    async def health(self, instance: InstanceDescription) -> Health:
        properties = MANAGER if instance.tags["infrakit.group"] == "m" else WORKER
        [answer] = await self.flavor.healthy(properties, [instance])
        return answer.health

    async def strays(self, group: str, *instances: InstanceDescription) -> list[InstanceDescription]:
        return list(await self.served.strays(WORKER if group == "w" else MANAGER, group, instances))

    async def drain(self, instance: InstanceDescription, request: DrainRequest | None = None) -> list[Phase]:
        """The phases that it went through."""
        properties = MANAGER if instance.tags["infrakit.group"] == "m" else WORKER

        async def advance(phase: Phase) -> None:
            self.phases.append(phase)

        self.phases.clear()
        await self.flavor.drain(properties, instance, request or DrainRequest(wait_s=60), advance)
        return list(self.phases)

    async def manager(self) -> Engine:
        return await self.clusters.manager("m")

    async def roles(self) -> list[str]:
        return sorted(node.role for node in await (await self.manager()).nodes())


async def a_swarm_lives(stage: Stage) -> None:
    """N5, N9, N16, N18, N20."""
    with pytest.raises(NotReadyError):
        await stage.make("w1")
    manager = await stage.make("m1", stage.logical_ids[0])
    await until(lambda: stage.health(manager), Health.HEALTHY)
    again = await stage.make("m1", stage.logical_ids[0])
    assert again.id == manager.id
    assert await stage.roles() == ["manager"]

    first, second = await asyncio.gather(stage.make("w1"), stage.make("w2"))
    for worker in (first, second):
        await until(lambda worker=worker: stage.health(worker), Health.HEALTHY)  # type: ignore[misc]
    [leads, *_] = await stage.flavor.healthy(MANAGER, [manager])
    assert leads.leader or stage.remote
    labels = [node.engine_labels for node in await (await stage.manager()).nodes({"label": ["disk=ssd"]})]
    assert [entry["skep.group"] for entry in labels] == ["w", "w"]
    assert {entry["swarm-association-id"] for entry in labels} == {
        worker.tags["swarm-association-id"] for worker in (first, second)
    }
    assert await stage.strays("w", first, second) == []

    assert await stage.drain(first) == stage.wrote(Phase.DRAIN, Phase.WAIT, Phase.REMOVED)
    assert await stage.drain(first) == []
    assert await stage.health(first) is Health.UNKNOWN
    await stage.machines.destroy(first.id)

    await stage.kill(second.id)
    await until(lambda: stage.health(second), Health.UNHEALTHY, within_s=60)
    assert await stage.strays("w", second) == []
    [stray] = await stage.strays("w")
    assert await stage.drain(stray) == stage.wrote(Phase.REMOVED)
    assert await stage.drain(stray) == []
    await stage.machines.destroy(second.id)
    assert await stage.roles() == ["manager"]

    with pytest.raises(RejectedError, match="last manager"):
        await stage.drain(manager, DrainRequest(dead=True))
    assert await stage.drain(manager, DrainRequest(cluster_ends=True)) == []
    assert await stage.health(manager) is Health.HEALTHY


@pytest.mark.docker
def test_a_real_swarm_lives(host_engine: HostEngine, node_image: str) -> None:
    asyncio.run(_on_docker(host_engine, node_image))


async def _on_docker(host: HostEngine, image: str) -> None:
    engines = DockerEngines()
    controller = f"f{secrets.token_hex(3)}"

    async def node_image() -> str:
        return image

    async def kill(instance: str) -> None:
        await asyncio.to_thread(host.docker, "kill", instance)

    engine, folder = engines.engine(host.endpoint), host.folder / "s" / controller
    machines = DockerInstances(engine, engines, controller, folder, node_image, SystemClock(), routes=list)
    try:
        await a_swarm_lives(Stage(machines, engines, SystemClock(), kill))
    finally:
        await machines.remove_everything()
        await engines.close()


# --- on simulated machines ------------------------------------------------------------------------------------------


def simulated(check: Callable[[Stage, World], Awaitable[None]], *logical_ids: str, harmless: bool = True) -> None:
    """Run a check in virtual time; no promise of the world may be broken by it."""
    world = World(SimClock(), Random(1))
    world.watch(one_init(world))
    if harmless:
        world.watch(keeps_quorum(world))

    async def kill(instance: str) -> None:
        world.stop(world.machines[instance])

    async def main() -> None:
        ids = logical_ids or ("manager-1",)
        await check(Stage(world.instances, world.engines, world.kernel.clock, kill, logical_ids=ids), world)

    run(main)
    assert world.violations == []


MANAGERS = ("10.1.0.1", "10.1.0.2", "10.1.0.3")


async def three_managers(stage: Stage) -> list[InstanceDescription]:
    return [await stage.make(f"m{number}", logical_id) for number, logical_id in enumerate(MANAGERS)]


def test_a_simulated_swarm_lives() -> None:
    async def check(stage: Stage, world: World) -> None:
        await a_swarm_lives(stage)

    simulated(check)


def test_managers_join_as_managers_and_leave_the_raft_before_they_go() -> None:
    """N5, N8: the leader too, and the way to the Swarm is found again."""

    async def check(stage: Stage, world: World) -> None:
        managers = await three_managers(stage)
        healths = await stage.flavor.healthy(MANAGER, managers)
        assert [health.health for health in healths] == [Health.HEALTHY] * 3
        [leader] = [manager for manager, health in zip(managers, healths, strict=True) if health.leader]
        phases = await stage.drain(leader)
        assert phases == [Phase.DRAIN, Phase.WAIT, Phase.DEMOTE, Phase.REMOVED]
        await stage.machines.destroy(leader.id)
        assert await stage.roles() == ["manager"] * 2

    simulated(check, *MANAGERS)


def test_a_dead_manager_is_demoted_and_removed_without_waiting() -> None:
    """N6."""

    async def check(stage: Stage, world: World) -> None:
        managers = await three_managers(stage)
        await stage.kill(managers[0].id)
        await until(lambda: _has_leader(stage), True)
        assert await stage.drain(managers[0], DrainRequest(dead=True)) == [Phase.DEMOTE, Phase.REMOVED]
        assert await stage.roles() == ["manager"] * 2

    simulated(check, *MANAGERS)


async def _has_leader(stage: Stage) -> bool:
    try:
        await stage.manager()
    except NotReadyError:
        return False
    return True


def test_a_removal_that_would_cost_the_quorum_is_refused_in_the_engines_words() -> None:
    async def check(stage: Stage, world: World) -> None:
        managers = await three_managers(stage)
        await stage.kill(managers[2].id)
        await stage.clock.sleep(20)
        with pytest.raises(RejectedError, match="loss of quorum"):
            await stage.drain(managers[1])

    simulated(check, *MANAGERS)


def test_without_a_quorum_nothing_is_known_and_nothing_is_removed() -> None:
    """F13: silence is not sickness."""

    async def check(stage: Stage, world: World) -> None:
        managers = await three_managers(stage)
        await stage.clusters.state("m")
        for manager in managers[1:]:
            await stage.kill(manager.id)
        with pytest.raises(UnavailableError):
            await stage.flavor.healthy(MANAGER, managers)
        with pytest.raises(UnavailableError):
            await stage.strays("m", *managers)
        with pytest.raises(NotReadyError):
            await stage.drain(managers[1], DrainRequest(dead=True))

    simulated(check, *MANAGERS)


def test_before_there_is_a_cluster_nobody_has_joined_and_everybody_may_go() -> None:
    async def check(stage: Stage, world: World) -> None:
        worker = await stage.described(await stage.machines.boot(stage.spec("w1", None)))  # type: ignore[attr-defined]
        assert await stage.health(worker) is Health.UNKNOWN
        assert await stage.drain(worker) == []
        manager = await stage.make("m1", "manager-1")
        joined = await stage.make("w1")
        assert joined.id == worker.id
        assert [await stage.health(item) for item in (manager, worker)] == [Health.HEALTHY] * 2

    simulated(check)


def test_only_the_chosen_member_may_found_the_swarm() -> None:
    """N9."""

    async def check(stage: Stage, world: World) -> None:
        with pytest.raises(NotReadyError):
            await stage.make("m2", MANAGERS[1])
        await stage.make("m1", MANAGERS[0])
        assert world.acts["swarm init"] == 1
        await stage.make("m2", MANAGERS[1])
        assert (world.acts["swarm init"], world.acts["swarm join"]) == (1, 1)

    simulated(check, *MANAGERS)


def test_the_same_request_is_prepared_alike_and_tokens_show_nowhere_but_in_init() -> None:
    """N22."""

    async def check(stage: Stage, world: World) -> None:
        await stage.make("m1", "manager-1")
        first = await stage.flavor.prepare(WORKER, stage.spec("w1", None), Allocation(size=1))
        second = await stage.flavor.prepare(WORKER, stage.spec("w1", None), Allocation(size=1))
        other = await stage.flavor.prepare(WORKER, stage.spec("w2", None), Allocation(size=1))
        assert first == second
        assert first.tags["swarm-association-id"] != other.tags["swarm-association-id"]
        assert first.tags["swarm-id"] == (await (await stage.manager()).info()).cluster_id
        token = (await (await stage.manager()).join_tokens()).worker
        assert token in first.init
        assert token not in repr(first)
        assert token not in str(first.tags)

    simulated(check)


def test_tasks_that_do_not_move_in_time_keep_the_node_in_service() -> None:
    """N12, N13."""

    async def check(stage: Stage, world: World) -> None:
        await stage.make("m1", "manager-1")
        worker = await stage.make("w1")
        for machine in world.machines.values():
            machine.host.images["skep/web:1"] = "sha256:1"
        engine = await stage.manager()
        placement = {"Constraints": ["node.role==worker"]}
        template = {"ContainerSpec": {"Image": "skep/web:1"}, "Placement": placement}
        await engine.create_service({"Name": "web", "TaskTemplate": template})
        await stage.clock.sleep(5)
        assert world.running("web") == 1
        with pytest.raises(RejectedError, match="1 s after its drain; it serves again"):
            await stage.drain(worker, DrainRequest(wait_s=0.6))
        [node] = await engine.nodes({"role": ["worker"]})
        assert node.availability == "active"
        assert await stage.drain(worker) == [Phase.DRAIN, Phase.WAIT, Phase.REMOVED]

    simulated(check)


def test_a_node_that_others_change_meanwhile_is_read_again() -> None:
    """N26."""

    async def check(stage: Stage, world: World) -> None:
        await stage.make("m1", "manager-1")
        worker = await stage.make("w1")
        engine = await stage.manager()
        conflicts = 0

        async def meddle() -> None:
            nonlocal conflicts
            for number in range(40):
                [node] = await engine.nodes({"role": ["worker"]}) or [None]
                if node is None:
                    return
                try:
                    await engine.update_node(node.id, node.version, labels={"n": str(number)})
                except ConflictError:
                    conflicts += 1
                except NotFoundError:
                    return
                await stage.clock.sleep(0.01)

        await asyncio.gather(stage.drain(worker), meddle())
        assert conflicts
        assert await stage.roles() == ["manager"]

    simulated(check)


def test_two_ready_nodes_with_one_label_are_a_humans_business() -> None:
    """N19."""

    async def check(stage: Stage, world: World) -> None:
        await stage.make("m1", "manager-1")
        first, second = [await stage.make(name) for name in ("w1", "w2")]
        world.machines[second.id].host.labels = dict(world.machines[first.id].host.labels)
        with pytest.raises(RejectedError, match="remove what is wrong by hand"):
            await stage.drain(first)

    simulated(check)


def test_a_swarm_that_skep_did_not_make_is_joined_through_its_host() -> None:
    """The origin document's way: `--host`, here `Host`."""

    async def check(stage: Stage, world: World) -> None:
        founder = await stage.machines.provision(InstanceSpec(init="docker swarm init\n"))
        properties = RawJson(f'{{"Type": "worker", "Host": "sim://{founder}"}}'.encode())
        spec = await stage.flavor.prepare(properties, stage.spec("w1", None), Allocation(size=1))
        worker = await stage.described(await stage.machines.provision(spec))
        [health] = await stage.flavor.healthy(properties, [worker])
        assert health.health is Health.HEALTHY
        assert worker.tags["swarm-id"]
        lonely = RawJson(f'{{"Type": "worker", "Host": "sim://{worker.id}"}}'.encode())
        with pytest.raises(NotReadyError, match="is no manager with a quorum"):
            await stage.flavor.prepare(lonely, stage.spec("w2", None), Allocation(size=1))

    simulated(check)
