"""What a store remembers of itself is what a plain dictionary would."""

from hypothesis import given
from hypothesis import strategies as st

from skep.adapters.store_mirror import Mirror
from skep.ports import Versioned

KEYS = st.sampled_from(["spec/group/a", "spec/group/b", "spec/workload/a", "spec0", "record/é", "z", "spec/group/a/b"])
PREFIXES = st.sampled_from(["", "spec/", "spec/group/", "record/", "spec/group/a", "nothing/"])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete"]), KEYS, PREFIXES), max_size=30)


@given(first=st.lists(KEYS, unique=True), steps=STEPS)
def test_it_holds_what_was_put_and_lists_it_in_order(first: list[str], steps: list[tuple[str, str, str]]) -> None:
    known = {key: Versioned(key, b"", 0) for key in first}
    mirror = Mirror(known.values())
    for version, (step, key, prefix) in enumerate(steps, 1):
        if step == "put":
            known[key] = Versioned(key, b"x", version)
            mirror.put(known[key])
        else:
            known.pop(key, None)
            mirror.delete(key)
        assert mirror.get(key) == known.get(key)
        expected = sorted((k for k in known if k.startswith(prefix)), key=str.encode)
        assert mirror.list(prefix) == tuple(known[k] for k in expected)


def test_a_listing_is_the_same_object_until_one_of_its_documents_changes() -> None:
    """So that who made something of it can tell that it still holds."""
    mirror = Mirror([Versioned("spec/a", b"", 1)])
    before = mirror.list("spec/")
    mirror.put(Versioned("record/a", b"", 2))
    assert mirror.list("spec/") is before
    mirror.delete("spec/b")
    assert mirror.list("spec/") is before
    mirror.put(Versioned("spec/b", b"", 3))
    assert [document.key for document in mirror.list("spec/")] == ["spec/a", "spec/b"]
