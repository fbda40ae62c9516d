"""The dry run of workloads on plain Engines: all that would be done is shown, and nothing is changed by it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random

from skep.adapters.store_memory import MemoryStore
from skep.control.actions import Actions
from skep.control.catalog import Author, Catalog
from skep.control.documents import SpecDocument
from skep.control.journal import Journal
from skep.control.levels import Resolved
from skep.control.preview import Preview
from skep.control.reconcile import Reconciler
from skep.control.records import Records
from skep.model.spec import FileRef, WorkloadSpec
from skep.model.state import Record
from skep.model.view import PlanView
from skep.specs.canonical import to_json
from tests.control.lab import WEB, Lab
from tests.sim.loop import run

ANN = Author("ann", 0.0)


class Engines:
    """Implements control.levels.Level for workloads on the lab's engines."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    async def resolve(self, document: SpecDocument, record: Record, world: Sequence[SpecDocument]) -> Resolved:
        return await self._lab.level.resolve(document, record, await self._lab.book.sight("lab"))

    async def forgotten(self, document: SpecDocument, world: Sequence[SpecDocument]) -> None:
        await self._lab.level.forget(document.key)


class Bench:
    def __init__(self, group: asyncio.TaskGroup, *engines: str) -> None:
        self.lab, self.store = Lab(*engines), MemoryStore()
        clock = self.lab.clock
        self.catalog = Catalog(self.store, 10)
        actions = Actions(group, clock, lambda key: None)
        reconciler = Reconciler(
            Engines(self.lab),
            self.catalog,
            Records(self.store, clock, 1),
            Journal(self.store, clock, 100),
            actions,
            clock,
            Random(1),
        )
        self.preview = Preview(self.catalog, lambda kind: reconciler)

    async def plan(self, spec: WorkloadSpec = WEB) -> PlanView:
        """What would be done; nothing of it is."""
        before = [await self.store.list(""), self.lab.there(), dict(self.lab.kernel.acts)]
        [shown] = await self.preview.plan([spec])
        assert [await self.store.list(""), self.lab.there(), dict(self.lab.kernel.acts)] == before
        return shown

    async def accept(self, spec: WorkloadSpec = WEB) -> None:
        await self.catalog.write(spec.key, to_json(spec), ANN, uid="u1")

    async def fingerprint(self) -> dict[str, str]:
        return {"skep.fingerprint": (await self.lab.resolve()).desired.fingerprint}


def benched(body: Callable[[Bench], Awaitable[None]], *engines: str) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            await body(Bench(group, *(engines or ("alpha", "beta"))))

    run(main)


def test_all_containers_of_a_new_workload_are_shown_with_their_engines() -> None:
    async def body(bench: Bench) -> None:
        shown = await bench.plan(replace(WEB, count=4))
        assert (shown.change, [(a.kind, a.slot) for a in shown.actions]) == (
            "created",
            [("create", "1"), ("create", "2"), ("create", "3"), ("create", "4")],
        )
        assert [a.text.partition(":")[0].rpartition(" ")[2] for a in shown.actions] == ["alpha", "beta"] * 2
        assert shown.notes == ()

    benched(body)


def test_what_engines_can_not_do_is_shown_and_no_creation() -> None:
    async def body(bench: Bench) -> None:
        shown = await bench.plan(replace(WEB, secrets=(FileRef("key"),)))
        assert shown.actions == ()
        told = "the newest spec can't be carried out: Secrets: only Swarm mode keeps secrets"
        assert [note.partition(";")[0] for note in shown.notes] == [told]

    benched(body)


def test_running_containers_do_not_pass_for_what_engines_can_not_do() -> None:
    async def body(bench: Bench) -> None:
        await bench.accept()
        for slot in ("1", "2", "3"):
            bench.lab.put("alpha", slot=slot, labels=await bench.fingerprint())
        shown = await bench.plan(replace(WEB, secrets=(FileRef("key"),)))
        assert (shown.actions, len(shown.notes)) == ((), 1)

    benched(body)


def test_another_count_shows_only_what_is_missing() -> None:
    """W39."""

    async def body(bench: Bench) -> None:
        await bench.accept()
        for slot in ("1", "2", "3"):
            bench.lab.put("alpha", slot=slot, labels=await bench.fingerprint())
        assert (await bench.plan()).change == "unchanged"
        assert (await bench.plan()).actions == ()
        more = await bench.plan(replace(WEB, count=5))
        assert (more.change, [(a.kind, a.slot) for a in more.actions]) == (
            "configured",
            [("create", "4"), ("create", "5")],
        )

    benched(body)


def test_one_that_is_applied_again_while_it_is_removed_begins_anew() -> None:
    """W22: what is left of its earlier life is replaced."""

    async def body(bench: Bench) -> None:
        await bench.accept()
        bench.lab.put("alpha", labels=await bench.fingerprint())
        await bench.catalog.mark_removed(WEB.key, ANN)
        shown = await bench.plan(replace(WEB, count=1))
        assert [(a.kind, a.reason) for a in shown.actions] == [("create", "Outdated")]

    benched(body)
