"""What is well-formed and would do harm to what is there: it is refused before anything of it is stored."""

from collections.abc import Sequence

from skep.control.catalog import Catalog
from skep.control.clusters import ClusterBook
from skep.control.endpoints import EngineBook
from skep.control.homes import Finder
from skep.control.left_behind import LeftBehind
from skep.control.present import Before, Lookout, ReadRecord
from skep.control.topology import Topology
from skep.model.errors import RefusedError
from skep.model.spec import GroupSpec, Spec
from skep.model.state import Role
from skep.ports import Plugins

_OTHER_NAME = "give the group another ID, or the cluster of the settings another name"

_ROLL_OF_ONE = (
    "this spec needs a new machine for it: replacing it would lose the Swarm. Add managers first (3 logical IDs, the "
    "properties as they are), or keep the properties as they are"
)
"""semantics.md N4, N7."""

_ROLL_TO_ONE = (
    "this spec needs a new machine for it: replacing it then would lose the Swarm. Keep its properties as they are, or "
    "change them while there are more (of 3 with Updating.MaxUnavailable: 1), and bring it to one after that"
)
"""Most of the managers would be gone before anybody is told that the last one stays as it is."""


class Harm:
    """Asked by all that stores a spec that may differ from the one before: apply, commit, rollback and their plans."""

    def __init__(
        self,
        catalog: Catalog,
        topology: Topology,
        plugins: Plugins,
        clusters: ClusterBook,
        static: EngineBook,
        record: ReadRecord,
    ) -> None:
        """`static` are the clusters of the settings."""
        self._topology, self._static = topology, static
        self._lookout = Lookout(catalog, plugins, record)
        finder = Finder(catalog, topology, clusters, static)
        self._left_behind = LeftBehind(self._lookout, finder, topology, plugins)

    async def refuse(self, specs: Sequence[Spec]) -> None:
        """RefusedError with all that forbids any of them, a line for each."""
        refusals = []
        for spec in specs:
            if isinstance(spec, GroupSpec):
                refusals += await self._of_group(spec)
        if refusals:
            raise RefusedError("\n".join(refusals))

    async def _of_group(self, spec: GroupSpec) -> list[str]:
        before = await self._lookout.before(spec.key)
        refusals = self._name_taken(spec)
        if before is not None and self._topology.role(before.spec) is Role.MANAGER:
            refusals += await self._of_managers(spec, before)
        if before is not None:
            refusals += await self._left_behind.refusals(spec, before)
        return refusals

    def _name_taken(self, spec: GroupSpec) -> list[str]:
        """A Swarm of the settings is not ours to found, nor to be given managers."""
        membership = self._topology.membership(spec)
        cluster = (membership.cluster or spec.id) if membership and membership.role is Role.MANAGER else ""
        if not self._static.has(cluster):
            return []
        return [f"group {spec.id} would form cluster {cluster}, and the settings have one of that name: {_OTHER_NAME}"]

    async def _of_managers(self, spec: GroupSpec, before: Before) -> list[str]:
        """Those that were freed are managers as long as their machines are there."""
        if before.document.removed and not before.freed:
            return [_half_gone(spec)]
        refusals = (
            self._of_kind(spec, before.spec) or self._of_ids(spec, before.spec) or await self._of_roll(spec, before)
        )
        if not refusals or not before.freed:
            return refusals
        return refusals if (await self._lookout.present(before)).any else []

    def _of_kind(self, spec: GroupSpec, old: GroupSpec) -> list[str]:
        """Under another cluster's name they would count as those of a Swarm that is still to be formed, and be replaced
        all at once."""
        founded, wanted = self._topology.membership(old), self._topology.membership(spec)
        if founded is None or wanted is None or wanted.role is not Role.MANAGER:
            return [f"group {spec.id} holds the managers of a Swarm: its flavor can't be changed to another kind"]
        cluster = founded.cluster or old.id
        if (cluster, founded.elsewhere) == (wanted.cluster or spec.id, wanted.elsewhere):
            return []
        return [
            f"group {spec.id} holds the managers of cluster {cluster}, and its Swarm would be lost with them: they "
            "can't be given another one. Keep it as it is, and give those of another cluster a group of their own"
        ]

    def _of_ids(self, spec: GroupSpec, old: GroupSpec) -> list[str]:
        """The one manager that is to be left has to be there already: a Swarm can't be handed over from the last."""
        before, after = old.allocation.logical_ids, spec.allocation.logical_ids
        if len(before) == 1 and before[0] not in after:
            return [f"group {spec.id} has one manager, {before[0]}: without it the Swarm is lost"]
        if len(after) == 1 and after[0] not in before:
            return [
                f"group {spec.id} would be left with one manager, {after[0]}, which is none of those that it has, and "
                f"the last of them can't be removed for it: keep one of {', '.join(before)}, or have {after[0]} in "
                "beside some of them first"
            ]
        return []

    async def _of_roll(self, spec: GroupSpec, before: Before) -> list[str]:
        """The one manager that there is, or that is to be left, can't be replaced."""
        if before.spec.allocation.count == 1:
            is_other = self._topology.needs_new_machines(before.spec, spec)
            told = f"group {spec.id} has one manager, and {_ROLL_OF_ONE}"
        else:
            is_other = spec.allocation.count == 1
            told = f"group {spec.id} would be left with one manager, and {_ROLL_TO_ONE}"
        return [told] if is_other and not await self._is_made(spec, before) else []

    async def _is_made(self, spec: GroupSpec, before: Before) -> bool:
        """Whether the machine that stays is of this spec, whatever was asked for meanwhile. Of one that is not listed
        nothing but the last spec is known."""
        kept = set(before.spec.allocation.logical_ids) & set(spec.allocation.logical_ids)
        listed = (await self._lookout.present(before)).listed
        staying = [machine for machine in listed if not kept or machine.logical_id in kept]
        if not staying:
            return not self._topology.needs_new_machines(before.spec, spec)
        return any(self._topology.is_current(machine, spec) for machine in staying)


def _half_gone(spec: GroupSpec) -> str:
    """Managers whose cluster is removed leave without ceremony (N16): those that are left may be no majority."""
    return f"group {spec.id} is being removed, and its Swarm with it: apply it again when it is gone"
