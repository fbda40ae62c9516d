"""Simulated machines: slow, failing and dying as their spec says, in virtual time."""

from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from skep.model.errors import InvalidError, NotFoundError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceSpec
from skep.model.state import Life
from skep.plugins.simulator import SimulatorInstances
from tests.sim.loop import SimClock, run


def spec(properties: str = "{}", request: str = "", group: str = "g") -> InstanceSpec:
    tags = {"infrakit.group": group} | ({"skep.request": request} if request else {})
    return InstanceSpec(RawJson(properties.encode()), tags)


def simulated(body: Callable[[SimulatorInstances, SimClock], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = SimClock()
        await body(SimulatorInstances(clock), clock)

    run(main)


async def lives(plugin: SimulatorInstances) -> list[Life]:
    return [item.life for item in await plugin.describe({})]


async def made(plugin: SimulatorInstances, properties: str, count: int, group: str = "g") -> list[bool]:
    """Which of so many provisions were not refused."""
    answers = []
    for _ in range(count):
        try:
            await plugin.provision(spec(properties, group=group))
            answers.append(True)
        except RejectedError as error:
            assert "FailProvision" in str(error)
            answers.append(False)
    return answers


def test_without_properties_a_machine_runs_at_once() -> None:
    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        await plugin.provision(spec("null"))
        assert (await lives(plugin), clock.monotonic_s()) == ([Life.RUNNING], 0.0)

    simulated(body)


def test_each_delay_takes_its_time() -> None:
    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        name = await plugin.provision(spec('{"ProvisionDelay":"2s","BootDelay":"3s","DestroyDelay":"4s"}'))
        assert (clock.monotonic_s(), await lives(plugin)) == (2.0, [Life.PENDING])
        await clock.sleep(3.0)
        assert await lives(plugin) == [Life.RUNNING]
        await plugin.destroy(name)
        assert (clock.monotonic_s(), await lives(plugin)) == (9.0, [])

    simulated(body)


def test_a_request_that_is_repeated_waits_only_for_what_is_left() -> None:
    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        slow = spec('{"ProvisionDelay":"2s"}', "one")
        first = await plugin.boot(slow)
        assert await plugin.provision(slow) == first
        assert (clock.monotonic_s(), plugin.inits(first)) == (2.0, 1)

    simulated(body)


def test_every_so_many_means_exactly_that_for_each_group() -> None:
    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        third = '{"FailProvision":3}'
        assert await made(plugin, third, 7) == [True, True, False, True, True, False, True]
        assert await made(plugin, third, 3, "other") == [True, True, False]
        assert await made(plugin, '{"FailProvision":1}', 2, "never") == [False, False]

    simulated(body)


def test_chance_is_the_same_for_the_same_seed_and_of_about_the_given_size() -> None:
    answers: list[list[bool]] = []

    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        for seed in (1, 2):
            answers.append(await made(plugin, f'{{"FailProvision":0.3,"Seed":{seed}}}', 200))

    simulated(body)
    simulated(body)
    assert answers[:2] == answers[2:]
    assert answers[0] != answers[1]
    assert all(30 <= row.count(False) <= 90 for row in answers)


def test_a_lost_answer_leaves_a_machine_that_the_same_request_finds() -> None:
    """semantics.md W26."""

    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        once = spec('{"LoseProvision":2}', "two")
        await plugin.provision(spec('{"LoseProvision":2}', "one"))
        with pytest.raises(UnavailableError, match="LoseProvision"):
            await plugin.provision(once)
        assert len(await lives(plugin)) == 2
        assert await plugin.provision(once) in [item.id for item in await plugin.describe({})]
        assert len(await lives(plugin)) == 2

    simulated(body)


def test_a_machine_that_dies_is_stopped_and_starts_as_slowly_as_before() -> None:
    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        name = await plugin.provision(spec('{"BootDelay":"1s","DieAfter":"10s"}'))
        await clock.sleep(10.5)
        assert await lives(plugin) == [Life.RUNNING]
        await clock.sleep(1.0)
        assert await lives(plugin) == [Life.STOPPED]
        await plugin.start(name)
        assert await lives(plugin) == [Life.PENDING]
        await clock.sleep(1.0)
        assert await lives(plugin) == [Life.RUNNING]

    simulated(body)


def test_a_machine_that_can_not_be_started_is_gone_when_it_dies() -> None:
    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        name = await plugin.provision(spec('{"DieAfter":"10s","Startable":false}'))
        await clock.sleep(11.0)
        with pytest.raises(NotFoundError):
            await plugin.start(name)
        assert await lives(plugin) == []

    simulated(body)


def test_starts_and_removals_fail_as_asked() -> None:
    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        name = await plugin.provision(spec('{"FailStart":1,"FailDestroy":2}'))
        plugin.stop(name)
        with pytest.raises(RejectedError, match="FailStart"):
            await plugin.start(name)
        other = await plugin.provision(spec('{"FailDestroy":2}'))
        await plugin.destroy(other)
        with pytest.raises(RejectedError, match="FailDestroy"):
            await plugin.destroy(name)
        assert await lives(plugin) == [Life.STOPPED]

    simulated(body)


def test_what_time_brings_is_told_when_it_comes() -> None:
    async def body(plugin: SimulatorInstances, clock: SimClock) -> None:
        await plugin.provision(spec('{"BootDelay":"1s","DieAfter":"10s"}', group="a"))
        changes = plugin.changes()
        told = [(await anext(changes), clock.monotonic_s()) for _ in range(3)]
        assert told == [("a", 0.0), ("a", 1.0), ("a", 11.0)]
        assert all(later[1] > earlier[1] for earlier, later in pairwise(told))

    simulated(body)


async def test_every_fault_of_the_properties_is_told() -> None:
    with pytest.raises(InvalidError) as caught:
        await SimulatorInstances(SimClock()).validate(
            RawJson(b'{"BootDelay":"soon","FailProvision":-1,"Startable":"x","Nonsense":1}')
        )
    assert {f.path for f in caught.value.faults} == {"BootDelay", "FailProvision", "Startable", "Nonsense"}
