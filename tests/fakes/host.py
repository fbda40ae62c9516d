"""One simulated engine: what it runs and holds. Its disk outlives a stop, what runs does not."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from skep.model.engine import Container, EngineEvent, Network, Volume
from skep.model.json import JsonObject
from tests.fakes.kernel import Kernel

if TYPE_CHECKING:
    from tests.fakes.swarm import SimSwarm


@dataclass
class FakeContainer:
    shown: Container
    body: JsonObject

    def turn(self, state: str) -> None:
        self.shown = replace(self.shown, state=state, status=state)


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
                container.turn("exited")
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
