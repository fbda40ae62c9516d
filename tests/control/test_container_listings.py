"""Containers of plain Engines as they are seen: whatever is silent, late, or of another life of the workload."""

import asyncio
from dataclasses import replace

import pytest

from skep.model.errors import RejectedError
from skep.model.state import EVERYTHING, HEALTH, Health, Life
from tests.control.lab import WEB, Lab, creation, nobody, on, removal
from tests.fakes.host import FakeContainer
from tests.sim.loop import run

# --- seeing them ------------------------------------------------------------------------------------------------


@on("alpha", "beta")
async def test_all_engines_are_listed_and_only_what_is_the_workloads(lab: Lab) -> None:
    """W20, 5.3."""
    mine = [lab.put("alpha"), lab.put("beta", "exited", "2")]
    lab.put("alpha", labels={"skep.workload": "other"})
    lab.put("alpha", labels={"skep.controller": "another"})
    lab.put("alpha", labels={"com.docker.swarm.task.id": "t1"})
    lab.put("alpha", "removing")
    seen = await lab.look()
    assert [m.id for m in seen.members] == [c.shown.id for c in mine]
    assert [(m.source, m.life, m.slot) for m in seen.members] == [
        ("alpha", Life.RUNNING, "1"),
        ("beta", Life.DEAD, "2"),
    ]
    assert (seen.silent, seen.unlisted, seen.lost, seen.partitioned) == (frozenset(), frozenset(), frozenset(), False)


@on("alpha", "beta")
async def test_those_of_a_silent_engine_are_told_as_they_were_seen_last(lab: Lab) -> None:
    """Unknown is not absent, and the others go on."""
    lab.put("alpha"), lab.put("beta", slot="2")
    await lab.look()
    lab.hosts["beta"].sicken(True)
    seen = await lab.look()
    assert [(m.source, m.life, m.health) for m in seen.members] == [
        ("alpha", Life.RUNNING, Health.HEALTHY),
        ("beta", Life.UNKNOWN, Health.UNKNOWN),
    ]
    assert (seen.silent, seen.unlisted) == ({"beta"}, frozenset())
    lab.hosts["beta"].sicken(False)
    await lab.clock.sleep(5.0)
    assert (await lab.look()).complete


@on("everything", "health", "alpha")
async def test_engines_may_have_any_name(lab: Lab) -> None:
    """One that is called `everything` and falls silent takes nobody with it."""
    await lab.look()
    for name in ("everything", "health"):
        lab.hosts[name].sicken(True)
    seen = await lab.look()
    assert len(seen.silent) == 2
    assert not seen.silent & {EVERYTHING, HEALTH}


@on("alpha", "beta")
async def test_what_has_ended_stays_so_while_its_engine_is_silent(lab: Lab) -> None:
    """W7: else one that is kept for its logs would count as one that may serve, and another be removed for it."""
    lab.put("alpha"), lab.put("beta", "exited")
    await lab.look()
    lab.hosts["beta"].sicken(True)
    assert [(m.source, m.life) for m in (await lab.look()).members] == [("alpha", Life.RUNNING), ("beta", Life.DEAD)]


@on("alpha", "beta")
async def test_an_engine_with_two_endpoints_has_each_container_once(lab: Lab) -> None:
    """Else half of them would be missing, and the other half be removed for being too many."""
    lab.hosts["beta"].containers = lab.hosts["alpha"].containers
    lab.put("alpha", slot="1"), lab.put("alpha", slot="2")
    assert [(m.slot, m.source) for m in (await lab.look()).members] == [("1", "alpha"), ("2", "alpha")]
    lab.hosts["alpha"].sicken(True)
    assert [(m.slot, m.life) for m in (await lab.look()).members] == [("1", Life.RUNNING), ("2", Life.RUNNING)]


@on("alpha", "beta")
async def test_after_a_restart_a_silent_engine_may_have_any_that_is_missed(lab: Lab) -> None:
    lab.put("beta")
    lab.hosts["beta"].sicken(True)
    seen = await lab.look()
    assert (seen.members, seen.silent, seen.unlisted) == ((), {"beta"}, {"beta"})


@on("alpha", "beta", "gamma")
async def test_those_of_a_lost_engine_count_as_absent_until_it_is_back(lab: Lab) -> None:
    """W35: three probes and thirty seconds."""
    lab.put("beta")
    await lab.look()
    lab.hosts["beta"].sicken(True)
    for _ in range(45):
        seen = await lab.look()
        await lab.clock.sleep(1.0)
    assert (seen.members, seen.silent, seen.lost) == ((), frozenset(), {"beta"})
    lab.hosts["beta"].sicken(False)
    await lab.clock.sleep(5.0)
    await lab.look()
    assert [(m.source, m.life) for m in (await lab.look()).members] == [("beta", Life.RUNNING)]


