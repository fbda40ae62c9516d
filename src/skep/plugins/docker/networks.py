"""The networks of machines on the host's engine: made once, removed with the last machine."""

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network

from skep.model.engine import Network
from skep.model.errors import ConflictError, Fault, RejectedError
from skep.plugins.docker.machine import CONTROLLER_LABEL, machine_of
from skep.plugins.docker.network import (
    Route,
    as_address,
    choose_address,
    free_subnet,
    misplaced,
    network_body,
    overlap,
    subnets_of,
)
from skep.plugins.docker.properties import WantedNetwork
from skep.ports import Engine


class Networks:
    """`lock` is held from looking at a network until the machine's volume tells that it is used."""

    def __init__(self, engine: Engine, controller: str, routes: Callable[[], Sequence[Route]]) -> None:
        self._engine = engine
        self._controller = controller
        self._routes = routes
        self.lock = asyncio.Lock()

    async def faults(self, wanted: WantedNetwork) -> list[Fault]:
        """What stands against the subnet, by name."""
        if wanted.subnet is None:
            return []
        taken = overlap(wanted.subnet, wanted.name, await self._engine.networks(), self._routes())
        return [Fault(f"{wanted.subnet} {taken}: choose another", "Network.Subnet")] if taken else []

    async def misplaced(self, wanted: WantedNetwork, logical_ids: Sequence[str]) -> list[Fault]:
        """The addresses among the logical IDs that no machine of the network can have. Nothing stands against any
        while it has no subnet: another group's spec may give it one."""
        subnet = wanted.subnet or await self._known_subnet(wanted.name)
        if subnet is None:
            return []
        addresses = ((place, as_address(text)) for place, text in enumerate(logical_ids))
        told = ((place, a, misplaced(a, subnet)) for place, a in addresses if a is not None)
        return [Fault(f"{address} {why}", f"Allocation.LogicalIDs[{place}]") for place, address, why in told if why]

    async def _known_subnet(self, name: str) -> IPv4Network | None:
        subnets = [subnet for n in await self._engine.networks() if n.name == name for subnet in subnets_of(n)]
        return subnets[0] if subnets else None

    async def ensure(self, wanted: WantedNetwork) -> IPv4Network:
        """The subnet of the network, which is there now. RejectedError where it can't be as wanted."""
        networks = await self._engine.networks()
        if existing := [network for network in networks if network.name == wanted.name]:
            return _usable(existing[0], wanted)
        subnet = wanted.subnet or free_subnet(wanted.name, networks, self._routes())
        if taken := overlap(subnet, wanted.name, networks, self._routes()):
            raise RejectedError(f"the subnet {subnet} of the network {wanted.name!r} {taken}: choose another")
        try:
            await self._engine.create_network(network_body(wanted.name, subnet, self._controller))
        except ConflictError:
            return await self.ensure(wanted)  # somebody else made it since it was looked for
        return subnet

    async def address(self, network: str, subnet: IPv4Network, machine: str, tried: set[str]) -> str:
        """A free address for a machine whose logical ID is none, and none of `tried`."""
        return choose_address(machine, subnet, tried | await self._taken(network, machine))

    async def _taken(self, network: str, machine: str) -> set[str]:
        """Addresses in use now, and those of machines that are stopped."""
        attached = {
            address for item in await self._engine.networks() if item.name == network for address in item.addresses
        }
        records = [machine_of(volume.labels) for volume in await self._engine.volumes({CONTROLLER_LABEL: ""})]
        return attached | {
            item.address for item in records if item and item.network == network and item.name != machine
        }

    async def remove_unused(self, name: str, but_for: str) -> None:
        """Remove a network of ours that no machine is on or belongs to, but for the one that is being removed."""
        records = [
            machine_of(volume.labels) for volume in await self._engine.volumes({CONTROLLER_LABEL: self._controller})
        ]
        if any(machine and machine.network == name and machine.name != but_for for machine in records):
            return
        for network in await self._engine.networks():
            if network.name == name and network.labels.get(CONTROLLER_LABEL) == self._controller:
                await self._remove(network)

    async def remove_all(self) -> list[str]:
        """Every network of ours that nobody else is on; their names."""
        ours = [n for n in await self._engine.networks() if n.labels.get(CONTROLLER_LABEL) == self._controller]
        return [network.name for network in ours if await self._remove(network)]

    async def _remove(self, network: Network) -> bool:
        """False where a container that is not ours is on it: whoever put it there still needs it."""
        try:
            await self._engine.remove_network(network.id)
        except ConflictError:
            return False
        return True


def _usable(network: Network, wanted: WantedNetwork) -> IPv4Network:
    """The subnet of a network that is there; RejectedError where it is another than the one wanted."""
    subnets = subnets_of(network)
    if not subnets:
        raise RejectedError(f"the network {network.name!r} has no IPv4 subnet: machines need fixed addresses")
    if wanted.subnet is not None and wanted.subnet not in subnets:
        raise RejectedError(
            f"the network {network.name!r} is there with the subnet {subnets[0]}, and {wanted.subnet} is wanted: "
            "name another network or that subnet"
        )
    return subnets[0]
