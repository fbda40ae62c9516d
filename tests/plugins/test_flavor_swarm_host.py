"""The swarm flavor on its own, as `infrakit-flavor-swarm` runs it: a Swarm that is known by its managers' hosts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import Random

import pytest

from skep.model.errors import InvalidError, NotReadyError, RejectedError, SkepError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import NO_TAGS, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health, Phase
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.plugins.flavor_swarm_host import HostCluster, SeenSwarmFile
from skep.ports import DrainRequest
from tests.conditions import until
from tests.fakes.engine import FakeEngines
from tests.fakes.host import Host
from tests.fakes.kernel import Kernel
from tests.sim.loop import SimClock, run
from tests.sim.world import World, one_init

MANAGERS = ("10.1.0.1", "10.1.0.2", "10.1.0.3")
MANAGER = RawJson(b'{"Type": "manager", "DockerRestartCommand": "service docker restart"}')
WORKER = RawJson(b'{"Type": "worker", "DockerRestartCommand": "service docker restart"}')


class ByAddress:
    """A network in which engines are reached as `sim://ADDRESS:PORT`: all of them, or those of some machines."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.open: frozenset[str] | None = None

    @property
    def kernel(self) -> Kernel:
        return self._world.kernel

    @property
    def registry(self) -> Mapping[str, str]:
        return self._world.registry

    def host(self, name: str) -> Host | None:
        address = name.partition(":")[0]
        if self.open is not None and address not in self.open:
            return None
        return next((m.host for m in self._world.machines.values() if m.host.address == address), None)


class Text:
    """ports.Fetch over one text."""

    def __init__(self) -> None:
        self.content = ""

    async def text(self, url: str) -> str:
        return self.content


