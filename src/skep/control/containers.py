"""Containers of one workload on plain Engines: how they are seen, made, stopped and removed."""

from dataclasses import dataclass, field

import structlog

from skep.control.container_listings import Found, Listing, Listings
from skep.control.endpoints import EngineBook
from skep.model.cluster import ClusterKind, ClusterSight
from skep.model.engine import Container
from skep.model.errors import (
    BugError,
    ConflictError,
    NotFoundError,
    NotReadyError,
    RejectedError,
    UnavailableError,
)
from skep.model.json import Json
from skep.model.plan import ActionKind
from skep.model.spec import WorkloadSpec
from skep.model.state import Desired, Entry, Health, Life, Member, Observed, Phase
from skep.planning import container as containers
from skep.planning import service as services
from skep.ports import Advance, Engine

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ContainerWorkload:
    """What a turn works with. `rendered` is the body without what tells one container from another.

    uid: this life of the workload's name; lives: those before it whose removal was not over. adopt: what bears the
    name and came from any other life is taken over. sources: the engines that it may run on now. settled: `rendered` of
    the template that all followed last, for what is made of that (planning/settled.py).
    """

    spec: WorkloadSpec
    cluster: str
    kind: ClusterKind
    uid: str
    lives: frozenset[str]
    adopt: bool
    rendered: dict[str, Json]
    sources: tuple[str, ...]
    settled: dict[str, Json] = field(default_factory=dict)


