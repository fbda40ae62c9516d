"""What the API asks of the controller: all that a request may do, as one Protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from skep.model.request import ApplyOptions
from skep.model.spec import Key, Kind
from skep.model.state import Event
from skep.model.view import ChangeView, ClusterView, KeyView, Listed, PlanView, RevisionView
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
    `why` is what he says of it, kept with the revision and told in the events; empty where he says nothing.

    What names a key raises NotFoundError where there is none. Writes return once the change is stored; carrying it
    out comes later.
    """

    def info(self) -> Info: ...

    def is_ready(self) -> bool:
        """Whether this process acts: it has the term and answers for what it shows."""

    async def apply(self, files: Sequence[SourceFile], who: str, options: ApplyOptions) -> tuple[ChangeView, ...]:
        """Store what the files say, all of it or nothing."""

    async def plan(self, files: Sequence[SourceFile], kind: Kind | None = None) -> tuple[PlanView, ...]:
        """What apply would lead to; changes nothing."""

    async def check(self, files: Sequence[SourceFile]) -> tuple[str, ...]:
        """The keys that the files hold, if an apply would accept them; changes nothing and asks no engine."""

    async def delete(
        self, files: Sequence[SourceFile], who: str, cascade: bool, why: str = ""
    ) -> tuple[ChangeView, ...]:
        """Remove what the files name, workloads before workers before managers. cascade: also what needs it."""

    async def remove(self, key: Key, who: str, cascade: bool, *, why: str = "") -> tuple[ChangeView, ...]:
        """Remove one key. cascade: also what needs it, a change for each."""

    async def free(self, key: Key, who: str, why: str = "") -> ChangeView:
        """Forget a group or workload and leave its members as they are (InfraKit's free, semantics.md W23)."""

    async def retry(self, key: Key, who: str, why: str = "") -> ChangeView:
        """A new generation of the same spec: what was given up is tried again at once (W38)."""

    async def scale(self, key: Key, count: int, who: str, why: str = "") -> ChangeView: ...
    async def rollback(self, key: Key, to: int | None, who: str, why: str = "") -> ChangeView:
        """All but the count as an older revision said, as a new generation (W48).

        to: the generation of that revision; None is the last that differs in more than the count.
        """

    async def pause(self, key: Key, who: str, why: str = "") -> ChangeView:
        """Newer templates wait until it is resumed; healing and scaling go on (W49)."""

    async def resume(self, key: Key, who: str, why: str = "") -> ChangeView:
        """What waits is rolled out."""

    async def listed(self, kind: Kind | None, fresh: bool = False) -> Listed:
        """All keys of a kind, or of every kind, in order of their names; those being removed until they are gone.

        fresh: look at those that were not looked at for a second; waits a second at most.
        """

    async def views(self, kind: Kind | None, fresh: bool = False) -> tuple[KeyView, ...]:
        """The same, each with its age."""

    async def view(self, key: Key) -> KeyView: ...
    async def history(self, key: Key) -> tuple[RevisionView, ...]:
        """Newest first."""

    async def spec(self, key: Key) -> str:
        """The stored spec as canonical JSON."""

    async def events(self, since: int, wait_s: float, key: str = "") -> tuple[Event, ...]:
        """Those after number `since`, oldest first; waits so long for the first one. key: only those of this key."""

    async def clusters(self) -> tuple[ClusterView, ...]:
        """All clusters, those of the settings and those that manager groups form, as they are known now."""

    async def build_image(self, which: ImageName) -> str:
        """Make the image on this host's engine, and return its name."""
