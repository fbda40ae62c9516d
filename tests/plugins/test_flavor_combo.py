"""Flavor combo: several flavors one after the other, and nothing twice (infrakit-compat.md 4.4)."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from skep.model.errors import (
    InvalidError,
    NotFoundError,
    NotReadyError,
    RejectedError,
    SkepError,
    StaleTermError,
    UnavailableError,
)
from skep.model.json import RawJson
from skep.model.machine import Attachment, InstanceDescription, InstanceSpec, MemberHealth, Membership
from skep.model.spec import Allocation
from skep.model.state import Health, Phase, Role
from skep.plugins.flavor_combo import ComboFlavor
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.registry import PluginRegistry
from skep.ports import Advance, DrainRequest

ONE = Allocation(size=1)
MACHINE = InstanceDescription("i-1")


class Replacing(VanillaFlavor):
    """Replaces Init and leaves out the tags that it was given, as InfraKit's swarm flavor does; joins as a worker."""

    def __init__(self, health: MemberHealth | None = None, failure: SkepError | None = None) -> None:
        super().__init__(lenient=True)
        self._health, self._failure = health or MemberHealth(Health.HEALTHY), failure
        self.drained = 0

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        return InstanceSpec(RawJson(b"1"), {"mine": "1"}, "one", "other", (Attachment("d", "ebs"),))

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        return [self._health for _ in instances]

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        self.drained += 1
        if self._failure:
            raise self._failure

    def membership(self, properties: RawJson) -> Membership | None:
        return Membership(Role.WORKER, "c")

    async def strays(
        self, properties: RawJson, group: str, instances: Sequence[InstanceDescription], *, removed: bool = False
    ) -> Sequence[InstanceDescription]:
        return [InstanceDescription(f"node:{group}")]


def combo(*, lenient: bool = False, **others: VanillaFlavor) -> ComboFlavor:
    flavors = {"vanilla": VanillaFlavor(lenient=lenient), **others}
    return ComboFlavor(PluginRegistry({}, flavors), lenient=lenient)


def listed(*parts: tuple[str, object]) -> RawJson:
    flavors = [{"Plugin": plugin, "Properties": properties} for plugin, properties in parts]
    return RawJson(json.dumps({"Flavors": flavors}).encode())


def init(*lines: str) -> tuple[str, object]:
    return "flavor-vanilla", {"Init": list(lines)}


async def test_each_flavor_works_on_what_the_ones_before_it_made() -> None:
    """InfraKit gave each a copy and joined the results: BASE, BASE, one, BASE, two."""
    tagged = (
        "vanilla",
        {"Init": ["two"], "Tags": {"a": "2", "c": "3"}, "Attachments": {"*": [{"ID": "x", "Type": "t"}]}},
    )
    first = ("vanilla", {"Init": ["one"], "Tags": {"a": "1", "b": "1"}})
    spec = InstanceSpec(RawJson(b"{}"), {"z": "0"}, "BASE", "me", (Attachment("base", "t"),))
    assert await combo().prepare(listed(first, tagged), spec, ONE) == replace(
        spec,
        init="BASE\none\ntwo",
        tags={"z": "0", "a": "2", "b": "1", "c": "3"},
        attachments=(Attachment("base", "t"), Attachment("x", "t")),
    )


async def test_combos_within_combos_double_nothing_either() -> None:
    inner = ("flavor-combo", json.loads(listed(init("two"), ("combo", json.loads(listed(init("three")))))))
    prepared = await combo().prepare(listed(init("one"), inner, init("four")), InstanceSpec(init="BASE"), ONE)
    assert prepared.init == "BASE\none\ntwo\nthree\nfour"


async def test_a_combo_that_goes_in_circles_ends() -> None:
    properties: object = {"Flavors": []}
    for _ in range(12):
        properties = {"Flavors": [{"Plugin": "combo", "Properties": properties}]}
    with pytest.raises(InvalidError, match="nested more than 8 deep"):
        await combo().validate(RawJson(json.dumps(properties).encode()), ONE)


async def test_what_a_flavor_does_not_keep_is_kept_for_it() -> None:
    """InfraKit's own flavors replace Init; properties and logical ID stay as they are (infrakit-compat.md 4.4)."""
    spec = InstanceSpec(RawJson(b"{}"), {"z": "0"}, "one two", "me", (Attachment("d", "ebs"),))
    prepared = await combo(foreign=Replacing()).prepare(listed(("foreign", {}), init("three")), spec, ONE)
    assert prepared == replace(spec, init="one two\none\nthree", tags={"z": "0", "mine": "1"})


