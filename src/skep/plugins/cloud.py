"""Instance plugin `cloud`: machines of Amazon, Google, Azure, DigitalOcean and OpenStack, through apache-libcloud.

A machine is known by its tags alone: there is no file, and no state, that a host could lose.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from weakref import WeakValueDictionary

import msgspec
from pydantic import StringConstraints

from skep.model.errors import Fault, InvalidError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.plugins.cloud_account import Account
from skep.plugins.cloud_dialects import Driver, Node, Request, merged
from skep.plugins.request import REQUEST_TAG
from skep.ports import Clock
from skep.specs.properties import Properties, RawProperties, read

LOGICAL_ID_TAG, MACHINE_TAG = "LogicalID", "skep.machine"
"""MACHINE_TAG is on every machine that this plugin made, with its name; nothing without it is ever touched."""

LAG_S = 600.0
"""For so long a listing may lack what was made, and hold what was removed: clouds answer before all of them knows."""
LOOKS, LOOK_PAUSE_S = 4, 5.0
"""How often, and how far apart, is looked for a machine whose creation was not answered."""

_Text = Annotated[str, StringConstraints(min_length=1)]


class CloudProperties(Properties):
    """What a machine is: in the cloud's own names or IDs. `options` are arguments of libcloud's driver."""

    provider: _Text
    size: _Text
    image: _Text
    location: str = ""
    name_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")] = "skep"
    authorized_key: str = ""
    options: RawProperties = "{}"


@dataclass(frozen=True, slots=True)
class _Wanted:
    properties: CloudProperties
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Machine:
    """`tags` are those of the spec; `name` is what MACHINE_TAG says."""

    id: str
    name: str
    node: Node
    tags: Mapping[str, str]
    logical_id: str | None


@dataclass(frozen=True, slots=True)
class _News:
    """What this process did a moment ago; `machine` is None for what was removed."""

    until_s: float
    machine: _Machine | None


class CloudInstances:
    """Implements ports.InstancePlugin over one account for each provider."""

    def __init__(self, accounts: Mapping[str, Account], clock: Clock, *, lenient: bool = False) -> None:
        """lenient: unknown properties are ignored, as over InfraKit's wire."""
        self._accounts, self._clock, self._lenient = accounts, clock, lenient
        self._news: dict[str, _News] = {}
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Of machines that somebody makes, or waits to make: one at a time asks for a name."""

    async def validate(self, properties: RawJson) -> None:
        self._wanted(properties)

    async def provision(self, spec: InstanceSpec) -> str:
        """Returns when the cloud has taken it. What was asked for before is found by its tags, whoever asked."""
        wanted = self._wanted(spec.properties)
        account = self._accounts[wanted.properties.provider]
        name = _name(wanted.properties.name_prefix, spec.tags.get(REQUEST_TAG, ""))
        lock = self._making.get(name) or self._making.setdefault(name, asyncio.Lock())
        async with lock:
            return await self._found(account, name) or await self._make(account, wanted, name, spec)

    async def _found(self, account: Account, name: str) -> str:
        """The first of that name; empty for none. A cloud that made two leaves the other to the group."""
        return min((machine.id for machine in await self._machines(account) if machine.name == name), default="")

    async def _make(self, account: Account, wanted: _Wanted, name: str, spec: InstanceSpec) -> str:
        properties = wanted.properties
        tags = {**spec.tags, MACHINE_TAG: name}
        if spec.logical_id is not None:
            tags[LOGICAL_ID_TAG] = spec.logical_id
        request = Request(tags, spec.init, hashlib.sha256(name.encode()).hexdigest())
        options = merged(wanted.options, account.dialect.options(request), account.dialect.objects)
        size, place = await _looked_up(account, properties)
        arguments = options | _authorized(properties.authorized_key) | ({"location": place} if place else {})

        def create(driver: Driver) -> Node:
            return driver.create_node(name, size=size, image=_image(account, driver, properties.image), **arguments)

        try:
            node = await account.call(f"make machine {name}", create, spec.init)
        except UnavailableError:
            if found := await self._appeared(account, name):
                return found
            raise
        machine = _Machine(_id(account, node), name, node, dict(spec.tags), spec.logical_id)
        self._news[machine.id] = _News(self._clock.monotonic_s() + LAG_S, machine)
        return machine.id

    async def _appeared(self, account: Account, name: str) -> str:
        """Whether what was not answered was done, before it is called a failure; empty if it was not."""
        for _ in range(LOOKS):
            await self._clock.sleep(LOOK_PAUSE_S)
            if found := await self._found(account, name):
                return found
        return ""

    async def destroy(self, instance: str) -> None:
        """One that does not carry this plugin's tag is none of its machines."""
        account = self._accounts.get(instance.partition(":")[0])
        if account is None:
            return
        found = next((machine for machine in await self._machines(account) if machine.id == instance), None)
        if found is not None:
            node = found.node
            await account.call(f"remove machine {instance}", lambda driver: driver.destroy_node(node))
            self._news[instance] = _News(self._clock.monotonic_s() + LAG_S, None)

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        """Of all accounts; UnavailableError when one does not answer: half a list would have the rest made anew."""
        listings = await asyncio.gather(*(self._machines(account) for account in self._accounts.values()))
        found = [machine for listing in listings for machine in listing]
        return [_description(machine) for machine in found if tags.items() <= machine.tags.items()]

    async def _machines(self, account: Account) -> list[_Machine]:
        """As listed, with what this process knows better. What the cloud has ended counts as removed by us."""
        nodes = await account.nodes()
        listed = {m.id: m for node in nodes if (m := _machine(account, node)) is not None}
        ended = {_id(account, node) for node in nodes if _is_ending(node)}
        now_s = self._clock.monotonic_s()
        self._news = {
            id: replace(news, machine=None) if id in ended else news
            for id, news in self._news.items()
            if news.until_s > now_s
        }
        for id, news in self._news.items():
            if news.machine is None:
                listed.pop(id, None)
            elif id.startswith(f"{account.provider}:"):
                listed.setdefault(id, news.machine)
        return list(listed.values())

    def _wanted(self, properties: RawJson) -> _Wanted:
        """InvalidError lists every fault."""
        parsed = read(properties, CloudProperties, lenient=self._lenient)
        faults = []
        if parsed.provider not in self._accounts:
            known = ", ".join(sorted(self._accounts)) or "none"
            faults.append(Fault(f"no credentials for {parsed.provider}; there are some for {known}", "Provider"))
        options, fault = _options(parsed.options)
        if faults := [*faults, *fault]:
            raise InvalidError(faults)
        return _Wanted(parsed, options)


