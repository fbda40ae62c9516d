"""The level of workloads on Swarm mode: one real service each, kept as its spec says."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from skep.control import service_tasks
from skep.control.clusters import ClusterBook, unplaced
from skep.control.documents import SpecDocument, spec_of
from skep.control.fixing import fixed_on_swarm, is_awaited
from skep.control.levels import Resolved
from skep.control.pauses import as_begun, standing_still
from skep.control.rollback import failure_action, is_automatic, never_again
from skep.control.service_doubles import Doubles
from skep.control.service_tasks import Counted
from skep.control.surroundings import Surroundings, is_newer
from skep.control.topology import Place, Topology
from skep.model.engine import Service, Task
from skep.model.errors import BugError, ConflictError, NotFoundError, NotReadyError, RejectedError, UnavailableError
from skep.model.json import Json, JsonObject
from skep.model.plan import Reason
from skep.model.spec import WorkloadSpec
from skep.model.state import EVERYTHING, Desired, Entry, Health, Life, Limits, Member, Observed, Phase, Record, Role
from skep.planning import service as services
from skep.planning.census import lasting_s
from skep.planning.devices import swarm_refusal
from skep.planning.service import (
    CONTROLLER_LABEL,
    DOUBLED,
    FINGERPRINT_LABEL,
    INTERRUPTED,
    MOVED,
    NO_NAMES,
    UID_LABEL,
    WORKLOAD_LABEL,
    Names,
)
from skep.ports import Actuator, Advance, Clock, Engine, Secrets

SLOT = "service"
"""The one slot of a workload on Swarm mode; its replicas are SwarmKit's to keep (architecture.md)."""

TRIES = 10
"""semantics.md N26: an out-of-date version is read again and retried this often, with jitter."""

NODES_WAIT_S = 60.0
"""A revision waits so long for what its cluster is still getting. Machines, if it is the first: Swarm never moves a
running task to a node that comes later. Its image, if groups bring it: tasks that start before it is there fail, and
the Swarm pauses the update."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a turn works with. `engine` is None while the cluster can't be asked; `gone`: nor will it ever again.

    uid: this life of the workload's name; lives: those before it whose removal was not over.
    """

    spec: WorkloadSpec
    cluster: str
    uid: str
    lives: frozenset[str]
    engine: Engine | None
    rendered: dict[str, Json]
    adopt: bool
    gone: bool
    formed: bool


MOVES_POLL_S = 2.0
"""How often it is looked whether the machines that it waits for are there: only their groups hear of that."""


