"""Which Swarms there are, and which of them machines have joined: told by the tag that their flavor gave them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skep.control.catalog import Catalog
from skep.control.clusters import ClusterBook
from skep.control.endpoints import EngineBook
from skep.control.topology import Topology
from skep.model.cluster import ClusterKind
from skep.model.errors import NotReadyError
from skep.model.machine import InstanceDescription
from skep.model.spec import GroupSpec
from skep.model.state import Role

SWARM_TAG = "swarm-id"
"""The ID of the Swarm that a machine was made for (infrakit-compat.md 4.1); who founds one has none."""


@dataclass(frozen=True, slots=True)
class Homes:
    """`ids`: the Swarm of each cluster by the cluster's name, empty where none is formed. `unheard`: clusters of the
    settings that have not answered yet. `before`, `after`: the cluster of the group's workers under the spec of before
    and under the new one; empty where they join none of these, or it can't be told."""

    ids: Mapping[str, str]
    unheard: Sequence[str]
    before: str
    after: str

    def left(self, machines: Sequence[InstanceDescription]) -> frozenset[str]:
        """The Swarms that some of these machines have joined and that are not the one that they shall be in."""
        joined = {machine.tags.get(SWARM_TAG, "") for machine in machines}
        return frozenset(joined - {"", self.ids.get(self.after, "")})

    def unsure(self, machines: Sequence[InstanceDescription]) -> bool:
        """Whether no tag tells of some of them what they joined."""
        return any(SWARM_TAG not in machine.tags for machine in machines)

    def names(self, swarms: frozenset[str]) -> Sequence[str]:
        """The clusters that these Swarms are of; those that are gone have none."""
        return sorted(name for name, id in self.ids.items() if id in swarms)

    @property
    def leaves(self) -> str:
        """The cluster of workers that are not listed, or bear no tag that tells, where they shall be in another one."""
        id = self.ids.get(self.before, "")
        return self.before if id and id != self.ids.get(self.after, "") else ""


class Finder:
    """Asks those clusters of the settings that are due."""

    def __init__(self, catalog: Catalog, topology: Topology, clusters: ClusterBook, static: EngineBook) -> None:
        self._catalog, self._topology, self._clusters, self._static = catalog, topology, clusters, static

    async def homes(self, old: GroupSpec, new: GroupSpec) -> Homes:
        """For a group that has one spec and is to have another."""
        documents = await self._catalog.list()
        names = self._topology.names(documents)
        ids = dict(zip(names, await asyncio.gather(*(self._id(name) for name in names)), strict=True))
        before, after = (self._topology.place_of(spec, documents) for spec in (old, new))
        return Homes(
            {name: id for name, id in ids.items() if id is not None},
            [name for name, id in ids.items() if id is None],
            before.cluster if before.role is Role.WORKER else "",
            after.cluster if after.role is Role.WORKER else "",
        )

    async def _id(self, name: str) -> str | None:
        try:
            return (await self._clusters.state(name)).id
        except NotReadyError:
            is_unheard = self._static.has(name) and self._static.known(name).kind is ClusterKind.UNKNOWN
            return None if is_unheard else ""
