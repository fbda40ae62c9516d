"""A classic Swarm manager with its own ages in front of real Engines: its lists are 30 to 60 s old (semantics.md 5.4).

One of the faults that last, and are made side by side (`lasting_faults.py`).
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from skep.adapters.clock import SystemClock
from skep.adapters.docker import DockerEngines
from tests.e2e.lasting_faults import LOOK_S, Place
from tests.e2e.machine import docker
from tests.e2e.proxied import IMAGE, ProxiedSkep, workload
from tests.e2e.waiting import eventually, phase
from tests.e2e.watch import Watch
from tests.fakes.classic_swarm import ClassicSwarm
from tests.fakes.classic_swarm_ways import serving


@contextmanager
def classic_manager(sockets: Sequence[Path], path: Path) -> Iterator[ClassicSwarm]:
    """Of the Engines at `sockets`, on a unix socket at `path` and a thread of its own, inside the block."""
    with asyncio.Runner() as runner:
        engines = DockerEngines()
        nodes = {f"node{n}": engines.engine(f"unix://{socket}") for n, socket in enumerate(sockets)}
        manager = ClassicSwarm(nodes, SystemClock(), Random(1))
        ready, over = threading.Event(), asyncio.Event()

        async def serve() -> None:
            async with manager.running(), serving(manager, path):
                ready.set()
                await over.wait()
            await engines.close()

        thread = threading.Thread(target=runner.run, args=(serve(),), name="classic swarm")
        thread.start()
        try:
            assert ready.wait(60)
            yield manager
        finally:
            runner.get_loop().call_soon_threadsafe(over.set)
            thread.join()


def a_creation_falls_out_of_an_old_list_and_skep_is_killed(place: Place) -> None:
    """5.4, F3, F9: what took the place of a dead one is not in the manager's lists for up to a minute, and skep's next
    life knows nothing of it. It finds that one when the list is new, and makes no other.

    To ask for it again would make a second one: somebody else's that comes in between has the next on another engine,
    where the name is free."""
    lab, path = place.lab(), place.host.folder / "classic.sock"
    skep = ProxiedSkep(place.host, "10.27.0", clusters={"classic": [f"unix://{path}"]})
    place.stack.callback(skep.remove)
    sockets = lab.sockets[:3]
    watch = Watch(sockets, f"skep.controller={skep.controller}", look_s=LOOK_S)
    with classic_manager(sockets, path) as manager, watch:
        skep.start()
        with phase("5.4: six on a classic Swarm manager, from apply to converged"):
            skep.apply(workload("old", "classic", 6))
        before = watch.running()
        assert [len(watch.running(socket)) for socket in sockets] == [2, 2, 2]
        manager.overtaken = 1
        docker(sockets[0], "kill", min(watch.running(sockets[0])))
        eventually(lambda: len(watch.ids), 7)
        skep.kill()
        docker(path, "create", "--name", "foreign", IMAGE)
        with phase("5.4: skep is killed over a creation that no list shows, to converged"):
            skep.start()
            skep.await_converged()
        running = set(watch.running())
        assert (len(running), len(running - set(before))) == (6, 1)
        assert (len(watch.ids), watch.most, watch.doubles) == (7, 6, set())
