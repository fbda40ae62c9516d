"""When an engine that does not answer counts as lost (semantics.md W35), and when rather we are (W36)."""

from collections.abc import Sequence
from dataclasses import dataclass

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
class Loss:
    """Who counts as lost now. `partitioned`: somebody would, and the brake of W36 holds it back."""

    lost: frozenset[str]
    partitioned: bool


def judge(silences: Sequence[Silence], engines: int) -> Loss:
    """`silences` are of one cluster of `engines` engines, those that answer included in the number.

    Engines that have just fallen silent count for the brake as well: of those that a cut takes at the same moment
    one is always the first to be due. Those lost before stay lost until they answer.
    """
    before = frozenset(s.source for s in silences if s.lost)
    due = frozenset(s.source for s in silences if _is_due(s))
    if len(silences) * 100 <= engines * SILENT_MAX_PERCENT:
        return Loss(before | due, partitioned=False)
    return Loss(before, partitioned=bool(due - before))


def _is_due(silence: Silence) -> bool:
    return silence.failed_probes >= PROBES_MIN and silence.silent_s >= SILENCE_MIN_S
