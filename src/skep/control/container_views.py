"""What people are shown of a workload's containers: made from the last observation, so that no engine is asked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from skep.control.container_listings import Found
from skep.control.containers import ContainerActuator
from skep.control.moment import Now, lasting, with_next
from skep.control.reconcile import Seen
from skep.model.cluster import ClusterKind, ClusterSight
from skep.model.spec import Kind
from skep.model.state import Entry, Failure, Health, Ledger, Life, Member
from skep.model.view import KeyView, MemberView
from skep.planning.census import follows_newest
from skep.planning.explain import explain_entry
from skep.planning.outlook import Opening, Outlook

HERE = "localhost"
"""Where an engine publishes ports that is reached by a socket of this host."""

_ORDER = (Life.RUNNING, Life.UNKNOWN, Life.PENDING, Life.STOPPED, Life.DEAD, Life.GONE)


def with_containers(view: KeyView, seen: Seen, actuator: ContainerActuator, ledger: Ledger, now: Now) -> KeyView:
    """One row for each container, those that ended last, and for each that is missing; and `host:port` of each port
    that is published."""
    sight, found = actuator.sight(), {f.container.id: f for f in actuator.found}
    silent_s = actuator.silences()
    look = outlook_of(seen, ledger, now, actuator.losses())
    page = _Page(view.name, seen, look, found, hosts_of(sight), names_of(sight), silent_s, now)
    running = [f for f in actuator.found if f.container.state == "running"]
    there = [page.row(m) for m in sorted(seen.observed.members, key=_order) if m.id in page.found]
    missing = [page.missing(o) for o in look.openings if not look.is_told_by_the_dead(o)]
    return replace(
        view,
        members=(*there, *missing),
        endpoints=tuple(address for f in running for address in page.addresses(f)),
        waiting=(*view.waiting, *_lost(sight, silent_s), *_others(actuator)),
    )


def outlook_of(seen: Seen, ledger: Ledger, now: Now, lost_s: Mapping[str, float] | None = None) -> Outlook:
    """What comes next after the last look."""
    return Outlook(seen.desired, seen.observed, ledger, seen.plan, seen.at_s, now.monotonic_s, lost_s or {})


def _order(member: Member) -> tuple[int, int, str, str]:
    """By life, then by number: 10 comes after 9."""
    slot = member.slot or ""
    return (_ORDER.index(member.life), len(slot), slot, member.id)


def names_of(sight: ClusterSight) -> Mapping[str, str]:
    """What people call each engine: its host's own name where the URL is all that tells it from the others."""
    often = Counter(e.hostname for e in sight.engines)
    return {e.source: e.hostname for e in sight.engines if "://" in e.source and e.hostname and often[e.hostname] == 1}


def hosts_of(sight: ClusterSight) -> Mapping[str, str]:
    """Where the ports of each engine are published. A classic Swarm's are on nodes whose addresses it does not tell."""
    if sight.kind is ClusterKind.CLASSIC:
        return {}
    return {e.source: host for e in sight.engines if (host := _host(e.endpoint))}


def _host(endpoint: str) -> str:
    """The host of an engine's URL; empty for a docker context, which only its adapter can read."""
    url = urlsplit(endpoint)
    return {"unix": HERE, "context": ""}.get(url.scheme, url.hostname or "")


@dataclass(frozen=True, slots=True)
class _Page:
    name: str
    seen: Seen
    look: Outlook
    found: Mapping[str, Found]
    hosts: Mapping[str, str]
    names: Mapping[str, str]
    silent_s: Mapping[str, float]
    now: Now

    def row(self, member: Member) -> MemberView:
        found, ended = self.found[member.id], self.look.restarts(member.slot)
        view = MemberView(
            id=member.id[:12],
            slot=f"{self.name}.{member.slot}",
            life="completed" if member.completed else member.life.value,
            health=member.health.value,
            current=follows_newest(self.seen.desired, member),
            running=member.running,
            node=self._node(found),
            address=next(iter(self.addresses(found)), ""),
            age_s=max(0.0, self.now.wall_s - member.created_s) if member.created_s else 0.0,
            doing=self._doing(self.look.entry_of(member)),
            detail=self._detail(member, ended),
            restarts=ended.count if ended else 0,
            last_error=self._error(member, ended),
        )
        return with_next(view, self.look.of(member), self.now)

    def missing(self, opening: Opening) -> MemberView:
        """One that is wanted and not there; what makes it says where."""
        entry, ended = opening.entry, self.look.restarts(opening.slot)
        source = entry.source if entry else ""
        view = MemberView(
            id="",
            slot=f"{self.name}.{opening.slot}",
            life="creating" if entry else "missing",
            health=Health.UNKNOWN.value,
            node=self.names.get(source, source),
            doing=self._doing(entry),
            restarts=ended.count if ended else 0,
            last_error=ended.message if ended else "",
        )
        return with_next(view, opening.next, self.now)

    def addresses(self, found: Found) -> tuple[str, ...]:
        host = self.hosts.get(found.source, "")
        shown = f"[{host}]" if ":" in host else host
        return tuple(f"{shown}:{published}" for published, _, _ in found.container.ports) if host else ()

    def _node(self, found: Found) -> str:
        """A classic Swarm tells where it has placed each (semantics.md 5.4)."""
        return found.container.node or self.names.get(found.source, found.source)

    def _doing(self, entry: Entry | None) -> str:
        return explain_entry(Kind.WORKLOAD, entry) if entry else ""

    def _detail(self, member: Member, ended: Failure | None) -> str:
        """How it ended; of one that runs, how often those before it did."""
        if member.life is Life.DEAD or ended is None:
            return member.detail
        history = f"ended before: {ended.count}, the last one {ended.message}"
        return "; ".join(text for text in (member.detail, history) if text)

    def _error(self, member: Member, ended: Failure | None) -> str:
        """Why it is not well; else how the last one of its slot ended."""
        silent_s = self.silent_s.get(member.source)
        if member.life is Life.UNKNOWN and silent_s is not None:
            return f"its engine has not answered for {lasting(silent_s)}"
        if member.life is Life.DEAD and not member.completed:
            return member.detail
        return ended.message if ended else ""


def _lost(sight: ClusterSight, silent_s: Mapping[str, float]) -> tuple[str, ...]:
    """W35: engines that are lost. What lived there shows again when they are back."""
    return tuple(
        f"{e.source} is lost, for it has not answered for {lasting(silent_s.get(e.source, 0.0))}: what ran there is "
        f"replaced, and what is too many is removed when it is back ({e.error})"
        for e in sight.engines
        if e.lost
    )


def _others(actuator: ContainerActuator) -> tuple[str, ...]:
    """Containers that bear our names and came from another life of the workload."""
    if not actuator.foreign:
        return ()
    places = ", ".join(sorted({f.source for f in actuator.foreign}))
    return (f"containers of another {actuator.workload.spec.name} on {places} are left alone: {len(actuator.foreign)}",)
