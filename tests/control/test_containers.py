"""Containers of plain Engines: how they are made, stopped and removed, whatever fails meanwhile."""

from dataclasses import replace

import pytest

from skep.model.errors import NotFoundError, NotReadyError, RejectedError, UnavailableError
from skep.model.plan import ActionKind
from skep.model.state import Health, Life, Member, Phase
from tests.control.lab import IMAGE, WEB, Lab, creation, nobody, on, removal
from tests.sim.loop import run

NAME = "web.1.rrrrrrrr"


# --- making one -------------------------------------------------------------------------------------------------


@on()
async def test_one_is_made_and_started_and_says_who_it_is(lab: Lab) -> None:
    """W20, W25, W31."""
    assert await lab.create(creation()) == [Phase.PROVISION, Phase.CREATED]
    (made,) = lab.there()
    fingerprint = (await lab.resolve()).desired.fingerprint
    assert (made.name, made.state, made.image) == (NAME, "running", IMAGE)
    assert made.labels == {
        "swarm.cluster.state": "web",
        "skep.controller": "skep",
        "skep.workload": "web",
        "skep.uid": "u1",
        "skep.slot": "1",
        "skep.request": "r" * 16,
        "skep.fingerprint": fingerprint,
    }
    (member,) = (await lab.look()).members
    assert (member.slot, member.request, member.source) == ("1", "r" * 16, "alpha")
    assert (member.life, member.health, member.running) == (Life.RUNNING, Health.HEALTHY, 1)
    assert member.fingerprint == fingerprint


@on()
async def test_one_whose_answers_are_lost_is_found_and_runs(lab: Lab) -> None:
    """W26, F4: unknown is not failed; it is looked for at once, and started once."""
    with lab.losing_answers():
        await lab.create(creation())
    assert [(c.name, c.state) for c in lab.there()] == [(NAME, "running")]
    assert (lab.kernel.acts["create container"], lab.kernel.acts["start container"]) == (1, 1)


async def _create_unseen(lab: Lab) -> None:
    """The engine makes it, and says nothing any more."""
    lab.refuse["inspect"] = UnavailableError("connection refused")
    with lab.losing_answers(), pytest.raises(UnavailableError):
        await lab.create(creation())
    lab.refuse.clear()
    assert [c.state for c in lab.there()] == ["created"]


@on()
async def test_one_whose_engine_fell_silent_is_found_by_the_next_try(lab: Lab) -> None:
    """W26, F4: the second try makes no second one."""
    await _create_unseen(lab)
    await lab.create(creation(phase=Phase.PROVISION))
    assert [(c.name, c.state) for c in lab.there()] == [(NAME, "running")]
    assert lab.kernel.acts["create container"] == 1


@on()
async def test_one_is_found_by_its_name_even_ifnobody_wrote_down_that_it_was_tried(lab: Lab) -> None:
    """W25: 409, and it bears our request."""
    await _create_unseen(lab)
    await lab.create(creation(phase=Phase.BEGUN))
    assert [(c.name, c.state) for c in lab.there()] == [(NAME, "running")]


@on()
async def test_one_that_was_never_made_is_made_by_the_next_try_under_the_same_name(lab: Lab) -> None:
    """W26."""
    lab.refuse["create"] = UnavailableError("connection refused")
    with pytest.raises(UnavailableError):
        await lab.create(creation())
    lab.refuse.clear()
    await lab.create(creation(phase=Phase.PROVISION))
    assert [(c.name, c.state) for c in lab.there()] == [(NAME, "running")]


@on()
async def test_one_whose_start_was_not_answered_is_not_started_twice(lab: Lab) -> None:
    """W27."""
    await lab.create(creation())
    await lab.create(creation(phase=Phase.PROVISION))
    assert lab.kernel.acts["start container"] == 1


