"""Containers and events as a classic Swarm manager writes them: names with their node, ports with its address."""

import json
from datetime import UTC, datetime

from skep.adapters.docker_read_containers import HOST_DOWN
from skep.model.engine import Container, EngineEvent

_STATUSES = {"running": "Up 1 second", "created": "Created", "paused": "Up 1 second (Paused)", "dead": "Dead"}


def shown_status(container: Container) -> str:
    """The manager tells it from the state, as an engine does for its own lists."""
    if container.state == "exited":
        return f"Exited ({container.exit_code or 0}) 1 second ago"
    health = {"": "", "starting": " (health: starting)"}.get(container.health, f" ({container.health})")
    return f"{_STATUSES.get(container.state, container.state)}{health}"


def listed(node: str, container: Container, *, healthy: bool) -> object:
    """A line of GET /containers/json."""
    return {
        "Id": container.id,
        "Names": [f"/{node}/{container.name}"],
        "Image": container.image,
        "ImageID": container.image_id,
        "Created": int(container.created_s),
        "State": container.state,
        "Status": shown_status(container) if healthy else HOST_DOWN,
        "Labels": dict(container.labels),
        "NetworkSettings": {"Networks": _networks(container)},
        "Ports": [
            {"IP": "10.0.0.1", "PrivatePort": target, "PublicPort": published, "Type": protocol}
            for published, target, protocol in container.ports
        ],
    }


def inspected(node: str, container: Container) -> object:
    """GET /containers/ID/json: the engine's own answer, with the node beside it."""
    health = {"Health": {"Status": container.health}} if container.health else {}
    return {
        "Id": container.id,
        "Image": container.image_id,
        "Created": datetime.fromtimestamp(container.created_s, UTC).isoformat(),
        "Node": {"Name": node, "IP": "10.0.0.1"},
        "Name": f"/{container.name}",
        "State": {"Status": container.state, "ExitCode": container.exit_code or 0, **health},
        "Config": {"Image": container.image, "Labels": dict(container.labels)},
        "NetworkSettings": {
            "Networks": _networks(container),
            "Ports": {f"{target}/{kind}": [{"HostPort": str(host)}] for host, target, kind in container.ports},
        },
    }


def _networks(container: Container) -> object:
    return {name: {"IPAddress": address} for name, address in container.networks.items()}


def event_line(node: str, event: EngineEvent) -> bytes:
    """An event of an engine as the manager passes it on."""
    attributes = dict(event.attributes) | {"node.name": node, "node.ip": "10.0.0.1"}
    told = {"Type": event.type, "Action": event.action, "Actor": {"ID": event.id, "Attributes": attributes}}
    old = {"status": event.action, "id": event.id, "from": f"{event.attributes.get('image', '')} node:{node}"}
    return json.dumps(told | old).encode() + b"\n"
