"""The proxy makes the faults that it is asked for, and no others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from aiohttp import web

from skep.adapters.docker import DockerEngine
from skep.model.errors import RejectedError, UnavailableError
from tests.conditions import until
from tests.engines.proxy import Fault, Held, Proxy, cached, deaf, delayed, dropped, lost, refused, silent

T = TypeVar("T")
NAMES = "/containers/create"


class Small:
    """An engine as small as it gets: it remembers what it made, and lists it; its events are heartbeats."""

    def __init__(self) -> None:
        self.made: list[str] = []

    async def version(self, request: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.41"})

    async def create(self, request: web.Request) -> web.Response:
        assert await request.json() == {"Image": "x"}
        self.made.append(request.query["name"])
        return web.json_response({"Id": request.query["name"]}, status=201)

    async def list(self, request: web.Request) -> web.Response:
        return web.json_response(
            [{"Id": n, "Names": [f"/{n}"], "Image": "x", "State": "created", "Created": 1} for n in self.made]
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"Type":"container","Action":"start","Actor":{"ID":"1","Attributes":{}}}\n')
        await asyncio.sleep(3600)
        return response


@contextlib.asynccontextmanager
async def served(small: Small, path: Path) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/version", small.version)
    app.router.add_post("/v1.41/containers/create", small.create)
    app.router.add_get("/v1.41/containers/json", small.list)
    app.router.add_get("/v1.41/events", small.events)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path)).start()
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(tmp_path / "engine", tmp_path / "proxy").running() as proxy:
        yield proxy


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Small]:
    small = Small()
    async with served(small, tmp_path / "engine"):
        yield small


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(proxy.endpoint, read_timeout_s=2.0)
    yield engine
    await engine.close()


async def test_what_no_rule_takes_is_passed_on(proxy: Proxy, small: Small, client: DockerEngine) -> None:
    assert await client.create_container("a", {"Image": "x"}) == "a"
    assert [c.name for c in await client.containers({})] == ["a"]
    assert proxy.count("POST", NAMES) == 1


@pytest.mark.parametrize(
    ("fault", "made", "error"),
    [
        (lost, ["a"], UnavailableError),
        (dropped, [], UnavailableError),
        (refused(500, "no space left on device"), [], UnavailableError),
        (refused(400, "bad parameter"), [], RejectedError),
    ],
    ids=["lost", "dropped", "failed", "refused"],
)
async def test_a_fault_befalls_as_many_requests_as_it_shall(
    proxy: Proxy, small: Small, client: DockerEngine, fault: Fault, made: list[str], error: type[Exception]
) -> None:
    rule = proxy.add(fault, "POST", NAMES, times=1)
    with pytest.raises(error):
        await client.create_container("a", {"Image": "x"})
    assert small.made == made
    await client.create_container("b", {"Image": "x"})
    assert small.made == [*made, "b"]
    assert [call.query for call in rule.met] == ["name=a"]


async def test_a_silent_engine_says_nothing_until_the_client_gives_up(
    proxy: Proxy, small: Small, client: DockerEngine
) -> None:
    proxy.add(silent, path="/containers/json", times=1)
    with pytest.raises(UnavailableError, match="no answer in time"):
        await client.containers({})
    assert list(await client.containers({})) == []


async def test_a_delayed_request_arrives(proxy: Proxy, small: Small, client: DockerEngine) -> None:
    proxy.add(delayed(0.2), "POST", NAMES)
    creating = asyncio.ensure_future(client.create_container("a", {"Image": "x"}))
    await until(_value(lambda: proxy.count("POST", NAMES)), 1)
    assert small.made == []
    await creating
    assert small.made == ["a"]


async def test_a_cached_list_is_as_old_as_its_cache(proxy: Proxy, small: Small, client: DockerEngine) -> None:
    proxy.add(cached(60), path="/containers/json")
    await client.containers({})
    await client.create_container("a", {"Image": "x"})
    assert list(await client.containers({})) == []
    proxy.clear()
    assert [c.name for c in await client.containers({})] == ["a"]


@pytest.mark.parametrize(("answer", "made"), [(False, []), (True, ["a"])], ids=["request", "answer"])
async def test_what_is_held_is_given_to_nobody(
    proxy: Proxy, small: Small, client: DockerEngine, answer: bool, made: list[str]
) -> None:
    held = Held(answer=answer)
    proxy.add(held, "POST", NAMES, skip=1)
    await client.create_container("first", {"Image": "x"})
    creating = asyncio.ensure_future(client.create_container("a", {"Image": "x"}))
    await until(_value(held.reached.is_set), True)
    assert not creating.done()
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    assert small.made == ["first", *made]


async def test_streams_are_cut_and_kept_away_for_a_while(proxy: Proxy, small: Small, client: DockerEngine) -> None:
    stream = client.events({})
    assert [(await anext(stream)).action, (await anext(stream)).action] == ["subscribed", "start"]
    proxy.cut_streams(3600)
    with pytest.raises(UnavailableError):
        await anext(stream)
    with pytest.raises(UnavailableError):
        await anext(client.events({}))
    assert list(await client.containers({})) == []
    proxy.cut_streams(0)
    again = client.events({})
    assert (await anext(again)).action == "subscribed"
    await again.aclose()  # type: ignore[attr-defined]


async def test_a_deaf_stream_is_open_and_tells_nothing(proxy: Proxy, small: Small, client: DockerEngine) -> None:
    proxy.add(deaf, path="/events", times=1)
    stream = client.events({})
    assert (await anext(stream)).action == "subscribed"
    told = asyncio.ensure_future(anext(stream))
    assert await asyncio.wait({told}, timeout=0.5) == (set(), {told})
    told.cancel()
    await asyncio.gather(told, return_exceptions=True)
    again = client.events({})
    assert [(await anext(again)).action, (await anext(again)).action] == ["subscribed", "start"]
    await again.aclose()  # type: ignore[attr-defined]


async def test_an_engine_that_went_away_is_reached_again(proxy: Proxy, small: Small, client: DockerEngine) -> None:
    await client.containers({})
    proxy.go_away()
    with pytest.raises(UnavailableError):
        await client.containers({})
    proxy.come_back()
    await client.containers({})


def _value(read: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    async def value() -> T:
        return read()

    return value
