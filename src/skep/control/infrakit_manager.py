"""One group plugin in front of another, which acts only where it leads and remembers what was committed
(infrakit-compat.md 3.9).

While this manager leads, the group plugin behind it watches exactly the groups of the stored document, and what is
marked there to be destroyed is destroyed. While another one leads, or nobody knows who does, it watches none. Both are
looked after at every poll, so that nothing depends on what an earlier turn, or an earlier process, got done.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import structlog

from skep.control.emptied_group import emptied
from skep.model.errors import (
    BugError,
    InvalidError,
    NotFoundError,
    RefusedError,
    RejectedError,
    SkepError,
    UnavailableError,
)
from skep.model.group_document import GroupDocument, LeaderStatus, StoredGroup
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, GroupDescription
from skep.ports import Clock, GroupPlugin, GroupStore, Leadership
from skep.wire.go_decode import written

STATUS_TIMEOUT_S = 10.0
"""An engine that lost its quorum takes up to 20 s to say so; somebody else may lead long before."""
DESTROY_RETRY_MAX_S = 300.0
"""A destroy that is refused is asked for again at the next poll, then twice as late each time, up to this: the group
plugin takes each for a wish to try all machines at once."""
WHO = "infrakit-manager"
"""Who asks for what nobody asked for just now, in the group plugin's history."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Taken:
    """A group as the backend took it: what was committed, and what the backend showed of it at the last poll."""

    committed: RawJson
    shown: RawJson | None = None

    def is_stored(self, stored: StoredGroup | None) -> bool:
        return stored is not None and written(stored.group.properties) == self.committed

    def is_shown(self, shown: RawJson) -> bool:
        """The backend writes a group in its own way: what it shows is compared with what it showed."""
        return self.shown in (None, shown)


