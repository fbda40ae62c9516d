"""What a simulated engine does by itself: containers, volumes, networks, images."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from itertools import count

from skep.model.engine import Container, Image, Network, Volume
from skep.model.errors import ConflictError, NoImageError, NotFoundError, RejectedError, UnavailableError
from skep.model.json import JsonObject
from tests.fakes.engine_calls import Calls, carries
from tests.fakes.host import FakeContainer, Host, Ports
from tests.fakes.tasks import holds

BUILT_IN = frozenset({"", "default", "bridge", "host", "none"})
"""Networks that every engine has."""

FIRST_PORT = 49153
"""The first that an engine gives to a port that may be published anywhere."""


class LocalCalls(Calls):
    """Calls that every engine answers."""

    async def containers(self, labels: Mapping[str, str]) -> Sequence[Container]:
        host = await self._reach()
        if self._kernel.happens(self._kernel.faults.silent):
            raise UnavailableError(f"{self._endpoint}: connection reset")
        return [container.shown for container in host.containers.values() if carries(container.shown.labels, labels)]

    async def container(self, container: str) -> Container | None:
        host = await self._reach()
        return next((c.shown for c in host.containers.values() if container in (c.shown.id, c.shown.name)), None)

    async def create_container(self, name: str, body: JsonObject) -> str:
        return await self._act("create container", lambda host: self._create(host, name, body))

    def _create(self, host: Host, name: str, body: JsonObject) -> str:
        image = str(body["Image"])
        if not holds(host.images, image):
            raise NotFoundError(f"No such image: {image}")
        if any(container.shown.name == name for container in host.containers.values()):
            raise ConflictError(f'Conflict. The container name "/{name}" is already in use')
        id = self._kernel.identity(64)
        shown = Container(
            id,
            name,
            image,
            "created",
            _strings(body.get("Labels")),
            self._kernel.clock.wall_s(),
            "Created",
            image_id=_image_id(host, image),
        )
        host.containers[id] = FakeContainer(shown, body)
        host.emit("container", "create", id, name=name, **shown.labels)
        self._kernel.changed(f"container {name} created on {host.name}", by_us=True)
        return id

    async def start_container(self, container: str) -> None:
        await self._act("start container", lambda host: self._start(host, container))

    def _start(self, host: Host, container: str) -> None:
        found = _found(host, container)
        if found.shown.state == "running":
            return
        network = _network_of(found.body)
        if network not in BUILT_IN and network not in {name for n in host.networks.values() for name in (n.id, n.name)}:
            raise RejectedError(f"network {network} not found")
        found.run(_bound(host, found.body))
        self._tell(host, found, "start")
        host.started(found)

    async def stop_container(self, container: str, grace_s: int | None) -> None:
        await self._act("stop container", lambda host: self._stop(host, container))

    def _stop(self, host: Host, container: str) -> None:
        """One that is not there, or does not run, is let be."""
        with suppress(NotFoundError):
            found = _found(host, container)
            if found.shown.state == "running":
                found.end(143)
                self._tell(host, found, "die")

    def _tell(self, host: Host, found: FakeContainer, action: str) -> None:
        host.emit("container", action, found.shown.id, name=found.shown.name, **found.shown.labels)
        self._kernel.changed(f"container {found.shown.name} {found.shown.state} on {host.name}", by_us=True)

    async def remove_container(self, container: str) -> None:
        await self._act("remove container", lambda host: self._remove(host, container))

    def _remove(self, host: Host, container: str) -> None:
        try:
            found = _found(host, container)
        except NotFoundError:
            return
        del host.containers[found.shown.id]
        host.emit("container", "destroy", found.shown.id, name=found.shown.name, **found.shown.labels)
        self._kernel.changed(f"container {found.shown.name} removed from {host.name}", by_us=True)

    async def container_logs(self, container: str, tail: int) -> str:
        _found(await self._reach(), container)
        return ""

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        volume = Volume(name, dict(labels), self._kernel.clock.wall_s())
        await self._act("create volume", lambda host: host.volumes.setdefault(name, volume))

    async def volumes(self, labels: Mapping[str, str]) -> Sequence[Volume]:
        host = await self._reach()
        return [volume for volume in host.volumes.values() if carries(volume.labels, labels)]

    async def remove_volume(self, name: str) -> None:
        await self._act("remove volume", lambda host: host.volumes.pop(name, None))

    async def networks(self) -> Sequence[Network]:
        host = await self._reach()
        return [replace(network, addresses=_addresses(host, network.name)) for network in host.networks.values()]

    async def create_network(self, body: JsonObject) -> str:
        return await self._act("create network", lambda host: self._create_network(host, body))

    def _create_network(self, host: Host, body: JsonObject) -> str:
        name = str(body["Name"])
        if any(network.name == name for network in host.networks.values()):
            raise ConflictError(f"network with name {name} already exists")
        ipam = body.get("IPAM") or {}
        subnets = tuple(str(pool["Subnet"]) for pool in (ipam.get("Config") or []))  # type: ignore[union-attr,index,call-overload]
        id = self._kernel.identity(64)
        host.networks[id] = Network(id, name, _strings(body.get("Labels")), str(body.get("Driver", "bridge")), subnets)
        return id

    async def remove_network(self, network: str) -> None:
        await self._act("remove network", lambda host: self._remove_network(host, network))

    def _remove_network(self, host: Host, network: str) -> None:
        for found in [found for found in host.networks.values() if network in (found.id, found.name)]:
            if _addresses(host, found.name):
                raise ConflictError(f"network {found.name} has active endpoints")
            del host.networks[found.id]

    async def image_ids(self) -> Mapping[str, str]:
        return dict((await self._reach()).images)

    async def image(self, image: str) -> Image | None:
        """With the digest that a registry has for its name; a reference with another digest finds nothing."""
        host = await self._reach()
        name, _, asked = image.partition("@")
        digest = self._net.registry.get(name)
        if not holds(host.images, image) or (asked and asked != digest):
            return None
        return Image(_image_id(host, image), (f"{name}@{digest}",) if digest else ())

    async def fetch_image(self, image: str) -> None:
        if not await self.pull_image(image, timeout_s=0):
            raise NoImageError(f"could not pull image {image}: manifest unknown")

    async def import_image(self, image: str, tar: AsyncIterator[bytes], changes: Sequence[str]) -> str:
        data = b"".join([part async for part in tar])
        id = f"sha256:{sha256(data + repr(changes).encode()).hexdigest()}"
        await self._act("import image", lambda host: host.images.__setitem__(image, id))
        return id

    async def pull_image(self, image: str, *, timeout_s: float) -> bool:
        name, _, asked = image.partition("@")
        digest = self._net.registry.get(name)
        if digest is None or asked not in ("", digest):
            await self._reach()
            return False
        await self._act("pull image", lambda host: host.images.__setitem__(name, digest))
        return True

    async def save_images(self, images: Sequence[str]) -> AsyncIterator[bytes]:
        host = await self._reach()
        for image in images:
            if image not in host.images:
                raise NotFoundError(f"reference does not exist: {image}")
            yield f"{image} {host.images[image]}\n".encode()

    async def load_images(self, tar: AsyncIterator[bytes]) -> None:
        lines = b"".join([part async for part in tar]).decode().splitlines()
        try:
            images = dict(line.split(" ", 1) for line in lines)
        except ValueError as error:
            raise RejectedError("invalid tar header") from error
        await self._act("load images", lambda host: host.images.update(images))


def _found(host: Host, container: str) -> FakeContainer:
    for found in host.containers.values():
        if container in (found.shown.id, found.shown.name):
            return found
    raise NotFoundError(f"No such container: {container}")


def _addresses(host: Host, network: str) -> tuple[str, ...]:
    """Addresses by order of creation; only running containers have one."""
    running = [container for container in host.containers.values() if container.shown.state == "running"]
    on = [container for container in running if network == _network_of(container.body)]
    return tuple(f"172.30.0.{number}" for number, _ in enumerate(on, start=2))


def _network_of(body: JsonObject) -> str:
    config = body.get("HostConfig")
    return str(config.get("NetworkMode", "bridge")) if isinstance(config, Mapping) else "bridge"


def _image_id(host: Host, image: str) -> str:
    """One that is held has one ID under all its names."""
    return host.images.get(image.partition("@")[0], image)


def _bound(host: Host, body: JsonObject) -> Ports:
    """Where the container's ports are published, each at the one it asks for or at any that is free."""
    taken = {port[0] for other in host.containers.values() for port in other.shown.ports}
    ports = []
    for target, wanted in _bindings(body):
        published = wanted or next(port for port in count(FIRST_PORT) if port not in taken)
        if published in taken:
            raise RejectedError(f"Bind for 0.0.0.0:{published} failed: port is already allocated")
        taken.add(published)
        port, _, protocol = target.partition("/")
        ports.append((published, int(port), protocol))
    return tuple(sorted(ports))


def _bindings(body: JsonObject) -> Iterator[tuple[str, int]]:
    """`80/tcp` and the port that it shall have on the host, 0 for any."""
    config = body.get("HostConfig")
    found = config.get("PortBindings") if isinstance(config, Mapping) else None
    for target, hosts in found.items() if isinstance(found, Mapping) else ():
        for one in hosts if isinstance(hosts, list | tuple) else ():
            yield target, int(str(one.get("HostPort") or 0)) if isinstance(one, Mapping) else 0


def _strings(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}
