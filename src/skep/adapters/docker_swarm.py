"""The Swarm half of DockerEngine: nodes, services, tasks and what they refer to."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from skep.adapters import docker_read_swarm as read
from skep.adapters.docker_wire import Wire, filters_query
from skep.adapters.registry_auth import Credentials
from skep.model.engine import JoinTokens, Node, Service, SwarmLabels, Task
from skep.model.errors import ConflictError, SkepError
from skep.model.json import Json, JsonObject

Filters = Mapping[str, Sequence[str]]


class _Created(Struct):
    ID: str


class _Named(Struct):
    Name: str = ""


class _Object(Struct):
    ID: str
    Spec: _Named


class _NetworkLine(Struct):
    Id: str
    Name: str


class _Descriptor(Struct):
    digest: str


class _Distribution(Struct):
    Descriptor: _Descriptor


class SwarmCalls:
    """Calls that a manager answers; elsewhere they raise UnavailableError."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def join_tokens(self) -> JoinTokens:
        return read.read_tokens(await self._wire.read("read the join tokens", "swarm", read.SwarmAnswer))

    async def swarm_labels(self) -> SwarmLabels:
        return read.read_swarm_labels(await self._wire.read("read the Swarm's labels", "swarm", read.SwarmSpecAnswer))

    async def update_swarm_labels(self, version: int, labels: Mapping[str, str]) -> None:
        """Reads the spec first and sends all of it back, fields that skep does not know included: what is left out
        would be reset."""
        what = "update the Swarm's labels"
        answer = await self._wire.read(what, "swarm", read.SwarmSpecAnswer)
        if answer.version.index != version:
            raise ConflictError(
                f"could not {what}: it is at version {answer.version.index} now and was {version} when read"
            )
        body = answer.spec | {"Labels": dict(labels)}
        await self._wire.act(what, "POST", "swarm/update", [("version", str(version))], body=body)

    async def nodes(self, filters: Filters | None = None) -> Sequence[Node]:
        answers = await self._wire.read("list nodes", "nodes", list[read.NodeAnswer], filters_query(filters))
        return [read.read_node(answer) for answer in answers]

    async def update_node(
        self,
        node: str,
        version: int,
        *,
        availability: str | None = None,
        role: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Reads the spec first, since what is left out would be erased (semantics.md N26)."""
        what = f"update node {node}"
        answer = await self._wire.read(what, f"nodes/{quote(node)}", read.NodeSpecAnswer)
        if answer.version.index != version:
            raise ConflictError(
                f"could not {what}: it is at version {answer.version.index} now and was {version} when read"
            )
        changes: dict[str, Json] = {"Availability": availability, "Role": role, "Labels": labels}
        body = answer.spec | {name: value for name, value in changes.items() if value is not None}
        await self._wire.act(what, "POST", f"nodes/{answer.id}/update", [("version", str(version))], body=body)

    async def remove_node(self, node: str, *, force: bool) -> None:
        await self._wire.remove(f"remove node {node}", f"nodes/{quote(node)}", [("force", "1" if force else "0")])

    async def services(self, filters: Filters | None = None) -> Sequence[Service]:
        answers = await self._wire.read("list services", "services", list[read.ServiceAnswer], filters_query(filters))
        return [read.read_service(answer) for answer in answers]

    async def create_service(self, spec: JsonObject) -> str:
        what = f"create service {spec.get('Name', '')}"
        auth = (await self._credentials(spec)).header
        return (await self._wire.create(what, "services/create", _Created, body=spec, registry_auth=auth)).ID

    async def update_service(self, service: str, version: int, spec: JsonObject) -> None:
        what, path = f"update service {service}", f"services/{quote(service)}/update"
        auth = (await self._credentials(spec)).header
        await self._wire.act(what, "POST", path, [("version", str(version))], body=spec, registry_auth=auth)

    async def _credentials(self, spec: JsonObject) -> Credentials:
        """Those for its nodes to pull the image with; the Swarm keeps them with the service, as with docker's own
        `--with-registry-auth`."""
        for part in ("TaskTemplate", "ContainerSpec"):
            inner = spec.get(part)
            spec = inner if isinstance(inner, Mapping) else {}
        return await self._wire.credentials(str(spec.get("Image", "")))

    async def remove_service(self, service: str) -> None:
        await self._wire.remove(f"remove service {service}", f"services/{quote(service)}")

    async def tasks(self, filters: Filters) -> Sequence[Task]:
        answers = await self._wire.read("list tasks", "tasks", list[read.TaskAnswer], filters_query(filters))
        return [read.read_task(answer) for answer in answers]

    async def secret_ids(self) -> Mapping[str, str]:
        return {item.Spec.Name: item.ID for item in await self._wire.read("list secrets", "secrets", list[_Object])}

    async def config_ids(self) -> Mapping[str, str]:
        return {item.Spec.Name: item.ID for item in await self._wire.read("list configs", "configs", list[_Object])}

    async def network_ids(self) -> Mapping[str, str]:
        return {item.Name: item.Id for item in await self._wire.read("list networks", "networks", list[_NetworkLine])}

    async def resolve_digest(self, image: str) -> str | None:
        """With the tag kept, as docker's own client writes it: `name:tag@sha256:…`."""
        if "@" in image:
            return image
        try:
            what, auth = f"ask for the digest of {image}", (await self._wire.credentials(image)).header
            answer = await self._wire.read(what, f"distribution/{image}/json", _Distribution, registry_auth=auth)
        except SkepError:
            return None  # whatever kept a registry from answering: the tag itself is used then
        return f"{image}@{answer.Descriptor.digest}"
