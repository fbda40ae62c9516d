"""Which revisions are kept (semantics.md W48)."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from skep.adapters.store_memory import MemoryStore
from skep.control.catalog import Author, Catalog
from skep.control.documents import SpecDocument, decode, encode, encode_record, record_path, spec_of, spec_path
from skep.control.retention import kept, revision_at
from skep.control.rollback import same_but_for_count
from skep.model.spec import Allocation, GroupSpec, PluginRef, Spec, WorkloadSpec
from skep.model.state import Record, Revision
from skep.specs.canonical import to_json
from tests.control.values import WEB, WORKERS

MOST = 10
PLUGIN = PluginRef("p")


def web(template: int, count: int = 1) -> bytes:
    return to_json(WorkloadSpec("web", f"web:{template}", count))


def image(revision: Revision) -> str:
    spec = spec_of(revision.spec)
    assert isinstance(spec, WorkloadSpec)
    return spec.image


def after_scales(scales: int) -> tuple[Revision, ...]:
    """Two templates, and then so many counts."""
    texts = [web(1), web(2), *(web(2, 2 + n) for n in range(scales))]
    history: tuple[Revision, ...] = ()
    for generation, text in enumerate(texts, start=1):
        history = kept((Revision(generation, f"user {generation}", float(generation), text), *history), MOST, ())
    return history


def test_counts_never_cost_a_template_and_who_gave_it_stays() -> None:
    history = after_scales(500)
    assert [r.generation for r in history] == [*range(502, 492, -1), 2, 1]
    assert [(r.who, r.when_s, image(r)) for r in history[-2:]] == [("user 2", 2.0, "web:2"), ("user 1", 1.0, "web:1")]


def test_what_is_not_kept_had_the_template_of_the_newest_before_it() -> None:
    history = after_scales(50)
    assert [revision_at(history, n).generation for n in (1, 2, 3, 42, 43, 52, 99)] == [1, 2, 2, 2, 43, 52, 52]  # type: ignore[union-attr]
    assert revision_at(history, 0) is None


def test_a_removal_and_what_skep_undid_are_no_mere_counts() -> None:
    rows = [web(1), web(2), web(2)]
    for more in ({"removed": True}, {"automatic": True}):
        history: tuple[Revision, ...] = ()
        for generation, text in enumerate(rows, start=1):
            marks = more if generation == 3 else {}
            history = kept((Revision(generation, "ann", 1.0, text, **marks), *history), 1, ())  # type: ignore[arg-type]
        assert [r.generation for r in history] == [3]


@given(st.lists(st.tuples(st.integers(1, 14), st.booleans()), max_size=120), st.data())
def test_the_newest_ten_templates_and_the_ones_that_are_needed_are_always_there(
    steps: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Against all that there ever was. True is only a scale of what is there; now and then the newest is settled."""
    whole: list[Revision] = []
    history: tuple[Revision, ...] = ()
    settled = begun = 0
    for generation, (template, is_scale) in enumerate(steps, start=1):
        text = web(int(image(whole[0]).partition(":")[2]), generation) if is_scale and whole else web(template)
        revision = Revision(generation, f"user {generation}", float(generation), text)
        whole.insert(0, revision)
        history = kept((revision, *history), MOST, (settled, begun))
        assert history[0] is revision
        assert len(history) <= 2 * MOST + 2
        assert [r.generation for r in history] == sorted({r.generation for r in history}, reverse=True)
        changed = [r for r, b in pairwise(whole) if not same_but_for_count(b.spec, r.spec)]
        assert set(changed[:MOST]) <= set(history)
        assert set(whole[:MOST]) <= set(history), "and the newest of all, whatever they changed"
        for needed in (settled, begun):
            there = revision_at(history, needed)
            assert needed == 0 or (there is not None and image(there) == image(whole[-needed]))
        settled = generation if data.draw(st.integers(0, 9)) == 0 else settled
        begun = generation if data.draw(st.booleans()) else begun


async def test_the_template_that_all_members_followed_outlives_any_number_of_others() -> None:
    """W47: what the record names is gone back to, if need be."""
    store = MemoryStore()
    specs = Catalog(store, MOST)
    for n in range(1, 40):
        await specs.write(WEB, web(n), Author("ann", float(n)), uid="u")
        if n == 3:
            record = Record(WEB, begun=4, settled=3)
            await store.put(record_path(WEB), encode_record(record, 0.0, 0.0))
    history = (await specs.require(WEB)).history
    assert [r.generation for r in history] == [*range(39, 29, -1), 4, 3]


async def test_groups_keep_their_templates_whatever_their_size() -> None:
    specs = Catalog(MemoryStore(), MOST)

    def spec(size: int, *names: str, script: str = "") -> Spec:
        plugin = replace(PLUGIN, properties=f'{{"Init":"{script}"}}'.encode())
        return GroupSpec("workers", Allocation(size, names), plugin, PLUGIN)

    for one in (spec(1), spec(1, script="x"), *(spec(n, script="x") for n in range(2, 30))):
        document = await specs.write(WORKERS, to_json(one), Author("ann", 1.0), uid="u")
    assert [r.generation for r in document.history] == [*range(30, 20, -1), 2, 1]
    for n in range(30):
        names = tuple(f"m{i}" for i in range(n % 3 + 1))
        document = await specs.write(WORKERS, to_json(spec(0, *names)), Author("ann", 1.0), uid="u")
    assert [r.generation for r in document.history][-4:] == [51, 31, 2, 1]


async def test_a_history_that_an_earlier_skep_filled_with_counts_is_read_and_goes_on() -> None:
    """Its ten are counts of one template: the oldest says who is known to have given it."""
    store = MemoryStore()
    older = tuple(Revision(g, "ann", float(g), web(2, g)) for g in range(20, 10, -1))
    stored = encode(SpecDocument(WEB, "u", 20, False, web(2, 20), older))
    await store.put(spec_path(WEB), stored)
    specs = Catalog(store, MOST)
    await specs.write(WEB, web(3, 20), Author("bob", 1.0), uid="u")
    for n in range(21, 60):
        document = await specs.write(WEB, web(3, n), Author("bob", 1.0), uid="u")
    assert [r.generation for r in document.history] == [*range(60, 50, -1), 21, 11]
    assert decode(SpecDocument, encode(document)) == document
