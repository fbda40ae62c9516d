"""Ten thousand submits of one name: a handful of looks at the world, and the last one's state (W2, 6.2)."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from skep.adapters.store_memory import MemoryStore
from skep.control.core import Core
from skep.specs.source import SourceFile
from tests.sim.container_run import farm
from tests.sim.loop import run

SUBMITS = 10_000
LAST = 3
MORE_MAX = 2
"""Looks beside those of a single submit: one that was under way, and one that is queued behind it."""

Submit = Callable[[Core, list[SourceFile]], Awaitable[None]]


async def _in_turn(core: Core, files: list[SourceFile]) -> None:
    for file in files:
        await core.apply([file], "ann")


async def _at_once(core: Core, files: list[SourceFile]) -> None:
    await asyncio.gather(*(core.apply([file], "ann") for file in files))


def _file(count: int) -> SourceFile:
    return SourceFile("submit", json.dumps({"Name": "web", "Image": "web:1", "Count": count}))


def _looks(submit: Submit, submits: int) -> int:
    """How often the engine was asked for its containers until all was as the last submit said: once in every turn.

    Each submit is a generation all the same, and none is told that somebody else was first.
    """

    async def main() -> int:
        sim = farm(1, 1)
        async with sim.running() as core:
            with capture_logs():
                await submit(core, [*(_file(4 + number % 50) for number in range(submits - 1)), _file(LAST)])
            while not (view := (await core.views())[0]).converged:
                await sim.clock.sleep(0.1)
        assert (sim.world.kernel.acts["create container"], view.current, view.generation) == (LAST, LAST, submits)
        return sum(" list " in line for line in sim.world.kernel.history)

    return run(main)


@pytest.mark.parametrize("submit", [_in_turn, _at_once], ids=["one after the other", "all at once"])
def test_ten_thousand_submits_of_one_name_are_a_handful_of_looks(submit: Submit) -> None:
    assert _looks(submit, SUBMITS) <= _looks(submit, 1) + MORE_MAX


class SlowAboutEvents(MemoryStore):
    """Takes an hour for each of them."""

    async def put(self, key: str, value: bytes, *, version: int | None = None, term: int | None = None) -> int:
        if key.startswith("event/"):
            await asyncio.sleep(3600)
        return await super().put(key, value, version=version, term=term)


def test_who_submits_waits_for_the_spec_alone_to_be_on_the_disk() -> None:
    async def main() -> None:
        sim = farm(1, 1)
        sim.store = SlowAboutEvents()
        async with sim.running() as core:
            with capture_logs():
                asked_s = sim.clock.monotonic_s()
                await core.apply([_file(LAST)], "ann")
                assert sim.clock.monotonic_s() - asked_s < 1

    run(main)
