"""What workloads promise, on simulated engines, one real Engine, three, behind a classic Swarm manager, and on Swarm
mode simulated and real."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngine, DockerEngines
from skep.adapters.node_image import build_example_image
from skep.control.hidden import CLASSIC_AGE_S
from skep.model.cluster import ClusterKind, StaticCluster
from skep.model.engine import Container
from skep.ports import Clock, Engine, Engines
from tests.contract.engine_bed import swarm_of_two
from tests.contract.workload_bed import IMAGE, OTHER_IMAGE, STATE_LABEL, Bed, Check, Replica, engine_bed
from tests.contract.workload_descriptions import DESCRIPTION_CHECKS
from tests.contract.workload_global import GLOBAL_CHECKS
from tests.contract.workload_jobs import JOB_CHECKS
from tests.contract.workload_lives import lives
from tests.contract.workload_owners import OWNER_CHECKS, SERVICE_OWNER_CHECKS
from tests.contract.workload_tries import SERVICE_TROUBLE_CHECKS, TRY_CHECKS
from tests.contract.workloads import CHECKS, ENGINE_CHECKS
from tests.engines.host import HostEngine
from tests.engines.machines import open_machines
from tests.fakes.classic_swarm import ClassicSwarm
from tests.fakes.classic_swarm_ways import CLASSIC, DirectEngines, serving
from tests.sim.container_run import farm
from tests.sim.controller import Life, Simulation, simulation
from tests.sim.loop import run
from tests.sim.test_world import swarm_of

NewBed = Callable[[], Bed]
"""A bed of its own for a check, on a cluster that is there."""

AT_ONCE = 6
"""Checks at the same time on a real cluster."""

IMAGES = (IMAGE, OTHER_IMAGE)
COMMON = [*CHECKS, *JOB_CHECKS, *TRY_CHECKS, *DESCRIPTION_CHECKS]
EVERY = [*COMMON, *ENGINE_CHECKS]
WITH_OWNERS = [*EVERY, *OWNER_CHECKS]
ON_SWARM = [*COMMON, *GLOBAL_CHECKS, *SERVICE_OWNER_CHECKS, *SERVICE_TROUBLE_CHECKS]


def named(check: Check) -> str:
    return check.__name__


# --- simulated --------------------------------------------------------------------------------------------------------


def simulated(check: Check, make: Callable[[], Awaitable[Bed]], around: AsyncExitStack | None = None) -> None:
    async def main() -> None:
        async with around or AsyncExitStack():
            bed = await make()
            await bed.start()
            try:
                await check(bed)
            finally:
                await bed.life.kill()

    run(main)


def begun(sim: Simulation) -> Callable[[], Awaitable[Life]]:
    async def begin() -> Life:
        life = sim.begin()
        await life.ready()
        return life

    return begin


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("check", [*WITH_OWNERS, *GLOBAL_CHECKS], ids=named)
def test_on_simulated_engines(check: Check, count: int) -> None:
    async def make() -> Bed:
        sim = farm(1, count)
        for host in sim.world.alone.values():
            host.images.update({image: f"sha256:{image}" for image in IMAGES})
        engines = [sim.world.engines.engine(f"sim://{name}") for name in sim.world.alone]
        return engine_bed(ClusterKind.ENGINE, "farm", engines, sim.clock, begun(sim))

    simulated(check, make)


@pytest.mark.parametrize("check", ON_SWARM, ids=named)
def test_on_a_simulated_swarm(check: Check) -> None:
    async def make() -> Bed:
        sim = simulation(1)
        machines = await swarm_of(sim.world, 1, 1)
        for machine in machines:
            machine.host.images.update({image: f"sha256:{image}" for image in IMAGES})
        sim.static = (StaticCluster("swarm", (f"sim://{machines[0].id}",)),)
        [swarm] = sim.world.swarms()

        async def look(workload: str) -> Sequence[Replica]:
            service = swarm.services.find(workload)
            nodes = [m.host.node_id for m in machines]
            return [
                Replica(
                    nodes.index(t.node_id),
                    Container(t.container_id, "", t.image, t.state, {STATE_LABEL: workload}, 0.0),
                )
                for t in (service.tasks if service else ())
                if t.container_id
            ]

        async def kill(replica: Replica) -> None:
            swarm.services.kill(replica.id)

        engines = [sim.world.engine(machine) for machine in machines]
        return Bed(ClusterKind.SWARM, "swarm", engines, sim.clock, begun(sim), look, kill, kill)

    simulated(check, make)


@pytest.mark.parametrize("check", WITH_OWNERS, ids=named)
def test_behind_a_simulated_classic_swarm_manager(check: Check) -> None:
    """5.4: its lists are up to a minute old, and events have to make up for it."""
    tasks = AsyncExitStack()

    async def make() -> Bed:
        sim = farm(1, 3)
        for host in sim.world.alone.values():
            host.images.update({image: f"sha256:{image}" for image in IMAGES})
        engines = {name: sim.world.engines.engine(f"sim://{name}") for name in sim.world.alone}
        manager = await tasks.enter_async_context(ClassicSwarm(engines, sim.clock, sim.random).running())
        return classic_bed(DirectEngines(manager), CLASSIC.endpoints[0], list(engines.values()), sim.clock)

    simulated(check, make, tasks)


# --- real -----------------------------------------------------------------------------------------------------------


def real_bed(kind: ClusterKind, engines: DockerEngines, sockets: Sequence[Path], managers: int | None = None) -> Bed:
    """A cluster of the engines at these sockets, of a Swarm the first few, which are its managers."""
    urls = tuple(f"unix://{socket}" for socket in sockets)
    static = (StaticCluster("real", urls[:managers]),)
    looking = [engines.engine(url) for url in urls]
    return engine_bed(kind, "real", looking, SystemClock(), lives(engines, static, SystemClock()))


def classic_bed(
    engines: Engines, manager: str, looking: Sequence[Engine], clock: Clock, age_s: float = CLASSIC_AGE_S
) -> Bed:
    """The cluster is the manager at this URL; what is on its engines is looked for there."""
    static = (StaticCluster("classic", (manager,)),)
    return engine_bed(ClusterKind.CLASSIC, "classic", looking, clock, lives(engines, static, clock, age_s))


@asynccontextmanager
async def one_engine(host: HostEngine) -> AsyncIterator[NewBed]:
    engines = DockerEngines()
    await _build_images(engines.engine(host.endpoint))
    yield lambda: real_bed(ClusterKind.ENGINE, engines, [host.folder / "docker.sock"])
    await engines.close()


@asynccontextmanager
async def three_engines(host: HostEngine, node_image: str) -> AsyncIterator[NewBed]:
    async with open_machines(host, node_image) as machines:
        await _build_images(machines.engines.engine(host.endpoint))
        sockets = await machines.alone(3, *IMAGES)
        yield lambda: real_bed(ClusterKind.ENGINE, machines.engines, sockets)


@asynccontextmanager
async def classic_swarm(host: HostEngine, node_image: str) -> AsyncIterator[NewBed]:
    """Its memory is older than what most checks do, and never as old as a real one's: that is for virtual time."""
    async with open_machines(host, node_image) as machines:
        await _build_images(machines.engines.engine(host.endpoint))
        sockets = await machines.alone(3, *IMAGES)
        nodes = {f"node{n}": machines.engines.engine(f"unix://{socket}") for n, socket in enumerate(sockets)}
        manager = ClassicSwarm(nodes, SystemClock(), random.Random(1), refresh_s=(2.0, 4.0))
        async with manager.running(), serving(manager, host.folder / "classic.sock") as url:
            yield lambda: classic_bed(machines.engines, url, list(nodes.values()), SystemClock(), age_s=5.0)


