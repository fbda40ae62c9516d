"""Containers that bear a workload's name and are nobody's (semantics.md W21), such as those that the state manager of
2015 made: it gave them the label `swarm.cluster.state` alone. Which of them a workload adopts, and why not others."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from skep.control.container_listings import LISTING_S, Found, Listing
from skep.model.adopted import Adopted
from skep.model.engine import Container
from skep.model.errors import NotReadyError, RejectedError, SkepError
from skep.model.plan import ActionKind
from skep.model.spec import Port, WorkloadSpec
from skep.model.state import Desired, Entry, Life, Member
from skep.planning import container as containers
from skep.planning.census import ENDED
from skep.planning.service import STATE_LABEL
from skep.ports import Engine

NAMED_MAX = 5
"""So many are told by name: enough to find them, and a sentence can still be read."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`slots`: the numbers of those that are adopted, by ID. `refused`: why the others are not; empty where nobody has
    asked for it. `unsure`: engines that did not say whether theirs match."""

    slots: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """What a workload has room for: `room` more, on a source at most `room_on`, None for no limit.

    `taken` are numbers that are borne or about to be. `coming`: those of containers whose adoption is under way, by ID.
    """

    room: int
    room_on: Mapping[str, int] | None
    taken: Collection[str]
    coming: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Adopter:
    """Asks the engines whether those that are offered to a workload are what it wants. `image`: as the spec calls it.
    `sources`: the engines on which it may run."""

    spec: WorkloadSpec
    image: str
    sources: Collection[str]
    engine: Callable[[str], Engine]

    async def choose(self, place: Place, listing: Listing, unowned: Iterable[Found], hold: str) -> Choice:
        """A job is run as often as it says, by nobody else. `hold`: why nothing is done for the workload now."""
        offered = [f for f in unowned if containers.life_of(f.container) is not Life.DEAD]
        if not offered:
            return Choice()
        reason = "it is a job" if self.spec.restart.once else hold or _unheard(listing)
        if reason or place.room <= 0:
            return choose(replace(place, room=0), offered, {f.container.id: reason for f in offered if reason})
        images = await self._images({f.source for f in offered if not f.stale})
        mismatches = {f.container.id: self._mismatch(f, images) for f in offered}
        unsure = frozenset(s for s, image in images.items() if image is None)
        return replace(choose(place, offered, {id: why for id, why in mismatches.items() if why}), unsure=unsure)

    async def check(self, source: str, id: str) -> None:
        """One that was chosen, as it is now. RejectedError: it can't be adopted; NotReadyError: nobody tells."""
        found, image = await self.engine(source).container(id), await self._image(source)
        if found is None or image is None:
            raise NotReadyError(f"container {id[:12]} can't be adopted: {source} does not tell how it is")
        if why := mismatch(self.spec, found, image):
            raise RejectedError(f"container {found.name} on {source} can't be adopted: {why}")

    def _mismatch(self, found: Found, images: Mapping[str, str | None]) -> str:
        if found.stale or images[found.source] is None:
            return "its engine does not answer"
        if found.source not in self.sources:
            return "not where Constraints allow"
        return mismatch(self.spec, found.container, images[found.source] or "")

    async def _images(self, sources: Iterable[str]) -> Mapping[str, str | None]:
        """What each engine has under the image's name; None where it did not say."""
        asked = tuple(sources)
        return dict(zip(asked, await asyncio.gather(*map(self._image, asked)), strict=True))

    async def _image(self, source: str) -> str | None:
        try:
            async with asyncio.timeout(LISTING_S):
                image = await self.engine(source).image(self.image)
        except (SkepError, TimeoutError):
            return None
        return image.id if image is not None else ""


def _unheard(listing: Listing) -> str:
    """Else more could be adopted than are missing, and those that are too many would be removed."""
    return f"{', '.join(sorted(listing.unlisted))} did not tell yet what is there" if listing.unlisted else ""


def place_of(
    desired: Desired, members: Sequence[Member], entries: Sequence[Entry], adopted: Mapping[str, Adopted]
) -> Place:
    """`members`: all that the workload has, those that ended included; `entries`: what is under way."""
    seen = {m.request for m in members if m.request}
    making = [e for e in entries if e.kind is ActionKind.CREATE and e.request not in seen]
    alive = [m for m in members if m.life not in ENDED]
    there, most = Counter([*(m.source for m in alive), *(e.source for e in making)]), desired.per_source_max
    return Place(
        room=desired.size - len(alive) - len(making),
        room_on={source: most - there[source] for source in desired.sources} if most else None,
        taken={x.slot for some in (members, entries, adopted.values()) for x in some if x.slot},
        coming={e.member: e.slot for e in entries if e.kind is ActionKind.ADOPT and e.slot},
    )


def choose(place: Place, unowned: Iterable[Found], mismatches: Mapping[str, str]) -> Choice:
    """Whom to adopt; `mismatches`: why some can't be, by ID. One whose adoption is under way stays with its number."""
    offered = sorted(unowned, key=_order)
    slots = {f.container.id: place.coming[f.container.id] for f in offered if f.container.id in place.coming}
    refused: dict[str, str] = {}
    free = (str(n) for n in count(1) if str(n) not in place.taken)
    held = Counter(f.source for f in offered if f.container.id in slots)
    for found in offered:
        id, source = found.container.id, found.source
        if id in slots:
            continue
        full = place.room_on is not None and held[source] >= place.room_on.get(source, 0)
        refused[id] = mismatches.get(id, "more than are asked for" if full or len(slots) >= place.room else "")
        if not refused[id]:
            del refused[id]
            slots[id] = next(free)
            held[source] += 1
    return Choice(slots, refused)


def mismatch(spec: WorkloadSpec, container: Container, image_id: str) -> str:
    """Why it is not what the spec asks for, as far as an engine's listing tells; empty where it may be.

    `image_id`: what the engine has under the name of the spec's image; empty where it has nothing.
    """
    if container.state != "running":
        return "does not run"
    if not image_id or container.image_id != image_id:
        return "another image"
    return "" if _publishes(spec.ports, container) else "other ports"


def _publishes(wanted: Iterable[Port], container: Container) -> bool:
    """All that is asked for and nothing else; where Docker was to choose a port, any."""
    there = {(target, protocol) for _, target, protocol in container.ports}
    fixed = {(p.published, p.target, p.protocol) for p in wanted if p.published}
    return there == {(p.target, p.protocol) for p in wanted} and fixed <= set(container.ports)


def left_alone(workload: str, unowned: Iterable[Found], refused: Mapping[str, str]) -> str:
    """Which of them are there, and what to do about them; empty where none is. What has ended serves nobody.

    `refused`: why they are not adopted, where that was asked for.
    """
    there = sorted((f for f in unowned if containers.life_of(f.container) is not Life.DEAD), key=_order)
    if not there:
        return ""
    names = ", ".join(_told(f, refused.get(f.container.id, "")) for f in there[:NAMED_MAX])
    more = f" and {len(there) - NAMED_MAX} more" if len(there) > NAMED_MAX else ""
    advice = "remove those that are not needed" if refused else "remove them, or have those adopted that match: --adopt"
    return (
        f"left alone, for skep has not made them, though they bear the label {STATE_LABEL}={workload}: {names}{more}; "
        f"{advice}"
    )


def _told(found: Found, why: str) -> str:
    return f"{found.container.name} on {found.source}" + (f" ({why})" if why else "")


def _order(found: Found) -> tuple[str, str, str]:
    return found.source, found.container.name, found.container.id
