"""A workload as a Swarm service: its spec for the Engine API, and what of a live spec is drift."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skep.model.json import Json, JsonObject
from skep.model.spec import FileRef, HealthCheck, Port, Resources, Restart, Rolling, WorkloadSpec, share

STATE_LABEL = "swarm.cluster.state"
"""On the service and its containers: the reference document's label (semantics.md W20)."""

UID_LABEL = "skep.uid"
"""Which life of the workload's name (semantics.md W22)."""

CONTROLLER_LABEL = "skep.controller"
WORKLOAD_LABEL = "skep.workload"
FINGERPRINT_LABEL = "skep.fingerprint"
LABELS_LABEL = "skep.labels"
"""Which of the service's labels came from the spec, so that one that is dropped there goes from the service too."""

NANOSECONDS = 1_000_000_000

QUARTER = "25%"
"""semantics.md W41: the default of both."""

MONITOR_S = 5.0
"""SwarmKit's own (semantics.md W47), and no less where a shorter MinReady is asked for."""


RATIO_DIGITS = 6
"""The engine keeps a float of 32 bits, which gives so many back as they were; others would pass for drift."""


INTERRUPTED = "an update that it stopped for tasks on a node that went"
MOVED = "tasks that were moved as often as they may end"
DOUBLED = "tasks beside others of the same replica"
LEFT_SO = frozenset({INTERRUPTED, MOVED, DOUBLED})
"""As drift: nobody changed anything, and the Swarm goes on when it is told of its service again. Of what was moved it
does so with ForceUpdate alone. Tasks that are too many it stops by itself only while its updates are not cut short by
others, or by nodes that are drained."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the cluster calls the secrets, configs and networks that a spec names: name to ID."""

    secrets: Mapping[str, str]
    configs: Mapping[str, str]
    networks: Mapping[str, str]


NO_NAMES = Names({}, {}, {})


def render(spec: WorkloadSpec, image: str, controller: str, names: Names) -> dict[str, Json]:
    """The complete service spec, empty fields included: those are ours too, and something in them is drift."""
    template: dict[str, Json] = {
        "ContainerSpec": _container(spec, image, names),
        "Resources": _resources(spec.resources),
        "Placement": {"Constraints": list(spec.constraints)},
        "Networks": [{"Target": names.networks[n]} for n in spec.networks],
    }
    if spec.restart != Restart():
        template["RestartPolicy"] = _restart_policy(spec.restart)
    return {
        "Name": spec.name,
        "Labels": {
            **dict(spec.labels),
            STATE_LABEL: spec.name,
            CONTROLLER_LABEL: controller,
            WORKLOAD_LABEL: spec.name,
            LABELS_LABEL: ",".join(sorted(name for name, _ in spec.labels)),
        },
        "TaskTemplate": template,
        "Mode": {"Global": {}} if spec.mode == "global" else {"Replicated": {"Replicas": spec.count}},
        "UpdateConfig": update_config(spec),
        "RollbackConfig": rollback_config(spec),
        "EndpointSpec": {"Ports": [_port(p) for p in spec.ports]},
    }


def update_config(spec: WorkloadSpec) -> dict[str, Json]:
    """How Swarm moves replicas to a new template, and back: semantics.md W41 to W44 and W47 in its words.

    Swarm starts first or stops first, and never both: what may be too many comes before what may be missing. A task
    that fails within the monitor time pauses it, unless the spec says otherwise; but for a job's: Swarm takes their
    every end for a failure.
    """
    surge, unavailable = _room(spec)
    config: dict[str, Json] = {
        "Parallelism": surge or max(1, unavailable),
        "FailureAction": "continue" if spec.restart.once else spec.updating.failure_action or "pause",
        "MaxFailureRatio": round(spec.updating.failure_ratio_max, RATIO_DIGITS),
        "Order": "start-first" if surge else "stop-first",
    }
    ready_s = spec.updating.min_ready_s
    if ready_s:
        config["Delay"] = round(ready_s * NANOSECONDS)
        config["Monitor"] = round(max(MONITOR_S, ready_s) * NANOSECONDS)
    return config


def rollback_config(spec: WorkloadSpec) -> dict[str, Json]:
    """The same pace. A rollback is never rolled back: it pauses (W47)."""
    config = update_config(spec)
    return config | ({"FailureAction": "pause"} if config["FailureAction"] == "rollback" else {})


def _room(spec: WorkloadSpec) -> tuple[int, int]:
    """Surge and unavailable. Where a node has room for only one, a surge may have no place: nobody gets one unasked."""
    updating = spec.updating
    on_hosts = any(p.published and p.mode == "host" for p in spec.ports)
    if spec.mode == "global" or (on_hosts and updating.max_surge is None):
        return 0, unavailable_of(updating, spec.count)
    return surge_of(updating, spec.count), unavailable_of(updating, spec.count)


def surge_of(updating: Rolling, size: int) -> int:
    """W41: a quarter more, rounded up, and one at least."""
    if updating.max_surge is None:
        return max(1, share(QUARTER, size, up=True))
    return share(updating.max_surge, size, up=True)


def unavailable_of(updating: Rolling, size: int) -> int:
    """W41: a quarter fewer, rounded down."""
    return share(QUARTER if updating.max_unavailable is None else updating.max_unavailable, size, up=False)


