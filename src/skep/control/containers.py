"""Containers of one workload on plain Engines: how they are seen, made, stopped and removed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from skep.control.adoptions import Adoptions
from skep.control.container_listings import Found, Listing, Listings
from skep.control.endpoints import EngineBook
from skep.control.unowned import Adopter, Choice, left_alone, place_of
from skep.model.adopted import Adopted
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
    name and came from any other life, or is nobody's, is taken over. sources: the engines that it may run on now.
    settled: `rendered` of the template that all followed last, for what is made of that (planning/settled.py).
    entries: what was under way when the turn began.
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
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class _Marks:
    """Whose a container is: its labels tell it, of one that was adopted the store (W20). `foreign`: nobody's yet."""

    slot: str
    uid: str
    fingerprint: str
    request: str = ""
    foreign: bool = False


class ContainerActuator:
    """Implements ports.Actuator for one workload spec. `found` are the containers of the last observation, for people;
    `foreign` those that bear our names and come from another life of the workload: they are not touched. Nor are those
    that bear its name and are nobody's, unless they are to be adopted: then they are among `found`."""

    def __init__(self, workload: ContainerWorkload, book: EngineBook, listings: Listings, adoptions: Adoptions) -> None:
        self.workload = self._workload = workload
        self._book, self._listings, self._adoptions = book, listings, adoptions
        self.found: tuple[Found, ...] = ()
        self.foreign: tuple[Found, ...] = ()
        self._vanished: frozenset[str] = frozenset()
        """Adopted ones that are not there any more."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether it acts on the same and shows the same, so that the older one can stay."""
        if not isinstance(other, ContainerActuator) or self._listings is not other._listings:
            return False
        seen, known = (self.found, self.foreign, self._vanished), (other.found, other.foreign, other._vanished)
        return seen == known and self._workload == other._workload

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
        listing = await self._listings.take(self.sight())
        adopted = await self._adopted(desired)
        marked = [(f, _marks_of(f.container, adopted)) for f in listing.found]
        unowned = [f for f, marks in marked if not marks.uid and containers.is_unowned(f.container)]
        owned = [(f, marks) for f, marks in marked if marks.uid or not containers.is_unowned(f.container)]
        ours = [(f, marks) for f, marks in owned if self._is_ours(marks)]
        members = [self._member(f, marks) for f, marks in ours]
        choice = Choice()
        if self._workload.adopt and not desired.removed:
            place = place_of(desired, members, self._workload.entries, adopted)
            choice = await self._adopter().choose(place, listing, unowned, desired.hold)
        taken = [f for f in unowned if f.container.id in choice.slots]
        members += [self._member(f, self._marks_to_be(desired, choice.slots[f.container.id])) for f in taken]
        self.found = (*(f for f, _ in ours), *taken)
        self.foreign = tuple(f for f, marks in owned if not self._is_ours(marks))
        self._vanished = self._gone(listing, adopted)
        left = [f for f in unowned if f.container.id not in choice.slots]
        return self._observed(listing, members, choice.unsure, left_alone(desired.key.name, left, choice.refused))

    def _adopter(self) -> Adopter:
        workload = self._workload
        return Adopter(workload.spec, str(workload.rendered["Image"]), workload.sources, self._engine)

    async def _adopted(self, desired: Desired) -> Mapping[str, Adopted]:
        lives = (self._workload.uid, *self._workload.lives)
        return {a.id: a for a in (await self._adoptions.of(desired.key)).values() if a.uid in lives}

    def _marks_to_be(self, desired: Desired, slot: str) -> _Marks:
        return _Marks(slot, self._workload.uid, desired.fingerprint, foreign=True)

    def _gone(self, listing: Listing, adopted: Mapping[str, Adopted]) -> frozenset[str]:
        """Adopted ones that are nowhere; where anybody is silent nobody knows."""
        if listing.silent or listing.unlisted or listing.lost:
            return frozenset()
        sources, there = {e.source for e in self.sight().engines}, {f.container.id for f in listing.found}
        return frozenset(a.id for a in adopted.values() if a.source in sources and a.id not in there)

    def _observed(self, listing: Listing, members: Iterable[Member], unsure: frozenset[str], beside: str) -> Observed:
        """`unsure`: where nobody knows yet whether what is there is to be adopted."""
        return Observed(
            members=tuple(members),
            silent=listing.silent,
            unlisted=listing.unlisted | unsure,
            lost=listing.lost,
            partitioned=listing.partitioned,
            why="; ".join(e.error for e in self.sight().engines if e.source in listing.silent and e.error),
            beside=beside,
        )

    def _is_ours(self, marks: _Marks) -> bool:
        """W21, W22: what another life of the name has left is taken over only if that was asked for."""
        return self._workload.adopt or marks.uid in (self._workload.uid, *self._workload.lives)

    def _member(self, found: Found, marks: _Marks) -> Member:
        """One of an earlier life, or where the constraints do not let it be, is outdated: labels never change.

        What has ended is so on a silent engine too (W7): nobody but us would start it again.
        """
        container, workload = found.container, self._workload
        fits = marks.uid == workload.uid and found.source in workload.sources
        life = containers.life_of(container)
        if found.stale and life is not Life.DEAD:
            life = Life.UNKNOWN
        return Member(
            id=container.id,
            slot=marks.slot,
            fingerprint=marks.fingerprint if fits else "",
            life=life,
            health=Health.UNKNOWN if found.stale else containers.health_of(container),
            source=found.source,
            request=marks.request,
            created_s=container.created_s,
            drift=("owner",) if marks.foreign else (),
            running=int(life is Life.RUNNING),
            foreign=marks.foreign,
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
        if self._vanished:
            await self._adoptions.release(desired.key, self._vanished)

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
        """W20, W21: it is looked at once more, written down, and runs on."""
        await self._adopter().check(member.source, member.id)
        adopted = Adopted(member.id, member.source, member.slot or "", self._workload.uid, desired.fingerprint)
        await self._adoptions.take(desired.key, adopted)
        log.info("adopted a container", key=str(desired.key), container=member.id, engine=member.source)

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
        await self._adoptions.release(desired.key, {member.id})
        log.info("removed a container", key=str(desired.key), container=member.id, engine=source)

    def _engine(self, source: str) -> Engine:
        """The engine to act on. Whether it answers, its next listing tells: an act fails for many reasons."""
        if not source:
            raise NotReadyError(f"it is not known yet on which engine of cluster {self._workload.cluster} it is")
        return self._book.engine(self._workload.cluster, source)


def _marks_of(container: Container, adopted: Mapping[str, Adopted]) -> _Marks:
    known, labels = adopted.get(container.id), container.labels
    if known is not None:
        return _Marks(known.slot, known.uid, known.fingerprint)
    return _Marks(
        labels.get(containers.SLOT_LABEL, ""),
        labels.get(services.UID_LABEL, ""),
        labels.get(services.FINGERPRINT_LABEL, ""),
        labels.get(containers.REQUEST_LABEL, ""),
    )


def _not_shown(container: str, source: str) -> NotReadyError:
    """W26, on a manager that answers from its memory (semantics.md 5.4): what it does not know may be there, and a
    second one of the same name could land on another engine."""
    return NotReadyError(f"whether {container} is there shows when {source} has looked at its engines again")


def _mapping(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value
