"""A workload as containers of plain Engines: what is sent, where it may run, and what such Engines can't do."""

from dataclasses import replace
from typing import Any

import pytest

from skep.model.cluster import ClusterKind, EngineState
from skep.model.engine import Container
from skep.model.spec import FileRef, Mount, Port, Restart, Rolling, WorkloadSpec
from skep.model.state import Health, Life
from skep.planning.container import (
    RESCHEDULE_LABEL,
    detail_of,
    endpoint_refusal,
    fits,
    health_of,
    labelled,
    life_of,
    name_of,
    refusal,
    render,
    room_to_roll,
    takes_one_each,
)
from tests.planning.test_service import FULL, SMALL

ALPHA = EngineState(
    "alpha", "tcp://alpha:2375", ClusterKind.ENGINE, answers=True, heard=True, id="E1", hostname="Alpha",
    api_version="1.41", os_type="linux", architecture="x86_64", labels=(("zone", "A"),),
)  # fmt: skip
BETA = replace(ALPHA, source="beta", id="E2", hostname="beta", api_version="1.52", architecture="aarch64", labels=())
SILENT = EngineState("gamma", "tcp://gamma:2375")


def rendered(spec: WorkloadSpec = SMALL) -> dict[str, Any]:
    return render(spec, "web:1@sha256:1", "skep")


# --- what is sent -----------------------------------------------------------------------------------------------


def test_a_small_workload_as_it_is_sent() -> None:
    """W20, W31."""
    assert labelled(rendered(), "u1", "2", "0123456789abcdef", "f1") == {
        "Image": "web:1@sha256:1",
        "Labels": {
            "swarm.cluster.state": "web",
            "skep.controller": "skep",
            "skep.workload": "web",
            "skep.uid": "u1",
            "skep.slot": "2",
            "skep.request": "0123456789abcdef",
            "skep.fingerprint": "f1",
        },
        "HostConfig": {"RestartPolicy": {"Name": "no"}},
    }


def test_every_field_has_its_place_in_the_engine_api() -> None:
    assert rendered(FULL) == {
        "Image": "web:1@sha256:1",
        "Labels": {"team": "a", "swarm.cluster.state": "web", "skep.controller": "skep", "skep.workload": "web"},
        "Entrypoint": ["/bin/web"],
        "Cmd": ["-v"],
        "Env": ["COLOUR=red"],
        "User": "nobody",
        "ExposedPorts": {"80/tcp": {}},
        "Healthcheck": {
            "Test": ["CMD", "true"],
            "Interval": 5_000_000_000,
            "Timeout": 1_500_000_000,
            "Retries": 3,
            "StartPeriod": 2_000_000_000,
        },
        "StopTimeout": 3,
        "NetworkingConfig": {"EndpointsConfig": {"front": {"Aliases": ["web"]}}},
        "HostConfig": {
            "RestartPolicy": {"Name": "no"},
            "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
            "Mounts": [{"Type": "volume", "Target": "/data", "ReadOnly": True, "Source": "data"}],
            "NetworkMode": "front",
            "NanoCpus": 500_000_000,
            "Memory": 1 << 20,
            "PidsLimit": 100,
            "CpuShares": 256,
            "MemoryReservation": 1 << 19,
        },
    }