@on("alpha", "beta")
async def test_an_old_listing_takes_nothing_away_that_is_there(lab: Lab) -> None:
    """F9: what was there is asked for by its ID before its absence is believed."""
    lab.put("alpha", slot="1"), lab.put("alpha", slot="2")
    await lab.look()
    lab.cached["alpha"] = lab.there()[:1]
    assert [m.slot for m in (await lab.look()).members] == ["1", "2"]
    del lab.hosts["alpha"].containers[lab.there()[1].id]
    assert [m.slot for m in (await lab.look()).members] == ["1"]


@on()
async def test_what_was_made_shows_before_a_cache_knows_it(lab: Lab) -> None:
    """F9, W17: we read what we wrote."""
    await lab.look()
    lab.cached["alpha"] = []
    await lab.create(creation())
    (member,) = (await lab.look()).members
    assert (member.request, member.life) == ("r" * 16, Life.RUNNING)


@on()
async def test_what_was_removed_does_not_come_back_from_a_cache(lab: Lab) -> None:
    """F9: else one that is needed would be removed for it."""
    lab.put("alpha")
    lab.cached["alpha"] = lab.there()
    (member,) = (await lab.look()).members
    actuator = await lab.actuator()
    desired = (await lab.resolve()).desired
    await actuator.remove(desired, member, removal(member=member.id), nobody)
    assert (await lab.look()).members == ()


@on()
async def test_what_has_ended_does_not_run_again_in_a_cache(lab: Lab) -> None:
    """F9: else the one in its place would be one too many."""
    ended = lab.put("alpha")
    before = lab.there()
    ended.turn("exited")
    assert [m.life for m in (await lab.look()).members] == [Life.DEAD]
    lab.cached["alpha"] = before
    assert [m.life for m in (await lab.look()).members] == [Life.DEAD]
    ended.turn("running")
    assert [m.life for m in (await lab.look()).members] == [Life.RUNNING]


@on()
async def test_what_was_started_is_not_what_a_cache_saw_before(lab: Lab) -> None:
    """W17: else it would be started again."""
    await lab.look()
    await lab.create(creation())
    lab.cached["alpha"] = [replace(c, state="created") for c in lab.there()]
    assert [m.life for m in (await lab.look()).members] == [Life.RUNNING]


@on("alpha", "beta")
async def test_what_was_started_while_others_told_their_lists_is_not_taken_for_well(lab: Lab) -> None:
    """W42, W44: it may have a health check, and an old one would leave for it before the first check has succeeded."""
    lab.put("alpha", "created")
    resolved = await lab.resolve()
    (member,) = (await lab.look()).members
    lab.late_s["beta"] = 1.0
    looking = asyncio.create_task(lab.look())
    await lab.clock.sleep(0.5)
    await resolved.actuator.start(resolved.desired, member)
    assert [(m.life, m.health) for m in (await looking).members] == [(Life.RUNNING, Health.UNKNOWN)]
    assert [(m.life, m.health) for m in (await lab.look()).members] == [(Life.RUNNING, Health.HEALTHY)]


@on()
async def test_a_listing_that_hangs_makes_its_engine_silent(lab: Lab) -> None:
    """moby#30883."""
    await lab.look()
    lab.refuse["list"] = TimeoutError()
    began_s = lab.clock.monotonic_s()
    assert (await lab.look()).silent == {"alpha"}
    assert lab.clock.monotonic_s() - began_s < 15


@on("alpha", "beta")
async def test_nobody_waits_long_for_the_list_of_an_engine_that_hangs(lab: Lab) -> None:
    """Others go on: it is silent for now, and its list is waited for beside the turns."""
    lab.put("alpha"), lab.put("beta", slot="2")
    await lab.look()
    lab.late_s["beta"] = 1000.0
    began_s = lab.clock.monotonic_s()
    for most_s in (2.5, 2.6):
        seen = await lab.look()
        assert [(m.source, m.life) for m in seen.members] == [("alpha", Life.RUNNING), ("beta", Life.UNKNOWN)]
        assert seen.silent == {"beta"}
        assert lab.clock.monotonic_s() - began_s < most_s
    await lab.clock.sleep(10.0)
    assert [e.error for e in lab.book.known("lab").engines] == ["", "no list of containers within 10 s"]