@asynccontextmanager
async def swarm(host: HostEngine, node_image: str) -> AsyncIterator[NewBed]:
    async with open_machines(host, node_image) as machines:
        await _build_images(machines.engines.engine(host.endpoint))
        two = await swarm_of_two(machines.plugin, machines.engines, "")
        for machine in await machines.plugin.describe({}):
            await machines.plugin.load_images(machine.id, IMAGES)
        sockets = [Path(engine.endpoint.removeprefix("unix://")) for engine in (two.manager, two.worker)]
        yield lambda: real_bed(ClusterKind.SWARM, machines.engines, sockets, managers=1)


async def _build_images(engine: DockerEngine) -> None:
    for image in IMAGES:
        await build_example_image(engine, image)


class OnReal:
    """Runs checks on a real cluster, which they share: all of them side by side, for most of the time they wait. Each
    has a controller of its own, which its test waits for."""

    def __init__(self, runner: asyncio.Runner, new_bed: NewBed, checks: Sequence[Check]) -> None:
        self._runner, self._new_bed, self._turns = runner, new_bed, asyncio.Semaphore(AT_ONCE)
        loop = runner.get_loop()
        self._tasks = {check: loop.create_task(self._checked(check), name=named(check)) for check in checks}

    async def _checked(self, check: Check) -> None:
        async with self._turns:
            bed = self._new_bed()
            await bed.start()
            try:
                await check(bed)
            finally:
                await bed.life.kill()

    def __call__(self, check: Check) -> None:
        self._runner.run(self._outcome(check))

    async def _outcome(self, check: Check) -> None:
        await self._tasks[check]

    async def end(self) -> None:
        """Nobody waits for the others any more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@contextmanager
def on(context: AbstractAsyncContextManager[NewBed], request: pytest.FixtureRequest) -> Iterator[OnReal]:
    """For the checks of all tests that asked for it and will run."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = [i.callspec.params["check"] for i in items if request.fixturename in i.fixturenames]
    with asyncio.Runner() as runner:
        new_bed = runner.run(context.__aenter__())
        try:
            on_real = OnReal(runner, new_bed, wanted)
            yield on_real
            runner.run(on_real.end())
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def on_one(request: pytest.FixtureRequest, host_engine: HostEngine) -> Iterator[OnReal]:
    with on(one_engine(host_engine), request) as on_real:
        yield on_real


