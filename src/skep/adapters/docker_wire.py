"""Requests to one Docker Engine: connection pool, API version, deadlines, limits. All use of aiodocker is here."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec

from skep.adapters.docker_client import aiodocker
from skep.adapters.docker_errors import Meaning, UnreachableError, answer_kind, engine_error, redact
from skep.adapters.docker_routes import TLS_PORT, Access, Route, check_endpoint, open_route
from skep.adapters.docker_version import VersionAnswer, chosen_version
from skep.adapters.registry_auth import Credentials, credentials
from skep.model.errors import NotFoundError, SkepError, UnavailableError
from skep.model.json import JsonObject

READ_TIMEOUT_S = 30.0
"""An engine that lost its Swarm's quorum takes up to 20 s to say so."""
ACT_TIMEOUT_S = 60.0
"""Creating or starting a container on an engine that is saturated (5.5 a second on 2 cores)."""
STREAM_TIMEOUT_S = 600.0
"""Sending an image of some gigabytes to an engine on the same host."""
LINE_BYTES_MAX = 4 * 1024 * 1024
"""One line of a stream; an event carries all labels of its subject."""

T = TypeVar("T")
Query = Sequence[tuple[str, str]]
NO_QUERY: Query = ()
NO_ACCESS = Access()


class Lane(StrEnum):
    """Calls wait in lanes of their own, so that slow ones never keep others from being asked."""

    READ = "read"
    ACT = "act"
    WAIT = "wait"
    """Waits for a container and not for the engine: a stop with its grace."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `what` is an infinitive for errors ("start container x"); `data` is JSON text, or a tar.

    `registry_auth` is the value of X-Registry-Auth, a secret. `meaning` says what a refusal is.
    """

    what: str
    method: str
    path: str
    query: Query = NO_QUERY
    data: bytes | AsyncIterator[bytes] | None = None
    registry_auth: str = field(default="", repr=False)
    meaning: Meaning = answer_kind

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def headers(self) -> Mapping[str, str]:
        is_tar = self.data is not None and not isinstance(self.data, bytes)
        content = {"Content-Type": "application/x-tar" if is_tar else "application/json"}
        return content | ({"X-Registry-Auth": self.registry_auth} if self.registry_auth else {})


