"""A Docker Engine's adapter with a classic Swarm manager behind the socket (semantics.md 5.4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngine, DockerEngines
from skep.adapters.docker_classic import classic_body, create_kind, remove_kind
from skep.control.cluster_views import static_view
from skep.control.endpoints import EngineBook
from skep.model.cluster import ClusterKind, StaticCluster
from skep.model.errors import ConflictError, NotFoundError, RejectedError, SkepError, UnavailableError
from tests.fakes.classic_swarm import UNREPORTED, ClassicSwarm
from tests.fakes.classic_swarm_ways import serving
from tests.fakes.kernel import QUICK
from tests.sim.world import World

BODY = {"Image": "web:1", "Labels": {"skep.controller": "a"}}


class Behind:
    """A manager at `url` of two simulated engines, and the adapter on it."""

    def __init__(self, world: World, manager: ClassicSwarm, url: str) -> None:
        self.world, self.manager, self.url = world, manager, url
        self.engine = DockerEngine(url)


@asynccontextmanager
async def manager(path: Path) -> AsyncIterator[Behind]:
    world = World(SystemClock(), Random(1), timings=QUICK)
    for name in ("alpha", "beta"):
        world.add_engine(name, "web:1")
    engines = {name: world.engines.engine(f"sim://{name}") for name in world.alone}
    async with ClassicSwarm(engines, SystemClock(), Random(1)).running() as swarm, serving(swarm, path) as url:
        behind = Behind(world, swarm, url)
        yield behind
        await behind.engine.close()


async def test_it_is_shown_as_a_classic_swarm(tmp_path: Path) -> None:
    """As `skep cluster ls` does."""
    async with manager(tmp_path / "s") as behind:
        engines = DockerEngines()
        book = EngineBook([StaticCluster("old", (behind.url,))], engines, SystemClock(), lambda name: None)
        view = static_view(await book.sight("old"))
        assert (view.kind, view.engines[0].state) == (ClusterKind.CLASSIC, "answering")
        assert (view.engines[0].version, view.engines[0].api_version) == ("swarm/1.2.9", "1.40")
        await engines.close()


async def test_a_container_is_made_listed_started_stopped_and_removed(tmp_path: Path) -> None:
    """Its name is told without its node, stopped ones are asked for, and a start of one that runs is no 304."""
    async with manager(tmp_path / "s") as behind:
        engine = behind.engine
        id = await engine.create_container("web.1", BODY)
        assert await states(engine) == ["created", "created"]
        await engine.start_container(id)
        await engine.start_container(id)
        assert await states(engine) == ["running", "running"]
        await engine.stop_container(id, 1)
        assert await states(engine) == ["exited", "exited"]
        await engine.remove_container(id)
        await engine.remove_container(id)
        assert await engine.containers({}) == []
        assert await engine.container(id) is None


async def states(engine: DockerEngine) -> list[str]:
    """As it is listed and as it is inspected."""
    [listed] = await engine.containers({"skep.controller": "a"})
    inspected = await engine.container("web.1")
    assert inspected is not None
    assert (listed.name, listed.id) == (inspected.name, inspected.id) == ("web.1", listed.id)
    return [listed.state, inspected.state]


async def test_a_name_is_one_in_the_whole_cluster(tmp_path: Path) -> None:
    async with manager(tmp_path / "s") as behind:
        await behind.engine.create_container("web.1", BODY)
        with pytest.raises(ConflictError, match="already assigned"):
            await behind.engine.create_container("web.1", BODY)


async def test_a_creation_that_was_not_reported_back_is_an_unknown_one(tmp_path: Path) -> None:
    """5.4, 6; W26: it happened, and nobody knows of it before the next refresh."""
    async with manager(tmp_path / "s") as behind:
        behind.manager.unreported = 1
        with pytest.raises(UnavailableError, match=UNREPORTED):
            await behind.engine.create_container("web.1", BODY)
        assert await behind.engine.container("web.1") is None
        await behind.manager.refresh()
        assert await behind.engine.container("web.1") is not None


async def test_cores_are_asked_for_and_not_weights(tmp_path: Path) -> None:
    """5.4, 7: each core is a weight of 1024 here."""
    async with manager(tmp_path / "s") as behind:
        await behind.engine.create_container("web.1", {**BODY, "HostConfig": {"CpuShares": 1536}})
        asked = json.loads(behind.manager.asked[-1].body)
        assert asked["HostConfig"] == {"CpuShares": 2}
        with pytest.raises(RejectedError, match="no resources available"):
            await behind.engine.create_container("web.2", {**BODY, "HostConfig": {"CpuShares": 99 * 1024}})


async def test_the_registry_is_told_of_by_the_creation(tmp_path: Path) -> None:
    """5.4, 6: a missing image is pulled by it."""
    async with manager(tmp_path / "s") as behind:
        with pytest.raises(RejectedError, match="manifest unknown"):
            await behind.engine.create_container("web.1", {"Image": "none:1"})
        behind.world.registry["some:1"] = "sha256:1"
        assert await behind.engine.create_container("web.1", {"Image": "some:1"})


async def test_what_its_engine_has_no_more_is_removed(tmp_path: Path) -> None:
    async with manager(tmp_path / "s") as behind:
        id = await behind.engine.create_container("web.1", BODY)
        for host in behind.world.alone.values():
            host.containers.clear()
        assert len(await behind.engine.containers({})) == 1
        await behind.engine.remove_container(id)


async def test_what_is_on_an_engine_that_is_away_is_unknown(tmp_path: Path) -> None:
    """5.4, 2: `Host Down`, and only if all are asked for."""
    async with manager(tmp_path / "s") as behind:
        id = await behind.engine.create_container("web.1", BODY)
        for host in behind.world.alone.values():
            host.halt()
        await behind.manager.refresh()
        [found] = await behind.engine.containers({})
        assert (found.id, found.state, found.status) == (id, "unknown", "Host Down")
        with pytest.raises(UnavailableError, match="running on unhealthy node"):
            await behind.engine.container(id)


async def test_events_are_those_from_now_on_of_whom_was_asked_for(tmp_path: Path) -> None:
    """5.4, 4: it sends everything, and nothing of before."""
    async with manager(tmp_path / "s") as behind:
        before = await behind.engine.create_container("web.1", BODY)
        events = behind.engine.events({"type": ["container"], "label": ["skep.controller=a"], "event": ["start"]})
        assert (await anext(events)).action == "subscribed"
        other = await behind.engine.create_container("other", {"Image": "web:1"})
        await behind.engine.start_container(other)
        await behind.engine.start_container(before)
        async with asyncio.timeout(30):
            event = await anext(events)
        assert (event.action, event.id) == ("start", before)
        await events.aclose()  # type: ignore[attr-defined]


async def test_a_swarm_it_is_not(tmp_path: Path) -> None:
    async with manager(tmp_path / "s") as behind:
        for question in (behind.engine.nodes, behind.engine.services, behind.engine.join_tokens):
            with pytest.raises(NotFoundError, match="page not found"):
                await question()
        with pytest.raises(NotFoundError, match="page not found"):
            await behind.engine.tasks({})


async def test_a_replica_without_a_primary_is_given_up(tmp_path: Path) -> None:
    """5.4, 8: it takes the request and answers nothing."""
    async with manager(tmp_path / "s") as behind:
        await behind.engine.info()
        engine = DockerEngine(behind.url, read_timeout_s=0.05)
        behind.manager.elected.clear()
        with pytest.raises(UnavailableError, match="no answer in time"):
            await engine.info()
        behind.manager.elected.set()
        await engine.close()


@pytest.mark.parametrize(("shares", "cores"), [(1, 1), (512, 1), (1024, 1), (1025, 2), (4096, 4)])
def test_a_part_of_a_core_is_a_whole_one(shares: int, cores: int) -> None:
    body = classic_body({"Image": "i", "HostConfig": {"CpuShares": shares, "Memory": 1}})
    assert body == {"Image": "i", "HostConfig": {"CpuShares": cores, "Memory": 1}}


def test_who_asks_for_no_cores_gets_what_he_wrote() -> None:
    for body in ({"Image": "i"}, {"Image": "i", "HostConfig": {"Memory": 1}}):
        assert classic_body(body) == body  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (500, "no resources available to schedule container", RejectedError),
        (500, "Unable to find a node that satisfies the following conditions", RejectedError),
        (500, "pull access denied for web, repository does not exist", RejectedError),
        (500, 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup failed', RejectedError),
        (409, "Conflict: The name web is already assigned.", ConflictError),
        (500, UNREPORTED, UnavailableError),
        (500, "No healthy node available in the cluster", UnavailableError),
        (404, "network backend not found", NotFoundError),
    ],
)
def test_what_an_answer_to_a_creation_means(status: int, message: str, kind: type[SkepError]) -> None:
    assert issubclass(create_kind(status, message), kind)


def test_what_an_answer_to_a_removal_means() -> None:
    assert remove_kind(500, "Error response from daemon: No such container: 1") is NotFoundError
    assert remove_kind(409, "removal of container 1 is already in progress") is ConflictError
