"""Containers by the rules: counts, rolls, names, deaths and silent engines, in virtual time (semantics.md 3)."""

import pytest

from skep.model.engine import Container
from skep.model.errors import RejectedError, UnavailableError
from skep.model.spec import Key, Kind
from skep.model.state import ConditionType
from tests.fakes.host import FakeContainer
from tests.sim.container_farm import HOUR_S, Farm, farmed
from tests.sim.container_hosts import AloneHost
from tests.sim.container_run import farm
from tests.sim.container_watch import Fewest, by_state, running, spread
from tests.sim.controller import workload
from tests.sim.loop import run

WEB = Key(Kind.WORKLOAD, "web")


def test_containers_are_spread_over_the_engines_and_then_nothing_is_done() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(7)
        assert spread(farm.world, "web") == [2, 2, 3]
        acts = farm.world.acts.copy()
        await farm.clock.sleep(300)
        assert farm.world.acts == acts

    farmed(body, engines=3)


def test_w4_of_what_does_not_change_nothing_is_written_however_often_it_is_looked_at() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(7)
        await farm.clock.sleep(60)
        stored, looks = await farm.sim.store.list(""), len(farm.attempts("list"))
        await farm.clock.sleep(300)
        assert await farm.sim.store.list("") == stored
        assert len(farm.attempts("list")) > looks

    farmed(body, engines=3)


def test_w4_what_there_is_and_why_there_is_no_more_is_told_while_creating_fails() -> None:
    """What an engine says later takes the place of what it said first."""

    async def body(farm: Farm) -> None:
        await farm.up(2)
        for host in farm.hosts:
            host.refusal = lambda act, name: RejectedError("no space left on device")
        await farm.apply(5)
        await told(farm, "no space left on device")
        for host in farm.hosts:
            host.refusal = lambda act, name: RejectedError("out of memory")
        await farm.clock.sleep(300)
        await told(farm, "out of memory")
        farm.world.calm()
        await farm.right(600)
        assert await farm.condition(ConditionType.REPLICA_FAILURE) is None

    farmed(body, engines=2)


async def told(farm: Farm, why: str) -> None:
    await farm.clock.sleep(20)
    condition = await farm.condition(ConditionType.REPLICA_FAILURE)
    assert condition is not None
    assert why in condition.message
    [view] = await farm.sim.views()
    assert (view.desired, view.current, view.ready, view.observed_generation) == (5, 2, 2, view.generation)


# --- a roll, counts, names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "surge", "unavailable"), [(1, 1, 0), (5, 2, 1), (10, 3, 2)])
def test_w41_w42_a_new_image_is_rolled_within_surge_and_unavailable(count: int, surge: int, unavailable: int) -> None:
    async def body(farm: Farm) -> None:
        await farm.up(count)
        most = 0

        def look(what: str, by_us: bool) -> str | None:
            nonlocal most
            most = max(most, sum(number for state, number in by_state(farm.world, "web").items() if state != "exited"))
            return None

        farm.world.watch(look)
        Fewest(farm.world, "web", count - unavailable)
        await farm.up(count, "web:slow")
        assert count < most <= count + surge

    farmed(body, engines=3)


def test_w39_another_count_restarts_nothing_and_the_spread_is_kept() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(3)
        first = {c.shown.id for _, c in farm.containers()}
        await farm.up(9)
        assert first <= {c.shown.id for _, c in farm.containers()}
        assert spread(farm.world, "web") == [3, 3, 3]
        await farm.up(4)
        assert spread(farm.world, "web") == [1, 1, 2]
        await farm.up(0)
        assert not farm.containers()
        [view] = await farm.sim.views()
        assert (view.desired, view.ready, view.converged) == (0, 0, True)

    farmed(body, engines=3)