class SwarmWorkloads:
    """Implements control.levels.Level."""

    def __init__(
        self,
        topology: Topology,
        clusters: ClusterBook,
        secrets: Secrets,
        clock: Clock,
        rng: random.Random,
        controller: str,
        limits: Limits,
        surroundings: Surroundings,
    ) -> None:
        self._surroundings = surroundings
        self._topology, self._clusters, self._secrets = topology, clusters, secrets
        self._clock, self._rng, self._controller, self._limits = clock, rng, controller, limits
        self._doubles = Doubles()

    async def resolve(
        self,
        document: SpecDocument,
        record: Record,
        world: Sequence[SpecDocument],
        cluster: str,
        *,
        static: bool = False,
    ) -> Resolved:
        """`static`: the cluster is one of the settings, and exists whether it answers or not."""
        asked, document = document, as_begun(document)
        spec = spec_of(document.spec)
        if not isinstance(spec, WorkloadSpec):
            raise BugError(f"{document.key} holds no workload")
        spec = never_again(spec) if is_automatic(document) else spec
        places = self._topology.places(world)
        engine, hold, formed = await self._reach(cluster)
        formed = formed or static
        names, missing = await self._names(spec, engine)
        record = await fixed_on_swarm(asked, record, spec.image, engine)
        rendered = {} if missing else services.render(spec, record.image or spec.image, self._controller, names)
        gone = engine is None and not static and self._is_gone(cluster, places)
        workload = Workload(
            spec, cluster, document.uid, frozenset(document.lives), engine, rendered, document.adopt, gone, formed
        )
        refusal = "" if document.removed else swarm_refusal(spec)
        # Where its services are is known; until there are any, a cluster that is not there has to be made or named.
        is_known = document.removed or bool(record.made_in) or (engine is not None and bool(cluster))
        nowhere = "" if is_known else unplaced(cluster, self._topology.names(world))
        hold = refusal or nowhere or hold or missing
        if not hold and self._is_fresh(document):
            hold = await self._surroundings.image_to_come(cluster, spec.image, world)
            hold = hold or await self._nodes_to_come(document, record, engine, cluster, world)
        moves = "" if hold or not is_newer(document, record) else await self._surroundings.moves(cluster, world)
        desired = Desired(
            key=document.key,
            generation=document.generation,
            size=0 if document.removed else 1,
            slots=(SLOT,),
            fingerprint=self._fingerprint(rendered, refusal),
            in_place=True,
            once=spec.restart.once,
            lasting_s=0.0 if spec.restart.once else lasting_s(spec.updating.min_ready_s),
            removed=document.removed,
            hold="" if document.removed else hold or moves,
            refused=bool(refusal),
            limits=replace(
                self._limits,
                # A job comes closer only as its tasks end, and takes as long as it takes.
                progress_s=0.0 if spec.restart.once else spec.updating.progress_deadline_s,
                failure_action=failure_action(document, spec),
                failure_ratio_max=spec.updating.failure_ratio_max,
            ),
        )
        desired = standing_still(desired, asked, document, waits=is_awaited(asked, record))
        actuator = ServiceActuator(workload, self._clusters, self._clock, self._rng, self._controller, self._doubles)
        poll_s = MOVES_POLL_S if moves else None
        return Resolved(desired, record, actuator, cluster, poll_s, refusal=refusal or nowhere)

    def _fingerprint(self, rendered: JsonObject, refusal: str) -> str:
        """What can't be done is in it, so that no service passes for what was asked for."""
        asked = {**rendered, "Refused": refusal} if refusal else rendered
        return services.fingerprint(asked, self._secrets.keyed_hash) if rendered else ""

    async def _reach(self, cluster: str) -> tuple[Engine | None, str, bool]:
        """A manager, or why there is none, and whether the cluster was ever formed."""
        try:
            state = await self._clusters.state(cluster)
        except NotReadyError as error:
            return None, str(error), False
        try:
            return await self._clusters.manager(state.name), "", True
        except NotReadyError as error:
            return None, str(error), bool(state.id)

    def _is_gone(self, cluster: str, places: Sequence[Place]) -> bool:
        """Whether the managers that form this cluster go, or went; when they were freed, it is left standing."""
        managers = [p for p in places if p.cluster == cluster and p.role is Role.MANAGER]
        return all(p.removed for p in managers) and (bool(managers) or cluster not in self._clusters.standing())

    def _is_fresh(self, document: SpecDocument) -> bool:
        """Whether the newest revision may still wait for what its cluster is getting."""
        accepted_s = document.history[0].when_s if document.history else 0.0
        return 0 <= self._clock.wall_s() - accepted_s < NODES_WAIT_S

    async def _nodes_to_come(
        self,
        document: SpecDocument,
        record: Record,
        engine: Engine | None,
        cluster: str,
        world: Sequence[SpecDocument],
    ) -> str:
        """Which machines a workload that was never created waits for; empty when it waits no longer."""
        is_new = document.generation == 1 and not record.ledger.applied
        if engine is None or not is_new:
            return ""
        expected = self._topology.machines(cluster, world)
        ready = sum(node.state == "ready" for node in await engine.nodes())
        return f"{ready} of {expected} nodes are ready" if ready < expected else ""

    async def _names(self, spec: WorkloadSpec, engine: Engine | None) -> tuple[Names, str]:
        """IDs for what the spec names, and what of it the cluster does not have."""
        if engine is None:
            return NO_NAMES, ("the cluster can't be asked" if spec.secrets or spec.configs or spec.networks else "")
        secrets = await _ids({r.source for r in spec.secrets}, engine.secret_ids)
        configs = await _ids({r.source for r in spec.configs}, engine.config_ids)
        networks = await _ids(set(spec.networks), engine.network_ids)
        wanted = [
            *(("secret", r.source, secrets) for r in spec.secrets),
            *(("config", r.source, configs) for r in spec.configs),
            *(("network", n, networks) for n in spec.networks),
        ]
        missing = [f"{kind} {name}" for kind, name, ids in wanted if name not in ids]
        text = f"the cluster has no {', no '.join(missing)}" if missing else ""
        return Names(secrets, configs, networks), text

    async def forgotten(self, document: SpecDocument, world: Sequence[SpecDocument]) -> None:
        """A workload keeps nothing beside its record but in memory."""
        self._doubles.forget(document.key)


