"""The numbers of /metrics: one series for each key and cluster, none for a container or machine."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from skep.model.view import ClusterView, KeyView
from skep.server.front import Info

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

ENGINE_STATES = ("answering", "silent", "lost", "unknown")
"""What an engine can be (model.view.EngineView): each is there, so that its zero is a number too."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read for one scrape. Who is not ready has read nothing."""

    info: Info
    ready: bool = False
    keys: tuple[KeyView, ...] = ()
    clusters: tuple[ClusterView, ...] = ()
    events: int = 0


_KEY_GAUGES: tuple[tuple[str, str, Callable[[KeyView], float]], ...] = (
    ("skep_members_desired", "Machines or containers that a key shall have.", lambda view: view.desired),
    ("skep_members_current", "Machines or containers that a key has.", lambda view: view.current),
    ("skep_members_ready", "Machines or containers of a key that are ready.", lambda view: view.ready),
    ("skep_members_outdated", "Members of a key that follow an older spec.", lambda view: view.outdated),
    ("skep_converged", "1 where a key is as its spec wants it.", lambda view: view.converged),
    ("skep_paused", "1 where roll-outs of a key are paused.", lambda view: bool(view.paused)),
    ("skep_generation", "Number of a key's spec.", lambda view: view.generation),
    ("skep_observed_generation", "Number of the spec that was last acted on.", lambda view: view.observed_generation),
)


def exposition(reading: Reading) -> bytes:
    """The text that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(_Once(reading))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterable[Metric]:
        reading = self._reading
        labels = {"version": reading.info.version, "controller": reading.info.controller}
        yield InfoMetricFamily("skep_build", "Who answers.", labels)
        yield GaugeMetricFamily("skep_ready", "1 where this process has the term and acts.", float(reading.ready))
        if reading.ready:
            yield from _of_keys(reading.keys)
            yield from _of_clusters(reading.clusters)
            yield CounterMetricFamily("skep_events", "Events since the state directory was made.", reading.events)


def _of_keys(views: tuple[KeyView, ...]) -> Iterator[Metric]:
    for name, text, value in _KEY_GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=("kind", "name"))
        for view in views:
            gauge.add_metric((view.kind, view.name), float(value(view)))
        yield gauge
    yield _ages(views)
    yield _conditions(views)


def _ages(views: tuple[KeyView, ...]) -> Metric:
    """A key that was never looked at has no age."""
    gauge = GaugeMetricFamily(
        "skep_observation_age_seconds", "Time since the last look at a key.", labels=("kind", "name")
    )
    for view in views:
        if view.observed_age_s >= 0:
            gauge.add_metric((view.kind, view.name), view.observed_age_s)
    return gauge


def _conditions(views: tuple[KeyView, ...]) -> Metric:
    gauge = GaugeMetricFamily(
        "skep_condition", "1 where a condition of a key is true.", labels=("kind", "name", "type")
    )
    for view in views:
        for condition in view.conditions:
            gauge.add_metric((view.kind, view.name, str(condition.type)), float(condition.status))
    return gauge


def _of_clusters(views: tuple[ClusterView, ...]) -> Iterator[Metric]:
    engines = GaugeMetricFamily("skep_cluster_engines", "Engines of a cluster by state.", labels=("cluster", "state"))
    split = GaugeMetricFamily(
        "skep_cluster_partitioned", "1 where so many engines are silent that none is given up.", labels=("cluster",)
    )
    for view in views:
        states = Counter(engine.state for engine in view.engines)
        for state in ENGINE_STATES:
            engines.add_metric((view.name, state), states[state])
        split.add_metric((view.name,), float(view.partitioned))
    yield engines
    yield split
