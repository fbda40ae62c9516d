"""Events as a stream of server-sent events that can be taken up again where it broke off."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from skep.model.errors import SkepError
from skep.model.state import Event
from skep.server.answers import EVERYWHERE
from skep.server.asking import until_stop
from skep.server.bodies import answer
from skep.server.front import Front

HEARTBEAT_S = 15.0
"""A comment so often tells both sides, and whatever is between them, that the connection lives."""
HEARTBEAT = b": heartbeat\n\n"
"""Also in place of events of other keys alone: those may go on for ever."""

BATCH = 100
"""Events that a slow reader may hold on to."""

SEQ_MAX = 2**63 - 1

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events as they come, each with its number as `id`; an event `gap` where some are missing",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that can't be told any more: those after number `after` and before number `next`."""

    after: int
    next: int


def stream_router(front: Front) -> APIRouter:
    """GET /v1/events/stream."""
    router = APIRouter(tags=["status"])

    @router.get(
        "/events/stream",
        operation_id="stream_events",
        response_class=StreamingResponse,
        responses=EVERYWHERE | _STREAM,
    )
    async def stream(
        request: Request,
        since: Annotated[int, Query(ge=0, le=SEQ_MAX)] = 0,
        key: str = "",
        last_event_id: Annotated[int | None, Header(ge=0, le=SEQ_MAX)] = None,
    ) -> StreamingResponse:
        after = since if last_event_id is None else last_event_id
        newest = max((event.seq for event in await front.events(0, 0)), default=0)
        return StreamingResponse(
            _told(request, front, after, key, newest),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


async def _told(request: Request, front: Front, after: int, key: str, newest: int) -> AsyncIterator[bytes]:
    """Nothing is kept for a reader but its place in the journal: who reads slowly is told of the gap."""
    yield b": events of skep\n\n"
    if after > newest:
        yield _gap(Gap(after, newest + 1))
        after = newest
    while (batch := await _batch(request, front, after, key)) is not None:
        text, after = batch
        yield text


async def _batch(request: Request, front: Front, after: int, key: str) -> tuple[bytes, int] | None:
    """The next events as text, and the number of the last one; None when it is over."""
    try:
        found = await until_stop(request, front.events(after, HEARTBEAT_S))
    except SkepError:
        return None
    if not found:
        return None if found is None else (HEARTBEAT, after)
    return b"".join(_new(found[:BATCH], after, key)) or HEARTBEAT, found[:BATCH][-1].seq


def _new(found: Sequence[Event], after: int, key: str) -> Iterator[bytes]:
    """The journal numbers without holes. At number 0 a reader takes what there is."""
    for event in found:
        if after and event.seq > after + 1:
            yield _gap(Gap(after, event.seq))
        after = event.seq
        if key in ("", event.key):
            body = answer(Event).model_validate(event).model_dump_json(by_alias=True)
            yield f"id: {event.seq}\ndata: {body}\n\n".encode()


def _gap(gap: Gap) -> bytes:
    return b"event: gap\ndata: " + msgspec.json.encode(gap) + b"\n\n"