class Wire:
    """One engine's connection. Everything it raises is a SkepError worded with what was tried and on what.

    `classic`: a classic Swarm manager answered.
    """

    def __init__(
        self, endpoint: str, parallel: int = 0, read_timeout_s: float = READ_TIMEOUT_S, access: Access = NO_ACCESS
    ) -> None:
        """`parallel` calls at once in each lane; 0 is two for each core, where an engine's throughput ends.

        InvalidError for an endpoint that is not spoken.
        """
        check_endpoint(endpoint)
        self._read_timeout_s = read_timeout_s
        count = parallel or 2 * (os.cpu_count() or 1)
        self.endpoint, self._access = endpoint, access
        sizes = {Lane.READ: count, Lane.ACT: count, Lane.WAIT: 16 * count}
        self._slots = {lane: asyncio.Semaphore(size) for lane, size in sizes.items()}
        self._docker: aiodocker.Docker | None = None
        self._route: Route | None = None
        self._version = ""
        self.classic = False
        self._negotiating = asyncio.Lock()
        self._failure: Exception | None = None

    async def close(self) -> None:
        if self._docker is not None:
            await self._docker.close()
        if self._route is not None:
            await self._route.close()
        self._docker = self._route = None

    async def version(self) -> str:
        """The API version that is spoken, negotiated at the first call and after the engine was gone.

        Whoever waits while another asks shares its failure, so that a silent engine is waited for once.
        """
        before = self._failure
        async with self._negotiating:
            if not self._version:
                if self._failure is not None and self._failure is not before:
                    raise self._failure
                self._version = await self._negotiate_or_remember()
            return self._version

    async def _negotiate_or_remember(self) -> str:
        try:
            return await self._negotiate()
        except Exception as error:
            self._failure = error
            raise

    async def _negotiate(self) -> str:
        what = "ask for the API version"
        try:
            async with asyncio.timeout(self._read_timeout_s):
                async with self._client()._query("version", versioned_api=False) as response, response:
                    answer = msgspec.json.decode(await response.read(), type=VersionAnswer)
        except aiodocker.DockerError as error:
            if "HTTP request to an HTTPS server" not in error.message:
                raise
            raise UnreachableError(
                "it speaks TLS there: write https:// or give its TLS files (ca.pem, cert.pem, key.pem), "
                f"or name its plain port if it has one; {TLS_PORT} is the one for TLS"
            ) from error
        except msgspec.MsgspecError:
            answer = VersionAnswer()
        if not answer.api_version:
            raise UnavailableError(f"could not {what} on {self.endpoint}: what answers there is no Docker Engine")
        self.classic = answer.classic
        return chosen_version(answer, self.endpoint)

    async def is_classic(self) -> bool:
        """Whether a classic Swarm manager answers (semantics.md 5.4); it is asked where nobody was yet."""
        async with self._translated(Request("ask for the API version", "GET", "version")):
            await self.version()
        return self.classic

    def _client(self) -> aiodocker.Docker:
        """Made at the first use: pools belong to the loop that runs, and files may be mended until it works."""
        if self._docker is None:
            self._route = open_route(self.endpoint, self._access)
            self._docker = aiodocker.Docker(url=self._route.url, connector=self._route.connector, api_version="v1.41")
        return self._docker

    async def credentials(self, image: str) -> Credentials:
        """This host's, for the registry of an image."""
        return await credentials(self._access.docker_config, image)

    async def read(
        self, what: str, path: str, type_: type[T], query: Query = NO_QUERY, *, registry_auth: str = ""
    ) -> T:
        """GET, parsed as `type_`."""
        request = Request(what, "GET", path, query, registry_auth=registry_auth)
        return self._parsed(what, await self._call(request, self._read_timeout_s, Lane.READ), type_)

    async def raw(self, what: str, path: str, query: Query = NO_QUERY) -> bytes:
        """GET, as it comes."""
        return await self._call(Request(what, "GET", path, query), self._read_timeout_s, Lane.READ)

    async def act(
        self,
        what: str,
        method: str,
        path: str,
        query: Query = NO_QUERY,
        *,
        body: JsonObject | None = None,
        timeout_s: float = ACT_TIMEOUT_S,
        lane: Lane = Lane.ACT,
        registry_auth: str = "",
        meaning: Meaning = answer_kind,
    ) -> bytes:
        """A request that changes something; the body of the answer, empty where there is none."""
        data = None if body is None else msgspec.json.encode(body)
        return await self._call(Request(what, method, path, query, data, registry_auth, meaning), timeout_s, lane)

    async def create(
        self,
        what: str,
        path: str,
        type_: type[T],
        query: Query = NO_QUERY,
        *,
        body: JsonObject,
        timeout_s: float = ACT_TIMEOUT_S,
        registry_auth: str = "",
        meaning: Meaning = answer_kind,
    ) -> T:
        """POST of `body`, the answer parsed as `type_`."""
        answer = await self.act(
            what, "POST", path, query, body=body, timeout_s=timeout_s, registry_auth=registry_auth, meaning=meaning
        )
        return self._parsed(what, answer, type_)

    async def remove(self, what: str, path: str, query: Query = NO_QUERY, *, meaning: Meaning = answer_kind) -> None:
        """DELETE where not there is success."""
        try:
            await self.act(what, "DELETE", path, query, meaning=meaning)
        except NotFoundError:
            return

    @asynccontextmanager
    async def stream(
        self, request: Request, timeout_s: float | None = STREAM_TIMEOUT_S
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's chunks as they come, outside the limit of calls; None for `timeout_s` never ends by itself."""
        async with self._translated(request):
            await self.version()
            limit = aiohttp.ClientTimeout(total=timeout_s)  # not asyncio.timeout: it would cancel whoever reads
            async with self._response(request, limit) as response:
                yield response.content.iter_any()

    async def _call(self, request: Request, timeout_s: float, lane: Lane) -> bytes:
        async with self._slots[lane], self._translated(request):
            await self.version()
            async with asyncio.timeout(timeout_s), self._response(request, None) as response:
                return await response.read()

    @asynccontextmanager
    async def _response(
        self, request: Request, limit: aiohttp.ClientTimeout | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        docker = self._client()
        docker.api_version = f"v{self._version}"
        async with (
            docker._query(
                request.target, request.method, data=request.data, headers=request.headers, timeout=limit
            ) as response,
            response,
        ):
            yield response

    def _parsed(self, what: str, data: bytes, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=type_)
        except msgspec.MsgspecError as error:
            raise UnavailableError(
                f"could not {what} on {self.endpoint}: its answer makes no sense: {error}"
            ) from error

    @asynccontextmanager
    async def _translated(self, request: Request) -> AsyncIterator[None]:
        """Foreign errors become ours, with their cause."""
        what = request.what
        try:
            yield
        except SkepError:
            raise
        except aiodocker.DockerError as error:
            if error.status == 900:  # aiodocker's own number for "no connection"
                raise self._silent(what, error, str(error.__context__ or error.message)) from error
            raise engine_error(error.status, error.message, what, self.endpoint, request.meaning) from error
        except TimeoutError as error:
            raise self._silent(what, error, "no answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
            raise self._silent(what, error, f"{type(error).__name__}: {error}") from error

    def _silent(self, what: str, error: Exception, reason: str) -> UnavailableError:
        """The engine may come back as another version."""
        fresh, self._version = not self._version, ""
        route_fault = self._route.fault(error, fresh=fresh) if self._route else ""
        known = str(error) if isinstance(error, UnreachableError) else route_fault
        return UnavailableError(redact(f"could not {what} on {self.endpoint}: {known or reason}"))


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a stream without their ends; ValueError for one over LINE_BYTES_MAX."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        if len(rest) > LINE_BYTES_MAX:
            raise ValueError(f"a line of more than {LINE_BYTES_MAX} bytes")
    if rest.strip():
        yield rest


def filters_query(filters: Mapping[str, Sequence[str]] | None) -> list[tuple[str, str]]:
    """The query that the engine's lists take filters in; none for no filters."""
    return [("filters", json.dumps({name: list(values) for name, values in filters.items()}))] if filters else []
