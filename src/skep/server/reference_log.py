"""The log in the words of the reference document: who followed `creating 5 nginx containers` still can."""

from collections.abc import MutableMapping
from typing import Any

from skep.model.spec import Kind

STARTING = "Starting Swarm cluster state manager..."

_CHANGES = ("created", "configured")


def reference_words(logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: the message of a line that the document knows is its own; all other lines stay."""
    kind, _, name = str(line.get("key", "")).partition("/")
    if kind == Kind.WORKLOAD and (words := _words(line, name)):
        line["event"] = words
        line.pop("key")
    return line


def _words(line: MutableMapping[str, Any], name: str) -> str:
    """Empty where the document has none."""
    match line["event"]:
        case "spec accepted":
            return f"updating {name} cluster state" if line.get("change") in _CHANGES else ""
        case "creating members" | "removing members" as event:
            return f"{event.partition(' ')[0]} {line.pop('count')} {name} containers"
        case "created a container" | "removed a container" as event:
            return f"{event.partition(' ')[0]} {name} container: {line.pop('container')}"
    return ""
