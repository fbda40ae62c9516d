"""Lists of views as bytes: the same as if each were made by itself, and made once."""

import json
from dataclasses import replace

from pydantic import TypeAdapter

from skep.model.spec import Kind
from skep.model.state import Condition, ConditionType
from skep.model.view import KeyView, Listed
from skep.server.bodies import answers
from skep.server.listing import Listing, Texts, reference_body, reference_text
from tests.server.front_double import GROUP, WORKLOAD

AWKWARD = replace(
    WORKLOAD,
    name='a"}],"observedAgeSeconds":7',
    conditions=(Condition(ConditionType.AVAILABLE, False, "X", 'ünï "}] \\ ,"observedAgeSeconds":7}', 0.0),),
)


async def test_a_body_is_what_each_view_says_with_its_age() -> None:
    listing = Listing()
    for kind, views in (
        (Kind.GROUP, ()),
        (Kind.GROUP, (GROUP,)),
        (Kind.WORKLOAD, (WORKLOAD, AWKWARD)),
        (Kind.WORKLOAD, ()),
        (Kind.GROUP, (replace(GROUP, name="other"), GROUP)),
    ):
        listed = Listed(views, [1.5 * number - 1 for number in range(len(views))])
        body = b"".join(await listing.parts(kind, listed))
        read = TypeAdapter(answers(KeyView)).validate_json(body)
        aged = [replace(view, observed_age_s=age_s) for view, age_s in zip(views, listed.ages_s, strict=True)]
        assert read == TypeAdapter(answers(KeyView)).validate_python(aged)


async def test_a_text_is_made_once_for_a_view_and_forgotten_with_it() -> None:
    made: list[str] = []

    def make(view: KeyView) -> bytes:
        made.append(view.name)
        return view.name.encode()

    texts, one, two = Texts(make), replace(WORKLOAD, name="one"), replace(WORKLOAD, name="two")
    assert await texts.of([one, two]) == [b"one", b"two"]
    assert await texts.of([two]) == [b"two"]
    assert await texts.of([two, one]) == [b"two", b"one"]
    assert made == ["one", "two", "one"]
    assert await texts.of([replace(one, name="new"), two]) == [b"new", b"two"]


async def test_the_reference_list_is_indented_as_a_whole_one_would_be() -> None:
    """W53."""
    views = [WORKLOAD, AWKWARD]
    shown = [{"Name": v.name, "Image": v.image, "DesiredCount": v.desired, "CurrentCount": v.current} for v in views]
    for count in range(3):
        body = reference_body(await Texts(reference_text).of(views[:count]))
        assert body.decode() == json.dumps(shown[:count], indent=2, ensure_ascii=False) + "\n"
