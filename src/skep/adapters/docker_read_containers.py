"""The Engine API's JSON as the values of model/engine.py, containers: listed and inspected. Pure."""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from skep.adapters.docker_read import unix_s
from skep.model.engine import Container

HOST_DOWN = "Host Down"
"""What a classic Swarm manager says of a container whose engine does not answer it (semantics.md 5.4)."""


class _Endpoint(Struct):
    address: str = field(name="IPAddress", default="")


_Networks = dict[str, _Endpoint | None] | None


class _NetworkSettings(Struct, rename="pascal"):
    networks: _Networks = None


class _PortAnswer(Struct, rename="pascal"):
    private_port: int
    type: str
    public_port: int = 0


class ContainerAnswer(Struct, rename="pascal"):
    """One of GET /containers/json."""

    id: str
    names: list[str] | None = None
    image: str = ""
    image_id: str = field(default="", name="ImageID")
    state: str = ""
    status: str = ""
    created: int = 0
    labels: dict[str, str] | None = None
    network_settings: _NetworkSettings | None = None
    ports: list[_PortAnswer] | None = None


_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)$")
_EXIT = re.compile(r"^Exited \((-?\d+)\)")


def read_container(answer: ContainerAnswer) -> Container:
    """A container with its address on each network, empty while it does not run."""
    health, code = _HEALTH.search(answer.status), _EXIT.match(answer.status)
    return Container(
        id=answer.id,
        name=own_name(answer.names or []),
        image=answer.image,
        state="unknown" if answer.status == HOST_DOWN else answer.state,
        labels=answer.labels or {},
        created_s=float(answer.created),
        status=answer.status,
        networks=_addresses(answer.network_settings.networks if answer.network_settings else None),
        health=health[1].removeprefix("health: ") if health else "",
        exit_code=int(code[1]) if code else None,
        ports=_published((port.public_port, port.private_port, port.type) for port in answer.ports or []),
        node=node_of(answer.names or []),
        image_id=answer.image_id,
    )


class _HealthAnswer(Struct, rename="pascal"):
    status: str = ""


class _StateAnswer(Struct, rename="pascal"):
    status: str = ""
    exit_code: int = 0
    health: _HealthAnswer | None = None


class _ConfigAnswer(Struct, rename="pascal"):
    image: str = ""
    labels: dict[str, str] | None = None


class _Binding(Struct, rename="pascal"):
    host_port: str = ""


class _InspectedNetwork(Struct, rename="pascal"):
    networks: _Networks = None
    ports: dict[str, list[_Binding] | None] | None = None


class _NodeAnswer(Struct, rename="pascal"):
    name: str = ""


class InspectAnswer(Struct, rename="pascal"):
    """GET /containers/ID/json."""

    id: str
    name: str = ""
    image: str = ""
    node: _NodeAnswer = field(default_factory=_NodeAnswer)
    created: str = ""
    state: _StateAnswer = field(default_factory=_StateAnswer)
    config: _ConfigAnswer = field(default_factory=_ConfigAnswer)
    network_settings: _InspectedNetwork = field(default_factory=_InspectedNetwork)


def read_inspected(answer: InspectAnswer) -> Container:
    """The same as of a listing, without `status`. Of one that does not run, the last health check says nothing."""
    state, running = answer.state, answer.state.status == "running"
    health = state.health.status if state.health and running else ""
    return Container(
        id=answer.id,
        name=own_name([answer.name]),
        image=answer.config.image,
        state=state.status,
        labels=answer.config.labels or {},
        created_s=unix_s(answer.created),
        networks=_addresses(answer.network_settings.networks),
        health="" if health == "none" else health,
        exit_code=state.exit_code if state.status in ("exited", "dead") else None,
        ports=_published(_bound(answer.network_settings.ports or {})),
        node=answer.node.name,
        image_id=answer.image,
    )


def _bound(ports: Mapping[str, list[_Binding] | None]) -> Iterable[tuple[int, int, str]]:
    """From `80/tcp` to where it is bound on the host."""
    for target, bindings in ports.items():
        port, _, protocol = target.partition("/")
        for binding in bindings or []:
            yield int(binding.host_port or 0), int(port), protocol


def _published(ports: Iterable[tuple[int, int, str]]) -> tuple[tuple[int, int, str], ...]:
    """Each once, though it is bound for IPv4 and for IPv6; those that are only exposed are left out."""
    return tuple(sorted({port for port in ports if port[0]}))


def _addresses(networks: _Networks) -> dict[str, str]:
    return {name: endpoint.address if endpoint else "" for name, endpoint in (networks or {}).items()}


def own_name(names: list[str]) -> str:
    """The container's name among its links' (`/other/alias`), without slashes.

    A classic Swarm manager writes the engine before it: `/node/name` (semantics.md 5.4).
    """
    return min(names, key=lambda name: (name.count("/"), name), default="").rpartition("/")[2]


def node_of(names: list[str]) -> str:
    """The engine that a classic Swarm manager writes before a container's own name; empty where there is none."""
    own = min(names, key=lambda name: (name.count("/"), name), default="").strip("/")
    return own.rpartition("/")[0]
