"""What people are shown of a workload's containers: made from the last observation, so that no engine is asked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from skep.control.container_listings import Found
from skep.control.containers import ContainerActuator
from skep.control.reconcile import Seen
from skep.model.cluster import ClusterKind, ClusterSight
from skep.model.plan import ActionKind
from skep.model.spec import Kind
from skep.model.state import Ledger, Life, Member
from skep.model.view import KeyView, MemberView
from skep.planning.census import follows_newest
from skep.planning.explain import explain_entry

HERE = "localhost"
"""Where an engine publishes ports that is reached by a socket of this host."""

_ORDER = (Life.RUNNING, Life.UNKNOWN, Life.PENDING, Life.STOPPED, Life.DEAD, Life.GONE)


def with_containers(view: KeyView, seen: Seen, actuator: ContainerActuator, ledger: Ledger, wall_s: float) -> KeyView:
    """One row for each container, those that ended last; and `host:port` of each port that is published."""
    sight, found = actuator.sight(), {f.container.id: f for f in actuator.found}
    page = _Page(view.name, seen, ledger, found, hosts_of(sight), names_of(sight), wall_s)
    running = [f for f in actuator.found if f.container.state == "running"]
    return replace(
        view,
        members=tuple(page.row(m) for m in sorted(seen.observed.members, key=_order) if m.id in page.found),
        endpoints=tuple(address for f in running for address in page.addresses(f)),
        waiting=(*view.waiting, *_others(actuator)),
    )


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
    ledger: Ledger
    found: Mapping[str, Found]
    hosts: Mapping[str, str]
    names: Mapping[str, str]
    wall_s: float

    def row(self, member: Member) -> MemberView:
        found = self.found[member.id]
        return MemberView(
            id=member.id[:12],
            slot=f"{self.name}.{member.slot}",
            life="completed" if member.completed else member.life.value,
            health=member.health.value,
            current=follows_newest(self.seen.desired, member),
            running=member.running,
            node=self._node(found),
            address=next(iter(self.addresses(found)), ""),
            age_s=max(0.0, self.wall_s - member.created_s) if member.created_s else 0.0,
            doing=self._doing(member),
            detail=self._detail(member),
        )

    def addresses(self, found: Found) -> tuple[str, ...]:
        host = self.hosts.get(found.source, "")
        shown = f"[{host}]" if ":" in host else host
        return tuple(f"{shown}:{published}" for published, _, _ in found.container.ports) if host else ()

    def _node(self, found: Found) -> str:
        """A classic Swarm names its containers `node/name` (semantics.md 5.4)."""
        node, slash, _ = found.container.name.partition("/")
        return node if slash else self.names.get(found.source, found.source)

    def _doing(self, member: Member) -> str:
        entries = (e for e in self.ledger.entries if e.member == member.id or e.request == member.request)
        return next((explain_entry(Kind.WORKLOAD, e) for e in entries), "")

    def _detail(self, member: Member) -> str:
        """How it ended; of one that runs, how often those before it did."""
        ended = next((f for f in self.ledger.failures if (f.subject, f.kind) == (member.slot, ActionKind.START)), None)
        if member.life is Life.DEAD or ended is None or not ended.count:
            return member.detail
        history = f"ended before: {ended.count}, the last one {ended.message}"
        return "; ".join(text for text in (member.detail, history) if text)


def _others(actuator: ContainerActuator) -> tuple[str, ...]:
    """Containers that bear our names and came from another life of the workload."""
    if not actuator.foreign:
        return ()
    places = ", ".join(sorted({f.source for f in actuator.foreign}))
    return (f"containers of another {actuator.workload.spec.name} on {places} are left alone: {len(actuator.foreign)}",)
