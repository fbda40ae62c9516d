"""Actions that run: tasks that a key owns, whose end wakes it."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from skep.control.ledger import Outcome
from skep.model.errors import BugError, SkepError
from skep.model.spec import Key
from skep.ports import Clock

log = structlog.get_logger()


class Actions:
    """The running and the just ended actions of all keys. Ended ones are kept until their key has settled them."""

    def __init__(self, group: asyncio.TaskGroup, clock: Clock, wake: Callable[[Key], None]) -> None:
        self._group, self._clock, self.wake = group, clock, wake
        self._running: dict[Key, set[str]] = {}
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
        self._running[key].discard(request)
        if not self._running[key]:
            del self._running[key]
        self._outcomes.setdefault(key, {})[request] = Outcome(request, self._clock.monotonic_s(), error)
        self.wake(key)
