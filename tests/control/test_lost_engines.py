"""Engines of the settings that fall silent: when they are lost, and when none is."""

import pytest

from skep.control.endpoints import PROBE_S, TRUST_S
from tests.control.engine_place import FIVE, GONE, PLAIN, Place, in_place


def test_a_silent_engine_is_asked_every_three_seconds_and_lost_after_thirty() -> None:
    """semantics.md W35."""

    async def body(place: Place) -> None:
        await place.sight()
        place.answers[FIVE[0]] = GONE
        place.book.doubt("lab", "e0", "broke")
        await place.watched(29)
        assert not (await place.states())["e0"].lost
        await place.watched(2)
        lost = (await place.states())["e0"]
        assert (lost.lost, lost.answers, lost.error) == (True, False, "connection refused")
        assert 10 <= place.asked[FIVE[0]] <= 13
        assert place.book.known("lab").partitioned is False

    in_place(lambda: Place(*FIVE), body)


@pytest.mark.parametrize(("heard_after_s", "lost_after_s"), [(None, 30.0), (8.0, 38.0)])
def test_an_engine_that_hangs_is_lost_thirty_seconds_after_it_was_asked(
    heard_after_s: float | None, lost_after_s: float
) -> None:
    """W35, F10: three questions that hang, and no less than 30 s after a call of it got through."""

    async def body(place: Place) -> None:
        await place.sight()
        place.answers[FIVE[0]] = None
        await place.clock.sleep(TRUST_S)
        began_s = place.clock.monotonic_s()
        await place.sight()
        if heard_after_s is not None:
            await place.clock.sleep(began_s + heard_after_s - place.clock.monotonic_s())
            place.book.heard("lab", "e0")
            place.answers[FIVE[0]] = GONE
        while not (await place.states())["e0"].lost:
            await place.clock.sleep(0.5)
        assert place.clock.monotonic_s() - began_s == pytest.approx(lost_after_s, abs=1.0)

    in_place(lambda: Place(*FIVE), body)


@pytest.mark.parametrize("answers", [GONE, None])
def test_an_engine_that_was_never_heard_is_lost_in_time_too(answers: Exception | None) -> None:
    async def body(place: Place) -> None:
        place.answers[FIVE[0]] = answers
        sight = await place.watched(45)
        assert [(e.lost, e.heard) for e in sight.engines[:2]] == [(True, False), (False, True)]

    in_place(lambda: Place(*FIVE), body)


def test_a_lost_engine_that_answers_again_is_neither() -> None:
    async def body(place: Place) -> None:
        place.answers[FIVE[0]] = GONE
        await place.watched(40)
        place.answers[FIVE[0]] = PLAIN
        place.told.clear()
        await place.watched(int(PROBE_S) + 1)
        state = place.book.known("lab").engines[0]
        assert (state.lost, state.answers, state.error) == (False, True, "")
        assert "lab" in place.told

    in_place(lambda: Place(*FIVE), body)


def test_where_most_engines_fall_silent_at_once_none_is_lost() -> None:
    """semantics.md W36, F14: our own network is the likelier fault. It clears by itself."""

    async def body(place: Place) -> None:
        await place.sight()
        for n in range(3):
            place.answers[FIVE[n]] = GONE
            await place.clock.sleep(1.0)
            place.book.doubt("lab", f"e{n}", "broke")
        sight = await place.watched(60)
        assert sight.partitioned
        assert not any(e.lost for e in sight.engines)
        place.answers.update(dict.fromkeys(FIVE, PLAIN))
        sight = await place.watched(5)
        assert not sight.partitioned
        assert all(e.answers for e in sight.engines)

    in_place(lambda: Place(*FIVE), body)


def test_of_those_that_come_back_one_by_one_none_is_lost() -> None:
    """W36: the last of them is not taken for lost the moment that most are heard again, but half a minute later."""

    async def body(place: Place) -> None:
        await place.sight()
        for n in range(3):
            place.answers[FIVE[n]] = GONE
            place.book.doubt("lab", f"e{n}", "broke")
        assert (await place.watched(60)).partitioned
        place.answers.update(dict.fromkeys(FIVE[:2], PLAIN))
        sight = await place.watched(25)
        assert (sight.partitioned, [e.lost for e in sight.engines]) == (False, [False] * 5)
        assert 0 < place.book.losses("lab")["e2"] - place.clock.monotonic_s() <= 10
        sight = await place.watched(10)
        assert [e.lost for e in sight.engines] == [False, False, True, False, False]

    in_place(lambda: Place(*FIVE), body)


def test_those_lost_before_the_others_fell_silent_stay_lost() -> None:
    async def body(place: Place) -> None:
        place.answers[FIVE[0]] = GONE
        await place.watched(45)
        place.answers.update(dict.fromkeys(FIVE[1:4], GONE))
        for n in range(1, 4):
            place.book.doubt("lab", f"e{n}", "broke")
        sight = await place.watched(60)
        assert [e.lost for e in sight.engines] == [True, False, False, False, False]
        assert sight.partitioned

    in_place(lambda: Place(*FIVE), body)
