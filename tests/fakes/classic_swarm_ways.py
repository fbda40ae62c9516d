"""Two ways to a classic Swarm manager of this process: a unix socket that speaks HTTP, and none at all."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from skep.adapters.docker import DockerEngine
from skep.adapters.docker_errors import engine_error
from skep.adapters.docker_wire import STREAM_TIMEOUT_S, Lane, Request, Wire
from skep.model.cluster import StaticCluster
from skep.model.errors import UnavailableError
from tests.fakes.classic_swarm import Answer, Asked, ClassicSwarm

CLASSIC = StaticCluster("classic", ("unix:///classic",))
"""What the settings call a manager that is reached without a socket."""

_VERSION = re.compile(r"^/(v\d+\.\d+/)?")


@asynccontextmanager
async def serving(manager: ClassicSwarm, path: Path) -> AsyncIterator[str]:
    """The manager's API on a unix socket; its URL."""

    async def serve(request: web.Request) -> web.StreamResponse:
        path = _VERSION.sub("", request.rel_url.raw_path)
        if request.method == "GET" and path == "events":
            return await _stream(manager, request)
        auth = request.headers.get("X-Registry-Auth", "")
        answer = await manager.answer(Asked(request.method, path, dict(request.query), await request.read(), auth))
        return web.Response(status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    try:
        yield f"unix://{path}"
    finally:
        await runner.cleanup()


async def _stream(manager: ClassicSwarm, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    events = manager.events()
    await manager.elected.wait()
    await response.prepare(request)
    async for line in events:
        await response.write(line)
    return response


class _Direct(Wire):
    """The manager's answers without a socket, for a loop whose time is virtual."""

    def __init__(self, manager: ClassicSwarm) -> None:
        super().__init__(CLASSIC.endpoints[0])
        self._manager, self.classic = manager, True

    async def version(self) -> str:
        return "1.40"

    async def _call(self, request: Request, timeout_s: float, lane: Lane) -> bytes:
        """What was asked is done, also when whoever asked is killed or waits no longer."""
        data = request.data if isinstance(request.data, bytes) else b""
        asked = Asked(request.method, request.path, dict(request.query), data, request.registry_auth)
        doing: asyncio.Task[Answer] = asyncio.create_task(self._manager.answer(asked), name=request.what)
        try:
            answer = await asyncio.wait_for(asyncio.shield(doing), timeout_s)
        except TimeoutError as error:
            raise UnavailableError(f"could not {request.what}: no answer in time") from error
        if answer.status >= 400:
            raise engine_error(answer.status, answer.body.decode(), request.what, self.endpoint, request.meaning)
        return answer.body

    @asynccontextmanager
    async def stream(
        self, request: Request, timeout_s: float | None = STREAM_TIMEOUT_S
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        assert request.path == "events"
        yield self._manager.events()


class DirectEngine(DockerEngine):
    """The adapter that users have, over a manager of this process."""

    def __init__(self, manager: ClassicSwarm) -> None:
        super().__init__(CLASSIC.endpoints[0])
        self._wire = _Direct(manager)


class DirectEngines:
    """ports.Engines with the manager alone."""

    def __init__(self, manager: ClassicSwarm) -> None:
        self._engine = DirectEngine(manager)

    def engine(self, endpoint: str) -> DirectEngine:
        assert endpoint == self._engine.endpoint
        return self._engine
