"""A classic Swarm manager (docker/swarm 1.2) in front of Docker Engines, with the ways of semantics.md 5.4.

It knows containers from a memory that is filled anew every 30 to 60 seconds and by what it did itself; acts and looks
are passed on to the engine that has the container.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import unquote

from skep.model.engine import Container, EngineEvent
from skep.model.errors import ConflictError, NotFoundError, SkepError
from skep.ports import Clock, Engine
from tests.fakes.classic_swarm_json import event_line, inspected, listed

REFRESH_S = (30.0, 60.0)
"""Between two refreshes of what is known of an engine: the manager's own defaults."""

RETRY_S = 0.5
CORES = 4
"""Of each engine, as the scheduler counts them."""

UNREPORTED = "Container created but refresh didn't report it back"


@dataclass(frozen=True)
class Asked:
    """A request. `path` begins after the API version and has no query."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    registry_auth: str = ""

    @property
    def filters(self) -> Mapping[str, list[str]]:
        """Those of a list."""
        found: Mapping[str, list[str]] = json.loads(self.query.get("filters") or "{}")
        return found


@dataclass(frozen=True)
class Answer:
    """RefusalErrors are plain text, with no JSON around them."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


class RefusalError(Exception):
    """What the manager says no with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Node:
    """An engine as the manager knows it. `pending`: names that are being created on it."""

    name: str
    engine: Engine
    healthy: bool = True
    containers: dict[str, Container] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)


class ClassicSwarm:
    """The manager of these engines, by node name.

    unreported: so many next creations happen, and are answered with an error (5.4, 6). overtaken: so many next ones
    are answered well and fall out of memory, as a refresh that was begun before them puts back what it saw then.
    elected: cleared, it is a replica without a primary, and everybody waits (5.4, 8). asked: all requests.
    """

    def __init__(
        self, engines: Mapping[str, Engine], clock: Clock, rng: Random, refresh_s: tuple[float, float] = REFRESH_S
    ) -> None:
        self.nodes = [Node(name, engine) for name, engine in engines.items()]
        self.unreported = self.overtaken = 0
        self.elected = asyncio.Event()
        self.elected.set()
        self.asked: list[Asked] = []
        self._clock, self._rng, self._refresh_s = clock, rng, refresh_s
        self._listeners: list[asyncio.Queue[bytes]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ClassicSwarm"]:
        """It knows all engines when the block begins, and forwards their events until it ends."""
        await self.refresh()
        tasks = [asyncio.create_task(run(node)) for node in self.nodes for run in (self._keep, self._forward)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- what it knows ------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """What is known of all engines, filled anew now."""
        await asyncio.gather(*map(self._refresh, self.nodes))

    async def _keep(self, node: Node) -> None:
        while True:
            await self._clock.sleep(self._rng.uniform(*self._refresh_s))
            await self._refresh(node)

    async def _refresh(self, node: Node) -> None:
        try:
            found = await node.engine.containers({})
        except SkepError:
            node.healthy = False
            return
        node.healthy, node.containers = True, {c.id: c for c in found}

    async def _refresh_one(self, node: Node, id: str) -> None:
        found = await node.engine.container(id)
        if found is None:
            node.containers.pop(id, None)
        else:
            node.containers[id] = found

    async def _forward(self, node: Node) -> None:
        """What is told by one engine, to all who listen now; it changes nothing of what is known."""
        while True:
            with suppress(SkepError):
                async for event in node.engine.events({}):
                    self._tell(node, event)
            await self._clock.sleep(RETRY_S)

    def _tell(self, node: Node, event: EngineEvent) -> None:
        for listener in self._listeners if event.type != "skep" else ():
            listener.put_nowait(event_line(node.name, event))

    def _find(self, name: str) -> tuple[Node, Container]:
        """By ID or by name, with the node before it or without; two of one name are none."""
        known = [(node, c) for node in self.nodes for c in node.containers.values()]
        by_id = [(node, c) for node, c in known if c.id == name]
        named = [(node, c) for node, c in known if name.lstrip("/") in (c.name, f"{node.name}/{c.name}")]
        found = by_id or named
        if len(found) != 1:
            raise RefusalError(404, f"No such container: {name}")
        node, container = found[0]
        if not node.healthy:
            raise RefusalError(500, f"Container {name} running on unhealthy node {node.name}")
        return node, container

    # --- what it answers ----------------------------------------------------------------------------------------------

    async def answer(self, asked: Asked) -> Answer:
        """Everything but events."""
        self.asked.append(asked)
        await self.elected.wait()
        for method, path, act in self._routes():
            match = re.fullmatch(path, asked.path)
            if method == asked.method and match is not None:
                return await self._tried(act, asked, *map(unquote, match.groups()))
        return Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")

    def _routes(self) -> list[tuple[str, str, Callable[..., Awaitable[object]]]]:
        return [
            ("GET", "_ping", self._ping),
            ("GET", "version", self._version),
            ("GET", "info", self._info),
            ("GET", "containers/json", self._list),
            ("POST", "containers/create", self._create),
            ("GET", "containers/([^/]+)/json", self._inspect),
            ("GET", "containers/([^/]+)/logs", self._logs),
            ("POST", "containers/([^/]+)/start", self._start),
            ("POST", "containers/([^/]+)/stop", self._stop),
            ("DELETE", "containers/([^/]+)", self._remove),
            ("GET", "images/(.+)/json", self._image),
        ]

    async def _tried(self, act: Callable[..., Awaitable[object]], asked: Asked, *names: str) -> Answer:
        try:
            given = await act(asked, *names)
        except RefusalError as refusal:
            return Answer(refusal.status, f"{refusal}\n".encode(), "text/plain; charset=utf-8")
        except NotFoundError as error:
            return Answer(404, f"{error}\n".encode(), "text/plain; charset=utf-8")
        except SkepError as error:
            return Answer(500, f"Error response from daemon: {error}\n".encode(), "text/plain; charset=utf-8")
        if given is None:
            return Answer(204)
        status = 201 if asked.path == "containers/create" else 200
        return Answer(status, given if isinstance(given, bytes) else json.dumps(given).encode())

    async def events(self) -> AsyncIterator[bytes]:
        """Lines, from now on, of everything: `since` and filters are not looked at (5.4, 4)."""
        await self.elected.wait()
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    async def _ping(self, asked: Asked) -> bytes:
        return b"OK"

    async def _version(self, asked: Asked) -> object:
        return {"Version": "swarm/1.2.9", "ApiVersion": "1.40", "GoVersion": "go1.7.1", "Os": "linux", "Arch": "amd64"}

    async def _info(self, asked: Asked) -> object:
        status = [["Role", "primary"], ["Strategy", "spread"], ["Nodes", str(len(self.nodes))]]
        for node in self.nodes:
            status.append([f" {node.name}", node.engine.endpoint])
            status.append(["  └ Status", "Healthy" if node.healthy else "Unhealthy"])
            status.append(["  └ Containers", str(len(node.containers))])
        return {
            "Name": "manager",
            "Containers": sum(len(n.containers) for n in self.nodes),
            "DriverStatus": None,
            "SystemStatus": status,
            "ServerVersion": "swarm/1.2.9",
            "OperatingSystem": "linux",
            "Architecture": "amd64",
            "NCPU": CORES * len(self.nodes),
            "Labels": None,
            "Swarm": {"NodeID": "", "LocalNodeState": "", "ControlAvailable": False, "RemoteManagers": None},
        }

    async def _list(self, asked: Asked) -> object:
        """5.4, 1 to 3: what does not run, and what is on a node that does not answer, only if all are asked for."""
        labels = [text.partition("=") for text in asked.filters.get("label", [])]
        return [
            listed(node.name, c, healthy=node.healthy)
            for node in self.nodes
            for c in node.containers.values()
            if (asked.query.get("all") == "1" or (node.healthy and c.state == "running"))
            and all(name in c.labels and (not equals or c.labels[name] == value) for name, equals, value in labels)
        ]

    async def _inspect(self, asked: Asked, name: str) -> object:
        """What is not in memory is not there; what is, is asked of its engine."""
        node, known = self._find(name)
        found = await node.engine.container(known.id)
        if found is None:
            raise RefusalError(404, f"No such container: {known.id}")
        return inspected(node.name, found)

    async def _logs(self, asked: Asked, name: str) -> object:
        node, known = self._find(name)
        return (await node.engine.container_logs(known.id, int(asked.query["tail"]))).encode()

    async def _image(self, asked: Asked, name: str) -> object:
        for node in self.nodes:
            image = await node.engine.image(name) if node.healthy else None
            if image is not None:
                return {"Id": image.id, "RepoDigests": list(image.digests)}
        raise RefusalError(404, f"No such image: {name}")

    # --- what it does -------------------------------------------------------------------------------------------------

    async def _create(self, asked: Asked) -> object:
        """5.4, 6 and 7: one of a name in the cluster, as far as is known; an image that is missing is pulled."""
        name, body = asked.query["name"], json.loads(asked.body)
        if any(name in {*node.pending, *(c.name for c in node.containers.values())} for node in self.nodes):
            raise RefusalError(
                409,
                f"Conflict: The name {name} is already assigned. You have to delete (or rename) that container to be "
                f"able to assign {name} to a container again.",
            )
        node = self._scheduled(body)
        node.pending.add(name)
        try:
            id = await self._created(node, name, body)
        finally:
            node.pending.discard(name)
        if self.overtaken:
            self.overtaken -= 1
            node.containers.pop(id)
        return {"Id": id, "Warnings": None}

    def _scheduled(self, body: dict[str, Any]) -> Node:
        """The healthy node with the fewest; CPU shares are cores here, and weights on the engine."""
        config, healthy = body.setdefault("HostConfig", {}), [n for n in self.nodes if n.healthy]
        cores = config.get("CpuShares", 0)
        if not healthy:
            raise RefusalError(500, "No healthy node available in the cluster")
        if cores > CORES:
            raise RefusalError(500, "no resources available to schedule container")
        if cores:
            config["CpuShares"] = -(-cores * 1024 // CORES)
        body.setdefault("Labels", {})["com.docker.swarm.id"] = f"{self._rng.getrandbits(256):064x}"
        return min(healthy, key=lambda n: len(n.containers) + len(n.pending))

    async def _created(self, node: Node, name: str, body: dict[str, Any]) -> str:
        try:
            id = await node.engine.create_container(name, body)
        except ConflictError as error:
            raise RefusalError(500, f"Error response from daemon: {error}") from error
        except NotFoundError as error:
            if await node.engine.image(body["Image"]) is not None:
                raise RefusalError(404, str(error)) from error
            await node.engine.fetch_image(body["Image"])
            id = await node.engine.create_container(name, body)
        if self.unreported:
            self.unreported -= 1
            raise RefusalError(500, UNREPORTED)
        await self._refresh_one(node, id)
        return id

    async def _start(self, asked: Asked, name: str) -> None:
        """5.4, 5: never 304."""
        node, known = self._find(name)
        await node.engine.start_container(known.id)
        await self._refresh_one(node, known.id)

    async def _stop(self, asked: Asked, name: str) -> None:
        node, known = self._find(name)
        grace = asked.query.get("t")
        await node.engine.stop_container(known.id, None if grace is None else int(grace))
        await self._refresh_one(node, known.id)

    async def _remove(self, asked: Asked, name: str) -> None:
        """One that is only in memory is an error of its engine, and stays in memory."""
        node, known = self._find(name)
        if await node.engine.container(known.id) is None:
            raise RefusalError(500, f"Error response from daemon: No such container: {known.id}")
        await node.engine.remove_container(known.id)
        node.containers.pop(known.id, None)
