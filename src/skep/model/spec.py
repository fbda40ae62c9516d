"""What people want: groups of machines and workloads, parsed and complete."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from skep.model.json import NULL, RawJson


class Kind(StrEnum):
    """The kinds of keys that a controller works on."""

    GROUP = "group"
    WORKLOAD = "workload"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a worker works on, one at a time: `group/workers`, `workload/web`."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """The key that was printed as `text`; ValueError where it is none."""
        kind, _, name = text.partition("/")
        return cls(Kind(kind), name)


@dataclass(frozen=True, slots=True)
class Allocation:
    """How many members a group has: `size` without names (cattle), or one for each of `logical_ids` (pets).

    Exactly one is meant: with logical IDs, `size` is 0 on the wire and their number in the planner.
    """

    size: int = 0
    logical_ids: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.logical_ids) if self.logical_ids else self.size


@dataclass(frozen=True, slots=True)
class PluginRef:
    """A plugin by its socket name, and properties that only the plugin understands."""

    plugin: str
    properties: RawJson = NULL


@dataclass(frozen=True, slots=True)
class Updating:
    """How a group moves to a new spec. None means the default for its kind (semantics.md N7, N35).

    `max_surge` more members than asked for and `max_unavailable` fewer, in members, during a roll.
    """

    max_surge: int | None = None
    max_unavailable: int | None = None


Amount = int | str
"""A number of members, or a percentage of how many are wanted: `25%`."""


def share(amount: Amount, count: int, *, up: bool) -> int:
    """The members that an amount means where `count` are wanted, rounded up or down (semantics.md W41)."""
    if isinstance(amount, int):
        return amount
    hundredths = int(amount[:-1]) * count
    return -(-hundredths // 100) if up else hundredths // 100


FailureAction = Literal["pause", "rollback", "continue"]


@dataclass(frozen=True, slots=True)
class Rolling:
    """How a workload moves to a new template. None is the default of where it runs (semantics.md W41, W44).

    Amounts are kept as written, so that a percentage follows the count. `progress_deadline_s` 0: nothing is ever late
    (W46). `failure_action` is what becomes of a roll that fails: more than `failure_ratio_max` (0 to 1) of what is to
    be replaced failed, or it is late (W47).
    """

    max_surge: Amount | None = None
    max_unavailable: Amount | None = None
    min_ready_s: float | None = None
    progress_deadline_s: float = 600.0
    failure_action: FailureAction | None = None
    failure_ratio_max: float = 0.0


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group of machines, as InfraKit writes it, with what skep adds.

    `images` are names on this host's engine that each machine shall hold; not part of the hash.
    """

    id: str
    allocation: Allocation
    instance: PluginRef
    flavor: PluginRef
    images: tuple[str, ...] = ()
    updating: Updating = Updating()

    @property
    def key(self) -> Key:
        return Key(Kind.GROUP, self.id)


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the container (`target`) and where it is published; `published` 0 lets the engine choose."""

    target: int
    published: int = 0
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"
    mode: Literal["ingress", "host"] = "ingress"


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume, a folder of the node, or memory. `source` is empty for tmpfs and anonymous volumes."""

    type: Literal["volume", "bind", "tmpfs"]
    target: str
    source: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Resources:
    """Nano-CPUs (1e9 is a core), bytes and processes; 0 is no limit and no reservation."""

    limit_nano_cpus: int = 0
    limit_memory_bytes: int = 0
    limit_pids: int = 0
    reserve_nano_cpus: int = 0
    reserve_memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Docker's health check; 0 takes the engine's default (semantics.md W37).

    `test` is what Docker takes: `("CMD", …)`, `("CMD-SHELL", line)` or `("NONE",)`.
    """

    test: tuple[str, ...]
    interval_s: float = 0
    timeout_s: float = 0
    retries: int = 0
    start_period_s: float = 0


@dataclass(frozen=True, slots=True)
class FileRef:
    """A secret or config that exists on the cluster, and the file that it becomes in the container."""

    source: str
    target: str = ""
    uid: str = "0"
    gid: str = "0"
    mode: int = 0o444


@dataclass(frozen=True, slots=True)
class Restart:
    """How often a container that ended is made anew (semantics.md W38). `attempts_max` 0 is without end.

    A container that runs for `window_s` ends the count. With `policy` never it is a job: what ends with 0 is complete
    and is not made again, and what fails is made anew only if `attempts_max` allows more than one try (W54).
    """

    attempts_max: int = 0
    window_s: float = 600.0
    policy: Literal["always", "never"] = "always"

    @property
    def once(self) -> bool:
        return self.policy == "never"


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the engine's host (`source`), as it is called in the container; `permissions` are some of `rwm`.

    Read, write, and mknod: to make device files of its kind. A folder stands for all devices in it.
    """

    source: str
    target: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class Gpus:
    """GPUs that the engine chooses, `count` of them or -1 for all; or, where `count` is 0, those of `ids`.

    `driver` is empty for whichever the engine has. `capabilities` are asked for besides `gpu` itself.
    """

    count: int = 0
    ids: tuple[str, ...] = ()
    driver: str = ""
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """`count` containers of `image` on a cluster: a cluster state object, as /submit takes it.

    `cluster` is empty where there is only one. `command` replaces the image's entrypoint, `args` its command.
    With `mode` global there is one container on each node and `count` is not used.
    """

    name: str
    image: str
    count: int
    cluster: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    resources: Resources = Resources()
    health_check: HealthCheck | None = None
    stop_grace_s: float | None = None
    mode: Literal["replicated", "global"] = "replicated"
    user: str = ""
    secrets: tuple[FileRef, ...] = ()
    configs: tuple[FileRef, ...] = ()
    restart: Restart = Restart()
    updating: Rolling = Rolling()
    privileged: bool = False
    devices: tuple[Device, ...] = ()
    gpus: Gpus | None = None

    @property
    def key(self) -> Key:
        return Key(Kind.WORKLOAD, self.name)


Spec = GroupSpec | WorkloadSpec