class ServiceActuator:
    """Implements ports.Actuator for one workload spec. `tasks` are those of the last observation, for people."""

    def __init__(
        self,
        workload: Workload,
        clusters: ClusterBook,
        clock: Clock,
        rng: random.Random,
        controller: str,
        doubles: Doubles | None = None,
    ) -> None:
        """`doubles`: what was seen of it before."""
        self._doubles = doubles or Doubles()
        self.workload = self._workload = workload
        self._clusters = clusters
        self._clock, self._rng, self._controller = clock, rng, controller
        self.tasks: tuple[Task, ...] = ()

    async def observe(self, desired: Desired) -> Observed:
        workload = self._workload
        if workload.gone or (workload.engine is None and not workload.formed):
            return Observed()
        if workload.engine is None:
            return Observed(silent=frozenset({EVERYTHING}))
        try:
            found = await self._find(workload.engine, workload)
            tasks = await workload.engine.tasks({"service": [found.id]}) if found else ()
            nodes = (
                await workload.engine.nodes()
                if found and service_tasks.asks_for_nodes(workload.spec, found, tasks)
                else ()
            )
        except (UnavailableError, NotFoundError) as error:
            self._clusters.doubt(workload.cluster)
            return Observed(silent=frozenset({EVERYTHING}), why=str(error))
        self.tasks = tuple(tasks)
        if found is None:
            return Observed()
        counted = service_tasks.counted(workload.spec, found, tasks, nodes, self._clock.wall_s())
        interrupted = service_tasks.is_interrupted(found, tasks, nodes)
        return Observed((self._member(workload, desired, found, counted, interrupted=interrupted),))

    async def _find(self, engine: Engine, workload: Workload) -> Service | None:
        """Our service; or, where adoption was asked for, the one that has its name."""
        named = await _named(engine, workload.spec.name)
        return named if named and (self._is_ours(named) or workload.adopt) else None

    def _is_ours(self, service: Service) -> bool:
        """W21, W22: another life's is another's. One without a uid was made before services had any."""
        workload = self._workload
        uid = service.labels.get(UID_LABEL, workload.uid)
        return self._is_of_this_name(service) and uid in (workload.uid, *workload.lives)

    def _is_of_this_name(self, service: Service) -> bool:
        return service.labels.get(CONTROLLER_LABEL) == self._controller and WORKLOAD_LABEL in service.labels

    def _member(
        self, workload: Workload, desired: Desired, found: Service, counted: Counted, *, interrupted: bool
    ) -> Member:
        # One of an earlier life is outdated, so that it gets the mark of this one.
        is_of_now = found.labels.get(UID_LABEL, workload.uid) == workload.uid
        applied = found.labels.get(FINGERPRINT_LABEL, "") if is_of_now else ""
        undone = found.update_state in service_tasks.UNDONE and not interrupted
        busy = found.update_state in ("updating", "rollback_started")
        healthy = counted.is_through and not undone and not busy
        doubled = self._doubles.last(desired.key, found, counted.doubled and not busy, self._clock.monotonic_s())
        changed = services.drift(workload.rendered, found.spec) if workload.rendered else ()
        return Member(
            id=found.id,
            slot=SLOT,
            fingerprint=applied,
            life=Life.RUNNING,
            health=Health.HEALTHY if healthy else Health.UNHEALTHY,
            source=workload.cluster,
            created_s=found.created_s,
            drift=(*changed, *[INTERRUPTED] * interrupted, *[MOVED] * counted.stranded, *[DOUBLED] * doubled),
            rolled_back=undone,
            running=counted.running,
            wanted=counted.wanted,
            updated=counted.updated,
            foreign=not self._is_ours(found),
            completed=counted.completed,
            failed=counted.failed,
            detail=": ".join(t for t in (counted.trouble.text, found.update_message if undone else "") if t),
            trouble=counted.trouble.kind,
        )

    async def create(self, desired: Desired, entry: Entry, advance: Advance) -> None:
        workload, engine = self._ready()
        await advance(Phase.PROVISION)
        try:
            await engine.create_service(services.labelled(workload.rendered, workload.uid, entry.fingerprint))
        except ConflictError as error:
            if await self._find(engine, workload) is None:
                named = await _named(engine, workload.spec.name)
                raise RejectedError(self._conflict(named) if named else str(error)) from None

    def _conflict(self, service: Service) -> str:
        """W25: whose the service is that has the name."""
        whose = "that is not skep's"
        if self._is_of_this_name(service):
            whose = f"of another skep whose controller is {self._controller} too, or of one that lost its state"
        return (
            f"NameConflict: cluster {self._workload.cluster} has a service {service.name} {whose}; "
            "remove it, choose another name, or take it over with --adopt"
        )

    async def start(self, desired: Desired, member: Member) -> None:
        raise BugError("services are never stopped")

    async def stop(self, desired: Desired, member: Member) -> None:
        raise BugError("services are never stopped")

    async def update(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        is_failed = bool(member.failed) and member.fingerprint == desired.fingerprint
        # What others changed is mended, and nothing is run for it (W54).
        is_tried_again = MOVED in member.drift or (is_failed and entry.reason is Reason.OUTDATED)
        await self._apply(desired.fingerprint, advance, is_tried_again)

    async def _apply(self, fingerprint: str, advance: Advance, is_tried_again: bool = False) -> None:
        """Set the whole spec on the service's newest version."""
        workload, engine = self._ready()
        spec = services.labelled(workload.rendered, workload.uid, fingerprint)
        for _ in range(TRIES):
            found = await self._find(engine, workload)
            if found is None:
                return
            await advance(Phase.BEGUN)
            try:
                await engine.update_service(found.id, found.version, _over(found.spec, spec, is_tried_again))
            except ConflictError:
                await self._clock.sleep(0.05 + 0.1 * self._rng.random())
                continue
            return
        raise UnavailableError(f"service {workload.spec.name} changed {TRIES} times while it was being updated")

    async def adopt(self, desired: Desired, member: Member, advance: Advance) -> None:
        await self._apply(desired.fingerprint, advance)

    async def remove(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        workload = self._workload
        if workload.engine is None:
            raise NotReadyError(f"cluster {workload.cluster} does not answer")
        await advance(Phase.DESTROYED)
        await workload.engine.remove_service(member.id)

    def _ready(self) -> tuple[Workload, Engine]:
        workload = self._workload
        if workload.engine is None or not workload.rendered:
            raise NotReadyError(f"cluster {workload.cluster} does not answer")
        return workload, workload.engine


def is_reached(actuator: Actuator) -> bool:
    """Whether it acts on a Swarm that answers."""
    return isinstance(actuator, ServiceActuator) and actuator.workload.engine is not None


async def _named(engine: Engine, name: str) -> Service | None:
    """The service of this name, whosever it is."""
    return next((s for s in await engine.services({"name": [name]}) if s.name == name), None)


async def _ids(wanted: set[str], ask: Callable[[], Awaitable[Mapping[str, str]]]) -> Mapping[str, str]:
    return await ask() if wanted else {}


def _over(live: JsonObject, ours: JsonObject, is_tried_again: bool) -> JsonObject:
    """Ours, and the labels that others keep on the service. `ForceUpdate` is left as it is, for it restarts tasks; all
    of them, so that what is tried again is so as a whole."""
    template, live_template = ours["TaskTemplate"], live.get("TaskTemplate")
    assert isinstance(template, Mapping)
    force = live_template.get("ForceUpdate", 0) if isinstance(live_template, Mapping) else 0
    force = force + is_tried_again if isinstance(force, int) else force
    labels = services.merged_labels(live.get("Labels"), ours["Labels"])
    return {**ours, "Labels": labels, "TaskTemplate": {**template, "ForceUpdate": force}}
