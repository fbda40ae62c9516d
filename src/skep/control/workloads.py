"""The level of workloads: services where the cluster is in Swarm mode, containers where it is plain Engines."""

from collections.abc import Sequence
from dataclasses import replace

from skep.control.container_level import ContainerLevel
from skep.control.documents import SpecDocument, spec_of
from skep.control.endpoints import EngineBook
from skep.control.levels import Resolved
from skep.control.services import SwarmWorkloads, is_reached
from skep.control.topology import Topology
from skep.model.cluster import ClusterKind, ClusterSight
from skep.model.errors import NotReadyError
from skep.model.spec import WorkloadSpec
from skep.model.state import EVERYTHING, Desired, Entry, Life, Member, Observed, Record
from skep.planning.conditions import is_over
from skep.planning.container import endpoint_refusal
from skep.ports import Advance

CONTAINERS = frozenset({ClusterKind.ENGINE, ClusterKind.CLASSIC})
"""Kinds of clusters on which a workload is containers of our own."""


LEFT_POLL_S = 1.0
"""How often it is looked whether an earlier life has gone, for which another one waits: nothing else tells of it."""


class Workloads:
    """Implements control.levels.Level: each workload is handed to the level that its cluster is the kind for."""

    def __init__(
        self, topology: Topology, book: EngineBook, services: SwarmWorkloads, containers: ContainerLevel
    ) -> None:
        self._topology, self._book = topology, book
        self._services, self._containers = services, containers

    async def resolve(self, document: SpecDocument, record: Record, world: Sequence[SpecDocument]) -> Resolved:
        if await self._begins_elsewhere(document, record):
            left = await self._left_behind(document, record, world)
            if left is not None:
                return left
            record = Record(record.key, record.observed_generation, record.conditions)
        return await self._in_place(document, record, world)

    async def _begins_elsewhere(self, document: SpecDocument, record: Record) -> bool:
        """Whether the record tells of an earlier life of the name, and this one can't go on where that was (W22)."""
        if document.removed or record.made_for not in document.lives:
            return False
        if _is_elsewhere(document, record):
            return True
        return self._book.has(record.made_in) and bool(
            _changed(ClusterKind(record.made_on), await self._book.sight(record.made_in))
        )

    async def _left_behind(
        self, document: SpecDocument, record: Record, world: Sequence[SpecDocument]
    ) -> Resolved | None:
        """The removal of what an earlier life has left where it was; None once nothing is."""
        resolved = await self._in_place(replace(document, removed=True), record, world)
        # Done is the whole only when the new life is: until it begins, this one waits.
        desired = replace(resolved.desired, withheld=True)
        resolved = replace(resolved, desired=desired, poll_s=LEFT_POLL_S)
        seen = await resolved.actuator.observe(resolved.desired)
        if is_over(seen, record.ledger):
            return None
        if _can_be_removed(seen) or (record.ledger.entries and EVERYTHING not in seen.silent):
            return resolved
        unknown = Observed(silent=frozenset({EVERYTHING}), why=_first_of_all(document, record, seen))
        return replace(resolved, actuator=NowhereActuator(unknown))

    async def _in_place(self, document: SpecDocument, record: Record, world: Sequence[SpecDocument]) -> Resolved:
        wanted = self._topology.cluster_of(document, world)
        cluster = record.made_in or wanted
        if _is_elsewhere(document, record):
            return _nowhere(document, record, cluster, _elsewhere(record, wanted))
        if self._book.has(cluster):
            return await self._on_static(document, record, world, await self._book.sight(cluster))
        if record.made_on in CONTAINERS or (record.made_static and cluster not in self._topology.names(world)):
            return _nowhere(document, record, cluster, _left_the_settings(document, record, cluster), may_be_left=True)
        return await self._services_of(document, record, world, cluster)

    async def _on_static(
        self, document: SpecDocument, record: Record, world: Sequence[SpecDocument], sight: ClusterSight
    ) -> Resolved:
        kind = ClusterKind(record.made_on) if record.made_on else sight.kind
        refusal = endpoint_refusal(sight.kind, sight.name, sight.engines) or _changed(kind, sight)
        if kind in CONTAINERS:
            resolved = await self._containers.resolve(document, record, sight, refusal)
            return resolved if resolved.refusal else _made_on(resolved, document, kind, static=True)
        if kind is ClusterKind.SWARM and sight.kind in (ClusterKind.SWARM, ClusterKind.UNKNOWN):
            return await self._services_of(document, record, world, sight.name, static=True)
        may_be_left = kind is ClusterKind.SWARM and not _was_left(sight)
        return _nowhere(document, record, sight.name, refusal or _silence(sight), may_be_left=may_be_left)

    async def _services_of(
        self,
        document: SpecDocument,
        record: Record,
        world: Sequence[SpecDocument],
        cluster: str,
        *,
        static: bool = False,
    ) -> Resolved:
        resolved = await self._services.resolve(document, record, world, cluster, static=static)
        is_made = is_reached(resolved.actuator) and not resolved.refusal
        return _made_on(resolved, document, ClusterKind.SWARM, static=static) if is_made else resolved

    async def forgotten(self, document: SpecDocument, world: Sequence[SpecDocument]) -> None:
        await self._containers.forget(document.key)
        await self._services.forgotten(document, world)


