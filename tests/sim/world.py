"""The simulated world as one thing: machines, engines and Swarms that a controller acts on, and what befalls them."""

from collections import Counter
from collections.abc import Callable, Collection
from random import Random

from skep.ports import Clock
from tests.fakes.engine import FakeEngine, FakeEngines
from tests.fakes.host import Host
from tests.fakes.instances import Machine, Machines, SimInstances
from tests.fakes.kernel import Faults, Kernel, Observer, Timings
from tests.fakes.swarm import SimSwarm
from tests.sim.container_hosts import AloneHost, Behaviour


class World:
    """`instances` and `engines` are what a controller is given; the rest is for the test.

    Observers added with `watch` look at every change; what they say is in `violations`.
    """

    def __init__(
        self, clock: Clock, random: Random, faults: Faults | None = None, timings: Timings | None = None
    ) -> None:
        self.kernel = Kernel(clock, random, faults or Faults(), timings or Timings())
        self.registry: dict[str, str] = {}
        self.alone: dict[str, AloneHost] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self._machines = Machines(self.kernel)
        self.instances = SimInstances(self._machines)
        self.engines = FakeEngines(self)

    # --- looking --------------------------------------------------------------------------------------------------

    @property
    def machines(self) -> dict[str, Machine]:
        return self._machines.all

    @property
    def host_images(self) -> dict[str, str]:
        """Images that the host's own engine has, with their IDs."""
        return self._machines.host_images

    @property
    def not_to_be_had(self) -> set[str]:
        """Logical IDs for which no machine can be made."""
        return self._machines.not_to_be_had

    @property
    def acts(self) -> Counter[str]:
        return self.kernel.acts

    @property
    def violations(self) -> list[str]:
        return self.kernel.violations

    def group(self, name: str) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.group == name]

    def swarms(self) -> list[SimSwarm]:
        """Every Swarm that a machine is in."""
        found = {id(machine.host.swarm): machine.host.swarm for machine in self.machines.values() if machine.host.swarm}
        return list(found.values())

    def host(self, name: str) -> Host | None:
        machine = self.machines.get(name)
        return machine.host if machine else self.alone.get(name)

    def engine(self, machine: Machine) -> FakeEngine:
        return self.engines.engine(f"sim://{machine.id}")

    def running(self, service: str) -> int:
        """Tasks of a service that run, wherever they are known."""
        return sum(
            task.state == "running" and task.desired == "running"
            for swarm in self.swarms()
            for known in [swarm.services.find(service)]
            if known is not None
            for task in known.tasks
        )

    def watch(self, observer: Observer) -> None:
        self.kernel.observers.append(observer)

    def add_engine(self, name: str, *images: str) -> AloneHost:
        """An engine that is in no Swarm and on no machine of a group, reached by `sim://name`."""
        host = AloneHost(name, f"10.8.0.{len(self.alone) + 1}", self.kernel, behaviours=self.behaviours)
        host.images.update({image: f"sha256:{image}" for image in images})
        host.boot()
        self.alone[name] = host
        return host

    # --- what befalls the world ---------------------------------------------------------------------------------------

    def calm(self) -> None:
        """No more faults; machines that are cut off or sick get well."""
        self.kernel.faults = Faults()
        for host in [*(machine.host for machine in self.machines.values()), *self.alone.values()]:
            host.cut_until_s = 0.0
            if host.sick:
                host.sicken(False)
        for host in self.alone.values():
            host.calm()

    def stop(self, machine: Machine) -> None:
        """The machine dies and its disk stays."""
        self._machines.halt(machine, by_us=False)

    def vanish(self, machine: Machine) -> None:
        """The machine and its disk are gone."""
        self._machines.remove(machine, by_us=False)

    def cut(self, machine: Machine, seconds: float) -> None:
        """Clients don't reach its engine for a while; the Swarm does."""
        machine.host.cut_until_s = self.kernel.now_s() + seconds
        self.kernel.changed(f"machine {machine.id} cut off for {seconds:.0f} s", by_us=False)

    def sicken(self, machine: Machine, sick: bool = True) -> None:
        """Its engine hangs: it runs, and neither clients nor the Swarm hear of it."""
        machine.host.sicken(sick)
        self.kernel.changed(f"machine {machine.id} {'sick' if sick else 'well'}", by_us=False)

    def kill_task(self, service: str) -> bool:
        """Kill one running container of a service; False when none runs."""
        for swarm in self.swarms():
            known = swarm.services.find(service)
            running = [task for task in known.tasks if task.state == "running"] if known else []
            if running:
                swarm.services.kill(self.kernel.random.choice(running).container_id)
                return True
        return False

    def mark_bad(self, image: str) -> None:
        """Containers of this image fail as soon as they start."""
        for swarm in self.swarms():
            swarm.services.bad_images.add(image)


# --- promises: observers to be watched ---------------------------------------------------------------------


def at_most(world: World, group: str, machines: Callable[[], int]) -> Observer:
    """Never more machines of a group than `machines()`, size and surge of the moment."""

    def look(what: str, by_us: bool) -> str | None:
        there = len(world.group(group))
        return f"{there} machines in {group}, at most {machines()} may be" if by_us and there > machines() else None

    return look


def one_init(world: World) -> Observer:
    """No group founds a second Swarm while a machine of its first one exists."""
    founded: dict[str, SimSwarm] = {}

    def look(what: str, by_us: bool) -> str | None:
        for swarm in world.swarms():
            first = founded.setdefault(swarm.founder_group, swarm)
            if first is not swarm and any(node.host.name in world.machines for node in first.nodes.values()):
                return f"a second swarm of {swarm.founder_group or 'no group'}"
            founded[swarm.founder_group] = swarm
        return None

    return look


def keeps_quorum(world: World, ending: Callable[[], Collection[str]] = tuple) -> Observer:
    """No act of ours takes a Swarm's quorum away; `ending` are groups whose clusters are being removed."""
    had: dict[str, tuple[SimSwarm, bool]] = {}

    def look(what: str, by_us: bool) -> str | None:
        had.update({swarm.id: (swarm, had.get(swarm.id, (swarm, False))[1]) for swarm in world.swarms()})
        wrong = None
        for id, (swarm, before) in list(had.items()):
            now = swarm.has_quorum()
            if by_us and before and not now and swarm.founder_group not in ending():
                wrong = f"the quorum of {swarm.founder_group or 'no group'}'s swarm was lost by our hand"
            had[id] = (swarm, now)
        return wrong

    return look
