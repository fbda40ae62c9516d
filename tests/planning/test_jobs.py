"""Jobs: what has completed is remembered and not done again (semantics.md W54)."""

from dataclasses import replace

import pytest

from skep.model.plan import NoteKind
from skep.model.state import Desired, Health, Ledger, Member, Observed
from skep.planning.check import check_plan
from skep.planning.conditions import conditions, is_converged
from skep.planning.jobs import recorded, remaining
from skep.planning.planner import plan
from skep.planning.restarts import recounted
from tests.planning.notation import ledger, numbered, observed
from tests.planning.row import NOW_S

JOB = replace(numbered(3, "ab", unavailable=3), once=True)
DONE = Ledger(completed=("1", "2"), completed_of=JOB.fingerprint)


def completed(seen: Observed, *ids: str) -> Observed:
    members = (replace(m, completed=1) if m.id in ids else m for m in seen.members)
    return replace(seen, members=tuple(members))


def left(seen: Observed, books: Ledger, desired: Desired = JOB) -> Desired:
    return remaining(desired, seen, recorded(desired, seen, books))


@pytest.mark.parametrize(
    ("why", "seen", "before", "done"),
    [
        ("one ended well", completed(observed("1=m1%@a 2=m2@b"), "m1"), Ledger(), {"1"}),
        ("one failed", observed("1=m1%@a"), Ledger(), set()),
        ("it was made for an older spec", completed(observed("1=m1%~@a"), "m1"), Ledger(), set()),
        ("we were removing it", completed(observed("1=m1%@a"), "m1"), ledger("drain m1"), set()),
        ("its container was removed", observed(""), DONE, {"1", "2"}),
        ("its engine is lost", observed("", "lost:b"), DONE, {"1", "2"}),
        ("an old list shows it running", observed("1=m1@a"), DONE, {"2"}),
        ("the template is another one", observed(""), replace(DONE, completed_of="older"), set()),
        ("more completed than are asked for", observed(""), replace(DONE, completed=tuple("12345")), {"1", "2", "3"}),
    ],
)
def test_what_has_completed_is_done(why: str, seen: Observed, before: Ledger, done: set[str]) -> None:
    found = left(seen, before)
    assert (found.done, found.size) == (done, 3 - len(done))


def test_a_workload_that_is_no_job_remembers_nothing() -> None:
    assert recorded(numbered(3), observed(""), DONE).completed == ()


def test_what_has_completed_is_not_forgotten_while_an_engine_that_came_forbids_it_and_goes_again() -> None:
    """What a refusal says is in the fingerprint, and the containers may be gone by then."""
    refused = replace(JOB, fingerprint="refused", hold="Networks: Docker before 25 takes one network")
    books = recorded(refused, observed(""), DONE)
    assert left(observed(""), books).done == {"1", "2"}
    assert left(observed(""), books, replace(refused, hold="")).done == set()


def test_only_what_is_left_is_made_and_the_containers_that_completed_are_kept() -> None:
    seen = completed(observed("1=m1%@a 2=m2%@b"), "m1", "m2")
    desired = left(seen, DONE)
    made = plan(desired, seen, DONE, NOW_S)
    assert [(a.kind.value, a.slot) for a in made.actions] == [("create", "3")]
    assert check_plan(made, desired, seen, DONE) == ()
    again = replace(made, actions=(replace(made.actions[0], slot="1"),))
    assert any("has completed" in fault for fault in check_plan(again, desired, seen, DONE))


@pytest.mark.parametrize(("ended", "converged"), [("12", False), ("123", True)])
def test_w54_a_job_is_as_wanted_when_all_have_completed(ended: str, converged: bool) -> None:
    books = replace(DONE, completed=tuple(ended))
    seen = observed("3=m3@a") if "3" not in ended else observed("")
    desired = left(seen, books)
    assert is_converged(desired, seen, books) is converged
    told = conditions(desired, seen, books, plan(desired, seen, books, NOW_S), (), 0.0)[0]
    assert (told.type, told.status, told.message) == ("Complete", converged, f"{len(ended)} of 3 have completed")


def test_w38_a_job_that_failed_as_often_as_it_may_is_a_stable_failure() -> None:
    once = replace(JOB, size=1, limits=replace(JOB.limits, restarts_max=1))
    seen, books = observed("1=m1%@a"), ledger("failed start 1 1 90 m1")
    made = plan(once, seen, books, NOW_S)
    assert made.actions == ()
    assert [n.kind for n in made.notes] == [NoteKind.JOB_FAILED]
    assert made.recheck_after_s is None
    told = {c.type: c for c in conditions(once, seen, books, made, (), 0.0)}
    assert (told["Progressing"].status, told["Progressing"].reason) == (False, "Failed")  # type: ignore[index]


@pytest.mark.parametrize(("applied", "acts"), [("this", []), ("", ["update"]), ("another", ["update"])])
@pytest.mark.parametrize(("once", "told"), [(True, NoteKind.JOB_FAILED), (False, NoteKind.RETRIES_EXHAUSTED)])
def test_w38_what_a_swarm_gave_up_is_left_alone_until_there_is_a_new_generation(
    applied: str, acts: list[str], once: bool, told: NoteKind
) -> None:
    """A new generation forgets what was applied. A first one finds what was freed, or adopts it, and asks nothing."""
    desired = Desired(JOB.key, 2, 1, "this", slots=("service",), in_place=True, once=once)
    seen = Observed((Member("s", "service", "this", wanted=1, failed=1),))
    made = plan(desired, seen, Ledger(applied=applied), NOW_S)
    assert [a.kind.value for a in made.actions] == acts
    assert [n.kind for n in made.notes] == ([] if acts else [told])
    assert plan(replace(desired, generation=1), seen, Ledger(applied=applied), NOW_S).actions == ()


def test_what_failed_before_it_completed_is_no_failure_any_more() -> None:
    """Neither its count, nor a container of before that somebody left while the one that completed was removed."""
    seen, books = completed(observed("1=m1%@a 1=m2%@a"), "m2"), ledger("failed start 1 2 90 m1")
    desired = left(seen, books)
    counts = {(f.subject, f.kind): f for f in books.failures}
    assert recounted(desired, seen, books, counts, NOW_S, 0.5) == {}
    assert recounted(desired, observed("1=m1%@a"), books, {}, NOW_S, 0.5) == {}


def test_a_job_is_not_stopped_for_what_its_health_check_says() -> None:
    sick = (
        Member("m1", "1", JOB.fingerprint, source="a", health=observed("1=m1!!@a").members[0].health, sick_s=900.0),
    )
    assert plan(replace(JOB, size=1), Observed(sick), Ledger(), NOW_S).actions == ()


@pytest.mark.parametrize(("healthy", "well_s", "told"), [(False, 0.0, True), (True, 29.0, True), (True, 30.0, False)])
def test_w30_a_service_is_told_to_end_again_and_again_until_all_of_it_has_lived_for_a_while(
    healthy: bool, well_s: float, told: bool
) -> None:
    desired = Desired(JOB.key, 2, 1, "this", slots=("service",), in_place=True)
    health = Health.HEALTHY if healthy else Health.UNHEALTHY
    seen = Member("s", "service", "this", health=health, well_s=well_s, trouble=NoteKind.CRASH_LOOPING, detail="exit 3")
    made = plan(desired, Observed((seen,)), Ledger(applied="this"), NOW_S)
    assert [(n.kind, n.detail) for n in made.notes] == ([(NoteKind.CRASH_LOOPING, "exit 3")] if told else [])
    assert (made.recheck_after_s is not None) is told
