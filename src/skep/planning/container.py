"""A workload as containers of plain Engines: what is sent, where it may run, and what such Engines can't do."""

import math
import re
from collections.abc import Iterable, Sequence

from skep.model.cluster import ClusterKind, EngineState
from skep.model.engine import Container
from skep.model.json import Json, JsonObject
from skep.model.spec import Mount, Port, Resources, Rolling, WorkloadSpec
from skep.model.state import Health, Life
from skep.planning.devices import host_rights
from skep.planning.service import (
    CONTROLLER_LABEL,
    FINGERPRINT_LABEL,
    NANOSECONDS,
    STATE_LABEL,
    UID_LABEL,
    WORKLOAD_LABEL,
    health_check,
    surge_of,
    unavailable_of,
)

"""The life of the workload's name that the container was made in (semantics.md W22)."""
SLOT_LABEL = "skep.slot"
REQUEST_LABEL = "skep.request"
"""The ledger's ID of the creation, so that one whose answer was lost is found again (W26)."""

OWNERS = frozenset({CONTROLLER_LABEL, WORKLOAD_LABEL, UID_LABEL, SLOT_LABEL, REQUEST_LABEL})
"""Labels by which a skep tells its own. Images may bring others of its names with them."""

TASK_LABEL = "com.docker.swarm.task.id"
"""On the containers of Swarm's own tasks, which are nobody else's business (5.3)."""

SHARES_OF_A_CORE = 1024
"""The kernel's weight of one core: what Kubernetes makes of a request for one."""

SEVERAL_NETWORKS_API = (1, 44)
"""From this version of the Engine API on, a container is created on more than one network at once."""

BUILTIN_NETWORKS = frozenset({"bridge", "host", "none", "default"})
"""Docker's own: they have no names for their containers."""

_CONSTRAINT = re.compile(r"\s*(\S+?)\s*(==|!=)\s*(.*?)\s*")
_ENGINE_LABEL = "engine.labels."
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
"""What GET /info says, in the words of images and of SwarmKit."""


# --- what is sent -----------------------------------------------------------------------------------------------


def render(spec: WorkloadSpec, image: str, controller: str) -> dict[str, Json]:
    """What all containers of this revision have in common: count, placement and restarts are not in it (W39)."""
    body: dict[str, Json] = {
        "Image": image,
        "Labels": {
            **dict(spec.labels),
            STATE_LABEL: spec.name,
            CONTROLLER_LABEL: controller,
            WORKLOAD_LABEL: spec.name,
        },
        "HostConfig": _host_config(spec),
    }
    optional: dict[str, Json] = {
        "Entrypoint": list(spec.command),
        "Cmd": list(spec.args),
        "Env": [f"{name}={value}" for name, value in spec.env],
        "User": spec.user,
        "ExposedPorts": {_target(p): {} for p in spec.ports},
        "Healthcheck": health_check(spec.health_check) if spec.health_check else {},
        "NetworkingConfig": _networking(spec),
    }
    body |= {name: value for name, value in optional.items() if value}
    if spec.stop_grace_s is not None:
        body["StopTimeout"] = math.ceil(spec.stop_grace_s)
    return body


def labelled(rendered: JsonObject, uid: str, slot: str, request: str, fingerprint: str) -> dict[str, Json]:
    """The body of one container: it carries who it is, for a container's labels never change (W20)."""
    labels = rendered["Labels"]
    assert isinstance(labels, dict)
    own = {UID_LABEL: uid, SLOT_LABEL: slot, REQUEST_LABEL: request, FINGERPRINT_LABEL: fingerprint}
    return {**rendered, "Labels": {**labels, **own}}


def name_of(workload: str, slot: str, request: str) -> str:
    """W25: the same for every try of one creation, and for no other."""
    return f"{workload}.{slot}.{request[:8]}"


def _host_config(spec: WorkloadSpec) -> dict[str, Json]:
    """W31: who makes containers anew is skep alone, so that Docker must not."""
    bindings: dict[str, Json] = {_target(p): _bindings(spec.ports, _target(p)) for p in spec.ports}
    optional: dict[str, Json] = {
        "PortBindings": bindings,
        "Mounts": [_mount(m) for m in spec.mounts],
        "NetworkMode": spec.networks[0] if spec.networks else "",
        **_resources(spec.resources),
        **host_rights(spec),
    }
    return {"RestartPolicy": {"Name": "no"}} | {name: value for name, value in optional.items() if value}


def _target(port: Port) -> str:
    return f"{port.target}/{port.protocol}"


def _bindings(ports: Iterable[Port], target: str) -> list[Json]:
    """Whatever the mode, a port is published on the host of the container; without a number Docker chooses one."""
    return [{"HostPort": str(p.published) if p.published else ""} for p in ports if _target(p) == target]


