"""What is accepted, what is refused, and who is told."""

import asyncio

import pytest
from structlog.testing import capture_logs

from skep.model.errors import InvalidError, NotFoundError, RefusedError
from skep.model.spec import Key
from tests.control.desk import Desk, file
from tests.control.values import WEB, WORKERS
from tests.sim.controller import group, managers, workers, workload
from tests.sim.loop import run

MANAGERS = Key.parse("group/managers")


def at_a_desk(body: object, *static: str) -> None:
    """In virtual time, as the clock of the desk is. `static` are the clusters of the settings."""

    async def main() -> None:
        await body(Desk(static))  # type: ignore[operator]

    run(main)


def test_changes_are_stored_told_and_wake_their_keys_and_the_same_again_does_nothing() -> None:
    async def body(desk: Desk) -> None:
        assert await desk.apply(workers(2), managers(1)) == [
            ("group/workers", "created", 1),
            ("group/managers", "created", 1),
        ]
        assert await desk.apply(workers(3), managers(1)) == [
            ("group/workers", "configured", 2),
            ("group/managers", "unchanged", 1),
        ]
        assert desk.woken == [WORKERS, MANAGERS, WORKERS]

    at_a_desk(body)


def test_the_log_tells_a_reason_only_where_one_was_given() -> None:
    async def body(desk: Desk) -> None:
        with capture_logs() as lines:
            await desk.apply(workers(2))
            await desk.intake.scale(WORKERS, 3, "ann", "more room")
        told = [line.get("why", "none") for line in lines if line["event"] == "spec accepted"]
        assert told == ["none", "more room"]

    at_a_desk(body)


def test_a_revision_that_the_cluster_gave_up_is_new_when_it_is_applied_again() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workload())
        desk.failed.add(WEB)
        assert await desk.apply(workload()) == [("workload/web", "configured", 2)]

    at_a_desk(body)


def test_what_plugins_find_is_told_together_with_what_can_not_be_read() -> None:
    async def body(desk: Desk) -> None:
        nowhere = group("c", {"Size": 1}, "worker")
        nowhere["Properties"]["Instance"]["Plugin"] = "instance-nowhere"  # type: ignore[index]
        with pytest.raises(InvalidError) as caught:
            await desk.apply({"Name": "web", "Image": "web:1", "Count": "five"}, nowhere)
        assert [fault.path for fault in caught.value.faults] == ["Count", "Properties.Instance.Plugin"]

    at_a_desk(body)


def test_nothing_is_accepted_when_one_document_is_wrong_and_every_fault_is_told() -> None:
    async def body(desk: Desk) -> None:
        wrong = group("b", {"Size": 1}, "manager", Colour="red")
        with pytest.raises(InvalidError) as caught:
            await desk.apply(workers(2), wrong)
        paths = [fault.path for fault in caught.value.faults]
        assert paths == ["Properties.Flavor.Properties.Type", "Properties.Instance.Properties.Colour"]
        assert await desk.catalog.list() == ()

    at_a_desk(body)


def test_a_plugin_that_is_not_there_is_a_fault() -> None:
    async def body(desk: Desk) -> None:
        wrong = workers(1)
        wrong["Properties"]["Instance"]["Plugin"] = "instance-cloud"  # type: ignore[index]
        with pytest.raises(InvalidError, match="no instance plugin 'instance-cloud'; there are: instance-sim"):
            await desk.apply(wrong)

    at_a_desk(body)


def test_an_empty_file_is_a_fault() -> None:
    async def body(desk: Desk) -> None:
        with pytest.raises(InvalidError, match="holds no group and no workload"):
            await desk.apply()

    at_a_desk(body)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (managers(1, Note="two"), "one manager, and"),
        (group("managers", {"LogicalIDs": ["10.9.0.99"]}, "manager"), "without it the Swarm is lost"),
        (workers(1) | {"ID": "managers"}, "can't be changed to another kind"),
    ],
)
def test_what_would_lose_the_only_manager_is_refused(spec: dict[str, object], words: str) -> None:
    """semantics.md N4, N7."""

    async def body(desk: Desk) -> None:
        await desk.apply(managers(1))
        with pytest.raises(RefusedError, match=words):
            await desk.apply(spec, workload())
        assert [d.key for d in await desk.catalog.list()] == [MANAGERS]

    at_a_desk(body)


def test_three_managers_may_be_rolled_and_one_may_become_three() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(managers(1))
        await desk.apply(managers(3))
        assert await desk.apply(managers(3, Note="two")) == [("group/managers", "configured", 3)]

    at_a_desk(body)


