"""What workloads promise, whatever they run on: each check is given a running controller and a cluster."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from skep.model.cluster import ClusterKind
from skep.model.errors import NotFoundError
from skep.model.spec import Key, Kind
from skep.model.state import ConditionType
from tests.contract.workload_bed import IMAGE, OTHER_IMAGE, STATE_LABEL, Bed, Check, Replica, name
from tests.contract.workload_rollbacks import ROLLBACK_CHECKS


async def as_many_run_as_are_asked_for_and_the_status_says_so(bed: Bed) -> None:
    """W53, W50."""
    web = name()
    view = await bed.apply(web, 5)
    replicas = await bed.runs(web, 5)
    assert (view.desired, view.current, view.ready, view.cluster) == (5, 5, 5, bed.cluster)
    assert view.image.partition("@")[0] == IMAGE
    assert (view.generation, view.observed_generation) == (1, 1)
    assert {c.type for c in view.conditions if c.status} >= {ConditionType.AVAILABLE}
    assert {r.shown.labels.get(STATE_LABEL) for r in replicas.values()} == {web}
    numbers = Counter(r.engine for r in replicas.values())
    # A classic Swarm manager spreads whatever it is given, other workloads too.
    spread = max(numbers.values()) - min(numbers[n] for n in range(len(bed.engines)))
    assert spread <= 1 or bed.kind is ClusterKind.CLASSIC
    await bed.delete(web)


async def another_count_restarts_nothing_and_none_keeps_the_workload(bed: Bed) -> None:
    """W39."""
    web = name()
    await bed.apply(web, 2)
    first = set(await bed.runs(web, 2))
    await bed.apply(web, 4)
    four = set(await bed.runs(web, 4))
    assert first < four
    await bed.apply(web, 1)
    assert set(await bed.runs(web, 1)) < four
    view = await bed.apply(web, 0)
    await bed.runs(web, 0)
    assert (view.desired, view.ready, view.removed) == (0, 0, False)
    await bed.delete(web)


async def one_that_is_killed_comes_back(bed: Bed) -> None:
    """F1: exactly one new container."""
    web = name()
    await bed.apply(web, 3)
    before = await bed.runs(web, 3)
    victim = next(iter(before.values()))
    await bed.kill(victim)
    await bed.until(lambda: _others(bed, web, victim.id), 3)
    assert len(set(await bed.runs(web, 3)) - set(before)) == 1
    await bed.converged(web)
    await bed.delete(web)


async def one_that_is_removed_by_hand_comes_back(bed: Bed) -> None:
    web = name()
    await bed.apply(web, 3)
    before = await bed.runs(web, 3)
    victim = next(iter(before.values()))
    await bed.lose(victim)
    await bed.until(lambda: _others(bed, web, victim.id), 3)
    assert len(set(await bed.runs(web, 3)) - set(before)) == 1
    await bed.delete(web)


async def _others(bed: Bed, web: str, victim: str) -> int:
    return len(set(await bed.running(web)) - {victim})


async def a_new_image_is_rolled_and_back_without_a_gap(bed: Bed) -> None:
    """W41, W42: for 4, one more and one less at most. SwarmKit takes its time for each, so that there are fewer, and
    starts the next while the one before still stops."""
    web, count = name(), 2 if bed.kind is ClusterKind.SWARM else 4
    await bed.apply(web, count)
    before = set(await bed.runs(web, count))
    for image in (OTHER_IMAGE, IMAGE):
        seen: list[int] = []
        watching = asyncio.ensure_future(_watched(bed, web, seen))
        try:
            await bed.apply(web, count, image)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        after = await bed.runs(web, count)
        assert not before & set(after)
        assert {r.shown.image.partition("@")[0] for r in after.values()} == {image}
        assert seen
        assert min(seen) >= count - 1, seen
        assert max(seen) <= count + (2 if bed.kind is ClusterKind.SWARM else 1), seen
        before = set(after)
    await bed.delete(web)


async def _watched(bed: Bed, web: str, seen: list[int]) -> None:
    """How many run, again and again."""
    while True:
        seen.append(len(await bed.running(web)))
        await bed.clock.sleep(0.05)


async def a_roll_goes_at_the_pace_that_was_asked_for_and_another_pace_restarts_nothing(bed: Bed) -> None:
    """W39, W41, W44: none is missing, and on engines each of two has to be well for two seconds before the next."""
    web, updating = name(), {"MaxSurge": 1, "MaxUnavailable": 0, "MinReady": "2s", "ProgressDeadline": "2m"}
    await bed.apply(web, 2, Updating=updating)
    before = set(await bed.runs(web, 2))
    began_s = bed.clock.monotonic_s()
    await bed.apply(web, 2, OTHER_IMAGE, Updating=updating)
    after = set(await bed.runs(web, 2))
    assert not before & after
    assert bed.kind is ClusterKind.SWARM or bed.clock.monotonic_s() - began_s >= 4
    view = await bed.apply(web, 2, OTHER_IMAGE, Updating={"MaxSurge": 0, "MaxUnavailable": "50%"})
    assert set(await bed.runs(web, 2)) == after
    assert [c.reason for c in view.conditions if c.type is ConditionType.PROGRESSING] == ["Complete"]
    await bed.delete(web)


async def the_same_again_does_nothing(bed: Bed) -> None:
    web = name()
    await bed.apply(web, 2)
    before = set(await bed.runs(web, 2))
    await bed.apply(web, 2)
    await bed.crash()
    await bed.converged(web)
    await bed.clock.sleep(1)
    assert {r.id for r in await bed.look(web)} == before
    await bed.delete(web)


async def a_controller_that_is_killed_while_it_makes_them_makes_no_doubles(bed: Bed) -> None:
    """F3, W28."""
    web = name()
    await bed.ask(web, 6)
    await bed.clock.sleep(0.15)
    await bed.crash()
    await bed.converged(web)
    await bed.runs(web, 6)
    assert Counter(r.shown.state for r in await bed.look(web)) == {"running": 6}
    await bed.delete(web)


async def what_is_deleted_leaves_nothing_and_can_be_made_again(bed: Bed) -> None:
    """W22."""
    web = name()
    await bed.apply(web, 2)
    before = set(await bed.runs(web, 2))
    await bed.delete(web)

    async def left() -> int:
        return len(await bed.look(web))

    await bed.until(left, 0)
    await bed.apply(web, 1)
    assert not before & set(await bed.runs(web, 1))
    await bed.delete(web)


ENDS_WELL = ["sh", "-c", "sleep 0.2; exit 0"]
ENDS_BADLY = ["sh", "-c", "sleep 0.2; exit 3"]


async def a_job_is_as_wanted_when_all_have_ended_well_and_is_not_done_again(bed: Bed) -> None:
    """W50, W54: another count makes only what is missing, and another template makes all anew. A simulated Swarm
    shows no container that has ended."""
    job = name()
    view = await bed.apply(job, 2, Command=ENDS_WELL, Restart="never")
    assert (view.desired, view.current, view.ready, view.completed) == (2, 0, 2, 2)
    before = {r.id for r in await bed.look(job)}
    await bed.crash()
    await bed.converged(job)
    assert {r.id for r in await bed.look(job)} == before
    view = await bed.apply(job, 3, Command=ENDS_WELL, Restart="never")
    assert (view.desired, view.completed) == (3, 3)
    after = {r.id for r in await bed.look(job)}
    assert len(after - before) == 1 or not after
    view = await bed.apply(job, 3, Command=ENDS_WELL, Args=["again"], Restart="never")
    assert view.completed == 3
    assert len({r.id for r in await bed.look(job)} - after) == 3 or not after
    await bed.delete(job)


async def a_job_that_fails_is_left_alone_and_says_so(bed: Bed) -> None:
    """W38, W54."""
    job = name()
    await bed.ask(job, 2, Command=ENDS_BADLY, Restart="never")

    async def reason() -> str:
        view = await bed.view(job)
        conditions = view.conditions if view else ()
        return next((c.reason for c in conditions if c.type is ConditionType.PROGRESSING and not c.status), "")

    await bed.until(reason, "Failed")
    await bed.clock.sleep(1)
    before = {r.id for r in await bed.look(job)}
    await bed.clock.sleep(3)
    assert {r.id for r in await bed.look(job)} == before
    assert len(before) == 2 or not before
    view = await bed.view(job)
    assert view is not None
    assert (view.converged, view.completed, view.ready) == (False, 0, 0)
    await bed.delete(job)


def _images(replicas: Mapping[str, Replica]) -> set[str]:
    return {r.shown.image.partition("@")[0] for r in replicas.values()}


async def a_rollback_brings_the_old_image_back_and_keeps_the_count(bed: Bed) -> None:
    """W48."""
    web = name()
    await bed.apply(web, 1)
    await bed.apply(web, 2, OTHER_IMAGE)
    change = await bed.life.core.rollback(Key(Kind.WORKLOAD, web), None, "contract", "the other was worse")
    assert (change.change, change.generation) == ("configured", 3)
    await bed.converged(web)
    assert _images(await bed.runs(web, 2)) == {IMAGE}
    newest = (await bed.life.core.history(Key(Kind.WORKLOAD, web)))[0]
    assert (newest.generation, newest.who, newest.why) == (3, "contract", "the other was worse")
    await bed.delete(web)


async def while_it_is_paused_it_heals_and_scales_as_it_was_and_another_image_waits(bed: Bed) -> None:
    """W49, W54; a restart of skep changes nothing of it."""
    web = name()
    key = Key(Kind.WORKLOAD, web)
    await bed.apply(web, 2)
    first = set(await bed.runs(web, 2))
    await bed.life.core.pause(key, "contract", "to look")
    await bed.ask(web, 3, OTHER_IMAGE)
    three = await bed.runs(web, 3)
    assert first < set(three)
    await bed.crash()
    await bed.kill(three[next(iter(first))])
    await bed.until(lambda: _others(bed, web, next(iter(first))), 3)
    assert _images(await bed.runs(web, 3)) == {IMAGE}

    async def progress() -> list[tuple[bool, str]]:
        view = await bed.view(web)
        found = view.conditions if view is not None else ()
        return [(c.status, c.reason) for c in found if c.type is ConditionType.PROGRESSING]

    await bed.until(progress, [(False, "Paused")])
    view = await bed.view(web)
    assert view is not None
    assert (view.converged, view.paused, bool(view.outdated)) == (False, "by contract: to look", True)
    await bed.life.core.resume(key, "contract")
    await bed.converged(web)
    assert _images(await bed.runs(web, 3)) == {OTHER_IMAGE}
    await bed.delete(web)


# --- on plain engines alone: on Swarm mode these are SwarmKit's --------------------------------------------------


async def every_container_says_whose_it_is(bed: Bed) -> None:
    """W20, W25, W31."""
    web = name()
    await bed.apply(web, 3, Labels={"team": "blue"})
    replicas = list((await bed.runs(web, 3)).values())
    assert sorted(r.shown.labels["skep.slot"] for r in replicas) == ["1", "2", "3"]
    for replica in replicas:
        labels = replica.shown.labels
        assert labels["skep.workload"] == labels[STATE_LABEL] == web
        assert labels["team"] == "blue"
        assert all(labels[f"skep.{part}"] for part in ("controller", "uid", "request", "fingerprint"))
        assert replica.shown.name == f"{web}.{labels['skep.slot']}.{labels['skep.request'][:8]}"
    assert len({r.shown.labels["skep.uid"] for r in replicas}) == 1
    await bed.delete(web)


async def what_has_our_name_and_is_not_ours_is_left_alone(bed: Bed) -> None:
    """W25, W21: it bears the workload's name, and even its label."""
    web = name()
    body = {"Image": IMAGE, "Labels": {"skep.workload": web, "swarm.cluster.state": web}}
    foreign = await bed.engines[0].create_container(f"{web}.1", body)
    await bed.engines[0].start_container(foreign)
    await bed.apply(web, 2)
    await bed.runs(web, 3)
    await bed.apply(web, 0)
    assert set(await bed.runs(web, 1)) == {foreign}
    await bed.delete(web)
    assert set(await bed.running(web)) == {foreign}
    await bed.engines[0].remove_container(foreign)


