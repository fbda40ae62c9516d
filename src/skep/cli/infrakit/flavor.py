"""`infrakit flavor …`."""

from __future__ import annotations

from skep.cli.infrakit.documents import instance_spec, read_document
from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.json_text import NULL, compact, indented, string, strings
from skep.cli.infrakit.tables import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.infrakit.command import Call


def validate(call: Call) -> None:
    """Have a flavor's properties looked at; silence is assent."""
    plugin = call.plugin("Flavor")
    plugin.call("Validate", _properties(call), _allocation(call))


def prepare(call: Call) -> None:
    """Print what the flavor makes of an instance's spec."""
    if call.arguments == ["-", "-"]:
        raise Failure("only one of the two files can be read from stdin")
    plugin = call.plugin("Flavor")
    properties = _properties(call)
    spec = instance_spec(read_document(call.arguments[1]))
    prepared = plugin.call("Prepare", properties, ("Spec", spec), _allocation(call)).get("spec", NULL)
    say(indented(instance_spec(prepared), "  ", "  "))


def healthy(call: Call) -> None:
    """Print the health of an instance as a number."""
    plugin = call.plugin("Flavor")
    say(plugin.call("Healthy", _properties(call), _instance(call)).get("health", "0"))


def drain(call: Call) -> None:
    """Take an instance out of service."""
    plugin = call.plugin("Flavor")
    plugin.call("Drain", _properties(call), _instance(call))
    say(f"drained {call.flags['id']}")


def _properties(call: Call) -> tuple[str, str]:
    return "Properties", compact(read_document(call.arguments[0]))


def _allocation(call: Call) -> tuple[str, str]:
    """No logical IDs are an empty list here, not null (infrakit-compat.md 2.4)."""
    names = ",".join(map(string, call.flags["logical-ids"]))
    return "Allocation", f'{{"Size":{call.flags["size"]},"LogicalIDs":[{names}]}}'


def _instance(call: Call) -> tuple[str, str]:
    logical, tags = call.flags["logical-id"], call.tags()
    described = (
        f'{{"ID":{string(call.flags["id"])},"LogicalID":{string(logical) if logical else NULL},'
        f'"Tags":{strings(tags) if tags else NULL}}}'
    )
    return "Instance", described