def _made_on(resolved: Resolved, document: SpecDocument, kind: ClusterKind, *, static: bool) -> Resolved:
    """From now on its members may be there, and this says what they are."""
    record = replace(resolved.record, made_static=static or resolved.record.made_static)
    if not document.removed:
        record = replace(record, made_for=document.uid)
    if not record.made_on:
        record = replace(record, made_on=kind.value, made_in=resolved.cluster)
    return replace(resolved, record=record)


def _is_elsewhere(document: SpecDocument, record: Record) -> bool:
    """Whether its spec names another cluster than the one that its members are on. Who names none stays where it is."""
    spec = spec_of(document.spec)
    named = spec.cluster if isinstance(spec, WorkloadSpec) else ""
    return not document.removed and record.made_in not in ("", named) and bool(named)


def _elsewhere(record: Record, wanted: str) -> str:
    return (
        f"it is on cluster {record.made_in}, and a workload does not move: name that cluster, or delete the workload "
        f"and apply it again to have it on {wanted}"
    )


def _changed(kind: ClusterKind, sight: ClusterSight) -> str:
    """Why a workload can't go on where the cluster has become another; empty where it has not."""
    if kind is sight.kind or sight.kind is ClusterKind.UNKNOWN:
        return ""
    return (
        f"cluster {sight.name} was of kind {kind} when this workload was made and is {sight.kind} now: "
        "delete the workload and apply it again"
    )


def _left_the_settings(document: SpecDocument, record: Record, cluster: str) -> str:
    """Why nothing can be done on a cluster that may be there as before, and what to do about it."""
    what = "its containers are" if record.made_on in CONTAINERS else "its service is"
    return (
        f"{what} on cluster {cluster}, and the settings have none of this name any more: name it there again, or "
        f"forget the workload and leave what is there (skep workload free {document.key.name})"
    )


def _can_be_removed(seen: Observed) -> bool:
    """Whether anything is there that answers."""
    return any(m.life is not Life.UNKNOWN and m.source not in seen.lost for m in seen.members)


def _first_of_all(document: SpecDocument, record: Record, seen: Observed) -> str:
    """Why another life can't begin, where nobody answers who may have something of an earlier one."""
    silent = ", ".join(sorted((seen.silent | seen.unlisted | seen.lost) - {EVERYTHING}))
    why = seen.why or f"{silent or 'its managers'} can't be asked"
    return (
        f"what was deleted of it on cluster {record.made_in} has to go first, and may still be there: {why}; wait for "
        f"that, or forget it (skep workload free {document.key.name}) and apply the workload again"
    )


def _silence(sight: ClusterSight) -> str:
    errors = "; ".join(e.error for e in sight.engines if e.error)
    return f"no engine of cluster {sight.name} has answered yet" + (f": {errors}" if errors else "")


def _was_left(sight: ClusterSight) -> bool:
    """Whether all that were a Swarm's managers are engines of their own now: its services went with it."""
    return sight.kind in CONTAINERS and all(e.answers for e in sight.engines)


def _nowhere(
    document: SpecDocument, record: Record, cluster: str, refusal: str, *, may_be_left: bool = False
) -> Resolved:
    """A workload that can be nowhere now. One that is removed is not gone while something of it may be left."""
    spec = spec_of(document.spec)
    count = spec.count if isinstance(spec, WorkloadSpec) and spec.mode == "replicated" else 1
    is_unknown = document.removed and may_be_left
    left = Observed(silent=frozenset({EVERYTHING}), why=refusal) if is_unknown else Observed()
    refusal = "" if document.removed else refusal
    desired = Desired(
        key=document.key,
        generation=document.generation,
        size=0 if document.removed else count,
        fingerprint="",
        removed=document.removed,
        hold=refusal,
    )
    return Resolved(desired, record, NowhereActuator(left), cluster, refusal=refusal)


class NowhereActuator:
    """Implements ports.Actuator for a workload whose cluster can't have it: shows what is left, and does nothing."""

    def __init__(self, left: Observed) -> None:
        self._left = left

    async def observe(self, desired: Desired) -> Observed:
        return self._left

    async def create(self, desired: Desired, entry: Entry, advance: Advance) -> None:
        raise self._nothing()

    async def start(self, desired: Desired, member: Member) -> None:
        raise self._nothing()

    async def stop(self, desired: Desired, member: Member) -> None:
        raise self._nothing()

    async def update(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        raise self._nothing()

    async def adopt(self, desired: Desired, member: Member, advance: Advance) -> None:
        raise self._nothing()

    async def remove(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        raise self._nothing()

    def _nothing(self) -> NotReadyError:
        return NotReadyError("the workload's cluster can't be acted on now")
