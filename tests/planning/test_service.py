"""A workload as a Swarm service: what is sent, and what of a live service is drift."""

import hashlib
import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from skep.model.spec import FileRef, HealthCheck, Mount, Port, Resources, Restart, Rolling, WorkloadSpec
from skep.planning.service import (
    FINGERPRINT_LABEL,
    LABELS_LABEL,
    NO_NAMES,
    Names,
    drift,
    fingerprint,
    labelled,
    merged_labels,
    pruned,
    render,
    update_config,
)
from tests.fakes.tasks import with_defaults

SMALL = WorkloadSpec("web", "web:1", 5)
FULL = WorkloadSpec(
    name="web",
    image="web:1",
    count=3,
    command=("/bin/web",),
    args=("-v",),
    env=(("COLOUR", "red"),),
    labels=(("team", "a"),),
    ports=(Port(80, 8080, mode="host"),),
    mounts=(Mount("volume", "/data", "data", read_only=True),),
    networks=("front",),
    constraints=("node.role==worker",),
    resources=Resources(500_000_000, 1 << 20, 100, 250_000_000, 1 << 19),
    health_check=HealthCheck(("CMD", "true"), 5.0, 1.5, 3, 2.0),
    stop_grace_s=2.5,
    user="nobody",
    secrets=(FileRef("key", "tls.key"),),
    configs=(FileRef("conf"),),
)
NAMES = Names({"key": "s1"}, {"conf": "c1"}, {"front": "n1"})


def rendered(spec: WorkloadSpec = SMALL, image: str = "web:1@sha256:1", names: Names = NO_NAMES) -> dict[str, Any]:
    return render(spec, image, "skep", names)


def live(spec: dict[str, Any]) -> dict[str, Any]:
    """As an engine keeps it: pruned, and with its own defaults."""
    return with_defaults(labelled(spec, "u1", "f"))


def plain(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def test_a_small_workload_as_it_is_sent() -> None:
    assert labelled(rendered(), "u1", "f1") == {
        "Name": "web",
        "Labels": {
            "swarm.cluster.state": "web",
            "skep.controller": "skep",
            "skep.workload": "web",
            "skep.labels": "",
            "skep.uid": "u1",
            "skep.fingerprint": "f1",
        },
        "TaskTemplate": {
            "ContainerSpec": {"Image": "web:1@sha256:1", "Labels": {"swarm.cluster.state": "web"}},
        },
        "Mode": {"Replicated": {"Replicas": 5}},
        "UpdateConfig": {"Parallelism": 2, "FailureAction": "pause", "Order": "start-first"},
        "RollbackConfig": {"Parallelism": 2, "FailureAction": "pause", "Order": "start-first"},
    }


def test_every_field_has_its_place_in_the_engine_api() -> None:
    sent = labelled(rendered(FULL, names=NAMES), "u1", "f1")
    assert sent["Labels"]["team"] == "a"  # type: ignore[index,call-overload]
    assert sent["EndpointSpec"] == {
        "Ports": [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080, "PublishMode": "host"}]
    }
    assert sent["TaskTemplate"] == {
        "ContainerSpec": {
            "Image": "web:1@sha256:1",
            "Labels": {"team": "a", "swarm.cluster.state": "web"},
            "Command": ["/bin/web"],
            "Args": ["-v"],
            "Env": ["COLOUR=red"],
            "User": "nobody",
            "Mounts": [{"Type": "volume", "Source": "data", "Target": "/data", "ReadOnly": True}],
            "Healthcheck": {
                "Test": ["CMD", "true"],
                "Interval": 5_000_000_000,
                "Timeout": 1_500_000_000,
                "Retries": 3,
                "StartPeriod": 2_000_000_000,
            },
            "Secrets": [
                {
                    "SecretID": "s1",
                    "SecretName": "key",
                    "File": {"Name": "tls.key", "UID": "0", "GID": "0", "Mode": 0o444},
                }
            ],
            "Configs": [
                {
                    "ConfigID": "c1",
                    "ConfigName": "conf",
                    "File": {"Name": "conf", "UID": "0", "GID": "0", "Mode": 0o444},
                }
            ],
            "StopGracePeriod": 2_500_000_000,
        },
        "Resources": {
            "Limits": {"NanoCPUs": 500_000_000, "MemoryBytes": 1 << 20, "Pids": 100},
            "Reservations": {"NanoCPUs": 250_000_000, "MemoryBytes": 1 << 19},
        },
        "Placement": {"Constraints": ["node.role==worker"]},
        "Networks": [{"Target": "n1"}],
    }