def test_ports_without_a_number_are_the_engines_to_choose_and_one_target_may_have_several() -> None:
    ports = (Port(80), Port(80, 8080), Port(53, 53, "udp", "host"))
    body = rendered(replace(SMALL, ports=ports))
    assert body["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostPort": ""}, {"HostPort": "8080"}],
        "53/udp": [{"HostPort": "53"}],
    }
    assert body["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}}


def test_mounts_without_a_source_have_none_and_dockers_own_networks_take_no_names() -> None:
    mounts = (Mount("tmpfs", "/t"), Mount("volume", "/v"))
    body = rendered(replace(SMALL, mounts=mounts, networks=("host",), stop_grace_s=0.0))
    assert body["HostConfig"]["Mounts"] == [
        {"Type": "tmpfs", "Target": "/t", "ReadOnly": False},
        {"Type": "volume", "Target": "/v", "ReadOnly": False},
    ]
    assert (body["HostConfig"]["NetworkMode"], body["StopTimeout"]) == ("host", 0)
    assert "NetworkingConfig" not in body


def test_all_networks_are_joined_at_once_the_first_one_as_the_mode() -> None:
    body = rendered(replace(SMALL, networks=("front", "back")))
    assert body["HostConfig"]["NetworkMode"] == "front"
    assert list(body["NetworkingConfig"]["EndpointsConfig"]) == ["front", "back"]


@pytest.mark.parametrize(
    "change",
    [
        {"count": 9},
        {"mode": "global"},
        {"cluster": "other"},
        {"constraints": ("node.hostname==alpha",)},
        {"restart": Restart(3, 60.0)},
    ],
)
def test_what_a_running_container_already_fulfils_is_no_part_of_it(change: dict[str, Any]) -> None:
    """W39."""
    assert rendered(replace(SMALL, **change)) == rendered()


@pytest.mark.parametrize(
    "change",
    [{"env": (("A", "1"),)}, {"labels": (("a", "1"),)}, {"stop_grace_s": 3.0}, {"user": "1"}, {"args": ("x",)}],
)
def test_a_change_of_the_template_shows(change: dict[str, Any]) -> None:
    """W39."""
    assert rendered(replace(SMALL, **change)) != rendered()


def test_a_name_is_that_of_one_creation() -> None:
    """W25."""
    assert name_of("web", "3", "0123456789abcdef") == "web.3.01234567"


# --- where it may run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "alpha", "beta"),
    [
        ("node.hostname==alpha", True, False),
        ("node.hostname != ALPHA", False, True),
        ("NODE.ID==e2", False, True),
        ("node.platform.os==linux", True, True),
        ("node.platform.arch==amd64", True, False),
        ("node.platform.arch==x86_64", True, False),
        ("node.platform.arch==arm64", False, True),
        ("engine.labels.zone==a", True, False),
        ("engine.labels.zone!=a", False, True),
        ("engine.labels.none!=a", True, True),
        ("engine.labels.none==a", False, False),
    ],
)
def test_constraints_are_compared_as_swarm_does(constraint: str, alpha: bool, beta: bool) -> None:
    spec = replace(SMALL, constraints=(constraint,))
    assert (fits(spec, ALPHA), fits(spec, BETA)) == (alpha, beta)


def test_all_constraints_must_hold() -> None:
    spec = replace(SMALL, constraints=("node.platform.os==linux", "node.hostname==beta"))
    assert (fits(spec, ALPHA), fits(spec, BETA)) == (False, True)


def test_an_engine_that_was_never_heard_is_taken_only_where_nothing_is_asked_of_it() -> None:
    assert fits(SMALL, SILENT)
    assert not fits(replace(SMALL, constraints=("node.hostname!=alpha",)), SILENT)


@pytest.mark.parametrize(
    ("spec", "one"),
    [
        (SMALL, False),
        (replace(SMALL, ports=(Port(80),)), False),
        (replace(SMALL, ports=(Port(80), Port(81, 8081))), True),
        (replace(SMALL, mode="global"), True),
    ],
)
def test_a_published_port_is_taken_once_on_a_host(spec: WorkloadSpec, one: bool) -> None:
    assert takes_one_each(spec) == one


@pytest.mark.parametrize(
    ("size", "engines", "one_each", "expected"),
    [
        (0, 1, False, (1, 0)),
        (1, 1, False, (1, 0)),
        (4, 1, False, (1, 1)),
        (5, 3, False, (2, 1)),
        (1, 1, True, (0, 1)),
        (3, 3, True, (0, 1)),
        (3, 4, True, (1, 0)),
        (8, 9, True, (1, 2)),
        (8, 8, True, (0, 2)),
        (3, 1, True, (0, 1)),
    ],
)
def test_a_roll_has_room(size: int, engines: int, one_each: bool, expected: tuple[int, int]) -> None:
    """W41: never both 0; no more than there is room for."""
    assert room_to_roll(size, engines, one_each, Rolling()) == expected


@pytest.mark.parametrize(
    ("surge", "unavailable", "one_each", "expected"),
    [
        (3, 0, False, (3, 0)),
        ("50%", "100%", False, (2, 4)),
        (0, None, False, (0, 1)),
        (0, 3, False, (0, 3)),
        ("0%", "10%", False, (0, 1)),
        (None, 2, False, (1, 2)),
        (4, 0, True, (2, 0)),
    ],
)
def test_a_roll_has_the_room_that_was_asked_for(
    surge: int | str | None, unavailable: int | str | None, one_each: bool, expected: tuple[int, int]
) -> None:
    """W41, for 4 on 6 engines: where percentages leave nothing, one may be missing; no surge without a place."""
    assert room_to_roll(4, 6, one_each, Rolling(surge, unavailable)) == expected


