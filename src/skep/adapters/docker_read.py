"""The Engine API's JSON as the values of model/engine.py: pure, and the only place that knows its field names."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from skep.model.engine import Container, EngineEvent, EngineInfo, JoinTokens, Network, Node, Service, Task, Volume


class _Id(Struct):
    id: str = field(name="ID", default="")


class _Version(Struct, frozen=True):
    index: int = field(name="Index", default=0)


_NO_VERSION = _Version()


class _SwarmInfo(Struct, rename="pascal"):
    local_node_state: str = "inactive"
    node_addr: str = ""
    control_available: bool = False
    error: str = ""
    cluster: _Id | None = None
    node_id: str = field(name="NodeID", default="")


class InfoAnswer(Struct, rename="pascal"):
    """GET /info."""

    name: str = ""
    server_version: str = ""
    operating_system: str = ""
    cgroup_version: str = "1"
    driver: str = ""
    labels: list[str] | None = None
    architecture: str = ""
    swarm: _SwarmInfo = field(default_factory=_SwarmInfo)
    id: str = field(name="ID", default="")
    os_type: str = field(name="OSType", default="linux")


def read_info(answer: InfoAnswer, api_version: str) -> EngineInfo:
    """A manager that lost its quorum still says ControlAvailable, and why it can't control in Error."""
    swarm = answer.swarm
    return EngineInfo(
        id=answer.id,
        name=answer.name,
        version=answer.server_version,
        api_version=api_version,
        operating_system=answer.operating_system,
        swarm_state=swarm.local_node_state or "inactive",
        node_id=swarm.node_id,
        node_addr=swarm.node_addr,
        control=swarm.control_available and not swarm.error,
        cluster_id=swarm.cluster.id if swarm.cluster else "",
        error=swarm.error,
        cgroup_version=answer.cgroup_version,
        storage_driver=answer.driver,
        labels=dict(label.partition("=")[::2] for label in answer.labels or []),
        os_type=answer.os_type,
        architecture=answer.architecture,
        classic=answer.server_version.startswith("swarm/"),
    )


class _Tokens(Struct, rename="pascal"):
    worker: str
    manager: str


class SwarmAnswer(Struct, rename="pascal"):
    """GET /swarm."""

    join_tokens: _Tokens


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
    )


class _Endpoint(Struct):
    address: str = field(name="IPAddress", default="")


class _NetworkSettings(Struct, rename="pascal"):
    networks: dict[str, _Endpoint | None] | None = None


class _PortAnswer(Struct, rename="pascal"):
    private_port: int
    type: str
    public_port: int = 0


class ContainerAnswer(Struct, rename="pascal"):
    """One of GET /containers/json."""

    id: str
    names: list[str] | None = None
    image: str = ""
    state: str = ""
    status: str = ""
    created: int = 0
    labels: dict[str, str] | None = None
    network_settings: _NetworkSettings | None = None
    ports: list[_PortAnswer] | None = None


_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)$")
_EXIT = re.compile(r"^Exited \((\d+)\)")


def read_container(answer: ContainerAnswer) -> Container:
    """A container with its address on each network, empty while it does not run."""
    settings = answer.network_settings
    networks = (settings.networks if settings else None) or {}
    health, code = _HEALTH.search(answer.status), _EXIT.match(answer.status)
    return Container(
        id=answer.id,
        name=own_name(answer.names or []),
        image=answer.image,
        state=answer.state,
        labels=answer.labels or {},
        created_s=float(answer.created),
        status=answer.status,
        networks={name: endpoint.address if endpoint else "" for name, endpoint in networks.items()},
        health=health[1].removeprefix("health: ") if health else "",
        exit_code=int(code[1]) if code else None,
        ports=tuple(sorted({(p.public_port, p.private_port, p.type) for p in answer.ports or [] if p.public_port})),
    )


class _StateAnswer(Struct, rename="pascal"):
    status: str = ""
    exit_code: int = 0
    health: dict[str, Any] | None = None


class _ConfigAnswer(Struct, rename="pascal"):
    image: str = ""
    labels: dict[str, str] | None = None


class InspectAnswer(Struct, rename="pascal"):
    """GET /containers/ID/json."""

    id: str
    name: str = ""
    created: str = ""
    state: _StateAnswer = field(default_factory=_StateAnswer)
    config: _ConfigAnswer = field(default_factory=_ConfigAnswer)
    network_settings: _NetworkSettings | None = None


