"""What is known of a cluster, and the way to a manager of it."""

import asyncio
from random import Random

import pytest

from skep.adapters.store_memory import MemoryStore
from skep.control.clusters import ClusterBook, Formers
from skep.control.endpoints import EngineBook
from skep.model.cluster import StaticCluster
from skep.model.errors import NotReadyError, StaleTermError
from skep.model.machine import InstanceSpec
from skep.model.state import ClusterManager
from tests.fakes.instances import Machine
from tests.sim.loop import SimClock, run
from tests.sim.world import World

INIT = "docker swarm init --advertise-addr {address}\n"
JOIN = "docker swarm join --token {token} --advertise-addr {address} {manager}:2377\n"
ADDRESSES = ("10.9.0.10", "10.9.0.11", "10.9.0.12")


class Town:
    """A Swarm of three managers, and a book that knows nothing of them yet. `changed` are the clusters told of."""

    def __init__(self) -> None:
        self.clock, self.store = SimClock(), MemoryStore()
        self.world = World(self.clock, Random(1))
        self.changed: list[str] = []
        self.set_up()

    def set_up(self, *static: StaticCluster) -> None:
        """A controller with these clusters in its settings."""
        self.static = EngineBook(static, self.world.engines, self.clock, lambda name: None)
        self.book = ClusterBook(self.store, self.world.engines, self.clock, self.changed.append, self.static)

    async def machine(self, address: str, init: str) -> Machine:
        spec = InstanceSpec(b"{}", {"skep.request": address}, init.format(address=address), address)  # type: ignore[arg-type]
        return self.world.machines[await self.world.instances.provision(spec)]

    async def build(self) -> list[Machine]:
        first = await self.machine(ADDRESSES[0], INIT)
        tokens = await self.world.engine(first).join_tokens()
        join = JOIN.replace("{token}", tokens.manager).replace("{manager}", ADDRESSES[0])
        return [first, *[await self.machine(address, join) for address in ADDRESSES[1:]]]

    def known(self, *machines: Machine) -> tuple[ClusterManager, ...]:
        return tuple(ClusterManager(m.host.address, f"sim://{m.id}") for m in machines)


def in_town(body: object) -> None:
    async def main() -> None:
        await body(Town())  # type: ignore[operator]

    run(main)


def test_of_all_who_claim_it_at_once_one_founds_the_cluster() -> None:
    """semantics.md N9."""

    async def body(town: Town) -> None:
        states = await asyncio.gather(*(town.book.claim_bootstrap("managers", a) for a in ADDRESSES))
        assert len({s.bootstrap for s in states}) == 1
        assert (await town.book.claim_bootstrap("managers", "another")).bootstrap == states[0].bootstrap

    in_town(body)


def test_the_same_managers_in_another_order_are_no_change() -> None:
    """Listings of machines come in any order: each would be a write, a line of the log and a turn of all its keys."""

    async def body(town: Town) -> None:
        machines = await town.build()
        await town.book.claim_bootstrap("managers", ADDRESSES[0])
        first = await town.book.learn("managers", town.known(*machines))
        town.changed.clear()
        assert await town.book.learn("managers", town.known(*reversed(machines))) == first
        assert town.changed == []

    in_town(body)


def test_who_was_to_found_it_and_never_will_gives_way_to_another_unless_it_has() -> None:
    """semantics.md N9: only the one that the caller saw gone, and only until there is a Swarm."""

    async def body(town: Town) -> None:
        machines = await town.build()
        claim = town.book.claim_bootstrap
        assert (await claim("managers", "a")).bootstrap == "a"
        assert (await claim("managers", "b", "other")).bootstrap == "a"
        assert (await claim("managers", ADDRESSES[0], "a")).bootstrap == ADDRESSES[0]
        assert (await claim("managers", "b", "a")).bootstrap == ADDRESSES[0]
        await town.book.learn("managers", town.known(*machines))
        assert (await claim("managers", "b", ADDRESSES[0])).bootstrap == ADDRESSES[0]

    in_town(body)


