"""Defects of InfraKit's group controller, a test each (infrakit-compat.md 3.10), G11 to G19.

All over the core that serves users, in virtual time, with plugins that know nothing of skep. G1 to G10 are in
test_defects_of_groups.py.
"""

import pytest

from skep.control.core import Options
from skep.model.errors import RejectedError
from skep.model.state import Health
from tests.fakes.foreign import tagged
from tests.infrakit.site import Site, simulated
from tests.sim.loop import run

POLL_S = Options().poll_s


def test_g11_a_restart_keeps_groups_and_goes_on() -> None:
    """G11: a restart forgot all groups, and what was left of them could not be destroyed.

    Fails when the store does not outlive the process.
    """

    async def main() -> None:
        site = Site()
        async with site.running():
            site.instances.provision_s = 5.0
            await site.commit(3)
            await site.converged()
            await site.commit(3, "new")
            await site.clock.sleep(7.0)
        del site.instances.machines[min(site.instances.machines)]
        async with site.running():
            assert [g.id for g in await site.groups.inspect()] == ["g"]
            await site.converged()
            assert len(site.instances.hashes) == 1
        async with site.running():
            await site.groups.destroy("g")
            assert (site.instances.machines, await site.groups.inspect()) == ({}, [])

    run(main)


def test_g11_machines_of_another_spec_are_rolled_when_they_are_taken_over() -> None:
    """G11: a changed spec adopted the old machines, said `Managing 2 instances`, and never rolled.

    Fails when the text of a new group does not look at the machines (`commit_text._managing`).
    """

    async def body(site: Site) -> None:
        for _ in range(2):
            site.instances.add(tagged("g", "old"))
        assert await site.commit(2) == "Managing 2 instances, then performing a rolling update on 2 instances"
        since = len(site.instances.counts)
        await site.converged()
        assert (site.instances.hashes["old"], len(site.instances.machines)) == (0, 2)
        assert site.fewest(since) >= 2

    simulated(body)


def test_g12_no_more_are_made_at_once_than_may_be() -> None:
    """G12: 500 members were 500 provisions at the same moment. Fails when `burst` has no effect."""

    async def body(site: Site) -> None:
        site.instances.provision_s = 1.0
        await site.commit(40)
        await site.converged()
        assert site.instances.busy == 3

    simulated(body, Options(burst=3))


def test_g12_what_fails_is_tried_ever_more_rarely() -> None:
    """G12: it was tried at each poll for ever. Fails when failures don't back off (`backoff.create_delay_s`)."""

    async def body(site: Site) -> None:
        site.instances.refusal = "quota exceeded"
        await site.commit(1)
        await site.clock.sleep(3600.0)
        assert 10 <= len(site.instances.attempts) <= 25
        assert site.instances.attempts[1] < 2.0

    simulated(body)


def test_g13_the_worst_go_first() -> None:
    """G13: the lowest IDs went first, whatever they were. Fails when `removal_order` sorts by ID alone."""

    async def body(site: Site) -> None:
        await site.commit(5)
        await site.converged()
        site.flavor.health = {"i-004": Health.UNHEALTHY}
        await site.clock.sleep(POLL_S)
        site.instances.machines["i-003"] = tagged("g", "old")
        await site.commit(3)
        await site.until_count(3)
        assert sorted(site.instances.machines) == ["i-001", "i-002", "i-005"]

    simulated(body)


def test_g14_nothing_is_destroyed_for_an_update_that_can_not_fill_what_is_missing() -> None:
    """G14: a group of three with one loss and failing provisions fell to one.

    Fails when `rollout.spare` is not asked, and the check of plans behind it is off.
    """

    async def body(site: Site) -> None:
        await site.commit(3)
        await site.converged()
        del site.instances.machines["i-002"]
        site.instances.refusal = "out of capacity"
        since = len(site.instances.counts)
        await site.commit(3, "new")
        await site.clock.sleep(1200.0)
        assert (len(site.instances.machines), site.instances.counts[since:]) == (2, [])

    simulated(body)


