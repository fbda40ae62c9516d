"""What is well-formed and would do harm to what is there: it is refused before anything of it is stored."""

from collections.abc import Collection, Sequence

from skep.control.catalog import Catalog
from skep.control.documents import spec_of
from skep.control.topology import Topology
from skep.model.errors import RefusedError
from skep.model.spec import GroupSpec, Spec
from skep.model.state import Role

_OTHER_NAME = "give the group another ID, or the cluster of the settings another name"

_ROLL_OF_ONE = (
    "this spec needs a new machine for it: replacing it would lose the Swarm. Add managers first (3 logical IDs, the "
    "properties as they are), or keep the properties as they are"
)
"""semantics.md N4, N7."""


class Harm:
    """Asked by all that stores a spec that may differ from the one before: apply, commit, rollback and their plans."""

    def __init__(self, catalog: Catalog, topology: Topology, static: Collection[str] = ()) -> None:
        """`static` are the clusters of the settings."""
        self._catalog, self._topology, self._static = catalog, topology, static

    async def refuse(self, specs: Sequence[Spec]) -> None:
        """RefusedError with all that forbids any of them, a line for each."""
        refusals = []
        for spec in specs:
            if isinstance(spec, GroupSpec):
                refusals += await self._of_group(spec)
        if refusals:
            raise RefusedError("\n".join(refusals))

    async def _of_group(self, spec: GroupSpec) -> list[str]:
        before = await self._catalog.get(spec.key)
        old = spec_of(before.spec) if before is not None else None
        refusals = self._name_taken(spec)
        if before is not None and isinstance(old, GroupSpec):
            refusals += self._half_gone(old) if before.removed else self._of_managers(spec, old)
        return refusals

    def _name_taken(self, spec: GroupSpec) -> list[str]:
        """A Swarm of the settings is not ours to found, nor to be given managers."""
        membership = self._topology.membership(spec)
        cluster = (membership.cluster or spec.id) if membership and membership.role is Role.MANAGER else ""
        if cluster not in self._static:
            return []
        return [f"group {spec.id} would form cluster {cluster}, and the settings have one of that name: {_OTHER_NAME}"]

    def _half_gone(self, old: GroupSpec) -> list[str]:
        """Managers whose cluster is removed leave without ceremony (N16): those that are left may be no majority."""
        if self._topology.role(old) is not Role.MANAGER:
            return []
        return [f"group {old.id} is being removed, and its Swarm with it: apply it again when it is gone"]

    def _of_managers(self, spec: GroupSpec, old: GroupSpec) -> list[str]:
        if self._topology.role(old) is not Role.MANAGER:
            return []
        if self._topology.role(spec) is not Role.MANAGER:
            return [f"group {spec.id} holds the managers of a Swarm: its flavor can't be changed to another kind"]
        return self._of_ids(spec, old) or self._of_roll(spec, old)

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

    def _of_roll(self, spec: GroupSpec, old: GroupSpec) -> list[str]:
        if old.allocation.count == 1 and self._topology.needs_new_machines(old, spec):
            return [f"group {spec.id} has one manager, and {_ROLL_OF_ONE}"]
        return []
