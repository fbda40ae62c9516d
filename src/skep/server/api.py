"""The HTTP API: each route is one call of the Front."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response

from skep.model.spec import Key, Kind
from skep.model.state import Event
from skep.model.view import ChangeView, KeyView, PlanView, RevisionView
from skep.server.bodies import ApplyBody, DeleteBody, FileBody, PlanBody, ScaleBody, answer, answers
from skep.server.errors import Problem, install
from skep.server.front import Front, ImageName, Info
from skep.server.limit import BodyLimit
from skep.specs.source import SourceFile

WAIT_S_MAX = 60.0
"""A longer wait is no use: the client asks again, and a lost one is noticed."""


@dataclass(frozen=True, slots=True)
class Status:
    """Who answers, and all keys in one reading."""

    server: Info
    groups: tuple[KeyView, ...]
    workloads: tuple[KeyView, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """The name under which the engine now has the image."""

    image: str


ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": answer(Problem), "description": "What was named does not exist"},
    409: {"model": answer(Problem), "description": "Refused, or changed meanwhile"},
    413: {"model": answer(Problem), "description": "Larger than 4 MiB"},
    422: {"model": answer(Problem), "description": "Every fault of the input at once"},
    500: {"model": answer(Problem), "description": "A bug, with the ID of its log entry"},
    502: {"model": answer(Problem), "description": "An engine or plugin refused, in its own words"},
    503: {"model": answer(Problem), "description": "Try again later"},
}


def create_api(front: Front) -> FastAPI:
    """The application. Who asks is in the scope's state as `peer`, as PeerProtocol puts it there."""
    app = FastAPI(
        title="skep",
        version=front.info().version,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=ERRORS,
    )
    app.add_middleware(BodyLimit)
    install(app)
    app.include_router(_files_router(front), prefix="/v1")
    app.include_router(_status_router(front), prefix="/v1")
    for kind in Kind:
        app.include_router(_keys_router(front, kind), prefix=f"/v1/{kind}s", tags=[f"{kind}s"])
    return app


def _files_router(front: Front) -> APIRouter:
    router = APIRouter(tags=["specs"])

    @router.post("/apply", response_model=answers(ChangeView), operation_id="apply")
    async def apply(body: ApplyBody, request: Request) -> tuple[ChangeView, ...]:
        return await front.apply(_sources(body.files), _who(request), body.adopt)

    @router.post("/plan", response_model=answers(PlanView), operation_id="plan")
    async def plan(body: PlanBody) -> tuple[PlanView, ...]:
        return await front.plan(_sources(body.files))

    @router.post("/delete", response_model=answers(ChangeView), operation_id="delete")
    async def delete(body: DeleteBody, request: Request) -> tuple[ChangeView, ...]:
        return await front.delete(_sources(body.files), _who(request), body.cascade)

    return router


def _status_router(front: Front) -> APIRouter:
    router = APIRouter(tags=["status"])

    @router.get("/status", response_model=answer(Status), operation_id="status")
    async def status() -> Status:
        views = await front.views(None)
        groups, workloads = (tuple(view for view in views if view.kind == kind) for kind in Kind)
        return Status(front.info(), groups, workloads)

    @router.get("/events", response_model=answers(Event), operation_id="events")
    async def events(
        request: Request,
        since: Annotated[int, Query(ge=0)] = 0,
        wait_s: Annotated[float, Query(ge=0, le=WAIT_S_MAX)] = 0,
    ) -> tuple[Event, ...]:
        return await _until_stop(request, front.events(since, wait_s))

    @router.post("/images/{which}", response_model=answer(Image), operation_id="build_image")
    async def build_image(which: ImageName) -> Image:
        return Image(await front.build_image(which))

    return router


def _keys_router(front: Front, kind: Kind) -> APIRouter:
    router = APIRouter()

    @router.get("", response_model=answers(KeyView), operation_id=f"list_{kind}s")
    async def views() -> tuple[KeyView, ...]:
        return await front.views(kind)

    @router.get("/{name}", response_model=answer(KeyView), operation_id=f"describe_{kind}")
    async def view(name: str) -> KeyView:
        return await front.view(Key(kind, name))

    @router.delete("/{name}", response_model=answer(ChangeView), operation_id=f"remove_{kind}")
    async def remove(name: str, request: Request, cascade: bool = False) -> ChangeView:
        return await front.remove(Key(kind, name), _who(request), cascade)

    @router.post("/{name}/scale", response_model=answer(ChangeView), operation_id=f"scale_{kind}")
    async def scale(name: str, body: ScaleBody, request: Request) -> ChangeView:
        return await front.scale(Key(kind, name), body.count, _who(request))

    @router.get("/{name}/history", response_model=answers(RevisionView), operation_id=f"{kind}_history")
    async def history(name: str) -> tuple[RevisionView, ...]:
        return await front.history(Key(kind, name))

    @router.get("/{name}/spec", operation_id=f"{kind}_spec")
    async def spec(name: str) -> Response:
        return Response(await front.spec(Key(kind, name)), media_type="application/json")

    return router


def _sources(files: list[FileBody]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(file.name, file.text) for file in files)


def _who(request: Request) -> str:
    who: str = request.state.peer
    return who


async def _until_stop(request: Request, events: Coroutine[Any, Any, tuple[Event, ...]]) -> tuple[Event, ...]:
    """What `events` gives; nothing as soon as the server stops, so that nobody who listens keeps it from stopping."""
    stop: asyncio.Event = request.state.stop
    asked, stopped = asyncio.ensure_future(events), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((asked, stopped), return_when=asyncio.FIRST_COMPLETED)
        return await asked if asked.done() else ()
    finally:
        asked.cancel()
        stopped.cancel()
