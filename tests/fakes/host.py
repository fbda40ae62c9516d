"""One simulated engine: what it runs and holds. Its disk outlives a stop, what runs does not."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from skep.model.engine import Container, EngineEvent, Network, Volume
from skep.model.json import JsonObject
from tests.fakes.kernel import Kernel

if TYPE_CHECKING:
    from tests.fakes.swarm import SimSwarm


HEALTH_S = 1.0
"""Until the first check of a container's health has succeeded."""

Ports = tuple[tuple[int, int, str], ...]


@dataclass
class FakeContainer:
    shown: Container
    body: JsonObject

    def run(self, ports: Ports = ()) -> None:
        health = "starting" if self.checked else ""
        self.shown = replace(self.shown, state="running", status="Up", health=health, exit_code=None, ports=ports)

    def end(self, exit_code: int) -> None:
        status = f"Exited ({exit_code})"
        self.shown = replace(self.shown, state="exited", status=status, health="", exit_code=exit_code, ports=())

    def turn(self, state: str) -> None:
        """Whatever it was before, as somebody else's act would leave it."""
        if state == "running":
            self.run()
        elif state == "exited":
            self.end(143)
        else:
            self.shown = replace(self.shown, state=state, status=state, health="", ports=())

    @property
    def checked(self) -> bool:
        """Whether its own body asks for a health check."""
        check = self.body.get("Healthcheck")
        test = check.get("Test") if isinstance(check, Mapping) else None
        return isinstance(test, list) and bool(test) and test[0] != "NONE"


@dataclass
class Host:
    """An engine on a machine, or one that stands alone.

    labels: the engine labels that are in effect; written_labels: those in its file, in effect after a reload.
    cut_until_s: nobody but the Swarm reaches it until then. sick: it runs and answers nobody.
    """

    name: str
    address: str
    kernel: Kernel
    running: bool = False
    sick: bool = False
    cut_until_s: float = 0.0
    labels: dict[str, str] = field(default_factory=dict)
    written_labels: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    swarm: "SimSwarm | None" = None
    node_id: str = ""
    swarm_state: str = "inactive"
    listeners: list[asyncio.Queue[EngineEvent | None]] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether the rest of the Swarm hears of it."""
        return self.running and not self.sick

    def answers(self) -> bool:
        """Whether a client gets an answer."""
        return self.alive and self.kernel.now_s() >= self.cut_until_s

    def emit(self, type: str, action: str, id: str, **attributes: str) -> None:
        for listener in self.listeners:
            listener.put_nowait(EngineEvent(type, action, id, attributes))

    def started(self, container: FakeContainer) -> None:
        """A container has been started: checks of its health succeed."""
        if container.checked:
            self.kernel.later(HEALTH_S, self._well, container)

    def _well(self, container: FakeContainer) -> None:
        if container.shown.state == "running":
            container.shown = replace(container.shown, health="healthy")

    def boot(self) -> None:
        if self.running:
            return
        self.running = True
        self.sick = False
        self.labels = dict(self.written_labels)
        self._contact(restarted=True)

    def halt(self) -> None:
        """Everything that runs ends; streams break."""
        if not self.running:
            return
        self.running = False
        for container in self.containers.values():
            if container.shown.state == "running":
                container.end(137)
        for listener in self.listeners:
            listener.put_nowait(None)
        self._contact()

    def sicken(self, sick: bool) -> None:
        """A sick engine runs its containers on and answers neither clients nor the Swarm."""
        self.sick = sick
        self._contact()

    def _contact(self, *, restarted: bool = False) -> None:
        if self.swarm is not None:
            self.swarm.contact(self.node_id, restarted=restarted)
