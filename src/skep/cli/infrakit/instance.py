"""`infrakit instance …`."""

from __future__ import annotations

from skep.cli.infrakit.documents import instance_spec, read_document
from skep.cli.infrakit.json_text import NULL, compact, indented, read, string, strings
from skep.cli.infrakit.rpc import text
from skep.cli.infrakit.tables import instances, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.infrakit.command import Call


def validate(call: Call) -> None:
    """Have the properties of an instance looked at; the file holds them alone."""
    plugin = call.plugin("Instance")
    plugin.call("Validate", ("Properties", compact(read_document(call.arguments[0]))))
    say("validate:ok")


def provision(call: Call) -> None:
    """Make an instance, and print its ID."""
    plugin = call.plugin("Instance")
    result = plugin.call("Provision", ("Spec", instance_spec(read_document(call.arguments[0]))))
    id = read(result.get("id", NULL))
    if id is not None:
        say(text(id))


def describe(call: Call) -> None:
    """Print the instances that have all these tags."""
    result = call.plugin("Instance").call("DescribeInstances", ("Tags", strings(call.tags())))
    descriptions = result.get("descriptions", NULL)
    if call.flags["json"]:
        say(indented("[]" if descriptions == NULL else descriptions, "", "  "))
        return
    say(*instances(descriptions, call.flags["quiet"]))


def destroy(call: Call) -> None:
    """Have an instance destroyed. The plugin says whether it was there: one that it can't list may be there too."""
    wanted = call.arguments[0]
    call.plugin("Instance").call("Destroy", ("Instance", string(wanted)))
    say(f"destroyed {wanted}")
