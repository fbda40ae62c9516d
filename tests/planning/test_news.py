"""What is told of a key: each failure and each end once, with what comes next."""

import pytest

from skep.model.plan import ActionKind
from skep.model.spec import Key, Kind
from skep.model.state import Condition, ConditionType, Failure, Ledger, Record
from skep.planning.news import News, news

WEB = Key(Kind.WORKLOAD, "web")
WORKERS = Key(Kind.GROUP, "workers")
NOW_S = 100.0


def record(*failures: Failure, key: Key = WEB, available: bool | None = None, message: str = "") -> Record:
    stated = () if available is None else (Condition(ConditionType.AVAILABLE, available, "", message),)
    return Record(key, conditions=stated, ledger=Ledger(failures=failures))


def ended(count: int, retry_s: float) -> Failure:
    return Failure("3", ActionKind.START, count, retry_s, "exited with code 7", f"m{count}")


@pytest.mark.parametrize(
    ("before", "after", "numbered", "told"),
    [
        ((), ended(1, NOW_S), True, News("Ended", "container 3 ended: exited with code 7; again at once")),
        (
            (ended(1, NOW_S),),
            ended(2, NOW_S + 10),
            True,
            News("Ended", "container 3 ended, 2 times in a row: exited with code 7; again in 10 s"),
        ),
        (
            (),
            Failure("", ActionKind.CREATE, 1, NOW_S + 1, "could not pull image nope:1: not found"),
            True,
            News("Failed", "creation: could not pull image nope:1: not found; again in 1 s"),
        ),
        (
            (),
            Failure("e1", ActionKind.CREATE, 2, NOW_S + 20, "could not pull image nope:1: not found", pull=True),
            True,
            News("Failed", "pull on e1: could not pull image nope:1: not found; again in 20 s"),
        ),
        (
            (),
            Failure("e1", ActionKind.CREATE, 2, NOW_S + 20, "could not pull image nope:1 on e1: no", pull=True),
            True,
            News("Failed", "pull on e1: could not pull image nope:1: no; again in 20 s"),
        ),
        (
            (),
            Failure("unix:///tmp/e1/docker.sock", ActionKind.CREATE, 1, NOW_S + 1, "no space left"),
            True,
            News("Failed", "creation on unix:///tmp/e1/docker.sock: no space left; again in 1 s"),
        ),
        (
            (),
            Failure("4f2c9d1ab03e77aa", ActionKind.STOP, 1, NOW_S + 1, "it hangs"),
            True,
            News("Failed", "stop of 4f2c9d1ab03e: it hangs; again in 1 s"),
        ),
        (
            (),
            Failure("10.20.0.10", ActionKind.CREATE, 2, NOW_S + 2, "no space left"),
            False,
            News("Failed", "creation of 10.20.0.10: no space left; again in 2 s"),
        ),
    ],
)
def test_what_failed_or_ended_is_told_with_what_comes_next(
    before: tuple[Failure, ...], after: Failure, numbered: bool, told: News
) -> None:
    key = WEB if numbered else WORKERS
    assert news(record(*before, key=key), record(after, key=key), numbered=numbered, now_s=NOW_S) == (told,)


def test_nothing_is_told_twice_and_waiting_is_no_failure() -> None:
    waits = Failure("", ActionKind.CREATE, 0, NOW_S + 1, "no cluster yet")
    assert news(record(ended(2, 0.0)), record(ended(2, 0.0), waits), numbered=True, now_s=NOW_S) == ()


def test_an_outage_and_its_end_are_told_and_the_first_state_is_not() -> None:
    new, up, down = record(), record(available=True, message="5 of 5"), record(available=False, message="4 of 5")
    assert news(new, down, numbered=True, now_s=0) == ()
    assert news(up, up, numbered=True, now_s=0) == ()
    assert news(up, down, numbered=True, now_s=0) == (News("Unavailable", "4 of 5 serve"),)
    assert news(down, up, numbered=True, now_s=0) == (News("Available", "5 of 5 serve"),)


def refused(generation: int, status: bool = True) -> Record:
    stated = (Condition(ConditionType.ROLL_REFUSED, True, "RollRefused", "no spare"),) if status else ()
    return Record(WORKERS, conditions=stated, observed_generation=generation)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (refused(1, False), refused(2), True),
        (refused(2, False), refused(2), True),
        (refused(2), refused(2), False),
        (refused(2), refused(3), True),
        (refused(2), refused(3, False), False),
    ],
)
def test_a_roll_that_is_refused_is_told_once_of_each_generation(before: Record, after: Record, told: bool) -> None:
    found = news(before, after, numbered=False, now_s=NOW_S)
    assert found == ((News("RollRefused", "no spare"),) if told else ())
