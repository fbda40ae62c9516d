"""InfraKit's Group interface: what it tells, plans, destroys and waits for (infrakit-compat.md 3)."""

import asyncio

import pytest
from structlog.testing import capture_logs

from skep.model.errors import (
    ConflictError,
    NotFoundError,
    RefusedError,
    RejectedError,
    SkepError,
    UnavailableError,
)
from skep.model.machine import CommittedGroup
from tests.conditions import until
from tests.fakes.foreign import tagged
from tests.infrakit.site import Site, group, simulated


def test_nobody_answers_for_groups_that_are_not_there() -> None:
    async def body(site: Site) -> None:
        for call in (site.groups.free, site.groups.describe, site.groups.destroy):
            for name in ("g", "", "a/b"):
                with pytest.raises(NotFoundError, match=f"^Group '{name}' is not being watched$"):
                    await call(name)

    simulated(body)


def test_pretending_changes_nothing() -> None:
    """infrakit-compat.md 3.1: it is checked, planned, and that is all."""

    async def body(site: Site) -> None:
        assert await site.commit(2, pretend=True) == "Managing 2 instances"
        assert await site.groups.inspect() == []
        await site.commit(2)
        await site.converged()
        before, machines = await site.groups.inspect(), dict(site.instances.machines)
        text = "Performing a rolling update on 2 instances, then adding 3 instances to increase the group size to 5"
        assert await site.commit(5, "new", pretend=True) == text
        await site.clock.sleep(60.0)
        assert (await site.groups.inspect(), site.instances.machines) == (before, machines)

    simulated(body)


def test_a_size_of_zero_is_one_where_it_is_written() -> None:
    """infrakit-compat.md 7, row 14."""

    async def body(site: Site) -> None:
        assert await site.commit(0) == "Managing 0 instances"
        await site.converged()
        await site.commit(3)
        await site.converged()
        assert await site.commit(0) == "Terminating 3 instances to reduce the group size to 0"
        await site.converged()
        assert site.instances.machines == {}

    simulated(body)


def test_free_leaves_the_machines_and_a_commit_takes_them_back() -> None:
    async def body(site: Site) -> None:
        await site.commit(5)
        await site.converged()
        machines = dict(site.instances.machines)
        await site.groups.free("g")
        with pytest.raises(NotFoundError):
            await site.describe()
        assert await site.groups.inspect() == []
        await site.clock.sleep(60.0)
        assert await site.commit(5) == "Managing 5 instances"
        await site.converged()
        assert site.instances.machines == machines

    simulated(body)


def test_a_group_stays_with_the_plugin_that_knows_its_machines() -> None:
    elsewhere = {"Instance": {"Plugin": "others", "Properties": {}}}

    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        with pytest.raises(RefusedError, match="has 2 instances of plugin instances, which others does not know"):
            await site.commit(2, **elsewhere)
        await site.commit(0)
        await site.converged()
        await site.commit(2, **elsewhere)
        await site.converged()
        assert (len(site.instances.machines), len(site.others.machines)) == (0, 2)

    simulated(body)


def test_a_group_that_is_being_destroyed_stays_with_its_plugin_too() -> None:
    """What could not be destroyed yet would be forgotten."""
    elsewhere = {"Instance": {"Plugin": "others", "Properties": {}}}

    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.instances.stuck = {"i-001"}
        with pytest.raises(RejectedError):
            await site.groups.destroy("g")
        with pytest.raises(RefusedError, match="has 1 instances of plugin instances, which others does not know"):
            await site.commit(2, **elsewhere)
        site.instances.stuck = set()
        await site.groups.destroy("g")
        await site.commit(2, **elsewhere)
        await site.converged()
        assert (len(site.instances.machines), len(site.others.machines)) == (0, 2)

    simulated(body)


def test_a_destroy_that_can_not_succeed_is_ended_by_free() -> None:
    """What is left stays, and a commit takes it back."""

    async def body(site: Site) -> None:
        await site.commit(3)
        await site.converged()
        site.flavor.undrainable = {"i-001", "i-002"}
        with pytest.raises(RejectedError):
            await site.groups.destroy("g")
        await site.groups.free("g")
        site.flavor.undrainable = set()
        assert await site.groups.inspect() == []
        await site.clock.sleep(600.0)
        assert sorted(site.instances.machines) == ["i-001", "i-002"]
        assert await site.commit(2) == "Managing 2 instances"
        await site.converged()
        await site.clock.sleep(60.0)
        assert sorted(site.instances.machines) == ["i-001", "i-002"]

    simulated(body)


