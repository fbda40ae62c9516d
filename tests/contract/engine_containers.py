"""What an Engine promises of its containers (semantics.md 5.3)."""

import pytest

from skep.adapters.node_image import EXAMPLE_IMAGE
from skep.model.engine import Container
from skep.model.errors import ConflictError, NotFoundError, RejectedError
from tests.conditions import until
from tests.contract.engine_bed import WITHIN_S, Bed, Check, body, name

TRIES = 20
"""A container's health changes at most once a second here: two lists in a row that agree come soon."""


async def container_state(bed: Bed, label: str) -> str:
    [only] = await bed.worker.containers({"made-by": label})
    return only.state


async def a_container_lives_from_create_to_remove(bed: Bed) -> None:
    container = name()
    id = await bed.worker.create_container(container, body(container))
    assert await container_state(bed, container) == "created"
    with pytest.raises(ConflictError):
        await bed.worker.create_container(container, body(container))
    for _ in range(2):
        await bed.worker.start_container(id)
        assert await container_state(bed, container) == "running"
    for _ in range(2):
        await bed.worker.stop_container(id, 0)
        assert await container_state(bed, container) == "exited"
    for _ in range(2):
        await bed.worker.remove_container(id)
        assert await bed.worker.containers({"made-by": container}) == []


async def containers_are_found_by_all_labels_and_an_empty_value_matches_any(bed: Bed) -> None:
    container = name()
    id = await bed.worker.create_container(container, body(container))
    for labels, matches in (({"made-by": ""}, True), ({"n": "1"}, True), ({"n": "2"}, False), ({"x": ""}, False)):
        shown = await bed.worker.containers({"made-by": container, **labels})
        assert [item.id for item in shown] == ([id] if matches else []), labels
    [only] = await bed.worker.containers({"made-by": container})
    assert (only.name, only.image, only.labels["n"]) == (container, EXAMPLE_IMAGE, "1")
    await bed.worker.remove_container(id)


async def what_is_missing_is_named(bed: Bed) -> None:
    with pytest.raises(NotFoundError, match="skep/is-not-there"):
        await bed.worker.create_container(name(), body("x") | {"Image": "skep/is-not-there:1"})
    with pytest.raises(NotFoundError):
        await bed.worker.start_container("nosuchcontainer")
    await bed.worker.remove_container("nosuchcontainer")


async def shown(bed: Bed, id: str) -> Container:
    """As a list and as a question for it alone have it, which say the same if it did not change between."""

    async def listed() -> Container:
        [container] = [item for item in await bed.worker.containers({}) if item.id == id]
        return container

    before = await listed()
    for _ in range(TRIES):
        asked = await bed.worker.container(id)
        assert asked is not None
        after = await listed()
        if _face(before) == _face(after):
            assert _face(asked) == _face(after)
            return after
        before = after
    raise AssertionError(f"{id} was never the same in two lists")


def _face(container: Container) -> tuple[object, ...]:
    return tuple(
        getattr(container, part) for part in ("id", "name", "image", "state", "labels", "health", "exit_code", "ports")
    )


async def a_container_is_asked_for_by_its_id_or_its_whole_name_and_as_it_is_now(bed: Bed) -> None:
    container = name()
    id = await bed.worker.create_container(container, body(container))
    for act, state in ((None, "created"), (bed.worker.start_container, "running")):
        if act:
            await act(id)
        for asked in (id, container):
            found = await bed.worker.container(asked)
            assert found is not None
            assert (found.id, found.name, found.state, found.labels["made-by"]) == (id, container, state, container)
    for asked in (id[:12], container[:-1], "nosuchcontainer"):
        assert await bed.worker.container(asked) is None
    await bed.worker.remove_container(id)
    assert await bed.worker.container(id) is None


async def an_exit_code_is_known_of_a_container_that_has_ended_only(bed: Bed) -> None:
    container = name()
    id = await bed.worker.create_container(container, body(container))
    assert (await shown(bed, id)).exit_code is None
    await bed.worker.start_container(id)
    assert (await shown(bed, id)).exit_code is None
    await bed.worker.stop_container(id, 0)
    assert (await shown(bed, id)).exit_code in (137, 143)  # by KILL or by TERM: the race of a grace of nothing
    await bed.worker.start_container(id)
    assert (await shown(bed, id)).exit_code is None
    await bed.worker.remove_container(id)


