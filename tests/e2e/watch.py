"""An observer beside skep: it asks the Engines themselves, all the time, on a thread of its own."""

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.machine import ask

LIST = "/containers/json"
TASKS = "/tasks"
LOOK_S = 0.02
TASKS_LOOK_S = 0.2

ACTIVE = ("created", "running", "paused", "restarting")


class Watch:
    """What there is of these labels on the Engines at `sockets`, but for those that are `away`.

    `most` and `least`: how many there were at once since `begin`, and how many served. `doubles`: slots that two had at
    once. `ids`: all that there ever were.
    """

    def __init__(self, sockets: Sequence[Path], *labels: str, look_s: float = LOOK_S) -> None:
        self._sockets, self._filters, self._look_s = sockets, {"label": list(labels)}, look_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch")
        self._lock = threading.Lock()
        self.away: set[Path] = set()
        self.begin()

    def begin(self) -> None:
        """From now on, only what is there now counts."""
        self.most, self.least = 0, 1_000_000
        self.doubles: set[str] = set()
        self.ids: set[str] = set()

    def containers(self, *sockets: Path) -> list[dict[str, Any]]:
        """What is there now, in any state; on these Engines, or on all of them."""
        asked = [socket for socket in sockets or self._sockets if socket not in self.away]
        return [container for socket in asked for container in ask(socket, LIST, self._filters) or []]

    def states(self) -> dict[str, int]:
        return dict(Counter(c["State"] for c in self.containers()))

    def running(self, *sockets: Path) -> list[str]:
        return [c["Id"] for c in self.containers(*sockets) if c["State"] == "running"]

    def serving(self) -> list[str]:
        """Those that run and are well."""
        return [c["Id"] for c in self.containers() if _serves(c)]

    def _watch(self) -> None:
        while not self._over.wait(self._look_s):
            with self._lock:
                self._look()

    def _look(self) -> None:
        answers = [ask(socket, LIST, self._filters) for socket in self._sockets if socket not in self.away]
        if None in answers:
            return
        found = [container for answer in answers for container in answer]
        active = [c for c in found if c["State"] in ACTIVE]
        slots = Counter(c["Labels"].get("skep.slot", c["Id"]) for c in active)
        self.most = max(self.most, len(active))
        self.least = min(self.least, sum(map(_serves, found)))
        self.doubles |= {slot for slot, number in slots.items() if number > 1}
        self.ids |= {c["Id"] for c in active}

    def leave_out(self, *sockets: Path) -> None:
        """These Engines are asked for nothing, as soon as this returns."""
        self.away |= set(sockets)
        with self._lock:
            """No look is under way that would still ask them."""

    def take_back(self) -> None:
        """All are asked again, and only what is there from now on counts."""
        self.away = set()

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _serves(container: dict[str, Any]) -> bool:
    """It runs, and its health check, if it has one, says that it is well."""
    unwell = "unhealthy" in container["Status"] or "health: starting" in container["Status"]
    return bool(container["State"] == "running" and not unwell)


class TaskWatch:
    """Of the tasks of one service that run, as its Swarm's manager tells them: the `least` at once since it began, and
    the `most` that one node had."""

    def __init__(self, manager: Path, service: str) -> None:
        self._manager, self._filters = manager, {"service": [service], "desired-state": ["running"]}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tasks")
        self.least, self.most = 1_000_000, 0

    def _watch(self) -> None:
        while not self._over.wait(TASKS_LOOK_S):
            tasks = ask(self._manager, TASKS, self._filters)
            if tasks is not None:
                nodes = Counter(task["NodeID"] for task in tasks if task["Status"]["State"] == "running")
                self.least, self.most = min(self.least, nodes.total()), max((self.most, *nodes.values()))

    def __enter__(self) -> "TaskWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
