"""What an Engine promises of the Swarm that it manages: nodes, tokens, services, tasks (semantics.md 4.1, 5.2)."""

import asyncio
from typing import Any

import pytest

from skep.model.engine import Node, Service
from skep.model.errors import ConflictError, NotFoundError, RejectedError, UnavailableError
from tests.conditions import until
from tests.contract.engine_bed import SLEEP, WITHIN_S, Bed, Check, name


def service_spec(bed: Bed, service: str, replicas: int = 1, image: str = "", **env: str) -> dict[str, Any]:
    container = {
        "Image": image or bed.image,
        "Command": SLEEP,
        "Env": [f"{key}={value}" for key, value in env.items()],
        "StopGracePeriod": 100_000_000,
    }
    return {
        "Name": service,
        "Labels": {"made-by": service},
        "TaskTemplate": {"ContainerSpec": container},
        "Mode": {"Replicated": {"Replicas": replicas}},
    }


async def found(bed: Bed, service: str) -> Service:
    [only] = await bed.manager.services({"label": [f"made-by={service}"]})
    return only


async def worker_node(bed: Bed) -> Node:
    [node] = await bed.manager.nodes({"role": ["worker"]})
    return node


async def states(bed: Bed, service: str) -> list[str]:
    tasks = await bed.manager.tasks({"service": [service], "desired-state": ["running"]})
    return sorted(task.state for task in tasks)


# --- nodes ------------------------------------------------------------------------------------------------------------


async def info_tells_who_manages(bed: Bed) -> None:
    manager, worker = await bed.manager.info(), await bed.worker.info()
    assert (manager.swarm_state, manager.control, worker.swarm_state, worker.control) == (
        "active",
        True,
        "active",
        False,
    )
    assert manager.cluster_id
    assert not worker.cluster_id
    assert {node.id for node in await bed.manager.nodes()} == {manager.node_id, worker.node_id}
    assert manager.id != worker.id
    assert manager.version
    assert manager.node_addr


async def nodes_are_shown_with_role_state_and_reachability(bed: Bed) -> None:
    [manager] = await bed.manager.nodes({"role": ["manager"]})
    assert (manager.state, manager.reachability, manager.leader) == ("ready", "reachable", True)
    assert manager.manager_addr == f"{manager.addr}:2377"
    worker = await worker_node(bed)
    assert (worker.state, worker.reachability, worker.leader, worker.manager_addr) == ("ready", "", False, "")
    assert [node.id for node in await bed.manager.nodes({"id": [worker.id]})] == [worker.id]
    assert await bed.manager.nodes({"label": ["no-such-engine-label=1"]}) == []


async def an_update_of_a_node_changes_only_what_is_given(bed: Bed) -> None:
    """N26."""
    for labels, availability in (({"disk": "ssd"}, None), (None, "drain"), (None, "active"), ({}, None)):
        node = await worker_node(bed)
        await bed.manager.update_node(node.id, node.version, labels=labels, availability=availability)
        after = await worker_node(bed)
        assert after.version != node.version
        assert after.labels == (node.labels if labels is None else labels)
        assert after.availability == (availability or node.availability)
        assert after.role == "worker"


async def an_outdated_version_of_a_node_is_a_conflict(bed: Bed) -> None:
    node = await worker_node(bed)
    await bed.manager.update_node(node.id, node.version, labels={"a": "1"})
    with pytest.raises(ConflictError):
        await bed.manager.update_node(node.id, node.version, labels={"a": "2"})
    assert (await worker_node(bed)).labels == {"a": "1"}


async def a_node_that_is_not_there_can_be_removed_and_not_updated(bed: Bed) -> None:
    await bed.manager.remove_node("nosuchnode", force=True)
    with pytest.raises(NotFoundError):
        await bed.manager.update_node("nosuchnode", 1, availability="drain")


