"""Which of the containers that are nobody's a workload adopts (semantics.md W21), and what is said of the others."""

from dataclasses import replace

import pytest

from skep.control.container_listings import Found
from skep.control.unowned import Place, choose, mismatch, place_of
from skep.model.adopted import Adopted
from skep.model.engine import Container
from skep.model.plan import ActionKind, Reason
from skep.model.spec import Key, Kind, Port, WorkloadSpec
from skep.model.state import Desired, Entry, Life, Member
from tests.control.lab import creation

OLD = Container("c1", "old1", "web:1", "running", {}, 1.0, image_id="sha256:1")
WEB = WorkloadSpec("web", "web:1", 3)
THREE = Desired(Key(Kind.WORKLOAD, "web"), 1, 3, "f1", numbered=True, sources=("a", "b"))
TOO_MANY = "more than are asked for"


def found(*places: str) -> list[Found]:
    """`c1@a` is the container c1 on the engine a."""
    split = [place.split("@") for place in places]
    return [Found(source, replace(OLD, id=id, name=f"old-{id}")) for id, source in split]


@pytest.mark.parametrize(
    ("why", "container", "ports", "image"),
    [
        ("", OLD, (), "sha256:1"),
        ("does not run", replace(OLD, state="paused"), (), "sha256:1"),
        ("another image", OLD, (), "sha256:2"),
        ("another image", OLD, (), ""),
        ("another image", replace(OLD, image_id=""), (), ""),
        ("", replace(OLD, ports=((8080, 80, "tcp"),)), (Port(80, 8080),), "sha256:1"),
        ("", replace(OLD, ports=((32768, 80, "tcp"),)), (Port(80),), "sha256:1"),
        ("other ports", replace(OLD, ports=((8081, 80, "tcp"),)), (Port(80, 8080),), "sha256:1"),
        ("other ports", replace(OLD, ports=((8080, 80, "udp"),)), (Port(80, 8080),), "sha256:1"),
        ("other ports", replace(OLD, ports=((8080, 80, "tcp"), (22, 22, "tcp"))), (Port(80, 8080),), "sha256:1"),
        ("other ports", OLD, (Port(80),), "sha256:1"),
        ("other ports", replace(OLD, ports=((8080, 80, "tcp"),)), (), "sha256:1"),
    ],
)
def test_what_matches_runs_the_image_and_publishes_the_ports_that_are_asked_for(
    why: str, container: Container, ports: tuple[Port, ...], image: str
) -> None:
    assert mismatch(replace(WEB, ports=ports), container, image) == why


ROOM = Place(2, None, {"1"}, {})


@pytest.mark.parametrize(
    ("place", "offered", "slots", "refused"),
    [
        (ROOM, ["c1@a"], {"c1": "2"}, {}),
        (ROOM, ["c3@b", "c1@a", "c2@b"], {"c1": "2", "c2": "3"}, {"c3": TOO_MANY}),
        (replace(ROOM, room=0), ["c1@a"], {}, {"c1": TOO_MANY}),
        (replace(ROOM, room=-1), ["c1@a"], {}, {"c1": TOO_MANY}),
        (ROOM, ["bad@a", "c1@a"], {"c1": "2"}, {"bad": "another image"}),
        (replace(ROOM, taken={"1", "5"}, coming={"c2": "5"}), ["c1@a", "c2@b"], {"c2": "5", "c1": "2"}, {}),
        (replace(ROOM, room=1, coming={"c2": "5"}), ["c1@a", "c2@b"], {"c2": "5"}, {"c1": TOO_MANY}),
        (replace(ROOM, coming={"bad": "5"}), ["bad@a"], {"bad": "5"}, {}),
        (replace(ROOM, room_on={"a": 1}), ["c1@a", "c2@a"], {"c1": "2"}, {"c2": TOO_MANY}),
        (replace(ROOM, room_on={"a": 0, "b": 1}), ["c1@a", "c2@b"], {"c2": "2"}, {"c1": TOO_MANY}),
    ],
)
def test_as_many_are_adopted_as_there_is_room_for_and_each_bears_a_free_number(
    place: Place, offered: list[str], slots: dict[str, str], refused: dict[str, str]
) -> None:
    choice = choose(place, found(*offered), {"bad": "another image"})
    assert (dict(choice.slots), dict(choice.refused)) == (slots, refused)


def test_what_is_there_and_what_is_being_made_takes_room_and_numbers() -> None:
    """W7: what has ended takes none, and its number is left to the one that follows it."""
    members = [Member("m1", "1", source="a"), Member("m2", "2", life=Life.DEAD, source="a", request="q")]
    coming = Entry("s", ActionKind.ADOPT, Reason.DRIFTED, 1, "6", "c9", source="b")
    entries = [creation("4", "b"), coming]
    adopted = {"gone": Adopted("gone", "b", "7", "u1", "f1")}
    assert place_of(THREE, members, entries, adopted) == Place(1, None, {"1", "2", "4", "6", "7"}, {"c9": "6"})
    one_each = replace(THREE, per_source_max=1)
    assert place_of(one_each, members, entries, adopted).room_on == {"a": 0, "b": 0}
    assert place_of(one_each, members, [coming], adopted).room_on == {"a": 0, "b": 1}
    seen = [*members, Member("m4", "4", source="b", request="r" * 16)]
    assert place_of(THREE, seen, entries, adopted).room == 1
