"""A controller, a cluster of engines and an observer, for tests of containers in virtual time."""

from collections.abc import Awaitable, Callable

import structlog

from skep.model.state import Condition, ConditionType
from tests.fakes.host import FakeContainer
from tests.fakes.kernel import Faults
from tests.sim.container_hosts import AloneHost
from tests.sim.container_run import farm
from tests.sim.container_watch import ContainerWatch, wrong_in_containers
from tests.sim.controller import Simulation, workload
from tests.sim.loop import run

HOUR_S = 3600.0


class Farm:
    """A controller, a cluster of engines, the observer, and what tests ask of them."""

    def __init__(self, sim: Simulation) -> None:
        self.sim, self.world, self.clock = sim, sim.world, sim.clock
        self.watch = ContainerWatch(sim.world)
        self.wanted: dict[str, tuple[int, str]] = {}

    @property
    def hosts(self) -> list[AloneHost]:
        return list(self.world.alone.values())

    async def apply(
        self, count: int, image: str = "web:1", name: str = "web", surge: int | None = None, **more: object
    ) -> None:
        self.watch.asked(name, count, surge)
        self.wanted[name] = count, image
        await self.sim.apply(workload(name, count, image) | more)

    async def up(self, count: int, image: str = "web:1", name: str = "web", **more: object) -> None:
        await self.apply(count, image, name, **more)
        await self.right(60)

    async def right(self, within_s: float) -> None:
        """Until the engines themselves show what is wanted, and skep says so."""
        deadline_s = self.now_s + within_s
        while wrong := wrong_in_containers(self.world, self.wanted):
            assert self.now_s < deadline_s, f"after {within_s:.0f} s {wrong}\n{self.tail()}"
            await self.clock.sleep(0.1)
        await self.sim.converged(within_s)

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_s()

    def tail(self) -> str:
        return "\n".join(self.world.kernel.history[-40:])

    def containers(self, name: str = "web") -> list[tuple[AloneHost, FakeContainer]]:
        found = [(host, c) for host in self.hosts for c in host.containers.values()]
        return [(h, c) for h, c in found if c.shown.labels.get("skep.workload") == name and c.shown.state == "running"]

    def made_s(self) -> list[float]:
        """When each container was made, on any engine, whether its answer was heard or not."""
        lines = [line.split() for line in self.world.kernel.history]
        return [float(words[0]) for words in lines if words[2] == "container" and words[4] == "created"]

    def kill(self, count: int, name: str = "web") -> None:
        for host, container in self.containers(name)[:count]:
            host.end(container)

    def attempts(self, act: str, host: str = "") -> list[float]:
        """When each act of this kind (create, start, fetch) was begun, on one engine or on all."""
        lines = [line.split() for line in self.world.kernel.history if line.endswith(f"sim://{host}") or not host]
        return [float(words[0]) for words in lines if words[1:3] == ["..", act]]

    async def condition(self, type: ConditionType) -> Condition | None:
        [view] = [v for v in await self.sim.views() if v.name == "web"]
        return next((c for c in view.conditions if c.type is type and c.status), None)


Body = Callable[[Farm], Awaitable[None]]


def farmed(
    body: Body, engines: int = 1, faults: Faults | None = None, max_virtual_s: float = 3 * HOUR_S, seed: int = 1
) -> Farm:
    """Run it; the observer must have nothing to say, and no turn may break a promise."""

    async def main() -> Farm:
        new = Farm(farm(seed, engines, faults))
        async with new.sim.running():
            await body(new)
        return new

    with structlog.testing.capture_logs() as logs:
        done = run(main, max_virtual_s)
    assert not done.world.violations, f"{done.world.violations[0]}\n{done.tail()}"
    bugs = [line for line in logs if line["log_level"] in ("error", "critical")]
    assert not bugs, bugs[0]
    return done
