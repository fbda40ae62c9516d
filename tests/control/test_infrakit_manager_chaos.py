"""Managers while leadership wanders, processes are killed, plugins and stores fail: what was promised holds after it
(infrakit-compat.md 3.9). Seeds are the same in every run; SKEP_EXAMPLES explores more."""

import asyncio
import os
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from random import Random

import pytest

from skep.control.infrakit_manager import Manager
from skep.model.errors import SkepError, UnavailableError
from tests.control.manager_site import SOON_S, Site
from tests.fakes.groups import group
from tests.sim.loop import run

SEEDS = int(os.environ.get("SKEP_EXAMPLES", "60"))
HOSTS = ("alpha", "bravo", "coral")
GROUPS = ("a", "b", "c")
STEPS = 40
FAULTS = ("commit", "pretend", "destroy", "free")


class Storm:
    """One run. `promised`: the sizes that a group may have, None for no such group: one that a command was answered
    for, several after one that failed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.site = Site()
        self.managers: dict[str, Manager] = {}
        self.stacks: dict[str, AsyncExitStack] = {}
        self.promised: dict[str, set[int | None]] = {id: {None} for id in GROUPS}
        self.freed: set[str] = set()

    async def start(self, host: str) -> None:
        self.stacks[host] = AsyncExitStack()
        self.managers[host] = await self.stacks[host].enter_async_context(self.site.manager(host))

    async def restart(self, host: str) -> None:
        """The whole host: what its plugin was asked for and has not done is not done."""
        self.site.groups.pop(host).away = True
        await self.stacks[host].aclose()
        await self.start(host)

    async def weather(self) -> None:
        """Something changes every few seconds."""
        for _ in range(STEPS):
            await asyncio.sleep(self.random.uniform(0, 8))
            change = self.random.choice([self._elect, self._fail, self._crash, self._store, self._calm, self._elect])
            await change()

    async def _elect(self) -> None:
        throne = self.site.throne
        throne.leader = self.random.choice(HOSTS)
        throne.unknown, throne.hangs = self.random.random() < 0.1, self.random.random() < 0.1

    async def _fail(self) -> None:
        backend, what = self.site.backend(self.random.choice(HOSTS)), self.random.choice(FAULTS)
        act = f"{what} {self.random.choice(GROUPS)}"
        if self.random.random() < 0.4:
            backend.slow_s[act] = self.random.uniform(0, 30)
        elif self.random.random() < 0.5:
            backend.refuse[act] = UnavailableError("refused")
        else:
            backend.lose_answer.add(act)

    async def _crash(self) -> None:
        await self.restart(self.random.choice(HOSTS))

    async def _store(self) -> None:
        self.site.store.writes_left = self.random.choice([0, 1, None])

    async def _calm(self) -> None:
        self.site.throne.unknown = self.site.throne.hangs = False
        self.site.store.writes_left = None
        for backend in self.site.groups.values():
            backend.refuse.clear()
            backend.slow_s.clear()
            backend.lose_answer.clear()

    async def client(self, id: str) -> None:
        """Somebody who gives one command after the other to whoever leads."""
        while True:
            await asyncio.sleep(self.random.uniform(0, 6))
            manager = self.managers[self.site.throne.leader]
            verb = self.random.choice(["commit", "commit", "destroy", "free"])
            size = self.random.randrange(1, 9)
            wanted = size if verb == "commit" else None
            before = self.promised[id]
            self.promised[id] = before | {wanted}
            made = self.site.cloud.made[id]
            if await self._works(self._asked(manager, verb, id, size)):
                self.promised[id] = {wanted}
                assert verb != "destroy" or self.site.cloud.made[id] == made or len(before) > 1, "made to be destroyed"

    def _asked(self, manager: Manager, verb: str, id: str, size: int) -> Awaitable[object]:
        if verb == "commit":
            return manager.commit(group(id, size), pretend=False)
        return manager.destroy(id) if verb == "destroy" else manager.free(id)

    async def _works(self, asked: Awaitable[object]) -> bool:
        try:
            await asked
        except SkepError:
            return False
        return True

    async def check(self) -> None:
        """Some polls after the storm."""
        document, leader = self.site.store.document, self.site.throne.leader
        assert not document.destroying
        for host in HOSTS:
            wanted = {id: stored.group for id, stored in document.groups.items()} if host == leader else {}
            assert self.site.backend(host).watched == wanted, host
        for id in GROUPS:
            sizes = {size: group(id, size) for size in range(1, 9)}
            found = [size for size, one in sizes.items() if id in document.groups and document.groups[id].group == one]
            assert (found[0] if found else None) in self.promised[id], id
            if found:
                assert self.site.cloud.machines[id] == found[0]


async def _storm(seed: int) -> None:
    storm = Storm(seed)
    for host in HOSTS:
        await storm.start(host)
    clients = [asyncio.create_task(storm.client(id)) for id in GROUPS]
    await storm.weather()
    await storm._calm()
    for client in clients:
        client.cancel()
    ended = await asyncio.gather(*clients, return_exceptions=True)
    assert [error for error in ended if not isinstance(error, asyncio.CancelledError)] == []
    await asyncio.sleep(60 + SOON_S)
    await storm.check()
    for stack in storm.stacks.values():
        await stack.aclose()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_promised_holds_after_the_storm(seed: int) -> None:
    run(lambda: _storm(seed))
