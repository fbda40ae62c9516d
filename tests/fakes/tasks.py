"""Tasks and services of the simulated Swarm as data, and what can be said of them."""

import json
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skep.model.engine import Service, Task
from skep.model.json import JsonObject

if TYPE_CHECKING:
    from tests.fakes.swarm import SimNode

OVER = ("complete", "shutdown", "failed", "rejected", "orphaned", "remove")
HISTORY = 5
"""Ended tasks kept for a slot, as Swarm's default."""


@dataclass
class SimTask:
    """`template` is the spec's TaskTemplate it was made from, as text. `by_update`: an update made it, and watches it.
    `moved`: its node is drained. It runs since `started_s`."""

    id: str
    service_id: str
    slot: int
    node_id: str
    template: str
    image: str
    spec_version: int
    state: str = "pending"
    desired: str = "running"
    message: str = "pending task scheduling"
    error: str = ""
    container_id: str = ""
    created_s: float = 0.0
    since_s: float = 0.0
    started_s: float | None = None
    by_update: bool = False
    moved: bool = False

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def wanted(self) -> bool:
        return self.desired == "running" and not self.over


@dataclass
class SimService:
    """`not_before` holds back a slot whose last task ended; `restarted` tells how often each was with a template,
    and `given_up` those that are not any more; `begins_s` is when the Swarm turns to it anew, 0 when it
    has; `watch_until_s` when that counts as done."""

    id: str
    spec: dict[str, Any]
    created_s: float
    version: int
    previous: dict[str, Any] | None = None
    update_state: str = ""
    update_message: str = ""
    update_began_s: float = 0.0
    begins_s: float = 0.0
    watch_until_s: float = 0.0
    not_before: dict[tuple[int, str], float] = field(default_factory=dict)
    restarted: Counter[tuple[tuple[int, str], str]] = field(default_factory=Counter)
    given_up: set[tuple[tuple[int, str], str]] = field(default_factory=set)
    tasks: list[SimTask] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.spec["Name"])

    @property
    def template(self) -> str:
        return json.dumps(self.spec["TaskTemplate"], sort_keys=True)

    @property
    def image(self) -> str:
        return str(self.spec["TaskTemplate"]["ContainerSpec"]["Image"])

    @property
    def replicas(self) -> int | None:
        """None for a global service."""
        mode = self.spec["Mode"]
        return None if "Global" in mode else int(mode["Replicated"].get("Replicas", 1))

    @property
    def once(self) -> bool:
        """What ends is not made again."""
        return bool(self._restarts.get("Condition") == "none")

    @property
    def attempts_max(self) -> int:
        """How often what ends is made anew, 0 for ever; of no window."""
        return int(self._restarts.get("MaxAttempts") or 0)

    @property
    def _restarts(self) -> dict[str, Any]:
        return self.spec["TaskTemplate"].get("RestartPolicy") or {}

    @property
    def updating(self) -> bool:
        return self.update_state in ("updating", "rollback_started")

    @property
    def starts_first(self) -> bool:
        return bool(self.config("Order", "stop-first") == "start-first")

    def config(self, name: str, default: Any) -> Any:
        section = "RollbackConfig" if self.update_state == "rollback_started" else "UpdateConfig"
        return (self.spec.get(section) or {}).get(name, default)


def shown_service(service: SimService) -> Service:
    return Service(
        id=service.id,
        version=service.version,
        name=service.name,
        labels=dict(service.spec.get("Labels") or {}),
        spec=deepcopy(service.spec),
        update_state=service.update_state,
        update_message=service.update_message,
        created_s=service.created_s,
        update_began_s=service.update_began_s,
        template=service.template,
    )


def shown_task(service: SimService, task: SimTask) -> Task:
    return Task(
        id=task.id,
        service_id=task.service_id,
        node_id=task.node_id,
        slot=task.slot,
        state=task.state,
        desired_state=task.desired,
        message=task.message,
        error=task.error,
        container_id=task.container_id,
        spec_version=task.spec_version,
        ports=_host_ports(service.spec),
        created_s=task.created_s,
        since_s=task.since_s,
        template=task.template,
    )


def slot_of(service: SimService, task: SimTask) -> tuple[int, str]:
    return (0, task.node_id) if service.replicas is None else (task.slot, "")


def forget(service: SimService) -> None:
    """Old history goes, oldest first."""
    if len(service.tasks) < 4 * HISTORY:
        return
    ended = Counter[tuple[int, str]]()
    kept: list[SimTask] = []
    for task in reversed(service.tasks):
        key = slot_of(service, task)
        ended[key] += task.over
        if not task.over or ended[key] <= HISTORY:
            kept.append(task)
    service.tasks = kept[::-1]


def holds(images: dict[str, str], image: str) -> bool:
    """Whether an engine has the image; a digest is not looked at."""
    name = image.partition("@")[0]
    return name in images or f"{name}:latest" in images or image in images.values()


def meets(node: "SimNode", constraint: str) -> bool:
    name, _, value = constraint.partition("!=" if "!=" in constraint else "==")
    name, value = name.strip(), value.strip()
    facts = {"node.role": "manager" if node.in_raft else "worker", "node.hostname": node.host.name, "node.id": node.id}
    facts |= {f"node.labels.{key}": given for key, given in node.labels.items()}
    facts |= {f"engine.labels.{key}": given for key, given in node.host.labels.items()}
    return (facts.get(name) == value) != ("!=" in constraint)


def with_defaults(spec: JsonObject) -> dict[str, Any]:
    """The engine fills in what was left out: no drift of ours."""
    filled: dict[str, Any] = json.loads(json.dumps(spec))
    filled.setdefault("Labels", {})
    filled.setdefault("Mode", {"Replicated": {"Replicas": 1}})
    filled.setdefault("EndpointSpec", {}).setdefault("Mode", "vip")
    template = filled["TaskTemplate"]
    template["ContainerSpec"].setdefault("Isolation", "default")
    template.setdefault("ForceUpdate", 0)
    template.setdefault("Runtime", "container")
    return filled


def _host_ports(spec: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    ports: Sequence[dict[str, Any]] = (spec.get("EndpointSpec") or {}).get("Ports") or []
    return tuple((port["PublishedPort"], port["TargetPort"]) for port in ports if port.get("PublishMode") == "host")
