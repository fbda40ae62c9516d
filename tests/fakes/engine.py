"""ports.Engine and ports.Engines over the simulated world."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Protocol, TypeVar

from skep.model.engine import (
    Container,
    EngineEvent,
    EngineInfo,
    Image,
    JoinTokens,
    Network,
    Node,
    Service,
    Task,
    Volume,
)
from skep.model.errors import ConflictError, Fault, InvalidError, NotFoundError, RejectedError, UnavailableError
from skep.model.json import JsonObject
from tests.fakes.host import FakeContainer, Host
from tests.fakes.kernel import Kernel
from tests.fakes.swarm import NO_MANAGER, SimSwarm
from tests.fakes.tasks import holds

T = TypeVar("T")
Filters = Mapping[str, Sequence[str]]
SCHEME = "sim://"


class Net(Protocol):
    """Who is where: what an engine needs to know of the world around it."""

    @property
    def kernel(self) -> Kernel: ...
    @property
    def registry(self) -> Mapping[str, str]:
        """Images that a registry would answer for, with their digests."""

    def host(self, name: str) -> Host | None: ...


class FakeEngines:
    """Engines by `sim://machine`; a machine that is not there does not answer."""

    def __init__(self, net: Net) -> None:
        self._net = net

    def engine(self, endpoint: str) -> "FakeEngine":
        if not endpoint.startswith(SCHEME):
            raise InvalidError([Fault(f"{endpoint}: engines are reached by {SCHEME} only")])
        return FakeEngine(self._net, endpoint)


class FakeEngine:
    """A client of one simulated engine. Each call takes its time, may be lost, and fails as the real one does."""

    def __init__(self, net: Net, endpoint: str) -> None:
        self._net = net
        self._kernel = net.kernel
        self._endpoint = endpoint

    @property
    def endpoint(self) -> str:
        return self._endpoint

    async def close(self) -> None:
        return None

    # --- how a call goes ----------------------------------------------------------------------------------------

    def _host(self) -> Host:
        host = self._net.host(self._endpoint.removeprefix(SCHEME))
        if host is None or not host.running:
            raise UnavailableError(f"{self._endpoint}: connection refused")
        return host

    async def _reach(self) -> Host:
        """The engine, if it answers: at once, or after the client's patience is over."""
        await asyncio.sleep(0)
        if not self._host().answers():
            await self._kernel.clock.sleep(self._kernel.timings.call_timeout_s)
            raise UnavailableError(f"{self._endpoint}: no answer within {self._kernel.timings.call_timeout_s:.0f} s")
        return self._host()

    async def _read_swarm(self) -> SimSwarm:
        host = await self._reach()
        if self._kernel.happens(self._kernel.faults.silent):
            raise UnavailableError(f"{self._endpoint}: connection reset")
        return _manager(host)

    async def _act(self, name: str, do: Callable[[Host], T]) -> T:
        """One outward act: it may be refused, slow, or done and its answer lost."""
        kernel = self._kernel
        await self._reach()
        if kernel.happens(kernel.faults.refuse):
            raise UnavailableError(f"{self._endpoint}: connection refused")
        await kernel.take(kernel.timings.act_s)
        host = await self._reach()
        kernel.acts[name] += 1
        answer = do(host)
        if kernel.happens(kernel.faults.lose):
            raise UnavailableError(f"{self._endpoint}: connection reset before the answer came")
        return answer

    async def _manage(self, name: str, do: Callable[[SimSwarm], T]) -> T:
        return await self._act(name, lambda host: do(_manager(host)))

    # --- the engine and its Swarm ------------------------------------------------------------------------------------

    async def info(self) -> EngineInfo:
        host = await self._reach()
        error, control, cluster = "", False, ""
        if host.swarm is not None and host.node_id in host.swarm.nodes and host.swarm.nodes[host.node_id].in_raft:
            try:
                host.swarm.serve(host)
                control, cluster = True, host.swarm.id
            except UnavailableError as refusal:
                error = str(refusal)
        return EngineInfo(
            id=f"ENGINE:{host.name}",
            name=host.name,
            version="20.10.24",
            api_version="1.41",
            operating_system="Simulated",
            swarm_state=host.swarm_state,
            node_id=host.node_id,
            node_addr=host.address if host.swarm else "",
            control=control,
            cluster_id=cluster,
            error=error,
            cgroup_version="2",
            storage_driver="overlay2",
        )

    async def events(self, filters: Filters) -> AsyncIterator[EngineEvent]:
        host = await self._reach()
        queue: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        host.listeners.append(queue)
        try:
            yield EngineEvent("skep", "subscribed", "", {})
            while (event := await queue.get()) is not None:
                if _wants(filters, event):
                    yield event
        finally:
            host.listeners.remove(queue)
        raise UnavailableError(f"{self._endpoint}: the stream of events broke")

    async def join_tokens(self) -> JoinTokens:
        return (await self._read_swarm()).tokens()

    async def nodes(self, filters: Filters | None = None) -> Sequence[Node]:
        swarm = await self._read_swarm()
        shown = [swarm.shown(node) for node in swarm.nodes.values()]
        return [node for node in shown if _matches(filters, _node_facts(node))]

    async def update_node(
        self,
        node: str,
        version: int,
        *,
        availability: str | None = None,
        role: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        await self._manage("update node", lambda swarm: swarm.update_node(node, version, availability, role, labels))

    async def remove_node(self, node: str, *, force: bool) -> None:
        try:
            await self._manage("remove node", lambda swarm: swarm.remove_node(node, force))
        except NotFoundError:
            return

    async def services(self, filters: Filters | None = None) -> Sequence[Service]:
        swarm = await self._read_swarm()
        return [service for service in swarm.services.listed() if _matches(filters, _service_facts(service))]

    async def create_service(self, spec: JsonObject) -> str:
        return await self._manage("create service", lambda swarm: swarm.services.create(spec))

    async def update_service(self, service: str, version: int, spec: JsonObject) -> None:
        await self._manage("update service", lambda swarm: swarm.services.update(service, version, spec))

    async def remove_service(self, service: str) -> None:
        try:
            await self._manage("remove service", lambda swarm: swarm.services.remove(service))
        except NotFoundError:
            return

    async def tasks(self, filters: Filters) -> Sequence[Task]:
        swarm = await self._read_swarm()
        names = {service.id: service.name for service in swarm.services.listed()}
        return [task for task in swarm.services.tasks() if _matches(filters, _task_facts(task, names))]

    async def secret_ids(self) -> Mapping[str, str]:
        await self._read_swarm()
        return {}

    async def config_ids(self) -> Mapping[str, str]:
        await self._read_swarm()
        return {}

    async def network_ids(self) -> Mapping[str, str]:
        host = await self._reach()
        return {network.name: network.id for network in host.networks.values()}

    async def resolve_digest(self, image: str) -> str | None:
        await self._reach()
        digest = self._net.registry.get(image)
        return image if "@" in image else f"{image}@{digest}" if digest else None

    # --- containers, volumes, networks, images --------------------------------------------------------------

    async def containers(self, labels: Mapping[str, str]) -> Sequence[Container]:
        host = await self._reach()
        if self._kernel.happens(self._kernel.faults.silent):
            raise UnavailableError(f"{self._endpoint}: connection reset")
        shown = [container.shown for container in host.containers.values()]
        return [container for container in shown if _carries(container.labels, labels)]

    async def container(self, container: str) -> Container | None:
        host = await self._reach()
        return next((c.shown for c in host.containers.values() if container in (c.shown.id, c.shown.name)), None)

    async def create_container(self, name: str, body: JsonObject) -> str:
        return await self._act("create container", lambda host: self._create(host, name, body))

    def _create(self, host: Host, name: str, body: JsonObject) -> str:
        image = str(body["Image"])
        if not holds(host.images, image):
            raise NotFoundError(f"No such image: {image}")
        if any(container.shown.name == name for container in host.containers.values()):
            raise ConflictError(f'Conflict. The container name "/{name}" is already in use')
        id = self._kernel.identity(64)
        shown = Container(
            id, name, image, "created", _strings(body.get("Labels")), self._kernel.clock.wall_s(), "Created"
        )
        host.containers[id] = FakeContainer(shown, body)
        host.emit("container", "create", id, name=name, **shown.labels)
        self._kernel.changed(f"container {name} created on {host.name}", by_us=True)
        return id

    async def start_container(self, container: str) -> None:
        await self._act("start container", lambda host: self._turn(host, container, "running", "start"))

    async def stop_container(self, container: str, grace_s: int | None) -> None:
        await self._act("stop container", lambda host: self._turn(host, container, "exited", "die"))

    def _turn(self, host: Host, container: str, state: str, action: str) -> None:
        found = _found(host, container)
        if found.shown.state != state:
            found.turn(state)
            host.emit("container", action, found.shown.id, name=found.shown.name, **found.shown.labels)
            self._kernel.changed(f"container {found.shown.name} {state} on {host.name}", by_us=True)

    async def remove_container(self, container: str) -> None:
        await self._act("remove container", lambda host: self._remove(host, container))

    def _remove(self, host: Host, container: str) -> None:
        try:
            found = _found(host, container)
        except NotFoundError:
            return
        del host.containers[found.shown.id]
        host.emit("container", "destroy", found.shown.id, name=found.shown.name, **found.shown.labels)
        self._kernel.changed(f"container {found.shown.name} removed from {host.name}", by_us=True)

    async def container_logs(self, container: str, tail: int) -> str:
        _found(await self._reach(), container)
        return ""

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        volume = Volume(name, dict(labels), self._kernel.clock.wall_s())
        await self._act("create volume", lambda host: host.volumes.setdefault(name, volume))

    async def volumes(self, labels: Mapping[str, str]) -> Sequence[Volume]:
        host = await self._reach()
        return [volume for volume in host.volumes.values() if _carries(volume.labels, labels)]

    async def remove_volume(self, name: str) -> None:
        await self._act("remove volume", lambda host: host.volumes.pop(name, None))

    async def networks(self) -> Sequence[Network]:
        host = await self._reach()
        return [replace(network, addresses=_addresses(host, network.name)) for network in host.networks.values()]

    async def create_network(self, body: JsonObject) -> str:
        return await self._act("create network", lambda host: self._create_network(host, body))

    def _create_network(self, host: Host, body: JsonObject) -> str:
        name = str(body["Name"])
        if any(network.name == name for network in host.networks.values()):
            raise ConflictError(f"network with name {name} already exists")
        ipam = body.get("IPAM") or {}
        subnets = tuple(str(pool["Subnet"]) for pool in (ipam.get("Config") or []))  # type: ignore[union-attr,index,call-overload]
        id = self._kernel.identity(64)
        host.networks[id] = Network(id, name, _strings(body.get("Labels")), str(body.get("Driver", "bridge")), subnets)
        return id

    async def remove_network(self, network: str) -> None:
        await self._act("remove network", lambda host: self._remove_network(host, network))

    def _remove_network(self, host: Host, network: str) -> None:
        for found in [found for found in host.networks.values() if network in (found.id, found.name)]:
            if _addresses(host, found.name):
                raise ConflictError(f"network {found.name} has active endpoints")
            del host.networks[found.id]

    async def image_ids(self) -> Mapping[str, str]:
        return dict((await self._reach()).images)

    async def image(self, image: str) -> Image | None:
        host = await self._reach()
        if not holds(host.images, image):
            return None
        digest = self._net.registry.get(image)
        return Image(host.images.get(image, image), (f"{image}@{digest}",) if digest else ())

    async def fetch_image(self, image: str) -> None:
        if not await self.pull_image(image, timeout_s=0):
            raise RejectedError(f"could not pull image {image}: manifest unknown")

    async def import_image(self, image: str, tar: AsyncIterator[bytes], changes: Sequence[str]) -> str:
        data = b"".join([part async for part in tar])
        id = f"sha256:{sha256(data + repr(changes).encode()).hexdigest()}"
        await self._act("import image", lambda host: host.images.__setitem__(image, id))
        return id

    async def pull_image(self, image: str, *, timeout_s: float) -> bool:
        digest = self._net.registry.get(image)
        if digest is None:
            await self._reach()
            return False
        await self._act("pull image", lambda host: host.images.__setitem__(image, digest))
        return True

    async def save_images(self, images: Sequence[str]) -> AsyncIterator[bytes]:
        host = await self._reach()
        for image in images:
            if image not in host.images:
                raise NotFoundError(f"reference does not exist: {image}")
            yield f"{image} {host.images[image]}\n".encode()

    async def load_images(self, tar: AsyncIterator[bytes]) -> None:
        lines = b"".join([part async for part in tar]).decode().splitlines()
        try:
            images = dict(line.split(" ", 1) for line in lines)
        except ValueError as error:
            raise RejectedError("invalid tar header") from error
        await self._act("load images", lambda host: host.images.update(images))


def _manager(host: Host) -> SimSwarm:
    if host.swarm is None:
        raise UnavailableError(NO_MANAGER)
    host.swarm.serve(host)
    return host.swarm


def _found(host: Host, container: str) -> FakeContainer:
    for found in host.containers.values():
        if container in (found.shown.id, found.shown.name):
            return found
    raise NotFoundError(f"No such container: {container}")


def _addresses(host: Host, network: str) -> tuple[str, ...]:
    """Addresses by order of creation; only running containers have one."""
    running = [container for container in host.containers.values() if container.shown.state == "running"]
    on = [container for container in running if network == _network_of(container.body)]
    return tuple(f"172.30.0.{number}" for number, _ in enumerate(on, start=2))


def _network_of(body: JsonObject) -> str:
    config = body.get("HostConfig")
    return str(config.get("NetworkMode", "bridge")) if isinstance(config, Mapping) else "bridge"


def _strings(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}


def _carries(labels: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """An empty value matches any."""
    return all(name in labels and value in ("", labels[name]) for name, value in asked.items())


def _labelled(prefix: str, labels: Mapping[str, str]) -> set[tuple[str, str]]:
    return {(prefix, f"{name}={value}") for name, value in labels.items()} | {(prefix, name) for name in labels}


def _node_facts(node: Node) -> set[tuple[str, str]]:
    facts = {("id", node.id), ("name", node.hostname), ("role", node.role)}
    return facts | _labelled("label", node.engine_labels) | _labelled("node.label", node.labels)


def _service_facts(service: Service) -> set[tuple[str, str]]:
    return {("id", service.id), ("name", service.name)} | _labelled("label", service.labels)


def _task_facts(task: Task, names: Mapping[str, str]) -> set[tuple[str, str]]:
    facts = {("id", task.id), ("node", task.node_id), ("desired-state", task.desired_state)}
    return facts | {("service", task.service_id), ("service", names.get(task.service_id, task.service_id))}


def _matches(filters: Filters | None, facts: Iterable[tuple[str, str]]) -> bool:
    """Values of one filter are alternatives, save for labels, which all have to be there."""
    known = set(facts)
    return all(
        (all if name.endswith("label") else any)((name, value) in known for value in values)
        for name, values in (filters or {}).items()
    )


def _wants(filters: Filters, event: EngineEvent) -> bool:
    actions = {("event", event.action), ("event", event.action.partition(":")[0])}
    facts = {("type", event.type)} | actions | _labelled("label", event.attributes)
    return _matches(filters, facts)
