"""Flavor zookeeper: machines with fixed addresses that form an Apache ZooKeeper ensemble (infrakit-compat.md 4.3)."""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal

from skep.model.errors import Fault, InvalidError, RejectedError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec, MemberHealth
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.plugins.flavor_templates import after
from skep.ports import Advance, DrainRequest
from skep.specs.properties import Properties, read

UNRECOGNIZED = Fault("Unrecognized node Type")
NO_ADDRESSES = Fault("IP addresses are required as LogicalIDs for a ZooKeeper ensemble")
"""InfraKit's words for its own cases."""

MEMBERS_MAX = 255
"""ZooKeeper's own limit: an ID is a number from 1 to 255."""


class ZookeeperProperties(Properties):
    """use_docker: run it in a container of the image `zookeeper`, not from the distribution's package."""

    type: Literal["member"]
    use_docker: bool = False


class ZookeeperFlavor:
    """Every machine that there is counts as healthy, and leaves without ceremony."""

    def __init__(self, *, lenient: bool = False) -> None:
        """`lenient`: as over InfraKit's wire, fields that are not known are ignored, and faults have its words."""
        self._lenient = lenient

    async def validate(self, properties: RawJson, allocation: Allocation) -> None:
        _wanted(properties, self._lenient)
        faults = list(_faults(allocation))
        if faults:
            raise InvalidError(faults)

    async def prepare(self, properties: RawJson, spec: InstanceSpec, allocation: Allocation) -> InstanceSpec:
        """Members are numbered from 1 in the order of the logical IDs. An Init that is there comes first."""
        wanted = _wanted(properties, self._lenient)
        if not spec.logical_id:
            raise RejectedError("Manager nodes require an assigned logical ID")
        members = list(allocation.logical_ids)
        if spec.logical_id not in members:
            raise RejectedError(f"{spec.logical_id} is none of the group's LogicalIDs: {', '.join(members)}")
        script = _docker_script if wanted.use_docker else _native_script
        return replace(spec, init=after(spec.init, script(members, members.index(spec.logical_id) + 1)))

    async def healthy(self, properties: RawJson, instances: Sequence[InstanceDescription]) -> Sequence[MemberHealth]:
        return [MemberHealth(Health.HEALTHY) for _ in instances]

    async def drain(
        self, properties: RawJson, instance: InstanceDescription, request: DrainRequest, advance: Advance
    ) -> None:
        return None


@lru_cache(maxsize=1024)
def _wanted(properties: RawJson, lenient: bool) -> ZookeeperProperties:
    try:
        return read(properties, ZookeeperProperties, lenient=lenient)
    except InvalidError as error:
        if not lenient:
            raise
        raise InvalidError([UNRECOGNIZED if fault.path == "Type" else fault for fault in error.faults]) from error


def _faults(allocation: Allocation) -> Iterator[Fault]:
    """Addresses are checked since they are put into a script."""
    if not allocation.logical_ids:
        yield NO_ADDRESSES
    if len(allocation.logical_ids) > MEMBERS_MAX:
        yield Fault(f"an ensemble has at most {MEMBERS_MAX} members")
    for logical_id in dict.fromkeys(allocation.logical_ids):
        if not _is_address(logical_id):
            yield Fault(f"LogicalID {logical_id} is no IP address")
        if allocation.logical_ids.count(logical_id) > 1:
            yield Fault(f"LogicalID {logical_id} specified more than once")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _at(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _native_script(members: Sequence[str], number: int) -> str:
    servers = "\n\n".join(f"server.{index}={_at(ip)}:2888:3888" for index, ip in enumerate(members, 1))
    return f"""\
#!/bin/sh
set -o errexit
set -o nounset

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y zookeeperd openjdk-8-jdk-headless || apt-get install -y zookeeperd default-jre-headless

cat << EOF > /etc/zookeeper/conf/zoo.cfg
tickTime=2000
dataDir=/var/lib/zookeeper
clientPort=2181
initLimit=5
syncLimit=2

{servers}
EOF
echo '{number}' > /var/lib/zookeeper/myid
systemctl reload-or-restart zookeeper
"""


def _docker_script(members: Sequence[str], number: int) -> str:
    """ZooKeeper 3.5 and newer want to be told the client port; a member binds its own entry to all addresses."""
    servers = " ".join(
        f"server.{index}={'0.0.0.0' if index == number else _at(ip)}:2888:3888;2181"
        for index, ip in enumerate(members, 1)
    )
    return f"""\
#!/bin/sh
set -o errexit
set -o nounset

docker inspect zk > /dev/null 2>&1 || docker run \\
    -p 2181:2181 -p 2888:2888 -p 3888:3888 \\
    -e ZOO_MY_ID={number} -e ZOO_SERVERS='{servers}' \\
    --name zk --restart always -d zookeeper
"""
