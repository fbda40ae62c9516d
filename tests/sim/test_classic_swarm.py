"""Containers behind a classic Swarm manager, whose memory is up to a minute old (semantics.md 5.4, F9).

An observer of the engines sees every act: never more of a workload than its count and surge, never two for one slot.
"""

from collections.abc import Awaitable, Callable

import pytest

from skep.model.cluster import ClusterKind
from skep.model.state import ConditionType
from tests.contract.workload_bed import IMAGE, Bed, engine_bed
from tests.contract.workload_lives import lives
from tests.fakes.classic_swarm import ClassicSwarm
from tests.fakes.classic_swarm_ways import CLASSIC, DirectEngines
from tests.sim.container_hosts import AloneHost
from tests.sim.container_run import farm
from tests.sim.container_watch import ContainerWatch, Fewest, by_state
from tests.sim.controller import Simulation
from tests.sim.loop import run


class Site:
    """A controller, a manager, and three engines behind it; `bed` asks and waits."""

    def __init__(self, sim: Simulation, manager: ClassicSwarm, bed: Bed) -> None:
        self.sim, self.manager, self.bed = sim, manager, bed
        self._watch = ContainerWatch(sim.world)

    @property
    def hosts(self) -> list[AloneHost]:
        return list(self.sim.world.alone.values())

    async def ask(self, count: int, **more: object) -> None:
        self._watch.asked("web", count)
        await self.bed.ask("web", count, **more)

    async def up(self, count: int, within_s: float = 240.0, **more: object) -> None:
        """Until the engines show exactly so many, and skep says so."""
        await self.ask(count, **more)
        await self.right(count, within_s)

    async def right(self, count: int, within_s: float = 240.0) -> None:
        end_s = self.sim.clock.monotonic_s() + within_s
        while not (self.states() == {"running": count} and await self._says_so()):
            assert self.sim.clock.monotonic_s() < end_s, f"{self.states()}\n{await self.bed.life.core.views()}"
            await self.sim.clock.sleep(0.1)

    async def _says_so(self) -> bool:
        view = await self.bed.view("web")
        return view is not None and view.converged

    def states(self) -> dict[str, int]:
        return by_state(self.sim.world, "web")

    def on(self, host: AloneHost) -> int:
        """How many run there."""
        return sum(c.state == "running" for c in host.of("web"))

    async def serving(self, but: AloneHost | None = None) -> int:
        """How many run on all engines but this one."""
        return sum(self.on(host) for host in self.hosts if host is not but)

    def created(self) -> list[str]:
        """The names that were asked for."""
        return [a.query["name"] for a in self.manager.asked if a.path == "containers/create"]


Body = Callable[[Site], Awaitable[None]]


def behind(body: Body, seed: int = 1, watched: bool = True) -> None:
    """`watched`: False where what the manager has given up runs on, and counts for nobody."""

    async def main() -> Simulation:
        sim = farm(seed, 3)
        for host in sim.world.alone.values():
            host.images[IMAGE] = "sha256:1"
        engines = {name: sim.world.engines.engine(f"sim://{name}") for name in sim.world.alone}
        async with ClassicSwarm(engines, sim.clock, sim.random).running() as manager:
            begin = lives(DirectEngines(manager), (CLASSIC,), sim.clock)
            bed = engine_bed(ClusterKind.CLASSIC, CLASSIC.name, list(engines.values()), sim.clock, begin)
            await bed.start()
            try:
                await body(Site(sim, manager, bed))
            finally:
                await bed.life.kill()
        return sim

    violations = run(main).world.violations
    assert not (watched and violations), violations[0]


def test_w26_what_was_made_although_the_answer_was_an_error_is_found_and_started() -> None:
    """5.4, 6: it is in no list until the manager looks at its engines again, and a second one of its name would land
    on another engine."""

    async def body(site: Site) -> None:
        site.manager.unreported = 2
        await site.up(3)
        assert len(site.created()) == len(set(site.created())) == 3

    behind(body)


def test_what_falls_out_of_the_managers_memory_is_not_made_again() -> None:
    """A refresh that was begun before a creation puts back what it saw then."""

    async def body(site: Site) -> None:
        site.manager.overtaken = 3
        await site.up(3)
        assert len(set(site.created())) == 3

    behind(body)


@pytest.mark.parametrize("twentieths", [0, 1, 2, 3, 5, 8, 12])
@pytest.mark.parametrize("fault", ["", "unreported", "overtaken"])
def test_f3_a_controller_that_dies_while_it_makes_them_makes_no_doubles(twentieths: int, fault: str) -> None:
    """What it made just before may be in no list, and its record may say no more of it."""

    async def body(site: Site) -> None:
        if fault:
            setattr(site.manager, fault, 3)
        await site.ask(6)
        await site.sim.clock.sleep(twentieths / 20)
        await site.bed.crash()
        await site.right(6)

    behind(body, seed=twentieths)


def test_a_workload_that_is_deleted_leaves_nothing_that_did_not_show() -> None:
    async def body(site: Site) -> None:
        site.manager.unreported = 1
        await site.ask(1)
        await site.sim.clock.sleep(5)
        await site.bed.delete("web")
        assert site.states() == {}

    behind(body)


def test_what_somebody_removed_while_the_manager_remembers_it_is_no_error_to_remove() -> None:
    """The manager passes on its engine's refusal as an error of its own."""

    async def body(site: Site) -> None:
        await site.up(3)
        victim = next(iter((await site.bed.runs("web", 3)).values()))
        await site.bed.lose(victim)
        began_s = site.sim.clock.monotonic_s()
        await site.bed.delete("web")
        assert site.states() == {}
        assert site.sim.clock.monotonic_s() - began_s < 30

    behind(body)


