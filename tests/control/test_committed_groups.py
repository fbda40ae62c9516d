"""InfraKit's Group interface: what it refuses and in which words (infrakit-compat.md 1.3, 3.8), and what it tells."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from skep.model.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    RefusedError,
    RejectedError,
    SkepError,
    UnavailableError,
)
from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup
from tests.conditions import until
from tests.fakes.foreign import tagged
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


def test_nobody_answers_for_groups_that_are_not_there() -> None:
    async def body(site: Site) -> None:
        for call in (site.groups.free, site.groups.describe, site.groups.destroy):
            for name in ("g", "", "a/b"):
                with pytest.raises(NotFoundError, match=f"^Group '{name}' is not being watched$"):
                    await call(name)

    simulated(body)


def test_pretending_changes_nothing() -> None:
    """infrakit-compat.md 3.1: it is checked, planned, and that is all."""

    async def body(site: Site) -> None:
        assert await site.commit(2, pretend=True) == "Managing 2 instances"
        assert await site.groups.inspect() == []
        await site.commit(2)
        await site.converged()
        before, machines = await site.groups.inspect(), dict(site.instances.machines)
        text = "Performing a rolling update on 2 instances, then adding 3 instances to increase the group size to 5"
        assert await site.commit(5, "new", pretend=True) == text
        await site.clock.sleep(60.0)
        assert (await site.groups.inspect(), site.instances.machines) == (before, machines)

    simulated(body)


def test_a_size_of_zero_is_one_where_it_is_written() -> None:
    """infrakit-compat.md 7, row 14."""

    async def body(site: Site) -> None:
        assert await site.commit(0) == "Managing 0 instances"
        await site.converged()
        await site.commit(3)
        await site.converged()
        assert await site.commit(0) == "Terminating 3 instances to reduce the group size to 0"
        await site.converged()
        assert site.instances.machines == {}

    simulated(body)


def test_free_leaves_the_machines_and_a_commit_takes_them_back() -> None:
    async def body(site: Site) -> None:
        await site.commit(5)
        await site.converged()
        machines = dict(site.instances.machines)
        await site.groups.free("g")
        with pytest.raises(NotFoundError):
            await site.describe()
        assert await site.groups.inspect() == []
        await site.clock.sleep(60.0)
        assert await site.commit(5) == "Managing 5 instances"
        await site.converged()
        assert site.instances.machines == machines

    simulated(body)


def test_a_group_stays_with_the_plugin_that_knows_its_machines() -> None:
    elsewhere = {"Instance": {"Plugin": "others", "Properties": {}}}

    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        with pytest.raises(RefusedError, match="has 2 instances of plugin instances, which others does not know"):
            await site.commit(2, **elsewhere)
        await site.commit(0)
        await site.converged()
        await site.commit(2, **elsewhere)
        await site.converged()
        assert (len(site.instances.machines), len(site.others.machines)) == (0, 2)

    simulated(body)


def test_a_group_that_is_being_destroyed_stays_with_its_plugin_too() -> None:
    """What could not be destroyed yet would be forgotten."""
    elsewhere = {"Instance": {"Plugin": "others", "Properties": {}}}

    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.instances.stuck = {"i-001"}
        with pytest.raises(RejectedError):
            await site.groups.destroy("g")
        with pytest.raises(RefusedError, match="has 1 instances of plugin instances, which others does not know"):
            await site.commit(2, **elsewhere)
        site.instances.stuck = set()
        await site.groups.destroy("g")
        await site.commit(2, **elsewhere)
        await site.converged()
        assert (len(site.instances.machines), len(site.others.machines)) == (0, 2)

    simulated(body)


def test_a_destroy_that_can_not_succeed_is_ended_by_free() -> None:
    """What is left stays, and a commit takes it back."""

    async def body(site: Site) -> None:
        await site.commit(3)
        await site.converged()
        site.flavor.undrainable = {"i-001", "i-002"}
        with pytest.raises(RejectedError):
            await site.groups.destroy("g")
        await site.groups.free("g")
        site.flavor.undrainable = set()
        assert await site.groups.inspect() == []
        await site.clock.sleep(600.0)
        assert sorted(site.instances.machines) == ["i-001", "i-002"]
        assert await site.commit(2) == "Managing 2 instances"
        await site.converged()
        await site.clock.sleep(60.0)
        assert sorted(site.instances.machines) == ["i-001", "i-002"]

    simulated(body)


def test_a_flavor_that_is_not_ready_is_asked_once_for_all() -> None:
    """The mistake of committing workers before their managers (infrakit-compat.md 6) heals by itself, soon."""

    async def body(site: Site) -> None:
        site.flavor.not_ready, site.flavor.prepare_s = "no swarm yet", 0.1
        assert await site.commit(100) == "Managing 100 instances"
        with capture_logs() as said:
            await site.clock.sleep(60.0)
        assert [line["reason"] for line in said if line["log_level"] == "warning"] == ["no swarm yet"]
        assert site.flavor.prepared <= 100 + 60
        described = await site.describe()
        assert (described.converged, described.error) == (False, "no swarm yet")
        site.flavor.not_ready = ""
        await site.converged(within_s=5.0)

    simulated(body)


@pytest.mark.parametrize("prepare_s", [0.0, 0.2, 5.0])
@pytest.mark.parametrize("never_ready", [{"a"}, {"a", "b"}, {"c"}])
def test_a_logical_id_that_is_never_ready_keeps_no_other_waiting(never_ready: set[str], prepare_s: float) -> None:
    """Fails when one that asks for all is always the same."""

    async def body(site: Site) -> None:
        await site.commit(["a", "b", "c", "d"])
        await site.converged()
        site.instances.machines.clear()
        site.flavor.prepare_s, site.flavor.not_ready = prepare_s, "no swarm yet"
        await site.clock.sleep(30.0)
        site.flavor.not_ready, site.flavor.never_ready = "", {*never_ready}
        await site.until_count(4 - len(never_ready))

    simulated(body)


@pytest.mark.parametrize("error", [UnavailableError("connection reset"), RejectedError("it gave no ID")])
@pytest.mark.parametrize("allocation", [3, ["a", "b", "c"]])
def test_a_machine_whose_answer_was_lost_is_made_once(error: SkepError, allocation: int | list[str]) -> None:
    """Plugins that know nothing of requests would make another one (infrakit-compat.md 7, row 16)."""

    async def body(site: Site) -> None:
        site.instances.lost = error
        await site.commit(allocation)
        await site.converged()
        await site.clock.sleep(600.0)
        assert site.instances.counts == [0, 1, 2, 3]

    simulated(body)


def test_a_commit_of_the_same_spec_tries_again_what_failed() -> None:
    """infrakit-compat.md 3.6: recommitting resumes. Without a failure nothing is new."""

    async def body(site: Site) -> None:
        site.instances.refusal = "quota exceeded"
        await site.commit(2)
        await site.clock.sleep(2000.0)
        site.instances.refusal = ""
        assert await site.commit(2) == "Noop"
        await site.converged(within_s=5.0)
        tries = len(site.instances.attempts)
        assert await site.commit(2) == "Noop"
        await site.clock.sleep(60.0)
        assert len(site.instances.attempts) == tries

    simulated(body)


def test_a_plugin_that_hangs_keeps_only_its_own_group_waiting() -> None:
    """infrakit-compat.md 3.10: G7, as far as the core goes."""

    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.others.describe_s = site.others.provision_s = 3600.0
        slow = CommittedGroup("slow", changed(Instance={"Plugin": "others"}))
        waiting = [asyncio.create_task(site.groups.commit(slow, pretend=False)) for _ in range(3)]
        await site.clock.sleep(1.0)
        async with asyncio.timeout(0.01):
            await site.commit(3)
            assert [g.id for g in await site.groups.inspect()] == ["g"]
        async with asyncio.timeout(5.0):
            await site.converged()
            await site.groups.destroy("g")
        for task in waiting:
            task.cancel()

    simulated(body)


def test_healths_are_asked_for_as_often_as_they_are_worth() -> None:
    """A call for each machine is what it costs."""

    async def body(site: Site) -> None:
        site.instances.provision_s = 1.0
        await site.commit(100)
        await site.converged()
        assert site.flavor.asked <= 200
        await site.clock.sleep(100.0)
        assert site.flavor.asked <= 200 + 12 * 100

    simulated(body)


def test_a_destroy_that_is_overtaken_says_so() -> None:
    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.instances.stuck = {"i-001"}

        async def recommit() -> None:
            await site.clock.sleep(0.2)
            site.instances.stuck = set()
            await site.commit(1)

        site.instances.destroy_s = 1.0
        again = asyncio.create_task(recommit())
        with pytest.raises(ConflictError, match="was committed again"):
            await site.groups.destroy("g")
        await again
        await site.converged()
        assert len(site.instances.machines) == 1

    simulated(body)


def test_who_waits_for_a_destroy_is_told_when_nobody_answers() -> None:
    async def body(site: Site) -> None:
        await site.commit(2)
        await site.converged()
        site.instances.silent = True
        with pytest.raises(UnavailableError, match="its instance plugin does not answer"):
            await site.groups.destroy("g")
        site.instances.silent = False

        async def left() -> int:
            return len(await site.groups.inspect())

        await until(left, 0)
        assert site.instances.machines == {}

    simulated(body)


def test_machines_of_other_groups_are_nobodys_business() -> None:
    async def body(site: Site) -> None:
        other = site.instances.add(tagged("h", "x"))
        await site.commit(1)
        await site.converged()
        await site.groups.destroy("g")
        assert list(site.instances.machines) == [other]

    simulated(body)
