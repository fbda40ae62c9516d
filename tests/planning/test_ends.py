"""Which ends of numbered members are news (semantics.md W30, W38, W47)."""

import pytest

from skep.model.ended import Ended
from skep.planning.ends import UNSEEN, is_news, noted
from tests.planning.notation import observed

TOLD = (Ended("a", ("m1",)),)
AWAY = (Ended("a", ("m1",), heard=False),)


@pytest.mark.parametrize(
    ("why", "known", "member", "news"),
    [
        ("nothing had ended", (), "1=m1%@a", True),
        ("it had ended at the last look", TOLD, "1=m1%@a", False),
        ("another one had", TOLD, "1=m2%@a", True),
        ("elsewhere one had", TOLD, "1=m1%@b", True),
        ("nobody has looked at this generation", UNSEEN, "1=m1%@a", False),
        ("its source is listed for the first time in it", AWAY, "1=m2%@a", False),
    ],
)
def test_an_end_is_news_once_and_in_the_generation_that_it_befell(
    why: str, known: tuple[Ended, ...], member: str, news: bool
) -> None:
    assert is_news(known, observed(member).members[0]) is news, why


@pytest.mark.parametrize(
    ("why", "known", "members", "silent", "after"),
    [
        ("nothing has ended", (), "1=m1@a", "", ()),
        ("one has", (), "1=m1%@a 1=m2@b", "", TOLD),
        ("it is there no more", TOLD, "1=m2@a", "", ()),
        ("one more has", TOLD, "1=m1%@a 2=m2%@a", "", (Ended("a", ("m1", "m2")),)),
        ("its source is silent", TOLD, "", "a", TOLD),
        ("its source is silent, and told of another", TOLD, "2=m2%@a", "a", (Ended("a", ("m1", "m2")),)),
        ("the first look", UNSEEN, "1=m1%@a 1=m2@b", "", TOLD),
        ("the first look, past a silent source", UNSEEN, "1=m1%@a", "b", (*TOLD, Ended("b", heard=False))),
        ("the first look, past the one that told of it", UNSEEN, "1=m1%@a", "a", AWAY),
        ("it was silent then and is still", AWAY, "", "a", AWAY),
        ("it was silent then and is listed", AWAY, "1=m1%@a 2=m2%@a", "", (Ended("a", ("m1", "m2")),)),
        ("it was silent then and holds nothing", (Ended("a", heard=False),), "1=m1@a", "", ()),
    ],
)
def test_what_had_ended_at_a_look_is_known_as_long_as_it_may_be_there(
    why: str, known: tuple[Ended, ...], members: str, silent: str, after: tuple[Ended, ...]
) -> None:
    assert noted(known, observed(members, silent)) == after, why
