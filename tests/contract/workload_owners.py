"""Whose a container is (semantics.md 3.5), whatever kind of engines it is on, and whose a service."""

import json
from collections import Counter
from collections.abc import Collection, Sequence

from skep.control.hidden import CLASSIC_AGE_S
from skep.model.cluster import ClusterKind
from skep.model.engine import Service
from skep.model.request import ApplyOptions
from skep.model.spec import Key, Kind
from skep.model.state import ConditionType
from skep.model.view import KeyView
from skep.specs.source import SourceFile
from tests.contract.workload_bed import IMAGE, OTHER_IMAGE, STATE_LABEL, Bed, Check, name


async def _freed(bed: Bed, web: str) -> set[str]:
    """The containers that stay when a workload of two is forgotten."""
    await bed.apply(web, 2)
    before = set(await bed.runs(web, 2))
    await bed.life.core.free(Key(Kind.WORKLOAD, web), "contract")
    await bed.until(lambda: bed.view(web), None)
    assert set(await bed.running(web)) == before
    return before


async def what_was_freed_stays_and_is_its_own_again_when_it_comes_back(bed: Bed) -> None:
    """W23, W21: orphaned, and taken over without a restart; more are made beside them."""
    web = name()
    before = await _freed(bed, web)
    view = await bed.apply(web, 3)
    assert before < set(await bed.runs(web, 3))
    assert (view.current, view.outdated) == (3, 0)
    await bed.delete(web)


async def what_was_freed_is_still_its_own_after_a_crash(bed: Bed) -> None:
    """W20: who it belongs to is in the store, since a container's labels never change."""
    web = name()
    before = await _freed(bed, web)
    await bed.crash()
    await bed.apply(web, 2)
    assert set(await bed.runs(web, 2)) == before
    await bed.delete(web)


async def _left_by_another_life(bed: Bed, web: str) -> set[str]:
    """One of a workload, and another with the mark of a life that nobody here knows, of which a manager's memory knows
    by now (5.4)."""
    await bed.apply(web, 1)
    [one] = (await bed.runs(web, 1)).values()
    labels = {**one.shown.labels, "skep.uid": "f" * 16, "skep.request": "e" * 16}
    left = await bed.engines[0].create_container(f"{web}.left", {"Image": IMAGE, "Labels": labels})
    await bed.engines[0].start_container(left)
    if bed.kind is ClusterKind.CLASSIC:
        await bed.clock.sleep(CLASSIC_AGE_S)
    return {left}


async def one_of_a_life_that_is_not_ours_is_neither_counted_nor_removed(bed: Bed) -> None:
    """W21, W22: another owner's is ignored, while ours heal beside it and when ours go."""
    web = name()
    left = await _left_by_another_life(bed, web)
    await bed.apply(web, 2)
    assert len(set(await bed.runs(web, 3)) - left) == 2
    await bed.apply(web, 0)
    assert set(await bed.runs(web, 1)) == left
    await bed.delete(web)
    assert set(await bed.running(web)) == left
    await bed.engines[0].remove_container(*left)


async def a_name_under_which_somebody_left_containers_is_told_and_they_are_kept(bed: Bed) -> None:
    """W22, W25: nothing is made beside them, and nothing is taken by force; adopted, they are ours."""
    web = name()
    left = await _left_by_another_life(bed, web)
    await bed.delete(web)
    await bed.ask(web, 2)

    async def told() -> bool:
        view = await bed.view(web)
        return view is not None and any("another life" in words or web in words for words in _words(view))

    await bed.until(told, True)
    assert set(await bed.running(web)) == left
    document = f'{{"Name": "{web}", "Image": "{IMAGE}", "Count": 2, "Cluster": "{bed.cluster}"}}'
    await bed.life.core.apply([SourceFile("contract", document)], "contract", ApplyOptions(adopt=True))
    await bed.converged(web)
    assert not left & set(await bed.runs(web, 2))
    await bed.delete(web)


def _words(view: KeyView) -> list[str]:
    """What the conditions that are not as they should be say."""
    good = (ConditionType.AVAILABLE, ConditionType.PROGRESSING)
    bad = [c for c in view.conditions if c.status is not (c.type in good)]
    return [c.message for c in bad if c.message]


async def _of_2015(bed: Bed, web: str, image: str = IMAGE, places: Sequence[int] = (0, 0)) -> list[str]:
    """Containers that the state manager of 2015 could have made, on these engines: the workload's name is their only
    label."""
    made = []
    for number, place in enumerate(places):
        body = {"Image": image, "Labels": {STATE_LABEL: web}, "StopSignal": "SIGKILL"}
        made.append(await bed.engines[place].create_container(f"{web}_{number}", body))
        await bed.engines[place].start_container(made[-1])
    if bed.kind is ClusterKind.CLASSIC:
        await bed.clock.sleep(CLASSIC_AGE_S)
    return made