async def one_that_ends_at_once_is_made_anew_ever_more_seldom_and_its_last_is_kept(bed: Bed) -> None:
    """W30, F7: at once, and then after 10 s; two have ended when it is called a loop."""
    web, seen = name(), set()
    await bed.ask(web, 1, Command=["sh", "-c", "exit 3"])

    async def loops() -> bool:
        seen.update(r.id for r in await bed.look(web))
        view = await bed.view(web)
        conditions = view.conditions if view and not view.converged else ()
        return any(c.type is ConditionType.CRASH_LOOPING and c.status for c in conditions)

    await bed.until(loops, True)
    looping_s = bed.clock.monotonic_s()
    while bed.clock.monotonic_s() < looping_s + 4:
        seen |= {r.id for r in await bed.look(web)}
        await bed.clock.sleep(0.05)
    assert len(seen) <= 2
    [last] = await bed.look(web)
    assert (last.shown.state, last.shown.exit_code) == ("exited", 3)
    await bed.engines[last.engine].container_logs(last.id, 10)
    await bed.apply(web, 1)
    await bed.runs(web, 1)
    await bed.delete(web)


async def an_image_that_can_not_be_had_takes_nothing_from_what_serves(bed: Bed) -> None:
    """F6, W32: nobody answers as this registry."""
    web = name()
    await bed.apply(web, 2)
    before = set(await bed.runs(web, 2))
    await bed.ask(web, 2, "localhost:9/skep/is-not-there:1")
    told: list[str] = []

    async def is_told() -> bool:
        view = await bed.view(web)
        assert view is not None
        told[:] = [c.message for c in view.conditions if c.type is ConditionType.IMAGE_PULL_FAILED and c.status]
        return bool(told)

    await bed.until(is_told, True)
    assert "localhost:9/skep/is-not-there:1" in told[0]
    assert "; next try at 2" in told[0] or "; next try at 1" in told[0]
    assert set(await bed.running(web)) == before
    await bed.apply(web, 2)
    assert set(await bed.runs(web, 2)) == before
    assert {r.id for r in await bed.look(web)} == before
    await bed.delete(web)


