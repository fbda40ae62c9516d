"""When an engine that does not answer counts as lost (semantics.md W35), and when rather we are (W36)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

PROBES_MIN = 3
SILENCE_MIN_S = 30.0
"""W35: an engine is lost after so many failed probes and so many seconds of silence, both."""

SILENT_MAX_PERCENT = 55
"""W36: where more of a cluster's engines than this are silent, our own network is the likelier fault."""


@dataclass(frozen=True, slots=True)
class Silence:
    """One engine that does not answer now. `lost`: it was declared so before."""

    source: str
    failed_probes: int
    silent_s: float
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Brake:
    """W36's, of one cluster. `let_go_s`: when it was `on` last, on the clock that silences are measured with."""

    on: bool = False
    let_go_s: float = -inf

    def turned(self, on: bool, now_s: float) -> "Brake":
        return Brake(on, now_s if self.on and not on else self.let_go_s)


@dataclass(frozen=True, slots=True)
class Loss:
    """Who counts as lost now. `partitioned`: the brake holds somebody back. `brake` is for the next time."""

    lost: frozenset[str]
    partitioned: bool
    brake: Brake


def judge(silences: Sequence[Silence], engines: int, brake: Brake, now_s: float) -> Loss:
    """`silences` are of one cluster of `engines` engines, those that answer included in the number; `brake` is as it
    was left the last time.

    Engines that have just fallen silent count for the brake as well: of those that a cut takes at the same moment
    one is always the first to be due. And of those that come back at the same moment one is always the first to be
    heard: once the brake is let go, everybody has the whole of W35's time from then on.
    Those lost before stay lost until they answer.
    """
    before = frozenset(s.source for s in silences if s.lost)
    due = frozenset(s.source for s in silences if _is_due(s, s.silent_s))
    brake = brake.turned(len(silences) * 100 > engines * SILENT_MAX_PERCENT, now_s)
    if brake.on:
        return Loss(before, bool(due - before), brake)
    free_s = now_s - brake.let_go_s
    return Loss(before | {s.source for s in silences if _is_due(s, min(s.silent_s, free_s))}, False, brake)


def due_s(silent_since_s: float, brake: Brake) -> float:
    """When one that has been silent since then is to count as lost, if its probes fail too and most others answer."""
    return max(silent_since_s, brake.let_go_s) + SILENCE_MIN_S


def _is_due(silence: Silence, silent_s: float) -> bool:
    return silence.failed_probes >= PROBES_MIN and silent_s >= SILENCE_MIN_S
