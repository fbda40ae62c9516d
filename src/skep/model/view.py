"""What people and scripts are shown of a key: made from its spec, its record and the last observation."""

from collections.abc import Sequence
from dataclasses import dataclass

from skep.model.state import Condition


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member, or one that is wanted and not there: its `id` is empty and its `life` missing, or creating.

    `slot` is the logical ID or empty. `doing` is the action under way on it, in words.
    `restarts`: how often those of its slot have ended in a row. `last_error`: how the last one did, or what failed.
    `next` is what is done with it next and has not begun, in words; empty where nothing is to be expected. It comes in
    `next_in_s`, at wall time `next_at_s`; negative and 0 where no time decides but an event.
    """

    id: str
    slot: str = ""
    life: str = ""
    health: str = ""
    current: bool = True
    running: int = 0
    wanted: int = 1
    node: str = ""
    address: str = ""
    age_s: float = 0.0
    doing: str = ""
    detail: str = ""
    restarts: int = 0
    last_error: str = ""
    next: str = ""
    next_in_s: float = -1.0
    next_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class KeyView:
    """A group or workload. `desired`, `current` and `ready` count machines or containers.

    `role` is manager, worker or empty; `image` is empty for groups. `converged` is semantics.md W50.
    `unproven_s`: converged, or as far as a pause lets it be, but for so short a time that nobody who waits is told so
    for this much longer (W54).
    `paused` says who stopped its roll-outs and why, and is empty while they go on.
    `given_up`: it was skep that stopped them, since one had failed.
    `doing` are the actions in flight and `waiting` what was left undone and why, in words.
    `completed` are a job's containers that ended as they should; they count as ready, whether or not they are left.
    `observed_age_s` tells how old the observation is; negative when there was none yet.
    """

    key: str
    kind: str
    name: str
    cluster: str
    role: str
    image: str
    desired: int
    current: int
    ready: int
    outdated: int
    generation: int
    observed_generation: int
    converged: bool
    removed: bool
    conditions: tuple[Condition, ...] = ()
    members: tuple[MemberView, ...] = ()
    doing: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    observed_age_s: float = -1.0
    endpoints: tuple[str, ...] = ()
    completed: int = 0
    paused: str = ""
    unproven_s: float = 0.0
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """Views, and how many seconds ago the key of each was looked at, negative where there was no look yet: the age that
    a view has of its own does not count. A view is the same object as long as all else is the same.

    No pairs: ten thousand objects in each answer would keep the garbage collector busy.
    """

    views: Sequence[KeyView]
    ages_s: Sequence[float]


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One entry of the history, newest first.

    `why` is empty where nobody said. `changed` says what became other than in the revision before it, a few words each;
    empty for the same once more, and for the oldest, of which nobody knows any more what was before it. `automatic`:
    skep itself went back, for the roll before it had failed.
    """

    generation: int
    who: str
    when_s: float
    removed: bool
    spec: str
    why: str = ""
    changed: tuple[str, ...] = ()
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class ActionView:
    """One action of a plan: the closed words of the model, and the sentence that `explain` makes of it."""

    kind: str
    reason: str
    slot: str
    member: str
    text: str


@dataclass(frozen=True, slots=True)
class PlanView:
    """What would happen to one key. `change` is created, configured, unchanged or removed."""

    key: str
    change: str
    actions: tuple[ActionView, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeView:
    """What an apply or delete did to one key's spec. `changed`: what became other, as in RevisionView."""

    key: str
    change: str
    generation: int
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineView:
    """One endpoint of a cluster. `state` is answering, silent, lost or unknown; `error` says why it does not answer."""

    name: str
    endpoint: str
    kind: str
    state: str
    hostname: str = ""
    version: str = ""
    api_version: str = ""
    operating_system: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Where workloads run. `origin` is settings, or the key of the manager group that forms it.

    `kind` is engine, swarm, worker, classic, mixed or unknown (model.cluster.ClusterKind).
    """

    name: str
    kind: str
    origin: str
    engines: tuple[EngineView, ...] = ()
    partitioned: bool = False