class Manager:
    """Implements ports.GroupPlugin, and acts by itself while `run` runs.

    Errors of one that does not lead begin with InfraKit's `not-a-leader` and name the leader where it is known.
    """

    def __init__(
        self,
        backend: GroupPlugin,
        plugin: str,
        leadership: Leadership,
        store: GroupStore,
        clock: Clock,
        poll_interval_s: float,
    ) -> None:
        """`plugin` is the name that the document gives `backend`."""
        self._backend, self._plugin, self._leadership, self._store = backend, plugin, leadership, store
        self._clock, self._poll_interval_s = clock, poll_interval_s
        self._leads: bool | None = None
        self._turn: asyncio.Task[None] | None = None
        self._turn_failure = ""
        self._settling: dict[str, asyncio.Task[SkepError | None]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._settled: dict[str, _Taken] = {}  # by group, since this manager leads
        self._failures: dict[str, str] = {}  # why not, by group
        self._gone: set[str] = set()  # destroyed, and their mark in the document could not be removed yet
        self._refused: dict[str, tuple[int, float]] = {}  # how often in a row a destroy was, and when last

    async def run(self) -> None:
        """Look who leads, and act on it, until cancelled. What the backend watches then, it goes on watching."""
        try:
            while True:
                await self._try_to_look()
                if self._turn is None or self._turn.done():
                    self._turn = asyncio.create_task(self._take_turn(), name="turn of the manager")
                await self._clock.sleep(self._poll_interval_s)
        finally:
            self._drop_work()

    # --- the Group interface ----------------------------------------------------------------------------------------

    async def commit(self, group: CommittedGroup, *, pretend: bool, who: str = "") -> str:
        """Nothing is stored that the backend does not take; what is stored is committed until that works."""
        what = f"commit group '{group.id}'"
        await self._require_lead(what)
        _refuse_doomed(await self._store.load(), group.id)
        if pretend:
            return await self._backend.commit(group, pretend=True, who=who)
        async with self._alone(group.id):
            await self._backend.commit(group, pretend=True, who=who)
            await self._require_lead(what)  # asking the plugins may have taken minutes
            await self._store.change(lambda document: self._committed(document, group))
            try:
                return await self._commit_stored(group, who)
            except SkepError as error:
                self._note(group.id, error)
                raise UnavailableError(f"group '{group.id}' is stored, and goes on being tried: {error}") from error

    async def free(self, group: str, who: str = "") -> None:
        """Forget the group, also one that is being destroyed or was never taken."""
        await self._require_lead(f"free group '{group}'")
        self._stop_settling(group)
        async with self._alone(group):
            document = await self._store.load()
            known = group in document.groups or group in document.destroying
            if known:
                await self._store.change(lambda document: document.without(group))
            self._forget(group)
            await self._release(group, who, known=known)

    async def describe(self, group: str) -> GroupDescription:
        await self._require_lead(f"describe group '{group}'")
        try:
            return await self._backend.describe(group)
        except SkepError as error:
            if _is_unwatched(error) and group in self._failures:
                raise NotFoundError(f"{error}: {self._failures[group]}") from error
            raise

    async def destroy(self, group: str, who: str = "") -> None:
        """Goes on until the group is gone, whoever leads and whether or not somebody waits."""
        await self._require_lead(f"destroy group '{group}'")
        if group not in (await self._store.load()).destroying:
            async with self._alone(group):
                document = await self._store.change(lambda document: document.doomed(group))
            if group not in document.destroying:
                raise NotFoundError(f"Group '{group}' is not being watched")
        task = self._settle_soon(group, who)
        await asyncio.wait({task})
        if task.cancelled():
            raise UnavailableError(
                f"stopped destroying group '{group}': it was freed, or another manager leads and goes on with it"
            )
        if error := task.result():
            raise error

    async def inspect(self) -> Sequence[CommittedGroup]:
        """As the backend has them, and those that it does not have yet as they are stored."""
        await self._require_lead("list the groups")
        watched = await self._backend.inspect()
        known = {group.id for group in watched}
        stored = (await self._store.load()).groups
        return [*watched, *(stored[id].group for id in stored if id not in known)]

    # --- who leads --------------------------------------------------------------------------------------------------

    async def _require_lead(self, what: str) -> None:
        try:
            status = await self._look()
        except SkepError as error:
            raise UnavailableError(f"not-a-leader: can't {what} while nobody knows who leads: {error}") from error
        if not status.leads:
            leader = f"{status.leader} leads: ask there" if status.leader else "nobody leads now: try again later"
            raise RefusedError(f"not-a-leader: can't {what} here; {leader}")

    async def _try_to_look(self) -> None:
        try:
            await self._look()
        except SkepError:
            return  # told when leadership is lost, and to whoever asks for something
        except Exception:
            log.exception("asking who leads failed in a way that nobody planned for")

    async def _look(self) -> LeaderStatus:
        """Who leads now, which counts from here on; unknown counts as lost. UnavailableError says why it is."""
        try:
            async with asyncio.timeout(STATUS_TIMEOUT_S):
                status = await self._leadership.status()
        except TimeoutError as error:
            self._heed(False, why := f"no answer within {STATUS_TIMEOUT_S:.0f} s")
            raise UnavailableError(why) from error
        except Exception as error:
            self._heed(False, str(error))
            raise
        self._heed(status.leads, status.leader)
        return status

    def _heed(self, leads: bool, reason: str) -> None:
        if leads == self._leads:
            return
        self._leads = leads
        log.info("this manager leads" if leads else "this manager does not lead", leader=reason)
        self._drop_work()
        self._settled.clear()
        self._failures.clear()
        self._gone.clear()  # another leader may have seen to it, and to a new group of that name since
        self._refused.clear()

    def _drop_work(self) -> None:
        for task in [self._turn, *self._settling.values()]:
            if task is not None:
                task.cancel()
        self._turn = None

    # --- what is done at each poll ----------------------------------------------------------------------------------

    async def _take_turn(self) -> None:
        """Failures are logged when they change: the next poll tries again."""
        failure = ""
        try:
            await (self._lead() if self._leads else self._follow())
        except SkepError as error:
            failure = str(error)
            if failure != self._turn_failure:
                log.warning("a turn of the manager failed", error=failure)
        except Exception:
            log.exception("a turn of the manager failed in a way that nobody planned for")
        self._turn_failure = failure

    async def _lead(self) -> None:
        """A backend that was restarted watches nothing, another manager may have led between two polls, and a call of a
        process that died may come through late: what is not, or no longer, as it is stored is committed again."""
        document = await self._store.load()
        watched = {group.id: group.properties for group in await self._backend.inspect()}
        self._settled = {
            id: replace(taken, shown=watched[id])
            for id, taken in self._settled.items()
            if id in watched and taken.is_shown(watched[id]) and taken.is_stored(document.groups.get(id))
        }
        missing = document.groups.keys() - self._settled.keys()
        extra = watched.keys() - document.groups.keys()
        due = {group for group in document.destroying if self._is_due(group)}
        for group in ((missing | extra) - document.destroying.keys()) | due:
            self._settle_soon(group, WHO)

    def _is_due(self, group: str) -> bool:
        count, refused_s = self._refused.get(group, (0, 0.0))
        delay_s = min(DESTROY_RETRY_MAX_S, self._poll_interval_s * (2.0 ** min(count, 32) - 1) / 2)
        return self._clock.monotonic_s() - refused_s >= delay_s

    async def _follow(self) -> None:
        """All at once: one that does not answer holds up no other."""
        watched = await self._backend.inspect()
        ended = await asyncio.gather(
            *(self._release(group.id, WHO, known=True) for group in watched), return_exceptions=True
        )
        for error in ended:
            if error is not None:
                raise error

    async def _release(self, group: str, who: str, *, known: bool) -> None:
        """Make the backend forget a group; one that it does not watch is an error only where nobody knows it."""
        try:
            await self._backend.free(group, who)
        except SkepError as error:
            if not known or not _is_unwatched(error):
                raise
        else:
            log.info("freed a group", group=group)

    # --- one group --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _alone(self, group: str) -> AsyncIterator[None]:
        """What is done to one group is done one after the other; groups don't wait for each other (G7)."""
        lock = self._locks.setdefault(group, asyncio.Lock())
        async with lock:
            yield

    def _settle_soon(self, group: str, who: str) -> "asyncio.Task[SkepError | None]":
        """The task that brings a group to what is stored of it; the running one, which looks when its turn comes."""
        task = self._settling.get(group)
        if task is None or task.done():
            task = asyncio.create_task(self._settle(group, who), name=f"settle {group}")
            self._settling[group] = task
            task.add_done_callback(lambda task: self._forget_task(group, task))
        return task

    def _forget_task(self, group: str, task: "asyncio.Task[SkepError | None]") -> None:
        if self._settling.get(group) is task:
            del self._settling[group]

    def _stop_settling(self, group: str) -> None:
        if task := self._settling.get(group):
            task.cancel()

    async def _settle(self, group: str, who: str) -> SkepError | None:
        """The error that kept a group from being as it is stored: it is tried again at the next poll."""
        try:
            async with self._alone(group):
                await self._settle_stored(await self._store.load(), group, who)
        except SkepError as error:
            self._note(group, error)
            return error
        except Exception as error:
            log.exception("a group could not be settled in a way that nobody planned for", group=group)
            return BugError(f"internal error ({type(error).__name__}); the log has the details")
        self._failures.pop(group, None)
        return None

    async def _settle_stored(self, document: GroupDocument, group: str, who: str) -> None:
        if group in document.destroying:
            await self._destroy_stored(document.destroying[group].group, who)
        elif group not in document.groups:
            await self._release(group, who, known=True)
        elif not self._is_settled(document.groups[group]):  # else somebody was faster
            details = await self._commit_stored(document.groups[group].group, who)
            log.info("committed a stored group", group=group, details=details)

    def _is_settled(self, stored: StoredGroup) -> bool:
        taken = self._settled.get(stored.group.id)
        return taken is not None and taken.is_stored(stored)

    async def _commit_stored(self, group: CommittedGroup, who: str) -> str:
        details = await self._backend.commit(group, pretend=False, who=who)
        self._settled[group.id] = _Taken(written(group.properties))
        self._failures.pop(group.id, None)
        return details

    async def _destroy_stored(self, group: CommittedGroup, who: str) -> None:
        """The mark goes last: after a crash the next leader goes on."""
        if group.id not in self._gone:
            await self._try_to_destroy(group, who)
            self._gone.add(group.id)
        await self._store.change(lambda document: document.without(group.id))
        self._forget(group.id)
        log.info("destroyed a group", group=group.id)

    async def _try_to_destroy(self, group: CommittedGroup, who: str) -> None:
        try:
            await self._destroy(group, who)
        except RejectedError:
            count, _ = self._refused.get(group.id, (0, 0.0))
            self._refused[group.id] = count + 1, self._clock.monotonic_s()
            raise

    async def _destroy(self, group: CommittedGroup, who: str) -> None:
        """A backend destroys only what it watches (3.7): after a restart it has to be told of the group first."""
        try:
            await self._backend.destroy(group.id, who)
        except SkepError as error:
            if not _is_unwatched(error):
                raise
            await self._watch_again(group, who)
            await self._backend.destroy(group.id, who)

    async def _watch_again(self, group: CommittedGroup, who: str) -> None:
        """With nobody wanted where that can be said, so that what is gone does not come back for a moment."""
        if (nobody := emptied(group)) is not None:
            with suppress(RejectedError, InvalidError):  # InfraKit's takes no size of 0
                await self._backend.commit(nobody, pretend=False, who=who)
                return
        await self._backend.commit(group, pretend=False, who=who)

    def _forget(self, group: str) -> None:
        self._gone.discard(group)
        self._refused.pop(group, None)
        self._settled.pop(group, None)
        self._failures.pop(group, None)

    def _committed(self, document: GroupDocument, group: CommittedGroup) -> GroupDocument:
        _refuse_doomed(document, group.id)
        return document.committed(group, self._plugin)

    def _note(self, group: str, error: SkepError) -> None:
        """One line in the log for each new reason."""
        if self._failures.get(group) != str(error):
            log.warning("a group is not as it is stored", group=group, error=str(error))
        self._failures[group] = str(error)


def _refuse_doomed(document: GroupDocument, group: str) -> None:
    if group in document.destroying:
        raise RefusedError(
            f"group '{group}' is being destroyed: commit it when it is gone, or free it first to keep what is left"
        )


def _is_unwatched(error: SkepError) -> bool:
    """Whether a group plugin, behind a socket or not, says that it does not know the group (3.8)."""
    return "is not being watched" in str(error)
