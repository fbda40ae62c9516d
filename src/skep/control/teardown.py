"""Everything of a controller taken back from the clusters of the settings, without a controller that runs."""

import asyncio
from collections.abc import Sequence

from skep.control.endpoints import kind_of
from skep.model.cluster import ClusterKind, StaticCluster
from skep.model.errors import UnavailableError
from skep.planning.service import CONTROLLER_LABEL, WORKLOAD_LABEL
from skep.ports import Engine, Engines


async def remove_workloads(clusters: Sequence[StaticCluster], engines: Engines, controller: str) -> tuple[str, ...]:
    """Remove its containers and services; what was removed, in words. Volumes are their users' and stay.

    UnavailableError before anything is removed where an engine does not answer: what is on it can't be known.
    """
    endpoints = dict.fromkeys(endpoint for cluster in clusters for endpoint in cluster.endpoints)
    reached = [engines.engine(endpoint) for endpoint in endpoints]
    kinds = await asyncio.gather(*map(_kind, reached))
    removed: list[str] = []
    for engine, kind in zip(reached, kinds, strict=True):
        if kind in (ClusterKind.ENGINE, ClusterKind.CLASSIC):
            removed += await _remove_containers(engine, controller)
        elif kind is ClusterKind.SWARM:
            removed += await _remove_services(engine, controller)
    return tuple(removed)


async def _kind(engine: Engine) -> ClusterKind:
    try:
        return kind_of(await engine.info())
    except UnavailableError as error:
        raise UnavailableError(
            f"nothing was removed, since an engine of the settings does not answer: {error}. "
            "Take it out of the settings to leave what is on it"
        ) from error


async def _remove_containers(engine: Engine, controller: str) -> list[str]:
    """Those of workloads alone: a machine is a container too."""
    ours = await engine.containers({CONTROLLER_LABEL: controller, WORKLOAD_LABEL: ""})
    await asyncio.gather(*(engine.remove_container(container.id) for container in ours))
    return [f"container {container.name} on {engine.endpoint}" for container in ours]


async def _remove_services(engine: Engine, controller: str) -> list[str]:
    """Asked of each manager in turn: the first one leaves nothing for the others."""
    listed = await engine.services({"label": [f"{CONTROLLER_LABEL}={controller}"]})
    ours = [service for service in listed if WORKLOAD_LABEL in service.labels]
    await asyncio.gather(*(engine.remove_service(service.id) for service in ours))
    return [f"service {service.name} through {engine.endpoint}" for service in ours]
