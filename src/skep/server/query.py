"""Parameters of a query that a route has not are refused: a slip in `orphan` would remove what was to stay."""

from fastapi import Request
from fastapi.routing import APIRoute

from skep.model.errors import Fault, InvalidError

OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/status"})
"""Only read, and have none: load balancers, scrapers and clients of 2015 add their own (`?_=1`), and take a server that
refuses them for dead."""


async def known_query(request: Request) -> None:
    """A dependency of every route, which no thread runs: while the loop has work, a request would wait a second for it.

    InvalidError names each parameter that the route has not, and those that it has.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    if request.url.path in OPEN:
        return
    known = {field.alias for field in route.dependant.query_params}
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        words = f"is no parameter of this path, which has {', '.join(sorted(known)) or 'none'}"
        raise InvalidError([Fault(words, name or "''") for name in unknown])
