"""Engines that stand alone in the simulated world: what their containers do by themselves, and how such engines lie.

An engine can lie in the ways that real ones do: its lists come from a cache, its events get lost, and it refuses.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from skep.model.engine import Container, EngineEvent
from skep.model.errors import RejectedError, SkepError, UnavailableError
from skep.model.json import JsonObject
from tests.fakes.engine import FakeEngine
from tests.fakes.host import FakeContainer, Host

ACTIVE = frozenset({"created", "running", "paused", "restarting"})
"""States of containers that are there or about to be: all but those that have ended."""


LATE_S = 0.15
"""A real engine tells of a death before its lists show it; meanwhile it takes the container's network apart."""

SHUFFLED_S = 3.0
"""An event that comes late comes as late as this, after others that were told meanwhile."""

BREATH_S = 12.0
"""A question that hangs is given up after 10 s, and the next is asked a second or two later: that a silent engine could
have answered for less goes unnoticed."""

_EXIT = re.compile(r"\bexit (\d+)")
"""A command that ends with this is taken at its word."""


Refusal = Callable[[str, str], SkepError | None]
"""What an engine says to an act (create, start) on a container, which it does not do then; None: it does it."""


@dataclass(frozen=True)
class Behaviour:
    """What a container of an image does once it is started.

    It exits `exits_after_s` after it; its health check (empty: it has none) says `health` after `health_after_s`.
    """

    exits_after_s: float | None = None
    exit_code: int = 1
    health: str = ""
    health_after_s: float = 1.0


@dataclass
class AloneHost(Host):
    """behaviours: by image, those that are not there run on without end. refusal: what it refuses, and how.

    list_age_s: its lists are as old as this (semantics.md 5.4). late: those that died just now, as lists still show
    them. events_lost: how likely an event is lost, events_doubled: told once more later, events_shuffled: told only
    later; streams break until `no_streams_until_s`. silences: from when to when nobody reached it.
    """

    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    refusal: Refusal = lambda act, name: None
    list_age_s: float = 0.0
    events_lost: float = 0.0
    events_doubled: float = 0.0
    events_shuffled: float = 0.0
    no_streams_until_s: float = 0.0
    past: list[tuple[float, tuple[Container, ...]]] = field(default_factory=list)
    silences: list[tuple[float, float]] = field(default_factory=list)
    late: dict[str, Container] = field(default_factory=dict)

    def emit(self, type: str, action: str, id: str, **attributes: str) -> None:
        """Whatever changes a container says so; that is when its image does what it does."""
        if action == "start":
            self._live(self.containers[id])
        elif action == "die":
            self._close(self.containers[id])
        self._remember()
        if not self.kernel.happens(self.events_lost):
            self._tell(partial(super().emit, type, action, id, **attributes))

    def _tell(self, event: Callable[[], None]) -> None:
        """W1: in its turn, or after others, or both."""
        late = self.kernel.happens(self.events_shuffled)
        if not late:
            event()
        if late or self.kernel.happens(self.events_doubled):
            self.kernel.later(self.kernel.random.uniform(0.0, SHUFFLED_S), event)

    def _remember(self) -> None:
        self.past.append((self.kernel.now_s(), tuple(c.shown for c in self.containers.values())))

    def _close(self, container: FakeContainer) -> None:
        """One that was stopped in time has ended by SIGTERM."""
        if container.shown.exit_code is None:
            container.shown = replace(container.shown, exit_code=143, health="")

    def _behaviour(self, container: FakeContainer) -> Behaviour:
        told = _EXIT.search(f"{container.body.get('Entrypoint')} {container.body.get('Cmd')}")
        if told:
            return Behaviour(exits_after_s=0.2, exit_code=int(told[1]))
        return self.behaviours.get(container.shown.image.partition("@")[0], Behaviour())

    def _live(self, container: FakeContainer) -> None:
        behaviour = self._behaviour(container)
        if behaviour.health:
            container.shown = replace(container.shown, health="starting")
            self.kernel.later(behaviour.health_after_s, self.feel, container, behaviour.health)
        if behaviour.exits_after_s is not None:
            self.kernel.later(behaviour.exits_after_s, self.end, container, behaviour.exit_code)

    def started(self, container: FakeContainer) -> None:
        """How it feels is a matter of its image."""

    def feel(self, container: FakeContainer, health: str) -> None:
        """Its health check says something new."""
        if container.shown.id in self.containers and container.shown.state == "running":
            container.shown = replace(container.shown, health=health)
            self._happens(container, f"health_status: {health}")

    def end(self, container: FakeContainer, exit_code: int = 137) -> None:
        """It exits by itself, or is killed by somebody else."""
        if container.shown.id in self.containers and container.shown.state == "running":
            self.late[container.shown.id] = container.shown
            self.kernel.later(LATE_S, self.late.pop, container.shown.id, None)
            container.shown = replace(container.shown, state="exited", exit_code=exit_code, health="", ports=())
            self._happens(container, "die")

    def lose(self, container: FakeContainer) -> None:
        """Somebody else removes it."""
        if self.containers.pop(container.shown.id, None):
            self._happens(container, "destroy")

    def _happens(self, container: FakeContainer, action: str) -> None:
        shown = container.shown
        self.emit("container", action, shown.id, name=shown.name, **shown.labels)
        self.kernel.changed(f"container {shown.name} {action} on {self.name}", by_us=False)

    def listing(self) -> Sequence[Container]:
        """What a list shows: as it was `list_age_s` ago."""
        if not self.list_age_s:
            return [self.late.get(container.shown.id, container.shown) for container in self.containers.values()]
        until_s = self.kernel.now_s() - self.list_age_s
        return next((shown for at_s, shown in reversed(self.past) if at_s <= until_s), ())

    def cut_streams(self, seconds: float) -> None:
        """Break every stream of events, and new ones for a while (semantics.md F8)."""
        self.no_streams_until_s = self.kernel.now_s() + seconds
        for listener in self.listeners:
            listener.put_nowait(None)

    def calm(self) -> None:
        """It runs, and lies no more."""
        self.boot()
        self.refusal, self.list_age_s, self.no_streams_until_s = lambda act, name: None, 0.0, 0.0
        self.events_lost = self.events_doubled = self.events_shuffled = 0.0

    def cut(self, seconds: float) -> None:
        """Nobody reaches it for a while; what it runs runs on."""
        now_s = self.kernel.now_s()
        self.cut_until_s = now_s + seconds
        self.silences.append((now_s, self.cut_until_s))
        for listener in self.listeners:
            listener.put_nowait(None)
        self.kernel.changed(f"engine {self.name} cut off for {seconds:.0f} s", by_us=False)

    def silent_for_s(self, since_s: float) -> float:
        """Its longest silence up to now, of those that were not over at `since_s`; a breath does not end one."""
        longest, begun_s, ended_s = 0.0, float("-inf"), float("-inf")
        for begin_s, end_s in sorted(self.silences):
            begun_s = begun_s if begin_s <= ended_s + BREATH_S else begin_s
            ended_s = max(ended_s, min(end_s, self.kernel.now_s()))
            if ended_s > since_s:
                longest = max(longest, ended_s - begun_s)
        return longest

    def halt(self) -> None:
        """Containers that ran have ended, with the code of a kill."""
        running = [c for c in self.containers.values() if c.shown.state == "running"]
        super().halt()
        for container in running:
            container.shown = replace(container.shown, state="exited", exit_code=137, health="", ports=())
        self._remember()

    def check_ports(self, container: str) -> None:
        """RejectedError, in an engine's words, where another container that runs has a port that this one publishes."""
        taken = {port for c in self.containers.values() if c.shown.state == "running" for port in _ports(c)}
        found = self.containers.get(container)
        for port in sorted(taken & _ports(found) if found and found.shown.state != "running" else ()):
            raise RejectedError(f"driver failed: Bind for 0.0.0.0:{port} failed: port is already allocated")

    def of(self, workload: str) -> list[Container]:
        """Containers of a workload, whatever their state."""
        return [c.shown for c in self.containers.values() if c.shown.labels.get("skep.workload") == workload]