def test_w25_a_name_that_somebody_else_has_taken_is_left_to_him_and_another_is_chosen() -> None:
    async def body(farm: Farm) -> None:
        [host] = farm.hosts
        foreign: list[str] = []

        def squat(act: str, name: str) -> None:
            if act == "create" and not foreign:
                foreign.append(name)
                container = Container("foreign", name, "web:1", "running", {}, 0.0)
                host.containers["foreign"] = FakeContainer(container, {})

        host.refusal = squat
        await farm.apply(3)
        await farm.clock.sleep(1)
        await farm.right(60)
        assert host.containers["foreign"].shown.name == foreign[0]
        assert host.containers["foreign"].shown.state == "running"

    farmed(body)


def test_w22_a_workload_that_is_deleted_leaves_nothing_and_can_be_made_again() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(3)
        farm.kill(1)
        await farm.right(10)
        await farm.sim.delete(workload("web", 3))
        await farm.sim.until(lambda views: not views, 60)
        assert not any(host.containers for host in farm.hosts)
        await farm.up(2)

    farmed(body, engines=2)


def test_w37_containers_that_say_they_are_unhealthy_are_stopped_and_counted_as_deaths() -> None:
    async def body(farm: Farm) -> None:
        farm.watch.asked("web", 2)
        await farm.sim.apply(workload("web", 2, "web:sick"))
        await farm.clock.sleep(600)
        assert len(farm.attempts("create")) <= 2 * 8
        assert await farm.condition(ConditionType.CRASH_LOOPING) is not None
        assert sum(by_state(farm.world, "web").values()) <= 4

    farmed(body, engines=2)


# --- W35, W36: engines that fall silent ------------------------------------------------------------------------------


def running_on(host: AloneHost) -> int:
    return sum(c.state == "running" for c in host.of("web"))


def test_w35_what_a_silent_engine_runs_is_made_elsewhere_once_it_is_lost_and_is_too_much_when_it_returns() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(6)
        lost, *rest = farm.hosts
        lost.cut(300)
        await farm.clock.sleep(25)
        assert running(farm.world, "web") == 6
        await farm.clock.sleep(35)
        assert sum(running_on(host) for host in rest) == 6
        farm.kill(0)
        await farm.clock.sleep(240 + 30)
        await farm.right(60)

    farmed(body, engines=3)


def test_w35_others_go_on_while_an_engine_is_silent() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(6)
        silent, other, _ = farm.hosts
        silent.cut(25)
        await farm.clock.sleep(1)
        other.end(next(c for c in other.containers.values() if c.shown.state == "running"))
        await farm.clock.sleep(15)
        assert [running_on(host) for host in farm.hosts].count(2) >= 2
        assert running(farm.world, "web") == 6
        await farm.clock.sleep(30)
        await farm.right(40)

    farmed(body, engines=3)


def test_w36_when_most_engines_fall_silent_nothing_is_replaced() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(6)
        creates = len(farm.attempts("create"))
        for host in farm.hosts[:2]:
            host.cut(300)
        await farm.clock.sleep(100)
        suspected = await farm.condition(ConditionType.PARTITION_SUSPECTED)
        assert suspected is not None
        await farm.clock.sleep(300)
        assert len(farm.attempts("create")) == creates
        assert await farm.condition(ConditionType.PARTITION_SUSPECTED) is None
        await farm.right(10)

    farmed(body, engines=3)


# --- where they may be --------------------------------------------------------------------------------------------


def test_a_fixed_port_is_published_once_on_each_engine_and_is_rolled_without_a_conflict() -> None:
    async def body(farm: Farm) -> None:
        ports = [{"Target": 80, "Published": 8080}]
        await farm.up(2, Ports=ports)
        await farm.up(3, Ports=ports)
        assert spread(farm.world, "web") == [1, 1, 1]
        Fewest(farm.world, "web", 2)
        await farm.up(3, "web:2", Ports=ports)
        assert len(farm.attempts("create")) == 6
        await farm.apply(4, "web:2", Ports=ports)
        await farm.clock.sleep(60)
        assert running(farm.world, "web") == 3
        assert await farm.condition(ConditionType.UNPLACEABLE) is not None

    farmed(body, engines=3)


