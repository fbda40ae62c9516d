"""The instance plugin `docker`: machines as containers that run a Docker Engine, found again from labels alone."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from skep.model.engine import Container
from skep.model.errors import ConflictError, InvalidError, NotFoundError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.plugins.docker.containers import POLL_S, Containers
from skep.plugins.docker.folder import Folder
from skep.plugins.docker.images import check_held, copy_images, outdated, tagged
from skep.plugins.docker.machine import (
    CONTROLLER_LABEL,
    GROUP_TAG,
    HOME_TAG,
    RECORD_LABEL,
    REQUEST_TAG,
    Machine,
    hostname_of,
    machine_of,
    name_of,
)
from skep.plugins.docker.network import ROUTES_FILE, Route, as_address, check_address, read_routes
from skep.plugins.docker.networks import Networks
from skep.plugins.docker.properties import Wanted, WantedNetwork, wanted
from skep.ports import Clock, Engine, Engines

INIT_WAIT_S = 60.0
"""How long provision waits for Init, so that it ends when the machine serves: a join takes under 1 s."""
ADDRESS_ATTEMPTS = 5
"""An address can be taken by a container that is not ours between looking and starting."""
RECONNECT_S = 1.0
LISTED_S = 0.3
"""Docker Engine 20.10 tells of a container's end some milliseconds before its listing does: whoever looked at once saw
it run, and again only at the next resync."""
EVENTS: Mapping[str, Sequence[str]] = {"type": ["container"], "event": ["start", "die", "destroy"]}


def host_routes() -> Sequence[Route]:
    """Those of this host as they are now."""
    return read_routes(Path(ROUTES_FILE).read_text())


class DockerInstances:
    """InstancePlugin, Bootable, Startable, Reachable, HoldsImages, Watchable and Places of ports.py."""

    def __init__(
        self,
        engine: Engine,
        engines: Engines,
        controller: str,
        state_dir: Path,
        node_image: Callable[[], Awaitable[str]],
        clock: Clock,
        routes: Callable[[], Sequence[Route]] = host_routes,
        *,
        lenient: bool = False,
    ) -> None:
        """engine: this host's own. node_image: gives the name of an image that it has, making it if need be.

        state_dir: machines' private folders are under `m` in it. routes: those of the host, to be kept clear of.
        lenient: unknown properties are ignored, as over InfraKit's wire.
        """
        self._lenient = lenient
        self._engine = engine
        self._engines = engines
        self._controller = controller
        self._state_dir = state_dir
        self._node_image = node_image
        self._clock = clock
        self._networks = Networks(engine, controller, routes)
        self._containers = Containers(engine, engines, controller, state_dir, clock)
        self._booting: set[str] = set()
        self._loaded: dict[tuple[str, str], tuple[str, str]] = {}

    async def validate(self, properties: RawJson) -> None:
        if faults := await self._networks.faults(self._wanted(properties).network):
            raise InvalidError(faults)

    async def check_ids(self, properties: RawJson, logical_ids: Sequence[str]) -> None:
        if faults := await self._networks.misplaced(self._wanted(properties).network, logical_ids):
            raise InvalidError(faults)

    def _wanted(self, properties: RawJson) -> Wanted:
        return wanted(properties, default_network=f"skep-{self._controller}", lenient=self._lenient)

    async def boot(self, spec: InstanceSpec) -> str:
        name = name_of(self._controller, spec.tags.get(REQUEST_TAG) or uuid.uuid4().hex)
        self._booting.add(name)
        try:
            if machine := (await self._machines()).get(name):
                await self._revive(machine)
            else:
                await self._make(name, spec)
        finally:
            self._booting.discard(name)
        return name

    async def _revive(self, machine: Machine) -> None:
        """Make what is missing of a machine that is remembered, and start it."""
        async with self._networks.lock:
            await self._networks.ensure(WantedNetwork(machine.network, IPv4Network(machine.subnet)))
        await self._containers.run(machine)
        if machine.name not in await self._machines():
            # The engine made an empty volume in its place, by which nobody would know the machine.
            await self._forget(machine)
            raise NotFoundError(f"the disk of machine {machine.name} was removed while it was being started")

    async def _make(self, name: str, spec: InstanceSpec) -> None:
        """An address that turns out to be taken is given up for the next, unless the logical ID is the address."""
        tried: set[str] = set()
        while True:
            machine = await self._remember(name, spec, tried)
            try:
                await self._containers.run(machine)
            except (ConflictError, RejectedError, NotFoundError) as error:
                await self._forget(machine)
                tried.add(machine.address)
                is_final = machine.address == spec.logical_id or len(tried) == ADDRESS_ATTEMPTS
                if is_final or not isinstance(error, ConflictError):
                    raise
            else:
                return

    async def _remember(self, name: str, spec: InstanceSpec, tried: set[str]) -> Machine:
        """Write the machine down on a new volume, before anything else of it is made."""
        await self._clear_folders()
        wanted = self._wanted(spec.properties)
        image = wanted.image or await self._node_image()
        own = as_address(spec.logical_id)
        async with self._networks.lock:
            subnet = await self._networks.ensure(wanted.network)
            if own is not None:
                check_address(own, subnet)
            address = str(own or await self._networks.address(wanted.network.name, subnet, name, tried))
            machine = Machine(
                name=name,
                hostname=hostname_of(spec, name, logical_is_address=own is not None),
                image=image,
                network=wanted.network.name,
                subnet=str(subnet),
                address=address,
                memory=wanted.memory,
                cpus=wanted.cpus,
                logical_id=spec.logical_id,
                tags={**spec.tags, HOME_TAG: str(self._state_dir)},
            )
            await self._engine.create_volume(name, machine.labels(self._controller))
        return machine

    async def _clear_folders(self) -> None:
        """Of machines that were removed with their disks by others than us.

        Folders are listed first: a machine is remembered before it has one, so none that is being made is taken.
        """
        folders = Folder.all(self._state_dir)
        kept = {self._folder(name) for name in await self._machines()}
        for folder in folders - kept:
            folder.remove()

    async def other_homes(self) -> tuple[str, ...]:
        """State directories other than ours to which machines of this controller's name belong."""
        homes = {machine.tags.get(HOME_TAG, "") for machine in (await self._machines()).values()}
        return tuple(sorted(homes - {"", str(self._state_dir)}))

    async def _machines(self) -> dict[str, Machine]:
        """All that are remembered, by name."""
        volumes = await self._engine.volumes({CONTROLLER_LABEL: self._controller, RECORD_LABEL: ""})
        records = [machine_of(volume.labels) for volume in volumes]
        return {machine.name: machine for machine in records if machine}

    async def provision(self, spec: InstanceSpec) -> str:
        name = await self.boot(spec)
        folder = self._folder(name)
        if dict(spec.tags) != (await self._machines())[name].tags:
            folder.write_tags(spec.tags)
        if not folder.is_done:
            folder.write_init(spec.init)
            await self._await_init(name, folder)
        return name

    async def _await_init(self, name: str, folder: Folder) -> None:
        """Until Init has ended, for a while; RejectedError when it failed: it runs again at the next provision."""
        deadline_s = self._clock.monotonic_s() + INIT_WAIT_S
        while self._clock.monotonic_s() < deadline_s:
            if folder.is_done:
                folder.forget_init()
                return
            if failure := folder.failure:
                raise RejectedError(f"machine {name}: {failure}")
            await self._clock.sleep(POLL_S)

    async def start(self, instance: str) -> None:
        """A machine whose container was removed is made again from what its volume tells."""
        machine = (await self._machines()).get(instance)
        if machine is None:
            raise NotFoundError(f"could not start machine {instance}: it is not there, nor is its disk")
        await self._revive(machine)

    async def destroy(self, instance: str) -> None:
        if machine := (await self._machines()).get(instance):
            await self._forget(machine)

    async def _forget(self, machine: Machine) -> None:
        """Remove the machine, its network with the last machine that is on it, and its disk.

        The disk is last: it is what the machine is known by, so that the next finishes what was cut off.
        """
        if await self._containers.find(machine.name):
            await self._engine.remove_container(machine.name)
        self._folder(machine.name).remove()
        async with self._networks.lock:
            await self._networks.remove_unused(machine.network, but_for=machine.name)
            await self._engine.remove_volume(machine.name)

    async def remove_everything(self) -> tuple[str, ...]:
        """Containers, volumes and networks that carry our label, workloads on this engine too, and all folders.

        Says what it removed: `container NAME`, `volume NAME`, `network NAME`.
        """
        ours = {CONTROLLER_LABEL: self._controller}
        containers, volumes = await self._engine.containers(ours), await self._engine.volumes(ours)
        await asyncio.gather(*(self._engine.remove_container(container.id) for container in containers))
        await asyncio.gather(*(self._engine.remove_volume(volume.name) for volume in volumes))
        networks = await self._networks.remove_all()
        await asyncio.to_thread(shutil.rmtree, self._state_dir / "m", ignore_errors=True)
        return (
            *(f"container {container.name}" for container in containers),
            *(f"volume {volume.name}" for volume in volumes),
            *(f"network {network}" for network in networks),
        )

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        machines = await self._machines()
        containers = await self._containers.all()
        described = [self._description(machine, containers.get(name)) for name, machine in machines.items()]
        return [item for item in described if tags.items() <= item.tags.items()]

    def _description(self, machine: Machine, container: Container | None) -> InstanceDescription:
        folder = self._folder(machine.name)
        state = container.state if container else ""
        life = life_of(state, booting=machine.name in self._booting, done=folder.is_done)
        return InstanceDescription(
            id=machine.name,
            logical_id=machine.logical_id,
            tags={k: v for k, v in (machine.tags | dict(folder.tags())).items() if k != HOME_TAG},
            life=life,
            created_s=container.created_s if container else 0.0,
            detail=folder.failure if life is Life.PENDING else _stopped_detail(container),
        )

    def _folder(self, name: str) -> Folder:
        return Folder.of(self._state_dir, name)

    async def endpoint(self, instance: str) -> str | None:
        folder = self._folder(instance)
        return f"unix://{folder.socket}" if folder.path.is_dir() else None

    async def outdated_images(self, instance: str, images: Sequence[str]) -> Sequence[str]:
        host, held = await self._engine.image_ids(), await self._inner(instance).image_ids()
        return [
            image
            for image in outdated(images, host, held)
            if self._loaded.get((instance, image)) != _ids(image, host, held)
        ]

    async def load_images(self, instance: str, images: Sequence[str]) -> None:
        host = await self._engine.image_ids()
        check_held(images, host)
        inner = self._inner(instance)
        await copy_images(self._engine, inner, images)
        held = await inner.image_ids()
        # Two kinds of image store give one image two IDs: what was loaded counts as the same from here on.
        self._loaded.update({(instance, image): _ids(image, host, held) for image in images})

    def _inner(self, instance: str) -> Engine:
        return self._engines.engine(f"unix://{self._folder(instance).socket}")

    async def changes(self) -> AsyncIterator[str]:
        filters = {**EVENTS, "label": [f"{CONTROLLER_LABEL}={self._controller}", RECORD_LABEL]}
        while True:
            try:
                async for event in self._engine.events(filters):
                    if event.action == "die":
                        await self._clock.sleep(LISTED_S)
                    yield event.attributes.get(GROUP_TAG, "")
            except UnavailableError:
                await self._clock.sleep(RECONNECT_S)


def life_of(state: str, *, booting: bool, done: bool) -> Life:
    """A machine's life from its container's state (empty: there is none), and from what this process does with it."""
    if state in ("running", "paused"):
        return Life.RUNNING if done else Life.PENDING
    if booting or state in ("restarting", "removing"):
        return Life.PENDING
    return Life.STOPPED


def _stopped_detail(container: Container | None) -> str:
    if container is None:
        return "its container was removed; its disk is there"
    return "" if container.state == "running" else container.status


def _ids(image: str, host: Mapping[str, str], held: Mapping[str, str]) -> tuple[str, str]:
    return host.get(tagged(image), ""), held.get(tagged(image), "")