async def ready_nodes_and_managers_are_not_removed(bed: Bed) -> None:
    """semantics.md 4.1."""
    with pytest.raises(RejectedError, match="not down"):
        await bed.manager.remove_node((await worker_node(bed)).id, force=False)
    [manager] = await bed.manager.nodes({"role": ["manager"]})
    with pytest.raises(RejectedError, match="must be demoted"):
        await bed.manager.remove_node(manager.id, force=True)
    with pytest.raises(RejectedError, match="last manager"):
        await bed.manager.update_node(manager.id, manager.version, role="worker")
    assert len(await bed.manager.nodes()) == 2


async def a_worker_can_not_be_asked_for_the_swarm(bed: Bed) -> None:
    for call in (bed.worker.nodes(), bed.worker.services(), bed.worker.tasks({}), bed.worker.join_tokens()):
        with pytest.raises(UnavailableError, match="not a swarm manager"):
            await call


async def tokens_differ_by_role_and_do_not_show(bed: Bed) -> None:
    tokens = await bed.manager.join_tokens()
    assert tokens.worker.startswith("SWMTKN-1-")
    assert tokens.manager.startswith("SWMTKN-1-")
    assert tokens.worker != tokens.manager
    assert "SWMTKN" not in repr(tokens)


# --- the Swarm itself -------------------------------------------------------------------------------------------------


async def the_swarms_labels_are_replaced_as_a_whole(bed: Bed) -> None:
    for labels in ({"a": "1", "infrakit": "x" * 100_000}, {"b": "<&>"}, {}):
        before = await bed.manager.swarm_labels()
        await bed.manager.update_swarm_labels(before.version, labels)
        after = await bed.manager.swarm_labels()
        assert after.labels == labels
        assert after.version != before.version


async def an_outdated_version_of_the_swarm_is_a_conflict(bed: Bed) -> None:
    before = await bed.manager.swarm_labels()
    await bed.manager.update_swarm_labels(before.version, {"a": "1"})
    with pytest.raises(ConflictError):
        await bed.manager.update_swarm_labels(before.version, {"a": "2"})
    assert (await bed.manager.swarm_labels()).labels == {"a": "1"}


async def of_two_who_write_the_swarms_labels_at_once_one_wins(bed: Bed) -> None:
    before = await bed.manager.swarm_labels()
    writes = [bed.manager.update_swarm_labels(before.version, {"writer": str(n)}) for n in range(2)]
    ended = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(end) for end in ended if end is not None] == [ConflictError]
    winner = str(ended.index(None))
    assert (await bed.manager.swarm_labels()).labels == {"writer": winner}


async def a_worker_does_not_tell_the_swarms_labels(bed: Bed) -> None:
    with pytest.raises(UnavailableError, match="not a swarm manager"):
        await bed.worker.swarm_labels()


# --- services ---------------------------------------------------------------------------------------------------------


async def a_service_runs_its_tasks_until_it_is_removed(bed: Bed) -> None:
    service = name()
    id = await bed.manager.create_service(service_spec(bed, service, replicas=2))
    assert (await found(bed, service)).id == id
    await until(lambda: states(bed, service), ["running"] * 2, within_s=WITHIN_S)
    tasks = await bed.manager.tasks({"service": [service], "desired-state": ["running"]})
    assert {task.slot for task in tasks} == {1, 2}
    assert all(task.container_id and task.service_id == id for task in tasks)
    assert {task.node_id for task in tasks} == {node.id for node in await bed.manager.nodes()}
    on_worker = await bed.manager.tasks({"service": [service], "node": [(await worker_node(bed)).id]})
    assert len(on_worker) == 1
    await bed.manager.remove_service(service)
    await bed.manager.remove_service(service)
    assert await bed.manager.services({"name": [service]}) == []


async def a_name_is_taken_once(bed: Bed) -> None:
    service = name()
    await bed.manager.create_service(service_spec(bed, service, replicas=0))
    with pytest.raises(ConflictError):
        await bed.manager.create_service(service_spec(bed, service, replicas=0))
    await bed.manager.remove_service(service)


