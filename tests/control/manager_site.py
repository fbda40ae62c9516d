"""Hosts with a manager and a group plugin each, which share a store: what tests of managers work with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from skep.control.infrakit_manager import Manager
from tests.conditions import until
from tests.fakes.groups import Cloud, FakeGroups, FakeGroupStore, FakeLeadership, Throne
from tests.sim.loop import SimClock

POLL_S = 5.0
SOON_S = 2 * POLL_S


@dataclass
class Site:
    """Hosts that share a store, a word about who leads, and a cloud: a manager and a group plugin on each."""

    store: FakeGroupStore = field(default_factory=FakeGroupStore)
    throne: Throne = field(default_factory=Throne)
    cloud: Cloud = field(default_factory=Cloud)
    groups: dict[str, FakeGroups] = field(default_factory=dict)

    def backend(self, name: str = "alpha") -> FakeGroups:
        return self.groups.setdefault(name, FakeGroups(self.cloud))

    def idle_manager(self, name: str = "alpha") -> Manager:
        leadership = FakeLeadership(self.throne, name)
        return Manager(self.backend(name), "group-stateless", leadership, self.store, SimClock(), POLL_S)

    @asynccontextmanager
    async def manager(self, name: str = "alpha") -> AsyncIterator[Manager]:
        manager = self.idle_manager(name)
        running = asyncio.create_task(manager.run())
        try:
            yield manager
        finally:
            running.cancel()
            await asyncio.wait({running})

    def watched(self, name: str = "alpha") -> Callable[[], Awaitable[list[str]]]:
        async def read() -> list[str]:
            return sorted(self.backend(name).watched)

        return read

    async def until_watched(self, *ids: str, by: str = "alpha") -> None:
        await until(self.watched(by), sorted(ids), within_s=SOON_S)

    async def until_forgotten(self, id: str) -> None:
        async def read() -> bool:
            return id in self.store.document.groups or id in self.store.document.destroying

        await until(read, False, within_s=SOON_S)