@on("alpha", "beta")
async def test_a_slow_engine_is_waited_for_once_it_has_told_its_list(lab: Lab) -> None:
    """Else it would be silent for ever."""
    lab.put("beta")
    lab.late_s["beta"] = 4.0
    assert (await lab.look()).unlisted == {"beta"}
    await lab.clock.sleep(4.0)
    assert [(m.source, m.life) for m in (await lab.look()).members] == [("beta", Life.RUNNING)]


@on()
async def test_a_list_that_came_late_is_no_answer_to_who_asked_after_it(lab: Lab) -> None:
    """W17: it may be from before what was done since."""
    lab.late_s["alpha"] = 4.0
    await lab.look()
    await lab.clock.sleep(1.0)
    assert (await lab.look()).silent == {"alpha"}


# --- those of other lives ------------------------------------------------------------------------------------------


@on()
async def test_those_of_another_life_are_left_alone_and_none_is_made_beside_them(lab: Lab) -> None:
    """W21, W22."""
    stranger = lab.put("alpha", labels={"skep.uid": "u0"})
    assert (await lab.look()).members == ()
    assert (await lab.look(removed=True)).members == ()
    with pytest.raises(RejectedError, match=r"^NameConflict: there are containers of another web.*on alpha.*--adopt"):
        await lab.create(creation())
    assert lab.there() == [stranger.shown]


@on()
async def test_a_workload_that_has_containers_goes_on_beside_strangers(lab: Lab) -> None:
    """F10: an engine that was forgotten comes back with what it had; the rest heals on."""
    lab.put("alpha", labels={"skep.uid": "u0"})
    lab.put("alpha")
    await lab.create(creation("2"))
    assert len(lab.there()) == 3


# --- those that are nobody's ---------------------------------------------------------------------------------------


def _unowned(lab: Lab, host: str, name: str, state: str = "running", **labels: str) -> FakeContainer:
    """As the state manager of 2015 made them: with the workload's name as their only label."""
    found = lab.put(host, state)
    found.shown = replace(found.shown, name=name, labels={"swarm.cluster.state": "web", **labels})
    return found


@on("alpha", "beta")
async def test_those_that_are_nobodys_are_named_and_neither_counted_nor_touched(lab: Lab) -> None:
    """W21: what has ended serves nobody, and what another skep has made is its own business."""
    _unowned(lab, "beta", "old2"), _unowned(lab, "alpha", "old1")
    _unowned(lab, "alpha", "old0", **{"skep.image": "a label of its image"})
    _unowned(lab, "alpha", "ended", "exited"), _unowned(lab, "alpha", "theirs", **{"skep.controller": "another"})
    seen = await lab.look()
    assert seen.members == ()
    assert "swarm.cluster.state=web: old0 on alpha, old1 on alpha, old2 on beta; " in seen.beside
    await lab.create(creation())
    assert len(lab.there()) == 5


@on()
async def test_of_many_that_are_nobodys_a_few_are_named(lab: Lab) -> None:
    for n in range(7):
        _unowned(lab, "alpha", f"old{n}")
    assert ": old0 on alpha, " in (beside := (await lab.look()).beside)
    assert "old4 on alpha and 2 more; " in beside


@on()
async def test_where_nothing_is_nobodys_nothing_is_told(lab: Lab) -> None:
    lab.put("alpha"), _unowned(lab, "alpha", "ended", "exited")
    assert (await lab.look()).beside == ""


@pytest.mark.parametrize("how", [{"adopt": True}, {"lives": ("u0",)}])
def test_those_that_are_taken_over_or_wait_for_their_removal_are_outdated(how: dict[str, object]) -> None:
    """W22, moby#21721: labels never change, so that they are replaced with the care of a roll."""

    async def main() -> None:
        lab = Lab("alpha")
        fingerprint = (await lab.resolve()).desired.fingerprint
        lab.put("alpha", labels={"skep.uid": "u0", "skep.fingerprint": fingerprint})
        lab.put("alpha", slot="2", labels={"skep.fingerprint": fingerprint})
        assert [m.fingerprint for m in (await lab.look(**how)).members] == ["", fingerprint]

    run(main)


@on("alpha", "beta")
async def test_one_where_the_constraints_do_not_let_it_be_any_more_is_outdated(lab: Lab) -> None:
    """W39: and the others are not."""
    spec = replace(WEB, constraints=("node.hostname==alpha",))
    fingerprint = (await lab.resolve()).desired.fingerprint
    lab.put("alpha", labels={"skep.fingerprint": fingerprint})
    lab.put("beta", labels={"skep.fingerprint": fingerprint})
    members = (await lab.look(spec)).members
    assert [(m.source, m.fingerprint) for m in members] == [("alpha", fingerprint), ("beta", "")]
