"""Machines that nobody would look after any more under another spec of their group: that spec is refused."""

from skep.control.homes import Finder, Homes
from skep.control.present import Before, Lookout, Present
from skep.control.topology import Topology
from skep.model.errors import NotFoundError
from skep.model.spec import GroupSpec
from skep.model.state import Role
from skep.ports import Plugins


class LeftBehind:
    """Asks for machines only where the plugin, or what its flavor says of a Swarm, is another than before."""

    def __init__(self, lookout: Lookout, finder: Finder, topology: Topology, plugins: Plugins) -> None:
        self._lookout, self._finder, self._topology, self._plugins = lookout, finder, topology, plugins

    async def refusals(self, spec: GroupSpec, before: Before) -> list[str]:
        """What forbids that `spec` takes the place of what was there before."""
        is_moved, leaves = self._is_moved(spec, before.spec), self._leaves(spec, before.spec)
        if is_moved:
            return _paused(before) or _unknown_to(spec, before, await self._lookout.present(before))
        return await self._of_swarm(spec, before) if leaves else []

    async def _of_swarm(self, spec: GroupSpec, before: Before) -> list[str]:
        homes = await self._finder.homes(before.spec, spec)
        if homes.leaves and (why := _paused(before)):
            return why
        present = await self._lookout.present(before)
        return _undrained(before, present, homes, self._hosted(before.spec)) if present.any else []

    def _leaves(self, spec: GroupSpec, old: GroupSpec) -> bool:
        """Whether workers may have to leave their Swarm. What joins none has nothing to leave; of managers is told
        elsewhere."""
        membership = self._topology.membership(old)
        if membership is None or membership.role is not Role.WORKER:
            return False
        return spec.flavor.plugin != old.flavor.plugin or membership != self._topology.membership(spec)

    def _hosted(self, old: GroupSpec) -> bool:
        membership = self._topology.membership(old)
        return membership is not None and membership.elsewhere

    def _is_moved(self, spec: GroupSpec, old: GroupSpec) -> bool:
        """Names may be written with or without their prefix."""
        if spec.instance.plugin == old.instance.plugin:
            return False
        try:
            return self._plugins.instance(spec.instance.plugin) is not self._plugins.instance(old.instance.plugin)
        except NotFoundError:
            return True


def _paused(before: Before) -> list[str]:
    """While it is paused, machines are made of an older spec, also after the last one has gone."""
    pause = before.document.paused
    if pause is None or pause.automatic or before.document.removed:
        return []
    then = "apply it as it was and resume it first" if before.freed else "resume it first"
    return [f"group {before.spec.id} is paused, and its machines follow a spec that this one does not fit: {then}"]


def _unknown_to(spec: GroupSpec, before: Before, present: Present) -> list[str]:
    """Only their own plugin knows the machines. Where it can't be asked, who has freed them has let go of them."""
    group, old, new = spec.id, before.spec.instance.plugin, spec.instance.plugin
    if present.silent and not before.freed:
        return [
            f"group {group} may have instances of plugin {old}, which {new} does not know, and it can't be asked: "
            f"{present.silent}. Have {old} answer, or free the group, which leaves its machines as they are"
        ]
    if present.listed:
        there = f"has {len(present.listed)} instances of plugin {old}"
    elif present.making:
        there = f"is getting instances of plugin {old}"
    else:
        return []
    return [f"group {group} {there}, which {new} does not know: {way_out(before)}, or give the new one another ID"]


def _undrained(before: Before, present: Present, homes: Homes, hosted: bool) -> list[str]:
    """Under the new spec workers would count as those that have joined nothing, and go first: undrained, and with their
    nodes left behind. Of a cluster that is gone they can't be drained anyway. `hosted`: they are on a Swarm that is no
    cluster of ours."""
    left = homes.left(present.listed)
    names = homes.names(left)
    if names:
        there = f"in cluster {names[0]}"
    elif homes.leaves and (present.making or present.silent or homes.unsure(present.listed)):
        there = f"that may be in cluster {homes.leaves}" + (f" ({present.silent})" if present.silent else "")
    elif left and hosted:
        there = "in the Swarm of its Host"
    elif left and homes.unheard:
        there = f"that may be in cluster {homes.unheard[0]}, which does not answer"
    else:
        return []
    return [
        f"group {before.spec.id} has machines {there}. With this spec they would be destroyed without a drain, and "
        f"their nodes left behind: {way_out(before)}, or give the new one another ID"
    ]


def way_out(before: Before) -> str:
    """How the machines are let go in good order first."""
    if before.freed:
        return "apply it as it was before it was freed, and then remove it"
    if before.document.removed:
        return "apply it again when it is gone"
    return "remove it first" if before.spec.allocation.logical_ids else "bring it to size 0, or remove it, first"
