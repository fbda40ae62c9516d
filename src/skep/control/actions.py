"""Actions that run: tasks that a key owns, whose end wakes it."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from skep.control.books import Outcome
from skep.model.errors import BugError, SkepError
from skep.model.spec import Key
from skep.model.state import Phase
from skep.ports import Clock

log = structlog.get_logger()


class Actions:
    """The running and the just ended actions of all keys. Ended ones are kept until their key has settled them."""

    def __init__(self, group: asyncio.TaskGroup, clock: Clock, wake: Callable[[Key], None]) -> None:
        self._group, self._clock, self._wake = group, clock, wake
        self._running: dict[Key, set[str]] = {}
        self._made: dict[Key, set[str]] = {}
        self._outcomes: dict[Key, dict[str, Outcome]] = {}

    def start(self, key: Key, request: str, act: Callable[[], Awaitable[None]]) -> None:
        """While the core is ending nothing is started: the entry stays in the ledger for the next one."""
        running = self._run(key, request, act)
        try:
            self._group.create_task(running, name=f"{key} {request}")
        except RuntimeError:
            running.close()
            return
        self._running.setdefault(key, set()).add(request)

    def running(self, key: Key) -> frozenset[str]:
        return frozenset(self._running.get(key, ()))

    def made(self, key: Key, request: str) -> None:
        """A running creation has made its member, and starts it yet. Not written down: only who waits for it cares."""
        self._made.setdefault(key, set()).add(request)
        self._wake(key)

    def phases(self, key: Key) -> dict[str, Phase]:
        """How far running actions have come beyond what is written down, by request."""
        return dict.fromkeys(self._made.get(key, ()), Phase.CREATED)

    def outcomes(self, key: Key) -> dict[str, Outcome]:
        """A copy: what ends later belongs to the next turn."""
        return dict(self._outcomes.get(key, {}))

    def settled(self, key: Key, requests: set[str]) -> None:
        """These outcomes are written down in the record and need not be kept."""
        kept = {r: o for r, o in self._outcomes.get(key, {}).items() if r not in requests}
        self._outcomes[key] = kept
        if not kept:
            del self._outcomes[key]

    async def _run(self, key: Key, request: str, act: Callable[[], Awaitable[None]]) -> None:
        error: Exception | None = None
        try:
            await act()
        except SkepError as caught:
            error = caught
            if isinstance(caught, BugError):
                log.error("an action broke a promise", key=str(key), request=request, error=str(caught))
        except Exception as caught:
            log.exception("an action failed in a way that nobody planned for", key=str(key), request=request)
            error = BugError(f"internal error ({type(caught).__name__}); the log has the details")
        for books in (self._running, self._made):
            books.get(key, set()).discard(request)
            if not books.get(key):
                books.pop(key, None)
        self._outcomes.setdefault(key, {})[request] = Outcome(request, self._clock.monotonic_s(), error)
        self._wake(key)
