"""Which node is which machine, and what that says of it: pure.

A node's ID changes with every join, so machines are known by an engine label that is written before (semantics.md N18).
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from skep.model.engine import Node
from skep.model.machine import InstanceDescription, MemberHealth
from skep.model.state import Health, Life, Role

ASSOCIATION = "swarm-association-id"
"""The tag of a machine and the engine label of its node, as InfraKit's flavor has them."""

GROUP_LABEL = "skep.group"
LOGICAL_ID_LABEL = "skep.logical-id"
GROUP_TAG = "infrakit.group"
REQUEST_TAG = "skep.request"
STRAY = "node:"
"""What the IDs of descriptions begin with that stand for a node without a machine; the node's ID follows."""


def association_for(request: str) -> str:
    """The association that every prepare of the same request gives."""
    return sha256(f"{ASSOCIATION}:{request}".encode()).hexdigest()[:16]


def association_of(tags: Mapping[str, str]) -> str:
    """A machine's association, empty if it has none. One that booted before its cluster was has only its request."""
    request = tags.get(REQUEST_TAG)
    return tags.get(ASSOCIATION) or (association_for(request) if request else "")


def nodes_of(instance: InstanceDescription, nodes: Sequence[Node]) -> list[Node]:
    """The machine's nodes, the one that counts first: ready before others, the rest in the order of their IDs."""
    found = [node for node in nodes if _is_of(node, instance)]
    return sorted(found, key=lambda node: (node.state != "ready", node.state == "down", node.id))


def _is_of(node: Node, instance: InstanceDescription) -> bool:
    if instance.id.startswith(STRAY):
        return instance.id == f"{STRAY}{node.id}"
    association = association_of(instance.tags)
    if association:
        return node.engine_labels.get(ASSOCIATION) == association
    return instance.logical_id is not None and instance.logical_id in (node.addr, node.hostname)


def health_of(role: Role, nodes: Sequence[Node]) -> MemberHealth:
    """Of a machine with these nodes, as `nodes_of` gives them."""
    if not nodes:
        return MemberHealth(Health.UNKNOWN, detail="has not joined")
    node = nodes[0]
    if sum(other.state == "ready" for other in nodes) > 1:
        return MemberHealth(Health.HEALTHY, node.leader, f"{len(nodes)} nodes carry its label; remove one by hand")
    if node.state == "down":
        return MemberHealth(Health.UNHEALTHY, detail=f"node is down{_because(node)}")
    if node.state != "ready":
        return MemberHealth(Health.UNKNOWN, detail=f"node is {node.state}{_because(node)}")
    if role is Role.MANAGER and node.reachability != "reachable":
        what = f"manager is {node.reachability}" if node.reachability else "node is a worker"
        return MemberHealth(Health.UNHEALTHY, detail=what)
    return MemberHealth(Health.HEALTHY, node.leader)


def _because(node: Node) -> str:
    return f": {node.message}" if node.message else ""


def strays_of(
    group: str, instances: Sequence[InstanceDescription], nodes: Sequence[Node], *, removed: bool = False
) -> Iterator[InstanceDescription]:
    """Nodes from this group that are down and stand for none of its machines (semantics.md N19, N20).

    A machine that was destroyed a moment ago still has a ready node, which is down three missed beats later. A group
    that is `removed` does not live so long, and none of its nodes shall stay.
    """
    counted = {nodes_of(instance, nodes)[0].id for instance in instances if nodes_of(instance, nodes)}
    for node in nodes:
        if (
            node.engine_labels.get(GROUP_LABEL) == group
            and (removed or node.state == "down")
            and node.id not in counted
        ):
            yield InstanceDescription(
                id=f"{STRAY}{node.id}",
                logical_id=node.engine_labels.get(LOGICAL_ID_LABEL),
                tags={GROUP_TAG: group, ASSOCIATION: node.engine_labels.get(ASSOCIATION, "")},
                life=Life.GONE,
                detail=f"node {node.hostname} is {node.state} and has no machine",
            )
