"""For how long members have been unwell, and were heard of."""

import pytest

from skep.control.sickness import Sickness
from skep.model.state import EVERYTHING, HEALTH, Life, Observed
from tests.control.values import WORKERS, desired, member

GROUP = desired()
SICK = member("m1", healthy=False)


def seconds(sickness: Sickness, at_s: float, *members: object, silent: frozenset[str] = frozenset()) -> list[float]:
    seen = sickness.timed(GROUP, Observed(tuple(members), silent), at_s)  # type: ignore[arg-type]
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


def test_a_member_that_went_away_is_forgotten_while_another_source_is_silent() -> None:
    """Silence may last for ever, and those of a source that is silent are told as they were seen last."""
    sickness, elsewhere = Sickness(), frozenset({"a"})
    looks = [
        sickness.timed(GROUP, Observed(members, elsewhere), at_s).members
        for at_s, members in ((10.0, (SICK,)), (20.0, ()), (30.0, (SICK,)))
    ]
    assert [m.sick_s for m in looks[-1]] == [0.0]


def test_what_is_gone_or_not_heard_of_is_not_sick() -> None:
    sickness = Sickness()
    for at_s in (10.0, 20.0):
        lost = [member("m1", healthy=False, life=life) for life in (Life.GONE, Life.UNKNOWN)]
        assert seconds(sickness, at_s, *lost) == [0.0, 0.0]


def test_for_how_long_one_has_been_dead_is_told_across_the_silence_of_its_engine() -> None:
    sickness = Sickness()
    ill, dead, silent = (member("m1", healthy=False, life=life) for life in (Life.RUNNING, Life.DEAD, Life.UNKNOWN))
    seen = [(10.0, ill, 0.0), (20.0, ill, 10.0), (30.0, dead, 0.0), (35.0, silent, 0.0), (40.0, dead, 10.0)]
    assert [seconds(sickness, at_s, one) for at_s, one, _ in seen] == [[told_s] for _, _, told_s in seen]


def test_a_forgotten_key_begins_anew() -> None:
    sickness = Sickness()
    seconds(sickness, 10.0, SICK)
    sickness.forget(WORKERS)
    assert seconds(sickness, 20.0, SICK) == [0.0]


def well(sickness: Sickness, at_s: float, *members: object, silent: frozenset[str] = frozenset()) -> list[float]:
    seen = sickness.timed(GROUP, Observed(tuple(members), silent), at_s)  # type: ignore[arg-type]
    return [m.well_s for m in seen.members]


def test_time_passes_for_the_well_until_they_are_not() -> None:
    """W18, W30: a member that is well for long enough has proven itself."""
    sickness, fit = Sickness(), member("m1")
    looks = [well(sickness, at_s, m) for at_s, m in ((10.0, fit), (15.0, fit), (20.0, SICK), (25.0, fit), (30.0, fit))]
    assert looks == [[0.0], [5.0], [0.0], [0.0], [5.0]]


def test_the_well_stay_as_they_were_while_nobody_can_say() -> None:
    sickness = Sickness()
    well(sickness, 10.0, member("m1"))
    well(sickness, 20.0, member("m1"))
    assert well(sickness, 400.0, member("m1", healthy=False), silent=frozenset({HEALTH})) == [10.0]
    assert well(sickness, 405.0, member("m1")) == [15.0]


def test_what_was_out_of_sight_has_to_prove_itself_anew() -> None:
    sickness = Sickness()
    well(sickness, 10.0, member("m1"))
    assert well(sickness, 20.0, member("m1", life=Life.UNKNOWN)) == [0.0]
    assert well(sickness, 30.0, member("m1")) == [0.0]


A, B = frozenset({"a"}), frozenset({"b"})


@pytest.mark.parametrize(
    "silence",
    [
        Observed(silent=frozenset({EVERYTHING})),
        Observed(partitioned=True),
        Observed(silent=A | B),
        Observed(silent=A, lost=B),
        Observed(lost=A | B | {"c"}),
    ],
    ids=["nobody answers", "we are cut off", "all silent", "silent or lost", "all lost"],
)
@pytest.mark.parametrize(("until_s", "heard_s"), [(49.0, 39.0), (50.0, 0.0)])
def test_w46_a_silence_of_half_a_minute_ends_the_time_in_which_all_were_heard(
    silence: Observed, until_s: float, heard_s: float
) -> None:
    """Of those where its members may be, if they may not be anywhere."""
    sickness, told, web = Sickness(), Observed((member("m1"),)), desired(numbered=True, sources=("a", "b"))
    assert sickness.timed(web, told, 10.0).heard_s == 0.0
    assert [sickness.timed(web, silence, at_s).heard_s for at_s in (20.0, 40.0)] == [0.0, 0.0]
    assert sickness.timed(web, told, until_s).heard_s == heard_s
    assert sickness.timed(web, told, until_s + 7).heard_s == heard_s + 7


@pytest.mark.parametrize("away", [Observed(silent=A), Observed(silent=A, lost=frozenset({"c"})), Observed(lost=B)])
def test_w46_the_silence_of_some_ends_nothing(away: Observed) -> None:
    sickness, web = Sickness(), desired(numbered=True, sources=("a", "b"))
    assert [sickness.timed(web, away, at_s).heard_s for at_s in (10.0, 60.0)] == [0.0, 50.0]