class Stage:
    """A flavor that only knows `--host`, and a group controller that only knows InfraKit's tags."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.world = World(SimClock(), Random(1))
        self.world.watch(one_init(self.world))
        self.net = ByAddress(self.world)
        self.seen = SeenSwarmFile(folder / "state" / "swarm")
        self.bootstrap = bootstrap
        self.phases: list[Phase] = []
        self.template = Text()
        self.restart()

    def restart(self) -> None:
        """Another process: only the file is left of what was known."""
        clock, engines = self.world.kernel.clock, FakeEngines(self.net)
        cluster = HostCluster(engines, [f"sim://{MANAGERS[0]}:2375"], clock, self.bootstrap, self.seen)
        self.flavor = SwarmFlavor(cluster, engines, clock, Random(1), fetch=self.template, lenient=True)

    async def prepare(
        self, properties: RawJson, logical_id: str | None = None, tags: Mapping[str, str] = NO_TAGS
    ) -> InstanceSpec:
        allocation = Allocation(logical_ids=MANAGERS) if logical_id else Allocation(size=1)
        return await self.flavor.prepare(properties, InstanceSpec(tags=tags, logical_id=logical_id), allocation)

    async def make(self, properties: RawJson, logical_id: str | None = None) -> InstanceDescription:
        spec = await self.prepare(properties, logical_id, {"infrakit.group": "g", "infrakit.config_sha": "x"})
        machine = await self.world.instances.provision(spec)
        [found] = [item for item in await self.world.instances.describe({}) if item.id == machine]
        return InstanceDescription(found.id, found.logical_id, found.tags)

    async def health(self, properties: RawJson, machine: InstanceDescription) -> Health:
        [answer] = await self.flavor.healthy(properties, [machine])
        return answer.health

    async def drain(self, properties: RawJson, machine: InstanceDescription) -> None:
        async def advance(phase: Phase) -> None:
            self.phases.append(phase)

        await self.flavor.drain(properties, machine, DrainRequest(), advance)

    async def destroy(self, properties: RawJson, machine: InstanceDescription) -> None:
        await self.drain(properties, machine)
        await self.world.instances.destroy(machine.id)


def simulated(folder: Path, check: Callable[[Stage], Awaitable[None]], bootstrap: str = MANAGERS[0]) -> None:
    async def main() -> None:
        stage = Stage(folder, bootstrap)
        await check(stage)
        assert stage.world.violations == []

    run(main)


@pytest.mark.parametrize("tags", [{"infrakit.group": "it's; reboot #"}, {"swarm-association-id": '"'}])
def test_no_tag_becomes_a_command_of_the_script(tmp_path: Path, tags: Mapping[str, str]) -> None:
    """InfraKit takes any ID for a group."""

    async def check(stage: Stage) -> None:
        with pytest.raises(RejectedError, match="can't become the engine's label"):
            await stage.prepare(MANAGER, MANAGERS[0], tags)

    simulated(tmp_path, check)


def test_a_swarm_is_founded_joined_and_ended_with_nothing_but_infrakits_tags(tmp_path: Path) -> None:
    """infrakit-compat.md 4.1, and the order of the origin document: workers go before managers."""

    async def check(stage: Stage) -> None:
        managers = [await stage.make(MANAGER, logical_id) for logical_id in MANAGERS]
        workers = await asyncio.gather(stage.make(WORKER), stage.make(WORKER))
        for machine in workers:
            await until(lambda machine=machine: stage.health(WORKER, machine), Health.HEALTHY)  # type: ignore[misc]
        for machine in managers:
            await until(lambda machine=machine: stage.health(MANAGER, machine), Health.HEALTHY)  # type: ignore[misc]
        assert set(workers[0].tags) == {"infrakit.group", "infrakit.config_sha", "swarm-association-id", "swarm-id"}
        assert workers[0].tags["swarm-association-id"] != workers[1].tags["swarm-association-id"]
        assert stage.world.acts["swarm init"] == 1
        for machine in workers:
            await stage.destroy(WORKER, machine)
            await stage.drain(WORKER, machine)
        for machine in managers:
            await stage.destroy(MANAGER, machine)
        assert stage.phases.count(Phase.DEMOTE) == 2
        again = await stage.make(MANAGER, MANAGERS[0])
        await until(lambda: stage.health(MANAGER, again), Health.HEALTHY)

    simulated(tmp_path, check)


def test_without_bootstrap_no_swarm_is_ever_founded(tmp_path: Path) -> None:
    """infrakit-compat.md 4.1: some node must already have run `docker swarm init`."""

    async def check(stage: Stage) -> None:
        for logical_id in MANAGERS:
            with pytest.raises(UnavailableError, match="Failed to fetch Swarm join tokens: "):
                await stage.prepare(MANAGER, logical_id)
        await stage.world.instances.provision(InstanceSpec(logical_id=MANAGERS[0]))
        with pytest.raises(NotReadyError, match=r"Failed to fetch Swarm join tokens: .* its Swarm is inactive"):
            await stage.prepare(MANAGER, MANAGERS[0])
        assert stage.world.acts["swarm init"] == 0

    simulated(tmp_path, check, bootstrap="")


def test_only_the_named_member_founds_the_swarm_and_the_others_wait(tmp_path: Path) -> None:
    """N9."""

    async def check(stage: Stage) -> None:
        with pytest.raises(UnavailableError):
            await stage.prepare(MANAGER, MANAGERS[1])
        with pytest.raises(UnavailableError):
            await stage.prepare(WORKER)
        assert "docker swarm init" in (await stage.prepare(MANAGER, MANAGERS[0])).init

    simulated(tmp_path, check)


def test_swarm_join_ip_names_the_founder_as_later_infrakits_do(tmp_path: Path) -> None:
    joins = RawJson(b'{"Type": "manager", "SwarmJoinIP": "10.1.0.1", "Docker": {"Host": "ignored"}}')

    async def check(stage: Stage) -> None:
        with pytest.raises(UnavailableError):
            await stage.prepare(joins, MANAGERS[1])
        await stage.make(joins, MANAGERS[0])
        await stage.make(joins, MANAGERS[1])
        assert (stage.world.acts["swarm init"], stage.world.acts["swarm join"]) == (1, 1)

    simulated(tmp_path, check, bootstrap="")


def test_a_swarm_that_was_there_is_never_founded_a_second_time(tmp_path: Path) -> None:
    """N9: not after a restart, not while its managers are silent, and not by a machine that was made anew."""

    async def check(stage: Stage) -> None:
        manager = await stage.make(MANAGER, MANAGERS[0])
        await stage.make(MANAGER, MANAGERS[1])
        stage.world.vanish(stage.world.machines[manager.id])
        stage.restart()
        with pytest.raises(UnavailableError):
            await stage.prepare(MANAGER, MANAGERS[0])
        await stage.world.instances.provision(InstanceSpec(logical_id=MANAGERS[0]))
        with pytest.raises(NotReadyError, match=r"If it is lost for good, remove .*swarm"):
            await stage.prepare(MANAGER, MANAGERS[0])
        (tmp_path / "state" / "swarm").unlink()
        assert "docker swarm init" in (await stage.prepare(MANAGER, MANAGERS[0])).init

    simulated(tmp_path, check)


@pytest.mark.parametrize("where", ["state", "state/swarm"])
def test_a_swarm_that_could_not_be_remembered_is_not_founded(tmp_path: Path, where: str) -> None:
    """N9."""
    if where == "state":
        (tmp_path / where).symlink_to("/proc/self/fdinfo/none")
    else:
        (tmp_path / where).mkdir(parents=True)

    async def check(stage: Stage) -> None:
        with pytest.raises(UnavailableError, match="which Swarm "):
            await stage.prepare(MANAGER, MANAGERS[0])

    simulated(tmp_path, check)


def test_a_dead_host_is_not_asked_again_and_again(tmp_path: Path) -> None:
    async def check(stage: Stage) -> None:
        managers = [await stage.make(MANAGER, logical_id) for logical_id in MANAGERS]
        await stage.world.kernel.clock.sleep(60)
        await stage.health(MANAGER, managers[0])
        stage.world.cut(stage.world.machines[managers[0].id], 10_000)
        await stage.health(MANAGER, managers[1])
        begun_s = stage.world.kernel.now_s()
        for _ in range(10):
            assert await stage.health(MANAGER, managers[1]) is Health.HEALTHY
        assert stage.world.kernel.now_s() < begun_s + 5

    simulated(tmp_path, check)


def test_the_swarm_is_found_again_through_its_other_managers(tmp_path: Path) -> None:
    """N8: the given host may be the one that leaves."""

    async def check(stage: Stage) -> None:
        managers = [await stage.make(MANAGER, logical_id) for logical_id in MANAGERS]
        await stage.health(MANAGER, managers[0])
        await stage.world.kernel.clock.sleep(60)
        await stage.health(MANAGER, managers[0])
        await stage.destroy(MANAGER, managers[0])
        assert await stage.health(MANAGER, managers[1]) is Health.HEALTHY
        back = await stage.make(MANAGER, MANAGERS[0])
        await until(lambda: stage.health(MANAGER, back), Health.HEALTHY)

    simulated(tmp_path, check)


def test_a_manager_that_is_the_only_way_to_the_swarm_stays(tmp_path: Path) -> None:
    """Half of its way out, nobody could say any more whether the others still have a majority."""

    async def check(stage: Stage) -> None:
        managers = [await stage.make(MANAGER, logical_id) for logical_id in MANAGERS]
        stage.net.open = frozenset({MANAGERS[0]})
        with pytest.raises(NotReadyError, match="give the engines of others too"):
            await stage.drain(MANAGER, managers[0])
        assert stage.phases == []
        await stage.drain(MANAGER, managers[1])
        assert stage.phases == [Phase.DRAIN, Phase.WAIT, Phase.DEMOTE, Phase.REMOVED]

    simulated(tmp_path, check)


def test_the_last_manager_stays_while_others_need_it(tmp_path: Path) -> None:
    """N16 over a wire that can't say that the whole cluster ends."""

    async def check(stage: Stage) -> None:
        manager = await stage.make(MANAGER, MANAGERS[0])
        worker = await stage.make(WORKER)
        with pytest.raises(RejectedError, match="the last manager, and the Swarm has other nodes that are ready"):
            await stage.drain(MANAGER, manager)
        assert await stage.health(MANAGER, manager) is Health.HEALTHY
        await stage.destroy(WORKER, worker)
        await stage.drain(MANAGER, manager)

    simulated(tmp_path, check)


