"""Docker Engines: ports.Engine and ports.Engines over the Engine API."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from urllib.parse import quote

from msgspec import Struct

from skep.adapters import docker_read as read
from skep.adapters.docker_classic import classic_body, create_kind, remove_kind
from skep.adapters.docker_errors import start_kind
from skep.adapters.docker_images import ImageCalls
from skep.adapters.docker_read_containers import ContainerAnswer, InspectAnswer, read_container, read_inspected
from skep.adapters.docker_routes import Access
from skep.adapters.docker_swarm import SwarmCalls
from skep.adapters.docker_wire import (
    ACT_TIMEOUT_S,
    NO_ACCESS,
    READ_TIMEOUT_S,
    STREAM_TIMEOUT_S,
    Lane,
    Query,
    Request,
    Wire,
    filters_query,
    lines,
)
from skep.model.engine import Container, EngineEvent, EngineInfo, Network, Volume
from skep.model.errors import ConflictError, NotFoundError, UnavailableError
from skep.model.json import JsonObject

REMOVAL_POLL_S = 0.1
"""How often a removal that another client began is looked at."""
REMOVAL_POLLS_MAX = 600
"""A minute: killing a machine of many containers takes some seconds."""


class _Created(Struct):
    Id: str


class DockerEngine(SwarmCalls, ImageCalls):
    """One Docker Engine; closed by its owner. Made by DockerEngines, or by hand for a single one."""

    def __init__(
        self, endpoint: str, parallel: int = 0, read_timeout_s: float = READ_TIMEOUT_S, access: Access = NO_ACCESS
    ) -> None:
        """`parallel` calls at once; 0 is two for each core. InvalidError for an endpoint that is not spoken."""
        self._wire = Wire(endpoint, parallel, read_timeout_s, access)

    @property
    def endpoint(self) -> str:
        return self._wire.endpoint

    async def close(self) -> None:
        await self._wire.close()

    async def info(self) -> EngineInfo:
        answer = await self._wire.read("read its state", "info", read.InfoAnswer)
        return read.read_info(answer, await self._wire.version())

    async def events(self, filters: Mapping[str, Sequence[str]]) -> AsyncIterator[EngineEvent]:
        """`since` closes the gap in which the engine has answered and not yet subscribed.

        A classic Swarm manager takes no filters (semantics.md 5.4): here they are applied.
        """
        what = "follow events"
        query = [("since", f"{time.time():.9f}"), *filters_query(filters)]
        async with self._wire.stream(Request(what, "GET", "events", query), timeout_s=None) as chunks:
            yield EngineEvent("skep", "subscribed", "", {})
            async for line in lines(chunks):
                event = read.read_event(line)
                if not self._wire.classic or read.is_wanted(event, filters):
                    yield event
        raise UnavailableError(f"could not {what} on {self.endpoint}: the stream ended")

    async def containers(self, labels: Mapping[str, str]) -> Sequence[Container]:
        query = [("all", "1"), *_label_filters(labels)]
        answers = await self._wire.read("list containers", "containers/json", list[ContainerAnswer], query)
        return [read_container(answer) for answer in answers]

    async def container(self, container: str) -> Container | None:
        """The engine also takes the beginning of an ID: what it finds by that is not what was asked for."""
        path = f"containers/{quote(container)}/json"
        try:
            found = read_inspected(await self._wire.read(f"inspect {container}", path, InspectAnswer))
        except NotFoundError:
            return None
        return found if container in (found.id, found.name) else None

    async def create_container(self, name: str, body: JsonObject) -> str:
        what, query = f"create container {name}", [("name", name)]
        if await self._wire.is_classic():
            return await self._create_somewhere(what, query, body)
        return (await self._wire.create(what, "containers/create", _Created, query, body=body)).Id

    async def _create_somewhere(self, what: str, query: Query, body: JsonObject) -> str:
        """A classic Swarm manager chooses the engine, and pulls what is missing there before it answers."""
        created = await self._wire.create(
            what,
            "containers/create",
            _Created,
            query,
            body=classic_body(body),
            timeout_s=STREAM_TIMEOUT_S,
            registry_auth=(await self._wire.credentials(str(body["Image"]))).header,
            meaning=create_kind,
        )
        return created.Id

    async def start_container(self, container: str) -> None:
        path = f"containers/{quote(container)}/start"
        await self._wire.act(f"start container {container}", "POST", path, meaning=start_kind)

    async def stop_container(self, container: str, grace_s: int | None) -> None:
        """Its own grace is not known here, so that no answer is waited for longer than a stream's."""
        what, path = f"stop container {container}", f"containers/{quote(container)}/stop"
        timeout_s = STREAM_TIMEOUT_S if grace_s is None else grace_s + ACT_TIMEOUT_S
        query = [] if grace_s is None else [("t", str(grace_s))]
        with suppress(NotFoundError):
            await self._wire.act(what, "POST", path, query, timeout_s=timeout_s, lane=Lane.WAIT)

    async def remove_container(self, container: str) -> None:
        """A removal that is already under way is waited for (semantics.md W29)."""
        what = f"remove container {container}"
        for _ in range(REMOVAL_POLLS_MAX):
            if await self._removed(what, container):
                return
            await asyncio.sleep(REMOVAL_POLL_S)
        raise UnavailableError(f"could not {what} on {self.endpoint}: its removal does not end")

    async def _removed(self, what: str, container: str) -> bool:
        try:
            query = [("force", "1"), ("v", "1")]
            await self._wire.remove(what, f"containers/{quote(container)}", query, meaning=remove_kind)
        except ConflictError:
            return False
        return True

    async def container_logs(self, container: str, tail: int) -> str:
        query = [("stdout", "1"), ("stderr", "1"), ("tail", str(tail))]
        return read.log_text(
            await self._wire.raw(f"read the log of {container}", f"containers/{quote(container)}/logs", query)
        )

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        body: JsonObject = {"Name": name, "Labels": dict(labels)}
        await self._wire.act(f"create volume {name}", "POST", "volumes/create", body=body)

    async def volumes(self, labels: Mapping[str, str]) -> Sequence[Volume]:
        answer = await self._wire.read("list volumes", "volumes", read.VolumesAnswer, _label_filters(labels))
        return [read.read_volume(volume) for volume in answer.volumes or []]

    async def remove_volume(self, name: str) -> None:
        await self._wire.remove(f"remove volume {name}", f"volumes/{quote(name)}")

    async def networks(self) -> Sequence[Network]:
        """The list leaves out who is on a network: those of this engine alone are asked one by one."""
        answers = await self._wire.read("list networks", "networks", list[read.NetworkAnswer])
        whole = await asyncio.gather(*(self._with_addresses(answer) for answer in answers))
        return [read.read_network(answer) for answer in whole if answer is not None]

    async def _with_addresses(self, answer: read.NetworkAnswer) -> read.NetworkAnswer | None:
        """None for one that went away in the meantime."""
        if answer.scope != "local" or answer.driver in ("host", "null"):
            return answer
        try:
            return await self._wire.read(f"inspect network {answer.name}", f"networks/{answer.id}", read.NetworkAnswer)
        except NotFoundError:
            return None

    async def create_network(self, body: JsonObject) -> str:
        what = f"create network {body.get('Name', '')}"
        return (await self._wire.create(what, "networks/create", _Created, body={"CheckDuplicate": True, **body})).Id

    async def remove_network(self, network: str) -> None:
        await self._wire.remove(f"remove network {network}", f"networks/{quote(network)}")


def _label_filters(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """An empty value matches any."""
    wanted = [f"{name}={value}" if value else name for name, value in labels.items()]
    return filters_query({"label": wanted} if wanted else {})


class DockerEngines:
    """Engines by endpoint, one connection pool each. Closed by its owner."""

    def __init__(self, parallel: int = 0, read_timeout_s: float = READ_TIMEOUT_S, access: Access = NO_ACCESS) -> None:
        """For each engine: calls at once (0 is two for each core), and how long a question may take; for all of
        them, what it takes to reach them."""
        self._parallel, self._read_timeout_s, self._access = parallel, read_timeout_s, access
        self._engines: dict[str, DockerEngine] = {}

    def engine(self, endpoint: str) -> DockerEngine:
        """InvalidError for a scheme that is not spoken."""
        if endpoint not in self._engines:
            self._engines[endpoint] = DockerEngine(endpoint, self._parallel, self._read_timeout_s, self._access)
        return self._engines[endpoint]

    async def close(self) -> None:
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            await engine.close()
