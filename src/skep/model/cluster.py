"""Clusters that the settings name: where they are reached, and what their engines turned out to be."""

from dataclasses import dataclass, field
from enum import StrEnum


class ClusterKind(StrEnum):
    """What an endpoint, or all endpoints of a cluster, are."""

    UNKNOWN = "unknown"
    """Nobody has answered yet."""
    ENGINE = "engine"
    SWARM = "swarm"
    """Managers of one Swarm in Swarm mode."""
    WORKER = "worker"
    """A worker of a Swarm: it takes no services, and its containers are the Swarm's."""
    CLASSIC = "classic"
    """A classic Swarm manager (semantics.md 5.4)."""
    MIXED = "mixed"
    """Endpoints that don't belong together: engines and a Swarm, or managers of different Swarms."""


@dataclass(frozen=True, slots=True)
class StaticCluster:
    """A cluster of the settings. `endpoints` are URLs that `Engines` knows the way to, TLS files and all."""

    name: str
    endpoints: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}={','.join(self.endpoints)}"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of the PEM files that a connection takes.

    ca: who may have signed the engine's certificate; empty for those that this host trusts. cert and key: the client's
    own; both empty for none. verify: False only where docker's own client was told not to look at the engine's
    certificate.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is known of one endpoint of a cluster.

    `source` is its name within the cluster, unique there, the same after a restart, and what members carry as their
    source: the host of the URL where that is unique, else the URL. `answers`: the last call got through; `lost` is
    semantics.md W35. `error` is why it does not answer, in words. `heard`: it has answered since this process began.
    `nodes`: of a classic Swarm manager, the engines behind it, and whether it reaches them.
    """

    source: str
    endpoint: str
    kind: ClusterKind = ClusterKind.UNKNOWN
    answers: bool = False
    heard: bool = False
    lost: bool = False
    error: str = ""
    id: str = ""
    cluster_id: str = ""
    hostname: str = ""
    version: str = ""
    api_version: str = ""
    operating_system: str = ""
    os_type: str = ""
    architecture: str = ""
    labels: tuple[tuple[str, str], ...] = field(default=())
    nodes: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterSight:
    """A cluster of the settings as it is known now. `partitioned` is semantics.md W36."""

    name: str
    kind: ClusterKind
    engines: tuple[EngineState, ...]
    partitioned: bool = False
