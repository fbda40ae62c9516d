"""The clusters of the settings: which engines answer, what they are, and who is lost.

Engines are asked when somebody wants to know, and rarely: a call that gets through tells as much as a question.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import structlog

from skep.model.cluster import ClusterKind, ClusterSight, EngineState, StaticCluster
from skep.model.engine import EngineInfo
from skep.model.errors import NotFoundError, SkepError
from skep.planning.loss import Brake, Silence, due_s, judge
from skep.ports import Clock, Engine, Engines

log = structlog.get_logger()

TRUST_S = 35.0
"""What an engine is can change (`docker swarm init`), seldom: it is asked again after a little more than a resync.
GET /info runs three programs on the engine's host."""

PROBE_S = 3.0
"""A silent engine is asked this often, so that W35's three probes are done when its 30 s are over."""

PROBE_TIMEOUT_S = 10.0
"""One probe: three of them that hang take W35's 30 s."""

PATIENCE_S = 2.0
"""Who wants to know waits so long for engines that answered so far or were never asked, and not at all for those that
are silent already, or were asked longer ago: others go on without them."""

BEFALLEN_MAX = 1000
"""So many containers that events told of are remembered for each engine: more than skep keeps on one."""


REASONS_MAX = 10
"""Of one silence the log tells each reason once, and so many of them: some have a text that is never the same."""


@dataclass(slots=True)
class _Endpoint:
    """`due_s`: when it may be asked again. `silent_since_s`, `failed_probes` and `reasons` are those of this silence.
    `heard_s`: when a call that was no question got through last."""

    state: EngineState
    due_s: float = float("-inf")
    asked_s: float = float("-inf")
    heard_s: float = float("-inf")
    silent_since_s: float | None = None
    failed_probes: int = 0
    reasons: set[str] = field(default_factory=set)
    probe: asyncio.Task[None] | None = None
    befallen: dict[str, None] = field(default_factory=dict)
    destroyed: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Cluster:
    name: str
    endpoints: dict[str, _Endpoint]
    partitioned: bool = False
    brake: Brake = field(default_factory=Brake)
    shown: ClusterSight | None = field(default=None)


