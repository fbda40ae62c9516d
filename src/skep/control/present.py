"""What a group was before a spec of its name comes in, and which machines of it there are."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from skep.control.catalog import Catalog
from skep.control.documents import SpecDocument, spec_of
from skep.control.groups import GROUP_TAG
from skep.model.errors import SkepError
from skep.model.machine import InstanceDescription
from skep.model.plan import ActionKind
from skep.model.spec import GroupSpec, Key
from skep.model.state import Record
from skep.ports import Plugins

ReadRecord = Callable[[Key], Awaitable[Record]]
"""What is on the books of a key; UnavailableError before the controllers run."""


@dataclass(frozen=True, slots=True)
class Before:
    """`freed`: it is not looked after, and a spec of its name takes back the machines that there are."""

    document: SpecDocument
    spec: GroupSpec
    freed: bool


@dataclass(frozen=True, slots=True)
class Present:
    """`making`: some are on their way and need not be listed yet. `silent`: why nobody knows what there is, in the
    words of who was asked; empty where it is known."""

    listed: Sequence[InstanceDescription] = ()
    making: bool = False
    silent: str = ""

    @property
    def any(self) -> bool:
        """Whether there are some, or may be."""
        return bool(self.listed or self.making or self.silent)


class Lookout:
    """Asks the plugin that a group had, whichever the new spec names."""

    def __init__(self, catalog: Catalog, plugins: Plugins, record: ReadRecord) -> None:
        self._catalog, self._plugins, self._record = catalog, plugins, record

    async def before(self, key: Key) -> Before | None:
        """None where there was no group of this name, or nothing of it is left."""
        document = await self._catalog.get(key)
        freed = document is None
        document = document or await self._catalog.before(key)
        spec = spec_of(document.spec) if document is not None else None
        return Before(document, spec, freed) if document is not None and isinstance(spec, GroupSpec) else None

    async def present(self, before: Before) -> Present:
        """Who frees a group lets go of what is on its way, too."""
        making = not before.freed and await self._is_making(before.spec.key)
        try:
            plugin = self._plugins.instance(before.spec.instance.plugin)
            return Present(await plugin.describe({GROUP_TAG: before.spec.id}), making)
        except SkepError as error:
            return Present(making=making, silent=str(error))

    async def _is_making(self, key: Key) -> bool:
        entries = (await self._record(key)).ledger.entries
        return any(entry.kind is ActionKind.CREATE for entry in entries)
