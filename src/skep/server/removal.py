"""What DELETE does: a key goes with its members, or with `orphan` without them, which is what `free` does (W23)."""

from collections.abc import Sequence
from dataclasses import dataclass

from skep.model.errors import Fault, InvalidError, NotFoundError, RefusedError
from skep.model.spec import Key, Kind
from skep.model.view import ChangeView
from skep.server.front import Front
from skep.specs.source import SourceFile, parse


@dataclass(frozen=True, slots=True)
class Removal:
    """How something shall go, as who wants it and why. InvalidError: with cascade and orphan it means two things."""

    who: str
    cascade: bool
    orphan: bool
    why: str

    def __post_init__(self) -> None:
        if self.cascade and self.orphan:
            raise InvalidError([Fault("can't be together with cascade: one leaves what the other removes", "orphan")])

    async def of_key(self, front: Front, key: Key) -> tuple[ChangeView, ...]:
        """A change for each key that goes."""
        if self.orphan:
            return (await front.free(key, self.who, self.why),)
        return await front.remove(key, self.who, self.cascade, why=self.why)

    async def of_files(self, front: Front, files: Sequence[SourceFile]) -> tuple[ChangeView, ...]:
        """The same for what the files name; what is not there is left out. RefusedError, and nothing is done, where
        something of it is being removed with its members."""
        if not self.orphan:
            return await front.delete(files, self.who, self.cascade, self.why)
        keys = sorted((one.spec.key for one in parse(files)), key=lambda key: (key.kind is Kind.GROUP, key.name))
        going = {view.key for view in await front.views(None) if view.removed}.intersection(map(str, keys))
        if going:
            raise RefusedError(f"being removed with all members: {', '.join(sorted(going))}; nothing was forgotten")
        return tuple([change for key in keys for change in await self._freed_if_there(front, key)])

    async def _freed_if_there(self, front: Front, key: Key) -> tuple[ChangeView, ...]:
        try:
            return await self.of_key(front, key)
        except NotFoundError:
            return ()