def test_the_id_is_learned_from_the_founder_only() -> None:
    async def body(town: Town) -> None:
        machines = await town.build()
        await town.book.claim_bootstrap("managers", ADDRESSES[0])
        assert (await town.book.learn("managers", town.known(machines[1]))).id == ""
        [swarm] = town.world.swarms()
        assert (await town.book.learn("managers", town.known(*machines))).id == swarm.id
        assert (await town.book.claim_bootstrap("managers", "another")).bootstrap == ADDRESSES[0]

    in_town(body)


def test_an_observation_that_tells_nothing_new_writes_nothing() -> None:
    async def body(town: Town) -> None:
        machines = await town.build()
        await town.book.claim_bootstrap("managers", ADDRESSES[0])
        await town.book.learn("managers", town.known(*machines))
        told = len(town.changed)
        await town.book.learn("managers", town.known(*machines))
        assert len(town.changed) == told == 3

    in_town(body)


def test_a_manager_that_answers_with_a_quorum_is_found() -> None:
    async def body(town: Town) -> None:
        machines = await town.build()
        await town.book.claim_bootstrap("managers", ADDRESSES[0])
        await town.book.learn("managers", town.known(*machines))
        for lost, found in ((machines[0], machines[1]), (machines[1], None)):
            town.world.stop(lost)
            town.book.doubt("managers")
            await town.clock.sleep(20.0)
            if found is not None:
                assert (await town.book.manager("managers")).endpoint == f"sim://{found.id}"
                assert (await town.book.manager("")).endpoint == f"sim://{found.id}"
        with pytest.raises(NotReadyError, match="no manager of cluster managers answers with a quorum"):
            await town.book.manager("managers")

    in_town(body)


def test_a_manager_that_answered_is_trusted_until_a_call_of_it_fails() -> None:
    async def body(town: Town) -> None:
        machines = await town.build()
        await town.book.claim_bootstrap("managers", ADDRESSES[0])
        await town.book.learn("managers", town.known(*machines))
        first = (await town.book.manager("managers")).endpoint
        town.world.stop(machines[0])
        await town.clock.sleep(20.0)
        assert (await town.book.manager("managers")).endpoint == first == f"sim://{machines[0].id}"
        town.book.doubt("managers")
        assert (await town.book.manager("managers")).endpoint != first

    in_town(body)


def test_a_manager_of_another_swarm_is_not_ours() -> None:
    async def body(town: Town) -> None:
        machines = await town.build()
        await town.book.claim_bootstrap("managers", ADDRESSES[0])
        await town.book.learn("managers", town.known(*machines[:1]))
        stranger = await town.machine("10.9.0.20", INIT)
        await town.book.learn("managers", town.known(stranger))
        with pytest.raises(NotReadyError):
            await town.book.manager("managers")

    in_town(body)


def test_why_there_is_no_cluster_to_speak_of_is_said() -> None:
    async def body(town: Town) -> None:
        with pytest.raises(NotReadyError, match="no manager group has been applied"):
            await town.book.state("")
        with pytest.raises(NotReadyError, match="there is no cluster managers; no manager group has been applied"):
            await town.book.state("managers")
        town.book.attach(forming("managers"))
        with pytest.raises(NotReadyError, match="cluster managers has no managers yet"):
            await town.book.state("managers")
        await town.book.claim_bootstrap("managers", "a")
        with pytest.raises(NotReadyError, match="is not formed yet"):
            await town.book.manager("managers")
        await town.book.claim_bootstrap("others", "b")
        with pytest.raises(NotReadyError, match="several clusters \\(managers, others\\)"):
            await town.book.state("")

    in_town(body)


def test_a_controller_whose_term_is_over_writes_nothing_of_a_cluster() -> None:
    """Else it might forget the cluster that its successor is founding, which then would be founded twice."""

    async def body(town: Town) -> None:
        await town.book.begin(await town.store.acquire("old"))
        await town.book.claim_bootstrap("managers", "a")
        await town.store.acquire("new")
        for late in (town.book.forget("managers"), town.book.learn("managers", (ClusterManager("a", "sim://a"),))):
            with pytest.raises(StaleTermError):
                await late
        assert (await town.book.state("managers")).bootstrap == "a"

    in_town(body)