def test_a_worker_that_never_joined_may_go(tmp_path: Path) -> None:
    """infrakit-compat.md 6: at destroy, InfraKit's complains that it is not found."""

    async def check(stage: Stage) -> None:
        await stage.make(MANAGER, MANAGERS[0])
        stranger = InstanceDescription("i-1", tags={"infrakit.group": "g"})
        for machine in (stranger, InstanceDescription("i-2", tags={"swarm-association-id": "gone"})):
            assert await stage.health(WORKER, machine) is Health.UNKNOWN
            await stage.drain(WORKER, machine)
        assert stage.phases == []

    simulated(tmp_path, check)


@pytest.mark.parametrize(
    ("properties", "allocation", "text"),
    [
        (b'{"Type": "boss"}', Allocation(size=1), "Unrecognized node Type"),
        (b"{}", Allocation(size=1), "Unrecognized node Type"),
        (b"null", Allocation(size=1), "Unrecognized node Type"),
        (b'"worker"', Allocation(size=1), "json: cannot unmarshal string into Go value of type struct"),
        (b'{"Type": "manager"}', Allocation(size=3), "Must have 1, 3, or 5 manager logical IDs"),
        (b'{"Type": "manager"}', Allocation(logical_ids=("a", "b")), "Must have 1, 3, or 5 manager logical IDs"),
        (b'{"Type": "worker"}', Allocation(logical_ids=("a", "a")), "LogicalID a specified more than once"),
        (
            b'{"Type": "worker", "Attachments": {"x": [{"ID": "d", "Type": "ebs"}]}}',
            Allocation(size=1),
            "LogicalID x used for an attachment but is not in group LogicalIDs",
        ),
        (
            b'{"Type": "worker", "Attachments": {"*": [{"ID": "d", "Type": "ebs"}, {"ID": "d", "Type": "ebs"}]}}',
            Allocation(size=1),
            "Attachment d specified more than once",
        ),
        (
            b'{"Type": "worker", "DockerRestartCommand": 1}',
            Allocation(size=1),
            "json: cannot unmarshal number into Go struct field schema.DockerRestartCommand of type string",
        ),
        (b'{"Type": "manager", "SwarmJoinIP": "c"}', Allocation(logical_ids=("a",)), "SwarmJoinIP: must be one of"),
        (b'{"type": "worker", "UNKNOWN": 1, "attachments": {"*": [{"id": "d", "type": "x"}]}}', Allocation(size=1), ""),
        (b'{"Type": "manager"}', Allocation(logical_ids=tuple("abcdefg")), ""),
    ],
)
async def test_over_the_wire_faults_have_infrakits_words_and_unknown_fields_are_ignored(
    tmp_path: Path, properties: bytes, allocation: Allocation, text: str
) -> None:
    """infrakit-compat.md 4.1; seven managers are better than refused, and so is a missing DockerRestartCommand."""
    flavor = Stage(tmp_path, "").flavor
    if not text:
        await flavor.validate(RawJson(properties), allocation)
        return
    with pytest.raises(InvalidError) as caught:
        await flavor.validate(RawJson(properties), allocation)
    assert str(caught.value).startswith(text)


