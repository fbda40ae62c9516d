"""How a call on a simulated engine goes: it takes its time, may be lost, and fails as on a real one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from skep.model.errors import UnavailableError
from tests.fakes.host import Host
from tests.fakes.kernel import Kernel

T = TypeVar("T")
Filters = Mapping[str, Sequence[str]]
SCHEME = "sim://"


class Net(Protocol):
    """Who is where: what an engine needs to know of the world around it."""

    @property
    def kernel(self) -> Kernel: ...
    @property
    def registry(self) -> Mapping[str, str]:
        """Images that a registry would answer for, with their digests."""

    def host(self, name: str) -> Host | None: ...


class Calls:
    """The way to one simulated engine."""

    def __init__(self, net: Net, endpoint: str) -> None:
        self._net = net
        self._kernel = net.kernel
        self._endpoint = endpoint

    @property
    def endpoint(self) -> str:
        return self._endpoint

    async def close(self) -> None:
        return None

    def _host(self) -> Host:
        host = self._net.host(self._endpoint.removeprefix(SCHEME))
        if host is None or not host.running:
            raise UnavailableError(f"{self._endpoint}: connection refused")
        return host

    async def _reach(self) -> Host:
        """The engine, if it answers: at once, or after the client's patience is over."""
        await asyncio.sleep(0)
        if not self._host().answers():
            await self._kernel.clock.sleep(self._kernel.timings.call_timeout_s)
            raise UnavailableError(f"{self._endpoint}: no answer within {self._kernel.timings.call_timeout_s:.0f} s")
        return self._host()

    async def _act(self, name: str, do: Callable[[Host], T]) -> T:
        """One outward act: it may be refused, slow, or done and its answer lost."""
        kernel = self._kernel
        await self._reach()
        if kernel.happens(kernel.faults.refuse):
            raise UnavailableError(f"{self._endpoint}: connection refused")
        await kernel.take(kernel.timings.act_s)
        host = await self._reach()
        kernel.acts[name] += 1
        answer = do(host)
        if kernel.happens(kernel.faults.lose):
            raise UnavailableError(f"{self._endpoint}: connection reset before the answer came")
        return answer


def carries(labels: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """An empty value matches any. A plain loop, since most of a simulation's time is spent here."""
    for name, value in asked.items():
        found = labels.get(name)
        if found is None or (value and found != value):
            return False
    return True
