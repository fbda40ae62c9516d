"""A Swarm that is known by where its managers' engines are, and by nothing else: `Host` of a spec, or `--host`."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from skep.model.engine import EngineInfo, Node
from skep.model.errors import NotReadyError, RejectedError, UnavailableError
from skep.model.machine import InstanceDescription
from skep.model.state import ClusterState
from skep.plugins.flavor_swarm_nodes import nodes_of
from skep.ports import Clock, Engine, Engines

LEARN_S = 30.0
"""How often a Swarm is asked who its managers are: they are what is tried when the given one is gone."""


class SeenSwarm(Protocol):
    """Which Swarm was there, so that it is founded once (semantics.md N9)."""

    def read(self) -> str:
        """The ID of the Swarm that was there; empty for none."""

    def write(self, cluster_id: str) -> None:
        """Empty: it has been ended on purpose, and another may be founded."""


class ForgetfulSeenSwarm:
    """For those that never found one."""

    def read(self) -> str:
        return ""

    def write(self, cluster_id: str) -> None:
        return None

    def __str__(self) -> str:
        return "nothing"


class SeenSwarmFile:
    """A file that holds the ID; it survives a crash of this process, not one of the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise UnavailableError(f"can't read which Swarm was here: {self._path}: {error.strerror}") from error

    def write(self, cluster_id: str) -> None:
        if cluster_id == self.read() and (cluster_id or self._path.exists()):
            return
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(f"{cluster_id}\n", encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            raise UnavailableError(f"can't write down which Swarm is here: {self._path}: {error.strerror}") from error


@dataclass
class Hosts:
    """Endpoints of managers' engines: those that were given, and those that the Swarm told of (semantics.md N8)."""

    given: tuple[str, ...]
    learned: tuple[str, ...] = ()
    last: str = ""
    learned_at_s: float = float("-inf")

    def all(self) -> tuple[str, ...]:
        """Each once: the one that last answered as a manager, then the given ones. A dead one costs its time limit."""
        return tuple(filter(None, dict.fromkeys((self.last, *self.given, *self.learned))))


class HostCluster:
    """ports.Clusters of one Swarm, whatever name is asked for."""

    def __init__(
        self,
        engines: Engines,
        hosts: Sequence[str] | Hosts,
        clock: Clock,
        bootstrap: str = "",
        seen: SeenSwarm | None = None,
    ) -> None:
        """`bootstrap`: the logical ID that may found the Swarm where there was none yet; empty for nobody."""
        self._engines = engines
        self._hosts = hosts if isinstance(hosts, Hosts) else Hosts(tuple(hosts))
        self._clock = clock
        self._bootstrap = bootstrap
        self._seen = seen or ForgetfulSeenSwarm()

    def founded_by(self, logical_id: str) -> "HostCluster":
        """The same one, which this member may found."""
        return HostCluster(self._engines, self._hosts, self._clock, logical_id, self._seen)

    async def state(self, name: str) -> ClusterState:
        """UnavailableError where nobody answers, unless it is still to be founded."""
        try:
            id = (await self._best_info()).cluster_id
        except UnavailableError:
            if not self._bootstrap or self._seen.read():
                raise
            id = ""
        if id:
            self._seen.write(id)
        elif seen := self._seen.read():
            raise NotReadyError(
                f"the Swarm {seen} was here, and {self._named()} is in none now: bring its managers back. If it is "
                f"lost for good, remove {self._seen}, and another one is founded"
            )
        elif self._bootstrap:
            self._seen.write("")  # before one is founded: who can't remember it may not
        return ClusterState(name, id=id, bootstrap=self._bootstrap)

    def joined_by(self, group: str) -> str:
        """There is only one."""
        return ""

    async def manager(self, name: str) -> Engine:
        found: list[str] = []
        for engine in self._all():
            with suppress(UnavailableError):
                info = await engine.info()
                if info.control:
                    self._hosts.last = engine.endpoint
                    await self._learn_at_times(engine)
                    return engine
                found.append(f"{engine.endpoint}: {info.error or f'its Swarm is {info.swarm_state}'}")
        if not found:
            await self._best_info()
        raise NotReadyError(f"{self._named()} is no manager with a quorum: {'; '.join(found)}")

    async def ends_with(self, instance: InstanceDescription) -> bool:
        """Whether the machine is the last manager, and the Swarm may end with it.

        RejectedError while other nodes need it: nobody said that all of them shall go. NotReadyError for a manager
        whose engine is the only way to the Swarm: there would be nobody to see that it has left.
        """
        try:
            manager = await self.manager("")
        except NotReadyError:
            return False
        nodes = await manager.nodes()
        self._learn(manager, nodes)
        own = {node.id for node in nodes_of(instance, nodes)}
        managers = {node.id for node in nodes if node.role == "manager"}
        if managers and managers <= own:
            _spare_the_others([node for node in nodes if node.id not in own])
            return True
        if managers & own and not await self._other_way(own):
            raise NotReadyError(
                f"{self._named()} leads to the Swarm through no other manager than the one that is to leave: "
                "give the engines of others too"
            )
        return False

    async def _other_way(self, leaving: set[str]) -> bool:
        for engine in self._all():
            with suppress(UnavailableError):
                info = await engine.info()
                if info.control and info.node_id not in leaving:
                    return True
        return False

    def forget(self) -> None:
        """It was ended on purpose."""
        self._seen.write("")

    def _all(self) -> list[Engine]:
        return [self._engines.engine(endpoint) for endpoint in self._hosts.all()]

    async def _best_info(self) -> EngineInfo:
        """What an engine of the Swarm says, else any that answers; the first one's silence where none does."""
        answers: list[EngineInfo] = []
        silence: list[UnavailableError] = []
        for engine in self._all():
            try:
                info = await engine.info()
            except UnavailableError as error:
                silence.append(error)
                continue
            if info.cluster_id:
                return info
            answers.append(info)
        if not answers:
            raise silence[0]
        return answers[0]

    async def _learn_at_times(self, engine: Engine) -> None:
        if self._clock.monotonic_s() >= self._hosts.learned_at_s + LEARN_S:
            self._learn(engine, await engine.nodes({"role": ["manager"]}))

    def _learn(self, engine: Engine, nodes: Sequence[Node]) -> None:
        """Where the other managers' engines may be: at their addresses, reached as this one is."""
        managers = [node for node in nodes if node.role == "manager"] if urlsplit(engine.endpoint).port else []
        self._hosts.learned = tuple(filter(None, (_at(engine.endpoint, node) for node in managers)))
        self._hosts.learned_at_s = self._clock.monotonic_s()

    def _named(self) -> str:
        return " and ".join(self._hosts.given)


def _spare_the_others(others: Sequence[Node]) -> None:
    ready = [node.hostname for node in others if node.state == "ready"]
    if ready:
        raise RejectedError(
            f"this is the last manager, and the Swarm has other nodes that are ready ({', '.join(ready)}): "
            "remove those first"
        )


def _at(endpoint: str, node: Node) -> str:
    """The endpoint of another manager; empty where its address is not known."""
    host = node.manager_addr.rpartition(":")[0] or node.addr
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{host}:{parts.port}" if host else ""
