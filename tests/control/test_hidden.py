"""What a classic Swarm manager may not show yet (semantics.md 5.4, F9)."""

from skep.control.hidden import REMEMBERED_MAX, Hidden


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_what_was_made_may_be_hidden_while_a_memory_lasts() -> None:
    time = Time()
    hidden = Hidden(75.0, time, unknown_before=False)
    hidden.made("id", "request")
    assert hidden.may_hide("id")
    assert hidden.may_be_done("request")
    assert not hidden.any()
    time.now_s += 74
    hidden.made("id", "request")
    time.now_s += 2
    assert not hidden.may_hide("id")
    assert not hidden.may_be_done("request")


def test_w26_a_creation_without_an_answer_may_be_done_until_it_is_listed() -> None:
    time = Time()
    hidden = Hidden(75.0, time, unknown_before=False)
    hidden.unanswered("one")
    hidden.unanswered("two")
    assert hidden.any()
    hidden.listed({"one", "other"}, ())
    assert not hidden.may_be_done("one")
    assert hidden.may_be_done("two")
    time.now_s += 76
    assert not hidden.any()


def test_after_a_restart_anything_may_have_been_done_for_a_while() -> None:
    time = Time()
    hidden = Hidden(75.0, time, unknown_before=True)
    assert hidden.any()
    assert hidden.may_be_done("any")
    time.now_s += 76
    assert not hidden.any()


def test_what_showed_and_does_not_any_more_may_be_there_for_as_long() -> None:
    time = Time()
    hidden = Hidden(75.0, time, unknown_before=False)
    assert hidden.misses("id")
    time.now_s += 74
    assert hidden.misses("id")
    time.now_s += 2
    assert not hidden.misses("id")
    assert hidden.misses("id")
    hidden.listed((), {"id"})
    time.now_s += 74
    assert hidden.misses("id")


def test_an_engine_that_answers_for_itself_hides_nothing() -> None:
    hidden = Hidden(0.0, Time(), unknown_before=True)
    hidden.made("id", "request")
    hidden.unanswered("request")
    assert not hidden.is_possible
    assert not (hidden.any() or hidden.may_hide("id") or hidden.may_be_done("request") or hidden.misses("id"))


def test_only_so_many_are_remembered() -> None:
    hidden = Hidden(75.0, Time(), unknown_before=False)
    for number in range(3000):
        hidden.made(f"id {number}", f"request {number}")
    assert not hidden.may_hide("id 0")
    assert hidden.may_hide("id 2999")


def test_what_nobody_misses_any_more_does_not_count_against_what_is_missed_now() -> None:
    """As what skep removed itself while it was missed."""
    time = Time()
    hidden = Hidden(75.0, time, unknown_before=False)
    for number in range(REMEMBERED_MAX + 1):
        hidden.misses(f"id {number}")
    assert not hidden.misses("another")
    time.now_s += 149
    hidden.listed((), ())
    assert not hidden.misses("another")
    time.now_s += 2
    hidden.listed((), ())
    assert hidden.misses("another")