async def _alive(bed: Bed, ids: Collection[str], place: int = 0) -> set[str]:
    found = [await bed.engines[place].container(id) for id in ids]
    return {c.id for c in found if c is not None and c.state == "running"}


async def _unowned(bed: Bed, web: str) -> str:
    """What its status says of those that are nobody's."""
    view = await bed.view(web)
    told = [c.message for c in view.conditions if c.type is ConditionType.UNOWNED and c.status] if view else []
    return told[0] if told else ""


async def what_is_nobodys_is_told_and_kept_and_ours_are_made_beside_it(bed: Bed) -> None:
    """W21: it has the label of 2015 and none of ours, and nobody asked for its adoption."""
    web = name()
    old = await _of_2015(bed, web)
    view = await bed.apply(web, 2)
    assert not set(old) & set(await bed.runs(web, 2))
    told = await _unowned(bed, web)
    assert all(f"{web}_{number} on " in told for number in (0, 1))
    assert (view.current, view.outdated) == (2, 0)
    await bed.apply(web, 0)
    await bed.delete(web)
    assert await _alive(bed, old) == set(old)
    for id in old:
        await bed.engines[0].remove_container(id)


async def _adopt(bed: Bed, web: str, count: int, image: str = IMAGE, **more: object) -> KeyView:
    document = {"Name": web, "Image": image, "Cluster": bed.cluster, "Count": count, **more}
    await bed.life.core.apply([SourceFile("contract", json.dumps(document))], "contract", ApplyOptions(adopt=True))
    return await bed.converged(web)


async def what_is_nobodys_and_matches_is_adopted_and_runs_on(bed: Bed) -> None:
    """W20, W21: as many as are wanted, without a restart, also of skep; more are made beside them."""
    web = name()
    old = set(await _of_2015(bed, web))
    view = await _adopt(bed, web, 2)
    assert (view.current, view.ready, view.outdated) == (2, 2, 0)
    assert await bed.running(web) == {}
    assert await _unowned(bed, web) == ""
    await bed.crash()
    await bed.apply(web, 3)
    assert (len(await bed.runs(web, 1)), await _alive(bed, old)) == (1, old)
    await bed.delete(web)
    assert not await _alive(bed, old)


async def what_was_adopted_is_made_anew_when_it_ends_and_rolled_when_the_template_changes(bed: Bed) -> None:
    """W20, F1, W42: by what has our labels."""
    web = name()
    first, second = await _of_2015(bed, web)
    await _adopt(bed, web, 2)
    await bed.engines[0].stop_container(first, 0)
    await bed.runs(web, 1)
    assert await _alive(bed, [first, second]) == {second}
    await bed.converged(web)
    await bed.apply(web, 2, OTHER_IMAGE)
    await bed.runs(web, 2)
    assert not await _alive(bed, [first, second])
    await bed.delete(web)


async def what_was_adopted_and_freed_stays_and_is_its_own_again_when_it_comes_back(bed: Bed) -> None:
    """W23: nobody has to ask for its adoption twice."""
    web = name()
    old = set(await _of_2015(bed, web))
    await _adopt(bed, web, 2)
    await bed.life.core.free(Key(Kind.WORKLOAD, web), "contract")
    await bed.until(lambda: bed.view(web), None)
    assert await _alive(bed, old) == old
    view = await bed.apply(web, 2)
    assert (view.current, await _alive(bed, old)) == (2, old)
    assert await bed.running(web) == {}
    await bed.delete(web)
    assert not await _alive(bed, old)


async def what_is_nobodys_and_does_not_match_or_is_too_much_is_told_and_kept(bed: Bed) -> None:
    """W21: of three one has another image, and one is enough."""
    web = name()
    [other] = await _of_2015(bed, web, OTHER_IMAGE, [0])
    labels = {"Image": IMAGE, "Labels": {STATE_LABEL: web}}
    same = [await bed.engines[0].create_container(f"{web}_same{n}", labels) for n in range(2)]
    for id in same:
        await bed.engines[0].start_container(id)
    if bed.kind is ClusterKind.CLASSIC:
        await bed.clock.sleep(CLASSIC_AGE_S)
    await _adopt(bed, web, 1)
    told = await _unowned(bed, web)
    assert f"{web}_same1 on " in told
    assert "(more than are asked for)" in told
    await bed.delete(web)
    assert await _alive(bed, [other, *same]) == {other, same[1]}
    for id in (other, same[1]):
        await bed.engines[0].remove_container(id)


