"""ports.Engine and ports.Engines over the simulated world."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from skep.model.engine import EngineEvent, EngineInfo, JoinTokens, Node, Service, SwarmLabels, Task
from skep.model.errors import Fault, InvalidError, NotFoundError, UnavailableError
from skep.model.json import JsonObject
from tests.fakes.engine_calls import SCHEME, Filters, Net
from tests.fakes.engine_local import LocalCalls
from tests.fakes.host import Host
from tests.fakes.swarm import NO_MANAGER, SimSwarm

T = TypeVar("T")


class FakeEngines:
    """Engines by `sim://machine`; a machine that is not there does not answer."""

    def __init__(self, net: Net) -> None:
        self._net = net

    def engine(self, endpoint: str) -> "FakeEngine":
        if not endpoint.startswith(SCHEME):
            raise InvalidError([Fault(f"{endpoint}: engines are reached by {SCHEME} only")])
        return FakeEngine(self._net, endpoint)


class FakeEngine(LocalCalls):
    """A client of one simulated engine."""

    async def _read_swarm(self) -> SimSwarm:
        host = await self._reach()
        if self._kernel.happens(self._kernel.faults.silent):
            raise UnavailableError(f"{self._endpoint}: connection reset")
        return _manager(host)

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

    async def swarm_labels(self) -> SwarmLabels:
        swarm = await self._read_swarm()
        return SwarmLabels(swarm.version, dict(swarm.labels))

    async def update_swarm_labels(self, version: int, labels: Mapping[str, str]) -> None:
        await self._manage("update the Swarm's labels", lambda swarm: swarm.label(version, labels))

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


def _manager(host: Host) -> SimSwarm:
    if host.swarm is None:
        raise UnavailableError(NO_MANAGER)
    host.swarm.serve(host)
    return host.swarm


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