def _mount(mount: Mount) -> JsonObject:
    there: JsonObject = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.read_only}
    return {**there, "Source": mount.source} if mount.source else there


def _resources(resources: Resources) -> dict[str, Json]:
    return {
        "NanoCpus": resources.limit_nano_cpus,
        "Memory": resources.limit_memory_bytes,
        "PidsLimit": resources.limit_pids,
        "CpuShares": math.ceil(resources.reserve_nano_cpus * SHARES_OF_A_CORE / NANOSECONDS),
        "MemoryReservation": resources.reserve_memory_bytes,
    }


def _networking(spec: WorkloadSpec) -> JsonObject:
    """On networks of the user's own, containers find each other by the workload's name, as on Swarm mode."""
    ends: dict[str, Json] = {n: {"Aliases": [spec.name]} for n in spec.networks if n not in BUILTIN_NETWORKS}
    return {"EndpointsConfig": ends} if ends else {}


# --- where it may run -------------------------------------------------------------------------------------------


def takes_one_each(spec: WorkloadSpec) -> bool:
    """Whether an engine has room for only one of them: a published port is taken once on a host."""
    return spec.mode == "global" or any(p.published for p in spec.ports)


def fits(spec: WorkloadSpec, engine: EngineState) -> bool:
    """Whether the constraints let it run there; of an engine that was never heard that is known only without any."""
    return not spec.constraints or (engine.heard and all(_holds(c, engine) for c in spec.constraints))


def _holds(constraint: str, engine: EngineState) -> bool:
    """As SwarmKit compares: without regard to case; a label that is missing has no value."""
    key, operator, wanted = constraint_parts(constraint)
    value = _fact(key, engine)
    if key.lower() == "node.platform.arch":
        value, wanted = _architecture(value), _architecture(wanted)
    return (value is not None and value.lower() == wanted.lower()) == (operator == "==")


def constraint_parts(constraint: str) -> tuple[str, str, str]:
    """Key, operator and value."""
    match = _CONSTRAINT.fullmatch(constraint)
    return (match[1], match[2], match[3]) if match else (constraint, "==", "")


def _architecture(name: str | None) -> str:
    return _ARCHITECTURES.get((name or "").lower(), name or "")


def _fact(key: str, engine: EngineState) -> str | None:
    if _is_engine_label(key):
        return dict(engine.labels).get(key[len(_ENGINE_LABEL) :])
    facts = {
        "node.hostname": engine.hostname,
        "node.id": engine.id,
        "node.platform.os": engine.os_type,
        "node.platform.arch": engine.architecture,
    }
    return facts.get(key.lower())


def _is_engine_label(key: str) -> bool:
    return key.lower().startswith(_ENGINE_LABEL)


def room_to_roll(size: int, engines: int, one_each: bool, updating: Rolling) -> tuple[int, int]:
    """Surge and unavailable of W41, never both 0.

    `engines`: how many there are for it. Where each takes only one, no more can be too many than engines are left.
    """
    surge, unavailable = surge_of(updating, size), unavailable_of(updating, size)
    if one_each:
        surge = min(surge, max(0, engines - size))
    return (surge, unavailable) if surge else (0, max(1, unavailable))


# --- what such Engines can't do -----------------------------------------------------------------------------------


def refusal(spec: WorkloadSpec, engines: Sequence[EngineState]) -> str:
    """Which fields ask for what these engines can't do, a sentence for each; empty when they can do all of it."""
    return "; ".join(filter(None, (*_lastingly_refused(spec, engines), _network_refusal(spec, engines))))


def is_refused_for_good(spec: WorkloadSpec, engines: Sequence[EngineState]) -> bool:
    """Whether any of that is so until the spec is another; a network may come by itself."""
    return any(_lastingly_refused(spec, engines))


def _lastingly_refused(spec: WorkloadSpec, engines: Sequence[EngineState]) -> tuple[str, ...]:
    return (*_always_refused(spec), *_classic_refused(spec, engines), _constraint_refusal(spec))


def _always_refused(spec: WorkloadSpec) -> tuple[str, ...]:
    kept = "only Swarm mode keeps {}; mount a file of the host instead, or run it on a Swarm"
    secrets = f"Secrets: {kept.format('secrets')}" if spec.secrets else ""
    return (secrets, f"Configs: {kept.format('configs')}" if spec.configs else "")


RESCHEDULE_LABEL = "com.docker.swarm.reschedule-policies"
"""With it a classic Swarm manager makes a container of a lost node anew itself, as skep does (5.4, 9)."""