async def of_two_with_one_number_one_stays(bed: Bed) -> None:
    """W24: the duplicate goes, never both."""
    web = name()
    await bed.apply(web, 2)
    before = await bed.runs(web, 2)
    one = next(iter(before.values()))
    labels = {**one.shown.labels, "skep.request": "d" * 16}
    place = bed.engines[one.engine]
    twin = await place.create_container(f"{web}.twin", {"Image": IMAGE, "Labels": labels})
    await place.start_container(twin)

    async def numbers() -> list[int]:
        shown = [r.shown.labels["skep.slot"] for r in (await bed.running(web)).values()]
        return sorted(Counter(shown).values())

    await bed.until(numbers, [1, 1])
    assert len(set(await bed.runs(web, 2)) & {*before, twin}) == 2
    await bed.delete(web)


async def _service(bed: Bed, web: str) -> Service:
    return next(s for s in await bed.engines[0].services({"name": [web]}) if s.name == web)


async def _is_told_of_a_conflict(bed: Bed, web: str) -> bool:
    view = await bed.view(web)
    told = [c.message for c in view.conditions if c.type is ConditionType.NAME_CONFLICT] if view else []
    return any(f"a service {web} of another skep" in message for message in told)


async def a_service_of_another_life_is_told_and_kept_until_it_is_adopted(bed: Bed) -> None:
    """W22, W25: another skep of this controller's name has made it, or this one before it lost its state."""
    web, model = name(), name()
    await bed.apply(model, 1)
    made = await _service(bed, model)
    labels = {**made.labels, "skep.workload": web, "skep.uid": "f" * 16}
    await bed.engines[0].create_service({**made.spec, "Name": web, "Labels": labels})
    theirs = await _service(bed, web)
    await bed.ask(web, 2)
    await bed.until(lambda: _is_told_of_a_conflict(bed, web), True)
    await bed.delete(web)
    assert (await _service(bed, web)).version == theirs.version
    document = f'{{"Name": "{web}", "Image": "{IMAGE}", "Count": 2, "Cluster": "{bed.cluster}"}}'
    await bed.life.core.apply([SourceFile("contract", document)], "contract", ApplyOptions(adopt=True))
    await bed.converged(web)
    assert (await _service(bed, web)).id == theirs.id
    await bed.runs(web, 2)
    await bed.delete(web)
    await bed.delete(model)


async def a_service_that_another_skep_took_over_is_not_fought_for(bed: Bed) -> None:
    """W21: it is theirs from then on, whatever becomes of the workload here."""
    web = name()
    await bed.apply(web, 1)
    ours = await _service(bed, web)
    labels = {**ours.labels, "skep.uid": "f" * 16}
    await bed.engines[0].update_service(ours.id, ours.version, {**ours.spec, "Labels": labels})
    theirs = await _service(bed, web)
    await bed.ask(web, 3)
    await bed.until(lambda: _is_told_of_a_conflict(bed, web), True)
    await bed.delete(web)
    assert (await _service(bed, web)).version == theirs.version
    await bed.engines[0].remove_service(theirs.id)


SERVICE_OWNER_CHECKS: list[Check] = [
    what_was_freed_stays_and_is_its_own_again_when_it_comes_back,
    what_was_freed_is_still_its_own_after_a_crash,
    a_service_of_another_life_is_told_and_kept_until_it_is_adopted,
    a_service_that_another_skep_took_over_is_not_fought_for,
]
"""Of Swarm mode, where whose a container is the service tells."""

OWNER_CHECKS: list[Check] = [
    what_was_freed_stays_and_is_its_own_again_when_it_comes_back,
    what_was_freed_is_still_its_own_after_a_crash,
    one_of_a_life_that_is_not_ours_is_neither_counted_nor_removed,
    a_name_under_which_somebody_left_containers_is_told_and_they_are_kept,
    what_is_nobodys_is_told_and_kept_and_ours_are_made_beside_it,
    what_is_nobodys_and_matches_is_adopted_and_runs_on,
    what_was_adopted_is_made_anew_when_it_ends_and_rolled_when_the_template_changes,
    what_was_adopted_and_freed_stays_and_is_its_own_again_when_it_comes_back,
    what_is_nobodys_and_does_not_match_or_is_too_much_is_told_and_kept,
    of_two_with_one_number_one_stays,
]
"""Of plain engines."""
