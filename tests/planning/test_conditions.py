"""What a key's status says of it (semantics.md W50, W52)."""

from dataclasses import replace

import pytest

from skep.model.plan import Action, ActionKind, Note, NoteKind, Plan, Reason
from skep.model.spec import Key, Kind
from skep.model.state import (
    EVERYTHING,
    HEALTH,
    Condition,
    ConditionType,
    Desired,
    Entry,
    Failure,
    Health,
    Ledger,
    Life,
    Member,
    Observed,
)
from skep.planning.conditions import conditions, is_converged

KEY = Key(Kind.GROUP, "workers")
TWO = Desired(KEY, 1, 2, "f1")
SERVICE = Desired(Key(Kind.WORKLOAD, "web"), 1, 1, "f1", slots=("service",), in_place=True)


def healthy(id: str, **more: object) -> Member:
    return replace(Member(id, fingerprint="f1", health=Health.HEALTHY, running=1), **more)  # type: ignore[arg-type]


def seen(*members: Member, silent: tuple[str, ...] = ()) -> Observed:
    return Observed(members, frozenset(silent))


A, B = healthy("a"), healthy("b")
C, D = healthy("m1", slot="c"), healthy("m2", slot="d")
BOTH = seen(A, B)
CREATE = Entry("r", ActionKind.CREATE, Reason.MISSING, 1, fingerprint="f1")


def stated(
    observed: Observed = BOTH,
    ledger: Ledger = Ledger(),  # noqa: B008
    *notes: Note,
    desired: Desired = TWO,
    actions: tuple[Action, ...] = (),
    before: tuple[Condition, ...] = (),
    wall_s: float = 10.0,
) -> dict[ConditionType, Condition]:
    plan = Plan(desired.key, 1, actions, notes)
    return {c.type: c for c in conditions(desired, observed, ledger, plan, before, wall_s)}


def test_what_bears_its_name_and_is_nobodys_is_told_and_hinders_nothing() -> None:
    """W21: as long as the key is wanted."""
    beside = replace(BOTH, beside="left alone: old0 on alpha")
    found = stated(beside)[ConditionType.UNOWNED]
    assert (found.status, found.reason, found.message) == (True, "LeftAlone", "left alone: old0 on alpha")
    assert is_converged(TWO, beside, Ledger())
    assert ConditionType.UNOWNED not in stated(beside, desired=replace(TWO, removed=True))
    assert ConditionType.UNOWNED not in stated(BOTH)


@pytest.mark.parametrize(
    ("why", "observed", "ledger", "desired", "converged"),
    [
        ("everything is there", BOTH, Ledger(), TWO, True),
        ("one is missing", seen(A), Ledger(), TWO, False),
        ("one is too many", seen(A, B, healthy("c")), Ledger(), TWO, False),
        ("one is of an old spec", seen(A, healthy("b", fingerprint="f0")), Ledger(), TWO, False),
        ("another has the place of one", seen(C, D), Ledger(), replace(TWO, slots=("c", "e")), False),
        ("each has its place", seen(C, D), Ledger(), replace(TWO, slots=("d", "c")), True),
        ("one is sick", seen(A, healthy("b", health=Health.UNHEALTHY)), Ledger(), TWO, False),
        ("one left its node behind", seen(A, B, healthy("n", life=Life.GONE)), Ledger(), TWO, False),
        ("one lacks an image", seen(A, healthy("b", drift=("image",))), Ledger(), TWO, False),
        ("something is under way", BOTH, Ledger((CREATE,)), TWO, False),
        ("somebody does not answer", seen(A, B, silent=(HEALTH,)), Ledger(), TWO, False),
        ("nothing is wanted, and nothing is there", seen(), Ledger(), replace(TWO, size=0), True),
        (
            "a failure that is over is no matter",
            BOTH,
            Ledger(failures=(Failure("", ActionKind.CREATE, 1, 0, "x"),)),
            TWO,
            True,
        ),
    ],
)
def test_converged_is_everything_and_nothing_else(
    why: str, observed: Observed, ledger: Ledger, desired: Desired, converged: bool
) -> None:
    """W50."""
    assert is_converged(desired, observed, ledger) is converged


def test_time_moves_only_when_the_status_flips() -> None:
    """W52."""
    history: tuple[Condition, ...] = ()
    times = []
    for wall_s, observed in ((1.0, seen(A)), (2.0, seen()), (3.0, BOTH), (4.0, BOTH), (5.0, seen(B))):
        found = stated(observed, before=history, wall_s=wall_s)
        history = tuple(found.values())
        available = found[ConditionType.AVAILABLE]
        times.append((available.status, available.message, available.since_s))
    assert times == [
        (False, "1 of 2", 1.0),
        (False, "0 of 2", 1.0),
        (True, "2 of 2", 3.0),
        (True, "2 of 2", 3.0),
        (False, "1 of 2", 5.0),
    ]


def test_a_condition_that_went_away_begins_anew() -> None:
    note = Note(NoteKind.HELD, detail="no cluster")
    first = stated(BOTH, Ledger(), note, wall_s=1.0)
    second = stated(before=tuple(first.values()), wall_s=2.0)
    third = stated(BOTH, Ledger(), note, before=tuple(second.values()), wall_s=3.0)
    assert ConditionType.WAITING not in second
    assert (first[ConditionType.WAITING].since_s, third[ConditionType.WAITING].since_s) == (1.0, 3.0)