def test_w28_an_engine_that_is_away_takes_nothing_from_the_others() -> None:
    """5.4, 2: what is there is listed as Host Down, and asking for it is an error of the manager."""

    async def body(site: Site) -> None:
        await site.up(3)
        away, other, _ = site.hosts
        for container in away.containers.values():
            away.end(container)
        await site.bed.until(site.serving, 3)
        away.cut(600)
        await site.sim.clock.sleep(90)
        known = [c for c in other.containers.values() if c.shown.state == "running"]
        other.end(known[0])
        await site.bed.until(lambda: site.serving(but=away), 3 - site.on(away))

    behind(body)


def test_w35_f10_what_a_node_that_is_away_runs_is_made_elsewhere_and_the_surplus_goes_when_it_is_back() -> None:
    """5.4, 2: the manager lists it as Host Down. Half a minute after that it counts as lost."""

    async def body(site: Site) -> None:
        await site.up(6)
        away = site.hosts[0]
        kept = site.on(away)
        away.cut(300)
        await site.bed.until(lambda: _silent(site), f"waiting for an answer: {away.name} does not answer")
        assert await site.serving(but=away) == 6 - kept
        await site.bed.until(lambda: site.serving(but=away), 6)
        Fewest(site.sim.world, "web", 6)
        await site.sim.clock.sleep(300)
        await site.right(6)

    behind(body)


async def _silent(site: Site) -> str:
    view = await site.bed.view("web")
    return next((c.message for c in view.conditions if c.type is ConditionType.UNREACHABLE), "") if view else ""


def test_w36_when_most_nodes_are_away_none_is_given_up() -> None:
    async def body(site: Site) -> None:
        await site.up(6)
        for host in site.hosts[:2]:
            host.cut(300)
        await site.sim.clock.sleep(250)
        view = await site.bed.view("web")
        assert view is not None
        assert ConditionType.PARTITION_SUSPECTED in {c.type for c in view.conditions}
        assert site.states() == {"running": 6}
        assert len(site.created()) == 6
        await site.sim.clock.sleep(100)
        await site.right(6)

    behind(body)


def test_w36_nodes_that_run_nothing_of_it_count_for_the_brake_too() -> None:
    async def body(site: Site) -> None:
        await site.up(1)
        bearer = next(h for h in site.hosts if site.on(h))
        for host in (bearer, next(h for h in site.hosts if h is not bearer)):
            host.cut(250)
        await site.sim.clock.sleep(240)
        assert len(site.created()) == 1
        await site.right(1)

    behind(body)


def test_a_node_that_is_gone_for_good_is_forgotten_by_the_manager_and_what_it_ran_is_made_elsewhere() -> None:
    async def body(site: Site) -> None:
        await site.up(3)
        gone = site.hosts[0]
        site.manager.nodes[:] = [n for n in site.manager.nodes if n.name != gone.name]
        await site.sim.clock.sleep(60)
        assert await site.serving(but=gone) == 2
        await site.bed.until(lambda: site.serving(but=gone), 3)
        await site.sim.clock.sleep(200)
        view = await site.bed.view("web")
        assert view is not None
        assert (view.current, view.converged) == (3, True)

    behind(body, watched=False)


def test_what_ended_while_no_controller_ran_is_seen_by_the_next_one_at_once() -> None:
    """The manager still lists it as running, and asks its engine for one by its ID."""

    async def body(site: Site) -> None:
        await site.up(3)
        await site.bed.life.kill()
        host = next(h for h in site.hosts if site.on(h))
        host.end(next(c for c in host.containers.values() if c.shown.state == "running"))
        site.bed.life = await site.bed.begin()
        await site.sim.clock.sleep(0.5)
        view = await site.bed.view("web")
        assert view is not None
        assert (view.current, view.converged) == (2, False)
        await site.bed.until(site.serving, 3)

    behind(body)


def test_a_replica_without_a_primary_makes_nobody_wait_for_ever() -> None:
    """5.4, 8: it takes requests, and answers none until a primary is elected."""

    async def body(site: Site) -> None:
        await site.up(2)
        site.manager.elected.clear()
        await site.ask(4)
        await site.sim.clock.sleep(60)
        assert site.states() == {"running": 2}
        site.manager.elected.set()
        await site.right(4)

    behind(body)


def test_w32_an_image_that_no_registry_gives_is_told_in_its_words() -> None:
    """5.4, 6: the manager pulls it as a part of the creation, and nothing was made."""

    async def body(site: Site) -> None:
        await site.ask(2, image="nobody/has:1")
        await site.sim.clock.sleep(20)
        view = await site.bed.view("web")
        assert view is not None
        assert any("manifest unknown" in c.message for c in view.conditions)
        assert site.states() == {}
        await site.up(2)

    behind(body)


def test_as_many_have_a_fixed_port_as_there_are_engines() -> None:
    """The manager is one engine to skep, and many to a port."""

    async def body(site: Site) -> None:
        await site.up(3, Ports=[{"Target": 80, "Published": 8080}])

    behind(body)


@pytest.mark.parametrize("age_s", [1.0, 300.0])
@pytest.mark.parametrize("crash", [True, False], ids=["and so was the controller", "alone"])
def test_a_manager_that_was_restarted_knows_everything_anew(crash: bool, age_s: float) -> None:
    """Names are told apart by its memory alone, and nobody has told that they went."""

    async def body(site: Site) -> None:
        await site.up(3)
        await site.sim.clock.sleep(age_s)
        for node in site.manager.nodes:
            node.containers.clear()
        if crash:
            await site.bed.crash()
        await site.sim.clock.sleep(20)
        assert site.states() == {"running": 3}
        await site.right(3)
        assert len(site.created()) == 3

    behind(body)
