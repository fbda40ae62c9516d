"""What a skep has made, counted from outside: on the host's engine, in its machines, in its state directory."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.machine import ask, docker
from tests.e2e.skep import Skep

STATE_LABEL = "swarm.cluster.state"


@dataclass(frozen=True)
class Census:
    """Numbers of all that there is. `containers`: those that run, by the service they belong to."""

    machines: int = 0
    running: int = 0
    volumes: int = 0
    networks: int = 0
    folders: int = 0
    nodes: int = 0
    ready: int = 0
    containers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A machine's container."""

    name: str
    id: str
    runs: bool
    group: str


class World:
    """The world of one skep, read anew at each call."""

    def __init__(self, skep: Skep) -> None:
        self.skep = skep
        self._host = skep.engine.folder / "docker.sock"
        self._ours = {"label": [f"skep.controller={skep.controller}"]}

    def machines(self, group: str = "") -> list[Seen]:
        """Containers of machines, those that don't run too, in the order of their names."""
        found = ask(self._host, "/containers/json", self._ours)
        seen = [
            Seen(one["Names"][0][1:], one["Id"], one["State"] == "running", one["Labels"]["infrakit.group"])
            for one in found
        ]
        return sorted((one for one in seen if group in ("", one.group)), key=lambda one: one.name)

    def volumes(self) -> list[str]:
        """The disks of machines."""
        return [one["Name"] for one in ask(self._host, "/volumes", self._ours)["Volumes"] or []]

    def networks(self) -> list[str]:
        """Those that machines are on."""
        return [one["Name"] for one in ask(self._host, "/networks", self._ours)]

    def folders(self) -> list[str]:
        """What lies where machines have their private folders, without the files of tags beside them."""
        place = self.skep.state / "m"
        names = {file.name.removesuffix(".tags.json") for file in place.iterdir()} if place.is_dir() else set()
        return sorted(names)

    def socket(self, machine: Seen) -> Path:
        """Of the machine's own engine."""
        return self.skep.state / "m" / machine.name[-12:] / "e.sock"

    def manager(self) -> Path:
        """The socket of the only manager's engine."""
        (machine,) = self.machines("managers")
        return self.socket(machine)

    def nodes(self) -> list[dict[str, str]]:
        """`docker node ls` on the manager; empty while it does not answer."""
        if not self.swarm():
            return []
        return [json.loads(line) for line in docker(self.manager(), "node", "ls", "--format=json").splitlines()]

    def swarm(self) -> str:
        """The ID of the Swarm that the manager is in; empty while there is none."""
        ids = [
            ((ask(self.socket(machine), "/info") or {}).get("Swarm") or {}).get("Cluster", {}).get("ID", "")
            for machine in self.machines("managers")
        ]
        return str(ids[0]) if len(ids) == 1 else ""

    def services(self) -> dict[str, Any]:
        """The services by name, as the manager tells them."""
        return {one["Spec"]["Name"]: one for one in ask(self.manager(), "/services") or []}

    def containers(self) -> dict[str, list[str]]:
        """IDs of the containers that run, by the state object they belong to, of all machines that answer."""
        found: dict[str, list[str]] = {}
        for machine in self.machines():
            for one in ask(self.socket(machine), "/containers/json") or []:
                found.setdefault(one["Labels"].get(STATE_LABEL, "?"), []).append(one["Id"])
        return {name: sorted(ids) for name, ids in found.items()}

    def holder(self, container: str) -> Path:
        """The socket of the engine that runs this container."""
        sockets = [self.socket(machine) for machine in self.machines()]
        (found,) = [path for path in sockets if ask(path, f"/containers/{container}/json")]
        return found

    def census(self) -> Census:
        """The numbers of all of it now."""
        machines, nodes = self.machines(), self.nodes()
        return Census(
            machines=len(machines),
            running=sum(one.runs for one in machines),
            volumes=len(self.volumes()),
            networks=len(self.networks()),
            folders=len(self.folders()),
            nodes=len(nodes),
            ready=sum(one["Status"] == "Ready" and one["Availability"] == "Active" for one in nodes),
            containers={name: len(ids) for name, ids in self.containers().items()},
        )

    def memberships(self) -> set[str]:
        """The Swarm node IDs that the machines' own engines say they have."""
        infos = [ask(self.socket(machine), "/info") or {"Swarm": {"NodeID": "none"}} for machine in self.machines()]
        return {info["Swarm"]["NodeID"] for info in infos}
