"""infrakit-manager in virtual time: what is remembered when groups are destroyed and freed, when the store can't be
written, and wherever the process is cut off (infrakit-compat.md 3.9)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from skep.control.infrakit_manager import Manager
from skep.model.errors import (
    Fault,
    InvalidError,
    RefusedError,
    RejectedError,
    SkepError,
    UnavailableError,
)
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup
from tests.control.manager_site import POLL_S, SOON_S, Site
from tests.fakes.groups import FakeGroups, FakeGroupStore, FakeLeadership, Throne, group
from tests.infrakit.site import Site as World
from tests.infrakit.site import group as committed
from tests.infrakit.site import simulated
from tests.sim.loop import run

# --- destroying and freeing ---------------------------------------------------------------------------------------


def test_a_destroy_that_fails_goes_on_by_itself() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        async with site.manager() as manager:
            await site.until_watched("a")
            site.backend().refuse["destroy a"] = RejectedError("instance-1: exit status 1")
            with pytest.raises(RejectedError, match=r"^instance-1: exit status 1$"):
                await manager.destroy("a")
            with pytest.raises(RefusedError, match="'a' is being destroyed: commit it when it is gone"):
                await manager.commit(group("a"), pretend=False)
            site.backend().refuse.clear()
            await site.until_forgotten("a")
            assert site.cloud.machines["a"] == 0
            assert await manager.commit(group("a", 1), pretend=False) == "Managing 1 instances"

    run(main)


def test_who_stops_waiting_for_a_destroy_does_not_stop_it() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        site.backend().slow_s["destroy a"] = 60.0
        async with site.manager() as manager:
            await site.until_watched("a")
            waiting = [asyncio.create_task(manager.destroy("a")) for _ in range(3)]
            await asyncio.sleep(1)
            waiting[0].cancel()
            await asyncio.gather(*waiting[1:])
            assert site.cloud.machines["a"] == 0
            assert site.backend().calls.count("destroy a") == 1

    run(main)


def test_the_next_leader_goes_on_destroying_and_makes_nothing_for_it() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        async with site.manager("alpha") as alpha, site.manager("bravo"):
            await site.until_watched("a")
            site.backend().slow_s["destroy a"] = 1e6
            destroying = asyncio.create_task(alpha.destroy("a"))
            await asyncio.sleep(1)
            site.cloud.machines["a"], made = 2, site.cloud.made["a"]  # some are gone
            site.throne.leader = "bravo"
            with pytest.raises(UnavailableError, match="another manager leads and goes on with it"):
                await destroying
            await site.until_forgotten("a")
            assert site.cloud.machines["a"] == 0
            assert site.cloud.made["a"] == made
            await site.until_watched(by="alpha")

    run(main)


class Picky(FakeGroups):
    """InfraKit's own: it takes no size of 0."""

    async def commit(self, group: CommittedGroup, *, pretend: bool, who: str = "") -> str:
        if b'"Size":0' in group.properties:
            raise RejectedError("Allocation must not be blank")
        return await super().commit(group, pretend=pretend, who=who)


@pytest.mark.parametrize(
    "written",
    [
        b'{"Allocation":{"LogicalIDs":["a"],"Size":1},"Instance":{},"Flavor":{}}',
        b'{"Allocation":{"Size":1},"Instance":{},"Flavor":{}}',
    ],
)
def test_a_group_plugin_that_takes_no_empty_group_is_told_the_whole_one_to_destroy(written: bytes) -> None:
    async def main() -> None:
        whole = CommittedGroup("a", RawJson(written))
        store = FakeGroupStore().store(whole)
        store.document = store.document.doomed("a")
        site = Site(store)
        backend = site.groups["alpha"] = Picky(site.cloud)
        async with site.manager():
            await site.until_forgotten("a")
        assert backend.calls == ["destroy a", "commit a", "destroy a"]

    run(main)


