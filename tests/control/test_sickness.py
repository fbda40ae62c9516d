"""For how long members have been unwell."""

from skep.control.sickness import Sickness
from skep.model.state import HEALTH, Life, Observed
from tests.control.values import WORKERS, member

SICK = member("m1", healthy=False)


def seconds(sickness: Sickness, at_s: float, *members: object, silent: frozenset[str] = frozenset()) -> list[float]:
    seen = sickness.timed(WORKERS, Observed(tuple(members), silent), at_s)  # type: ignore[arg-type]
    return [m.sick_s for m in seen.members]


def test_time_passes_from_the_first_look_at_the_sick_one_until_it_is_well() -> None:
    sickness = Sickness()
    looks = [seconds(sickness, at_s, m) for at_s, m in ((10.0, SICK), (15.0, SICK), (20.0, member("m1")), (25.0, SICK))]
    assert looks == [[0.0], [5.0], [0.0], [0.0]]


def test_no_time_passes_while_nobody_can_say_how_they_are() -> None:
    sickness = Sickness()
    seconds(sickness, 10.0, SICK)
    seconds(sickness, 20.0, SICK)
    assert seconds(sickness, 400.0, SICK, silent=frozenset({HEALTH})) == [10.0]
    assert seconds(sickness, 405.0, SICK) == [15.0]


def test_a_member_that_went_away_begins_anew() -> None:
    sickness = Sickness()
    seconds(sickness, 10.0, SICK)
    seconds(sickness, 20.0)
    assert seconds(sickness, 30.0, SICK) == [0.0]


def test_what_is_gone_or_not_heard_of_is_not_sick() -> None:
    sickness = Sickness()
    for at_s in (10.0, 20.0):
        lost = [member("m1", healthy=False, life=life) for life in (Life.GONE, Life.UNKNOWN)]
        assert seconds(sickness, at_s, *lost) == [0.0, 0.0]


def test_a_forgotten_key_begins_anew() -> None:
    sickness = Sickness()
    seconds(sickness, 10.0, SICK)
    sickness.forget(WORKERS)
    assert seconds(sickness, 20.0, SICK) == [0.0]