# --- what such Engines can't do -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"constraints": ("node.hostname==alpha", "engine.labels.zone==a")}, ""),
        ({"networks": ("front",)}, ""),
        ({"secrets": (FileRef("key"),)}, "Secrets: only Swarm mode keeps secrets; mount a file of the host instead"),
        ({"configs": (FileRef("conf"),)}, "Configs: only Swarm mode keeps configs"),
        (
            {"constraints": ("node.role==worker", "node.labels.a!=b", "node.ip==1", "node.id==1")},
            "Constraints: node.role==worker, node.labels.a!=b, node.ip==1: only a Swarm gives its nodes roles",
        ),
        ({"networks": ("front", "back")}, "takes one network for a container, and so does alpha (1.41); name one"),
        ({"networks": ("a", "b"), "constraints": ("node.hostname==beta",)}, ""),
        ({"secrets": (FileRef("key"),), "configs": (FileRef("conf"),)}, "; Configs: "),
    ],
)
def test_what_engines_can_not_do_is_told_with_its_field(change: dict[str, Any], words: str) -> None:
    told = refusal(replace(SMALL, **change), [ALPHA, BETA, SILENT])
    assert words in told
    assert bool(words) == bool(told)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"labels": (("team", "blue"),)}, ""),
        ({"mode": "global"}, "Mode: a classic Swarm manager chooses the node of each container"),
        ({"labels": ((RESCHEDULE_LABEL, '["on-node-failure"]'),)}, f"Labels.{RESCHEDULE_LABEL}: skep makes what is"),
    ],
)
def test_5_4_what_a_classic_swarm_can_not_do_or_would_do_too_is_told(change: dict[str, Any], words: str) -> None:
    asked = replace(SMALL, **change)
    assert refusal(asked, [ALPHA]) == ""
    told = refusal(asked, [replace(ALPHA, kind=ClusterKind.CLASSIC)])
    assert words in told
    assert bool(words) == bool(told)


def test_endpoints_that_can_not_have_workloads_are_told_with_what_to_do() -> None:
    worker = replace(BETA, kind=ClusterKind.WORKER)
    manager = replace(BETA, kind=ClusterKind.SWARM, cluster_id="abcdefghijk")
    assert endpoint_refusal(ClusterKind.ENGINE, "lab", [ALPHA, BETA]) == ""
    assert endpoint_refusal(ClusterKind.UNKNOWN, "lab", [SILENT]) == ""
    assert endpoint_refusal(ClusterKind.WORKER, "lab", [worker, SILENT]) == (
        "cluster lab names only workers of a Swarm (beta): name its managers instead"
    )
    assert endpoint_refusal(ClusterKind.MIXED, "lab", [ALPHA, manager, SILENT]) == (
        "the endpoints of cluster lab don't belong together: alpha is an engine of its own, "
        "beta is a manager of Swarm abcdefgh; make a cluster of each"
    )


# --- what is seen -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "health", "life", "well", "detail"),
    [
        ("created", "", Life.STOPPED, Health.UNKNOWN, ""),
        ("running", "", Life.RUNNING, Health.HEALTHY, ""),
        ("running", "healthy", Life.RUNNING, Health.HEALTHY, ""),
        ("running", "starting", Life.RUNNING, Health.UNKNOWN, ""),
        ("running", "unhealthy", Life.RUNNING, Health.UNHEALTHY, ""),
        ("paused", "", Life.RUNNING, Health.UNKNOWN, "paused"),
        ("restarting", "", Life.RUNNING, Health.UNKNOWN, "restarting"),
        ("exited", "unhealthy", Life.DEAD, Health.UNKNOWN, "exited with code 137"),
        ("dead", "", Life.DEAD, Health.UNKNOWN, "exited with code 137"),
        ("unknown", "", Life.UNKNOWN, Health.UNKNOWN, ""),
    ],
)
def test_a_containers_state_is_a_life(state: str, health: str, life: Life, well: Health, detail: str) -> None:
    """W27, W28, W37."""
    code = 137 if life is Life.DEAD else None
    seen = Container("c1", "web.1.x", "web:1", state, {}, 1.0, health=health, exit_code=code)
    assert (life_of(seen), health_of(seen), detail_of(seen)) == (life, well, detail)
