"""What a plugin says it is, whichever generation of InfraKit it is from (infrakit-compat.md 2.3, 2.6)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from skep.adapters.rpc import RpcClient
from skep.model.errors import NotFoundError, UnavailableError
from skep.model.json import RawJson
from skep.wire import calls
from skep.wire.envelope import RpcError
from skep.wire.go_decode import GoDecodeError

UNNAMED = "."
"""What later generations call the object without a sub-type."""

Interfaces = Mapping[str, frozenset[str] | None]
"""The interfaces that a plugin has, and of each the sub-types that there are; None where it does not tell."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a plugin said. `mark` is that of the socket it said it on."""

    interfaces: Interfaces
    mark: tuple[int, ...]


class Peer:
    """A plugin that is asked what it is before the first call, and again once a call got no answer or another process
    is at its socket. A failure is never kept (G20): whoever waits meanwhile shares it, the next one asks anew.

    `kind` is the sub-type that is wanted of it (`worker` in `flavor-swarm/worker`), or empty.
    """

    def __init__(self, client: RpcClient, kind: str = "") -> None:
        self.client, self.kind = client, kind
        self._greeting: Greeting | None = None
        self._failure: Exception | None = None
        self._asking = asyncio.Lock()

    @property
    def name(self) -> str:
        """As a spec has it."""
        return f"{self.client.name}/{self.kind}" if self.kind else self.client.name

    async def call(self, interface: str, method: str, params: RawJson) -> RawJson:
        """The result. NotFoundError: it is another kind of plugin. RpcError, UnavailableError: as RpcClient."""
        greeting = await self._greeted()
        try:
            self._check(greeting.interfaces, interface)
            return await self.client.call(f"{interface}.{method}", params)
        except (NotFoundError, UnavailableError):
            if self._greeting is greeting:
                self._greeting = None
            raise

    def _check(self, interfaces: Interfaces, wanted: str) -> None:
        """Later generations number their interfaces differently and talk alike: the version is not looked at."""
        if wanted not in interfaces:
            raise NotFoundError(f"Plugin does not support interface {{{wanted} 0.1.0}}")
        kinds = interfaces[wanted]
        if kinds is not None and (self.kind or UNNAMED) not in kinds:
            there = ", ".join(sorted(f"{self.client.name}/{kind}" for kind in kinds)) or "none"
            raise NotFoundError(f"Plugin not found: {self.name}; there are: {there}")

    async def _greeted(self) -> Greeting:
        mark = self.client.address.mark
        greeting = self._greeting
        if greeting is not None and greeting.mark == mark:
            return greeting
        before = self._failure
        async with self._asking:
            greeting = self._greeting
            if greeting is not None and greeting.mark == mark:
                return greeting
            if self._failure is not None and self._failure is not before:
                raise self._failure
            self._greeting = await self._ask_or_remember(mark)
            return self._greeting

    async def _ask_or_remember(self, mark: tuple[int, ...]) -> Greeting:
        try:
            return Greeting(await self._ask(), mark)
        except Exception as error:
            self._failure = error
            raise

    async def _ask(self) -> Interfaces:
        """The oldest way first: all but the latest generation know one of the first two."""
        for method in ("Plugin.Implements", "Handshake.Implements"):
            named = await self._answer(method)
            if named is not None:
                objects = await self._answer("Handshake.Hello") if self.kind else None
                return named if objects is None else objects
        return await self._answer("Handshake.Hello") or {}

    async def _answer(self, method: str) -> Interfaces | None:
        """None where the plugin does not know the method."""
        try:
            answer = await self.client.call(method, calls.NOTHING)
        except RpcError:
            return None
        try:
            return _objects(answer) if method.endswith("Hello") else _apis(answer)
        except GoDecodeError as error:
            raise UnavailableError(f"plugin {self.client.name} answered {method} with something else") from error


def _apis(answer: RawJson) -> Interfaces:
    return {one.name: None for one in calls.read_implements(answer)}


def _objects(answer: RawJson) -> Interfaces:
    return {one.name: frozenset(kinds) for one, kinds in calls.read_hello(answer).items()}
