"""Containers of plain Engines that are nobody's and are taken over as they run (semantics.md W20, W21)."""

from dataclasses import replace

import pytest

from skep.control.documents import encode, spec_path
from skep.model.adopted import Adopted
from skep.model.errors import NotReadyError, RejectedError, UnavailableError
from skep.model.plan import ActionKind, Reason
from skep.model.spec import Restart
from skep.model.state import Entry, Ledger, Life, Member, Record
from tests.control.lab import IMAGE, WEB, Lab, creation, document_of, nobody, on, removal
from tests.fakes.host import FakeContainer

UNDER_WAY = Record(WEB.key, ledger=Ledger((Entry("q", ActionKind.ADOPT, Reason.DRIFTED, 1, "9", "old"),)))


def _old(lab: Lab, host: str = "alpha", name: str = "old", **more: object) -> FakeContainer:
    """As the state manager of 2015 made them."""
    found = lab.put(host)
    more = {"name": name, "labels": {"swarm.cluster.state": "web"}, "image_id": "sha256:1", **more}
    found.shown = replace(found.shown, **more)  # type: ignore[arg-type]
    return found


async def _adopt(lab: Lab, member: Member, **more: object) -> None:
    resolved = await lab.resolve(adopt=True, **more)
    await lab.store.put(spec_path(WEB.key), encode(document_of(adopt=True, **more)))
    await resolved.actuator.adopt(resolved.desired, member, nobody)


@on("alpha", "beta")
async def test_one_that_matches_is_a_member_that_is_to_be_adopted_and_then_is_ours(lab: Lab) -> None:
    """It bears a free number and counts as current; until it is adopted the workload is not as wanted."""
    old, fingerprint = _old(lab, "beta"), (await lab.resolve()).desired.fingerprint
    lab.put("alpha", labels={"skep.fingerprint": fingerprint})
    [mine, found] = (await lab.look(adopt=True)).members
    assert (mine.foreign, mine.slot) == (False, "1")
    assert (found.id, found.slot, found.foreign, found.drift) == (old.shown.id, "2", True, ("owner",))
    await _adopt(lab, found)
    lab.level = lab.new_level()
    [_, member] = (await lab.look()).members
    assert member == replace(found, foreign=False, drift=())
    assert (member.fingerprint, lab.kernel.acts["create container"]) == (fingerprint, 0)


@on()
async def test_one_that_was_adopted_for_another_template_or_life_is_outdated(lab: Lab) -> None:
    old = _old(lab).shown.id
    await _adopt(lab, (await lab.look(adopt=True)).members[0])
    newest = await lab.resolve(replace(WEB, args=("--new",)))
    [member] = (await newest.actuator.observe(newest.desired)).members
    assert member.fingerprint != newest.desired.fingerprint
    assert [m.fingerprint for m in (await lab.look(uid="u2", lives=("u1",))).members] == [""]
    [left] = (await lab.look(uid="u2", adopt=True)).members
    assert (left.id, left.foreign) == (old, True)


@on()
async def test_what_is_removed_is_not_remembered_as_adopted(lab: Lab) -> None:
    _old(lab)
    await _adopt(lab, (await lab.look(adopt=True)).members[0])
    resolved = await lab.resolve()
    [member] = (await resolved.actuator.observe(resolved.desired)).members
    await resolved.actuator.remove(resolved.desired, member, removal(), nobody)
    assert (lab.there(), await lab.adoptions.of(WEB.key)) == ([], {})


@on("alpha", "beta")
async def test_what_somebody_removed_is_forgotten_when_its_follower_is_made(lab: Lab) -> None:
    """Not while an engine is silent, which may have it."""
    gone = Adopted("gone", "alpha", "1", "u1", "f1")
    await lab.store.put(spec_path(WEB.key), encode(document_of()))
    await lab.adoptions.take(WEB.key, gone)
    lab.hosts["beta"].sicken(True)
    await lab.create(creation())
    assert await lab.adoptions.of(WEB.key) == {"gone": gone}
    lab.hosts["beta"].sicken(False)
    await lab.clock.sleep(5.0)
    await lab.create(creation("2", request="s" * 16))
    assert await lab.adoptions.of(WEB.key) == {}


@on()
async def test_one_that_does_not_match_is_told_and_why(lab: Lab) -> None:
    _old(lab, image_id="sha256:2")
    seen = await lab.look(adopt=True)
    assert seen.members == ()
    assert "old on alpha (another image)" in seen.beside


@on()
async def test_where_an_engine_does_not_say_what_its_image_is_nothing_is_made_in_their_stead(lab: Lab) -> None:
    """Else there would be two for each of them."""
    _old(lab)
    resolved = await lab.resolve(adopt=True)
    lab.refuse["image"] = UnavailableError("connection refused")
    seen = await resolved.actuator.observe(resolved.desired)
    assert (seen.members, seen.unlisted, seen.silent) == ((), {"alpha"}, frozenset())


@on()
async def test_a_job_adopts_nobody(lab: Lab) -> None:
    _old(lab)
    seen = await lab.look(replace(WEB, restart=Restart(policy="never")), adopt=True)
    assert seen.members == ()
    assert "old on alpha (it is a job)" in seen.beside


@on("alpha", "beta")
async def test_nobody_is_adopted_while_an_engine_has_not_told_what_it_has(lab: Lab) -> None:
    """More could be adopted than are missing, and the rest be removed."""
    _old(lab)
    lab.hosts["beta"].sicken(True)
    seen = await lab.look(adopt=True)
    assert seen.members == ()
    assert "old on alpha (beta did not tell yet what is there)" in seen.beside


@on()
async def test_nobody_is_adopted_while_the_spec_can_not_be_carried_out(lab: Lab) -> None:
    _old(lab)
    resolved = await lab.resolve(refusal="Networks: name one", adopt=True)
    seen = await resolved.actuator.observe(resolved.desired)
    assert seen.members == ()
    assert "(Networks: name one)" in seen.beside


@on("alpha", "beta")
async def test_one_whose_adoption_is_under_way_holds_its_place_while_its_engine_is_silent(lab: Lab) -> None:
    _old(lab, "beta", id="old")
    lab.hosts["beta"].containers = {"old": next(iter(lab.hosts["beta"].containers.values()))}
    await lab.look(adopt=True)
    lab.hosts["beta"].sicken(True)
    resolved = await lab.resolve(record=UNDER_WAY, adopt=True)
    [member] = (await resolved.actuator.observe(resolved.desired)).members
    assert (member.slot, member.life, member.foreign) == ("9", Life.UNKNOWN, True)


@on()
async def test_an_adoption_looks_once_more(lab: Lab) -> None:
    """W21: at the container, its image and the workload."""
    old = _old(lab)
    [member] = (await lab.look(adopt=True)).members
    with pytest.raises(NotReadyError, match="was removed meanwhile"):
        await _adopt(lab, member, removed=True)
    old.shown = replace(old.shown, state="exited")
    with pytest.raises(RejectedError, match=r"^container old on alpha can't be adopted: does not run"):
        await _adopt(lab, member)
    old.shown = replace(old.shown, state="running")
    lab.hosts["alpha"].images[IMAGE] = "sha256:9"
    with pytest.raises(RejectedError, match="another image"):
        await _adopt(lab, member)
    del lab.hosts["alpha"].containers[old.shown.id]
    with pytest.raises(NotReadyError, match="alpha does not tell how it is"):
        await _adopt(lab, member)
    assert await lab.adoptions.of(WEB.key) == {}
