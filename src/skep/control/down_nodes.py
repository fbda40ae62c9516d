"""Nodes that a classic Swarm manager does not reach: silent, then lost, as engines of our own are (semantics.md W35).

The manager lists what is on them as Host Down (5.4), and what they run may run on.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from skep.planning.loss import PROBES_MIN, Brake, Silence, judge


@dataclass(frozen=True, slots=True)
class Away:
    """By name, as the manager tells it. `partitioned` is W36: so many are silent that none of them is given up."""

    silent: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    partitioned: bool = False


class DownNodes:
    """Those that one workload has containers on. Times are those of `now_s`; a new process begins to count anew."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._since_s: dict[str, float] = {}
        self._lost: frozenset[str] = frozenset()
        self._brake = Brake()

    def listed(self, down: Collection[str]) -> None:
        """The manager says so of these, and of no others: it has tried several times itself."""
        now_s = self._now_s()
        self._since_s = {node: self._since_s.get(node, now_s) for node in down}
        self._lost &= set(down)

    def judged(self, nodes: Mapping[str, bool]) -> Away:
        """`nodes`: all that the manager knows, and whether it reaches them; those that nothing is listed on count for
        the brake alone."""
        now_s = self._now_s()
        unreached = {*self._since_s, *(node for node, reached in nodes.items() if not reached)}
        silences = [
            Silence(node, PROBES_MIN, now_s - self._since_s.get(node, now_s), node in self._lost)
            for node in sorted(unreached)
        ]
        loss = judge(silences, len(nodes.keys() | unreached), self._brake, now_s)
        self._lost, self._brake = loss.lost, loss.brake
        return Away(frozenset(self._since_s) - loss.lost, loss.lost, loss.partitioned)
