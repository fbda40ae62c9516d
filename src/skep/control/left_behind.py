"""Machines that nobody would look after any more under another spec of their group: that spec is refused."""

from skep.control.present import Before, Lookout, Present
from skep.model.errors import NotFoundError
from skep.model.spec import GroupSpec
from skep.ports import Plugins


class LeftBehind:
    """Asks for machines only where the plugin is another one than before."""

    def __init__(self, lookout: Lookout, plugins: Plugins) -> None:
        self._lookout, self._plugins = lookout, plugins

    async def refusals(self, spec: GroupSpec, before: Before) -> list[str]:
        """What forbids that `spec` takes the place of what was there before."""
        if not self._is_moved(spec, before.spec):
            return []
        if why := _paused(before):
            return [why]
        return _unknown_to(spec, before, await self._lookout.present(before))

    def _is_moved(self, spec: GroupSpec, old: GroupSpec) -> bool:
        """Names may be written with or without their prefix."""
        if spec.instance.plugin == old.instance.plugin:
            return False
        try:
            return self._plugins.instance(spec.instance.plugin) is not self._plugins.instance(old.instance.plugin)
        except NotFoundError:
            return True


def _paused(before: Before) -> str:
    """While it is paused, machines are made of an older spec, also after the last one has gone."""
    pause = before.document.paused
    if pause is None or pause.automatic or before.document.removed:
        return ""
    then = "apply it as it was and resume it first" if before.freed else "resume it first"
    return (
        f"group {before.spec.id} is paused, and its machines follow an older spec, which this one does not fit: {then}"
    )


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


def way_out(before: Before) -> str:
    """How the machines are let go in good order first."""
    if before.freed:
        return "apply it as it was before it was freed, and then remove it"
    if before.document.removed:
        return "apply it again when it is gone"
    return "remove it first" if before.spec.allocation.logical_ids else "bring it to size 0, or remove it, first"
