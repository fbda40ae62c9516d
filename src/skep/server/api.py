"""The HTTP API: each route is one call of the Front."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from skep.model.request import ApplyOptions
from skep.model.spec import Key, Kind
from skep.model.state import Event
from skep.model.view import ChangeView, ClusterView, KeyView, PlanView, RevisionView
from skep.server.answers import EVERYWHERE, JsonLine, problems
from skep.server.asking import until_stop, who
from skep.server.bodies import (
    ApplyBody,
    CheckBody,
    DeleteBody,
    FileBody,
    KindName,
    PlanBody,
    RollbackBody,
    ScaleBody,
    Why,
    answer,
    answers,
)
from skep.server.errors import install
from skep.server.front import Front, ImageName, Info
from skep.server.health import health_router
from skep.server.limit import BodyLimit
from skep.server.listing import Listing, only
from skep.server.query import known_query
from skep.server.reading import Reading
from skep.server.reference import reference_router
from skep.server.removal import Removal
from skep.server.stream import SEQ_MAX, stream_router
from skep.server.strict import StrictRoute

WAIT_S_MAX = 60.0
"""A longer wait is no use: the client asks again, and a lost one is noticed."""


@dataclass(frozen=True, slots=True)
class Status:
    """Who answers, and all keys in one reading."""

    server: Info
    groups: tuple[KeyView, ...]
    workloads: tuple[KeyView, ...]


def _json(*parts: bytes) -> Response:
    return Response(b"".join([*parts, b"\n"]), media_type="application/json")


@dataclass(frozen=True, slots=True)
class Image:
    """The name under which the engine now has the image."""

    image: str


def create_api(front: Front) -> FastAPI:
    """The application. Who asks is in the scope's state as `peer`, as the listeners put it there."""
    app = FastAPI(
        title="skep",
        version=front.info().version,
        description="Declarative, self-healing Docker Swarms. The page docs/api.md explains it with examples.",
        openapi_url=None,
        redirect_slashes=False,  # an empty name would lead to the list of all, and without a Problem
        default_response_class=JsonLine,
        dependencies=[Depends(known_query)],
    )
    app.add_middleware(BodyLimit)
    install(app)
    reading, listing = Reading(), Listing()
    app.include_router(_files_router(front, reading), prefix="/v1")
    app.include_router(_status_router(front, listing), prefix="/v1")
    app.include_router(stream_router(front), prefix="/v1")
    for kind in Kind:
        app.include_router(_reading_router(front, kind, listing), prefix=f"/v1/{kind}s", tags=[f"{kind}s"])
        app.include_router(_changing_router(front, kind), prefix=f"/v1/{kind}s", tags=[f"{kind}s"])
    app.include_router(reference_router(front, reading))
    app.include_router(health_router(front))
    app.include_router(_document_router(app), prefix="/v1")
    return app


def _document_router(app: FastAPI) -> APIRouter:
    """FastAPI's own route of the document takes any query."""
    router = APIRouter()

    @router.get("/openapi.json", include_in_schema=False)
    async def document() -> Response:
        return JsonLine(app.openapi())

    return router


def _files_router(front: Front, reading: Reading) -> APIRouter:
    router = APIRouter(tags=["specs"], route_class=StrictRoute, responses=EVERYWHERE | problems(409, 415, 502))

    @router.post("/apply", response_model=answers(ChangeView), operation_id="apply")
    async def apply(body: ApplyBody, request: Request) -> tuple[ChangeView, ...]:
        files = await reading.read(_texts(body.files))
        options = ApplyOptions(_kind(body.kind), body.adopt, body.resolve, body.why)
        return await front.apply(files, who(request), options)

    @router.post("/plan", response_model=answers(PlanView), operation_id="plan")
    async def plan(body: PlanBody) -> tuple[PlanView, ...]:
        return await front.plan(await reading.read(_texts(body.files)), _kind(body.kind))

    @router.post("/check", response_model=list[str], operation_id="check")
    async def check(body: CheckBody) -> tuple[str, ...]:
        return await front.check(await reading.read(_texts(body.files)))

    @router.post("/delete", response_model=answers(ChangeView), operation_id="delete")
    async def delete(body: DeleteBody, request: Request) -> tuple[ChangeView, ...]:
        removal = Removal(who(request), body.cascade, body.orphan, body.why)
        return await removal.of_files(front, await reading.read(_texts(body.files)))

    return router


