"""Every command of `infrakit` (infrakit-compat.md 1.2); what InfraKit did not have is in docs/infrakit.md."""

from __future__ import annotations

from skep.cli.infrakit.command import Command, Flag

LOG = Flag("log", "int", "Logging level. 0 is least verbose. Max is 5", 4)
HELP = Flag("help", "", "help for this command", False, "h")
EVERYWHERE = (HELP, LOG)

QUIET = Flag("quiet", "", "Print rows without column headers", False, "q")
JSON = Flag("json", "", "Print JSON, for programs", False)
PRETEND = Flag("pretend", "", "Don't actually commit, only explain the commit", False)
TAGS = Flag("tags", "stringSlice", "Tags to filter", ())
SIZE = Flag("size", "uint", "Group size", 0)
LOGICAL_IDS = Flag("logical-ids", "stringSlice", "Logical IDs of the group", ())
ID = Flag("id", "string", "ID of resource")
LOGICAL_ID = Flag("logical-id", "string", "Logical ID of resource")
TAGS_OF_ONE = Flag("tags", "stringSlice", "Tags of the resource", ())

GROUP_FILE, GROUP_ID = ("<group configuration>",), ("<group ID>",)
INSTANCE_FILE, INSTANCE_ID = ("<instance configuration>",), ("<instance ID>",)
FLAVOR_FILE = ("<flavor configuration>",)

COMMANDS = (
    Command("version", "version:version", (), "Print build version information", counted=False),
    Command("plugin ls", "listing:plugins", (), "List available plugins", QUIET, JSON, counted=False),
    Command("group commit", "group:commit", GROUP_FILE, "Commit a group configuration; - reads stdin", PRETEND),
    Command("group free", "group:free", GROUP_ID, "Free a group from active monitoring, nondestructive"),
    Command("group describe", "group:describe", GROUP_ID, "Describe the live instances of a group", QUIET, JSON),
    Command("group inspect", "group:inspect", GROUP_ID, "Print the configuration of a group"),
    Command("group destroy", "group:destroy", GROUP_ID, "Destroy a group and its instances"),
    Command("group ls", "group:listed", (), "List groups", QUIET, JSON, counted=False),
    Command(
        "instance validate", "instance:validate", INSTANCE_FILE, "Validate an instance's properties; - reads stdin"
    ),
    Command("instance provision", "instance:provision", INSTANCE_FILE, "Provision an instance; - reads stdin"),
    Command("instance describe", "instance:describe", (), "Describe the instances", TAGS, QUIET, JSON, counted=False),
    Command("instance destroy", "instance:destroy", INSTANCE_ID, "Destroy an instance"),
    Command(
        "flavor validate",
        "flavor:validate",
        FLAVOR_FILE,
        "Validate a flavor's properties; - reads stdin",
        SIZE,
        LOGICAL_IDS,
    ),
    Command(
        "flavor prepare",
        "flavor:prepare",
        (*FLAVOR_FILE, "<instance configuration>"),
        "Print what the flavor makes of an instance's spec",
        SIZE,
        LOGICAL_IDS,
    ),
    Command(
        "flavor healthy",
        "flavor:healthy",
        FLAVOR_FILE,
        "Print 0 (unknown), 1 (healthy) or 2 (unhealthy)",
        ID,
        LOGICAL_ID,
        TAGS_OF_ONE,
    ),
    Command(
        "flavor drain",
        "flavor:drain",
        FLAVOR_FILE,
        "Take an instance out of service before it is destroyed",
        ID,
        LOGICAL_ID,
        TAGS_OF_ONE,
    ),
)


def _name(default: str) -> Flag:
    return Flag("name", "string", "Name of plugin", default)


SECTIONS = {
    "plugin": ("Manage plugins", ()),
    "group": ("Access group plugin", (_name("group"),)),
    "instance": ("Access instance plugin", (_name(""),)),
    "flavor": ("Access flavor plugin", (_name(""),)),
}
"""What stands before a second word: what its help says, and the flags that all its commands take."""


def inherited(path: tuple[str, ...]) -> tuple[Flag, ...]:
    """The flags that a command takes besides its own."""
    section = SECTIONS[path[0]][1] if path and path[0] in SECTIONS else ()
    return (*EVERYWHERE, *section)
