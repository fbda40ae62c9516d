"""The two routes of the reference document (semantics.md W53): valid for ever, whatever else comes."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal

from skep.model.errors import Fault, InvalidError
from skep.model.request import ApplyOptions
from skep.model.spec import Kind
from skep.model.view import ChangeView
from skep.server.answers import EVERYWHERE, problems
from skep.server.asking import who
from skep.server.bodies import answer
from skep.server.front import Front
from skep.server.listing import Texts, reference_body, reference_text
from skep.server.reading import Reading
from skep.specs.fields import COUNT_MAX
from skep.specs.references import IMAGE_MAX, NAME_MAX

FILE = "body.json"
"""How faults call what was submitted: by its end it is read as JSON, whatever its first character."""

_SPEC: dict[str, Any] = {
    "type": "object",
    "title": "ClusterStateObject",
    "description": "A workload. Name, Image and Count are the reference document's; docs/specs.md has the others.",
    "required": ["Name", "Image"],
    "properties": {
        "Name": {"type": "string", "minLength": 1, "maxLength": NAME_MAX},
        "Image": {"type": "string", "minLength": 1, "maxLength": IMAGE_MAX},
        "Count": {"type": "integer", "minimum": 0, "maximum": COUNT_MAX},
    },
    "example": {"Name": "nginx", "Image": "nginx:1.9.6", "Count": 5},
}

_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": {"schema": _SPEC}}}}


class StatusBody(BaseModel):
    """A workload as the reference document shows it; CurrentCount counts containers that run."""

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, frozen=True)

    name: str
    image: str
    desired_count: int
    current_count: int


def reference_router(front: Front, reading: Reading) -> APIRouter:
    """POST /submit and GET /status."""
    router, texts = APIRouter(tags=["reference"]), Texts(reference_text)

    @router.post(
        "/submit",
        operation_id="submit",
        response_model=answer(ChangeView),
        responses={**EVERYWHERE, **problems(409, 502), 201: {"model": answer(ChangeView), "description": "Created"}},
        openapi_extra=_BODY,
    )
    async def submit(request: Request, response: Response, resolve: bool = False) -> ChangeView:
        """Takes the body as it is, whatever its Content-Type says: `curl -d` calls it a form.

        resolve: look again at what the image names, also if it is submitted as before.
        """
        files = await reading.read([(FILE, await _text(request))])
        if files[0].documents > 1:
            raise InvalidError([Fault("holds more than one workload: submit one at a time")])
        (change,) = await front.apply(files, who(request), ApplyOptions(Kind.WORKLOAD, resolve=resolve))
        response.status_code = 201 if change.change == "created" else 200
        return change

    @router.get("/status", operation_id="reference_status", response_model=list[StatusBody], responses=EVERYWHERE)
    async def status() -> Response:
        """Indented, as the document's."""
        listed = await front.listed(Kind.WORKLOAD)
        return Response(reference_body(await texts.of(listed.views)), media_type="application/json")

    return router


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise InvalidError([Fault("the body is not UTF-8 text")]) from error
