"""What tests of the plugin `vagrant` share: specs, and what they ask about its machines."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from skep.model.json import RawJson
from skep.model.machine import InstanceSpec
from skep.model.state import Life
from skep.plugins.vagrant import VagrantInstances
from tests.conditions import until
from tests.fakes.vagrant import FakeVagrant

Restart = Callable[[], Awaitable[VagrantInstances]]
"""Gives the plugin of a new process; the one before is gone."""


class HandClock:
    """Sleeps end when the test says so; those of no time end at once."""

    def __init__(self) -> None:
        self.asked_s: list[float] = []
        self._ends: asyncio.Queue[None] = asyncio.Queue()

    def monotonic_s(self) -> float:
        return 0.0

    def wall_s(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.asked_s.append(seconds)
        if seconds:
            await self._ends.get()

    def end_one(self) -> None:
        self._ends.put_nowait(None)


def spec(request: str = "", init: str = "echo hello", logical_id: str | None = None, **more: object) -> InstanceSpec:
    """With the properties that are `more`."""
    tags = {"infrakit.group": "g"} | ({"skep.request": request} if request else {})
    properties = RawJson(json.dumps({"Box": "box"} | more).encode())
    return InstanceSpec(properties, tags, init, logical_id)


def names(folder: Path) -> list[str]:
    """What is in the folder; nothing if it is not there."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def lives(plugin: VagrantInstances) -> dict[str, Life]:
    """The machines as they are listed."""
    return {item.id: item.life for item in await plugin.describe({})}


async def coming_up(vagrant: FakeVagrant, count: int) -> None:
    """Return when so many machines have begun to come up, or ended it."""
    await until(lambda: asyncio.to_thread(lambda: len(vagrant.course())), count)


async def cut_off(plugin: VagrantInstances, vagrant: FakeVagrant, request: str) -> str:
    """A machine that was coming up when its process died; its name."""
    vagrant.hang()
    begun = len(vagrant.course())
    task = asyncio.create_task(plugin.provision(spec(request)))
    await coming_up(vagrant, begun + 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    vagrant.go_on()
    return vagrant.course()[begun].split()[1]
