"""The only place where plans become English, so that text and deed can't part."""

from datetime import UTC, datetime, timedelta

from skep.model.plan import Action, ActionKind, Note, NoteKind, Plan, Reason
from skep.model.spec import Kind
from skep.model.state import Entry, Phase
from skep.planning.service import LEFT_SO

CONTAINER_ID_SHOWN = 12
"""As `docker ps` shows it."""

_WHY = {
    Reason.MISSING: "one is missing",
    Reason.DEAD: "it is gone for good",
    Reason.STOPPED: "it does not run",
    Reason.SURPLUS: "there are more than asked for",
    Reason.UNHEALTHY: "it has been unhealthy for too long",
    Reason.OUTDATED: "the spec has changed",
    Reason.SUPERSEDED: "a newer spec has overtaken it",
    Reason.REMOVED: "its spec was removed",
    Reason.DRIFTED: "it was changed from outside",
}

_ENDED = "it has ended, and its number has a later one or none"
"""Of a container (Reason.DEAD): its engine still has it."""

AS_BEFORE = "as before the roll, of which nothing is available yet"
"""What is made of the settled template, and why."""

_ADOPTED = "it is there already, made by others"

_INCOMPLETE = "it lacks what Images names, or has another build of it"
"""Of a machine (Reason.DRIFTED): the spec may have changed, or an image on this host."""

_LEFT_SO = "the Swarm left it so"

_DEEDS = {
    ActionKind.CREATE: "create",
    ActionKind.ADOPT: "adopt",
    ActionKind.START: "start",
    ActionKind.STOP: "stop",
    ActionKind.UPDATE: "update",
    ActionKind.DRAIN: "drain and remove",
    ActionKind.DESTROY: "remove",
}

_NOTES = {
    NoteKind.HELD: "waiting",
    NoteKind.WAITING_FOR_QUORUM: "waiting for the managers' quorum",
    NoteKind.PAUSED: "the roll-out is paused",
    NoteKind.ROLL_REFUSED: "the newest spec can't be carried out",
    NoteKind.REVISION_FAILED: "the Swarm undid or paused this revision; apply another, or this one once more",
    NoteKind.REMEDIATION_RESTRICTED: "too many are unhealthy at once, so none is replaced",
    NoteKind.SOURCE_SILENT: "waiting for an answer",
    NoteKind.BACKING_OFF: "will be tried again",
    NoteKind.CRASH_LOOPING: "it ends again and again",
    NoteKind.RETRIES_EXHAUSTED: "it ended too often and is left alone until the spec changes, or retry",
    NoteKind.UNPLACEABLE: "there is nowhere to make it",
    NoteKind.PROGRESS_DEADLINE_EXCEEDED: "it comes no closer to its spec",
    NoteKind.JOB_FAILED: "it failed and is not tried again until the spec changes, or retry",
    NoteKind.IMAGE_PULL_FAILED: "it could not get the image",
    NoteKind.PARTITION_SUSPECTED: "so many fell silent at once that the fault may be on our side",
}

_OF_NUMBERS = frozenset({NoteKind.CRASH_LOOPING, NoteKind.RETRIES_EXHAUSTED, NoteKind.JOB_FAILED})
"""Notes whose subject is the number of a container."""

_PHASES = {
    Phase.BEGUN: "beginning",
    Phase.PROVISION: "provisioning",
    Phase.CREATED: "starting",
    Phase.PREPARE: "preparing to join",
    Phase.DRAIN: "draining",
    Phase.WAIT: "waiting for its tasks to move",
    Phase.DEMOTE: "demoting",
    Phase.REMOVED: "removing it from the cluster",
    Phase.DESTROYED: "destroying",
    Phase.AWAITED: "done, waiting to see it",
}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def explain(plan: Plan) -> tuple[str, ...]:
    """One sentence for each action, then one for each thing left undone."""
    actions = tuple(explain_action(plan.key.kind, action) for action in plan.actions)
    return actions + tuple(explain_note(note, plan.key.name) for note in plan.notes)


def explain_action(kind: Kind, action: Action) -> str:
    """`create machine 10.20.0.10: one is missing`."""
    subject = _subject(kind, action)
    what = f" ({', '.join(action.detail)})" if action.detail else ""
    return f"{_DEEDS[action.kind]} {subject}: {_why(kind, action)}{what}"


def _why(kind: Kind, action: Action) -> str:
    if (action.kind, action.reason) == (ActionKind.ADOPT, Reason.DRIFTED):
        return _ADOPTED
    if kind is Kind.GROUP and action.reason is Reason.DRIFTED:
        return _INCOMPLETE
    if action.detail and LEFT_SO.issuperset(action.detail):
        return _LEFT_SO
    if kind is Kind.WORKLOAD and action.source and action.reason is Reason.DEAD:
        return _ENDED
    return f"{_WHY[action.reason]}, {AS_BEFORE}" if action.fingerprint else _WHY[action.reason]


def explain_note(note: Note, name: str = "") -> str:
    """`waiting: cluster managers has no manager yet`. `name`: of the workload whose container it may tell of."""
    if note.kind is NoteKind.IMAGE_PULL_FAILED and note.detail.startswith("could not"):
        return of_source(note.subject, note.detail)
    subject = f"{name}.{note.subject}" if name and note.subject and note.kind in _OF_NUMBERS else note.subject
    return ": ".join(part for part in (subject, _NOTES[note.kind], note.detail) if part)


def of_source(source: str, message: str) -> str:
    """`edge-1: could not pull image web:9: …`: an error with the engine that it is of, which it may name itself."""
    return f"{source}: {unplaced(source, message)}"


def unplaced(source: str, message: str) -> str:
    """An error without the engine that it is of, for where that is told anyhow."""
    return message.replace(f" on {source}:", ":", 1)


def explain_retry(note: Note, ahead_s: float, name: str = "") -> str:
    """The same, with the time of the next try; `ahead_s` is the wall clock's lead over the planner's."""
    told = explain_note(note, name)
    at = _EPOCH + timedelta(seconds=int(note.retry_s + ahead_s))
    return f"{told}; next try at {at:%Y-%m-%dT%H:%M:%SZ}" if note.retry_s else told


def explain_entry(kind: Kind, entry: Entry) -> str:
    """`create machine 10.20.0.10: provisioning`."""
    return f"{_DEEDS[entry.kind]} {_subject(kind, entry)}: {_PHASES[entry.phase]}"


def _subject(kind: Kind, of: Action | Entry) -> str:
    if kind is Kind.WORKLOAD:
        return _container(of) if of.source else "service"
    names = " ".join(part for part in (of.slot, f"({of.member})" if of.slot and of.member else of.member) if part)
    return f"machine {names}" if names else "a machine"


def _container(of: Action | Entry) -> str:
    short = f" ({of.member[:CONTAINER_ID_SHOWN]})" if of.member else ""
    return f"container {of.slot}{short} on {of.source}"
