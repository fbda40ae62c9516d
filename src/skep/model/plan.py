"""What shall be done, and why: the value that the dry run, the executor and the explanation share."""

from dataclasses import dataclass
from enum import StrEnum

from skep.model.spec import Key


class Reason(StrEnum):
    """Why an action is taken: a closed list."""

    MISSING = "Missing"
    DEAD = "Dead"
    STOPPED = "Stopped"
    SURPLUS = "Surplus"
    UNHEALTHY = "Unhealthy"
    OUTDATED = "Outdated"
    SUPERSEDED = "Superseded"
    REMOVED = "Removed"
    DRIFTED = "Drifted"


class ActionKind(StrEnum):
    """What can be done to a member: a closed list."""

    CREATE = "create"
    ADOPT = "adopt"
    START = "start"
    STOP = "stop"
    """Let it serve no more, and keep it for its logs."""
    UPDATE = "update"
    DRAIN = "drain"
    """Remove with care: drain, wait, demote, remove from the cluster, destroy."""
    DESTROY = "destroy"
    """Remove what serves nobody any more: remove from the cluster, destroy."""


REMOVALS = frozenset({ActionKind.DRAIN, ActionKind.DESTROY})


@dataclass(frozen=True, slots=True)
class Action:
    """One act on one member, or on the slot to be filled (None for cattle and for members without one).

    `detail` says what differs, for updates. `source` is where it is to be made, or lives; empty where there is no
    choice. `fingerprint`: of a creation, the settled template that it is made of; empty for what is desired.
    """

    kind: ActionKind
    reason: Reason
    slot: str | None = None
    member: str = ""
    detail: tuple[str, ...] = ()
    source: str = ""
    fingerprint: str = ""


class NoteKind(StrEnum):
    """What the planner left undone, and why: a closed list that becomes conditions."""

    HELD = "Held"
    WAITING_FOR_QUORUM = "WaitingForQuorum"
    ROLL_REFUSED = "RollRefused"
    PAUSED = "Paused"
    REVISION_FAILED = "RevisionFailed"
    REMEDIATION_RESTRICTED = "RemediationRestricted"
    SOURCE_SILENT = "SourceSilent"
    BACKING_OFF = "BackingOff"
    CRASH_LOOPING = "CrashLooping"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    UNPLACEABLE = "Unplaceable"
    PARTITION_SUSPECTED = "PartitionSuspected"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    JOB_FAILED = "Failed"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing left undone. `subject` is a member, slot or source, empty for the whole key; `detail` is in words.

    `retry_s`: when it will be tried again, on the planner's clock; 0 where that is not known.
    """

    kind: NoteKind
    subject: str = ""
    detail: str = ""
    retry_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions for one turn of a key, in order; any prefix may be carried out.

    `recheck_after_s` is when the answer may change by time alone; None when only an event can change it.
    """

    key: Key
    generation: int
    actions: tuple[Action, ...] = ()
    notes: tuple[Note, ...] = ()
    recheck_after_s: float | None = None
