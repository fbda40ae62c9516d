"""`infrakit instance …`."""

from __future__ import annotations

from skep.cli.infrakit.documents import instance_spec, read_document
from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.json_text import NULL, compact, indented, read, string, strings
from skep.cli.infrakit.rpc import field, text
from skep.cli.infrakit.tables import instances, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.infrakit.command import Call
    from skep.cli.infrakit.rpc import Plugin


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
    """Destroy an instance. One that is not there is a mistake of who types; to plugins it is done."""
    plugin, wanted = call.plugin("Instance"), call.arguments[0]
    there = _listed(plugin)
    if there is not None and wanted not in there:
        raise Failure(f"Instance does not exist: {wanted}")
    plugin.call("Destroy", ("Instance", string(wanted)))
    say(f"destroyed {wanted}")


def _listed(plugin: Plugin) -> list[str] | None:
    """The IDs of all instances; None where the plugin can't tell."""
    try:
        listed = read(plugin.call("DescribeInstances", ("Tags", NULL)).get("descriptions", NULL))
    except Failure:
        return None
    return [text(field(one, "ID")) for one in listed] if isinstance(listed, list) else None
