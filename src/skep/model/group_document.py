"""What a manager remembers: the groups committed, and those being destroyed (infrakit-compat.md 3.9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from skep.model.json import RawJson
from skep.model.machine import CommittedGroup

NO_KEYS: Mapping[str, RawJson] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LeaderStatus:
    """Whether this manager is the one that acts, and who else is; `leader` is empty where nobody is, or is known."""

    leads: bool
    leader: str = ""


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group as it is remembered. `plugin` names the group plugin that it was committed to.

    `other` are keys that others wrote beside ours. `written` is the whole entry as it was read, and goes back as it
    is; empty for one that is new.
    """

    group: CommittedGroup
    plugin: str = ""
    other: Mapping[str, RawJson] = field(default_factory=lambda: NO_KEYS)
    written: bytes = b""


NO_GROUPS: Mapping[str, StoredGroup] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class GroupDocument:
    """Groups by ID. `destroying` are no longer wanted and not gone yet: whoever leads goes on destroying them.

    `other` are keys that others wrote beside ours.
    """

    groups: Mapping[str, StoredGroup] = field(default_factory=lambda: NO_GROUPS)
    destroying: Mapping[str, StoredGroup] = field(default_factory=lambda: NO_GROUPS)
    other: Mapping[str, RawJson] = field(default_factory=lambda: NO_KEYS)

    def committed(self, group: CommittedGroup, plugin: str) -> "GroupDocument":
        """With this group as what is wanted."""
        before = self.groups.get(group.id)
        entry = StoredGroup(group, plugin, before.other if before else NO_KEYS)
        return replace(self, groups={**self.groups, group.id: entry})

    def doomed(self, group: str) -> "GroupDocument":
        """With this group marked as one to destroy; as it is where it is not wanted."""
        if group not in self.groups:
            return self
        doomed = {**self.destroying, group: self.groups[group]}
        return replace(self, groups=_without(self.groups, group), destroying=doomed)

    def without(self, group: str) -> "GroupDocument":
        """Without any memory of this group."""
        return replace(self, groups=_without(self.groups, group), destroying=_without(self.destroying, group))


def _without(groups: Mapping[str, StoredGroup], group: str) -> Mapping[str, StoredGroup]:
    return {id: stored for id, stored in groups.items() if id != group}
