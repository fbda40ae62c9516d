"""The log of those who were not let in: each is told, and none can fill it."""

import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

log = structlog.get_logger()

AGAIN_AFTER_S = 60.0
"""The same host with the same fault is told again after this, with how often it came meanwhile."""

HOSTS_MAX = 1024
"""Hosts and faults that are remembered; the oldest goes, so that nobody who changes address makes us grow."""


class Refusals:
    """Tells each refusal once for each host and fault."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._told: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def tell(self, host: str, peer: str, reason: str) -> None:
        """`peer` is the host and the port that it came from."""
        now_s = self._clock_s()
        told_s, more = self._told.get((host, reason), (-AGAIN_AFTER_S, 0))
        if now_s - told_s < AGAIN_AFTER_S:
            self._told[host, reason] = told_s, more + 1
            return
        self._told[host, reason] = now_s, 0
        self._told.move_to_end((host, reason))
        if len(self._told) > HOSTS_MAX:
            self._told.popitem(last=False)
        log.warning("refused over TLS", peer=peer, reason=reason, **({"meanwhile": more} if more else {}))
