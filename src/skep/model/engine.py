"""What a Docker Engine tells and takes, as far as skep looks at it. Field names follow the Engine API."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skep.model.json import JsonObject


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """GET /info, which works on every node and needs no quorum (semantics.md 5.2).

    `swarm_state`: inactive, pending, active, error or locked. `control` is True on a manager that has a quorum.
    `labels` are the engine's own; `classic`: it is a classic Swarm manager, which answers for many engines (5.4), and
    `nodes` are those, by name, with whether it reaches them.
    """

    id: str
    name: str
    version: str
    api_version: str
    operating_system: str
    swarm_state: str
    node_id: str
    node_addr: str
    control: bool
    cluster_id: str
    error: str
    cgroup_version: str
    storage_driver: str
    labels: Mapping[str, str] = field(default_factory=dict)
    os_type: str = "linux"
    architecture: str = ""
    classic: bool = False
    nodes: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class JoinTokens:
    """Secrets: never logged, never stored, read just before use (semantics.md N22)."""

    worker: str = field(repr=False)
    manager: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SwarmLabels:
    """The labels of a Swarm itself, and the version of the Swarm's object that has them."""

    version: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the Swarm. `state`: ready, down, unknown, disconnected. `reachability` is empty for workers."""

    id: str
    version: int
    hostname: str
    addr: str
    role: str
    availability: str
    state: str
    message: str
    reachability: str
    leader: bool
    manager_addr: str
    labels: Mapping[str, str]
    engine_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Service:
    """A Swarm service; `spec` is the live spec as the engine gives it. `update_state` is empty before any update, and
    `update_began_s` 0. `template` is a hash of what its tasks are to be made from, their placement left out, for that
    alone makes no new ones (semantics.md W39); empty where that is not known."""

    id: str
    version: int
    name: str
    labels: Mapping[str, str]
    spec: JsonObject
    update_state: str
    update_message: str
    created_s: float
    update_began_s: float = 0.0
    template: str = ""


BY_ITSELF = frozenset({"complete", "failed", "rejected"})
"""States of tasks that have ended, and that nobody stopped."""

LIVE = frozenset({"running", "ready"})
"""Desired states of tasks that are to run now, or when the delay after the end of the one before is over."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a service. `ports` are (published, target) pairs of host mode; it has its state since `since_s`.
    `template` is that of the service when it was made."""

    id: str
    service_id: str
    node_id: str
    slot: int
    state: str
    desired_state: str
    message: str
    error: str
    container_id: str
    spec_version: int
    ports: tuple[tuple[int, int], ...] = ()
    since_s: float = 0.0
    created_s: float = 0.0
    template: str = ""

    @property
    def runs(self) -> bool:
        """Whether it does, and shall."""
        return self.state == "running" and self.desired_state == "running"


@dataclass(frozen=True, slots=True)
class Container:
    """A line of GET /containers/json, or the same of an inspected one.

    `state`: created, running, paused, restarting, removing, exited, dead; unknown behind a classic Swarm manager that
    does not reach its engine. `health`: healthy, unhealthy, starting, or
    empty without a health check. `exit_code` is None while it runs and where nobody knows it. `ports` are (published,
    target, protocol). `node`: where it is behind a classic Swarm manager, else empty. `image` is the name that it was
    made with, `image_id` what that meant then.
    """

    id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str]
    created_s: float
    status: str = ""
    networks: Mapping[str, str] = field(default_factory=dict)
    health: str = ""
    exit_code: int | None = None
    ports: tuple[tuple[int, int, str], ...] = ()
    node: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that an engine holds. `digests` are `name@sha256:…`, empty for one that came from no registry."""

    id: str
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of one engine. `created_s` is wall time."""

    name: str
    labels: Mapping[str, str]
    created_s: float


@dataclass(frozen=True, slots=True)
class Network:
    """`subnets` in CIDR notation; `addresses` are those of the containers on it now, without prefix length."""

    id: str
    name: str
    labels: Mapping[str, str]
    driver: str
    subnets: tuple[str, ...]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One event. `type` is container, node, service, …; `action` is start, die, create, update, …"""

    type: str
    action: str
    id: str
    attributes: Mapping[str, str]
