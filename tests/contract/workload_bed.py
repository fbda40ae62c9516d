"""Clusters to try the promises of workloads on: what every check needs, on simulated engines and on real ones."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from skep.adapters.node_image import EXAMPLE_IMAGE
from skep.control.core import Core
from skep.model.cluster import ClusterKind
from skep.model.engine import Container
from skep.model.spec import Key, Kind
from skep.model.view import KeyView
from skep.ports import Clock, Engine
from skep.specs.source import SourceFile

T = TypeVar("T")

WITHIN_S = 90.0
POLL_S = 0.1
IMAGE, OTHER_IMAGE = EXAMPLE_IMAGE, "skep/web:2"
SERVICE_LABEL = "com.docker.swarm.service.name"
WORKLOAD_LABEL = "skep.workload"
STATE_LABEL = "swarm.cluster.state"


@dataclass(frozen=True)
class Replica:
    """A container of a workload, and the place of its engine in the bed's list."""

    engine: int
    shown: Container

    @property
    def id(self) -> str:
        return self.shown.id


class Running(Protocol):
    """A controller process."""

    core: Core

    async def kill(self) -> None:
        """It ends and says nothing."""


Look = Callable[[str], Awaitable[Sequence[Replica]]]
Harm = Callable[[Replica], Awaitable[None]]


@dataclass
class Bed:
    """A running controller and a cluster. `engines` are looked at beside it; each check makes workloads of its own.

    `look` gives all containers of a workload; `kill` and `lose` are what people do to one with docker kill and rm.
    """

    kind: ClusterKind
    cluster: str
    engines: Sequence[Engine]
    clock: Clock
    begin: Callable[[], Awaitable[Running]]
    look: Look
    kill: Harm
    lose: Harm
    life: Running = field(init=False)

    async def start(self) -> None:
        self.life = await self.begin()

    async def crash(self) -> None:
        """The controller is killed, and the next one begins."""
        await self.life.kill()
        self.life = await self.begin()

    async def apply(self, name: str, count: int | None, image: str = IMAGE, **more: object) -> KeyView:
        """Ask for this, and wait until skep says that it is so."""
        await self.ask(name, count, image, **more)
        return await self.converged(name)

    async def ask(self, name: str, count: int | None, image: str = IMAGE, **more: object) -> None:
        """No count: `Mode: global`."""
        document: dict[str, object] = {"Name": name, "Image": image, "Cluster": self.cluster, **more}
        document |= {"Mode": "global"} if count is None else {"Count": count}
        await self.life.core.apply([SourceFile("contract", json.dumps(document))], "contract")

    async def delete(self, name: str) -> None:
        """Wait until nothing of it is left."""
        await self.life.core.remove(Key(Kind.WORKLOAD, name), "contract", False)
        await self.until(lambda: self.view(name), None)

    async def view(self, name: str) -> KeyView | None:
        return next((v for v in await self.life.core.views() if v.name == name), None)

    async def converged(self, name: str) -> KeyView:
        found: list[KeyView] = []

        async def look() -> bool:
            view = await self.view(name)
            found[:] = [view] if view else []
            return view is not None and view.converged

        await self.until(look, True)
        return found[0]

    async def running(self, name: str) -> Mapping[str, Replica]:
        """Those that run, by container."""
        return {r.id: r for r in await self.look(name) if r.shown.state == "running"}

    async def runs(self, name: str, count: int) -> Mapping[str, Replica]:
        """Wait until so many run, whatever skep says."""

        async def number() -> int:
            return len(await self.running(name))

        await self.until(number, count)
        return await self.running(name)

    async def until(self, read: Callable[[], Awaitable[T]], wanted: T) -> None:
        end_s = self.clock.monotonic_s() + WITHIN_S
        while (seen := await read()) != wanted:
            if self.clock.monotonic_s() > end_s:
                views = "\n".join(map(str, await self.life.core.views()))
                raise AssertionError(f"still {seen!r} and not {wanted!r} after {WITHIN_S:g} s\n{views}")
            await self.clock.sleep(POLL_S)


Check = Callable[[Bed], Awaitable[None]]


def name() -> str:
    """No two checks share what they make."""
    return f"w{secrets.token_hex(4)}"


def engine_bed(
    kind: ClusterKind, cluster: str, engines: Sequence[Engine], clock: Clock, begin: Callable[[], Awaitable[Running]]
) -> Bed:
    """A bed whose containers are looked for on every engine, by a label that bears the workload's name."""
    label = SERVICE_LABEL if kind is ClusterKind.SWARM else WORKLOAD_LABEL

    async def look(workload: str) -> Sequence[Replica]:
        return [Replica(n, c) for n, engine in enumerate(engines) for c in await engine.containers({label: workload})]

    async def kill(replica: Replica) -> None:
        await engines[replica.engine].stop_container(replica.id, 0)

    async def lose(replica: Replica) -> None:
        await engines[replica.engine].remove_container(replica.id)

    return Bed(kind, cluster, engines, clock, begin, look, kill, lose)
