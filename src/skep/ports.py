"""The Protocols between control and the world. Adapters and plugins implement them; control calls nothing else.

Every method may raise UnavailableError (no answer, or the other side can't now: whether it acted is unknown) and
RejectedError (understood and refused, in its own words). Every act is safe to repeat: what is already so is success.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from skep.model.engine import (
    Container,
    EngineEvent,
    EngineInfo,
    Image,
    JoinTokens,
    Network,
    Node,
    Service,
    SwarmLabels,
    Task,
    Volume,
)
from skep.model.group_document import GroupDocument, LeaderStatus
from skep.model.json import JsonObject, RawJson
from skep.model.machine import (
    CommittedGroup,
    GroupDescription,
    InstanceDescription,
    InstanceSpec,
    MemberHealth,
    Membership,
)
from skep.model.spec import Allocation
from skep.model.state import ClusterState, Desired, Entry, Member, Observed, Phase

Advance = Callable[[Phase], Awaitable[None]]
"""Writes down the phase that is about to be attempted; raises StaleTermError when this controller may not act."""


class Clock(Protocol):
    """Time as an input. `monotonic_s` orders and measures, `wall_s` is for people."""

    def monotonic_s(self) -> float: ...
    def wall_s(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


# --- the store -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Versioned:
    """A stored document. `version` is opaque, positive, and differs after every write of the key."""

    key: str
    value: bytes
    version: int


class Store(Protocol):
    """Small documents with compare-and-set, fenced by a term.

    Keys are paths such as `spec/group/workers`. A write that has returned survives power loss.
    """

    async def acquire(self, holder: str) -> int:
        """Begin a term, greater than all before it, and return it. From now on writes of older terms are refused."""

    async def get(self, key: str) -> Versioned | None: ...

    async def list(self, prefix: str) -> Sequence[Versioned]:
        """All documents whose key starts with `prefix`, in byte order of their keys."""

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        """Write and return the new version.

        version: 0 means that the key must not exist; None writes whatever is there. ConflictError when it differs.
        term: StaleTermError when a newer term has begun; None is not fenced.
        """

    async def delete(self, key: str, *, version: int | None = None, term: int | None = None) -> None:
        """As put; a key that is not there is success, unless a version was named."""

    async def close(self) -> None: ...


# --- engines ----------------------------------------------------------------------------------------------------


class Engine(Protocol):
    """One Docker Engine, or a Swarm through one of its managers. Bodies are those of the Engine API."""

    @property
    def endpoint(self) -> str: ...

    async def info(self) -> EngineInfo: ...
    def events(self, filters: Mapping[str, Sequence[str]]) -> AsyncIterator[EngineEvent]:
        """Events from now on. The first event is synthetic (type `skep`, action `subscribed`): list after it.
        Ends by raising UnavailableError when the stream breaks."""

    # Swarm: NotFoundError for a name or ID that is not there; ConflictError for an out-of-date version.
    async def join_tokens(self) -> JoinTokens: ...
    async def swarm_labels(self) -> SwarmLabels: ...
    async def update_swarm_labels(self, version: int, labels: Mapping[str, str]) -> None:
        """Make these the labels of the Swarm itself; the rest of its spec stays."""

    async def nodes(self, filters: Mapping[str, Sequence[str]] | None = None) -> Sequence[Node]: ...
    async def update_node(
        self,
        node: str,
        version: int,
        *,
        availability: str | None = None,
        role: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Change only what is given; the rest of the node's spec stays (semantics.md N26)."""

    async def remove_node(self, node: str, *, force: bool) -> None: ...
    async def services(self, filters: Mapping[str, Sequence[str]] | None = None) -> Sequence[Service]: ...
    async def create_service(self, spec: JsonObject) -> str:
        """The new service's ID. ConflictError when the name is taken."""

    async def update_service(self, service: str, version: int, spec: JsonObject) -> None: ...
    async def remove_service(self, service: str) -> None: ...
    async def tasks(self, filters: Mapping[str, Sequence[str]]) -> Sequence[Task]: ...
    async def secret_ids(self) -> Mapping[str, str]:
        """Name to ID."""

    async def config_ids(self) -> Mapping[str, str]: ...
    async def network_ids(self) -> Mapping[str, str]: ...
    async def resolve_digest(self, image: str) -> str | None:
        """`name@sha256:…` as the registry has it now; None where no registry answers for it."""

    # Containers, images, networks and volumes of this one engine.
    async def containers(self, labels: Mapping[str, str]) -> Sequence[Container]:
        """All states; those that carry every label (an empty value matches any)."""

    async def container(self, container: str) -> Container | None:
        """By ID or exact name; None for one that is not there, as the engine itself says now and no cache."""

    async def create_container(self, name: str, body: JsonObject) -> str:
        """The ID. ConflictError when the name is taken, NotFoundError when the image is missing."""

    async def start_container(self, container: str) -> None: ...
    async def stop_container(self, container: str, grace_s: int | None) -> None:
        """TERM, and KILL after the grace; None takes the container's own. Not there, or not running, is success."""

    async def remove_container(self, container: str) -> None:
        """Kill and remove, with its anonymous volumes; not there is success."""

    async def container_logs(self, container: str, tail: int) -> str: ...
    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None: ...
    async def volumes(self, labels: Mapping[str, str]) -> Sequence[Volume]: ...
    async def remove_volume(self, name: str) -> None: ...
    async def networks(self) -> Sequence[Network]:
        """All of them, with the addresses in use."""

    async def create_network(self, body: JsonObject) -> str: ...
    async def remove_network(self, network: str) -> None:
        """Not there is success; ConflictError while containers are on it."""

    async def image_ids(self) -> Mapping[str, str]:
        """`name:tag` to image ID, for all tagged images."""

    async def import_image(self, image: str, tar: AsyncIterator[bytes], changes: Sequence[str]) -> str: ...
    async def image(self, image: str) -> Image | None:
        """The image as this engine holds it, by `name:tag`, `name@sha256:…` or ID; None where it does not."""

    async def pull_image(self, image: str, *, timeout_s: float) -> bool:
        """True when the engine has it now; False when no registry gave it within the time."""

    async def fetch_image(self, image: str) -> None:
        """Pull it, with this host's docker credentials for its registry. NoImageError with the registry's own words
        where it can't be had (semantics.md W32), UnavailableError where the engine does not answer."""

    def save_images(self, images: Sequence[str]) -> AsyncIterator[bytes]: ...
    async def load_images(self, tar: AsyncIterator[bytes]) -> None: ...
    async def close(self) -> None: ...


