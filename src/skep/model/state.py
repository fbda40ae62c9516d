"""What was seen, what was asked of the planner, and what has to be remembered."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from skep.model.ended import Ended
from skep.model.plan import ActionKind, NoteKind, Reason
from skep.model.progress import Progress
from skep.model.setbacks import Setbacks
from skep.model.spec import Key

EVERYTHING = "every source"
"""In `Observed.silent`: nothing at all is known. No engine has a name with a space."""

HEALTH = "every health"
"""In `Observed.silent`: the members are known, their health is not."""


class Life(StrEnum):
    """What a member's own plugin says of it. Unknown is not absent."""

    PENDING = "pending"
    """Being made, or starting: it exists and does not serve yet."""
    RUNNING = "running"
    STOPPED = "stopped"
    """It does not run, its disk is there: it can be started."""
    DEAD = "dead"
    """It ran and has ended, and is not started again; kept for its logs until the next one of its slot ends."""
    GONE = "gone"
    """The machine does not exist any more; only its membership elsewhere does (a node in the Swarm)."""
    UNKNOWN = "unknown"
    """Its source did not answer: present until the source is declared lost."""


class Health(StrEnum):
    """What its flavor or engine says of a member that runs."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Role(StrEnum):
    """What a group's machines are in a Swarm."""

    MANAGER = "manager"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Member:
    """A machine in a group, a container of a workload, or a Swarm service.

    `slot` is None for cattle. `request` is the ledger's ID under which it was created, empty if not ours.
    `sick_s` counts seconds without a break in which it was not healthy, 0 while it is; `well_s` those in which it was.
    `source` is what told of it (an engine's name); it can be silent apart from others.
    `drift` names what differs from the spec and can be mended in place, empty when nothing does.
    `rolled_back` means that the cluster itself undid or paused the last change.
    `running` of `wanted` replicas serve; a machine is one of one. `updated` of a service's run the newest template.
    `foreign`: not made by skep, and listed only because its adoption was asked for.
    `completed` of a job's containers ended by themselves as they should, and `failed` did not and are given up; of a
    service those replicas have `failed` that used up their tries. `trouble`: of what kind its tasks' errors are.
    """

    id: str
    slot: str | None = None
    fingerprint: str = ""
    replace_sha: str = ""
    life: Life = Life.RUNNING
    health: Health = Health.UNKNOWN
    source: str = ""
    request: str = ""
    created_s: float = 0.0
    sick_s: float = 0.0
    well_s: float = 0.0
    drift: tuple[str, ...] = ()
    rolled_back: bool = False
    leader: bool = False
    running: int = 0
    wanted: int = 1
    updated: int = 0
    foreign: bool = False
    completed: int = 0
    failed: int = 0
    detail: str = ""
    trouble: NoteKind | None = None

    @property
    def healthy(self) -> bool:
        return self.life is Life.RUNNING and self.health is Health.HEALTHY


@dataclass(frozen=True, slots=True)
class Observed:
    """All members of a key at one moment. `silent` names the sources that did not answer.

    EVERYTHING in `silent` means that nothing is known, not even who is missing; HEALTH that members were listed
    and nobody could say how they are. Members of any other silent source are listed as last seen, with life UNKNOWN
    unless they had ended.
    unlisted: silent sources that were never heard, so that any member that is missed may live there.
    lost: sources that were silent for so long that their members count as absent (semantics.md W35); not in `silent`.
    partitioned: so many sources fell silent that our own network is the likelier fault; none is declared lost (W36).
    why: what is wrong with those that are silent, in words; empty where that is not known.
    beside: what bears the name, runs and is nobody's, and what to do about it, in words; empty where nothing does.
    heard_s: for how long skep has been there and heard of them, moments left out.
    """

    members: tuple[Member, ...] = ()
    silent: frozenset[str] = frozenset()
    unlisted: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    partitioned: bool = False
    why: str = ""
    beside: str = ""
    heard_s: float = math.inf

    @property
    def complete(self) -> bool:
        return not self.silent


