"""A real Swarm whose nodes come and go: of the faults that last, and are made side by side (`lasting_faults.py`)."""

from contextlib import ExitStack
from pathlib import Path

from tests.contract.engine_bed import swarm_of_two
from tests.e2e.lasting_faults import LOOK_S, Place, made_machines, send_to_daemon
from tests.e2e.machine import docker
from tests.e2e.proxied import ProxiedSkep, workload
from tests.e2e.waiting import eventually, phase
from tests.e2e.watch import Watch


def a_worker_of_a_swarm_is_lost(place: Place) -> None:
    """F10: its daemon hangs and its containers run on. The Swarm replaces them, and skep says how it is."""
    with made_machines(place.host, place.node_image) as (runner, machines), ExitStack() as stack:
        with place.making:
            swarm = runner.run(swarm_of_two(machines.plugin, machines.engines, ""))
        manager, worker = (Path(e.endpoint.removeprefix("unix://")) for e in (swarm.manager, swarm.worker))
        [name] = [i.id for i in runner.run(machines.plugin.describe({})) if machines.folder(i.id) == worker.parent]
        skep = ProxiedSkep(place.host, "10.28.0", clusters={"prod": [f"unix://{manager}"]})
        stack.callback(skep.remove)
        skep.start()
        watch = Watch([manager, worker], "com.docker.swarm.service.name=web", look_s=LOOK_S)
        with watch:
            skep.apply(workload("web", "prod", 4))
            assert len(watch.running(worker)) == 2
            watch.leave_out(worker)
            send_to_daemon(place.host, name, "STOP")
            with phase("F10: the worker of a Swarm is lost, to all running on its manager"):
                eventually(lambda: len(watch.running()), 4)
            skep.apply(workload("web", "prod", 4, Env={"VERSION": "2"}))
            newest = set(watch.running())
            watch.begin()
            send_to_daemon(place.host, name, "CONT")
            watch.take_back()
            eventually(lambda: len(watch.running(worker)), 0)
            eventually(lambda: skep.workload("web")["converged"], True)
            assert set(watch.running()) == newest
            assert watch.least == 4
        moves_use_up_no_tries(skep, manager)


def moves_use_up_no_tries(skep: ProxiedSkep, manager: Path) -> None:
    """W38: SwarmKit counts them as ends. What it has given up for them is made again."""

    def on_nodes(*arguments: str) -> list[str]:
        return docker(manager, "node", *arguments).split()

    skep.apply(workload("moved", "prod", 2, Restart={"MaxAttempts": 1}))
    for node in on_nodes("ls", "--quiet") * 2:
        on_nodes("update", "--availability", "drain", node)
        eventually(lambda: skep.workload("moved")["ready"], 2)
        eventually(lambda: skep.workload("moved")["converged"], True)
        on_nodes("update", "--availability", "active", node)
