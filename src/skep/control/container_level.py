"""The level of workloads on plain Engines: so many containers of an image, spread over the engines of a cluster."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from math import inf
from typing import TypeVar

from skep.control.adoptions import Adoptions
from skep.control.container_listings import LISTING_S, Listings
from skep.control.containers import ContainerActuator, ContainerWorkload
from skep.control.documents import SpecDocument, spec_of
from skep.control.endpoints import EngineBook
from skep.control.fixing import fixed, fixed_again, image_held, is_another, is_awaited, is_due, settled_image
from skep.control.hidden import CLASSIC_AGE_S, Hidden
from skep.control.levels import Resolved
from skep.control.pauses import as_settled, settled_spec, standing_still
from skep.control.rollback import failure_action, is_automatic
from skep.model.cluster import ClusterKind, ClusterSight
from skep.model.errors import BugError, SkepError
from skep.model.json import Json
from skep.model.spec import Key, WorkloadSpec
from skep.model.state import Desired, Limits, Record
from skep.planning import container as containers
from skep.planning import service as services
from skep.planning.census import PROVEN_S, lasting_s
from skep.ports import Engine, Secrets

T = TypeVar("T")

PARALLEL_MAX = 100
"""Creations of one key at once, however many engines there are: each is a task, and an entry in its record."""


QUEUED = 2
"""Creations under way for each call that an engine takes at once: so no engine waits for the next turn, which looks at
all of them first. Measured: 6 % less time for 30 containers."""


class ContainerLevel:
    """Containers of all workloads on plain Engines. Keeps what their engines told last, in memory."""

    def __init__(
        self,
        book: EngineBook,
        adoptions: Adoptions,
        secrets: Secrets,
        controller: str,
        limits: Limits,
        call_limit: int,
        classic_age_s: float = CLASSIC_AGE_S,
    ) -> None:
        """`call_limit`: calls at once that one engine is worth (settings.py). `classic_age_s`: how old what a classic
        Swarm manager tells may be."""
        self._book, self._adoptions, self._secrets, self._controller = book, adoptions, secrets, controller
        self._limits, self._call_limit, self._classic_age_s = limits, call_limit, classic_age_s
        self._listings: dict[Key, Listings] = {}

    async def resolve(self, document: SpecDocument, record: Record, sight: ClusterSight, refusal: str = "") -> Resolved:
        """`refusal`: why nothing may be made on this cluster any more, whatever the spec says."""
        asked, document = document, as_settled(document)
        spec = spec_of(document.spec)
        if not isinstance(spec, WorkloadSpec):
            raise BugError(f"{document.key} holds no workload")
        unfixed = ""
        if not document.removed:
            record = fixed_again(asked, record, spec.image) or record
            record, unfixed = await self._fixed(asked, spec, record, sight)
        image = record.image if record.image_spec == spec.image else spec.image
        workload = self._workload(document, spec, image, sight)
        settled = self._settled(asked, record, workload, sight)
        workload = replace(workload, settled=settled, entries=record.ledger.entries)
        # Those that are there bear the hash of the name that they were made by; what is made as they are, the same one.
        as_made = {**settled, "Image": record.settled_image} if settled else {}
        refusal = refusal or containers.refusal(spec, sight.engines) or _nowhere(workload, sight)
        listings = self._listings_of(document, record, sight)
        actuator = ContainerActuator(workload, self._book, listings, self._adoptions)
        desired = standing_still(
            self._desired(document, workload, as_made, sight), asked, document, waits=is_awaited(asked, record)
        )
        if document.removed:
            return Resolved(desired, record, actuator, sight.name)
        desired = replace(desired, hold=refusal or unfixed, refused=containers.is_refused_for_good(spec, sight.engines))
        return Resolved(desired, record, actuator, sight.name, refusal=refusal)

    async def forget(self, key: Key) -> None:
        """The workload is gone for good."""
        self._listings.pop(key, None)
        await self._adoptions.forget(key)

    def _listings_of(self, document: SpecDocument, record: Record, sight: ClusterSight) -> Listings:
        """A dry run of a workload that is not there leaves no trace."""
        known = self._listings.get(document.key)
        if known is not None and known.cluster == sight.name:
            return known
        labels = {services.CONTROLLER_LABEL: self._controller, services.WORKLOAD_LABEL: document.key.name}
        age_s = self._classic_age_s if sight.kind is ClusterKind.CLASSIC else 0.0
        hidden = Hidden(age_s, self._book.now_s, unknown_before=bool(record.made_on))
        made = Listings(self._book, sight.name, document.key.name, labels, hidden)
        if document.uid:
            self._listings[document.key] = made
        return made

    def _workload(
        self, document: SpecDocument, spec: WorkloadSpec, image: str, sight: ClusterSight
    ) -> ContainerWorkload:
        return ContainerWorkload(
            spec=spec,
            cluster=sight.name,
            kind=sight.kind,
            uid=document.uid,
            lives=frozenset(document.lives),
            adopt=document.adopt,
            rendered=containers.render(spec, image, self._controller),
            sources=tuple(e.source for e in sight.engines if containers.fits(spec, e)),
        )

    def _settled(
        self, document: SpecDocument, record: Record, workload: ContainerWorkload, sight: ClusterSight
    ) -> dict[str, Json]:
        """What containers were made of when all followed one template, if some may be made of it again while another is
        rolled out: wherever those of today may run, of the very image. What is paused follows it anyway (W49)."""
        stays = document.removed or document.paused or record.settled in (0, document.generation)
        told = None if stays or workload.spec.restart.once else settled_spec(document, record)
        spec = spec_of(told) if told is not None else None
        if not isinstance(spec, WorkloadSpec) or record.settled_image_spec != spec.image:
            return {}
        places = {e.source for e in sight.engines if containers.fits(spec, e)}
        crowded = containers.takes_one_each(spec) and not containers.takes_one_each(workload.spec)
        if crowded or not places.issuperset(workload.sources) or containers.refusal(spec, sight.engines):
            return {}
        image = settled_image(record)
        if is_another(record) and image == spec.image:
            # Its tag names another one by now, and nobody can tell any more what it was.
            return {}
        body = containers.render(spec, image, self._controller)
        return {} if body == workload.rendered else body

    def _desired(
        self, document: SpecDocument, workload: ContainerWorkload, as_made: dict[str, Json], sight: ClusterSight
    ) -> Desired:
        spec, one_each = workload.spec, containers.takes_one_each(workload.spec)
        lost = {e.source for e in sight.engines if e.lost}
        there = [s for s in workload.sources if s not in lost]
        # A global one that has no engine wants one all the same: nothing of nothing would pass for ready.
        wanted = max(1, len(there)) if spec.mode == "global" else spec.count
        size = 0 if document.removed else wanted
        surge, unavailable = containers.room_to_roll(size, len(there), one_each, spec.updating)
        fingerprint = self._fingerprint(workload, sight)
        settled = services.fingerprint(as_made, self._secrets.keyed_hash) if as_made else ""
        return Desired(
            key=document.key,
            generation=document.generation,
            size=size,
            fingerprint=fingerprint,
            settled="" if settled == fingerprint else settled,
            max_surge=surge,
            # Nobody is served by a job: old ones may all go at once.
            max_unavailable=size if spec.restart.once else unavailable,
            removed=document.removed,
            limits=replace(
                self._limits,
                parallel=min(PARALLEL_MAX, QUEUED * self._call_limit * max(1, len(there))),
                # Docker has counted a health check's retries already (W37).
                unhealthy_after_s=0.0,
                restarts_max=max(1, spec.restart.attempts_max) if spec.restart.once else spec.restart.attempts_max,
                # What ends before it was ever ready ends in a row.
                restart_window_s=inf
                if spec.restart.once
                else max(spec.restart.window_s, spec.updating.min_ready_s or 0.0),
                min_ready_s=_least_ready_s(document, spec),
                progress_s=0.0 if spec.restart.once else spec.updating.progress_deadline_s,
                failure_action=failure_action(document, spec),
                failure_ratio_max=spec.updating.failure_ratio_max,
            ),
            numbered=True,
            once=spec.restart.once,
            lasting_s=0.0 if spec.restart.once else lasting_s(spec.updating.min_ready_s),
            sources=workload.sources,
            # A classic Swarm is one source, and its manager knows which of its engines has a port to give.
            per_source_max=int(one_each and sight.kind is not ClusterKind.CLASSIC),
        )

    def _fingerprint(self, workload: ContainerWorkload, sight: ClusterSight) -> str:
        """What can't be done is in it, so that no container passes for what was asked for."""
        refused = containers.refusal(workload.spec, sight.engines)
        asked = {**workload.rendered, "Refused": refused} if refused else workload.rendered
        return services.fingerprint(asked, self._secrets.keyed_hash)

    async def _fixed(
        self, asked: SpecDocument, spec: WorkloadSpec, record: Record, sight: ClusterSight
    ) -> tuple[Record, str]:
        """The digest is fixed once for a revision (W40); why it could not be, where nobody answers.

        Looked at again, it is the registry's word that counts: what was pulled once is held by all, and no news.
        """
        if not is_due(asked, record, spec.image):
            return record, ""
        answering = [e.source for e in sight.engines if e.answers]
        held, error = await self._ask_all(sight, answering, lambda engine: engine.image(spec.image), LISTING_S)
        if not held:
            return record, error
        images = [i for i in held.values() if i is not None]
        image = "" if record.image_spec == spec.image else image_held(spec.image, images)
        if not image:
            told, error = await self._ask_all(sight, held, lambda engine: engine.resolve_digest(spec.image), None)
            if not told:
                return record, error
            image = next((t for t in told.values() if t is not None), "")
        return fixed(asked, record, spec.image, image, images), ""

    async def _ask_all(
        self,
        sight: ClusterSight,
        sources: Collection[str],
        ask: Callable[[Engine], Awaitable[T]],
        patience_s: float | None,
    ) -> tuple[dict[str, T], str]:
        """What each of these engines says that does, all asked at once; and what was wrong with one that did not."""
        errors = [f"no engine of cluster {sight.name} answers"]
        answers: dict[str, T] = {}

        async def one(source: str) -> None:
            try:
                async with asyncio.timeout(patience_s):
                    answers[source] = await ask(self._book.engine(sight.name, source))
            except (SkepError, TimeoutError) as error:
                errors.append(str(error) or f"{source} does not answer")

        await asyncio.gather(*map(one, sources))
        return {source: answers[source] for source in sources if source in answers}, errors[-1]


def _least_ready_s(document: SpecDocument, spec: WorkloadSpec) -> float | None:
    """What goes back proves itself as in any roll, also where nothing is left that would have to wait for it (W47)."""
    asked_s = spec.updating.min_ready_s
    return PROVEN_S if asked_s is None and is_automatic(document) else asked_s


def _nowhere(workload: ContainerWorkload, sight: ClusterSight) -> str:
    """Constraints that no engine fulfils, once all have said what they are."""
    if workload.sources or not all(e.heard for e in sight.engines):
        return ""
    return f"Constraints: no engine of cluster {sight.name} fulfils {', '.join(workload.spec.constraints)}"
