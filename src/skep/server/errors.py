"""How errors leave the house: a status, a closed word, and a text fit for whoever asked."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skep.model.errors import (
    ConflictError,
    Fault,
    InvalidError,
    NotFoundError,
    NotReadyError,
    RefusedError,
    RejectedError,
    SkepError,
    StaleTermError,
    UnavailableError,
)
from skep.server.bodies import answer
from skep.specs.messages import worded

log = structlog.get_logger()

# What is not here is a bug of ours: 500.
STATUSES: dict[type[SkepError], int] = {
    InvalidError: 422,
    RefusedError: 409,
    ConflictError: 409,
    NotFoundError: 404,
    UnavailableError: 503,
    NotReadyError: 503,
    StaleTermError: 503,
    RejectedError: 502,
}

FAULTS_MAX = 200
"""Faults in one answer. A hostile file of 256 KiB has ten thousands, and each may repeat a long path."""

HTTP_PROBLEMS = {
    404: ("NotFound", "there is no such path in this API: see /v1/openapi.json"),
    405: ("MethodNotAllowed", "this path does not take that method: see /v1/openapi.json"),
    413: ("TooLarge", "the request is larger than 4 MiB: send fewer files at once"),
    415: (
        "ContentType",
        "a body needs the header Content-Type: application/json; curl -d calls it a form unless -H says otherwise",
    ),
    503: ("Unavailable", "too many large requests at once: try again in a moment"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Every answer from 400 on. `reason` is a closed word, `incident` names the log entry of an internal error."""

    error: str
    reason: str
    faults: tuple[Fault, ...] = ()
    incident: str = ""


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a Problem."""
    app.add_exception_handler(SkepError, _on_skep_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_middleware(Incidents)


class Incidents:
    """Turns what nobody expected into a 500 with an incident's ID; the traceback goes to the log only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:  # nobody is left to be told
            return
        except Exception as error:  # the outermost seam: logged with its traceback, never shown
            answer = _incident(error, scope.get("path", ""))
            if not started:
                await answer(scope, receive, send)


def _incident(error: Exception, path: str) -> Response:
    incident = secrets.token_hex(4)
    log.error("request failed", incident=incident, path=path, exc_info=error)
    text = f"internal error (incident {incident}): a bug in skep; its log tells more under this ID"
    return problem_answer(500, Problem(text, "Bug", incident=incident))


async def _on_skep_error(request: Request, error: Exception) -> Response:
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)
    if status is None:
        return _incident(error, request.url.path)
    reason = type(error).__name__.removesuffix("Error")
    faults = _bounded(error.faults) if isinstance(error, InvalidError) else ()
    text = "\n".join(map(str, faults)) if faults else str(error)
    return problem_answer(status, Problem(text, reason, faults))


def _bounded(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """As many as somebody can mend, and how many more there are."""
    left = len(faults) - FAULTS_MAX
    return (*faults[:FAULTS_MAX], Fault(f"and {left} more faults")) if left > 0 else faults


async def _on_bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return await _on_skep_error(request, InvalidError([_fault(one) for one in error.errors()]))


def _fault(found: dict[str, Any]) -> Fault:
    if found["type"] == "json_invalid":
        return Fault(f"this is not JSON: {found['ctx']['error']}")
    return Fault(worded(cast("ErrorDetails", found)), ".".join(str(part) for part in found["loc"][1:]))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason, text = HTTP_PROBLEMS.get(error.status_code, ("Invalid", str(error.detail)))
    headers = {**(error.headers or {})}
    if error.status_code == 405 and (methods := _methods(request)):
        headers["Allow"] = methods
    return problem_answer(error.status_code, Problem(text, reason), headers)


def _methods(request: Request) -> str:
    """All methods of a path, as the document has them; Starlette names those of its first route only."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = (known for path, known in paths.items() if compile_path(path)[0].match(request.url.path))
    return ", ".join(sorted(method.upper() for method in next(found, {})))


def problem_answer(status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that tells a problem."""
    return Response(problem_json(problem), status, headers, "application/json")


def problem_json(problem: Problem) -> bytes:
    """A problem as it is sent."""
    return answer(Problem).model_validate(problem).model_dump_json(by_alias=True).encode() + b"\n"
