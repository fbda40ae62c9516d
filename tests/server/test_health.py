"""What watchers see: alive, ready, and the numbers."""

import re
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from skep.model.errors import UnavailableError
from skep.model.state import Event
from skep.model.view import ClusterView, EngineView
from tests.server.front_double import FrontDouble
from tests.server.running import Running

STATES = ("answering", "silent", "lost", "unknown")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _samples(server: Running) -> Samples:
    answer = server.ask("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def _value(samples: Samples, metric: str, /, **labels: str) -> float:
    return samples[metric, frozenset(labels.items())]


def test_a_process_that_answers_is_alive_even_when_it_does_not_act(server: Running, front: FrontDouble) -> None:
    front.ready, front.error = False, UnavailableError("the store is gone")
    answer = server.ask("GET", "/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


def test_only_one_that_acts_is_ready(server: Running, front: FrontDouble) -> None:
    assert server.ask("GET", "/readyz").status == 200
    front.ready = False
    answer = server.ask("GET", "/readyz")
    assert (answer.status, answer.json()["reason"]) == (503, "NotReady")


def test_metrics_tell_what_each_key_wants_and_has(server: Running, front: FrontDouble) -> None:
    samples = _samples(server)
    web = {"kind": "workload", "name": "web"}
    assert _value(samples, "skep_members_desired", **web) == 5
    assert _value(samples, "skep_members_current", **web) == 2
    assert _value(samples, "skep_members_ready", **web) == 2
    assert _value(samples, "skep_members_outdated", **web) == 1
    assert _value(samples, "skep_converged", **web) == 0
    assert _value(samples, "skep_converged", kind="group", name="workers") == 1
    assert _value(samples, "skep_observation_age_seconds", **web) == 0.5
    assert ("skep_observation_age_seconds", frozenset({("kind", "group"), ("name", "workers")})) not in samples
    assert _value(samples, "skep_condition", **web, type="Progressing") == 1
    assert _value(samples, "skep_condition", **web, type="Available") == 0
    assert _value(samples, "skep_build_info", version="0.1.0", controller="default") == 1
    assert _value(samples, "process_resident_memory_bytes") > 1e6


def test_metrics_count_engines_by_state_and_events(server: Running, front: FrontDouble) -> None:
    engine = EngineView("a", "tcp://a", "engine", "answering")
    engines = (engine, replace(engine, name="b"), replace(engine, name="c", state="lost"))
    front.known_clusters = (ClusterView("farm", "engine", "settings", engines, partitioned=True),)
    front.log = [Event(41, 0.0, "workload/web", "Missing", ""), Event(42, 0.0, "workload/web", "Missing", "")]
    samples = _samples(server)
    states = {state: _value(samples, "skep_cluster_engines", cluster="farm", state=state) for state in STATES}
    assert states == {"answering": 2, "silent": 0, "lost": 1, "unknown": 0}
    assert _value(samples, "skep_cluster_partitioned", cluster="farm") == 1
    assert _value(samples, "skep_events_total") == 42


def test_who_does_not_act_tells_so_and_nothing_of_others(server: Running, front: FrontDouble) -> None:
    front.ready, front.error = False, UnavailableError("the store is gone")
    samples = _samples(server)
    assert _value(samples, "skep_ready") == 0
    assert not [name for name, _ in samples if name.startswith("skep_members")]


def test_odd_names_can_not_break_the_exposition(server: Running, front: FrontDouble) -> None:
    (view,) = (view for view in front.shown.values() if view.kind == "workload")
    front.script.append((replace(view, name='we"b\n} 1\nevil 1\\'),))
    samples = _samples(server)
    assert [name for name, _ in samples if name.startswith("evil")] == []
    assert _value(samples, "skep_members_desired", kind="workload", name='we"b\n} 1\nevil 1\\') == 5


def test_names_and_units_follow_the_conventions(server: Running) -> None:
    text = server.ask("GET", "/metrics").body.decode()
    for name, kind in re.findall(r"^# TYPE (skep_\S+) (\S+)$", text, re.MULTILINE):
        assert re.fullmatch(r"skep_[a-z_]+", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert f"# HELP {name} " in text