def test_restarts_are_swarms_own_affair_unless_the_spec_limits_them() -> None:
    limited = pruned(rendered(replace(SMALL, restart=Restart(3, 120.0))))
    assert "RestartPolicy" not in str(labelled(rendered(), "u1", "f1"))
    assert limited["TaskTemplate"]["RestartPolicy"] == {  # type: ignore[index,call-overload]
        "Condition": "any",
        "MaxAttempts": 3,
        "Window": 120_000_000_000,
    }


def test_none_and_each_are_counts_that_are_sent() -> None:
    assert pruned(rendered(replace(SMALL, count=0)))["Mode"] == {"Replicated": {"Replicas": 0}}  # type: ignore[index,call-overload]
    assert pruned(rendered(replace(SMALL, mode="global")))["Mode"] == {"Global": {}}  # type: ignore[index,call-overload]


@pytest.mark.parametrize(("count", "at_once"), [(0, 1), (1, 1), (4, 1), (5, 2), (8, 2), (30, 8)])
def test_a_quarter_is_updated_at_a_time_and_none_is_missing_meanwhile(count: int, at_once: int) -> None:
    """semantics.md W41: rounded up."""
    config = update_config(replace(SMALL, count=count))
    assert (config["Parallelism"], config["Order"]) == (at_once, "start-first")


ON_HOSTS = (Port(80, 8080, mode="host"),)


@pytest.mark.parametrize(
    ("changes", "at_once", "order"),
    [
        ({"updating": Rolling(3, 0)}, 3, "start-first"),
        ({"updating": Rolling("50%", "50%")}, 4, "start-first"),
        ({"updating": Rolling(0, 3)}, 3, "stop-first"),
        ({"updating": Rolling(0, "50%")}, 4, "stop-first"),
        ({"updating": Rolling("0%", "10%")}, 1, "stop-first"),
        ({"ports": ON_HOSTS}, 2, "stop-first"),
        ({"ports": ON_HOSTS, "updating": Rolling(1, 0)}, 1, "start-first"),
        ({"ports": (Port(80, 8080),)}, 2, "start-first"),
        ({"mode": "global", "count": 0}, 1, "stop-first"),
        ({"mode": "global", "count": 0, "updating": Rolling(None, 2)}, 2, "stop-first"),
    ],
)
def test_surge_starts_first_and_what_may_be_missing_is_stopped_first(
    changes: dict[str, Any], at_once: int, order: str
) -> None:
    """semantics.md W41, W42, for eight replicas."""
    sent = rendered(replace(SMALL, **{"count": 8, **changes}))
    assert (sent["UpdateConfig"]["Parallelism"], sent["UpdateConfig"]["Order"]) == (at_once, order)
    assert sent["RollbackConfig"] == sent["UpdateConfig"]


@pytest.mark.parametrize(
    ("ready_s", "delay", "monitor"),
    [(None, None, None), (0.0, None, None), (1.5, 1_500_000_000, 5_000_000_000), (60.0, 60 * 10**9, 60 * 10**9)],
)
def test_what_has_to_be_ready_for_a_while_is_watched_for_so_long(
    ready_s: float | None, delay: int | None, monitor: int | None
) -> None:
    """semantics.md W44, W47: never for less than Swarm itself does."""
    config = update_config(replace(SMALL, updating=Rolling(min_ready_s=ready_s)))
    assert (config.get("Delay"), config.get("Monitor")) == (delay, monitor)


@pytest.mark.parametrize(
    ("asked", "ratio", "update", "rollback"),
    [
        (None, 0.0, ("pause", 0), ("pause", 0)),
        ("continue", 0.5, ("continue", 0.5), ("continue", 0.5)),
        ("rollback", 0.25, ("rollback", 0.25), ("pause", 0.25)),
        ("pause", 1 / 3, ("pause", 0.333333), ("pause", 0.333333)),
    ],
)
def test_w47_a_rollback_is_never_rolled_back_and_a_ratio_is_as_exact_as_the_engine_keeps_it(
    asked: Any, ratio: float, update: tuple[str, float], rollback: tuple[str, float]
) -> None:
    sent = rendered(replace(SMALL, updating=Rolling(failure_action=asked, failure_ratio_max=ratio)))
    for section, expected in (("UpdateConfig", update), ("RollbackConfig", rollback)):
        assert (sent[section]["FailureAction"], sent[section]["MaxFailureRatio"]) == expected


@pytest.mark.parametrize("spec", [rendered(), rendered(FULL, names=NAMES), rendered(replace(SMALL, count=0))])
def test_what_the_engine_makes_of_our_own_spec_is_no_drift(spec: dict[str, Any]) -> None:
    assert drift(spec, live(spec)) == ()


