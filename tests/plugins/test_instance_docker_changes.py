"""When the docker plugin tells of a change: once a listing shows it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from skep.model.engine import EngineEvent
from skep.plugins.docker.instances import LISTED_S, DockerInstances
from tests.sim.loop import SimClock, run


class EngineOf:
    """Tells of one event at once, and then of nothing."""

    def __init__(self, action: str) -> None:
        self._action = action

    async def events(self, filters: Mapping[str, Sequence[str]]) -> AsyncIterator[EngineEvent]:
        assert self._action in filters["event"]
        yield EngineEvent("container", self._action, "c", {"infrakit.group": "workers"})


@pytest.mark.parametrize(("action", "told_s"), [("start", 0.0), ("die", LISTED_S), ("destroy", 0.0)])
def test_an_end_is_told_when_the_listing_has_caught_up(tmp_path: Path, action: str, told_s: float) -> None:
    clock, engine = SimClock(), EngineOf(action)

    async def node_image() -> str:
        return "i"

    async def first_change() -> tuple[str, float]:
        plugin = DockerInstances(engine, engine, "me", tmp_path, node_image, clock, routes=list)  # type: ignore[arg-type]
        name = await anext(plugin.changes())
        return name, clock.monotonic_s()

    assert run(first_change) == ("workers", told_s)