class EngineBook:
    """All clusters of the settings. `changed` is called with a cluster's name when what is known of it has changed.

    Names and sources that are not there raise NotFoundError.
    """

    def __init__(
        self, static: Sequence[StaticCluster], engines: Engines, clock: Clock, changed: Callable[[str], None]
    ) -> None:
        self._engines, self._clock, self._changed = engines, clock, changed
        self._clusters = {c.name: _Cluster(c.name, _endpoints(c)) for c in static}

    def names(self) -> tuple[str, ...]:
        """In the order of the settings."""
        return tuple(self._clusters)

    def has(self, name: str) -> bool:
        return name in self._clusters

    async def sight(self, name: str) -> ClusterSight:
        """What is known of a cluster, after those of its engines that are due were asked, all at once.

        Many who want to know at the same moment share one question. What comes later than PATIENCE_S is told by
        `changed`.
        """
        cluster = self._cluster(name)
        awaited = [task for e in cluster.endpoints.values() if (task := self._probe(cluster, e)) is not None]
        if awaited:
            await asyncio.wait(awaited, timeout=PATIENCE_S)
        return self.known(name)

    def known(self, name: str) -> ClusterSight:
        """The same without asking anybody."""
        cluster = self._cluster(name)
        self._judge(cluster)
        return _sight(cluster)

    def engine(self, name: str, source: str) -> Engine:
        return self._engines.engine(self._endpoint(name, source).state.endpoint)

    def doubt(self, name: str, source: str, reason: str) -> None:
        """A call of it failed, or its stream of events broke: it is silent until it has been asked."""
        cluster, endpoint = self._cluster(name), self._endpoint(name, source)
        if endpoint.silent_since_s is not None:
            return
        self._fall_silent(endpoint, reason, self._clock.monotonic_s())
        endpoint.due_s = endpoint.asked_s + PROBE_S
        self._tell(cluster)

    def suspect(self, name: str, source: str) -> None:
        """Something of it does not work: it is asked again before long, and trusted until then."""
        endpoint = self._endpoint(name, source)
        endpoint.due_s = min(endpoint.due_s, endpoint.asked_s + PROBE_S)

    def befell(self, name: str, source: str, container: str) -> None:
        """An event tells that something has happened to a container; a listing may still show it as it was."""
        _remember(self._endpoint(name, source).befallen, container)

    def destroyed(self, name: str, source: str, container: str) -> None:
        """An event tells that a container is gone; a listing may still show it."""
        self.befell(name, source, container)
        _remember(self._endpoint(name, source).destroyed, container)

    def is_destroyed(self, name: str, source: str, container: str) -> bool:
        """Whether an event told so, not too many ago."""
        return container in self._endpoint(name, source).destroyed

    def take_befallen(self, name: str, source: str, among: Collection[str]) -> list[str]:
        """Those of `among` that events told of since they were taken last: to be asked for one by one."""
        befallen = self._endpoint(name, source).befallen
        taken = [container for container in befallen if container in among]
        for container in taken:
            del befallen[container]
        return taken

    def heard(self, name: str, source: str) -> None:
        """A call of it got through. What it is, an engine that was never asked says only when it is."""
        cluster, endpoint = self._cluster(name), self._endpoint(name, source)
        endpoint.heard_s = self._clock.monotonic_s()
        if endpoint.silent_since_s is None or not endpoint.state.heard:
            return
        self._end_silence(endpoint)
        endpoint.due_s = min(endpoint.due_s, self._clock.monotonic_s() + TRUST_S)
        self._tell(cluster)

    def now_s(self) -> float:
        """On the clock that silences are measured with."""
        return self._clock.monotonic_s()

    def silences(self, name: str) -> dict[str, float]:
        """For how many seconds each engine that does not answer has been silent, by source."""
        now_s, endpoints = self.now_s(), self._cluster(name).endpoints
        return {s: now_s - e.silent_since_s for s, e in endpoints.items() if e.silent_since_s is not None}

    def losses(self, name: str) -> dict[str, float]:
        """When each of them is to count as lost, on the same clock."""
        cluster = self._cluster(name)
        since = {source: e.silent_since_s for source, e in cluster.endpoints.items()}
        return {source: due_s(since_s, cluster.brake) for source, since_s in since.items() if since_s is not None}

    def _cluster(self, name: str) -> _Cluster:
        if name not in self._clusters:
            raise NotFoundError(f"the settings have no cluster {name}")
        return self._clusters[name]

    def _endpoint(self, name: str, source: str) -> _Endpoint:
        endpoints = self._cluster(name).endpoints
        if source not in endpoints:
            raise NotFoundError(f"cluster {name} of the settings has no engine {source}")
        return endpoints[source]

    def _probe(self, cluster: _Cluster, endpoint: _Endpoint) -> asyncio.Task[None] | None:
        """The question under way, begun if it is due; None where nobody needs to wait for one."""
        known_silent, now_s = endpoint.failed_probes > 0, self._clock.monotonic_s()
        if endpoint.probe is None and now_s >= endpoint.due_s:
            endpoint.asked_s = now_s
            endpoint.probe = asyncio.create_task(self._ask(cluster, endpoint), name=f"ask {endpoint.state.endpoint}")
        return None if known_silent or now_s >= endpoint.asked_s + PATIENCE_S else endpoint.probe

    async def _ask(self, cluster: _Cluster, endpoint: _Endpoint) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                info = await self._engines.engine(endpoint.state.endpoint).info()
        except TimeoutError:
            self._failed(endpoint, f"{endpoint.state.endpoint}: no answer within {PROBE_TIMEOUT_S:.0f} s")
        except SkepError as error:
            self._failed(endpoint, str(error))
        else:
            endpoint.state = _described(endpoint.state, info)
            endpoint.due_s = self._clock.monotonic_s() + TRUST_S
            self._end_silence(endpoint)
        finally:
            endpoint.probe = None
        self._tell(cluster)

    def _failed(self, endpoint: _Endpoint, error: str) -> None:
        """An engine that hangs is silent since it was asked, not since the question was given up."""
        if endpoint.silent_since_s is None:
            self._fall_silent(endpoint, error, max(endpoint.asked_s, endpoint.heard_s))
        endpoint.failed_probes += 1
        _give_reason(endpoint, error)
        endpoint.due_s = endpoint.asked_s + PROBE_S

    def _fall_silent(self, endpoint: _Endpoint, error: str, since_s: float) -> None:
        endpoint.silent_since_s = since_s
        endpoint.state = replace(endpoint.state, answers=False)
        _give_reason(endpoint, error)

    def _end_silence(self, endpoint: _Endpoint) -> None:
        endpoint.silent_since_s, endpoint.failed_probes = None, 0
        endpoint.reasons.clear()
        endpoint.state = replace(endpoint.state, answers=True, lost=False, error="")

    def _judge(self, cluster: _Cluster) -> None:
        """Time alone makes a silent engine a lost one."""
        now_s, endpoints = self._clock.monotonic_s(), cluster.endpoints
        silences = [
            Silence(source, e.failed_probes, now_s - e.silent_since_s, e.state.lost)
            for source, e in endpoints.items()
            if e.silent_since_s is not None
        ]
        loss = judge(silences, len(endpoints), cluster.brake, now_s)
        cluster.partitioned, cluster.brake = loss.partitioned, loss.brake
        for source in loss.lost:
            endpoints[source].state = replace(endpoints[source].state, lost=True)

    def _tell(self, cluster: _Cluster) -> None:
        """Wake those who live on the cluster if it is not what it was when they were told last; words do not count."""
        self._judge(cluster)
        seen = _sight(cluster)
        shown = replace(seen, engines=tuple(replace(e, error="") for e in seen.engines))
        if shown == cluster.shown:
            return
        cluster.shown = shown
        log.info("engines changed", cluster=cluster.name, kind=seen.kind, engines=[_in_words(e) for e in seen.engines])
        self._changed(cluster.name)


