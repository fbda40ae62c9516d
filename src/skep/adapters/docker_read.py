"""The Engine API's JSON as the values of model/engine.py, the engine's own part: itself, images, networks, events.

Pure. This and the other docker_read modules are the only places that know the API's field names.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct, field

from skep.adapters.docker_classic import read_nodes
from skep.model.engine import EngineEvent, EngineInfo, Image, Network, Volume


class _Id(Struct):
    id: str = field(name="ID", default="")


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
    system_status: list[list[str]] | None = None
    id: str = field(name="ID", default="")
    os_type: str = field(name="OSType", default="linux")


def read_info(answer: InfoAnswer, api_version: str) -> EngineInfo:
    """A manager that lost its quorum still says ControlAvailable, and why it can't control in Error.

    A classic Swarm manager has no ID: its name stands for it.
    """
    swarm = answer.swarm
    return EngineInfo(
        id=answer.id or answer.name,
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
        nodes=read_nodes(answer.system_status or []),
    )


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
        id=answer.id or answer.name,
        name=answer.name,
        labels=answer.labels or {},
        driver=answer.driver,
        subnets=tuple(pool.subnet for pool in pools if pool.subnet),
        addresses=tuple(sorted(address for address in addresses if address)),
    )


class ImageDetails(Struct, rename="pascal"):
    """GET /images/NAME/json."""

    id: str
    repo_digests: list[str] | None = None


def read_image(answer: ImageDetails) -> Image:
    """An image. One that was built here may be listed with a digest that is none."""
    return Image(answer.id, tuple(digest for digest in answer.repo_digests or [] if not digest.startswith("<none>")))


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


def is_wanted(event: EngineEvent, filters: Mapping[str, Sequence[str]]) -> bool:
    """Whether an engine would send it to whoever gave these filters: on type, event and label."""
    labels = event.attributes
    facts = {
        "type": {event.type},
        "event": {event.action, event.action.partition(":")[0]},
        "label": set(labels) | {f"{name}={value}" for name, value in labels.items()},
    }
    return all(
        (all if name == "label" else any)(value in known for value in filters[name])
        for name, known in facts.items()
        if name in filters
    )


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