def forming(*names: str) -> Formers:
    async def formers() -> tuple[str, ...]:
        return names

    return formers


# --- Swarms of the settings -------------------------------------------------------------------------------


def in_prod(body: object) -> None:
    """`body` is given the town and the Swarm's machines, which the settings call prod."""

    async def main() -> None:
        town = Town()
        machines = await town.build()
        town.set_up(StaticCluster("prod", tuple(f"sim://{m.id}" for m in machines)))
        await body(town, machines)  # type: ignore[operator]

    run(main)


def test_a_swarm_of_the_settings_has_a_state_and_a_manager() -> None:
    async def body(town: Town, machines: list[Machine]) -> None:
        [swarm] = town.world.swarms()
        for name in ("prod", ""):
            state = await town.book.state(name)
            assert (state.name, state.id, len(state.managers)) == ("prod", swarm.id, 3)
            assert (await town.book.manager(name)).endpoint == f"sim://{machines[0].id}"
        assert await town.book.names() == ("prod",)
        assert not await town.store.list("cluster/")

    in_prod(body)


def test_a_manager_of_the_settings_that_dies_is_not_asked_again_and_again() -> None:
    async def body(town: Town, machines: list[Machine]) -> None:
        await town.book.manager("prod")
        town.world.stop(machines[0])
        town.book.doubt("prod")
        await town.clock.sleep(20.0)
        assert (await town.book.manager("prod")).endpoint == f"sim://{machines[1].id}"
        assert [e.answers for e in town.static.known("prod").engines] == [False, True, True]

    in_prod(body)


def test_without_a_quorum_a_swarm_of_the_settings_has_no_manager() -> None:
    async def body(town: Town, machines: list[Machine]) -> None:
        await town.book.manager("prod")
        for machine in machines[:2]:
            town.world.stop(machine)
        await town.clock.sleep(40.0)
        assert (await town.book.state("prod")).id
        with pytest.raises(NotReadyError, match="no manager of cluster prod answers with a quorum"):
            await town.book.manager("prod")

    in_prod(body)


def test_engines_that_stand_alone_are_no_swarm_and_a_silent_one_is_unknown() -> None:
    async def body(town: Town) -> None:
        machine = await town.machine("10.9.0.30", "true\n")
        town.set_up(StaticCluster("lab", (f"sim://{machine.id}",)), StaticCluster("moon", ("sim://nowhere",)))
        with pytest.raises(NotReadyError, match="cluster lab is no Swarm: its engines stand alone"):
            await town.book.state("lab")
        with pytest.raises(NotReadyError, match="no engine of cluster moon has answered yet: sim://nowhere: conn"):
            await town.book.manager("moon")

    in_town(body)


def test_a_name_that_nobody_has_is_told_with_those_that_there_are() -> None:
    async def body(town: Town, machines: list[Machine]) -> None:
        with pytest.raises(NotReadyError, match="there is no cluster tset; there is prod"):
            await town.book.state("tset")
        town.book.attach(forming("managers"))
        with pytest.raises(NotReadyError, match="there is no cluster tset; there are prod, managers"):
            await town.book.manager("tset")

    in_prod(body)


def test_a_group_that_was_just_applied_makes_the_empty_name_ambiguous_at_once() -> None:
    """Else its workers would join the other Swarm in the moment before its document is written."""

    async def body(town: Town, machines: list[Machine]) -> None:
        town.book.attach(forming("managers"))
        with pytest.raises(NotReadyError, match="several clusters \\(prod, managers\\)"):
            await town.book.manager("")

    in_prod(body)


def test_a_cluster_stands_while_it_has_a_document() -> None:
    async def body(town: Town, machines: list[Machine]) -> None:
        await town.book.claim_bootstrap("managers", "a")
        assert town.book.standing() == {"prod", "managers"}
        again = ClusterBook(town.store, town.world.engines, town.clock, town.changed.append, town.static)
        await again.begin(await town.store.acquire("next"))
        assert again.standing() == {"prod", "managers"}
        await again.forget("managers")
        assert again.standing() == {"prod"}

    in_prod(body)