@on()
async def test_one_that_has_ended_meanwhile_is_let_rest(lab: Lab) -> None:
    """W27, W30: that it ended counts, and starting it again would hide it."""
    await lab.create(creation())
    (made,) = lab.hosts["alpha"].containers.values()
    made.turn("exited")
    await lab.create(creation(phase=Phase.PROVISION))
    assert [c.state for c in lab.there()] == ["exited"]


@on()
async def test_one_that_was_made_before_a_crash_is_started_after_it(lab: Lab) -> None:
    """W28, F3: nothing but the record is left of the try."""
    await _create_unseen(lab)
    lab.level = lab.new_level()
    await lab.create(creation(phase=Phase.PROVISION))
    assert [(c.name, c.state) for c in lab.there()] == [(NAME, "running")]


@pytest.mark.parametrize("phase", [Phase.BEGUN, Phase.PROVISION])
def test_a_foreign_one_of_its_name_is_never_touched(phase: Phase) -> None:
    """W25: the next try bears another name."""

    async def main() -> None:
        lab = Lab("alpha")
        foreign = lab.put("alpha", labels={"skep.controller": "other"})
        foreign.shown = replace(foreign.shown, name=NAME)
        with pytest.raises(RejectedError, match=f"^NameConflict: there is a container {NAME} on alpha"):
            await lab.create(creation(phase=phase))
        assert lab.there() == [foreign.shown]
        await lab.create(creation(request="s" * 16))
        assert [c.name for c in lab.there()] == [NAME, "web.1.ssssssss"]

    run(main)


@pytest.mark.parametrize(
    "refusal", [RejectedError("port is already allocated"), UnavailableError("the engine answered 500: no such user")]
)
def test_one_that_can_not_be_started_is_not_left_behind(refusal: Exception) -> None:
    """F3, W33: the engine's own words, and no `created` container for each try. It answers 500 to much."""

    async def main() -> None:
        lab = Lab("alpha")
        lab.refuse["start"] = refusal
        with pytest.raises(RejectedError, match=str(refusal)):
            await lab.create(creation())
        assert lab.there() == []
        assert (await lab.look()).members == ()

    run(main)


@on()
async def test_a_network_that_is_missing_only_at_the_start_is_a_refusal_too(lab: Lab) -> None:
    lab.refuse["start"] = NotFoundError("network front not found")
    with pytest.raises(RejectedError, match="network front not found"):
        await lab.create(creation())
    assert lab.there() == []


@on()
async def test_an_image_that_is_missing_is_fetched(lab: Lab) -> None:
    """W32: what the engine has is used, what it has not is pulled."""
    app = replace(WEB, image="team/app:2")
    resolved = await lab.resolve(app)
    lab.registry["team/app:2"] = "sha256:2"
    await resolved.actuator.create(resolved.desired, creation(), nobody)
    assert [(c.image, c.state) for c in lab.there()] == [("team/app:2", "running")]
    assert lab.kernel.acts["pull image"] == 1


@on()
async def test_an_image_thatnobody_has_is_told_in_the_registrys_words(lab: Lab) -> None:
    """W32, F6."""
    with pytest.raises(RejectedError, match="manifest unknown"):
        await lab.create(creation(), replace(WEB, image="nowhere:1"))
    assert lab.there() == []


@on()
async def test_nothing_is_fetched_where_something_else_is_missing(lab: Lab) -> None:
    lab.refuse["create"] = NotFoundError("network front not found")
    with pytest.raises(RejectedError, match="network front not found"):
        await lab.create(creation())
    assert lab.kernel.acts["pull image"] == 0


@on()
async def test_an_act_that_fails_makes_no_engine_silent(lab: Lab) -> None:
    """It answers 500 for many reasons, such as a registry that is away; silence is what the next listing tells."""
    lab.refuse["create"] = UnavailableError("the engine answered 500: dial tcp: connection refused")
    with pytest.raises(UnavailableError):
        await lab.create(creation())
    assert (await lab.look()).complete


