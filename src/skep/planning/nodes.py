"""Which nodes of a Swarm a service's constraints allow, as far as the Swarm tells what its nodes are."""

from skep.model.engine import Node
from skep.model.spec import WorkloadSpec
from skep.planning.container import constraint_parts

_LABELS = "node.labels."
_ENGINE_LABELS = "engine.labels."


def may_run(spec: WorkloadSpec, node: Node) -> bool:
    """Whether a global service surely gets a task there; False where a constraint is of what is not known of nodes."""
    return is_open(node) and all(_holds(constraint, node) for constraint in spec.constraints)


def is_open(node: Node) -> bool:
    """Whether it gets new tasks."""
    return node.state != "down" and node.availability == "active"


def _holds(constraint: str, node: Node) -> bool:
    """As SwarmKit compares: without regard to case; a label that is missing has no value."""
    key, operator, wanted = constraint_parts(constraint)
    facts = {"node.id": node.id, "node.hostname": node.hostname, "node.role": node.role}
    lower = key.lower()
    if lower.startswith(_LABELS):
        value = node.labels.get(key[len(_LABELS) :], "")
    elif lower.startswith(_ENGINE_LABELS):
        value = node.engine_labels.get(key[len(_ENGINE_LABELS) :], "")
    elif lower in facts:
        value = facts[lower]
    else:
        return False
    return (value.lower() == wanted.lower()) == (operator == "==")
