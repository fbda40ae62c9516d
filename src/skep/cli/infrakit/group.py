"""`infrakit group …`."""

from __future__ import annotations

from skep.cli.infrakit.documents import group_spec, read_document
from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.json_text import NULL, indented, members, read, string
from skep.cli.infrakit.rpc import text
from skep.cli.infrakit.tables import instances, list_of, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.infrakit.command import Call


def commit(call: Call) -> None:
    """Commit a group, or say what that would involve."""
    plugin = call.plugin("Group")
    pretend = call.flags["pretend"]
    group, spec = group_spec(read_document(call.arguments[0]))
    result = plugin.call("CommitGroup", ("Spec", spec), ("Pretend", "true" if pretend else "false"))
    details = text(read(result.get("details", NULL)))
    say(f"Committing {group} would involve: {details}" if pretend else f"Committed {group}: {details}")


def free(call: Call) -> None:
    """Have a group watched no more."""
    _of_one(call, "FreeGroup")
    say(f"Freed {call.arguments[0]}")


def destroy(call: Call) -> None:
    """Destroy a group; the plugin answers when all is gone, and what is printed is InfraKit's all the same."""
    _of_one(call, "DestroyGroup")
    say(f"destroy {call.arguments[0]} initiated")


def describe(call: Call) -> None:
    """Print the instances of a group, and on standard error what went wrong, where skep's group plugin tells it."""
    description = _of_one(call, "DescribeGroup").get("description", NULL)
    if call.flags["json"]:
        say(indented(description, "", "  "))
        return
    found = {} if read(description) is None else members(description)
    say(*instances(found.get("instances", NULL), call.flags["quiet"]))
    if error := text(read(found.get("error", NULL))):
        call.log.warning(error)


def inspect(call: Call) -> None:
    """Print a group's spec as it was committed, spelling of numbers included."""
    wanted = call.arguments[0]
    for group, fields in _groups(call):
        if group == wanted:
            spec = f'{{"ID":{string(group)},"Properties":{fields.get("properties", NULL)}}}'
            say(indented(spec, "", "  "))
            return
    raise Failure(f"Group {wanted} is not being watched")


def listed(call: Call) -> None:
    """Print the groups that are watched."""
    groups = [group for group, _ in _groups(call)]
    if call.flags["json"]:
        say(indented(f"[{','.join(map(string, groups))}]", "", "  "))
        return
    say(*([] if call.flags["quiet"] else ["ID"]), *groups)


def _of_one(call: Call, method: str) -> dict[str, str]:
    return call.plugin("Group").call(method, ("ID", string(call.arguments[0])))


def _groups(call: Call) -> list[tuple[str, dict[str, str]]]:
    """The ID of each, and its spec's fields as written."""
    specs = map(members, list_of(call.plugin("Group").call("InspectGroups").get("groups", NULL)))
    return [(text(read(spec.get("id", NULL))), spec) for spec in specs]
