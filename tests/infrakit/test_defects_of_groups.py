"""Defects of InfraKit's group controller, a test each (infrakit-compat.md 3.10), G1 to G10.

All over the core that serves users, in virtual time, with plugins that know nothing of skep. G11 to G19 are in
test_defects_of_groups_over_time.py.
"""

import asyncio

from skep.control.core import Options
from skep.model.machine import InstanceDescription
from skep.model.state import Health
from tests.fakes.foreign import tagged
from tests.infrakit.site import Site, simulated

POLL_S = Options().poll_s


def test_g01_commits_during_an_update_never_wait_for_it() -> None:
    """G1: a second commit while an update was past its last look at the channel hung the whole plugin.

    Commits come at every moment of a roll, also while a machine is made or destroyed. Fails when a commit waits for
    what the one before began (a lock held until the group has converged).
    """

    async def body(site: Site) -> None:
        site.instances.provision_s, site.instances.destroy_s = 0.7, 0.3
        await site.commit(20)
        await site.converged()
        for number in range(30):
            async with asyncio.timeout(0.01):
                await site.commit(20, f"change {number}")
                await site.groups.inspect()
            await site.clock.sleep(0.03 * number)
        await site.converged()
        assert len(site.instances.hashes) == 1

    simulated(body)


def test_g02_an_update_of_logical_ids_waits_for_each_replacement() -> None:
    """G2: one member was destroyed at each interval, whether or not its replacement existed: none was left.

    Fails when `allowed_unavailable` of pets is the whole size.
    """

    async def body(site: Site) -> None:
        site.instances.provision_s = 3 * POLL_S
        await site.commit(["a", "b", "c"])
        await site.converged()
        since = len(site.instances.counts)
        await site.commit(["a", "b", "c"], "new")
        await site.converged()
        assert site.fewest(since) == 2
        assert site.instances.slots == ["a", "b", "c"]
        assert len(site.instances.hashes) == 1

    simulated(body)


def test_g02_a_replacement_that_is_not_healthy_ends_the_losses() -> None:
    """G2: health was not asked for. Fails when a member counts as serving whatever its flavor says."""

    async def body(site: Site) -> None:
        await site.commit(["a", "b", "c"])
        await site.converged()
        old = site.hash_of(-1)

        def judge(one: InstanceDescription) -> Health:
            return Health.HEALTHY if one.tags["infrakit.config_sha"] == old else Health.UNKNOWN

        site.flavor.judge = judge
        await site.commit(["a", "b", "c"], "new")
        await site.clock.sleep(120.0)
        assert site.instances.hashes[old] == 2

    simulated(body)


def test_g04_logical_ids_can_be_changed() -> None:
    """G4: the connection was dropped, and the running update had been stopped.

    Fails when members outside the wanted slots are not removed (`_extra_pets`).
    """

    async def body(site: Site) -> None:
        await site.commit(["a", "b", "c"])
        await site.converged()
        kept = {id for id, spec in site.instances.machines.items() if spec.logical_id in ("b", "c")}
        since = len(site.instances.counts)
        text = "Adding 1 instances for new logical IDs, then terminating 1 instances without a logical ID of the group"
        assert await site.commit(["c", "b", "d"]) == text
        await site.converged()
        assert site.instances.slots == ["b", "c", "d"]
        assert kept < set(site.instances.machines)
        assert site.fewest(since) >= 2

    simulated(body)


def test_g05_a_size_can_become_logical_ids_and_back() -> None:
    """G5: all members were killed, none was made, and the group said that it had converged.

    Fails when surplus leaves without a look at what is left (`planner._may_go`, and the check of plans behind it).
    """

    async def body(site: Site) -> None:
        await site.commit(3)
        await site.converged()
        since, site.instances.provision_s = len(site.instances.counts), 5.0
        await site.commit(["a", "b", "c"])
        assert not await site.is_converged()
        await site.converged()
        assert site.instances.slots == ["a", "b", "c"]
        assert site.fewest(since) >= 2
        pets = dict(site.instances.machines)
        assert await site.commit(3) == "Adjusting the instance configuration, no restarts necessary"
        await site.converged()
        await site.clock.sleep(60.0)
        assert site.instances.machines == pets

    simulated(body)


def test_g06_a_destroy_takes_what_is_being_made_too() -> None:
    """G6: whatever was made after the destroy began was leaked.

    Fails when a removed group is over while its ledger has entries (`reconcile._is_over`).
    """

    async def body(site: Site) -> None:
        site.instances.provision_s = 20.0
        await site.commit(5)
        await site.clock.sleep(3.0)
        await site.groups.destroy("g")
        assert (site.instances.machines, site.instances.counts[-2]) == ({}, 1)
        await site.clock.sleep(120.0)
        assert site.instances.machines == {}

    simulated(body)


def test_g08_each_machine_that_is_too_much_is_destroyed_once() -> None:
    """G8: of several unknown logical IDs the last was destroyed several times, the others never.

    Fails when all removals of a plan destroy the machine of the last one.
    """
    at_once = {"MaxUnavailable": 3}

    async def body(site: Site) -> None:
        await site.commit(["a", "b", "c", "d", "e"], Updating=at_once)
        await site.converged()
        gone = [id for id, spec in site.instances.machines.items() if spec.logical_id in ("b", "d", "e")]
        site.instances.destroy_s = 5.0
        await site.commit(["a", "c"], Updating=at_once)
        await site.converged()
        assert site.instances.slots == ["a", "c"]
        assert sorted(site.instances.destroyed) == sorted(gone)

    simulated(body)


def test_g09_duplicates_and_machines_without_a_logical_id_are_removed() -> None:
    """G9: they stayed for ever. Fails when `_extra_pets` finds none."""

    async def body(site: Site) -> None:
        await site.commit(["a", "b"])
        await site.converged()
        mine = set(site.instances.machines)
        for slot in ("a", None, "a"):
            site.instances.add(tagged("g", site.hash_of(0), slot))
        assert not await site.is_converged()
        await site.converged()
        assert set(site.instances.machines) == mine

    simulated(body)


def test_g10_converged_is_true_only_when_it_is() -> None:
    """G10: it was true for failed, mixed and under-sized groups, and there was no last error.

    Fails when Converged only means that no update is registered.
    """

    async def body(site: Site) -> None:
        site.instances.refusal = "no capacity"
        await site.commit(2)
        for _ in range(50):
            await site.clock.sleep(1.0)
            assert not await site.is_converged()
        assert (await site.describe()).error == "no capacity"
        site.instances.refusal = ""
        await site.converged()
        assert (await site.describe()).error == ""
        site.flavor.judge = lambda one: Health.UNHEALTHY if one.id == "i-001" else Health.HEALTHY
        await site.clock.sleep(POLL_S)
        assert not await site.is_converged()
        site.flavor.judge = lambda one: Health.HEALTHY
        await site.converged()
        site.instances.provision_s = 5.0
        await site.commit(2, "new")
        while len(site.instances.hashes) == 1:
            assert not await site.is_converged()
            await site.clock.sleep(0.5)
        assert not await site.is_converged()
        await site.converged()
        assert len(site.instances.hashes) == 1

    simulated(body)


def test_g10_converged_is_no_word_about_machines_that_were_not_looked_at() -> None:
    """G10: the listing in the answer and its Converged are of the same machines, whatever vanished in between.

    Fails when they are not compared.
    """

    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        del site.instances.machines["i-001"]
        described = await site.describe()
        assert (len(described.instances), described.converged) == (1, False)

    simulated(body)