def test_a_flavor_that_is_not_ready_is_asked_once_for_all() -> None:
    """The mistake of committing workers before their managers (infrakit-compat.md 6) heals by itself, soon."""

    async def body(site: Site) -> None:
        site.flavor.not_ready, site.flavor.prepare_s = "no swarm yet", 0.1
        assert await site.commit(100) == "Managing 100 instances"
        with capture_logs() as said:
            await site.clock.sleep(60.0)
        assert [line["reason"] for line in said if line["log_level"] == "warning"] == ["no swarm yet"]
        assert site.flavor.prepared <= 100 + 60
        described = await site.describe()
        assert (described.converged, described.error) == (False, "no swarm yet")
        site.flavor.not_ready = ""
        await site.converged(within_s=5.0)

    simulated(body)


@pytest.mark.parametrize("prepare_s", [0.0, 0.2, 5.0])
@pytest.mark.parametrize("never_ready", [{"a"}, {"a", "b"}, {"c"}])
def test_a_logical_id_that_is_never_ready_keeps_no_other_waiting(never_ready: set[str], prepare_s: float) -> None:
    """Fails when one that asks for all is always the same."""

    async def body(site: Site) -> None:
        await site.commit(["a", "b", "c", "d"])
        await site.converged()
        site.instances.machines.clear()
        site.flavor.prepare_s, site.flavor.not_ready = prepare_s, "no swarm yet"
        await site.clock.sleep(30.0)
        site.flavor.not_ready, site.flavor.never_ready = "", {*never_ready}
        await site.until_count(4 - len(never_ready))

    simulated(body)


@pytest.mark.parametrize("error", [UnavailableError("connection reset"), RejectedError("it gave no ID")])
@pytest.mark.parametrize("allocation", [3, ["a", "b", "c"]])
def test_a_machine_whose_answer_was_lost_is_made_once(error: SkepError, allocation: int | list[str]) -> None:
    """Plugins that know nothing of requests would make another one (infrakit-compat.md 7, row 16)."""

    async def body(site: Site) -> None:
        site.instances.lost = error
        await site.commit(allocation)
        await site.converged()
        await site.clock.sleep(600.0)
        assert site.instances.counts == [0, 1, 2, 3]

    simulated(body)


def test_a_commit_of_the_same_spec_tries_again_what_failed() -> None:
    """infrakit-compat.md 3.6: recommitting resumes. Without a failure nothing is new."""

    async def body(site: Site) -> None:
        site.instances.refusal = "quota exceeded"
        await site.commit(2)
        await site.clock.sleep(2000.0)
        site.instances.refusal = ""
        assert await site.commit(2) == "Noop"
        await site.converged(within_s=5.0)
        tries = len(site.instances.attempts)
        assert await site.commit(2) == "Noop"
        await site.clock.sleep(60.0)
        assert len(site.instances.attempts) == tries

    simulated(body)


def test_a_plugin_that_hangs_keeps_only_its_own_group_waiting() -> None:
    """infrakit-compat.md 3.10: G7, as far as the core goes."""

    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.others.describe_s = site.others.provision_s = 3600.0
        slow = CommittedGroup("slow", group(1, Instance={"Plugin": "others"}).properties)
        waiting = [asyncio.create_task(site.groups.commit(slow, pretend=False)) for _ in range(3)]
        await site.clock.sleep(1.0)
        async with asyncio.timeout(0.01):
            await site.commit(3)
            assert [g.id for g in await site.groups.inspect()] == ["g"]
        async with asyncio.timeout(5.0):
            await site.converged()
            await site.groups.destroy("g")
        for task in waiting:
            task.cancel()

    simulated(body)


def test_healths_are_asked_for_as_often_as_they_are_worth() -> None:
    """A call for each machine is what it costs."""

    async def body(site: Site) -> None:
        site.instances.provision_s = 1.0
        await site.commit(100)
        await site.converged()
        assert site.flavor.asked <= 200
        await site.clock.sleep(100.0)
        assert site.flavor.asked <= 200 + 12 * 100

    simulated(body)


def test_a_destroy_that_is_overtaken_says_so() -> None:
    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.instances.stuck = {"i-001"}

        async def recommit() -> None:
            await site.clock.sleep(0.2)
            site.instances.stuck = set()
            await site.commit(1)

        site.instances.destroy_s = 1.0
        again = asyncio.create_task(recommit())
        with pytest.raises(ConflictError, match="was committed again"):
            await site.groups.destroy("g")
        await again
        await site.converged()
        assert len(site.instances.machines) == 1

    simulated(body)


def test_who_waits_for_a_destroy_is_told_when_nobody_answers() -> None:
    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.instances.silent = True
        with pytest.raises(UnavailableError, match="its instance plugin does not answer"):
            await site.groups.destroy("g")
        site.instances.silent = False

        async def left() -> int:
            return len(await site.groups.inspect())

        await until(left, 0)
        assert site.instances.machines == {}

    simulated(body)


def test_machines_of_other_groups_are_nobodys_business() -> None:
    async def body(site: Site) -> None:
        other = site.instances.add(tagged("h", "x"))
        await site.commit(1)
        await site.converged()
        await site.groups.destroy("g")
        assert list(site.instances.machines) == [other]

    simulated(body)
