"""Where specs come in: parse, check, store, wake. The request ends there; the controllers do the rest."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from skep.control.catalog import Author, Catalog
from skep.control.documents import SpecDocument, spec_of
from skep.control.harm import Harm
from skep.control.journal import Journal
from skep.control.pauses import begin
from skep.control.revisions import changes
from skep.control.rollback import revision_to, sized_like
from skep.control.topology import Place, Topology
from skep.control.validate import Validator
from skep.model.errors import ConflictError, Fault, InvalidError, RefusedError
from skep.model.request import PLAIN, ApplyOptions
from skep.model.spec import Allocation, Key, Kind, Spec, WorkloadSpec
from skep.model.state import Record, Role
from skep.model.view import ChangeView
from skep.ports import Clock
from skep.specs.canonical import to_json
from skep.specs.source import ParsedSpec, SourceFile, parse, read

log = structlog.get_logger()

TRIES = 10
"""A spec that two people change at the same moment is read again and written again this often."""

RESOLVED_AGAIN = "image resolved again"
"""Said as the reason of a revision, or after the one that was given."""


class Intake:
    """All writing of specs. `wake` is called for each key that changed.

    `has_failed` tells whether the cluster has given up a key's revision: then the same spec is a new one, to be tried
    again.
    """

    def __init__(
        self,
        catalog: Catalog,
        topology: Topology,
        validator: Validator,
        journal: Journal,
        clock: Clock,
        uid: Callable[[], str],
        wake: Callable[[Key], None],
        has_failed: Callable[[Key], bool],
        harm: Harm,
    ) -> None:
        self._catalog, self._topology, self._validator, self._harm = catalog, topology, validator, harm
        self._journal, self._clock, self._uid, self._wake = journal, clock, uid, wake
        self._has_failed = has_failed

    async def read(self, files: Sequence[SourceFile], kind: Kind | None = None) -> tuple[ParsedSpec, ...]:
        """Parsed, checked by the plugins and against what is there. InvalidError and RefusedError name every fault.

        kind: the only one that the files may hold.
        """
        parsed, faults = read(files, kind)
        await self._validator.check(parsed, faults)
        if not parsed:
            raise InvalidError([Fault("holds no group and no workload", file=f.name) for f in files])
        await self._harm.refuse([p.spec for p in parsed])
        return parsed

    async def apply(
        self, files: Sequence[SourceFile], who: str, options: ApplyOptions = PLAIN
    ) -> tuple[ChangeView, ...]:
        """Accept all of the specs, or none of them. Groups first: a service waits for what they are to become."""
        specs = [p.spec for p in await self.read(files, options.kind)]
        groups_first = sorted(specs, key=lambda spec: isinstance(spec, WorkloadSpec))
        changes = {spec.key: await self._applied(spec, who, options) for spec in groups_first}
        return tuple(changes[spec.key] for spec in specs)

    async def _applied(self, spec: Spec, who: str, options: ApplyOptions) -> ChangeView:
        if not options.resolve or not isinstance(spec, WorkloadSpec):
            return await self._accept(spec, self._author(who, options.why), options.adopt)
        why = f"{options.why}; {RESOLVED_AGAIN}" if options.why else RESOLVED_AGAIN
        return await self._accept(spec, self._author(who, why), options.adopt, resolve=True)

    def _author(self, who: str, why: str) -> Author:
        return Author(who, self._clock.wall_s(), why)

    async def take(self, spec: Spec, who: str, *, again: bool) -> ChangeView:
        """Accept one spec whose plugins have been asked already. `again`: what is wanted already is a new generation,
        too."""
        await self._harm.refuse([spec])
        return await self._accept(spec, self._author(who, ""), again=again)

    async def _accept(
        self, spec: Spec, author: Author, adopt: bool = False, *, again: bool = False, resolve: bool = False
    ) -> ChangeView:
        text, again = to_json(spec), again or self._has_failed(spec.key)
        for _ in range(TRIES):
            before = await self._catalog.get(spec.key)
            try:
                after = await self._catalog.write(
                    spec.key, text, author, uid=self._uid(), adopt=adopt, again=again, resolve=resolve
                )
            except ConflictError:
                continue
            change = change_of(before, after)
            if change != "unchanged":
                self._say(spec.key, change, after)
            changed = changes(before.spec, after.spec) if before is not None and change == "configured" else ()
            return ChangeView(str(spec.key), change, after.generation, changed)
        raise _changed_too_often(spec.key)

    async def delete(
        self, files: Sequence[SourceFile], who: str, cascade: bool, why: str = ""
    ) -> tuple[ChangeView, ...]:
        """Remove what the files name, whatever else they say of it. Keys that are not there are left out."""
        wanted = {p.spec.key for p in parse(files)}
        there = {d.key for d in await self._catalog.list()}
        return await self._remove(wanted & there, self._author(who, why), cascade)

    async def remove(
        self, key: Key, who: str, cascade: bool, *, again: bool = False, why: str = ""
    ) -> tuple[ChangeView, ...]:
        """Remove one key, and with `cascade` what needs it: a change for each. What is asked for `again` is tried at
        once, whatever failed before (semantics.md F5)."""
        await self._catalog.require(key)
        return await self._remove({key}, self._author(who, why), cascade, again=again)

    async def _remove(
        self, keys: set[Key], author: Author, cascade: bool, *, again: bool = False
    ) -> tuple[ChangeView, ...]:
        places = self._topology.places(await self._catalog.list())
        dependants = _dependants(keys, places)
        if dependants and not cascade:
            names = ", ".join(str(p.key) for p in dependants)
            raise RefusedError(f"{names} would lose their cluster; remove them too with --cascade, or first")
        changes = []
        for key in sorted(keys | {p.key for p in dependants}, key=lambda k: (k.kind is Kind.GROUP, k.name)):
            changes.append(await self._mark(key, author, again))
        return tuple(changes)

    async def _mark(self, key: Key, author: Author, again: bool) -> ChangeView:
        before = await self._catalog.require(key)
        after = await self._catalog.mark_removed(key, author, again=again)
        if before.generation != after.generation:
            self._say(key, "removed", after)
        return ChangeView(str(key), "removed", after.generation)

    async def free(self, key: Key, who: str, why: str = "") -> ChangeView:
        """Forget the key and leave its members as they are (semantics.md W23). An action under way is let finish.

        It ends a removal, too: machines that can't be drained or destroyed, and clusters that are not there any more,
        would hold it for ever.
        """
        document = await self._catalog.require(key)
        if not await self._catalog.free(document):
            raise ConflictError(f"{key} was changed while it was being freed; try again")
        self._say(key, "freed", document, self._author(who, why))
        return ChangeView(str(key), "freed", document.generation)

    async def retry(self, key: Key, who: str, why: str = "") -> ChangeView:
        """The same spec as a new generation, which gets its first try at once (W38)."""
        document = await self._catalog.require(key)
        if document.removed:
            raise RefusedError(f"{key} is being removed")
        return await self._accept(spec_of(document.spec), self._author(who, why), document.adopt, again=True)

    async def scale(self, key: Key, count: int, who: str, why: str = "") -> ChangeView:
        """Change only the count. A group of logical IDs has no count to change: RefusedError."""
        document = await self._catalog.require(key)
        if document.removed:
            raise RefusedError(f"{key} is being removed")
        spec = _scaled(spec_of(document.spec), count)
        checked = parse([SourceFile("scale", to_json(spec).decode())])
        await self._validator.check(checked)
        return await self._accept(spec, self._author(who, why), document.adopt)

    async def rollback(self, key: Key, to: int | None, who: str, why: str = "") -> ChangeView:
        """All but the count as the revision `to` said, as a new generation (W48); None: as before the last change that
        was not undone.

        It is refused where an apply of the same would be.
        """
        document = await self._catalog.require(key)
        if document.removed:
            raise RefusedError(f"{key} is being removed")
        revision = revision_to(document, to)
        spec = sized_like(spec_of(revision.spec), spec_of(document.spec))
        checked = parse([SourceFile(f"generation {revision.generation}", to_json(spec).decode())])
        await self._validator.check(checked)
        await self._harm.refuse([spec])
        author = self._author(who, why or f"rollback to generation {revision.generation}")
        return await self._accept(spec, author, document.adopt)

    async def pause(self, key: Key, record: Record, who: str, why: str = "") -> ChangeView:
        """Newer templates wait from now on; healing and scaling go on (W49). One that is paused stays as it is; where
        it was skep that paused it, newer specs don't end the pause any more."""
        for _ in range(TRIES):
            document = await self._catalog.require(key)
            if document.removed:
                raise RefusedError(f"{key} is being removed")
            if document.paused is not None and not document.paused.automatic:
                return ChangeView(str(key), "unchanged", document.generation)
            author = self._author(who, why)
            try:
                await self._catalog.set_paused(document, begin(document, record, who, author.when_s, why))
            except ConflictError:
                continue
            self._say(key, "paused", document, author)
            return ChangeView(str(key), "paused", document.generation)
        raise _changed_too_often(key)

    async def resume(self, key: Key, who: str, why: str = "") -> ChangeView:
        """What waits is rolled out. What skep paused is tried again, as a new generation (W47)."""
        for _ in range(TRIES):
            document = await self._catalog.require(key)
            if document.paused is None:
                return ChangeView(str(key), "unchanged", document.generation)
            if document.paused.automatic and not document.removed:
                again = await self.retry(key, who, why or "resumed")
                return replace(again, change="resumed")
            try:
                await self._catalog.set_paused(document, None)
            except ConflictError:
                continue
            self._say(key, "resumed", document, self._author(who, why))
            return ChangeView(str(key), "resumed", document.generation)
        raise _changed_too_often(key)

    def _say(self, key: Key, change: str, document: SpecDocument, author: Author | None = None) -> None:
        """By whom and why: as its newest revision says where nobody else is named."""
        by = author or document.history[0]
        self._journal.say(key, change.capitalize(), f"generation {document.generation} {told(by.who, by.why)}")
        why = {"why": by.why} if by.why else {}
        log.info("spec accepted", key=str(key), change=change, generation=document.generation, who=by.who, **why)
        self._wake(key)


