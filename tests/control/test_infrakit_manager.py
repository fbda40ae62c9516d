"""infrakit-manager in virtual time: who leads, and what the group plugin behind it does (infrakit-compat.md 3.9)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from skep.control.infrakit_manager import STATUS_TIMEOUT_S, Manager
from skep.model.errors import NotFoundError, RefusedError, UnavailableError
from tests.conditions import until
from tests.control.manager_site import POLL_S, SOON_S, Site
from tests.fakes.groups import FakeGroupStore, Throne, group
from tests.sim.loop import run

# --- leadership ---------------------------------------------------------------------------------------------------


def test_whoever_becomes_leader_commits_all_and_the_others_watch_none() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a"), group("b")))
        async with site.manager("alpha"), site.manager("bravo"):
            for leader, other in (("alpha", "bravo"), ("bravo", "alpha"), ("alpha", "bravo")):
                site.throne.leader = leader
                await site.until_watched("a", "b", by=leader)
                await site.until_watched(by=other)
            assert site.cloud.machines == {"a": 5, "b": 5}  # free leaves machines as they are

    run(main)


@pytest.mark.parametrize("fault", ["unknown", "hangs"])
def test_unknown_counts_as_lost_and_comes_back(fault: str) -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        async with site.manager() as manager:
            await site.until_watched("a")
            setattr(site.throne, fault, True)
            await until(site.watched(), [], within_s=SOON_S + STATUS_TIMEOUT_S)
            with pytest.raises(UnavailableError, match=r"^not-a-leader: can't describe group 'a' while nobody knows"):
                await manager.describe("a")
            setattr(site.throne, fault, False)
            await site.until_watched("a")

    run(main)


def test_leadership_that_comes_and_goes_settles_on_what_it_is_last() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(*(group(f"g{n}") for n in range(20))))
        site.backend().slow_s = {f"commit g{n}": n * 1.0 for n in range(20)}
        async with site.manager():
            for turn in range(9):
                site.throne.leader = ["alpha", "bravo"][turn % 2]
                await asyncio.sleep(POLL_S * 0.9)
            await until(site.watched(), sorted(f"g{n}" for n in range(20)), within_s=60)
            site.throne.leader = "bravo"
            await until(site.watched(), [], within_s=60)

    run(main)


def test_a_manager_that_starts_where_another_leads_frees_what_its_plugin_still_watches() -> None:
    """It was killed while it led: two plugins would look after one group."""

    async def main() -> None:
        site = Site(throne=Throne("bravo"))
        await site.backend().commit(group("a"), pretend=False)
        async with site.manager():
            await site.until_watched()
        assert site.cloud.machines["a"] == 5

    run(main)


def test_a_commit_that_ends_after_leadership_was_lost_does_not_stay() -> None:
    async def main() -> None:
        site = Site()
        site.backend().slow_s["commit a"] = 12.0
        async with site.manager() as manager:
            committing = asyncio.create_task(manager.commit(group("a"), pretend=False))
            await asyncio.sleep(1)
            site.throne.leader = "bravo"
            await committing
            await site.until_watched()
            assert "a" in site.store.document.groups  # the new leader's

    run(main)


def test_leadership_lost_while_plugins_are_asked_stores_nothing() -> None:
    async def main() -> None:
        site = Site()
        site.backend().slow_s["pretend a"] = 12.0
        manager = site.idle_manager()
        committing = asyncio.create_task(manager.commit(group("a"), pretend=False))
        await asyncio.sleep(1)
        site.throne.leader = "bravo"
        with pytest.raises(RefusedError, match="not-a-leader"):
            await committing
        assert not site.store.document.groups
        assert not site.backend().watched

    run(main)


ASKED: dict[str, Callable[[Manager], Awaitable[object]]] = {
    "commit group 'a'": lambda manager: manager.commit(group("a"), pretend=False),
    "describe group 'a'": lambda manager: manager.describe("a"),
    "destroy group 'a'": lambda manager: manager.destroy("a"),
    "free group 'a'": lambda manager: manager.free("a"),
    "list the groups": lambda manager: manager.inspect(),
}


@pytest.mark.parametrize("what", ASKED)
def test_who_does_not_lead_names_the_leader_and_does_nothing(what: str) -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")), Throne("bravo"))
        before = site.store.document
        await site.backend().commit(group("a"), pretend=False)
        with pytest.raises(RefusedError) as caught:
            await ASKED[what](site.idle_manager())
        assert str(caught.value) == f"not-a-leader: can't {what} here; bravo leads: ask there"
        site.throne.leader = ""
        with pytest.raises(RefusedError, match="nobody leads now"):
            await ASKED[what](site.idle_manager())
        assert site.store.document == before
        assert site.backend().calls == ["commit a"]

    run(main)


# --- what its group plugin does -----------------------------------------------------------------------------------


def test_a_group_plugin_that_was_restarted_is_told_its_groups_again() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a"), group("b")))
        async with site.manager():
            await site.until_watched("a", "b")
            site.backend().watched.clear()
            await site.until_watched("a", "b")

    run(main)


def test_a_group_that_somebody_else_changed_behind_the_manager_becomes_what_is_stored() -> None:
    """A commit of a manager that was killed may end after that of its successor."""

    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a", 3)))
        async with site.manager():
            await asyncio.sleep(SOON_S)
            await site.backend().commit(group("a", 7), pretend=False)
            await asyncio.sleep(SOON_S)
            assert site.backend().watched["a"] == group("a", 3)

    run(main)


def test_a_commit_from_before_leadership_went_and_came_back_does_not_pass_for_what_is_stored() -> None:
    async def main() -> None:
        site = Site()
        site.backend("alpha").slow_s["commit a"] = 4 * POLL_S
        async with site.manager("alpha") as alpha, site.manager("bravo") as bravo:
            outdated = asyncio.create_task(alpha.commit(group("a", 7), pretend=False))
            await asyncio.sleep(POLL_S / 2)
            site.throne.leader = "bravo"
            await asyncio.sleep(POLL_S)
            await bravo.commit(group("a", 3), pretend=False)
            site.throne.leader = "alpha"
            await outdated
            await asyncio.sleep(6 * POLL_S)
            assert site.backend("alpha").watched["a"] == group("a", 3)

    run(main)


def test_what_another_manager_stored_between_two_polls_is_committed() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a", 1)))
        async with site.manager():
            await site.until_watched("a")
            site.store.store(group("a", 2))
            await asyncio.sleep(SOON_S)
            assert site.backend().watched["a"] == group("a", 2)

    run(main)


def test_a_group_plugin_may_come_later() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        site.backend().away = True
        async with site.manager():
            await asyncio.sleep(60)
            site.backend().away = False
            await site.until_watched("a")

    run(main)


def test_at_rest_nothing_is_committed_again() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        async with site.manager() as manager:
            await manager.commit(group("b"), pretend=False)
            await site.until_watched("a", "b")
            await asyncio.sleep(600)
        assert sorted(site.backend().calls) == ["commit a", "commit b", "pretend b"]

    run(main)


def test_what_nobody_stored_is_freed() -> None:
    async def main() -> None:
        site = Site()
        await site.backend().commit(group("stray"), pretend=False)
        async with site.manager():
            await site.until_watched()
        assert site.cloud.machines["stray"] == 5

    run(main)


def test_a_group_that_hangs_holds_up_no_other() -> None:
    """G7: neither a hanging commit, nor one that is restored."""

    async def main() -> None:
        site = Site(FakeGroupStore().store(group("hung"), group("a")))
        site.backend().slow_s = {"commit hung": 1e6, "pretend slow": 1e6}
        async with site.manager() as manager:
            await site.until_watched("a")
            slow = asyncio.create_task(manager.commit(group("slow"), pretend=False))
            async with asyncio.timeout(1):
                assert await manager.commit(group("b", 2), pretend=False) == "Managing 2 instances"
                assert len((await manager.describe("b")).instances) == 2
                await manager.destroy("b")
            slow.cancel()

    run(main)


def test_commits_of_one_group_come_one_after_the_other() -> None:
    """What is stored in the end is what runs in the end."""

    async def main() -> None:
        site = Site()
        site.backend().slow_s = {"pretend a": 1.0, "commit a": 1.0}
        async with site.manager() as manager:
            await asyncio.gather(*(manager.commit(group("a", n), pretend=False) for n in range(1, 6)))
        assert site.backend().calls == ["pretend a", "commit a"] * 5
        assert site.store.document.groups["a"].group == site.backend().watched["a"]

    run(main)


def test_a_commit_that_a_plugin_loses_after_the_pretence_is_tried_again() -> None:
    async def main() -> None:
        site = Site()
        site.backend().refuse["commit a"] = UnavailableError("flavor-vanilla does not answer")
        async with site.manager() as manager:
            with pytest.raises(UnavailableError, match="'a' is stored, and goes on being tried: flavor-vanilla does"):
                await manager.commit(group("a"), pretend=False)
            with pytest.raises(NotFoundError, match=r"^Group 'a' is not being watched: flavor-vanilla does not answer"):
                await manager.describe("a")
            assert await manager.inspect() == [group("a")]
            site.backend().refuse.clear()
            await site.until_watched("a")
            assert await manager.inspect() == [group("a")]

    run(main)


def test_a_change_that_a_plugin_loses_after_the_pretence_is_tried_again() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a", 1)))
        async with site.manager() as manager:
            await site.until_watched("a")
            site.backend().refuse["commit a"] = UnavailableError("flavor-vanilla does not answer")
            with pytest.raises(UnavailableError):
                await manager.commit(group("a", 2), pretend=False)
            site.backend().refuse.clear()
            await asyncio.sleep(SOON_S)
            assert site.backend().watched["a"] == group("a", 2)

    run(main)


def test_what_another_leader_changed_is_taken_over_by_a_plugin_that_could_not_be_told_to_forget() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a", 1)))
        site.backend("alpha").refuse["free a"] = UnavailableError("busy")
        async with site.manager("alpha"), site.manager("bravo") as bravo:
            await site.until_watched("a", by="alpha")
            site.throne.leader = "bravo"
            await site.until_watched("a", by="bravo")
            await bravo.commit(group("a", 2), pretend=False)
            site.throne.leader = "alpha"
            await asyncio.sleep(SOON_S)
            assert site.backend("alpha").watched["a"] == group("a", 2)

    run(main)


def test_an_unknown_group_is_not_being_watched() -> None:
    """infrakit-compat.md 3.8."""

    async def main() -> None:
        manager = Site().idle_manager()
        for asked in (manager.describe("x"), manager.free("x"), manager.destroy("x")):
            with pytest.raises(NotFoundError, match=r"^Group 'x' is not being watched$"):
                await asked

    run(main)