def test_the_one_manager_that_is_left_is_one_of_those_that_there_are() -> None:
    """N4, N7: the last of the old ones could never be removed for it."""

    def named(*ids: str) -> dict[str, object]:
        return group("managers", {"LogicalIDs": [f"10.9.0.{id}" for id in ids]}, "manager")

    async def body(desk: Desk) -> None:
        await desk.apply(named("10", "11", "12"))
        with pytest.raises(RefusedError, match=r"keep one of 10\.9\.0\.10, .* have 10\.9\.0\.20 in beside"):
            await desk.apply(named("20"))
        await desk.apply(named("10", "11", "20"))
        await desk.apply(named("20"))

    at_a_desk(body)


def test_managers_do_not_come_back_before_they_are_gone() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(managers(3), workers(1))
        await desk.intake.remove(WORKERS, "ann", False)
        await desk.intake.remove(MANAGERS, "ann", False)
        with pytest.raises(RefusedError, match="apply it again when it is gone"):
            await desk.apply(managers(3))
        assert await desk.apply(workers(1)) == [("group/workers", "created", 3)]

    at_a_desk(body)


def test_managers_are_not_removed_under_those_who_live_on_their_cluster() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(managers(1), workers(1), workload())
        with pytest.raises(RefusedError, match="group/workers, workload/web would lose their cluster"):
            await desk.intake.remove(MANAGERS, "ann", False)
        assert not any(d.removed for d in await desk.catalog.list())
        changes = await desk.intake.remove(MANAGERS, "ann", True)
        assert [c.key for c in changes] == ["workload/web", "group/managers", "group/workers"]
        assert all(d.removed for d in await desk.catalog.list())

    at_a_desk(body)


def test_everything_may_go_together_and_what_is_not_there_is_left_out() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(managers(1), workers(1))
        changes = await desk.intake.delete([file(managers(1), workers(1), workload())], "ann", False)
        assert [c.key for c in changes] == ["group/managers", "group/workers"]
        with pytest.raises(NotFoundError, match="no workload web"):
            await desk.intake.remove(WEB, "ann", False)

    at_a_desk(body)


def test_scaling_changes_the_count_and_nothing_else() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workers(1), workload(count=2, image="web:2"))
        assert (await desk.intake.scale(WORKERS, 4, "ann")).generation == 2
        assert (await desk.intake.scale(WEB, 7, "ann")).generation == 2
        assert await desk.apply(workers(4), workload(count=7, image="web:2")) == [
            ("group/workers", "unchanged", 2),
            ("workload/web", "unchanged", 2),
        ]

    at_a_desk(body)


@pytest.mark.parametrize(
    ("documents", "key", "words"),
    [
        ([managers(3)], MANAGERS, "sized by its LogicalIDs"),
        ([{"Name": "web", "Image": "web:1", "Mode": "global"}], WEB, "one container on each node, and no count"),
    ],
)
def test_what_has_no_count_is_not_scaled(documents: list[object], key: Key, words: str) -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(*documents)
        with pytest.raises(RefusedError, match=words):
            await desk.intake.scale(key, 3, "ann")

    at_a_desk(body)


def test_what_is_being_removed_is_not_scaled_and_no_count_is_negative() -> None:
    async def body(desk: Desk) -> None:
        await desk.apply(workers(1), workload())
        await desk.intake.remove(WORKERS, "ann", False)
        with pytest.raises(RefusedError, match="is being removed"):
            await desk.intake.scale(WORKERS, 3, "ann")
        with pytest.raises(InvalidError):
            await desk.intake.scale(WEB, -1, "ann")

    at_a_desk(body)


def test_two_who_change_one_spec_at_once_both_succeed() -> None:
    async def body(desk: Desk) -> None:
        await asyncio.gather(*(desk.apply(workload(count=n)) for n in range(1, 6)))
        document = await desk.catalog.require(WEB)
        assert (document.generation, len(document.history)) == (5, 5)

    at_a_desk(body)


@pytest.mark.parametrize("group_id", ["prod", "managers"])
def test_a_group_does_not_form_a_cluster_of_a_name_that_the_settings_have(group_id: str) -> None:
    """Nor are managers brought into a Swarm that is not skep's."""

    async def body(desk: Desk) -> None:
        founders = group(group_id, {"LogicalIDs": ["10.9.0.10"]}, "manager")
        if group_id != "prod":
            founders["Properties"]["Flavor"]["Properties"]["Cluster"] = "prod"  # type: ignore[index]
        with pytest.raises(RefusedError, match="would form cluster prod, and the settings have one of that name"):
            await desk.apply(founders)
        assert await desk.catalog.list() == ()
        await desk.apply(group("prod", {"Size": 1}, "worker"), workload() | {"Cluster": "prod"})

    at_a_desk(body, "prod")