class Engines(Protocol):
    """Engines by URL; a connection pool each. Unknown schemes raise InvalidError."""

    def engine(self, endpoint: str) -> Engine: ...


class Clusters(Protocol):
    """Clusters by name; the empty name is the only one. Kept by control, read by flavors."""

    async def state(self, name: str) -> ClusterState:
        """NotReadyError where no such cluster is known yet, or where the empty name is ambiguous."""

    async def manager(self, name: str) -> Engine:
        """A manager that answers with a quorum behind it; NotReadyError when none does."""

    def joined_by(self, group: str) -> str:
        """The cluster that this group's machines have joined; empty while they have joined none that is known."""


# --- plugins ----------------------------------------------------------------------------------------------------


class InstancePlugin(Protocol):
    """InfraKit's Instance interface (infrakit-compat.md 2.4)."""

    async def validate(self, properties: RawJson) -> None:
        """InvalidError lists every fault, with paths from the properties on."""

    async def provision(self, spec: InstanceSpec) -> str:
        """Make the machine and return its ID, never empty.

        With the tag `skep.request`, a second call with the same value returns the machine that exists, and finishes
        what was left undone.
        """

    async def destroy(self, instance: str) -> None:
        """Remove the machine and what belongs to it; one that is not there is success."""

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        """Machines that carry all tags; none given means all."""


@runtime_checkable
class Startable(Protocol):
    """Instance plugins whose machines can be stopped and keep their disk."""

    async def start(self, instance: str) -> None:
        """Start a stopped machine with its disk; one that runs is success."""


@runtime_checkable
class Bootable(Protocol):
    """Instance plugins that can make a machine before it is known how it joins."""

    async def boot(self, spec: InstanceSpec) -> str:
        """As provision, but Init is withheld until a provision with the same request: its cluster may be being made."""


@runtime_checkable
class Reachable(Protocol):
    """Instance plugins that know the way to their machines' engines."""

    async def endpoint(self, instance: str) -> str | None:
        """The URL of the machine's engine; None when it can't be known."""


@runtime_checkable
class HoldsImages(Protocol):
    """Instance plugins that can bring images of this host to their machines."""

    async def outdated_images(self, instance: str, images: Sequence[str]) -> Sequence[str]:
        """Those of `images` that this host's engine has and the machine lacks, or has in another build."""

    async def load_images(self, instance: str, images: Sequence[str]) -> None: ...


@runtime_checkable
class Lasting(Protocol):
    """Plugins some of whose properties can be changed on a machine in place."""

    def lasting(self, properties: RawJson) -> RawJson:
        """The properties without what can be changed on a machine in place: a change of the rest needs a new one."""


@runtime_checkable
class Places(Protocol):
    """Instance plugins that can't have a machine of any logical ID."""

    async def check_ids(self, properties: RawJson, logical_ids: Sequence[str]) -> None:
        """InvalidError lists those that none can have, as `Allocation.LogicalIDs[0]`."""


