"""The clusters of the settings: who answers, and what they are."""

import asyncio

import pytest

from skep.control.endpoints import PATIENCE_S, PROBE_S, TRUST_S
from skep.model.cluster import ClusterKind
from skep.model.engine import EngineInfo
from skep.model.errors import NotFoundError
from tests.control.engine_place import CLASSIC, FIVE, GONE, MANAGER, NO_QUORUM, PLAIN, WORKER, Place, in_place, info
from tests.sim.loop import run


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