def test_a_group_whose_destroy_never_ends_can_be_freed() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        async with site.manager() as manager:
            await site.until_watched("a")
            site.backend().slow_s["destroy a"] = 1e6
            destroying = asyncio.create_task(manager.destroy("a"))
            await asyncio.sleep(1)
            await manager.free("a")
            with pytest.raises(UnavailableError, match="stopped destroying group 'a': it was freed"):
                await destroying
            await site.until_watched()
            assert not site.store.document.destroying
            assert site.cloud.machines["a"] == 5

    run(main)


def test_a_destroy_that_is_refused_is_tried_ever_more_rarely_but_at_once_for_who_asks() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        calls, refuse = site.backend().calls, site.backend().refuse
        async with site.manager() as manager:
            await site.until_watched("a")
            refuse["destroy a"] = RejectedError("locked")
            with pytest.raises(RejectedError):
                await manager.destroy("a")
            await asyncio.sleep(2 * POLL_S)
            assert calls.count("destroy a") >= 2
            await asyncio.sleep(1800.0)
            assert calls.count("destroy a") < 20
            refuse.clear()
            await manager.destroy("a")
            assert site.cloud.machines["a"] == 0

    run(main)


def test_a_free_ends_the_destroy_of_our_own_group_plugin() -> None:
    """Over the real one, which goes on destroying by itself."""

    async def body(world: World) -> None:
        store, throne = FakeGroupStore(), FakeLeadership(Throne())
        manager = Manager(world.groups, "group-stateless", throne, store, world.clock, POLL_S)
        running = asyncio.create_task(manager.run())
        await manager.commit(committed(2), pretend=False)
        await world.until_count(2)
        world.instances.stuck = {"i-001"}
        with pytest.raises(RejectedError, match="i-001 is locked"):
            await manager.destroy("g")
        await manager.free("g")
        world.instances.stuck = set()
        await world.clock.sleep(600.0)
        assert list(world.instances.machines) == ["i-001"]
        assert await manager.inspect() == []
        running.cancel()
        await asyncio.wait({running})

    simulated(body)


def test_a_free_whose_answer_gets_lost_is_made_sure_of() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        async with site.manager() as manager:
            await site.until_watched("a")
            site.backend().refuse["free a"] = UnavailableError("no answer")
            with pytest.raises(UnavailableError):
                await manager.free("a")
            assert not site.store.document.groups
            site.backend().refuse.clear()
            await site.until_watched()

    run(main)


# --- a store that can't be written, and crashes -------------------------------------------------------------------


def test_a_store_that_can_not_be_written_loses_nothing() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        async with site.manager() as manager:
            await site.until_watched("a")
            site.store.writes_left = 0
            before, running = site.store.document, dict(site.backend().watched)
            for asked in (
                manager.commit(group("a", 9), pretend=False),
                manager.commit(group("new"), pretend=False),
                manager.free("a"),
                manager.destroy("a"),
            ):
                with pytest.raises(UnavailableError, match="No space left"):
                    await asked
            assert site.store.document == before
            assert site.backend().watched == running
            assert site.cloud.machines == {"a": 5}

    run(main)


def test_what_is_gone_is_forgotten_with_the_lead() -> None:
    """What bears the name when this manager leads again may be another group: it is destroyed as any other."""

    async def main() -> None:
        site = Site(FakeGroupStore(writes_left=1).store(group("a")))
        async with site.manager("alpha") as alpha, site.manager("bravo") as bravo:
            await site.until_watched("a", by="alpha")
            with pytest.raises(UnavailableError, match="No space left"):
                await alpha.destroy("a")
            site.throne.leader, site.store.writes_left = "bravo", None
            await site.until_forgotten("a")
            await bravo.commit(group("a"), pretend=False)
            site.backend("bravo").refuse["destroy a"] = RejectedError("locked")
            with pytest.raises(RejectedError):
                await bravo.destroy("a")
            site.throne.leader = "alpha"
            await site.until_forgotten("a")
            assert site.cloud.machines["a"] == 0

    run(main)