async def test_the_bare_list_of_later_infrakits_means_the_same() -> None:
    bare = RawJson(b'[{"Plugin": "vanilla", "Properties": {"Init": ["one"]}}, {"Plugin": "vanilla"}]')
    assert (await combo().prepare(bare, InstanceSpec(), ONE)).init == "one"
    await combo().validate(bare, ONE)
    for empty in (b"[]", b"{}", b"null", b'{"Flavors": null}', b'{"Flavors": []}'):
        await combo().validate(RawJson(empty), ONE)
        assert await combo().prepare(RawJson(empty), InstanceSpec(init="x"), ONE) == InstanceSpec(init="x")


async def test_the_flavors_in_it_are_validated_and_every_fault_has_its_path() -> None:
    """infrakit-compat.md 1.3: InfraKit's did not look at them."""
    properties = listed(
        ("vanilla", {"Init": 1}), ("nope", {}), ("combo", {"Flavors": [{"Plugin": "vanilla", "Properties": {"x": 1}}]})
    )
    with pytest.raises(InvalidError) as caught:
        await combo().validate(properties, ONE)
    assert [fault.path for fault in caught.value.faults] == [
        "Flavors[0].Properties.Init",
        "Flavors[1].Plugin",
        "Flavors[2].Properties.Flavors[0].Properties.x",
    ]
    with pytest.raises(InvalidError, match=r"Flavors\[0\].Plugin: is required"):
        await combo().validate(RawJson(b'{"Flavors": [{}]}'), ONE)


async def test_read_leniently_unknown_fields_are_ignored() -> None:
    properties = RawJson(b'{"flavors": [{"plugin": "vanilla", "properties": {"init": ["a"], "x": 1}, "y": 1}], "z": 1}')
    await combo(lenient=True).validate(properties, ONE)
    with pytest.raises(InvalidError):
        await combo().validate(properties, ONE)


WELL, SICK, OPEN = (
    MemberHealth(health, detail=health.name) for health in (Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN)
)


@pytest.mark.parametrize(
    ("answers", "health"),
    [
        ([], Health.HEALTHY),
        ([WELL, WELL], Health.HEALTHY),
        ([WELL, SICK, OPEN], Health.UNHEALTHY),
        ([OPEN, SICK], Health.UNKNOWN),
    ],
)
async def test_the_first_that_is_not_well_speaks_for_all(answers: list[MemberHealth], health: Health) -> None:
    """infrakit-compat.md 4.4."""
    others = {f"f{number}": Replacing(answer) for number, answer in enumerate(answers)}
    found = await combo(**others).healthy(listed(*((name, {}) for name in others)), [MACHINE, MACHINE])
    assert [answer.health for answer in found] == [health] * 2


@pytest.mark.parametrize(
    ("failures", "raised"),
    [
        ([RejectedError("no"), UnavailableError("silence")], RejectedError),
        ([NotReadyError("no"), UnavailableError("silence")], UnavailableError),
        ([NotReadyError("no"), NotReadyError("silence")], NotReadyError),
        ([NotFoundError("no"), NotReadyError("silence")], RejectedError),
    ],
)
async def test_a_drain_asks_all_and_tells_all_that_failed(failures: list[SkepError], raised: type[SkepError]) -> None:
    """infrakit-compat.md 4.4: errors are joined by a comma."""
    others = {"a": Replacing(failure=failures[0]), "b": Replacing(failure=failures[1]), "c": Replacing()}
    with pytest.raises(raised, match="no, silence"):
        await drain(combo(**others), listed(*((name, {}) for name in others)))
    assert [other.drained for other in others.values()] == [1, 1, 1]


async def test_a_controller_that_may_not_act_stops_at_once() -> None:
    others = {"a": Replacing(failure=StaleTermError("gone")), "b": Replacing()}
    with pytest.raises(StaleTermError):
        await drain(combo(**others), listed(("a", {}), ("b", {})))
    assert others["b"].drained == 0


async def drain(flavor: ComboFlavor, properties: RawJson) -> None:
    async def advance(phase: Phase) -> None:
        raise AssertionError("nobody here takes steps")

    await flavor.drain(properties, MACHINE, DrainRequest(), advance)


async def test_it_joins_a_swarm_where_one_of_its_flavors_does() -> None:
    flavor = combo(joins=Replacing())
    both, none = listed(init("x"), ("combo", json.loads(listed(("joins", {}))))), listed(init("x"))
    assert flavor.membership(both) == Membership(Role.WORKER, "c")
    assert await flavor.strays(both, "g", []) == [InstanceDescription("node:g")]
    assert flavor.membership(none) is None
    assert await flavor.strays(none, "g", []) == ()
    assert flavor.membership(listed(("nope", {}))) is None