# --- ending them -----------------------------------------------------------------------------------------------


async def _removed(lab: Lab, kind: ActionKind, phase: Phase = Phase.BEGUN) -> list[Phase]:
    (member,) = (await lab.look()).members
    resolved, phases = await lab.resolve(), list[Phase]()

    async def advance(phase: Phase) -> None:
        phases.append(phase)

    await resolved.actuator.remove(resolved.desired, member, removal(kind, member.id, phase), advance)
    return phases


@pytest.mark.parametrize(
    ("kind", "phase", "phases", "stops"),
    [
        (ActionKind.DRAIN, Phase.BEGUN, [Phase.DRAIN, Phase.DESTROYED], 1),
        (ActionKind.DRAIN, Phase.DESTROYED, [Phase.DESTROYED], 0),
        (ActionKind.DESTROY, Phase.BEGUN, [Phase.DESTROYED], 0),
    ],
)
def test_what_serves_is_stopped_in_its_own_time_before_it_is_removed(
    kind: ActionKind, phase: Phase, phases: list[Phase], stops: int
) -> None:
    """W29."""

    async def main() -> None:
        lab = Lab("alpha")
        lab.put("alpha")
        assert await _removed(lab, kind, phase) == phases
        assert lab.there() == []
        assert lab.kernel.acts["stop container"] == stops
        assert (await lab.look()).members == ()

    run(main)


@on()
async def test_a_removal_whose_answer_was_lost_can_be_asked_for_again(lab: Lab) -> None:
    """W12, W26."""
    lab.put("alpha")
    (member,) = (await lab.look()).members
    resolved = await lab.resolve()
    with lab.losing_answers(), pytest.raises(UnavailableError):
        await resolved.actuator.remove(resolved.desired, member, removal(ActionKind.DESTROY), nobody)
    await resolved.actuator.remove(resolved.desired, member, removal(ActionKind.DESTROY), nobody)
    assert (await lab.look()).members == ()


@on()
async def test_one_can_be_started_and_stopped_and_stays(lab: Lab) -> None:
    lab.put("alpha", "created")
    resolved = await lab.resolve()
    (member,) = (await lab.look()).members
    assert member.life is Life.STOPPED
    await resolved.actuator.start(resolved.desired, member)
    assert [m.life for m in (await lab.look()).members] == [Life.RUNNING]
    await resolved.actuator.stop(resolved.desired, member)
    assert [m.life for m in (await lab.look()).members] == [Life.DEAD]


@on()
async def test_what_was_started_is_not_started_again_for_an_old_list(lab: Lab) -> None:
    """W27, F9: it may have ended meanwhile, and another start would be no new try that anybody counts."""
    lab.put("alpha", "created")
    resolved = await lab.resolve()
    (member,) = (await lab.look()).members
    lab.cached["alpha"] = lab.there()
    await resolved.actuator.observe(resolved.desired)
    await resolved.actuator.start(resolved.desired, member)
    assert [m.life for m in (await lab.look()).members] == [Life.RUNNING]


@on()
async def test_a_start_that_the_engine_answers_with_500_is_refused(lab: Lab) -> None:
    """W28: else it would be left as it is, and be tried every five minutes for ever."""
    lab.put("alpha", "created")
    resolved = await lab.resolve()
    (member,) = (await lab.look()).members
    lab.refuse["start"] = UnavailableError("the engine answered 500: port is already allocated")
    with pytest.raises(RejectedError, match="port is already allocated"):
        await resolved.actuator.start(resolved.desired, member)


@on()
async def test_what_is_on_no_engine_that_is_known_is_not_looked_for(lab: Lab) -> None:
    resolved = await lab.resolve()
    with pytest.raises(NotReadyError):
        await resolved.actuator.remove(resolved.desired, Member("c1"), removal(), nobody)
    with pytest.raises(NotFoundError):
        await resolved.actuator.stop(resolved.desired, Member("c1", source="gone"))
