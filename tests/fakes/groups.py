"""A group plugin, a store of groups and a word about who leads, as small as managers need them, with their faults."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from skep.model.errors import NotFoundError, SkepError, UnavailableError
from skep.model.group_document import GroupDocument, LeaderStatus
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, GroupDescription, InstanceDescription


def group(id: str = "cattle", size: int = 5, **properties: object) -> CommittedGroup:
    written = {
        "Allocation": {"Size": size},
        "Instance": {"Plugin": "instance-file", "Properties": properties},
        "Flavor": {"Plugin": "flavor-vanilla", "Properties": {}},
    }
    return CommittedGroup(id, RawJson(json.dumps(written).encode()))


@dataclass
class Cloud:
    """Machines by group: they outlive the group plugins that look after them."""

    machines: Counter[str] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)


@dataclass
class FakeGroups:
    """A group plugin that keeps its groups in memory and converges at once.

    `refuse`: what an act on a group (`commit x`, `pretend x`, `destroy x`, …) fails with. `slow_s`: how long it takes.
    `lose_answer`: acts that are done, and whose answer gets lost. `away`: nobody answers at all.
    """

    cloud: Cloud = field(default_factory=Cloud)
    watched: dict[str, CommittedGroup] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refuse: dict[str, SkepError] = field(default_factory=dict)
    slow_s: dict[str, float] = field(default_factory=dict)
    lose_answer: set[str] = field(default_factory=set)
    away: bool = False

    async def _call(self, what: str) -> None:
        await asyncio.sleep(self.slow_s.get(what, 0.0))
        if self.away:
            raise UnavailableError("Plugin not found: group-stateless")
        self.calls.append(what)
        if what in self.refuse:
            raise self.refuse[what]

    def _answer(self, what: str) -> None:
        if what in self.lose_answer:
            raise UnavailableError(f"no answer to {what}")

    def _required(self, id: str) -> CommittedGroup:
        if id not in self.watched:
            raise NotFoundError(f"Group '{id}' is not being watched")
        return self.watched[id]

    async def commit(self, group: CommittedGroup, *, pretend: bool, who: str = "") -> str:
        what = f"{'pretend' if pretend else 'commit'} {group.id}"
        await self._call(what)
        size = json.loads(group.properties)["Allocation"]["Size"]
        text = "Noop" if self.watched.get(group.id) == group else f"Managing {size} instances"
        if not pretend:
            self.watched[group.id] = group
            self.cloud.made[group.id] += max(0, size - self.cloud.machines[group.id])
            self.cloud.machines[group.id] = size
        self._answer(what)
        return text

    async def free(self, group: str, who: str = "") -> None:
        await self._call(f"free {group}")
        self._required(group)
        del self.watched[group]
        self._answer(f"free {group}")

    async def describe(self, group: str) -> GroupDescription:
        await self._call(f"describe {group}")
        self._required(group)
        ids = [f"{group}-{n}" for n in range(self.cloud.machines[group])]
        return GroupDescription(tuple(InstanceDescription(id) for id in ids), converged=True)

    async def destroy(self, group: str, who: str = "") -> None:
        await self._call(f"destroy {group}")
        self._required(group)
        del self.watched[group], self.cloud.machines[group]
        self._answer(f"destroy {group}")

    async def inspect(self) -> Sequence[CommittedGroup]:
        if self.away:
            raise UnavailableError("Plugin not found: group-stateless")
        return list(self.watched.values())


@dataclass
class FakeGroupStore:
    """Implements ports.GroupStore. `fails`: nothing can be written, or after so many writes nothing more."""

    document: GroupDocument = field(default_factory=GroupDocument)
    writes_left: int | None = None

    async def load(self) -> GroupDocument:
        await asyncio.sleep(0)
        return self.document

    async def change(self, edit: Callable[[GroupDocument], GroupDocument]) -> GroupDocument:
        after = edit(await self.load())
        if after != self.document:
            if self.writes_left == 0:
                raise UnavailableError("could not write the groups: No space left on device")
            self.writes_left = None if self.writes_left is None else self.writes_left - 1
        self.document = after
        return after

    def store(self, *groups: CommittedGroup) -> "FakeGroupStore":
        for one in groups:
            self.document = self.document.committed(one, "group-stateless")
        return self


@dataclass
class Throne:
    """Who leads, the same for all who ask. `unknown`: nobody can say."""

    leader: str = "alpha"
    unknown: bool = False
    hangs: bool = False


@dataclass
class FakeLeadership:
    """Implements ports.Leadership for one of those who would."""

    throne: Throne
    name: str = "alpha"

    async def status(self) -> LeaderStatus:
        await asyncio.sleep(1e9 if self.throne.hangs else 0)
        if self.throne.unknown:
            raise UnavailableError("the swarm does not have a leader")
        return LeaderStatus(self.throne.leader == self.name, self.throne.leader)