async def a_spec_that_makes_no_sense_is_refused(bed: Bed) -> None:
    with pytest.raises(RejectedError):
        await bed.manager.create_service(service_spec(bed, "no name"))


async def an_outdated_version_of_a_service_is_a_conflict(bed: Bed) -> None:
    service = name()
    await bed.manager.create_service(service_spec(bed, service, replicas=0))
    before = await found(bed, service)
    await bed.manager.update_service(before.id, before.version, service_spec(bed, service, replicas=0, A="1"))
    with pytest.raises(ConflictError):
        await bed.manager.update_service(before.id, before.version, service_spec(bed, service, replicas=0, A="2"))
    with pytest.raises(NotFoundError):
        await bed.manager.update_service("nosuchservice", before.version, service_spec(bed, service))
    await bed.manager.remove_service(service)


async def the_live_spec_holds_what_was_sent(bed: Bed) -> None:
    service = name()
    sent = service_spec(bed, service, replicas=0, A="1")
    await bed.manager.create_service(sent)
    live = await found(bed, service)
    container: Any = live.spec["TaskTemplate"]
    assert container["ContainerSpec"]["Env"] == ["A=1"]
    assert (live.name, live.labels, live.update_state) == (service, {"made-by": service}, "")
    assert live.spec["Mode"] == {"Replicated": {"Replicas": 0}} or live.spec["Mode"] == {"Replicated": {}}
    assert live.created_s > 0
    await bed.manager.remove_service(service)


async def a_new_count_is_no_update_and_a_new_template_is_one_that_completes(bed: Bed) -> None:
    service = name()
    await bed.manager.create_service(service_spec(bed, service))
    await until(lambda: states(bed, service), ["running"], within_s=WITHIN_S)
    before = await found(bed, service)
    await bed.manager.update_service(before.id, before.version, service_spec(bed, service, replicas=2))
    await until(lambda: states(bed, service), ["running"] * 2, within_s=WITHIN_S)
    scaled = await found(bed, service)
    assert scaled.update_state in ("", "completed")

    async def update_state() -> str:
        return (await found(bed, service)).update_state

    await bed.manager.update_service(scaled.id, scaled.version, service_spec(bed, service, replicas=2, A="new"))
    await until(update_state, "completed", within_s=WITHIN_S)
    assert await states(bed, service) == ["running"] * 2
    await bed.manager.remove_service(service)


async def an_image_that_a_node_lacks_is_rejected_and_tried_again(bed: Bed) -> None:
    service = name()
    await bed.manager.create_service(service_spec(bed, service, image="sha256:" + 64 * "0"))

    async def rejections() -> bool:
        tasks = await bed.manager.tasks({"service": [service]})
        return sum(task.state == "rejected" and "No such image" in task.error for task in tasks) >= 2

    await until(rejections, True, within_s=WITHIN_S)
    await bed.manager.remove_service(service)


CHECKS: list[Check] = [
    info_tells_who_manages,
    nodes_are_shown_with_role_state_and_reachability,
    an_update_of_a_node_changes_only_what_is_given,
    an_outdated_version_of_a_node_is_a_conflict,
    a_node_that_is_not_there_can_be_removed_and_not_updated,
    ready_nodes_and_managers_are_not_removed,
    a_worker_can_not_be_asked_for_the_swarm,
    tokens_differ_by_role_and_do_not_show,
    the_swarms_labels_are_replaced_as_a_whole,
    an_outdated_version_of_the_swarm_is_a_conflict,
    of_two_who_write_the_swarms_labels_at_once_one_wins,
    a_worker_does_not_tell_the_swarms_labels,
    a_service_runs_its_tasks_until_it_is_removed,
    a_name_is_taken_once,
    a_spec_that_makes_no_sense_is_refused,
    an_outdated_version_of_a_service_is_a_conflict,
    the_live_spec_holds_what_was_sent,
    a_new_count_is_no_update_and_a_new_template_is_one_that_completes,
    an_image_that_a_node_lacks_is_rejected_and_tried_again,
]
