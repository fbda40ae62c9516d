"""What every instance plugin promises (ports.InstancePlugin and its optional parts; infrakit-compat.md 2.4)."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from skep.model.errors import InvalidError, NotFoundError, RejectedError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.ports import Bootable, HoldsImages, Reachable, Startable, Watchable
from tests.conditions import until
from tests.contract.instances import ALL, KINDS, Kind, World

WITHIN_S = 60.0


def spec(world: World, request: str = "", group: str = "g", logical_id: str | None = None) -> InstanceSpec:
    tags = {"infrakit.group": group, "tier": "web"} | ({"skep.request": request} if request else {})
    return InstanceSpec(world.properties, tags, world.init, logical_id)


async def described(world: World, instance: str) -> InstanceDescription | None:
    found = [item for item in await world.plugin.describe({}) if item.id == instance]
    assert len(found) <= 1
    return found[0] if found else None


async def life(world: World, instance: str) -> Life | None:
    item = await described(world, instance)
    return item.life if item else None


async def until_life(world: World, instance: str, wanted: Life) -> None:
    await until(lambda: life(world, instance), wanted, within_s=WITHIN_S)


async def properties_are_validated(world: World) -> None:
    await world.plugin.validate(world.properties)
    if world.faulty is None:
        await world.plugin.validate(RawJson(world.properties[:-1] + b',"Nonsense":1,"Nonsense":2}'))
        return
    with pytest.raises(InvalidError) as caught:
        await world.plugin.validate(world.faulty)
    assert [str(fault).partition(":")[0] for fault in caught.value.faults] == ["Nonsense"]


async def a_machine_is_made_described_and_removed(world: World) -> None:
    instance = await world.plugin.provision(spec(world, "one", logical_id="alpha"))
    assert instance
    await until_life(world, instance, Life.RUNNING)
    shown = await described(world, instance)
    assert shown is not None
    assert (shown.logical_id, shown.tags["infrakit.group"], shown.tags["tier"]) == ("alpha", "g", "web")
    await world.plugin.destroy(instance)
    assert await described(world, instance) is None


async def a_machine_tells_when_it_was_made(world: World) -> None:
    shown = await described(world, await world.plugin.provision(spec(world, "one")))
    assert shown is not None
    assert shown.created_s > 0


async def removing_what_is_not_there_is_success(world: World) -> None:
    instance = await world.plugin.provision(spec(world, "one"))
    await world.plugin.destroy(instance)
    await world.plugin.destroy(instance)
    await world.plugin.destroy("never-was")


async def the_same_request_gives_the_same_machine(world: World) -> None:
    first = await world.plugin.provision(spec(world, "one"))
    await until_life(world, first, Life.RUNNING)
    await until(lambda: world.runs(first), 1)
    assert await world.plugin.provision(spec(world, "one")) == first
    assert [item.id for item in await world.plugin.describe({})] == [first]
    assert await world.runs(first) == 1


async def machines_without_a_request_are_all_new(world: World) -> None:
    first, second = await asyncio.gather(*(world.plugin.provision(spec(world)) for _ in range(2)))
    assert first != second
    assert {item.id for item in await world.plugin.describe({})} == {first, second}


async def a_listing_has_the_machines_with_all_tags(world: World) -> None:
    a, b = await asyncio.gather(*(world.plugin.provision(spec(world, group, group)) for group in ("a", "b")))
    listing = world.plugin.describe
    assert {item.id for item in await listing({"tier": "web"})} == {a, b}
    assert [item.id for item in await listing({"tier": "web", "infrakit.group": "b"})] == [b]
    assert [item.id for item in await listing({"tier": "db", "infrakit.group": "b"})] == []


async def a_booted_machine_waits_for_its_init(world: World) -> None:
    assert isinstance(world.plugin, Bootable)
    instance = await world.plugin.boot(spec(world, "one"))
    assert await world.runs(instance) == 0
    assert await world.plugin.provision(spec(world, "one")) == instance
    await until_life(world, instance, Life.RUNNING)
    assert await world.runs(instance) == 1


async def a_stopped_machine_starts_again_without_a_second_init(world: World) -> None:
    assert isinstance(world.plugin, Startable)
    instance = await world.plugin.provision(spec(world, "one"))
    await until_life(world, instance, Life.RUNNING)
    await world.plugin.start(instance)  # one that runs is success
    await world.stop(instance)
    await until_life(world, instance, Life.STOPPED)
    await world.plugin.start(instance)
    await until_life(world, instance, Life.RUNNING)
    assert await world.runs(instance) == 1


async def starting_what_never_was_says_so(world: World) -> None:
    with pytest.raises(NotFoundError, match="never-was"):
        await world.plugin.start("never-was")


async def a_machine_says_how_its_engine_is_reached(world: World) -> None:
    assert isinstance(world.plugin, Reachable)
    instance = await world.plugin.provision(spec(world, "one"))
    assert await world.plugin.endpoint(instance)
    await world.plugin.destroy(instance)
    assert await world.plugin.endpoint(instance) is None


async def images_of_this_host_are_loaded(world: World) -> None:
    assert isinstance(world.plugin, HoldsImages)
    instance = await world.plugin.provision(spec(world, "one"))
    wanted = [*world.images, "nobody/has-this:1"]
    assert list(await world.plugin.outdated_images(instance, wanted)) == list(world.images)
    await world.plugin.load_images(instance, world.images)
    assert list(await world.plugin.outdated_images(instance, wanted)) == []


async def loading_an_image_that_this_host_lacks_names_it(world: World) -> None:
    instance = await world.plugin.provision(spec(world, "one"))
    with pytest.raises(RejectedError, match="nobody/has-this:1"):
        await world.plugin.load_images(instance, ["nobody/has-this:1"])


async def a_change_names_its_group(world: World) -> None:
    assert isinstance(world.plugin, Watchable)
    instance = await world.plugin.provision(spec(world, "one", group="watched"))
    changes = world.plugin.changes()
    next_change = asyncio.ensure_future(anext(changes))
    try:
        async with asyncio.timeout(WITHIN_S):
            await world.stop(instance)
            while await next_change != "watched":
                next_change = asyncio.ensure_future(anext(changes))
    finally:
        next_change.cancel()
        await asyncio.gather(next_change, return_exceptions=True)
        await changes.aclose()


async def a_spec_with_faults_makes_nothing(world: World) -> None:
    if world.faulty is None:
        return
    with pytest.raises(world.refusal):
        await world.plugin.provision(InstanceSpec(world.faulty, {"infrakit.group": "g"}))
    assert list(await world.plugin.describe({})) == []


CHECKS = [
    properties_are_validated,
    a_machine_is_made_described_and_removed,
    a_machine_tells_when_it_was_made,
    removing_what_is_not_there_is_success,
    the_same_request_gives_the_same_machine,
    machines_without_a_request_are_all_new,
    a_listing_has_the_machines_with_all_tags,
    a_booted_machine_waits_for_its_init,
    a_stopped_machine_starts_again_without_a_second_init,
    starting_what_never_was_says_so,
    a_machine_says_how_its_engine_is_reached,
    images_of_this_host_are_loaded,
    loading_an_image_that_this_host_lacks_names_it,
    a_change_names_its_group,
    a_spec_with_faults_makes_nothing,
]


NEEDS: Mapping[Callable[..., object], type] = {
    a_booted_machine_waits_for_its_init: Bootable,
    a_stopped_machine_starts_again_without_a_second_init: Startable,
    starting_what_never_was_says_so: Startable,
    a_machine_says_how_its_engine_is_reached: Reachable,
    images_of_this_host_are_loaded: HoldsImages,
    loading_an_image_that_this_host_lacks_names_it: HoldsImages,
    a_change_names_its_group: Watchable,
}
"""Checks of the optional parts: for those plugins that claim to have them."""


NOT_CARRIED: Mapping[Callable[..., object], str] = {
    a_machine_tells_when_it_was_made: "a Description has an ID, a logical ID and tags",
    a_booted_machine_waits_for_its_init: "no method makes a machine without its Init",
    a_stopped_machine_starts_again_without_a_second_init: "no method starts a machine, and none tells that it stopped",
    starting_what_never_was_says_so: "no method starts a machine",
    a_machine_says_how_its_engine_is_reached: "no method tells where a machine is",
    images_of_this_host_are_loaded: "no method knows of images",
    loading_an_image_that_this_host_lacks_names_it: "no method knows of images",
    a_change_names_its_group: "the server never speaks first",
}
"""Checks of what InfraKit's protocol can't say (infrakit-compat.md 2.4), and why."""


def checked(kind: Kind, check: Callable[..., object]) -> bool:
    """Whether the plugin can be expected to do it."""
    if kind.remote:
        return check not in NOT_CARRIED
    return check not in NEEDS or NEEDS[check] in kind.abilities


PAIRS = [
    pytest.param(kind, check, id=f"{check.__name__}-{kind.name}", marks=kind.marks)
    for kind in KINDS
    for check in CHECKS
    if checked(kind, check)
]


@pytest.mark.parametrize(("kind", "check"), PAIRS)
def test_contract(check: Callable[..., None], kind: Kind, request: pytest.FixtureRequest) -> None:
    kind.run(check, *(request.getfixturevalue(name) for name in kind.fixtures))


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name, marks=kind.marks) for kind in KINDS])
def test_a_plugin_has_the_abilities_that_it_claims_and_no_others(kind: Kind, request: pytest.FixtureRequest) -> None:
    async def check(world: World) -> None:
        assert {ability for ability in ALL if isinstance(world.plugin, ability)} == kind.abilities

    kind.run(check, *(request.getfixturevalue(name) for name in kind.fixtures))
