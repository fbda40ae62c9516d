"""The Engine API's JSON as the values of model/engine.py, the Swarm's part: tokens, nodes, services, tasks. Pure."""

from functools import lru_cache
from hashlib import sha256
from typing import Any

from msgspec import Raw, Struct, field, json

from skep.adapters.docker_read import unix_s
from skep.model.engine import JoinTokens, Node, Service, SwarmLabels, Task


class _Version(Struct, frozen=True):
    index: int = field(name="Index", default=0)


_NO_VERSION = _Version()


class _Tokens(Struct, rename="pascal"):
    worker: str
    manager: str


class SwarmAnswer(Struct, rename="pascal"):
    """GET /swarm."""

    join_tokens: _Tokens


class SwarmSpecAnswer(Struct, rename="pascal"):
    """GET /swarm without its secrets; the spec is kept whole, to be sent back with changes."""

    spec: dict[str, Any]
    version: _Version = _NO_VERSION


def read_swarm_labels(answer: SwarmSpecAnswer) -> SwarmLabels:
    """The Swarm's own labels."""
    return SwarmLabels(answer.version.index, answer.spec.get("Labels") or {})


def read_tokens(answer: SwarmAnswer) -> JoinTokens:
    """The join tokens of a Swarm."""
    return JoinTokens(worker=answer.join_tokens.worker, manager=answer.join_tokens.manager)


class _NodeSpec(Struct, rename="pascal"):
    role: str = ""
    availability: str = ""
    labels: dict[str, str] | None = None


class _EngineDescription(Struct, rename="pascal"):
    labels: dict[str, str] | None = None


class _NodeDescription(Struct, rename="pascal"):
    hostname: str = ""
    engine: _EngineDescription | None = None


class _NodeStatus(Struct, rename="pascal"):
    state: str = "unknown"
    message: str = ""
    addr: str = ""


class _ManagerStatus(Struct, rename="pascal"):
    leader: bool = False
    reachability: str = "unknown"
    addr: str = ""


class NodeAnswer(Struct, rename="pascal"):
    """One of GET /nodes."""

    id: str = field(name="ID")
    version: _Version = _NO_VERSION
    spec: _NodeSpec = field(default_factory=_NodeSpec)
    description: _NodeDescription = field(default_factory=_NodeDescription)
    status: _NodeStatus = field(default_factory=_NodeStatus)
    manager_status: _ManagerStatus | None = None


def read_node(answer: NodeAnswer) -> Node:
    """A node; what a worker lacks of a manager's part is empty."""
    manager = answer.manager_status
    engine = answer.description.engine
    return Node(
        id=answer.id,
        version=answer.version.index,
        hostname=answer.description.hostname,
        addr=answer.status.addr,
        role=answer.spec.role,
        availability=answer.spec.availability,
        state=answer.status.state,
        message=answer.status.message,
        reachability=manager.reachability if manager else "",
        leader=manager.leader if manager else False,
        manager_addr=manager.addr if manager else "",
        labels=answer.spec.labels or {},
        engine_labels=(engine.labels if engine else None) or {},
    )


class NodeSpecAnswer(Struct, rename="pascal"):
    """A node whose spec is kept whole, to be sent back with changes (semantics.md N26)."""

    id: str = field(name="ID")
    spec: dict[str, Any]
    version: _Version = _NO_VERSION


class _UpdateStatus(Struct, rename="pascal"):
    state: str = ""
    started_at: str = ""
    message: str = ""


class ServiceAnswer(Struct, rename="pascal"):
    """One of GET /services; the spec is kept whole."""

    id: str = field(name="ID")
    spec: dict[str, Any]
    version: _Version = _NO_VERSION
    created_at: str = ""
    update_status: _UpdateStatus | None = None


def read_service(answer: ServiceAnswer) -> Service:
    """A service with its live spec."""
    update = answer.update_status or _UpdateStatus()
    return Service(
        id=answer.id,
        version=answer.version.index,
        name=str(answer.spec.get("Name", "")),
        labels=answer.spec.get("Labels") or {},
        spec=answer.spec,
        update_state=update.state,
        update_message=update.message,
        created_s=unix_s(answer.created_at),
        update_began_s=unix_s(update.started_at) if update.started_at else 0.0,
        template=_hash_of(answer.spec.get("TaskTemplate")),
    )


class _ContainerStatus(Struct, rename="pascal"):
    container_id: str = field(name="ContainerID", default="")


class _PortStatus(Struct, rename="pascal"):
    target_port: int = 0
    published_port: int = 0
    publish_mode: str = ""


class _PortStatuses(Struct, rename="pascal"):
    ports: list[_PortStatus] | None = None


class _TaskStatus(Struct, rename="pascal"):
    timestamp: str = ""
    state: str = ""
    message: str = ""
    err: str = ""
    container_status: _ContainerStatus | None = None
    port_status: _PortStatuses | None = None


class TaskAnswer(Struct, rename="pascal"):
    """One of GET /tasks."""

    id: str = field(name="ID")
    service_id: str = field(name="ServiceID", default="")
    node_id: str = field(name="NodeID", default="")
    slot: int = 0
    desired_state: str = ""
    status: _TaskStatus = field(default_factory=_TaskStatus)
    spec_version: _Version = _NO_VERSION
    created_at: str = ""
    spec: Raw = Raw()


def read_task(answer: TaskAnswer) -> Task:
    """A task; only the ports of host mode are its own."""
    status = answer.status
    ports = (status.port_status.ports if status.port_status else None) or []
    return Task(
        id=answer.id,
        service_id=answer.service_id,
        node_id=answer.node_id,
        slot=answer.slot,
        state=status.state,
        desired_state=answer.desired_state,
        message=status.message,
        error=status.err,
        container_id=status.container_status.container_id if status.container_status else "",
        spec_version=answer.spec_version.index,
        ports=tuple((port.published_port, port.target_port) for port in ports if port.publish_mode == "host"),
        since_s=unix_s(status.timestamp) if status.timestamp else 0.0,
        created_s=unix_s(answer.created_at) if answer.created_at else 0.0,
        template=_hash_of_text(bytes(answer.spec)),
    )


_HASHED = ("ContainerSpec", "Resources", "Networks", "RestartPolicy", "LogDriver", "ForceUpdate")
"""What makes new tasks when it changes, as placement alone does not (W39). Of the rest an engine tells some of a
service and not of its tasks (20.10 does so of `Runtime`); fields that are empty it leaves out, of both."""


@lru_cache(maxsize=1024)
def _hash_of_text(spec: bytes) -> str:
    """Most tasks of a service have the same one, to the letter."""
    return _hash_of(json.decode(spec)) if spec else ""


def _hash_of(template: object) -> str:
    if not isinstance(template, dict):
        return ""
    kept = {name: value for name in _HASHED if (value := template.get(name))}
    return sha256(json.encode(kept, order="sorted")).hexdigest()