def _changed_too_often(key: Key) -> ConflictError:
    return ConflictError(f"{key} was changed {TRIES} times while it was being written; try again")


def told(who: str, why: str) -> str:
    """`by uid 0 (root): a reason`."""
    return f"by {who}: {why}" if why else f"by {who}"


def change_of(before: SpecDocument | None, after: SpecDocument) -> str:
    """What an apply does, or would do: created, configured or unchanged."""
    if before is None or before.removed:
        return "created"
    return "unchanged" if before.generation == after.generation else "configured"


def _scaled(spec: Spec, count: int) -> Spec:
    if isinstance(spec, WorkloadSpec):
        if spec.mode == "global":
            raise RefusedError(f"workload {spec.name} is global: it has one container on each node, and no count")
        return replace(spec, count=count)
    if spec.allocation.logical_ids:
        raise RefusedError(f"group {spec.id} is sized by its LogicalIDs; apply a spec with more or fewer of them")
    return replace(spec, allocation=Allocation(size=count))


def _dependants(keys: set[Key], places: Sequence[Place]) -> list[Place]:
    """Who lives on a cluster whose managers are among `keys`, and is not among them or going already.

    RefusedError where that can't be told of machines: they would lose their Swarm, or be removed for nothing.
    """
    lost = {p.cluster for p in places if p.key in keys and p.role is Role.MANAGER}
    others = [p for p in places if p.key not in keys and not p.removed]
    if unclear := [str(p.key) for p in others if lost and p.unclear and p.role is Role.WORKER]:
        raise RefusedError(
            f"{', '.join(unclear)} may be on the cluster that would be lost, and nobody knows: name the Cluster of "
            "each, or remove or free it first"
        )
    return [p for p in others if p.cluster in lost]