def _classic_refused(spec: WorkloadSpec, engines: Iterable[EngineState]) -> tuple[str, ...]:
    if not any(e.kind is ClusterKind.CLASSIC for e in engines):
        return ()
    everywhere = (
        "Mode: a classic Swarm manager chooses the node of each container, and so global can't be had; give a Count, "
        "or make a cluster of its engines"
    )
    twice = f"Labels.{RESCHEDULE_LABEL}: skep makes what is lost anew, and the manager would do it too; leave it out"
    is_twice = any(name == RESCHEDULE_LABEL for name, _ in spec.labels)
    return (everywhere if spec.mode == "global" else "", twice if is_twice else "")


def _constraint_refusal(spec: WorkloadSpec) -> str:
    keys = {c: constraint_parts(c)[0] for c in spec.constraints}
    unknown = [c for c, key in keys.items() if not _is_engine_label(key) and not _is_known(key)]
    if not unknown:
        return ""
    return (
        f"Constraints: {', '.join(unknown)}: only a Swarm gives its nodes roles, labels and addresses; engines have "
        "node.hostname, node.id, node.platform.os, node.platform.arch and engine.labels.NAME"
    )


def _is_known(key: str) -> bool:
    return key.lower() in ("node.hostname", "node.id", "node.platform.os", "node.platform.arch")


def _network_refusal(spec: WorkloadSpec, engines: Sequence[EngineState]) -> str:
    old = [e for e in engines if e.heard and fits(spec, e) and _api(e) < SEVERAL_NETWORKS_API]
    if len(spec.networks) < 2 or not old:
        return ""
    names = ", ".join(f"{e.source} ({e.api_version})" for e in old)
    return f"Networks: Docker before 25 (API 1.44) takes one network for a container, and so does {names}; name one"


def _api(engine: EngineState) -> tuple[int, ...]:
    """The version as numbers; one that can't be read counts as old."""
    parts = engine.api_version.split(".")
    return tuple(map(int, parts)) if all(p.isdecimal() for p in parts) else (0,)


def endpoint_refusal(kind: ClusterKind, cluster: str, engines: Sequence[EngineState]) -> str:
    """What is wrong with the endpoints of a cluster, and what to do; empty where workloads can live on it."""
    told = [e for e in engines if e.kind is not ClusterKind.UNKNOWN]
    if kind is ClusterKind.WORKER:
        return f"cluster {cluster} names only workers of a Swarm ({_sources(told)}): name its managers instead"
    if kind is ClusterKind.MIXED:
        kinds = ", ".join(f"{e.source} is {_KINDS[e.kind]} {e.cluster_id[:8]}".rstrip() for e in told)
        return f"the endpoints of cluster {cluster} don't belong together: {kinds}; make a cluster of each"
    return ""


_KINDS = {
    ClusterKind.UNKNOWN: "silent",
    ClusterKind.ENGINE: "an engine of its own",
    ClusterKind.SWARM: "a manager of Swarm",
    ClusterKind.WORKER: "a worker of a Swarm",
    ClusterKind.CLASSIC: "a classic Swarm",
    ClusterKind.MIXED: "several things",
}


def _sources(engines: Iterable[EngineState]) -> str:
    return ", ".join(e.source for e in engines)


# --- what is seen -------------------------------------------------------------------------------------------------


def life_of(container: Container) -> Life:
    """W28: one that was only created does not run, and can be started.

    A classic Swarm lists what is on a node that does not answer, and does not know how it is (5.4).
    """
    return _LIVES.get(container.state, Life.RUNNING)


_LIVES = {"created": Life.STOPPED, "exited": Life.DEAD, "dead": Life.DEAD, "unknown": Life.UNKNOWN}


def health_of(container: Container) -> Health:
    """W37; one that runs and has no health check is as well as can be known."""
    if container.state != "running":
        return Health.UNKNOWN
    return _HEALTHS.get(container.health, Health.UNKNOWN)


_HEALTHS = {"": Health.HEALTHY, "healthy": Health.HEALTHY, "unhealthy": Health.UNHEALTHY}


def detail_of(container: Container) -> str:
    """What a user should know of it beyond its life: `exited with code 137`; empty when there is nothing."""
    if life_of(container) is Life.DEAD:
        return f"exited with code {container.exit_code}" if container.exit_code is not None else "ended"
    return container.state if container.state in ("paused", "restarting") else ""


def is_unowned(container: Container) -> bool:
    """W21: whether nobody has it: it bears a workload's name alone, as all did that the state manager of 2015 made."""
    return STATE_LABEL in container.labels and OWNERS.isdisjoint(container.labels)


def is_task(container: Container) -> bool:
    """Whether it is a task of a Swarm's service."""
    return TASK_LABEL in container.labels
