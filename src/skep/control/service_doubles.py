"""Replicas that a Swarm runs twice, and does not notice: exactly as many as are asked for shall run."""

from skep.model.engine import Service
from skep.model.spec import Key

DOUBLED_S = 10.0
"""A replica that is started first has two tasks for a moment, and a Swarm is told of the same not more often."""


class Doubles:
    """Since when a service runs a replica twice, kept while skep runs."""

    def __init__(self) -> None:
        self._since: dict[Key, tuple[int, float]] = {}

    def last(self, key: Key, service: Service, doubled: bool, now_s: float) -> bool:
        """Whether it does so, and has for long enough since the service was changed; `now_s` is monotonic."""
        if not doubled:
            self._since.pop(key, None)
            return False
        version, since_s = self._since.get(key, (-1, now_s))
        if version != service.version:
            version, since_s = self._since[key] = service.version, now_s
        return now_s - since_s >= DOUBLED_S

    def forget(self, key: Key) -> None:
        self._since.pop(key, None)