@dataclass(frozen=True, slots=True)
class Limits:
    """How far the planner may go at once, in members and seconds.

    parallel: creations in flight of one key (semantics.md N39: about 10 joins; InfraKit's G12 had no limit).
    unhealthy_after_s: a member is replaced after this long (N27, 5 min).
    startup_s: a member that never became healthy is replaced after this long (N27, 600 s).
    start_attempts: a stopped member that is not a manager is replaced after this many failed starts.
    restarts_max: a slot whose members ended this often is left empty until the spec changes (W38); 0 is no limit.
    restart_window_s: a member that was well for so long ends the count (W30: 10 min).
    min_ready_s: a numbered member counts as available after it was well for so long (W44). None: as soon as it is well,
    but in a roll it proves itself for a moment (`rollout.PROVEN_S`).
    progress_s: a key that comes no closer to its newest spec for so long is told to be late (W46); 0 is never.
    failure_action: what becomes of a roll that fails (W47); empty where it just goes on. It fails if more than
    `failure_ratio_max` of the members that it replaces failed, or if it is late.
    """

    parallel: int = 10
    unhealthy_after_s: float = 300.0
    startup_s: float = 600.0
    start_attempts: int = 3
    restarts_max: int = 0
    restart_window_s: float = 600.0
    min_ready_s: float | None = None
    progress_s: float = 0.0
    failure_action: Literal["", "pause", "rollback"] = ""
    failure_ratio_max: float = 0.0


@dataclass(frozen=True, slots=True)
class Desired:
    """What a key's members shall be: all that the planner needs of a spec.

    slots: the names of pets; None for cattle, of which there are `size`.
    fingerprint: of the whole template; replace_sha: of only what needs a new member (empty: fingerprint alone).
    in_place: an outdated member is updated, not replaced (a Swarm service).
    role: MANAGER makes it a quorum. removed: nothing shall be left.
    formed: the cluster of a manager group exists, so that losing its majority would lose something.
    max_unavailable of a manager group: 0 leaves it to the quorum rules, more is the user's explicit word (N4).
    hold: why nothing may be created now (no cluster yet, workers still there), or empty. refused: for the spec alone.
    hold_removal: why nothing may be removed now (managers wait until their workers are gone).
    numbered: members bear numbers from 1 on as their slots, like SwarmKit's tasks; `slots` is None. Whoever goes, goes
    for what it is worth and not for its number, and a new one takes the lowest number that is free. They are not
    started again but made anew, slowly at first (W9), and a slot's last dead one is kept.
    once: a job. Numbered members that completed are not made again, and `done` are their slots, which `size` does not
    count any more; of a service its tasks are counted.
    sources: where members may be made (numbered ones only), in a fixed order. per_source_max: at most so many of this
    key on one of them, 0 is no limit (a published port is taken once on an engine).
    paused: who stopped roll-outs, and why, empty while they go on (W49). The other fields follow the template from
    before then, and members of any other stay as they are. withheld: a newer template waits for the end of that.
    given_up: by skep, for the roll had failed (W47). undone: what failed, and why, where skep made this one to go back.
    lasting_s: who waits for it is told that it is as wanted once it was so for so long (W54); 0 for groups and jobs.
    own: the logical ID of the machine that this controller runs on, if any: while that runs it goes only with all.
    settled: fingerprint of the last template that all numbered members followed, where what is missing in a roll may be
    made of that (planning/settled.py); empty where it may not, or is the same.
    """

    key: Key
    generation: int
    size: int
    fingerprint: str
    slots: tuple[str, ...] | None = None
    replace_sha: str = ""
    max_surge: int = 0
    max_unavailable: int = 0
    in_place: bool = False
    role: Role | None = None
    removed: bool = False
    formed: bool = True
    hold: str = ""
    refused: bool = False
    hold_removal: str = ""
    limits: Limits = Limits()
    numbered: bool = False
    sources: tuple[str, ...] = ()
    per_source_max: int = 0
    once: bool = False
    done: frozenset[str] = frozenset()
    paused: str = ""
    withheld: bool = False
    given_up: bool = False
    undone: str = ""
    lasting_s: float = 0.0
    own: str = ""
    settled: str = ""


