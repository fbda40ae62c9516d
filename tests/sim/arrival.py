"""Whether a simulated world is what people asked for, told from the world itself."""

from collections.abc import Mapping

from skep.model.state import Life
from skep.model.view import KeyView
from tests.sim.scenario import Document, size_of
from tests.sim.world import World


def wrong_in(world: World, documents: Mapping[str, Document]) -> str:
    """What of the world is not as it is wanted; empty when nothing is."""
    sizes = {name: size_of(d) for name, d in documents.items() if "ID" in d}
    there = {name: len(world.group(name)) for name in sizes}
    if there != sizes or sum(there.values()) != len(world.machines):
        return f"machines {there} of {sizes}, {len(world.machines)} in all"
    if any(m.life is not Life.RUNNING for m in world.machines.values()):
        return "a machine does not run"
    [swarm] = world.swarms()
    if len(swarm.nodes) != len(world.machines) or any(n.state != "ready" for n in swarm.nodes.values()):
        return f"nodes {[(n.host.name, n.state) for n in swarm.nodes.values()]}"
    counts = {name: d["Count"] for name, d in documents.items() if "Count" in d}
    if {s.name for s in swarm.services.listed()} != set(counts):
        return f"services {[s.name for s in swarm.services.listed()]}"
    running = {name: world.running(name) for name in counts}
    return f"running {running} of {counts}" if running != counts else ""


def in_short(view: KeyView) -> str:
    """A key that is late, in a line."""
    members = [(m.id, m.slot, m.life, m.health, m.doing, m.detail) for m in view.members]
    conditions = [(c.type.value, c.status, c.reason, c.message) for c in view.conditions]
    return (
        f"{view.key} generation {view.observed_generation}/{view.generation} ready {view.ready}/{view.desired} "
        f"removed={view.removed} doing={view.doing} waiting={view.waiting} members={members} conditions={conditions}"
    )