def test_a_group_that_is_gone_and_still_marked_is_not_made_again() -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        async with site.manager() as manager:
            await site.until_watched("a")
            site.store.writes_left = 1
            with pytest.raises(UnavailableError, match="No space left"):
                await manager.destroy("a")
            await asyncio.sleep(60)
            assert site.backend().calls.count("commit a") == 1
            site.store.writes_left = None
            await site.until_forgotten("a")
            assert await manager.commit(group("a"), pretend=False) == "Managing 5 instances"

    run(main)


async def _crash(site: Site, act: Callable[[Manager], Awaitable[object]], steps: int) -> bool:
    """Kill a manager after so many steps of the loop; True when it had got everything done."""
    async with site.manager() as manager:
        await site.until_watched("a")
        acting = asyncio.ensure_future(act(manager))
        for _ in range(steps):
            await asyncio.sleep(0)
        done = acting.done()
        acting.cancel()
        await asyncio.wait({acting})
    return done


@pytest.mark.parametrize("keeps_plugin", [True, False])
@pytest.mark.parametrize("step", range(40))
def test_wherever_a_commit_is_cut_off_the_next_process_runs_what_is_stored(step: int, keeps_plugin: bool) -> None:
    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        await _crash(site, lambda manager: manager.commit(group("a", 7), pretend=False), step)
        if not keeps_plugin:
            site.groups.clear()
        async with site.manager():
            await asyncio.sleep(SOON_S)
        assert site.backend().watched["a"] == site.store.document.groups["a"].group
        assert site.store.document.groups["a"].group in (group("a"), group("a", 7))

    run(main)


@pytest.mark.parametrize("keeps_plugin", [True, False])
@pytest.mark.parametrize("step", range(40))
def test_wherever_a_destroy_is_cut_off_the_group_is_whole_or_goes(step: int, keeps_plugin: bool) -> None:
    """M3."""

    async def main() -> None:
        site = Site(FakeGroupStore().store(group("a")))
        await _crash(site, lambda manager: manager.destroy("a"), step)
        marked = "a" not in site.store.document.groups
        if not keeps_plugin:
            site.groups.clear()
        async with site.manager():
            await asyncio.sleep(SOON_S)
        assert site.cloud.machines["a"] == (0 if marked else 5)
        assert set(site.backend().watched) == (set() if marked else {"a"})
        assert not site.store.document.destroying

    run(main)


def test_the_steps_of_the_crashes_reach_from_nothing_to_all() -> None:
    """40 of them cover both acts."""

    async def done(act: Callable[[Manager], Awaitable[object]], steps: int) -> bool:
        return await _crash(Site(FakeGroupStore().store(group("a"))), act, steps)

    acts: list[Callable[[Manager], Awaitable[object]]] = [
        lambda manager: manager.destroy("a"),
        lambda manager: manager.commit(group("a", 7), pretend=False),
    ]
    for act in acts:
        assert run(lambda act=act: done(act, 0)) is False  # type: ignore[misc]
        assert run(lambda act=act: done(act, 39)) is True  # type: ignore[misc]


@pytest.mark.parametrize(
    "error",
    [InvalidError([Fault("global.config holds no document of groups")]), UnavailableError("the disk is away")],
)
def test_a_document_that_can_not_be_read_is_told_and_nothing_is_done(error: SkepError) -> None:
    class Broken(FakeGroupStore):
        async def load(self) -> None:  # type: ignore[override]
            raise error

    async def main() -> None:
        site = Site(Broken())
        await site.backend().commit(group("a"), pretend=False)
        async with site.manager() as manager:
            await asyncio.sleep(SOON_S)
            with pytest.raises(type(error)):
                await manager.commit(group("b"), pretend=False)
        assert site.backend().calls == ["commit a"]

    run(main)
