"""Groups as they are committed: what is refused, in which order and in which words (infrakit-compat.md 1.3, 3.8)."""

import json

import pytest

from skep.model.errors import InvalidError, SkepError
from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup
from tests.infrakit.site import Site, simulated

GOOD = {
    "Allocation": {"Size": 1},
    "Instance": {"Plugin": "instances", "Properties": {}},
    "Flavor": {"Plugin": "flavor", "Properties": {}},
}


def changed(**parts: object) -> RawJson:
    return RawJson(json.dumps({**GOOD, **parts}).encode())


@pytest.mark.parametrize(
    ("id", "properties", "text"),
    [
        ("", NULL, "Group ID must not be blank"),
        ("g", NULL, "Invalid properties: unexpected end of JSON input"),
        ("g", RawJson(b'"x"'), "Invalid properties: json: cannot unmarshal string into Go value of type struct"),
        *(
            (
                "g",
                changed(Allocation={"Size": size}),
                f"Invalid properties: json: cannot unmarshal {told} into Go {place}",
            )
            for size, told in ((-1, "number -1"), (1.5, "number 1.5"), ("1", "string"))
            for place in ("struct field Spec.Allocation.Size of type uint",)
        ),
        ("g", changed(Allocation={}), "Allocation must not be blank"),
        ("g", changed(Allocation=None), "Allocation must not be blank"),
        ("g", changed(Allocation={"LogicalIDs": []}), "Allocation must not be blank"),
        ("g", changed(Allocation={"Size": 1, "LogicalIDs": ["a"]}), "Only one Allocation method may be used"),
        ("g", changed(Flavor={"Plugin": "none"}), "Failed to find Flavor plugin 'none':Plugin not found: none"),
        ("g", changed(Flavor=None), "Failed to find Flavor plugin '':Plugin not found: "),
        ("g", changed(Instance=None), "Failed to find Instance plugin '':Plugin not found: "),
        (
            "g",
            changed(Flavor={"Plugin": "no"}, Instance=None),
            "Failed to find Flavor plugin 'no':Plugin not found: no",
        ),
        ("g", changed(Instance={"Plugin": "none"}), "Failed to find Instance plugin 'none':Plugin not found: none"),
        (
            "g",
            changed(Flavor={"Plugin": "no"}, Instance={"Plugin": "none"}),
            "Failed to find Flavor plugin 'no':Plugin not found: no",
        ),
    ],
)
def test_what_infrakit_refuses_is_refused_in_its_words(id: str, properties: RawJson, text: str) -> None:
    async def body(site: Site) -> None:
        for pretend in (True, False):
            with pytest.raises(SkepError) as caught:
                await site.groups.commit(CommittedGroup(id, properties), pretend=pretend)
            assert str(caught.value) == text
        assert await site.groups.inspect() == []

    simulated(body)


def test_plugins_are_asked_in_infrakits_order_and_their_words_are_passed_on() -> None:
    async def body(site: Site) -> None:
        site.flavor.invalid, site.instances.invalid = "bad flavor", "bad instance"
        with pytest.raises(InvalidError, match=r"^bad flavor$"):
            await site.commit(1)
        with pytest.raises(InvalidError, match=r"^bad flavor$"):
            await site.groups.commit(CommittedGroup("g", changed(Instance=None)), pretend=False)
        site.flavor.invalid = ""
        with pytest.raises(InvalidError, match=r"^bad instance$"):
            await site.commit(1)

    simulated(body)


def test_names_of_fields_match_in_any_case_and_unknown_ones_are_passed_over() -> None:
    text = (
        b'{"instance":{"PLUGIN":"instances","properties":{"n":1e6,"big":12345678901234567890}},"Plugin":"x",'
        b'"flavor":{"plugin":"flavor","Properties":{"Init":["a","b"]}},"allocation":{"size":1,"SIZE":2}}'
    )
    told = (
        b'{"Instance":{"Plugin":"instances","Properties":{"n":1e6,"big":12345678901234567890}},'
        b'"Flavor":{"Plugin":"flavor","Properties":{"Init":["a","b"]}},"Allocation":{"Size":2,"LogicalIDs":null}}'
    )

    async def body(site: Site) -> None:
        await site.groups.commit(CommittedGroup("g1", RawJson(text)), pretend=False)
        assert await site.groups.inspect() == [CommittedGroup("g1", RawJson(told))]
        await site.commit(["a"], Updating={"MaxUnavailable": 1, "Count": 3})
        assert [g.id for g in await site.groups.inspect()] == ["g", "g1"]
        again = (await site.groups.inspect())[0]
        assert await site.groups.commit(again, pretend=True) == "Performing a rolling update on 1 instances"

    simulated(body)


@pytest.mark.parametrize(
    ("id", "allocation", "told"),
    [
        ("prod/web", {"Size": 1}, "ID: must have only letters"),
        ("a b", {"Size": 1}, "ID: must have only letters"),
        ("é", {"Size": 1}, "ID: must have only letters"),
        ("g" * 64, {"Size": 1}, "ID: must have at most 63 characters"),
        ("g" * 63, {"Size": 1}, ""),
        ("g", {"LogicalIDs": ["a", "a"]}, "Properties.Allocation.LogicalIDs[1]: is the same"),
        *(
            ("g", {"LogicalIDs": [name]}, "Properties.Allocation.LogicalIDs[0]: must be an address or a host name")
            for name in ("a b", "vol/1", "ä", "-a", "a" * 254)
        ),
        ("g", {"LogicalIDs": ["192.168.2.200", "fe80:1", "db_1", "a" * 253]}, ""),
        ("g", {"Size": 10_001}, "Properties.Allocation.Size: must be at most 10000"),
        ("g", {"Size": 10_000}, ""),
    ],
)
def test_what_skep_can_not_keep_is_told_with_its_place(id: str, allocation: object, told: str) -> None:
    """The limits in docs/infrakit.md, which InfraKit did not have."""

    async def body(site: Site) -> None:
        asked = CommittedGroup(id, changed(Allocation=allocation))
        if not told:
            await site.groups.commit(asked, pretend=True)
            return
        with pytest.raises(InvalidError) as caught:
            await site.groups.commit(asked, pretend=False)
        assert str(caught.value).startswith(told)
        assert await site.groups.inspect() == []

    simulated(body)


def test_a_key_that_is_there_twice_in_properties_of_a_plugin_is_told_with_its_place() -> None:
    """A limit in docs/infrakit.md, too."""

    async def body(site: Site) -> None:
        twice = changed(Flavor={"Plugin": "flavor", "Properties": {"Init": []}}).replace(b'"Init"', b'"Init":[],"Init"')
        with pytest.raises(InvalidError, match=r"Properties\.Flavor\.Properties\.Init: is written twice"):
            await site.groups.commit(CommittedGroup("g", RawJson(twice)), pretend=False)
        assert await site.groups.inspect() == []

    simulated(body)