def test_a_workload_may_name_a_cluster_that_comes_later() -> None:
    async def body(desk: Desk) -> None:
        assert await desk.apply(workload() | {"Cluster": "later"}) == [("workload/web", "created", 1)]

    at_a_desk(body, "prod")


# --- free and retry ---------------------------------------------------------------------------------------------


def test_what_is_freed_is_forgotten_and_comes_back_as_the_same() -> None:
    """W23: its members are its own again, since its uid is the one that they carry."""

    async def body(desk: Desk) -> None:
        await desk.apply(workload())
        before = await desk.catalog.require(WEB)
        change = await desk.intake.free(WEB, "bob")
        assert (change.key, change.change, change.generation) == ("workload/web", "freed", 1)
        assert await desk.catalog.list() == ()
        with pytest.raises(NotFoundError):
            await desk.intake.free(WEB, "bob")
        assert await desk.apply(workload()) == [("workload/web", "created", 2)]
        again = await desk.catalog.require(WEB)
        assert (again.uid, again.lives, len(again.history)) == (before.uid, (), 2)

    at_a_desk(body)


def test_what_was_freed_and_then_removed_comes_back_as_another() -> None:
    """W22."""

    async def body(desk: Desk) -> None:
        await desk.apply(workload())
        first = await desk.catalog.require(WEB)
        await desk.intake.free(WEB, "ann")
        await desk.apply(workload())
        await desk.intake.remove(WEB, "ann", False)
        await desk.catalog.forget(WEB, 3)
        await desk.apply(workload())
        assert (await desk.catalog.require(WEB)).uid != first.uid

    at_a_desk(body)


def test_managers_that_others_need_may_be_freed() -> None:
    """As InfraKit's free: nothing is lost by it, the Swarm runs on."""

    async def body(desk: Desk) -> None:
        await desk.apply(managers(1), workers(1), workload())
        assert (await desk.intake.free(MANAGERS, "ann")).change == "freed"
        assert {d.key for d in await desk.catalog.list()} == {WORKERS, WEB}

    at_a_desk(body)


def test_a_group_that_is_being_removed_may_be_freed() -> None:
    """What can't be drained or destroyed would hold it for ever; a workload ends in its own time."""

    async def body(desk: Desk) -> None:
        await desk.apply(managers(1))
        await desk.intake.remove(MANAGERS, "ann", False)
        assert (await desk.intake.free(MANAGERS, "ann")).change == "freed"
        assert await desk.catalog.list() == ()

    at_a_desk(body)


def test_a_retry_is_a_new_generation_of_the_same_spec() -> None:
    """W38."""

    async def body(desk: Desk) -> None:
        await desk.apply(workload(count=4))
        desk.woken.clear()
        change = await desk.intake.retry(WEB, "bob")
        document = await desk.catalog.require(WEB)
        assert (change.change, change.generation, desk.woken) == ("configured", 2, [WEB])
        assert (document.history[0].who, document.history[0].spec) == ("bob", document.history[1].spec)

    at_a_desk(body)


def test_what_is_being_removed_is_not_retried_and_freeing_it_ends_the_removal() -> None:
    """W23: what its cluster holds up for ever can be left to itself; an apply of the name is another life (W22)."""

    async def body(desk: Desk) -> None:
        for act in (desk.intake.free, desk.intake.retry):
            with pytest.raises(NotFoundError, match="there is no workload web"):
                await act(WEB, "ann")
        await desk.apply(workload())
        first = await desk.catalog.require(WEB)
        await desk.intake.remove(WEB, "ann", False)
        with pytest.raises(RefusedError, match="is being removed"):
            await desk.intake.retry(WEB, "ann")
        await desk.intake.free(WEB, "ann")
        assert await desk.catalog.get(WEB) is None
        await desk.apply(workload())
        again = await desk.catalog.require(WEB)
        assert (again.uid != first.uid, again.lives) == (True, (first.uid,))

    at_a_desk(body)


def test_others_get_their_turn_between_the_specs_of_one_request() -> None:
    """Properties may be large, and plugins read them where everybody else waits."""

    async def body(desk: Desk) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        waiting = asyncio.create_task(others())
        await desk.intake.read([file(managers(1), workers(1), workload())])
        waiting.cancel()
        assert turns >= 3

    at_a_desk(body)