def _ports(container: FakeContainer) -> set[str]:
    """The fixed ones that it publishes."""
    config: Any = container.body.get("HostConfig") or {}
    bindings = [b for listed in (config.get("PortBindings") or {}).values() for b in listed]
    return {str(b["HostPort"]) for b in bindings if b.get("HostPort") not in (None, "", "0")}


class AloneEngine(FakeEngine):
    """A client of an engine that may stand alone. Every call is noted in the history when it begins."""

    def _alone(self) -> AloneHost | None:
        host = self._net.host(self._endpoint.removeprefix("sim://"))
        return host if isinstance(host, AloneHost) else None

    async def containers(self, labels: Mapping[str, str]) -> Sequence[Container]:
        self._note("list", "all")
        fresh, host = await super().containers(labels), self._alone()
        if host is None:
            return fresh
        return [c for c in host.listing() if all(k in c.labels and v in ("", c.labels[k]) for k, v in labels.items())]

    async def events(self, filters: Mapping[str, Sequence[str]]) -> AsyncIterator[EngineEvent]:
        host = self._alone()
        if host is not None and self._kernel.now_s() < host.no_streams_until_s:
            raise UnavailableError(f"{self._endpoint}: connection reset")
        async for event in super().events(filters):
            yield event

    async def container(self, container: str) -> Container | None:
        self._note("inspect", container)
        return await super().container(container)

    async def create_container(self, name: str, body: JsonObject) -> str:
        await self._attempt("create", name)
        return await super().create_container(name, body)

    async def fetch_image(self, image: str) -> None:
        self._note("fetch", image)
        await super().fetch_image(image)

    async def start_container(self, container: str) -> None:
        await self._attempt("start", container)
        host = self._alone()
        if host is not None and host.answers():
            host.check_ports(container)
        await super().start_container(container)

    def _note(self, act: str, what: str) -> None:
        self._kernel.history.append(f"{self._kernel.now_s():9.3f} .. {act} {what} on {self._endpoint}")

    async def _attempt(self, act: str, what: str) -> None:
        self._note(act, what)
        host = self._alone()
        error = host.refusal(act, what) if host and host.answers() else None
        if error is not None:
            self._kernel.acts[f"{act} container"] += 1
            await asyncio.sleep(0.01)
            raise error