def _options(text: str) -> tuple[Mapping[str, Any], Sequence[Fault]]:
    try:
        options = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}, [Fault("must be an object", "Options")]
    strange = sorted(name for name in options if not name.startswith("ex_") and name != "networks")
    return options, [Fault("is no argument of its own cloud: those begin with ex_", f"Options.{n}") for n in strange]


async def _looked_up(account: Account, properties: CloudProperties) -> tuple[Any, Any]:
    """Size and location as the driver takes them; None for no location."""
    if account.dialect.by_name:
        return properties.size, properties.location or None
    size = await account.choice("size", properties.size, lambda driver: driver.list_sizes())
    if not properties.location:
        return size, None
    return size, await account.choice("location", properties.location, lambda driver: driver.list_locations())


def _image(account: Account, driver: Driver, image: str) -> Any:
    """By its ID: listing all images takes minutes on some clouds. Azure's are read for what they consist of."""
    if account.dialect.by_name:
        return image
    if account.provider == "azure_arm":
        return driver.get_image(image)  # type: ignore[attr-defined]
    from libcloud.compute.base import NodeImage  # noqa: PLC0415 (an extra)

    return NodeImage(id=image, name=image, driver=driver)  # type: ignore[arg-type]


def _authorized(key: str) -> dict[str, Any]:
    if not key:
        return {}
    from libcloud.compute.base import NodeAuthSSHKey  # noqa: PLC0415 (an extra)

    return {"auth": NodeAuthSSHKey(key)}


def _id(account: Account, node: Node) -> str:
    return f"{account.provider}:{node.id}"


_LEAVING = frozenset({"shutting-down", "terminated", "deleting", "deleted"})
_LIVES = {
    "running": Life.RUNNING,
    "normal": Life.RUNNING,
    "stopped": Life.STOPPED,
    "stopping": Life.STOPPED,
    "suspended": Life.STOPPED,
    "paused": Life.STOPPED,
    "error": Life.DEAD,
    "unknown": Life.UNKNOWN,
}
"""libcloud's states; all others are on the way to one."""


def _machine(account: Account, node: Node) -> _Machine | None:
    """None for what this plugin did not make, and for what is gone or about to be."""
    tags = dict(account.dialect.tags(node))
    name = tags.pop(MACHINE_TAG, "")
    if not name or _is_ending(node):
        return None
    logical_id = tags.pop(LOGICAL_ID_TAG, None)
    if "Name" in tags and tags["Name"] == name:
        del tags["Name"]  # Amazon's own word for what a machine is called
    return _Machine(_id(account, node), name, node, tags, logical_id)


def _is_ending(node: Node) -> bool:
    """Gone, or about to be."""
    return _state(node) == "terminated" or str(node.extra.get("status", "")).lower() in _LEAVING


def _state(node: Node) -> str:
    return str(getattr(node.state, "value", node.state)).lower()


def _description(machine: _Machine) -> InstanceDescription:
    created = machine.node.created_at
    return InstanceDescription(
        machine.id,
        machine.logical_id,
        machine.tags,
        _LIVES.get(_state(machine.node), Life.PENDING),
        created.timestamp() if created is not None else 0.0,
    )


def _name(prefix: str, request: str) -> str:
    """The same for the same request, or a new one."""
    return f"{prefix}-{hashlib.sha256((request or uuid.uuid4().hex).encode()).hexdigest()[:16]}"