@runtime_checkable
class Watchable(Protocol):
    """Instance plugins that tell of changes as they happen."""

    def changes(self) -> AsyncIterator[str]:
        """The group tag of machines that changed, as it happens; empty when all may have (after a gap)."""


@dataclass(frozen=True, slots=True)
class DrainRequest:
    """How to remove a machine from its cluster.

    wait_s: how long its tasks may take to end, and to run elsewhere (semantics.md N13: 600). dead: the machine does not
    run, so there is nothing to wait for. cluster_ends: the whole cluster is being removed: do not drain at all (N16).
    """

    wait_s: float = 600.0
    dead: bool = False
    cluster_ends: bool = False


class FlavorPlugin(Protocol):
    """InfraKit's Flavor interface; health is asked for all members at once."""

    async def validate(self, properties: RawJson, allocation: Allocation) -> None: ...
    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        """The spec with Init, tags and attachments for this member. NotReadyError while its cluster can't be joined."""

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        """One answer for each instance, in order. UnavailableError: nothing is known of any."""

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        """Take the machine out of its cluster, step by step; one that is not in it is success."""


@runtime_checkable
class Joins(Protocol):
    """Flavors whose machines join a Swarm."""

    def membership(self, properties: RawJson) -> Membership | None:
        """None where machines with these properties join none: flavors may hold others."""

    async def strays(
        self, properties: RawJson, group: str, instances: Sequence[InstanceDescription], *, removed: bool = False
    ) -> Sequence[InstanceDescription]:
        """Members of the cluster that came from this group and whose machine is none of `instances`: life GONE,
        with an ID, tags and logical ID that `drain` understands. Those that the cluster still believes in are left
        out, unless the group is being `removed`. NotReadyError while there is no cluster, UnavailableError while it
        is silent."""


class GroupPlugin(Protocol):
    """InfraKit's Group interface and the texts of its errors (infrakit-compat.md 2.4, 3 and 3.8). `who`: who asked."""

    async def commit(self, group: CommittedGroup, *, pretend: bool, who: str = "") -> str:
        """Take the group as what shall be, unless it is only pretended; what that involves, in InfraKit's words."""

    async def free(self, group: str, who: str = "") -> None:
        """Forget the group and leave its machines."""

    async def describe(self, group: str) -> GroupDescription: ...
    async def destroy(self, group: str, who: str = "") -> None:
        """Remove all its machines and forget it; returns when nothing of it is left. RejectedError says what could
        not be removed yet: that is tried again until it is gone, whether or not somebody waits."""

    async def inspect(self) -> Sequence[CommittedGroup]:
        """The groups as they were committed."""


class Leadership(Protocol):
    """Which of several managers acts."""

    async def status(self) -> LeaderStatus:
        """UnavailableError where it can't be known."""


class GroupStore(Protocol):
    """The document that managers share (infrakit-compat.md 3.9). InvalidError for one that can't be read."""

    async def load(self) -> GroupDocument: ...
    async def change(self, edit: Callable[[GroupDocument], GroupDocument]) -> GroupDocument:
        """Read, edit and write, as one step; what is stored then. `edit` may be asked several times. RefusedError for
        what is too much to be kept, UnavailableError where it can't be written."""


class Fetch(Protocol):
    """Text by URL: `http:`, `https:` and `file:`."""

    async def text(self, url: str) -> str:
        """NotFoundError where there is none, UnavailableError where nobody answers, InvalidError for other schemes and
        for what is no text or is too long."""


class Plugins(Protocol):
    """Plugins by the name that a spec gives; NotFoundError names those that there are."""

    def instance(self, name: str) -> InstancePlugin: ...
    def flavor(self, name: str) -> FlavorPlugin: ...


# --- levels -----------------------------------------------------------------------------------------------------


class Actuator(Protocol):
    """A level of the house: how one kind of member is seen and changed."""

    async def observe(self, desired: Desired) -> Observed:
        """All members of the key, healths included. What does not answer is in `silent`, never left out."""

    async def create(self, desired: Desired, entry: Entry, advance: Advance) -> None: ...
    async def start(self, desired: Desired, member: Member) -> None: ...
    async def stop(self, desired: Desired, member: Member) -> None:
        """Let it serve no more, and keep it."""

    async def update(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None: ...
    async def adopt(self, desired: Desired, member: Member, advance: Advance) -> None: ...
    async def remove(self, desired: Desired, member: Member, entry: Entry, advance: Advance) -> None:
        """Drain as far as the entry's kind asks, then destroy. Resumes at the entry's phase."""


class Secrets(Protocol):
    """Keyed hashes of secret values, so that a change shows and the value does not."""

    def keyed_hash(self, value: str) -> str: ...