def test_a_global_workload_has_one_on_each_engine_and_makes_it_anew_there() -> None:
    async def body(farm: Farm) -> None:
        farm.watch.asked("web", 3)
        await farm.sim.apply({"Name": "web", "Image": "web:1", "Mode": "global"})
        await farm.sim.converged(30)
        assert spread(farm.world, "web") == [1, 1, 1]
        farm.kill(1)
        await farm.clock.sleep(5)
        assert spread(farm.world, "web") == [1, 1, 1]

    farmed(body, engines=3)


def test_a_constraint_keeps_containers_on_the_engines_that_fulfil_it() -> None:
    async def body(farm: Farm) -> None:
        await farm.up(4, Constraints=["node.hostname!=e2"])
        assert [running_on(host) for host in farm.hosts] == [2, 0, 2]

    farmed(body, engines=3)


# --- images -------------------------------------------------------------------------------------------------------


def test_w32_an_engine_that_can_not_get_the_image_holds_up_none_that_has_it() -> None:
    async def body(farm: Farm) -> None:
        farm.hosts[1].images["web:own"] = "sha256:own"
        await farm.apply(5, "web:own")
        await farm.right(5)
        assert spread(farm.world, "web") == [0, 0, 5]
        assert len(farm.attempts("fetch")) <= 2

    farmed(body, engines=3)


def test_w32_a_new_spec_asks_for_its_image_at_once() -> None:
    async def body(farm: Farm) -> None:
        await farm.apply(2, "web:new")
        await farm.clock.sleep(1000)
        before = len(farm.attempts("fetch"))
        farm.world.registry["web:newer"] = "sha256:newer"
        await farm.apply(2, "web:newer")
        await farm.right(5)
        assert len(farm.attempts("fetch")) == before + 1

    farmed(body)


def test_w32_the_wait_for_an_image_survives_a_crash_of_skep() -> None:
    async def main() -> None:
        new = Farm(farm(1, 1))
        async with new.sim.running():
            new.watch.asked("web", 1)
            await new.sim.apply(workload("web", 1, "web:new"))
            await new.clock.sleep(100)
        before = len(new.attempts("fetch"))
        async with new.sim.running():
            await new.clock.sleep(40)
            assert len(new.attempts("fetch")) == before == 4
            told = await new.condition(ConditionType.IMAGE_PULL_FAILED)
            assert told is not None
            await new.clock.sleep(40)
            assert len(new.attempts("fetch")) == before + 1

    run(main, HOUR_S)


# --- W34 ---


def test_w34_what_an_engine_with_a_full_disk_can_not_make_is_made_on_another() -> None:
    """It lists well, and answers 500 to every creation: whether it has acted is looked for before it is given up."""

    async def body(farm: Farm) -> None:
        full = farm.hosts[0]
        full.refusal = lambda act, name: UnavailableError("500: no space left on device") if act == "create" else None
        await farm.apply(3)
        await farm.right(60)
        assert spread(farm.world, "web") == [0, 1, 2]
        full.refusal = lambda act, name: None
        await farm.clock.sleep(600)
        await farm.right(1)
        await farm.up(4)
        assert spread(farm.world, "web") == [1, 1, 2]

    farmed(body, engines=3)


# --- W38 ---


def test_w38_a_slot_that_ended_too_often_is_left_until_somebody_says_retry_and_a_crash_forgets_nothing() -> None:
    async def main() -> None:
        new = Farm(farm(1, 1))
        async with new.sim.running():
            new.watch.asked("web", 1)
            await new.sim.apply(workload("web", 1, "web:bad") | {"Restart": {"MaxAttempts": 3}})
            await new.clock.sleep(12)
        async with new.sim.running() as core:
            await new.clock.sleep(HOUR_S)
            assert len(new.attempts("create")) == 3
            [view] = await new.sim.views()
            assert any("RetriesExhausted" in c.reason for c in view.conditions), view.conditions
            await core.retry(WEB, "test")
            await new.clock.sleep(5)
            assert len(new.attempts("create")) > 3

    run(main, 3 * HOUR_S)
