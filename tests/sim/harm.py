"""What people and chance do to a simulated world behind the controller's back."""

from collections.abc import Collection, Sequence
from random import Random

from tests.fakes.instances import Machine
from tests.fakes.swarm import SimSwarm
from tests.sim.scenario import IMAGES
from tests.sim.world import World


def change_by_hand(world: World, rng: Random) -> None:
    """Somebody uses docker service update, or rm."""
    services = [(s, known) for s in world.swarms() for known in s.services.listed() if s.leader]
    if not services:
        return
    swarm, found = rng.choice(services)
    spec = swarm.services.named(found.id).spec
    how = rng.choice(["replicas", "image", "remove"])
    if how == "remove":
        swarm.services.remove(found.id)
    elif how == "replicas":
        mode = {"Replicated": {"Replicas": rng.randint(0, 6)}}
        swarm.services.update(found.id, found.version, {**spec, "Mode": mode})
    else:
        container = {**spec["TaskTemplate"]["ContainerSpec"], "Image": rng.choice(IMAGES)}
        template = {**spec["TaskTemplate"], "ContainerSpec": container}
        swarm.services.update(found.id, found.version, {**spec, "TaskTemplate": template})


def is_coincidence(violation: str, history: Sequence[str]) -> bool:
    """A manager that dies in the very seconds in which SwarmKit lets another one go, unnoticed by it (3 s): nobody can
    prevent that the quorum is lost then."""
    if "quorum" not in violation:
        return False
    at_s = float(violation.split(maxsplit=1)[0])
    harmed = [line.split() for line in history if " -- machine " in line]
    return any(at_s - 3.0 <= float(words[0]) <= at_s for words in harmed)


def may_vanish(swarm: SimSwarm, machine: Machine, machines: Collection[str]) -> bool:
    """Whether a majority of the managers would keep their disks, those left out that we are removing ourselves."""
    raft = [node.host.name for node in swarm.raft()]
    left = [name for name in raft if name in machines and name != machine.id]
    return machine.id not in raft or len(left) >= len(raft) // 2 + 1
