"""The clusters of the settings: who answers, what they are, and who is lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from skep.control.endpoints import PATIENCE_S, PROBE_S, TRUST_S, EngineBook
from skep.model.cluster import ClusterKind, ClusterSight, EngineState, StaticCluster
from skep.model.engine import EngineInfo
from skep.model.errors import NotFoundError, UnavailableError
from tests.sim.loop import SimClock, run


def info(
    swarm_state: str = "inactive", control: bool = False, cluster_id: str = "", error: str = "", classic: bool = False
) -> EngineInfo:
    return EngineInfo(
        "id", "host", "1", "1.41", "Linux", swarm_state, "", "", control, cluster_id, error, "2", "overlay2", {},
        classic=classic,
    )  # fmt: skip


PLAIN = info()
MANAGER = info("active", True, "swarm-1")
NO_QUORUM = info("active", error="The swarm does not have a leader")
WORKER = info("active")
CLASSIC = info(classic=True)


class Place:
    """Engines that answer what is put into `answers`: an info, an error, or None for a call that hangs."""

    def __init__(self, *endpoints: str, answer: EngineInfo | Exception | None = PLAIN) -> None:
        self.clock, self.asked = SimClock(), Counter[str]()
        self.answers: dict[str, EngineInfo | Exception | None] = dict.fromkeys(endpoints, answer)
        self.told: list[str] = []
        self.book = EngineBook([StaticCluster("lab", endpoints)], self, self.clock, self.told.append)  # type: ignore[arg-type]

    def engine(self, endpoint: str) -> "Asked":
        return Asked(self, endpoint)

    async def sight(self) -> ClusterSight:
        return await self.book.sight("lab")

    async def states(self) -> dict[str, EngineState]:
        return {e.source: e for e in (await self.sight()).engines}

    async def watched(self, seconds: float) -> ClusterSight:
        """As turns that look each second do."""
        for _ in range(int(seconds)):
            await self.sight()
            await self.clock.sleep(1.0)
        return await self.sight()


class Asked:
    def __init__(self, place: Place, endpoint: str) -> None:
        self._place, self.endpoint = place, endpoint

    async def info(self) -> EngineInfo:
        self._place.asked[self.endpoint] += 1
        answer = self._place.answers[self.endpoint]
        if answer is None:
            await asyncio.sleep(1000.0)
        if isinstance(answer, EngineInfo):
            return answer
        raise answer or AssertionError


GONE = UnavailableError("connection refused")
FIVE = tuple(f"tcp://e{n}:2375" for n in range(5))


def in_place(place: Callable[[], Place], body: Callable[[Place], Awaitable[None]]) -> None:
    async def main() -> None:
        await body(place())

    run(main)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([PLAIN], ClusterKind.ENGINE),
        ([PLAIN, PLAIN], ClusterKind.ENGINE),
        ([PLAIN, GONE], ClusterKind.ENGINE),
        ([GONE, GONE], ClusterKind.UNKNOWN),
        ([MANAGER, MANAGER], ClusterKind.SWARM),
        ([NO_QUORUM, MANAGER], ClusterKind.SWARM),
        ([NO_QUORUM], ClusterKind.SWARM),
        ([info("locked")], ClusterKind.SWARM),
        ([MANAGER, info("active", True, "swarm-2")], ClusterKind.MIXED),
        ([MANAGER, PLAIN], ClusterKind.MIXED),
        ([MANAGER, WORKER], ClusterKind.SWARM),
        ([WORKER], ClusterKind.WORKER),
        ([WORKER, PLAIN], ClusterKind.MIXED),
        ([info("pending")], ClusterKind.WORKER),
        ([CLASSIC], ClusterKind.CLASSIC),
        ([CLASSIC, CLASSIC], ClusterKind.MIXED),
        ([CLASSIC, PLAIN], ClusterKind.MIXED),
    ],
)
def test_what_a_cluster_is_follows_from_its_engines(answers: list[EngineInfo | Exception], kind: ClusterKind) -> None:
    async def body(place: Place) -> None:
        place.answers = dict(zip(FIVE, answers, strict=False))
        assert (await place.sight()).kind is kind

    in_place(lambda: Place(*FIVE[: len(answers)]), body)


@pytest.mark.parametrize(
    ("endpoints", "sources"),
    [
        (("tcp://a:2375", "ssh://root@b:22/run/docker.sock"), ("a", "b")),
        (("tcp://a:1", "tcp://a:2", "tcp://b:1"), ("tcp://a:1", "tcp://a:2", "b")),
        (("unix:///run/docker.sock",), ("unix:///run/docker.sock",)),
        (("context://edge", "https://[fd00::1]:2376"), ("edge", "fd00::1")),
        (("tcp://a:1", "tcp://a:1"), ("a",)),
    ],
)
def test_a_source_is_the_host_where_only_one_has_it(endpoints: tuple[str, ...], sources: tuple[str, ...]) -> None:
    async def body(place: Place) -> None:
        assert tuple(e.source for e in place.book.known("lab").engines) == sources
        assert place.book.engine("lab", sources[0]).endpoint == endpoints[0]

    in_place(lambda: Place(*endpoints), body)


def test_names_and_sources_that_are_not_there_are_said() -> None:
    async def body(place: Place) -> None:
        assert place.book.names() == ("lab",)
        assert place.book.has("lab")
        assert not place.book.has("moon")
        with pytest.raises(NotFoundError, match="no cluster moon"):
            await place.book.sight("moon")
        with pytest.raises(NotFoundError, match="no engine e9"):
            place.book.engine("lab", "e9")

    in_place(lambda: Place(*FIVE), body)


def test_many_who_want_to_know_at_once_share_one_question_and_trust_the_answer() -> None:
    async def body(place: Place) -> None:
        await asyncio.gather(*(place.sight() for _ in range(50)))
        await place.watched(TRUST_S - 1)
        assert set(place.asked.values()) == {1}
        await place.watched(2)
        assert set(place.asked.values()) == {2}
        assert place.told == ["lab"] * len(FIVE)

    in_place(lambda: Place(*FIVE), body)


def test_an_engine_that_becomes_something_else_is_noticed_and_told() -> None:
    async def body(place: Place) -> None:
        await place.sight()
        place.told.clear()
        place.answers[FIVE[0]] = MANAGER
        await place.clock.sleep(TRUST_S)
        assert (await place.sight()).kind is ClusterKind.SWARM
        assert place.told == ["lab"]

    in_place(lambda: Place(FIVE[0]), body)


def test_a_manager_without_quorum_is_still_of_the_swarm_that_it_was() -> None:
    async def body(place: Place) -> None:
        await place.sight()
        place.answers[FIVE[0]] = NO_QUORUM
        await place.clock.sleep(TRUST_S)
        sight = await place.sight()
        assert (sight.kind, sight.engines[0].cluster_id) == (ClusterKind.SWARM, "swarm-1")

    in_place(lambda: Place(FIVE[0], answer=MANAGER), body)


def test_a_doubted_engine_is_silent_until_it_has_been_asked() -> None:
    async def body(place: Place) -> None:
        await place.sight()
        await place.clock.sleep(10.0)
        place.told.clear()
        place.book.doubt("lab", "e0", "list containers: connection reset")
        known = place.book.known("lab").engines[0]
        assert (known.answers, known.heard, known.error) == (False, True, "list containers: connection reset")
        assert (await place.states())["e0"].answers
        assert place.told == ["lab", "lab"]
        assert place.asked == {FIVE[0]: 2, FIVE[1]: 1}

    in_place(lambda: Place(*FIVE[:2]), body)


def test_a_call_that_gets_through_ends_a_doubt_without_a_question() -> None:
    async def body(place: Place) -> None:
        await place.sight()
        place.book.doubt("lab", "e0", "broke")
        place.book.heard("lab", "e0")
        assert (await place.states())["e0"].answers
        assert place.asked[FIVE[0]] == 1

    in_place(lambda: Place(*FIVE[:2]), body)


def test_an_engine_whose_every_call_fails_but_this_one_is_not_asked_in_a_hurry() -> None:
    """Else a doubt, an answer and a wake-up would chase each other."""

    async def body(place: Place) -> None:
        for _ in range(300):
            await place.sight()
            place.book.doubt("lab", "e0", "list containers: internal error")
            await place.clock.sleep(0.1)
        assert place.asked[FIVE[0]] <= 30.0 / PROBE_S + 1

    in_place(lambda: Place(*FIVE[:2]), body)


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


def test_an_engine_that_hangs_delays_the_others_once_and_only_a_little() -> None:
    async def body(place: Place) -> None:
        place.answers[FIVE[0]] = None
        began_s = place.clock.monotonic_s()
        first = await place.sight()
        assert place.clock.monotonic_s() - began_s == PATIENCE_S
        assert [e.answers for e in first.engines] == [False, True, True, True, True]
        await place.clock.sleep(30.0)
        for _ in range(100):
            began_s = place.clock.monotonic_s()
            await place.sight()
            assert place.clock.monotonic_s() == began_s
            await place.clock.sleep(0.5)

    in_place(lambda: Place(*FIVE), body)


def test_a_question_that_is_late_already_is_waited_for_by_nobody() -> None:
    """Turns come one after the other while one engine hangs, and each has others to care for."""

    async def body(place: Place) -> None:
        await place.sight()
        place.answers[FIVE[0]] = None
        await place.clock.sleep(TRUST_S)
        began_s = place.clock.monotonic_s()
        for _ in range(3):
            await place.sight()
        assert place.clock.monotonic_s() - began_s == pytest.approx(PATIENCE_S)
        assert place.asked[FIVE[0]] == 2

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


def test_an_engine_that_is_suspected_is_trusted_until_it_was_asked_before_long() -> None:
    """F8: its stream of events can't be opened, its lists may well be had."""

    async def main() -> None:
        place = Place("tcp://a:1")
        await place.sight()
        place.book.suspect("lab", "a")
        assert (await place.states())["a"].answers
        assert place.asked["tcp://a:1"] == 1
        await place.clock.sleep(PROBE_S)
        await place.sight()
        assert place.asked["tcp://a:1"] == 2

    run(main)


def test_what_events_tell_of_is_taken_once_by_those_whose_it_is() -> None:
    async def main() -> None:
        book = Place("tcp://a:1", "tcp://b:1").book
        for container in ("one", "two", "one"):
            book.befell("lab", "a", container)
        assert book.take_befallen("lab", "a", {"one", "three"}) == ["one"]
        assert book.take_befallen("lab", "a", {"one"}) == []
        assert book.take_befallen("lab", "b", {"two"}) == []
        for number in range(2000):
            book.befell("lab", "a", str(number))
        assert len(book.take_befallen("lab", "a", {"two", *map(str, range(2000))})) == 1000

    run(main)


def test_what_an_event_called_destroyed_is_known_to_be_gone_on_its_engine_alone() -> None:
    async def main() -> None:
        book = Place("tcp://a:1", "tcp://b:1").book
        book.destroyed("lab", "a", "one")
        book.befell("lab", "a", "two")
        assert book.is_destroyed("lab", "a", "one")
        assert not book.is_destroyed("lab", "a", "two")
        assert not book.is_destroyed("lab", "b", "one")
        assert book.take_befallen("lab", "a", {"one", "two"}) == ["one", "two"]

    run(main)
