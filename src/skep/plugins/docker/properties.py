"""What an instance of the plugin `docker` may be told."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from skep.model.errors import Fault, InvalidError
from skep.model.json import NULL, RawJson
from skep.specs.properties import ByteSize, Properties, read
from skep.wire.go_decode import GoDecodeError, fields

MEMORY_MIN_BYTES = 128 * 1024**2
"""The machine's own engine and containerd take some 100 MiB."""

_NO_CONTAINERS = "a machine is a container with an engine of its own here, and no container of your choice:"


def _subnet(text: str) -> str:
    try:
        subnet = IPv4Network(text)
    except ValueError as error:
        raise ValueError("must be an IPv4 subnet such as 10.20.0.0/24, its host bits zero") from error
    if not 8 <= subnet.prefixlen <= 28:
        raise ValueError("must have a prefix length from 8 to 28")
    return text


def _memory(size: int) -> int:
    if 0 < size < MEMORY_MIN_BYTES:
        raise ValueError("must be at least 128MiB: the machine's own engine takes most of that")
    return size


class _Network(Properties):
    """The Docker network that machines are on: made where it is not there. Without a subnet, a free one is taken."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")] | None = None
    subnet: Annotated[str, AfterValidator(_subnet)] | None = None


class _Docker(Properties):
    """Everything has a default. `memory` and `cpus` bound all that runs in the machine; 0 is no limit."""

    image: Annotated[str, StringConstraints(min_length=1)] | None = None
    network: _Network = _Network()
    memory: Annotated[ByteSize, AfterValidator(_memory)] = 0
    cpus: Annotated[float, Field(ge=0, le=4096)] = 0


@dataclass(frozen=True, slots=True)
class WantedNetwork:
    """A Docker network. Without a subnet: that which it has, or a free one when it is made."""

    name: str
    subnet: IPv4Network | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """An instance's properties, parsed. `image` is empty for the plugin's own choice; 0 is no limit."""

    image: str
    network: WantedNetwork
    memory: int
    cpus: float


def _refuse_infrakits(properties: RawJson) -> None:
    """InfraKit's own plugin of this name makes the very container that `Config` tells of, which it requires
    (infrakit-compat.md 5.4). InvalidError for that: its groups would silently get machines of another kind."""
    try:
        given = fields(properties, ("Config",)).get("Config", NULL)
    except GoDecodeError:
        return  # `read` says better what is wrong
    if given != NULL:
        raise InvalidError([Fault(f"{_NO_CONTAINERS} give Image, Network, Memory and Cpus", "Config")])


def wanted(properties: RawJson, default_network: str, *, lenient: bool = False) -> Wanted:
    """InvalidError lists every fault. `lenient` ignores unknown fields, if none of them asks for other machines."""
    if lenient:
        _refuse_infrakits(properties)
    parsed = read(properties, _Docker, lenient=lenient)
    subnet = IPv4Network(parsed.network.subnet) if parsed.network.subnet else None
    network = WantedNetwork(parsed.network.name or default_network, subnet)
    return Wanted(parsed.image or "", network, parsed.memory, parsed.cpus)
