"""A small Front without a world: it keeps what is applied, and shows what a test lets it show."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from skep.model.errors import Fault, InvalidError, NotFoundError, RefusedError
from skep.model.request import ApplyOptions
from skep.model.spec import Key, Kind
from skep.model.state import Condition, ConditionType, Event
from skep.model.view import ActionView, ChangeView, ClusterView, KeyView, Listed, MemberView, PlanView, RevisionView
from skep.server.front import ImageName, Info
from skep.specs.source import SourceFile

GROUP = KeyView(
    key="group/workers",
    kind="group",
    name="workers",
    cluster="managers",
    role="worker",
    image="",
    desired=2,
    current=2,
    ready=2,
    outdated=0,
    generation=1,
    observed_generation=1,
    converged=True,
    removed=False,
)

WORKLOAD = replace(
    GROUP,
    key="workload/web",
    kind="workload",
    name="web",
    role="",
    image="skep/web:1",
    desired=5,
    converged=False,
    generation=3,
    observed_generation=3,
    outdated=1,
    conditions=(
        Condition(ConditionType.AVAILABLE, False, "MinimumReplicasUnavailable", "2 of 5", 1_795_329_000.0),
        Condition(ConditionType.PROGRESSING, True, "Updating", "", 1_795_329_000.0),
    ),
    members=(MemberView("s1", life="running", health="healthy", running=2, wanted=5, age_s=75.0, doing="update s1"),),
    doing=("update s1",),
    waiting=("waits for a free node",),
    observed_age_s=0.5,
    endpoints=("10.20.0.10:8080",),
)
"""Two of five containers run."""

PAUSED = Condition(
    ConditionType.PROGRESSING, False, "RevisionFailed", "the cluster rolled the update back", 1_795_329_000.0
)


class FrontDouble:
    """Files are JSON documents with `Name` and `Count`. Each reading of the views takes the next of `script`;
    the last one stays. An error in `error` is raised by every call."""

    def __init__(self, views: Iterable[KeyView] = ()) -> None:
        self.shown = {Key.parse(view.key): view for view in views}
        self.script: deque[tuple[KeyView, ...]] = deque()
        self.error: Exception | None = None
        self.asked_by: list[str] = []
        self.reasons: list[str] = []
        self.rolled_to: list[int | None] = []
        self.adopted = False
        self.resolved = False
        self.cascaded = False
        self.ready = True
        self.kind: Kind | None = None
        self.known_clusters: tuple[ClusterView, ...] = ()
        self.log: list[Event] = []
        self.news = asyncio.Condition()
        self.polls = 0

    def info(self) -> Info:
        return Info("default", "0.1.0", "unix:///var/run/docker.sock", "/var/lib/skep", 4711)

    def is_ready(self) -> bool:
        return self.ready

    async def apply(self, files: Sequence[SourceFile], who: str, options: ApplyOptions) -> tuple[ChangeView, ...]:
        self._ask(who, options.why)
        self.adopted, self.kind, self.resolved = options.adopt, options.kind, options.resolve
        return tuple(self._store(name, count) for name, count in _documents(files))

    async def plan(self, files: Sequence[SourceFile], kind: Kind | None = None) -> tuple[PlanView, ...]:
        self._ask()
        self.kind = kind
        return tuple(self._plan(name, count) for name, count in _documents(files))

    async def check(self, files: Sequence[SourceFile]) -> tuple[str, ...]:
        self._ask()
        return tuple(str(Key(Kind.WORKLOAD, name)) for name, _ in _documents(files))

    async def delete(
        self, files: Sequence[SourceFile], who: str, cascade: bool, why: str = ""
    ) -> tuple[ChangeView, ...]:
        keys = [Key(Kind.WORKLOAD, name) for name, _ in _documents(files)]
        return tuple([c for key in keys for c in await self.remove(key, who, cascade, why=why)])

    async def remove(self, key: Key, who: str, cascade: bool, *, why: str = "") -> tuple[ChangeView, ...]:
        self._ask(who, why)
        view = await self.view(key)
        if view.role == "manager" and not cascade:
            raise RefusedError(f"{key} is named by group/workers: remove that first, or use --cascade")
        self.cascaded = cascade
        del self.shown[key]
        return (ChangeView(str(key), "removed", view.generation + 1),)

    async def free(self, key: Key, who: str, why: str = "") -> ChangeView:
        self._ask(who, why)
        view = await self.view(key)
        del self.shown[key]
        return ChangeView(str(key), "freed", view.generation)

    async def retry(self, key: Key, who: str, why: str = "") -> ChangeView:
        self._ask(who, why)
        view = await self.view(key)
        self.shown[key] = replace(view, generation=view.generation + 1)
        return ChangeView(str(key), "configured", view.generation + 1)

    async def scale(self, key: Key, count: int, who: str, why: str = "") -> ChangeView:
        self._ask(who, why)
        await self.view(key)
        return self._store(key.name, count, key.kind)

    async def pause(self, key: Key, who: str, why: str = "") -> ChangeView:
        self._ask(who, why)
        view = await self.view(key)
        self.shown[key] = replace(view, paused=f"by {who}: {why}")
        return ChangeView(str(key), "paused", view.generation)

    async def resume(self, key: Key, who: str, why: str = "") -> ChangeView:
        self._ask(who, why)
        view = await self.view(key)
        self.shown[key] = replace(view, paused="")
        return ChangeView(str(key), "resumed", view.generation)

    async def rollback(self, key: Key, to: int | None, who: str, why: str = "") -> ChangeView:
        self._ask(who, why)
        view = await self.view(key)
        self.rolled_to.append(to)
        self.shown[key] = replace(view, generation=view.generation + 1)
        return ChangeView(str(key), "configured", view.generation + 1, ("Image web:2 -> web:1", "Env MODE"))

    async def views(self, kind: Kind | None, fresh: bool = False) -> tuple[KeyView, ...]:
        self._ask()
        self.polls += 1
        if self.script:
            shown = self.script.popleft() if len(self.script) > 1 else self.script[0]
            self.shown = {Key.parse(view.key): view for view in shown}
        return tuple(self.shown[key] for key in sorted(self.shown) if kind in (None, key.kind))

    async def listed(self, kind: Kind | None, fresh: bool = False) -> Listed:
        """As the core does: the containers and addresses of a workload are for who asks for it alone."""
        views = [
            view if view.kind == "group" else replace(view, members=(), endpoints=())
            for view in await self.views(kind, fresh)
        ]
        return Listed(views, [view.observed_age_s for view in views])

    async def view(self, key: Key) -> KeyView:
        self._ask()
        if key not in self.shown:
            raise NotFoundError(f"there is no {key}")
        return self.shown[key]

    async def history(self, key: Key) -> tuple[RevisionView, ...]:
        view = await self.view(key)
        spec = await self.spec(key)
        numbers = range(view.generation, 0, -1)
        return tuple(RevisionView(n, "uid 0 (root)", 1_795_329_000.0 + n, False, spec) for n in numbers)

    async def spec(self, key: Key) -> str:
        view = await self.view(key)
        return json.dumps({"Name": view.name, "Count": view.desired}, separators=(",", ":"))

    async def events(self, since: int, wait_s: float, key: str = "") -> tuple[Event, ...]:
        self._ask()
        async with self.news:
            try:
                async with asyncio.timeout(wait_s):
                    await self.news.wait_for(lambda: any(self._since(since, key)))
            except TimeoutError:
                pass
        return tuple(self._since(since, key))

    def _since(self, since: int, key: str) -> Iterator[Event]:
        return (event for event in self.log if event.seq > since and key in ("", event.key))

    async def clusters(self) -> tuple[ClusterView, ...]:
        self._ask()
        return self.known_clusters

    async def build_image(self, which: ImageName) -> str:
        self._ask()
        return f"skep/{which}:1"

    async def tell(self, event: Event) -> None:
        async with self.news:
            self.log.append(event)
            self.news.notify_all()

    def _ask(self, who: str | None = None, why: str = "") -> None:
        if who is not None:
            self.asked_by.append(who)
            self.reasons.append(why)
        if self.error is not None:
            raise self.error

    def _store(self, name: str, count: int, kind: Kind = Kind.WORKLOAD) -> ChangeView:
        key = Key(kind, name)
        before = self.shown.get(key)
        view = before or replace(WORKLOAD, key=str(key), kind=str(kind), name=name, generation=0, desired=-1)
        if view.desired == count:
            return ChangeView(str(key), "unchanged", view.generation)
        self.shown[key] = replace(view, desired=count, generation=view.generation + 1)
        changed = (f"Count {before.desired} -> {count}",) if before else ()
        return ChangeView(str(key), "configured" if before else "created", view.generation + 1, changed)

    def _plan(self, name: str, count: int) -> PlanView:
        before = self.shown.get(Key(Kind.WORKLOAD, name))
        if before and before.desired == count:
            return PlanView(f"workload/{name}", "unchanged")
        action = ActionView("create", "Missing", "", "", f"create service {name} with {count} replicas")
        return PlanView(f"workload/{name}", "configured" if before else "created", (action,), ("waits for a node",))


def _documents(files: Sequence[SourceFile]) -> list[tuple[str, int]]:
    faults, found = [], []
    for file in files:
        try:
            document = json.loads(file.text)
            found.append((str(document["Name"]), int(document["Count"])))
        except ValueError as error:
            faults.append(Fault(f"no JSON: {error}", file=file.name, line=1))
        except KeyError as error:
            faults.append(Fault("is missing", str(error.args[0]), file.name, 1))
    if faults:
        raise InvalidError(faults)
    return found
