"""What the API asks of the controller: all that a request may do, as one Protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from skep.model.spec import Key, Kind
from skep.model.state import Event
from skep.model.view import ChangeView, KeyView, PlanView, RevisionView
from skep.specs.source import SourceFile

ImageName = Literal["node", "example"]


@dataclass(frozen=True, slots=True)
class Info:
    """Who answers. `engine` is the endpoint of this host's Docker Engine, empty where there is none."""

    controller: str
    version: str
    engine: str
    state_dir: str
    pid: int


class Front(Protocol):
    """Every method may raise any SkepError. `who` is who asked: the peer of a socket, or a certificate's name.

    What names a key raises NotFoundError where there is none. Writes return once the change is stored; carrying it
    out comes later.
    """

    def info(self) -> Info: ...

    async def apply(self, files: Sequence[SourceFile], who: str, adopt: bool) -> tuple[ChangeView, ...]:
        """Store what the files say, all of it or nothing. adopt: take over what exists and lacks our labels."""

    async def plan(self, files: Sequence[SourceFile]) -> tuple[PlanView, ...]:
        """What apply would lead to; changes nothing."""

    async def delete(self, files: Sequence[SourceFile], who: str, cascade: bool) -> tuple[ChangeView, ...]:
        """Remove what the files name, workloads before workers before managers. cascade: also what needs it."""

    async def remove(self, key: Key, who: str, cascade: bool) -> ChangeView: ...
    async def scale(self, key: Key, count: int, who: str) -> ChangeView: ...
    async def views(self, kind: Kind | None) -> tuple[KeyView, ...]:
        """All keys of a kind, or of every kind, in order of their names; those being removed until they are gone."""

    async def view(self, key: Key) -> KeyView: ...
    async def history(self, key: Key) -> tuple[RevisionView, ...]:
        """Newest first."""

    async def spec(self, key: Key) -> str:
        """The stored spec as canonical JSON."""

    async def events(self, since: int, wait_s: float) -> tuple[Event, ...]:
        """Those after number `since`, oldest first; waits so long for the first one."""

    async def build_image(self, which: ImageName) -> str:
        """Make the image on this host's engine, and return its name."""