def change(path: str, value: object) -> Any:
    """A live service of FULL with one place changed, or taken away where the value is None."""
    spec = live(rendered(FULL, names=NAMES))
    *parents, last = path.split(".")
    inner: Any = spec
    for part in parents:
        inner = inner[part]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return spec


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Mode.Replicated.Replicas", 4),
        ("Mode", {"Global": {}}),
        ("TaskTemplate.ContainerSpec.Image", "web:2"),
        ("TaskTemplate.ContainerSpec.Env", ["COLOUR=red", "DEBUG=1"]),
        ("TaskTemplate.ContainerSpec.Env", None),
        ("TaskTemplate.ContainerSpec.Healthcheck.Retries", 9),
        ("TaskTemplate.ContainerSpec.StopGracePeriod", 1),
        ("TaskTemplate.Resources.Limits.MemoryBytes", 1 << 30),
        ("TaskTemplate.Resources.Limits", None),
        ("TaskTemplate.Placement.Constraints", []),
        ("TaskTemplate.Networks", [{"Target": "n2"}]),
        ("EndpointSpec.Ports", None),
        ("EndpointSpec.Ports", [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 81, "PublishMode": "host"}]),
        ("UpdateConfig.Parallelism", 9),
        ("UpdateConfig.MaxFailureRatio", 0.5),
        ("RollbackConfig.Order", "start-first"),
        ("Labels", {"swarm.cluster.state": "web"}),
    ],
)
def test_a_change_from_outside_is_drift_and_named(path: str, value: object) -> None:
    found = drift(rendered(FULL, names=NAMES), change(path, value))
    assert found
    assert all(p.startswith(path) for p in found)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("TaskTemplate.ForceUpdate", 7),
        ("TaskTemplate.ContainerSpec.DNSConfig", {"Nameservers": ["1.1.1.1"]}),
        ("EndpointSpec.Mode", "dnsrr"),
        ("TaskTemplate.LogDriver", {"Name": "none"}),
    ],
)
def test_what_skep_does_not_set_is_not_its_business(path: str, value: object) -> None:
    assert drift(rendered(FULL, names=NAMES), change(path, value)) == ()


def test_what_skep_leaves_empty_is_its_business() -> None:
    """Somebody published a port, set an environment, or put a constraint on a workload that has none."""
    spec = live(rendered())
    spec["TaskTemplate"]["Placement"] = {"Constraints": ["node.role==manager"]}
    spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["A=1"]
    spec["EndpointSpec"]["Ports"] = [{"TargetPort": 80}]
    assert set(drift(rendered(), spec)) == {
        "TaskTemplate.Placement.Constraints",
        "TaskTemplate.ContainerSpec.Env",
        "EndpointSpec.Ports",
    }


def test_labels_of_other_tools_are_no_drift_and_stay() -> None:
    spec = live(rendered())
    spec["Labels"]["com.docker.stack.namespace"] = "x"
    assert drift(rendered(), spec) == ()
    merged = merged_labels(spec["Labels"], labelled(rendered(), "u1", "f2")["Labels"])
    assert (merged["com.docker.stack.namespace"], merged[FINGERPRINT_LABEL]) == ("x", "f2")


def test_a_label_that_the_spec_dropped_goes_from_the_service() -> None:
    before = live(rendered(replace(SMALL, labels=(("team", "a"), ("tier", "front")))))
    before["Labels"]["other"] = "kept"
    after = rendered(replace(SMALL, labels=(("tier", "front"),)))
    merged = merged_labels(before["Labels"], labelled(after, "u1", "f")["Labels"])
    assert set(merged) - set(labelled(after, "u1", "f")["Labels"]) == {"other"}  # type: ignore[arg-type]
    assert (merged["tier"], merged[LABELS_LABEL]) == ("front", "tier")


def test_a_fingerprint_stands_for_the_whole_spec_and_tells_nothing_of_it() -> None:
    base = fingerprint(rendered(), plain)
    changes = [replace(SMALL, count=6), replace(SMALL, env=(("A", "1"),)), replace(SMALL, labels=(("a", "b"),))]
    others = {fingerprint(rendered(spec), plain) for spec in changes} | {fingerprint(rendered(image="web:2"), plain)}
    assert len(others | {base}) == 5
    assert base == fingerprint(json.loads(json.dumps(deepcopy(rendered()))), plain)
    assert base != fingerprint(rendered(), lambda text: plain("another key" + text))
