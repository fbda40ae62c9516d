"""Subnets and addresses of machines: pure."""

import hashlib
import ipaddress
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from skep.model.engine import Network
from skep.model.errors import RejectedError
from skep.model.json import JsonObject
from skep.plugins.docker.machine import CONTROLLER_LABEL

DEFAULT_SUBNETS = tuple(IPv4Network((0x0AD50000 + index * 256, 24)) for index in range(256))
"""10.213.0.0/24 and on: where a spec names no subnet. Swarm takes its overlays from the start of 10.0.0.0/8."""

ROUTES_FILE = "/proc/net/route"


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the host."""

    interface: str
    subnet: IPv4Network


def read_routes(text: str) -> list[Route]:
    """The lines of /proc/net/route, the default route left out: its numbers are hexadecimal, low byte first."""
    rows = (line.split() for line in text.splitlines()[1:])
    routes = [Route(row[0], _network(row[1], row[7])) for row in rows if len(row) >= 8]
    return [route for route in routes if route.subnet.prefixlen > 0]


def _network(destination: str, mask: str) -> IPv4Network:
    address = IPv4Address(int.from_bytes(bytes.fromhex(destination), "little"))
    return IPv4Network((address, int(mask, 16).bit_count()), strict=False)


def overlap(subnet: IPv4Network, name: str, networks: Sequence[Network], routes: Iterable[Route]) -> str:
    """Whose addresses `subnet` would take, in words; empty for none. The network `name` with it is the one meant."""
    for network in networks:
        for other in subnets_of(network):
            if other.overlaps(subnet) and not (network.name == name and other == subnet):
                return f"overlaps {other} of the docker network {network.name!r}"
    bridges = {f"br-{network.id[:12]}" for network in networks} | {"docker0"}
    for route in routes:
        if route.interface not in bridges and route.subnet.overlaps(subnet):
            return f"overlaps the route to {route.subnet} through {route.interface}"
    return ""


def subnets_of(network: Network) -> list[IPv4Network]:
    """A network's IPv4 subnets."""
    parsed = (ipaddress.ip_network(text, strict=False) for text in network.subnets)
    return [subnet for subnet in parsed if isinstance(subnet, IPv4Network)]


def free_subnet(name: str, networks: Sequence[Network], routes: Sequence[Route]) -> IPv4Network:
    """The first default subnet that nobody has."""
    for subnet in DEFAULT_SUBNETS:
        if not overlap(subnet, name, networks, routes):
            return subnet
    raise RejectedError(f"no subnet is free for the network {name!r}: give one as Network.Subnet")


def network_body(name: str, subnet: IPv4Network, controller: str) -> JsonObject:
    """Addresses that the engine hands out itself come from the lower half; ours are in the upper half or named."""
    lower = next(subnet.subnets(prefixlen_diff=1))
    return {
        "Name": name,
        "Driver": "bridge",
        "Labels": {CONTROLLER_LABEL: controller},
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(subnet), "IPRange": str(lower)}]},
    }


def as_address(text: str | None) -> IPv4Address | None:
    """A logical ID that is an address; None for any other."""
    try:
        return IPv4Address(text or "")
    except ValueError:
        return None


def check_address(address: IPv4Address, subnet: IPv4Network) -> None:
    """RejectedError for a logical ID that no machine of this subnet can have."""
    if why := misplaced(address, subnet):
        raise RejectedError(f"the logical ID {address} {why}")


def misplaced(address: IPv4Address, subnet: IPv4Network) -> str:
    """Why no machine of this subnet can have the address; empty where one can."""
    if address not in subnet:
        return f"is not in the network's subnet {subnet}"
    if address in (subnet.network_address, subnet.broadcast_address, subnet.network_address + 1):
        return f"is the network, gateway or broadcast address of {subnet}"
    return ""


def choose_address(name: str, subnet: IPv4Network, taken: Collection[str]) -> str:
    """An address in the upper half that follows from the machine's name, the next free one where it is taken."""
    first = int(subnet.network_address) + subnet.num_addresses // 2
    count = subnet.num_addresses // 2 - 1  # without the broadcast address
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % count
    candidates = (str(IPv4Address(first + (start + step) % count)) for step in range(count))
    for candidate in candidates:
        if candidate not in taken:
            return candidate
    raise RejectedError(f"no address is left in the upper half of {subnet}: give the network a larger Subnet")