async def what_is_deleted_takes_those_that_have_ended_with_it(bed: Bed) -> None:
    web = name()
    await bed.ask(web, 2, Command=["sh", "-c", "exit 3"])

    async def ended() -> bool:
        return any(r.shown.state == "exited" for r in await bed.look(web))

    await bed.until(ended, True)
    await bed.delete(web)
    assert await bed.look(web) == []


async def one_that_stopped_is_found_without_events_too(bed: Bed) -> None:
    """W28: created and never started, as a crash leaves it: started or removed, and not counted."""
    web = name()
    await bed.apply(web, 2)
    one = next(iter((await bed.runs(web, 2)).values()))
    labels = dict(one.shown.labels) | {"skep.slot": "3", "skep.request": "0" * 16}
    body = {"Image": IMAGE, "Labels": labels}
    left = await bed.engines[0].create_container(f"{web}.3.00000000", body)
    await bed.crash()

    async def there() -> bool:
        with suppress(NotFoundError):
            return await bed.engines[0].container(left) is not None
        return False

    await bed.until(there, False)
    assert len(await bed.runs(web, 2)) == 2
    await bed.delete(web)


CHECKS: list[Check] = [
    as_many_run_as_are_asked_for_and_the_status_says_so,
    another_count_restarts_nothing_and_none_keeps_the_workload,
    one_that_is_killed_comes_back,
    one_that_is_removed_by_hand_comes_back,
    a_new_image_is_rolled_and_back_without_a_gap,
    a_roll_goes_at_the_pace_that_was_asked_for_and_another_pace_restarts_nothing,
    a_rollback_brings_the_old_image_back_and_keeps_the_count,
    while_it_is_paused_it_heals_and_scales_as_it_was_and_another_image_waits,
    the_same_again_does_nothing,
    a_controller_that_is_killed_while_it_makes_them_makes_no_doubles,
    what_is_deleted_leaves_nothing_and_can_be_made_again,
    a_job_is_as_wanted_when_all_have_ended_well_and_is_not_done_again,
    a_job_that_fails_is_left_alone_and_says_so,
    *ROLLBACK_CHECKS,
]
"""Of every cluster."""

ENGINE_CHECKS: list[Check] = [
    every_container_says_whose_it_is,
    what_has_our_name_and_is_not_ours_is_left_alone,
    one_that_ends_at_once_is_made_anew_ever_more_seldom_and_its_last_is_kept,
    an_image_that_can_not_be_had_takes_nothing_from_what_serves,
    what_is_deleted_takes_those_that_have_ended_with_it,
    one_that_stopped_is_found_without_events_too,
]
"""Of plain engines."""