class Phase(StrEnum):
    """How far an action has come; written down before each step is attempted (semantics.md N5)."""

    BEGUN = "begun"
    PROVISION = "provision"
    CREATED = "created"
    """A container is there; what is left is to start it."""
    PREPARE = "prepare"
    DRAIN = "drain"
    WAIT = "wait"
    DEMOTE = "demote"
    REMOVED = "removed"
    DESTROYED = "destroyed"
    AWAITED = "awaited"
    """Done; its effect has not been seen in a listing yet (semantics.md W13, W17)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One action in flight. A removal (kind DRAIN or DESTROY) holds its member, a creation its slot.

    `request` is random and makes the act repeatable. `fingerprint` and `generation` are those acted for.
    `began_s` is wall time, for people. `source` is where it is made, so that a repeat finds what is there already.
    """

    request: str
    kind: ActionKind
    reason: Reason
    generation: int
    slot: str | None = None
    member: str = ""
    fingerprint: str = ""
    replace_sha: str = ""
    phase: Phase = Phase.BEGUN
    began_s: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """How often in a row an act on a subject failed, and when it may be tried again.

    `subject` is the member, or the slot to be filled, or empty for any cattle. `retry_s` is on the planner's
    clock. `message` is the last error, fit for a user. Of a numbered slot (kind START) it counts the members that
    ended; `counted` is the last of them. `pull`: of a source of numbered members, what failed is getting the image.
    `settled`: what ended, or could not be made, was of the settled template; where not even that can be made, nothing
    can.
    """

    subject: str
    kind: ActionKind
    count: int
    retry_s: float
    message: str
    counted: str = ""
    pull: bool = False
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is under way, what failed, and the last fingerprint that was applied in place.

    `streak`: creations of numbered members that succeeded one after the other since the last one failed or none was
    missing; it says how many may be begun at once (W9).
    `completed`: slots of a job whose members ended well, of the fingerprint `completed_of`; what completed is not made
    again, even if nothing is left of it (W54).
    `progress` is None where no deadline is kept: none was asked for, or nothing may be done now.
    `setbacks`: sources on which numbered members failed in the last minutes (W34). `ended`: whose end is no news.
    """

    entries: tuple[Entry, ...] = ()
    failures: tuple[Failure, ...] = ()
    applied: str = ""
    streak: int = 0
    completed: tuple[str, ...] = ()
    completed_of: str = ""
    progress: Progress | None = None
    setbacks: tuple[Setbacks, ...] = ()
    ended: tuple[Ended, ...] = ()


class ConditionType(StrEnum):
    """semantics.md W52, and those of machines."""

    AVAILABLE = "Available"
    PROGRESSING = "Progressing"
    REPLICA_FAILURE = "ReplicaFailure"
    ROLL_REFUSED = "RollRefused"
    WAITING = "Waiting"
    REMEDIATION_RESTRICTED = "RemediationRestricted"
    NAME_CONFLICT = "NameConflict"
    CRASH_LOOPING = "CrashLooping"
    UNPLACEABLE = "Unplaceable"
    PARTITION_SUSPECTED = "PartitionSuspected"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    ROLLED_BACK = "RolledBack"
    """A roll failed, and skep went back; as long as nobody asks for anything else (W47)."""
    UNREACHABLE = "Unreachable"
    UNOWNED = "Unowned"
    """Something bears the key's name, runs beside it and is nobody's (W21)."""
    COMPLETE = "Complete"
    """Of jobs, in place of Available: all have ended as they should."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about a key. `since_s` is wall time and moves only when `status` flips (W52)."""

    type: ConditionType
    status: bool
    reason: str
    message: str = ""
    since_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """What can't be observed again of a key; at most 512 KiB, written only when it changed.

    `image` is what the spec's `image_spec` was fixed to for `resolved`, `image_id` the ID of one without a
    digest, if it is known (semantics.md W40, control/fixing.py); `settled_…` those of `settled`. `made_on` is the kind
    of cluster that its members were made on first (ClusterKind), empty before and for groups; `made_in` is its name, of
    workers the cluster that they were last of while it was formed; `made_static`: the settings had it, so that it may
    be there as before when they have it no more; `made_for`: for which life of the name (SpecDocument.uid). `begun`:
    the newest generation whose template was acted on, `settled` the newest that all members followed (W50); 0 before.
    """

    key: Key
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    ledger: Ledger = Ledger()
    image: str = ""
    image_spec: str = ""
    made_on: str = ""
    made_in: str = ""
    made_static: bool = False
    made_for: str = ""
    begun: int = 0
    settled: int = 0
    settled_image: str = ""
    settled_image_spec: str = ""
    image_id: str = ""
    resolved: int = 0
    settled_image_id: str = ""


@dataclass(frozen=True, slots=True)
class Revision:
    """One accepted state of a spec: who asked for it (peer uid or certificate), when (wall time) and why, in words.

    `automatic`: skep went back to an older one, since a roll had failed; `why` says which and for what reason.
    """

    generation: int
    who: str
    when_s: float
    spec: bytes
    removed: bool = False
    why: str = ""
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class ClusterManager:
    """A manager that a cluster is reached through: its logical ID (or member ID) and its engine's URL."""

    name: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class ClusterState:
    """What is known of a Swarm. `id` is empty until it exists; `bootstrap` names the only member that may init it."""

    name: str
    id: str = ""
    bootstrap: str = ""
    managers: tuple[ClusterManager, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One decision that changed something, in words. `at_s` is wall time, `seq` grows for ever."""

    seq: int
    at_s: float
    key: str
    reason: str
    message: str