async def test_managers_need_a_logical_id(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match=r"^Manager nodes require a LogicalID, which will be used as an assigned"):
        await Stage(tmp_path, "").flavor.prepare(MANAGER, InstanceSpec(), Allocation(logical_ids=MANAGERS))


TEMPLATE = """\
#!/bin/sh
{% if not SWARM_INITIALIZED and INSTANCE_LOGICAL_ID == SPEC.SwarmJoinIP %}
docker swarm init --advertise-addr {{ INSTANCE_LOGICAL_ID }}
{% else %}
docker swarm join --token {{ SWARM_JOIN_TOKENS.Manager if SPEC.Type == "manager" else SWARM_JOIN_TOKENS.Worker }} \
{{ SWARM_MANAGER_ADDR }}
{% endif %}
# {{ SWARM_CLUSTER_ID }} {{ INDEX.Group }} {{ INDEX.Sequence }} {{ ALLOCATIONS.LogicalIDs|join(" ") }}
# {{ INFRAKIT_LABELS|join(",") }} {{ INSTANCE.Tags|length }}
"""


def test_a_template_takes_the_place_of_our_script(tmp_path: Path) -> None:
    """infrakit-compat.md 4.1, master: its example, in Jinja2."""
    properties = RawJson(b'{"Type":"manager","SwarmJoinIP":"10.1.0.1","InitScriptTemplateURL":"http://x/t.sh?key=1"}')

    async def check(stage: Stage) -> None:
        stage.template.content = TEMPLATE
        await stage.flavor.validate(properties, Allocation(logical_ids=MANAGERS))
        first = await stage.prepare(properties, MANAGERS[0])
        assert "docker swarm init --advertise-addr 10.1.0.1\n" in first.init
        await stage.world.instances.provision(first)
        second = await stage.prepare(properties, MANAGERS[1], {"infrakit.group": "g"})
        association = second.tags["swarm-association-id"]
        assert f"# {second.tags['swarm-id']} g 1 10.1.0.1 10.1.0.2 10.1.0.3\n" in second.init
        assert f"# swarm-association-id={association},skep.group=g,skep.logical-id=10.1.0.2 1\n" in second.init
        assert "docker swarm join --token SWMTKN-1-" in second.init
        assert second.init.split("docker swarm join")[1].split("\n")[0].endswith(" 10.1.0.1:2377")
        stage.template.content = "one\n{{ SWARM_SCRIPT }}{% if SWARM_INITIALIZED %}{{ NOPE }}{% endif %}"
        with pytest.raises(InvalidError, match=r"InitScriptTemplateURL: http://x/t.sh:2: 'NOPE' is undefined"):
            await stage.flavor.validate(properties, Allocation(logical_ids=MANAGERS))

    simulated(tmp_path, check, bootstrap="")


def test_no_error_of_the_flavor_holds_a_token(tmp_path: Path) -> None:
    """N22."""

    async def check(stage: Stage) -> None:
        await stage.make(MANAGER, MANAGERS[0])
        stage.template.content = "{{ SPEC[SWARM_JOIN_TOKENS.Worker] }}"
        with pytest.raises(SkepError) as caught:
            await stage.prepare(RawJson(b'{"Type": "worker", "InitScriptTemplateURL": "http://x"}'))
        assert "SWMTKN-1" not in str(caught.value)

    simulated(tmp_path, check)