def test_a_workload_counts_containers() -> None:
    """W53."""
    service = healthy("s", slot="service", running=3, wanted=5)
    found = stated(seen(service), desired=SERVICE)[ConditionType.AVAILABLE]
    assert (found.status, found.reason, found.message) == (False, "MinimumReplicasUnavailable", "3 of 5")
    full = stated(seen(replace(service, running=5)), desired=SERVICE)[ConditionType.AVAILABLE]
    assert (full.status, full.reason) == (True, "MinimumReplicasAvailable")
    unseen = stated(seen(), desired=SERVICE)[ConditionType.AVAILABLE]
    assert (unseen.status, unseen.message) == (False, "no service of it is seen")


@pytest.mark.parametrize(
    ("desired", "observed", "actions", "reason"),
    [
        (TWO, BOTH, (), "Complete"),
        (TWO, seen(A), (), "Updating"),
        (TWO, BOTH, (Action(ActionKind.UPDATE, Reason.DRIFTED, member="a"),), "Updating"),
        (replace(TWO, size=0, removed=True), BOTH, (), "Removing"),
    ],
)
def test_progress_has_a_reason(desired: Desired, observed: Observed, actions: tuple[Action, ...], reason: str) -> None:
    found = stated(observed, desired=desired, actions=actions)[ConditionType.PROGRESSING]
    assert (found.status, found.reason) == (True, reason)


def test_what_hinders_progress_is_said() -> None:
    sick = healthy("b", health=Health.UNHEALTHY, detail="node is down")
    assert stated(seen(A, sick))[ConditionType.PROGRESSING].message == "node is down"


@pytest.mark.parametrize("kind", [NoteKind.REVISION_FAILED, NoteKind.ROLL_REFUSED, NoteKind.PAUSED])
def test_what_only_people_change_is_no_progress(kind: NoteKind) -> None:
    found = stated(BOTH, Ledger(), Note(kind, "a", "update paused"))[ConditionType.PROGRESSING]
    assert (found.status, found.reason) == (False, kind.value)
    assert "update paused" in found.message


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        (NoteKind.HELD, ConditionType.WAITING),
        (NoteKind.WAITING_FOR_QUORUM, ConditionType.WAITING),
        (NoteKind.ROLL_REFUSED, ConditionType.ROLL_REFUSED),
        (NoteKind.REMEDIATION_RESTRICTED, ConditionType.REMEDIATION_RESTRICTED),
        (NoteKind.SOURCE_SILENT, ConditionType.UNREACHABLE),
    ],
)
def test_what_was_left_undone_is_a_condition(kind: NoteKind, condition: ConditionType) -> None:
    found = stated(BOTH, Ledger(), Note(kind, "a", "because"), Note(kind, "b", "because"))[condition]
    assert (found.status, found.reason) == (True, kind.value)


def test_nothing_is_complete_while_a_newer_template_waits() -> None:
    """W50, W49."""
    assert is_converged(TWO, BOTH, Ledger())
    assert is_converged(replace(TWO, paused="by ann"), BOTH, Ledger())
    assert not is_converged(replace(TWO, paused="by ann", withheld=True), BOTH, Ledger())


def test_the_worst_failure_is_told_with_the_others_words() -> None:
    """W52: FailedCreate / FailedDelete with the engine's message."""
    failures = (
        Failure("a", ActionKind.START, 1, 0.0, "does not boot"),
        Failure("b", ActionKind.DRAIN, 4, 0.0, "tasks still run"),
        Failure("", ActionKind.CREATE, 0, 0.0, "no manager yet"),
    )
    found = stated(BOTH, Ledger(failures=failures))
    assert (found[ConditionType.REPLICA_FAILURE].reason, found[ConditionType.REPLICA_FAILURE].message) == (
        "FailedDelete",
        "tasks still run",
    )
    assert (found[ConditionType.WAITING].reason, found[ConditionType.WAITING].message) == ("NotReady", "no manager yet")


def test_a_name_that_is_taken_has_a_condition_of_its_own() -> None:
    """W25."""
    failures = (Failure("service", ActionKind.CREATE, 1, 0.0, "NameConflict: there is a service web"),)
    found = stated(seen(), Ledger(failures=failures), desired=SERVICE)
    assert found[ConditionType.NAME_CONFLICT].reason == "FailedCreate"
    assert ConditionType.REPLICA_FAILURE not in found


@pytest.mark.parametrize("silent", [(), (EVERYTHING,)])
def test_a_job_of_which_no_service_is_seen_has_not_completed(silent: tuple[str, ...]) -> None:
    """W54: nothing of nothing would pass for done."""
    job = replace(SERVICE, once=True, hold="" if silent else "there is no cluster yet")
    assert stated(seen(silent=silent), desired=job)[ConditionType.COMPLETE].status is False


def test_nothing_is_available_that_nobody_can_see() -> None:
    found = stated(seen(silent=(EVERYTHING,)))
    assert found[ConditionType.AVAILABLE].status is False
    assert found[ConditionType.PROGRESSING].reason == "Updating"
