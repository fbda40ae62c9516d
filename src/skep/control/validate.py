"""What the plugins say of a spec before it is accepted: every fault at once, with file, line and path."""

import asyncio
from collections.abc import Awaitable, Sequence

from skep.control.abilities import can
from skep.model.errors import Fault, InvalidError, NotFoundError
from skep.model.spec import GroupSpec
from skep.ports import Places, Plugins
from skep.specs.source import ParsedSpec


class Validator:
    """Asks the plugins that the specs name."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    async def check(self, parsed: Sequence[ParsedSpec], before: Sequence[Fault] = ()) -> None:
        """InvalidError with the faults of all specs, after those found `before`; a plugin that is not there is one."""
        faults: list[Fault] = []
        for one in parsed:
            if isinstance(one.spec, GroupSpec):
                faults += await self._group(one, one.spec)
            # Large properties take a plugin a while: others get their turn between specs.
            await asyncio.sleep(0)
        if before or faults:
            raise InvalidError([*before, *faults])

    async def _group(self, parsed: ParsedSpec, spec: GroupSpec) -> list[Fault]:
        """infrakit-compat.md 1.3: flavor, then instance; both are asked, whatever the first says."""
        return [
            *await self._ask(parsed, "Properties.Flavor", self._flavor(spec)),
            *await self._ask(parsed, "Properties.Instance", self._instance(spec)),
        ]

    async def _flavor(self, spec: GroupSpec) -> None:
        await self._plugins.flavor(spec.flavor.plugin).validate(spec.flavor.properties, spec.allocation)

    async def _instance(self, spec: GroupSpec) -> None:
        plugin = self._plugins.instance(spec.instance.plugin)
        await plugin.validate(spec.instance.properties)
        if spec.allocation.logical_ids and can(plugin, Places):
            await plugin.check_ids(spec.instance.properties, spec.allocation.logical_ids)

    async def _ask(self, parsed: ParsedSpec, path: str, answer: Awaitable[None]) -> list[Fault]:
        try:
            await answer
        except NotFoundError as error:
            return [self._placed(parsed, Fault(str(error), f"{path}.Plugin"))]
        except InvalidError as error:
            return [self._placed(parsed, _below(path, fault)) for fault in error.faults]
        return []

    def _placed(self, parsed: ParsedSpec, fault: Fault) -> Fault:
        return Fault(fault.message, fault.path, parsed.file, parsed.line_of(fault.path))


def _below(path: str, fault: Fault) -> Fault:
    """A plugin's fault in its own properties, or, with a path from the group on, in the group's (`Allocation`)."""
    if fault.path.startswith("Allocation"):
        return Fault(fault.message, f"Properties.{fault.path}")
    return Fault(fault.message, ".".join(p for p in (path, "Properties", fault.path) if p))
