"""For those who watch over skep: whether it lives, whether it acts, and its numbers."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from skep.model.errors import NotReadyError
from skep.server.answers import EVERYWHERE, PLAIN_TEXT
from skep.server.front import Front
from skep.server.metrics import CONTENT_TYPE, Reading, exposition


def health_router(front: Front) -> APIRouter:
    """GET /healthz, /readyz and /metrics."""
    router = APIRouter(tags=["health"], default_response_class=PlainTextResponse)

    @router.get("/healthz", operation_id="healthz", responses={**EVERYWHERE, 200: {"content": PLAIN_TEXT}})
    async def healthz() -> str:
        """The process lives and answers."""
        return "ok\n"

    @router.get("/readyz", operation_id="readyz", responses={**EVERYWHERE, 200: {"content": PLAIN_TEXT}})
    async def readyz() -> str:
        """This process has the term and acts; 503 where it does not."""
        if not front.is_ready():
            raise NotReadyError("this process does not act: it has not taken the term, or has lost it")
        return "ready\n"

    @router.get("/metrics", operation_id="metrics", responses={**EVERYWHERE, 200: {"content": PLAIN_TEXT}})
    async def metrics() -> Response:
        """Everything in Prometheus' text format."""
        return Response(exposition(await _reading(front)), media_type=CONTENT_TYPE)

    return router


async def _reading(front: Front) -> Reading:
    """Who does not act answers for nothing but itself."""
    info = front.info()
    if not front.is_ready():
        return Reading(info)
    events = await front.events(0, 0)
    newest = events[-1].seq if events else 0
    return Reading(info, True, await front.views(None), await front.clusters(), newest)