def read_inspected(answer: InspectAnswer) -> Container:
    """The same as of a listing, without `status` and `ports`."""
    networks = (answer.network_settings.networks if answer.network_settings else None) or {}
    state = answer.state
    health = str((state.health or {}).get("Status", ""))
    return Container(
        id=answer.id,
        name=own_name([answer.name]),
        image=answer.config.image,
        state=state.status,
        labels=answer.config.labels or {},
        created_s=unix_s(answer.created),
        networks={name: endpoint.address if endpoint else "" for name, endpoint in networks.items()},
        health="" if health == "none" else health,
        exit_code=state.exit_code if state.status in ("exited", "dead") else None,
    )


class ImageDetails(Struct, rename="pascal"):
    """GET /images/NAME/json."""

    id: str
    repo_digests: list[str] | None = None


def own_name(names: list[str]) -> str:
    """The container's name among its links' (`/other/alias`), without the slash."""
    return min(names, key=lambda name: (name.count("/"), name), default="").lstrip("/")


class VolumeAnswer(Struct, rename="pascal"):
    """One of GET /volumes."""

    name: str
    labels: dict[str, str] | None = None
    created_at: str = ""


class VolumesAnswer(Struct, rename="pascal"):
    """GET /volumes."""

    volumes: list[VolumeAnswer] | None = None


def read_volume(answer: VolumeAnswer) -> Volume:
    """A volume."""
    return Volume(name=answer.name, labels=answer.labels or {}, created_s=unix_s(answer.created_at))


class _Pool(Struct, rename="pascal"):
    subnet: str = ""


class _Ipam(Struct, rename="pascal"):
    config: list[_Pool] | None = None


class _Attached(Struct):
    address: str = field(name="IPv4Address", default="")


class NetworkAnswer(Struct, rename="pascal"):
    """One of GET /networks, or the same of an inspected one, which alone tells who is on it."""

    id: str
    name: str
    driver: str = ""
    scope: str = ""
    labels: dict[str, str] | None = None
    ipam: _Ipam | None = field(name="IPAM", default=None)
    containers: dict[str, _Attached] | None = None


def read_network(answer: NetworkAnswer) -> Network:
    """A network; the addresses are those that were told."""
    pools = (answer.ipam.config if answer.ipam else None) or []
    addresses = (attached.address.partition("/")[0] for attached in (answer.containers or {}).values())
    return Network(
        id=answer.id,
        name=answer.name,
        labels=answer.labels or {},
        driver=answer.driver,
        subnets=tuple(pool.subnet for pool in pools if pool.subnet),
        addresses=tuple(sorted(address for address in addresses if address)),
    )


class ImageAnswer(Struct, rename="pascal"):
    """One of GET /images/json."""

    id: str
    repo_tags: list[str] | None = None


def read_images(answers: list[ImageAnswer]) -> Mapping[str, str]:
    """Name with tag to ID; untagged images have no name."""
    return {tag: answer.id for answer in answers for tag in answer.repo_tags or [] if tag != "<none>:<none>"}


class _Actor(Struct):
    id: str = field(name="ID", default="")
    attributes: dict[str, str] | None = field(name="Attributes", default=None)


class _EventLine(Struct, rename="pascal"):
    type: str = ""
    action: str = ""
    actor: _Actor = field(default_factory=_Actor)


_event_decoder = msgspec.json.Decoder(_EventLine)


def read_event(line: bytes) -> EngineEvent:
    """One line of /events; msgspec.DecodeError (a ValueError) when it is none."""
    event = _event_decoder.decode(line.lstrip(b"\x1e"))
    return EngineEvent(event.type, event.action, event.actor.id, event.actor.attributes or {})


class _StreamDetail(Struct):
    message: str = ""


class StreamLine(Struct):
    """One line of a progress stream: pull, import, load."""

    status: str = ""
    error: str = ""
    detail: _StreamDetail | None = field(name="errorDetail", default=None)


def unix_s(text: str) -> float:
    """RFC 3339 with up to nine decimals as Unix time; 0 for what is empty or no time."""
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0.0


def log_text(data: bytes) -> str:
    """A container's log: frames of eight bytes of head and a payload, or plain bytes from a terminal."""
    if not _is_framed(data):
        return data.decode(errors="replace")
    out, at = bytearray(), 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        out += data[at + 8 : at + 8 + size]
        at += 8 + size
    return out.decode(errors="replace")


def _is_framed(data: bytes) -> bool:
    return len(data) >= 8 and data[0] in (0, 1, 2) and data[1:4] == b"\0\0\0"