@pytest.fixture(scope="module")
def on_three(request: pytest.FixtureRequest, host_engine: HostEngine, node_image: str) -> Iterator[OnReal]:
    with on(three_engines(host_engine, node_image), request) as on_real:
        yield on_real


@pytest.fixture(scope="module")
def on_classic(request: pytest.FixtureRequest, host_engine: HostEngine, node_image: str) -> Iterator[OnReal]:
    with on(classic_swarm(host_engine, node_image), request) as on_real:
        yield on_real


@pytest.fixture(scope="module")
def on_swarm(request: pytest.FixtureRequest, host_engine: HostEngine, node_image: str) -> Iterator[OnReal]:
    with on(swarm(host_engine, node_image), request) as on_real:
        yield on_real


@pytest.mark.docker
@pytest.mark.parametrize("check", [*WITH_OWNERS, *GLOBAL_CHECKS], ids=named)
def test_on_one_engine(check: Check, on_one: OnReal) -> None:
    on_one(check)


@pytest.mark.docker
@pytest.mark.parametrize("check", [*EVERY, *GLOBAL_CHECKS], ids=named)
def test_on_three_engines(check: Check, on_three: OnReal) -> None:
    on_three(check)


@pytest.mark.docker
@pytest.mark.parametrize("check", EVERY, ids=named)
def test_behind_a_classic_swarm_manager(check: Check, on_classic: OnReal) -> None:
    on_classic(check)


@pytest.mark.docker
@pytest.mark.parametrize("check", ON_SWARM, ids=named)
def test_on_a_swarm(check: Check, on_swarm: OnReal) -> None:
    on_swarm(check)