async def a_stop_without_a_grace_takes_the_containers_own(bed: Bed) -> None:
    container = name()
    id = await bed.worker.create_container(container, body(container, StopTimeout=0))
    await bed.worker.start_container(id)
    await bed.worker.stop_container(id, None)
    assert await container_state(bed, container) == "exited"
    await bed.worker.remove_container(id)


async def what_does_not_run_is_stopped_already(bed: Bed) -> None:
    container = name()
    id = await bed.worker.create_container(container, body(container))
    await bed.worker.stop_container(id, None)
    assert await container_state(bed, container) == "created"
    await bed.worker.remove_container(id)
    await bed.worker.stop_container(id, None)


async def health_is_told_while_a_checked_container_runs(bed: Bed) -> None:
    container, check = name(), {"Test": ["CMD", "true"], "Interval": 1_000_000_000, "Timeout": 5_000_000_000}
    id = await bed.worker.create_container(container, body(container, Healthcheck=check))
    assert (await shown(bed, id)).health == ""
    await bed.worker.start_container(id)

    async def health() -> str:
        return (await shown(bed, id)).health

    assert await health() in ("starting", "healthy")
    await until(health, "healthy", within_s=WITHIN_S)
    await bed.worker.stop_container(id, 0)
    assert await health() == ""
    await bed.worker.remove_container(id)


async def ports_are_published_while_a_container_runs(bed: Bed) -> None:
    ids = []
    for bound in ("", "18099"):
        more = {"ExposedPorts": {"80/tcp": {}}, "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": bound}]}}}
        ids.append(await bed.worker.create_container(name(), body("ports", **more)))
        assert (await shown(bed, ids[-1])).ports == ()
        await bed.worker.start_container(ids[-1])
        [(published, target, protocol)] = (await shown(bed, ids[-1])).ports
        assert (target, protocol) == (80, "tcp")
        assert published == int(bound) if bound else published > 1024
    for id in ids:
        await bed.worker.stop_container(id, 0)
        assert (await shown(bed, id)).ports == ()
        await bed.worker.remove_container(id)


async def a_port_is_taken_once_and_the_container_stays_created(bed: Bed) -> None:
    more = {"ExposedPorts": {"80/tcp": {}}, "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "18098"}]}}}
    first, second = [await bed.worker.create_container(name(), body("port", **more)) for _ in range(2)]
    await bed.worker.start_container(first)
    with pytest.raises(RejectedError, match="port is already allocated"):
        await bed.worker.start_container(second)
    assert (await shown(bed, second)).state == "created"
    await bed.worker.remove_container(first)
    await bed.worker.start_container(second)
    await bed.worker.remove_container(second)


async def a_network_that_is_missing_refuses_the_start_and_not_the_container(bed: Bed) -> None:
    container = name()
    id = await bed.worker.create_container(container, body(container, HostConfig={"NetworkMode": "nosuchnetwork"}))
    with pytest.raises(RejectedError, match="network nosuchnetwork not found"):
        await bed.worker.start_container(id)
    assert await container_state(bed, container) == "created"
    await bed.worker.remove_container(id)


CHECKS: list[Check] = [
    a_container_lives_from_create_to_remove,
    containers_are_found_by_all_labels_and_an_empty_value_matches_any,
    what_is_missing_is_named,
    a_container_is_asked_for_by_its_id_or_its_whole_name_and_as_it_is_now,
    an_exit_code_is_known_of_a_container_that_has_ended_only,
    a_stop_without_a_grace_takes_the_containers_own,
    what_does_not_run_is_stopped_already,
    health_is_told_while_a_checked_container_runs,
    ports_are_published_while_a_container_runs,
    a_port_is_taken_once_and_the_container_stays_created,
    a_network_that_is_missing_refuses_the_start_and_not_the_container,
]
