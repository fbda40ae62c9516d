"""What group, instance and flavor plugins exchange: InfraKit's objects (infrakit-compat.md 2.4) as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from skep.model.json import NULL, RawJson
from skep.model.state import Health, Life, Role

NO_TAGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something outside the machine that it is given, such as a disk; instance plugins know the types."""

    id: str
    type: str


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What an instance plugin is asked to make. `init` is a shell script and may hold a join token."""

    properties: RawJson = NULL
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    init: str = field(default="", repr=False)
    logical_id: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceDescription:
    """What an instance plugin says of a machine. Plugins that know no more than InfraKit's say RUNNING."""

    id: str
    logical_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    life: Life = Life.RUNNING
    created_s: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MemberHealth:
    """What a flavor says of a machine; `leader` is True for a Swarm's leading manager."""

    health: Health
    leader: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Membership:
    """What machines with these flavor properties are, and of which cluster; an empty name means the only one.

    `elsewhere`: workers of a Swarm that is no cluster of ours.
    """

    role: Role
    cluster: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class CommittedGroup:
    """A group as InfraKit's Group interface takes it: an ID, and properties that only the group plugin reads."""

    id: str
    properties: RawJson = NULL


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """The machines of a group as its instance plugin lists them. `converged`: all are there, current and healthy.

    `error`: what went wrong last and is not mended yet; empty where nothing did, and from InfraKit's programs.
    """

    instances: tuple[InstanceDescription, ...] = ()
    converged: bool = False
    error: str = ""
