"""Request bodies as JSON that means one thing: no key twice, no NaN, bounded in depth and in objects."""

import json
from collections.abc import Awaitable, Callable, Coroutine
from email.message import Message
from typing import Any, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

OBJECTS_MAX = 10_000
"""Objects in one body: ten times the files of the largest apply. Each of a million would cost a fault."""

FIELDS_MAX = 100
"""Fields of one object; no body has a tenth of them."""


def strict_json(raw: bytes) -> Any:
    """The value of `raw`; JSONDecodeError says what is wrong with it."""
    try:
        text = raw.decode()
        value = json.loads(text, object_pairs_hook=_Objects(), parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        raise
    except UnicodeError as error:
        raise _fault("this is not UTF-8, or has half a surrogate pair") from error
    except RecursionError as error:
        raise _fault("its values are nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits
        raise _fault("a number has too many digits") from error
    return value


class _Objects:
    """Makes dicts of pairs, and counts them."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._count += 1
        if self._count > OBJECTS_MAX:
            raise _fault(f"it has at most {OBJECTS_MAX} objects")
        if len(pairs) > FIELDS_MAX:
            raise _fault(f"an object has at most {FIELDS_MAX} fields")
        made = dict(pairs)
        if len(made) < len(pairs):
            raise _fault("a field is written twice")
        return made


def _no_constant(name: str) -> NoReturn:
    raise _fault(f"{name} is not a number that JSON has")


def _fault(message: str) -> json.JSONDecodeError:
    return json.JSONDecodeError(message, "", 0)


class _StrictRequest(Request):
    async def json(self) -> Any:
        return strict_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose JSON body is read by `strict_json`, and only if it is called JSON: 415.

    A web page may have a browser send any body under any other name, or none, without asking us first (CORS, simple
    requests). Over TLS that could be a browser with a client's certificate, and nothing else would keep the page out.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, with our reading."""
        handle: Callable[[Request], Awaitable[Response]] = super().get_route_handler()

        async def strict(plain: Request) -> Response:
            request = _StrictRequest(plain.scope, plain.receive)
            if self.body_field and not _is_json(request.headers.get("content-type", "")) and await request.body():
                raise HTTPException(415)
            return await handle(request)

        return strict


def _is_json(content_type: str) -> bool:
    """As FastAPI reads it, which would take what else comes for a text."""
    message = Message()
    message["content-type"] = content_type
    kind, _, name = message.get_content_type().partition("/")
    return kind == "application" and (name == "json" or name.endswith("+json"))