def _give_reason(endpoint: _Endpoint, error: str) -> None:
    """The log has it when it is a new one: an engine that restarts first hangs up, and then says what is wrong."""
    endpoint.state = replace(endpoint.state, error=error)
    if error not in endpoint.reasons and len(endpoint.reasons) < REASONS_MAX:
        endpoint.reasons.add(error)
        log.warning("an engine does not answer", engine=endpoint.state.source, reason=error)


def _remember(known: dict[str, None], container: str) -> None:
    """As the newest; the oldest go when there are too many."""
    known[container] = None
    while len(known) > BEFALLEN_MAX:
        del known[next(iter(known))]


def _endpoints(static: StaticCluster) -> dict[str, _Endpoint]:
    """By source: the host of the URL where only one has it, else the URL."""
    urls = tuple(dict.fromkeys(static.endpoints))
    hosts = [urlsplit(url).hostname or url for url in urls]
    often = Counter(hosts)
    sources = [host if often[host] == 1 else url for host, url in zip(hosts, urls, strict=True)]
    return {s: _Endpoint(EngineState(s, url)) for s, url in zip(sources, urls, strict=True)}


def _described(state: EngineState, info: EngineInfo) -> EngineState:
    """A manager that has lost its quorum does not say which Swarm it manages: the one that it did before."""
    kind = kind_of(info)
    same = state.cluster_id if kind is ClusterKind.SWARM else ""
    return replace(
        state,
        kind=kind,
        heard=True,
        id=info.id,
        cluster_id=info.cluster_id or same,
        hostname=info.name,
        version=info.version,
        api_version=info.api_version,
        operating_system=info.operating_system,
        os_type=info.os_type,
        architecture=info.architecture,
        labels=tuple(sorted(info.labels.items())),
        nodes=info.nodes,
    )


def kind_of(info: EngineInfo) -> ClusterKind:
    """What an engine says it is. One that joins, or whose Swarm is in trouble, can be used neither as one nor alone."""
    if info.classic:
        return ClusterKind.CLASSIC
    if info.swarm_state in ("", "inactive"):
        return ClusterKind.ENGINE
    is_manager = info.control or bool(info.cluster_id) or (info.swarm_state == "active" and bool(info.error))
    return ClusterKind.SWARM if is_manager or info.swarm_state == "locked" else ClusterKind.WORKER


def _sight(cluster: _Cluster) -> ClusterSight:
    states = tuple(e.state for e in cluster.endpoints.values())
    return ClusterSight(cluster.name, _kind_of_all(states), states, cluster.partitioned)


def _kind_of_all(states: Sequence[EngineState]) -> ClusterKind:
    """Managers decide for a Swarm; a worker beside them is one that was demoted, and is not asked for anything.

    Two classic managers are MIXED: whether they answer for the same engines can't be told.
    """
    kinds = [s.kind for s in states if s.kind is not ClusterKind.UNKNOWN]
    if not kinds:
        return ClusterKind.UNKNOWN
    if set(kinds) <= {ClusterKind.SWARM, ClusterKind.WORKER}:
        swarms = {s.cluster_id for s in states if s.cluster_id}
        return ClusterKind.MIXED if len(swarms) > 1 else max(kinds, key=lambda k: k is ClusterKind.SWARM)
    if len(set(kinds)) > 1 or kinds.count(ClusterKind.CLASSIC) > 1:
        return ClusterKind.MIXED
    return kinds[0]


def _in_words(state: EngineState) -> str:
    if not state.answers and not state.error:
        return f"{state.source} is asked"
    return f"{state.source} {'answers' if state.answers else 'is lost' if state.lost else 'is silent'}"