@pytest.mark.parametrize(
    ("updating", "least", "most"),
    [
        ({}, 10, 11),
        ({"MaxSurge": 3}, 10, 13),
        ({"MaxSurge": 0, "MaxUnavailable": 4}, 6, 10),
        ({"MaxSurge": "50%"}, 10, 15),
    ],
)
def test_g15_an_update_keeps_its_bounds_and_does_not_wait_for_the_clock(
    updating: dict[str, object], least: int, most: int
) -> None:
    """G15: neither surge nor batch, and each step waited for a whole tick.

    Fails when Updating is not read, and when a step waits for the next poll.
    """

    async def body(site: Site) -> None:
        await site.commit(10)
        await site.converged()
        since, began_s = len(site.instances.counts) - 1, site.clock.monotonic_s()
        await site.commit(10, "new", Updating=updating)
        await site.converged()
        assert site.clock.monotonic_s() - began_s < POLL_S
        assert (site.fewest(since), max(site.instances.counts[since:])) == (least, most)

    simulated(body)


def test_g15_going_back_is_a_commit_like_any_other() -> None:
    """G15: there was no rollback. Machines that are current again stay as they are."""

    async def body(site: Site) -> None:
        site.instances.provision_s = 5.0
        await site.commit(4)
        await site.converged()
        old = set(site.instances.machines)
        await site.commit(4, "new")
        await site.clock.sleep(8.0)
        assert await site.commit(4) == "Performing a rolling update on 1 instances"
        await site.converged()
        assert len(old & set(site.instances.machines)) >= 3
        assert len(site.instances.hashes) == 1

    simulated(body)


def test_g17_of_many_commits_the_last_counts_and_converged_waits_for_it() -> None:
    """G17: the end of an old update erased the registration of the next one: two at once, and Converged wrong.

    Fails when Converged does not look at the generation that was seen.
    """

    async def body(site: Site) -> None:
        site.instances.provision_s, site.instances.describe_s = 2.0, 0.3
        await site.commit(4)
        await site.converged()
        for number in range(5):
            await site.commit(4, f"change {number}")
            assert not await site.is_converged()
            await site.clock.sleep(3.0 * number)
        while not (described := await site.describe()).converged:
            assert len(site.instances.machines) <= 5
            await site.clock.sleep(0.1)
        last = {one.tags["infrakit.config_sha"] for one in described.instances}
        assert (await site.commit(4, "change 4", pretend=True), len(last)) == ("Noop", 1)

    simulated(body)


def test_g18_a_machine_that_can_not_be_drained_is_not_destroyed() -> None:
    """G18: the failure of a drain was logged, and the machine destroyed all the same.

    Fails when `GroupActuator.remove` goes on after a failed drain.
    """

    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.flavor.undrainable = {"i-001"}
        with pytest.raises(RejectedError, match="i-001: i-001 can't be drained"):
            await site.groups.destroy("g")
        await site.clock.sleep(60.0)
        assert (list(site.instances.machines), site.instances.destroyed) == (["i-001"], ["i-002"])
        assert len(site.flavor.drained) >= 5
        site.flavor.undrainable = set()
        await site.until_count(0)
        assert await site.groups.inspect() == []

    simulated(body)


def test_g18_a_destroy_survives_a_failed_delete_and_a_restart() -> None:
    """G18: errors of destroys vanished, and the group had been forgotten before (#632).

    Fails when the group is forgotten before its last machine is gone.
    """

    async def main() -> None:
        site = Site()
        async with site.running():
            await site.commit(3)
            await site.converged()
            site.instances.stuck = {"i-002"}
            told = "^1 instances of group 'g' could not be destroyed yet and are tried again: i-002: i-002 is locked$"
            for _ in range(2):
                with pytest.raises(RejectedError, match=told):
                    await site.groups.destroy("g")
            described = await site.describe()
            assert ([one.id for one in described.instances], described.converged) == (["i-002"], False)
        async with site.running():
            await site.clock.sleep(5.0)
            assert [g.id for g in await site.groups.inspect()] == ["g"]
            tries = len(site.instances.destroyed)
            site.instances.stuck = set()
            await site.groups.destroy("g")
            assert len(site.instances.destroyed) == tries + 1
            assert (site.instances.machines, await site.groups.inspect()) == ({}, [])

    run(main)


def test_g19_a_machine_that_stays_sick_is_replaced_without_any_update() -> None:
    """G19: health was looked at only during updates. Fails when `remedy.replace_sick` does nothing."""

    async def body(site: Site) -> None:
        await site.commit(3)
        await site.converged()
        site.flavor.health = {"i-002": Health.UNHEALTHY}
        await site.clock.sleep(2 * POLL_S)
        assert "i-002" in site.instances.machines
        await site.clock.sleep(360.0)
        assert sorted(site.instances.machines) == ["i-001", "i-003", "i-004"]
        assert await site.is_converged()

    simulated(body)
