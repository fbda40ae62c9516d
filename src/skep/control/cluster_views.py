"""What people are shown of clusters: made from what is known of their engines. Never acts."""

import asyncio
from collections.abc import Sequence

from skep.model.cluster import ClusterKind, ClusterSight, EngineState
from skep.model.errors import SkepError
from skep.model.spec import Key, Kind
from skep.model.state import ClusterManager, ClusterState
from skep.model.view import ClusterView, EngineView
from skep.ports import Engines

SETTINGS = "settings"
"""The origin of a cluster that no group forms."""

ANSWER_S = 3.0
"""Who looks at clusters does not wait longer for a manager that hangs."""


def static_view(sight: ClusterSight) -> ClusterView:
    """A cluster of the settings."""
    engines = tuple(_engine_view(e) for e in sight.engines)
    return ClusterView(sight.name, sight.kind.value, SETTINGS, engines, sight.partitioned)


def _engine_view(engine: EngineState) -> EngineView:
    return EngineView(
        name=engine.source,
        endpoint=engine.endpoint,
        kind=engine.kind.value,
        state=_state_of(engine),
        hostname=engine.hostname,
        version=engine.version,
        api_version=engine.api_version,
        operating_system=engine.operating_system,
        error=engine.error,
    )


def _state_of(engine: EngineState) -> str:
    if engine.answers:
        return "answering"
    if engine.lost:
        return "lost"
    return "silent" if engine.heard or engine.error else "unknown"


async def formed_view(state: ClusterState, engines: Engines) -> ClusterView:
    """The cluster of a manager group, as its managers answer now; one that does not exist yet is unknown."""
    managers = await asyncio.gather(*(_manager_view(m, engines) for m in state.managers))
    kind = ClusterKind.SWARM if state.id else ClusterKind.UNKNOWN
    return ClusterView(state.name, kind.value, str(Key(Kind.GROUP, state.name)), _in_order(managers))


async def _manager_view(manager: ClusterManager, engines: Engines) -> EngineView:
    """A manager that answers and can't decide says why in `error`."""
    name, endpoint, kind = manager.name, manager.endpoint, ClusterKind.SWARM.value
    try:
        async with asyncio.timeout(ANSWER_S):
            info = await engines.engine(endpoint).info()
    except TimeoutError:
        return EngineView(name, endpoint, kind, "silent", error=f"no answer within {ANSWER_S:.0f} s")
    except SkepError as error:
        return EngineView(name, endpoint, kind, "silent", error=str(error))
    return EngineView(
        name=name,
        endpoint=endpoint,
        kind=kind,
        state="answering",
        hostname=info.name,
        version=info.version,
        api_version=info.api_version,
        operating_system=info.operating_system,
        error=info.error,
    )


def _in_order(views: Sequence[EngineView]) -> tuple[EngineView, ...]:
    return tuple(sorted(views, key=lambda v: v.name))
