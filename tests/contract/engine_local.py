"""What an Engine promises of itself: volumes, networks, images, events (semantics.md 5.3)."""

import asyncio
import io
import secrets
import tarfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skep.adapters.node_image import EXAMPLE_IMAGE
from skep.model.errors import ConflictError, InvalidError, RejectedError, UnavailableError
from tests.contract.engine_bed import WITHIN_S, Bed, Check, body, name

# --- volumes, networks, images ----------------------------------------------------------------------------


async def a_volume_is_made_once_and_found_by_label(bed: Bed) -> None:
    volume = name()
    for _ in range(2):
        await bed.worker.create_volume(volume, {"made-by": volume})
    assert [item.name for item in await bed.worker.volumes({"made-by": volume})] == [volume]
    for _ in range(2):
        await bed.worker.remove_volume(volume)
    assert await bed.worker.volumes({"made-by": ""}) == []


async def a_network_stays_while_containers_are_on_it(bed: Bed) -> None:
    network, subnet = name(), "10.203.7.0/24"
    spec: dict[str, Any] = {"Name": network, "Driver": "bridge", "Labels": {"made-by": network}}
    id = await bed.worker.create_network(spec | {"IPAM": {"Config": [{"Subnet": subnet}]}})
    with pytest.raises(ConflictError):
        await bed.worker.create_network(spec)
    [shown] = [item for item in await bed.worker.networks() if item.id == id]
    assert (shown.name, shown.subnets, shown.addresses, shown.labels) == (network, (subnet,), (), {"made-by": network})
    container = await bed.worker.create_container(name(), body("n", HostConfig={"NetworkMode": network}))
    await bed.worker.start_container(container)
    [shown] = [item for item in await bed.worker.networks() if item.id == id]
    assert len(shown.addresses) == 1
    with pytest.raises(ConflictError):
        await bed.worker.remove_network(network)
    await bed.worker.remove_container(container)
    for _ in range(2):
        await bed.worker.remove_network(network)
    assert id not in [item.id for item in await bed.worker.networks()]


async def images_travel_from_engine_to_engine(bed: Bed) -> None:
    image = f"skep/{name()}:1"
    id = await bed.manager.import_image(image, parts(empty_tar()), ["LABEL a=1"])
    assert (await bed.manager.image_ids())[image] == id
    assert image not in await bed.worker.image_ids()
    await bed.worker.load_images(bed.manager.save_images([image]))
    assert (await bed.worker.image_ids())[image] == id


async def what_no_registry_gives_is_not_pulled(bed: Bed) -> None:
    assert not await bed.worker.pull_image("localhost:9/skep/is-not-there:1", timeout_s=5)
    assert await bed.worker.resolve_digest("localhost:9/skep/is-not-there:1") is None


async def an_image_is_asked_for_by_name_or_id(bed: Bed) -> None:
    id = (await bed.worker.image_ids())[EXAMPLE_IMAGE]
    for asked in (EXAMPLE_IMAGE, id):
        found = await bed.worker.image(asked)
        assert found is not None
        assert (found.id, found.digests) == (id, ())
    for asked in ("skep/is-not-there:1", f"{EXAMPLE_IMAGE}@sha256:{'0' * 64}"):
        assert await bed.worker.image(asked) is None


async def what_no_registry_gives_is_not_fetched(bed: Bed) -> None:
    with pytest.raises((RejectedError, UnavailableError), match="could not pull image localhost:9/skep/is-not-there:1"):
        await bed.worker.fetch_image("localhost:9/skep/is-not-there:1")


async def parts(data: bytes) -> AsyncIterator[bytes]:
    yield data


def empty_tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = 8
        tar.addfile(entry, io.BytesIO(secrets.token_bytes(8)))
    return data.getvalue()


# --- the connection ---------------------------------------------------------------------------------------------------


async def events_begin_with_a_sign_and_tell_what_happens_after_it(bed: Bed) -> None:
    container = name()
    events = bed.worker.events({"type": ["container"], "label": [f"made-by={container}"]})
    async with asyncio.timeout(WITHIN_S):
        first = await anext(events)
        assert (first.type, first.action) == ("skep", "subscribed")
        other = await bed.worker.create_container(name(), body("other"))
        id = await bed.worker.create_container(container, body(container))
        seen = await anext(events)
    assert (seen.type, seen.action, seen.id, seen.attributes["name"]) == ("container", "create", id, container)
    await events.aclose()  # type: ignore[attr-defined]
    await bed.worker.remove_container(id)
    await bed.worker.remove_container(other)


async def an_engine_that_is_not_there_does_not_answer(bed: Bed) -> None:
    with pytest.raises(UnavailableError):
        await bed.engines.engine(bed.nowhere).info()
    with pytest.raises(InvalidError):
        bed.engines.engine("carrier-pigeon://loft")


CHECKS: list[Check] = [
    a_volume_is_made_once_and_found_by_label,
    a_network_stays_while_containers_are_on_it,
    images_travel_from_engine_to_engine,
    what_no_registry_gives_is_not_pulled,
    what_no_registry_gives_is_not_fetched,
    an_image_is_asked_for_by_name_or_id,
    events_begin_with_a_sign_and_tell_what_happens_after_it,
    an_engine_that_is_not_there_does_not_answer,
]
