"""How long to wait after failures."""

RESTART_CAP_S = 300.0
"""semantics.md W30 and W32: the curve ends at five minutes."""

CREATE_BASE_S = 1.0
"""A refused creation is tried again after a second: most refusals of a young cluster pass by themselves."""

START_BASE_S = 10.0
"""W30: the first restart is immediate, the second after 10 s, then 20, 40, …"""

JITTER = 0.1
"""W30: 10 % to either side, so that many keys that failed together do not come back together."""


def create_delay_s(failures: int, unit: float) -> float:
    """Seconds until the next try after `failures` (1 or more) in a row; `unit` is random in [0, 1)."""
    return _jittered(CREATE_BASE_S * 2.0 ** (min(failures, 30) - 1), unit)


def start_delay_s(starts: int, unit: float) -> float:
    """Seconds until the next start after `starts` (1 or more) that did not end healthy."""
    return _jittered(START_BASE_S * 2.0 ** (min(starts, 30) - 1), unit)


def _jittered(delay_s: float, unit: float) -> float:
    return min(delay_s, RESTART_CAP_S) * (1 - JITTER + 2 * JITTER * unit)
