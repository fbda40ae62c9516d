"""ports.Clusters for tests: what a controller would know, and managers found by asking every machine of the group."""

from dataclasses import replace
from typing import Protocol

from skep.model.errors import NotReadyError, UnavailableError
from skep.model.state import ClusterState
from skep.ports import Engine, Engines, InstancePlugin, Reachable


class Machines(InstancePlugin, Reachable, Protocol):
    """An instance plugin whose machines' engines can be reached."""


class FakeClusters:
    """Clusters by name, each formed by the machines of the group of that name, simulated or real."""

    def __init__(self, machines: Machines, engines: Engines) -> None:
        self._machines = machines
        self._engines = engines
        self.states: dict[str, ClusterState] = {}

    def expect(self, name: str, bootstrap: str) -> None:
        """The controller wants this cluster and has chosen who founds it."""
        self.states[name] = ClusterState(name, bootstrap=bootstrap)

    async def state(self, name: str) -> ClusterState:
        """The ID is learned from a manager that answers, and remembered."""
        known = self._state(name)
        try:
            info = await (await self.manager(name)).info()
        except NotReadyError:
            return known
        self.states[known.name] = replace(known, id=info.cluster_id)
        return self.states[known.name]

    def joined_by(self, group: str) -> str:
        return ""

    async def manager(self, name: str) -> Engine:
        known = self._state(name)
        for machine in await self._machines.describe({"infrakit.group": known.name}):
            endpoint = await self._machines.endpoint(machine.id)
            engine = self._engines.engine(endpoint or "")
            try:
                if (await engine.info()).control:
                    return engine
            except UnavailableError:
                continue
        raise NotReadyError(f"no manager of cluster {known.name} answers with a quorum behind it")

    def _state(self, name: str) -> ClusterState:
        if not name and len(self.states) == 1:
            return next(iter(self.states.values()))
        if name not in self.states:
            raise NotReadyError(f"cluster {name or '(which?)'} is not known yet")
        return self.states[name]