def _status_router(front: Front, listing: Listing) -> APIRouter:
    router = APIRouter(tags=["status"], responses=EVERYWHERE)

    @router.get("/status", response_model=answer(Status), operation_id="status")
    async def status(fresh: bool = False) -> Response:
        listed = await front.listed(None, fresh)
        groups, workloads = [await listing.parts(kind, only(kind, listed)) for kind in Kind]
        server = answer(Info).model_validate(front.info()).model_dump_json(by_alias=True).encode()
        return _json(b'{"server":', server, b',"groups":', *groups, b',"workloads":', *workloads, b"}")

    @router.get("/clusters", response_model=answers(ClusterView), operation_id="clusters")
    async def clusters() -> tuple[ClusterView, ...]:
        return await front.clusters()

    @router.get("/events", response_model=answers(Event), operation_id="events")
    async def events(
        request: Request,
        since: Annotated[int, Query(ge=0, le=SEQ_MAX)] = 0,
        wait_s: Annotated[float, Query(ge=0, le=WAIT_S_MAX)] = 0,
        key: str = "",
    ) -> tuple[Event, ...]:
        return await until_stop(request, front.events(since, wait_s, key)) or ()

    @router.post(
        "/images/{which}", response_model=answer(Image), operation_id="build_image", responses=problems(404, 409, 502)
    )
    async def build_image(which: ImageName) -> Image:
        return Image(await front.build_image(which))

    return router


def _reading_router(front: Front, kind: Kind, listing: Listing) -> APIRouter:
    router = APIRouter(responses=EVERYWHERE)
    named = problems(404)

    @router.get("", response_model=answers(KeyView), operation_id=f"list_{kind}s")
    async def views(fresh: bool = False) -> Response:
        return _json(*await listing.parts(kind, await front.listed(kind, fresh)))

    @router.get("/{name}", response_model=answer(KeyView), operation_id=f"describe_{kind}", responses=named)
    async def view(name: str) -> KeyView:
        return await front.view(Key(kind, name))

    @router.get(
        "/{name}/history", response_model=answers(RevisionView), operation_id=f"{kind}_history", responses=named
    )
    async def history(name: str) -> tuple[RevisionView, ...]:
        return await front.history(Key(kind, name))

    @router.get("/{name}/spec", operation_id=f"{kind}_spec", responses=named)
    async def spec(name: str) -> Response:
        return _json((await front.spec(Key(kind, name))).encode())

    return router


def _changing_router(front: Front, kind: Kind) -> APIRouter:
    router = APIRouter(route_class=StrictRoute, responses=EVERYWHERE | problems(404, 409, 502))
    change, with_body = answer(ChangeView), problems(415)

    @router.delete("/{name}", response_model=answers(ChangeView), operation_id=f"remove_{kind}")
    async def remove(
        name: str, request: Request, cascade: bool = False, orphan: bool = False, why: Why = ""
    ) -> tuple[ChangeView, ...]:
        """With cascade, also what needs it; with orphan, without its members, which stay as they are. Not both."""
        return await Removal(who(request), cascade, orphan, why).of_key(front, Key(kind, name))

    @router.post("/{name}/scale", response_model=change, operation_id=f"scale_{kind}", responses=with_body)
    async def scale(name: str, body: ScaleBody, request: Request) -> ChangeView:
        return await front.scale(Key(kind, name), body.count, who(request), body.why)

    @router.post("/{name}/rollback", response_model=change, operation_id=f"rollback_{kind}", responses=with_body)
    async def rollback(name: str, body: RollbackBody, request: Request) -> ChangeView:
        return await front.rollback(Key(kind, name), body.to, who(request), body.why)

    @router.post("/{name}/pause", response_model=change, operation_id=f"pause_{kind}")
    async def pause(name: str, request: Request, why: Why = "") -> ChangeView:
        return await front.pause(Key(kind, name), who(request), why)

    @router.post("/{name}/resume", response_model=change, operation_id=f"resume_{kind}")
    async def resume(name: str, request: Request, why: Why = "") -> ChangeView:
        return await front.resume(Key(kind, name), who(request), why)

    @router.post("/{name}/free", response_model=change, operation_id=f"free_{kind}")
    async def free(name: str, request: Request, why: Why = "") -> ChangeView:
        return await front.free(Key(kind, name), who(request), why)

    @router.post("/{name}/retry", response_model=change, operation_id=f"retry_{kind}")
    async def retry(name: str, request: Request, why: Why = "") -> ChangeView:
        return await front.retry(Key(kind, name), who(request), why)

    return router


def _texts(files: Iterable[FileBody]) -> list[tuple[str, str]]:
    return [(file.name, file.text) for file in files]


def _kind(name: KindName | None) -> Kind | None:
    return Kind(name) if name else None