class ContainerActuator:
    """Implements ports.Actuator for one workload spec. `found` are the containers of the last observation, for people;
    `foreign` those that bear our names and come from another life of the workload: they are not touched."""

    def __init__(self, workload: ContainerWorkload, book: EngineBook, listings: Listings) -> None:
        self.workload = self._workload = workload
        self._book, self._listings = book, listings
        self.found: tuple[Found, ...] = ()
        self.foreign: tuple[Found, ...] = ()

    def sight(self) -> ClusterSight:
        """What is known of the engines now."""
        return self._book.known(self._workload.cluster)

    def silences(self) -> dict[str, float]:
        """For how long each engine that does not answer has been silent, in seconds."""
        return self._book.silences(self._workload.cluster)

    def losses(self) -> dict[str, float]:
        """When each of them is to count as lost, on the clock of turns."""
        return self._book.losses(self._workload.cluster)

    async def observe(self, desired: Desired) -> Observed:
        sight = self.sight()
        listing = await self._listings.take(sight)
        self.found = tuple(f for f in listing.found if self._is_ours(f.container))
        self.foreign = tuple(f for f in listing.found if not self._is_ours(f.container))
        return self._observed(listing)

    def _observed(self, listing: Listing) -> Observed:
        return Observed(
            members=tuple(map(self._member, self.found)),
            silent=listing.silent,
            unlisted=listing.unlisted,
            lost=listing.lost,
            partitioned=listing.partitioned,
            why="; ".join(e.error for e in self.sight().engines if e.source in listing.silent and e.error),
        )

    def _is_ours(self, container: Container) -> bool:
        """W21, W22: what another life of the name has left is taken over only if that was asked for."""
        uid = container.labels.get(services.UID_LABEL, "")
        return self._workload.adopt or uid in (self._workload.uid, *self._workload.lives)

    def _member(self, found: Found) -> Member:
        """One of an earlier life, or where the constraints do not let it be, is outdated: labels never change.

        What has ended is so on a silent engine too (W7): nobody but us would start it again.
        """
        container, workload = found.container, self._workload
        labels = container.labels
        fits = labels.get(services.UID_LABEL) == workload.uid and found.source in workload.sources
        life = containers.life_of(container)
        if found.stale and life is not Life.DEAD:
            life = Life.UNKNOWN
        return Member(
            id=container.id,
            slot=labels.get(containers.SLOT_LABEL, ""),
            fingerprint=labels.get(services.FINGERPRINT_LABEL, "") if fits else "",
            life=life,
            health=Health.UNKNOWN if found.stale else containers.health_of(container),
            source=found.source,
            request=labels.get(containers.REQUEST_LABEL, ""),
            created_s=container.created_s,
            running=int(life is Life.RUNNING),
            completed=int(workload.spec.restart.once and life is Life.DEAD and container.exit_code == 0),
            detail=containers.detail_of(container),
        )

    # --- acts ----------------------------------------------------------------------------------------------------

    async def create(self, desired: Desired, entry: Entry, advance: Advance) -> None:
        """Make and start one (W26): what an earlier try of this very entry has made is found by its name."""
        self._refuse_beside_others()
        engine, resumed = self._engine(entry.source), entry.phase is not Phase.BEGUN
        await advance(Phase.PROVISION)
        container = await self._found(engine, entry) if resumed else None
        if container is None and resumed and self._listings.hidden.may_be_done(entry.request):
            raise _not_shown(self._name(entry), entry.source)
        container = container or await self._created(engine, desired, entry)
        self._listings.made(entry.source, container)
        log.info("created a container", key=str(desired.key), container=container.id, engine=entry.source)
        await advance(Phase.CREATED)
        # W27: one that was started before is not started again, even if it has ended since.
        if container.state == "created":
            await self._begin(engine, entry.source, container.id)

    def _refuse_beside_others(self) -> None:
        """The first container of a workload is not made beside those that somebody left under its name."""
        if self.foreign and not self.found:
            places = ", ".join(sorted({f.source for f in self.foreign}))
            name = self._workload.spec.name
            raise RejectedError(
                f"NameConflict: there are containers of another {name} of this controller's name on {places}; "
                "remove them, choose another name, or have them replaced with --adopt"
            )

    async def _found(self, engine: Engine, entry: Entry) -> Container | None:
        """What bears the name of this creation, if this creation made it; a foreign one is never touched (W25)."""
        name = self._name(entry)
        found = await engine.container(name)
        if found is not None and found.labels.get(containers.REQUEST_LABEL) != entry.request:
            raise RejectedError(f"NameConflict: there is a container {name} on {entry.source} that is not skep's")
        return found

    async def _created(self, engine: Engine, desired: Desired, entry: Entry) -> Container:
        """What was made, or what the engine turns out to have made already."""
        body = self._body(desired, entry)
        try:
            id = await self._with_image(engine, self._name(entry), body)
        except (ConflictError, UnavailableError) as error:
            found = await self._found(engine, entry)
            if found is not None:
                return found
            self._listings.hidden.unanswered(entry.request)
            if isinstance(error, ConflictError) and self._listings.hidden.is_possible:
                raise _not_shown(self._name(entry), entry.source) from error
            if isinstance(error, ConflictError):
                raise RejectedError(str(error)) from error
            raise
        labels = {name: str(value) for name, value in _mapping(body["Labels"]).items()}
        return Container(id, self._name(entry), str(body["Image"]), "created", labels, entry.began_s)

    def _name(self, entry: Entry) -> str:
        return containers.name_of(self._workload.spec.name, entry.slot or "", entry.request)

    def _body(self, desired: Desired, entry: Entry) -> dict[str, Json]:
        """Of the template that the entry was written down for."""
        workload = self._workload
        rendered, fingerprint = workload.rendered, desired.fingerprint
        if desired.settled and entry.fingerprint == desired.settled:
            rendered, fingerprint = workload.settled, desired.settled
        return containers.labelled(rendered, workload.uid, entry.slot or "", entry.request, fingerprint)

    async def _with_image(self, engine: Engine, name: str, body: dict[str, Json]) -> str:
        """An image that is missing is fetched once; what else the engine may miss (a network) is its refusal."""
        image = str(body["Image"])
        try:
            return await engine.create_container(name, body)
        except NotFoundError as error:
            if await engine.image(image) is not None:
                raise RejectedError(str(error)) from error
        await engine.fetch_image(image)
        return await engine.create_container(name, body)

    async def _begin(self, engine: Engine, source: str, container: str) -> None:
        """One that can't be started is not left behind (F3)."""
        try:
            await self._start(engine, source, container)
        except (RejectedError, NotFoundError, ConflictError) as error:
            await engine.remove_container(container)
            self._listings.removed(source, container)
            raise RejectedError(str(error)) from error

    async def _start(self, engine: Engine, source: str, container: str) -> None:
        """An engine answers 500 to much that it refuses: what was not started then, it will not start (W26)."""
        try:
            await engine.start_container(container)
        except NotFoundError as error:
            if self._listings.hidden.may_hide(container):
                raise _not_shown(container[:12], source) from error
            raise
        except UnavailableError as error:
            found = await engine.container(container)
            if found is None or found.state == "created":
                raise RejectedError(str(error)) from error
        self._listings.started(source, container)

    async def start(self, desired: Desired, member: Member) -> None:
        await self._start(self._engine(member.source), member.source, member.id)

    async def stop(self, desired: Desired, member: Member) -> None:
        await self._engine(member.source).stop_container(member.id, None)

    async def update(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        raise BugError("a container is never changed in place")

    async def adopt(self, desired: Desired, member: Member, advance: Advance) -> None:
        raise BugError("a container can't be relabelled: it is replaced instead")

    async def remove(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        """DRAIN lets it end in its own time first; what is not there any more is success (W12, W29)."""
        source = member.source or entry.source
        engine = self._engine(source)
        if entry.kind is ActionKind.DRAIN and entry.phase is not Phase.DESTROYED:
            await advance(Phase.DRAIN)
            await engine.stop_container(member.id, None)
        await advance(Phase.DESTROYED)
        if self._listings.hidden.may_hide(member.id) and await engine.container(member.id) is None:
            raise _not_shown(member.id[:12], source)
        await engine.remove_container(member.id)
        self._listings.removed(source, member.id)
        log.info("removed a container", key=str(desired.key), container=member.id, engine=source)

    def _engine(self, source: str) -> Engine:
        """The engine to act on. Whether it answers, its next listing tells: an act fails for many reasons."""
        if not source:
            raise NotReadyError(f"it is not known yet on which engine of cluster {self._workload.cluster} it is")
        return self._book.engine(self._workload.cluster, source)


def _not_shown(container: str, source: str) -> NotReadyError:
    """W26, on a manager that answers from its memory (semantics.md 5.4): what it does not know may be there, and a
    second one of the same name could land on another engine."""
    return NotReadyError(f"whether {container} is there shows when {source} has looked at its engines again")


def _mapping(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value
