"""Wake-ups by key or by cluster, for those who know nothing of controllers."""

import asyncio
from collections.abc import Callable

from skep.model.spec import Key


class Hub:
    """Deaf until the controllers of a term are attached, which begin by looking at every key.

    `changed` is set when what is known of any cluster has changed; who waits for it clears it before looking.
    """

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._wake: Callable[[Key], None] = _nobody
        self._keys_on: Callable[[str], tuple[Key, ...]] = _no_keys

    def attach(self, wake: Callable[[Key], None], keys_on: Callable[[str], tuple[Key, ...]]) -> None:
        self._wake, self._keys_on = wake, keys_on

    def detach(self) -> None:
        self._wake, self._keys_on = _nobody, _no_keys

    def wake(self, key: Key) -> None:
        self._wake(key)

    def wake_cluster(self, cluster: str) -> None:
        for key in self._keys_on(cluster):
            self._wake(key)

    def cluster_changed(self, cluster: str) -> None:
        """What is known of a cluster has changed: for those who live on it, and for those who follow its engines."""
        self.changed.set()
        self.wake_cluster(cluster)


def _nobody(key: Key) -> None:
    """Nobody works on keys now."""


def _no_keys(cluster: str) -> tuple[Key, ...]:
    return ()
