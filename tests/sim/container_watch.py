"""An observer of containers that knows the rules and nothing of the controller: it looks at engines, act by act."""

from collections import Counter
from collections.abc import Iterator
from math import ceil

from skep.model.engine import Container
from tests.sim.container_hosts import ACTIVE, AloneHost
from tests.sim.world import World

LOST_S = 25.0
"""An engine that was silent for so long may be taken for lost, and what it runs be made elsewhere (W35: 30 s)."""
RETURN_S = 150.0
"""What was begun elsewhere while an engine was lost may still be under way so long after its return."""


class ContainerWatch:
    """Never more containers of a workload than its count and surge, and never two for one slot, by our hand (W42, W24).

    `memory_s`: an act for a count that was replaced may still be under way so long after.
    """

    def __init__(self, world: World, memory_s: float = 0.0) -> None:
        self._world, self._memory_s = world, memory_s
        self._allowed: dict[str, list[tuple[float, int]]] = {}
        self._totals: Counter[str] = Counter()
        self._doubles: Counter[str] = Counter()
        world.watch(self.look)

    def asked(self, workload: str, count: int, surge: int | None = None) -> None:
        """People want so many from now on; with so many more while it is rolled, a quarter if they don't say (W41)."""
        asked = self._allowed.setdefault(workload, [])
        asked.append((self._world.kernel.now_s(), count + (ceil(count / 4) if surge is None else surge)))

    def look(self, what: str, by_us: bool) -> str | None:
        """What our act made worse."""
        faults = list(self._faults()) if by_us else []
        self._totals, self._doubles = self._counted()
        return faults[0] if faults else None

    def _faults(self) -> Iterator[str]:
        totals, doubles = self._counted()
        for workload, total in totals.items():
            if total > max(self._totals[workload], self._most(workload)):
                yield f"{total} containers of {workload}, at most {self._most(workload)} may be"
        for slot, number in doubles.items():
            if number > max(self._doubles[slot], 1):
                yield f"{number} containers for {slot}"

    def _counted(self) -> tuple[Counter[str], Counter[str]]:
        shown = list(self._active())
        totals = Counter(c.labels["skep.workload"] for c in shown)
        return totals, Counter(f"slot {c.labels.get('skep.slot')} of {c.labels['skep.workload']}" for c in shown)

    def _active(self) -> Iterator[Container]:
        for host in self._world.alone.values():
            if not self._may_be_lost(host):
                shown = (c.shown for c in host.containers.values())
                yield from (c for c in shown if c.labels.get("skep.workload") and c.state in ACTIVE)

    def _may_be_lost(self, host: AloneHost) -> bool:
        return host.silent_for_s(self._world.kernel.now_s() - RETURN_S) >= LOST_S

    def _most(self, workload: str) -> int:
        asked, since_s = self._allowed.get(workload, []), self._world.kernel.now_s() - self._memory_s
        before = [most for at_s, most in asked if at_s <= since_s][-1:]
        return max([*before, *(most for at_s, most in asked if at_s > since_s)], default=0)


class Fewest:
    """Never fewer of a workload run than `least`, by our hand (W42)."""

    def __init__(self, world: World, workload: str, least: int = 0) -> None:
        self._world, self._workload, self.least = world, workload, least
        world.watch(self._look)

    def _look(self, what: str, by_us: bool) -> str | None:
        there = running(self._world, self._workload)
        return (
            f"only {there} of {self._workload} run, at least {self.least} shall"
            if by_us and there < self.least
            else None
        )


class FewestAvailable:
    """Never fewer of a workload serve than `least`, by our hand (W42): what runs and does not say that it is ill.

    `unless` is an image that does not count, whatever it says.
    """

    def __init__(self, world: World, workload: str, least: int, unless: str = "") -> None:
        self._world, self._workload, self._least, self._unless = world, workload, least, unless
        self._before = self._number()
        world.watch(self._look)

    def _number(self) -> int:
        shown = [c for host in self._world.alone.values() for c in host.of(self._workload)]
        well = [c for c in shown if c.state == "running" and c.health in ("", "healthy")]
        return sum(c.image.partition("@")[0] != self._unless for c in well)

    def _look(self, what: str, by_us: bool) -> str | None:
        before, self._before = self._before, self._number()
        if not by_us or self._before >= min(before, self._least):
            return None
        return f"only {self._before} of {self._workload} are available, at least {self._least} shall be"


def by_state(world: World, workload: str) -> dict[str, int]:
    """Containers of a workload on all engines, by state."""
    return dict(Counter(c.state for host in world.alone.values() for c in host.of(workload)))


def running(world: World, workload: str) -> int:
    """Those that run, wherever they are."""
    return by_state(world, workload).get("running", 0)


def spread(world: World, workload: str) -> list[int]:
    """How many run on each engine, the fewest first."""
    return sorted(sum(c.state == "running" for c in host.of(workload)) for host in world.alone.values())


def wrong_in_containers(world: World, wanted: dict[str, tuple[int, str]]) -> str:
    """What is not as people want it, told from the engines alone; `wanted` is name to count and image. Empty: nothing.

    A slot may keep its last container that ended, for its logs; one that is not used any more, what failed there. Two
    may bear one number only if an engine that was lost came back: neither is removed while both are needed (W24).
    """
    shown = [c for host in world.alone.values() for c in (f.shown for f in host.containers.values())]
    ours = [c for c in shown if c.labels.get("skep.workload")]
    if strangers := {c.labels["skep.workload"] for c in ours} - set(wanted):
        return f"containers of {strangers} are left"
    for name, (count, image) in wanted.items():
        mine = [c for c in ours if c.labels["skep.workload"] == name]
        states = Counter(c.state for c in mine)
        alive = [c for c in mine if c.state == "running"]
        if states["running"] != count or set(states) - {"running", "exited"}:
            return f"{name} has {dict(states)} and wants {count}"
        if {c.image.partition("@")[0] for c in alive} - {image}:
            return f"{name} runs {Counter(c.image for c in alive)} and wants {image}"
        if len({c.labels["skep.slot"] for c in alive}) != count and not _was_any_lost(world):
            return f"{name} runs slots {sorted(c.labels['skep.slot'] for c in alive)}"
        kept = Counter(c.labels["skep.slot"] for c in mine if c.state == "exited")
        used = {c.labels["skep.slot"] for c in (*alive, *(c for c in mine if _is_evidence(world, c, image)))}
        if any(number > 1 for number in kept.values()) or set(kept) - used:
            return f"{name} keeps {dict(kept)} that have ended"
    return ""


def _is_evidence(world: World, container: Container, image: str) -> bool:
    """Whether it ended as its image does, and another one is wanted: it tells why a roll failed (W47)."""
    name = container.image.partition("@")[0]
    return container.state == "exited" and name != image and name in world.behaviours


def _was_any_lost(world: World) -> bool:
    return any(host.silent_for_s(0.0) >= LOST_S for host in world.alone.values())
