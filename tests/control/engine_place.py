"""A cluster of the settings whose engines answer what a test tells them to."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from skep.control.endpoints import EngineBook
from skep.model.cluster import ClusterSight, EngineState, StaticCluster
from skep.model.engine import EngineInfo
from skep.model.errors import UnavailableError
from tests.sim.loop import SimClock, run


def info(
    swarm_state: str = "inactive", control: bool = False, cluster_id: str = "", error: str = "", classic: bool = False
) -> EngineInfo:
    return EngineInfo(
        "id", "host", "1", "1.41", "Linux", swarm_state, "", "", control, cluster_id, error, "2", "overlay2", {},
        classic=classic,
    )  # fmt: skip


PLAIN = info()
MANAGER = info("active", True, "swarm-1")
NO_QUORUM = info("active", error="The swarm does not have a leader")
WORKER = info("active")
CLASSIC = info(classic=True)


class Place:
    """Engines that answer what is put into `answers`: an info, an error, or None for a call that hangs."""

    def __init__(self, *endpoints: str, answer: EngineInfo | Exception | None = PLAIN) -> None:
        self.clock, self.asked = SimClock(), Counter[str]()
        self.answers: dict[str, EngineInfo | Exception | None] = dict.fromkeys(endpoints, answer)
        self.told: list[str] = []
        self.book = EngineBook([StaticCluster("lab", endpoints)], self, self.clock, self.told.append)  # type: ignore[arg-type]

    def engine(self, endpoint: str) -> "Asked":
        return Asked(self, endpoint)

    async def sight(self) -> ClusterSight:
        return await self.book.sight("lab")

    async def states(self) -> dict[str, EngineState]:
        return {e.source: e for e in (await self.sight()).engines}

    async def watched(self, seconds: float) -> ClusterSight:
        """As turns that look each second do."""
        for _ in range(int(seconds)):
            await self.sight()
            await self.clock.sleep(1.0)
        return await self.sight()


class Asked:
    def __init__(self, place: Place, endpoint: str) -> None:
        self._place, self.endpoint = place, endpoint

    async def info(self) -> EngineInfo:
        self._place.asked[self.endpoint] += 1
        answer = self._place.answers[self.endpoint]
        if answer is None:
            await asyncio.sleep(1000.0)
        if isinstance(answer, EngineInfo):
            return answer
        raise answer or AssertionError


GONE = UnavailableError("connection refused")
FIVE = tuple(f"tcp://e{n}:2375" for n in range(5))


def in_place(place: Callable[[], Place], body: Callable[[Place], Awaitable[None]]) -> None:
    async def main() -> None:
        await body(place())

    run(main)