def _container(spec: WorkloadSpec, image: str, names: Names) -> dict[str, Json]:
    container: dict[str, Json] = {
        "Image": image,
        "Labels": {**dict(spec.labels), STATE_LABEL: spec.name},
        "Command": list(spec.command),
        "Args": list(spec.args),
        "Env": [f"{name}={value}" for name, value in spec.env],
        "User": spec.user,
        "Mounts": [
            {"Type": m.type, "Source": m.source, "Target": m.target, "ReadOnly": m.read_only} for m in spec.mounts
        ],
        "Healthcheck": health_check(spec.health_check) if spec.health_check else {},
        "Secrets": [_file_ref(r, "Secret", names.secrets) for r in spec.secrets],
        "Configs": [_file_ref(r, "Config", names.configs) for r in spec.configs],
    }
    if spec.stop_grace_s is not None:
        container["StopGracePeriod"] = round(spec.stop_grace_s * NANOSECONDS)
    return container


def _restart_policy(restart: Restart) -> JsonObject:
    """SwarmKit keeps the count (semantics.md W38); what is not asked for is left to its defaults."""
    if restart.once:
        return {"Condition": "none"}
    return {
        "Condition": "any",
        "MaxAttempts": restart.attempts_max,
        "Window": round(restart.window_s * NANOSECONDS),
    }


def health_check(check: HealthCheck) -> JsonObject:
    """As the Engine API takes it, of services and of containers."""
    return {
        "Test": list(check.test),
        "Interval": round(check.interval_s * NANOSECONDS),
        "Timeout": round(check.timeout_s * NANOSECONDS),
        "Retries": check.retries,
        "StartPeriod": round(check.start_period_s * NANOSECONDS),
    }


def _file_ref(ref: FileRef, kind: str, ids: Mapping[str, str]) -> JsonObject:
    file: JsonObject = {"Name": ref.target or ref.source, "UID": ref.uid, "GID": ref.gid, "Mode": ref.mode}
    return {f"{kind}ID": ids[ref.source], f"{kind}Name": ref.source, "File": file}


def _resources(resources: Resources) -> JsonObject:
    return {
        "Limits": {
            "NanoCPUs": resources.limit_nano_cpus,
            "MemoryBytes": resources.limit_memory_bytes,
            "Pids": resources.limit_pids,
        },
        "Reservations": {
            "NanoCPUs": resources.reserve_nano_cpus,
            "MemoryBytes": resources.reserve_memory_bytes,
        },
    }


def _port(port: Port) -> JsonObject:
    return {
        "Protocol": port.protocol,
        "TargetPort": port.target,
        "PublishedPort": port.published,
        "PublishMode": port.mode,
    }


def pruned(value: Json) -> Json:
    """The same without what is empty, zero or false: how the engine stores it, and what is sent to it.

    A replica count of zero stays, and so do labels without a value.
    """
    if isinstance(value, Mapping):
        kept = {k: v if k == "Labels" else pruned(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if not is_empty(v) or k in ("Replicas", "Global")}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [pruned(v) for v in value]
    return value


def is_empty(value: Json) -> bool:
    """What the engine does not store: nothing, zero, false, and containers of nothing."""
    return value is None or value is False or value in (0, "") or (isinstance(value, Mapping | list) and not value)


def drift(ours: Json, live: Json, path: str = "") -> tuple[str, ...]:
    """Paths at which a live spec differs from ours, looking only at what we set; engine defaults are no drift.

    Of maps, keys that we do not set are not looked at (labels of other tools); lists are ours as a whole.
    """
    if is_empty(ours) and is_empty(live):
        return ()
    if isinstance(ours, Mapping):
        theirs = live if isinstance(live, Mapping) else {}
        inner = (drift(v, theirs.get(k), f"{path}.{k}" if path else k) for k, v in ours.items())
        found = tuple(p for paths in inner for p in paths)
        return found or (() if isinstance(live, Mapping) or _all_empty(ours) else (path,))
    if isinstance(ours, Sequence) and not isinstance(ours, str):
        return _list_drift(ours, live, path)
    return () if ours == live else (path,)


def _list_drift(ours: Sequence[Json], live: Json, path: str) -> tuple[str, ...]:
    if not isinstance(live, Sequence) or isinstance(live, str) or len(live) != len(ours):
        return (path,)
    same = all(not drift(mine, theirs, path) for mine, theirs in zip(ours, live, strict=True))
    return () if same else (path,)


def _all_empty(value: Mapping[str, Json]) -> bool:
    return all(is_empty(pruned(v)) for v in value.values())


def fingerprint(rendered: JsonObject, keyed_hash: Callable[[str], str]) -> str:
    """A hash of the whole spec; keyed, since values of Env are in it and must not be guessed from it."""
    text = json.dumps(rendered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return keyed_hash(hashlib.sha256(text.encode()).hexdigest())[:32]


def labelled(rendered: JsonObject, uid: str, fingerprint_of_it: str) -> dict[str, Json]:
    """What is sent: pruned, and carrying whose it is (W20) and its fingerprint, so that a change from outside shows."""
    labels = rendered["Labels"]
    assert isinstance(labels, Mapping)
    sent = pruned({**rendered, "Labels": {**labels, UID_LABEL: uid, FINGERPRINT_LABEL: fingerprint_of_it}})
    assert isinstance(sent, dict)
    return sent


def merged_labels(live: Json, ours: Json) -> dict[str, Json]:
    """Ours over those of others; what came from an earlier spec of ours and is not in this one goes."""
    theirs = dict(live) if isinstance(live, Mapping) else {}
    earlier = theirs.get(LABELS_LABEL)
    for name in earlier.split(",") if isinstance(earlier, str) else ():
        theirs.pop(name, None)
    theirs.pop(LABELS_LABEL, None)
    assert isinstance(ours, Mapping)
    return {**theirs, **ours}
