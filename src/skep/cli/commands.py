"""Every command, as a table."""

from __future__ import annotations

from skep.cli.duration import duration, since
from skep.cli.parameter import Command, Parameter

WAIT_S = 600.0
"""As long as a member may take to become healthy for the first time (semantics.md N27)."""

PLAN_FAILED = 255
"""1 means that there are changes."""

DAYS_MAX = 36_500
"""A hundred years: more would be a slip."""


def count(text: str) -> int:
    """A whole number from 0 on; ValueError says what is wrong."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no whole number from 0 on")
    return int(text)


def days(text: str) -> int:
    """How long a certificate is to last, in days; ValueError says what is wrong."""
    if not 1 <= count(text) <= DAYS_MAX:
        raise ValueError(f"{text!r} is not from 1 to {DAYS_MAX} days")
    return int(text)


def _prints(*forms: str) -> Parameter:
    return Parameter("form", "-o", "--output", choices=forms, help="How to print.")


PRINTS = _prints("table", "json", "yaml")
PRINTS_WIDE = _prints("table", "wide", "json", "yaml")
PRINTS_SPEC = _prints("json", "yaml")

WAITS = (
    Parameter("wait", "--wait", switch=True, help="Show progress; exit 0 only once all is as wanted."),
    Parameter(
        "timeout_s",
        "--timeout",
        metavar="DURATION",
        convert=duration,
        default=WAIT_S,
        help="With --wait. [default: 10m]",
    ),
)
FILES = Parameter(
    "names",
    "-f",
    "--file",
    metavar="PATH",
    many=True,
    required=True,
    help="A file, a folder or - for stdin; may be repeated.",
)
FILES_IF_ANY = Parameter(
    "names", "-f", "--file", metavar="PATH", many=True, help="Also these specs: a file, a folder or -."
)
ADOPT = Parameter("adopt", "--adopt", switch=True, help="Take over what exists already and is not skep's.")
RESOLVE = Parameter(
    "resolve",
    "--resolve",
    switch=True,
    help="Look again at what the images of workloads name, and roll if it is another.",
)
CASCADE = Parameter("cascade", "--cascade", switch=True, help="Also remove what needs it.")
ORPHAN = Parameter("orphan", "--orphan", switch=True, help="Forget it, and leave its members as they are.")
WHY = Parameter("why", "--why", metavar="TEXT", default="", help="Why; kept with the revision, for `history`.")
FOLLOW = Parameter(
    "follow", "--follow", switch=True, help="Go on with new ones as they happen; with -o json, one on each line."
)
SINCE = Parameter(
    "since",
    "--since",
    metavar="SEQ|DURATION",
    convert=since,
    default=(0, 0.0),
    help="Only those after this. [default: 0]",
)
PLUGINS = Parameter("names", metavar="NAME…", many=True)
PLUGINS_TO_START = Parameter("names", metavar="NAME… [-- FLAG…]", many=True)
COUNT = Parameter("count", metavar="COUNT", convert=count)
TO = Parameter("to", "--to", metavar="GENERATION", convert=count, help="To this one. [default: before the last change]")
FILE = Parameter("file", metavar="FILE")
FOLDER = Parameter("folder", "--dir", metavar="PATH", help="Where they lie. [default: certs in the state directory]")
FORCE = Parameter("force", "--force", switch=True, help="In place of what is there.")
PRETEND = Parameter("pretend", "--pretend", switch=True, help="Only show what it would do.")

SUBMIT = (
    Parameter("source", metavar="FILE|NAME"),
    Parameter("image", "--image", metavar="IMAGE", help="Without a file: what the containers run."),
    Parameter("count", "--count", metavar="COUNT", convert=count, help="Without a file: how many. [default: 1]"),
    Parameter(
        "cluster",
        "--cluster",
        metavar="NAME",
        completes="cluster",
        help="Without a file: where. [default: the only cluster]",
    ),
    Parameter("environment", "--env", metavar="NAME=VALUE", many=True, help="Without a file: a variable of theirs."),
    Parameter("ports", "--publish", metavar="[PORT:]PORT", many=True, help="Without a file: a port of theirs."),
)


def _days(lasts: int) -> Parameter:
    return Parameter(
        "days", "--days", metavar="N", convert=days, default=lasts, help=f"How long it is valid. [default: {lasts}]"
    )


CA_DAYS = _days(3650)
LEAF_DAYS = _days(365)
ADDRESSES = Parameter(
    "addresses", "--address", metavar="IP|DNS", many=True, help="Where else the server is found; may be repeated."
)
ALSO_CLIENT = Parameter("also_client", "--also-client", switch=True, help="To be shown to other servers, too.")
ROLES = Parameter("role", "--role", choices=("admin", "viewer"), help="What skep lets its user do.")
SAME_DAYS = Parameter("days", "--days", metavar="N", convert=days, help="How long each is valid. [default: as before]")
CHECK = Parameter(
    "within_days", "--check", metavar="DAYS", convert=count, help="Exit 1 if one expires within so many days."
)


def _of_keys(kind: str, named: str, removal: str) -> tuple[Command, ...]:
    """What groups and workloads have alike; `removal` is what its users call removing one."""
    name = Parameter("name", metavar=named, completes=kind)
    rows = (
        ("ls", "listed", (PRINTS_WIDE,)),
        ("describe", "described", (name, PRINTS)),
        ("inspect", "inspected", (name, PRINTS_SPEC)),
        ("scale", "scaled", (name, COUNT, WHY, *WAITS, PRINTS)),
        ("retry", "retried", (name, WHY, *WAITS, PRINTS)),
        ("history", "revisions", (name, PRINTS)),
        ("pause", "paused", (name, WHY, PRINTS)),
        ("resume", "resumed", (name, WHY, *WAITS, PRINTS)),
        ("rollback", "rolled_back", (name, TO, WHY, *WAITS, PRINTS)),
        ("free", "freed", (name, WHY, *WAITS, PRINTS)),
        (removal, "removed", (name, CASCADE, WHY, *WAITS, PRINTS)),
    )
    return tuple(Command(f"{kind} {one}", f"keys:{does}", *has, fixed={"kind": kind}) for one, does, has in rows)


COMMANDS = (
    Command("apply", "specs:apply", FILES, ADOPT, RESOLVE, WHY, *WAITS, PRINTS),
    Command("plan", "specs:plan", FILES, PRINTS, failure_code=PLAN_FAILED),
    Command("delete", "specs:delete", FILES, CASCADE, ORPHAN, WHY, *WAITS, PRINTS),
    Command("status", "status:status", PRINTS_WIDE),
    Command(
        "wait",
        "waiting:wait",
        Parameter("keys", metavar="KEY…", many=True, completes="key"),
        Parameter("gone", "--gone", switch=True, help="Wait until they are gone; what is not there is."),
        Parameter(
            "timeout_s", "--timeout", metavar="DURATION", convert=duration, default=WAIT_S, help="[default: 10m]"
        ),
    ),
    Command(
        "logs",
        "events:logs",
        Parameter("key", metavar="[KEY]", required=False, default="", completes="key"),
        FOLLOW,
        SINCE,
        PRINTS,
    ),
    Command("events", "events:events", FOLLOW, SINCE, PRINTS),
    Command("group commit", "specs:commit", FILE, PRETEND, ADOPT, WHY, *WAITS, PRINTS, fixed={"kind": "group"}),
    *_of_keys("group", "ID", "destroy"),
    Command("workload submit", "submit:submit", *SUBMIT, PRETEND, ADOPT, RESOLVE, WHY, *WAITS, PRINTS),
    *_of_keys("workload", "NAME", "rm"),
    Command("cluster ls", "clusters:listed", PRINTS),
    Command("cluster describe", "clusters:described", Parameter("name", metavar="NAME", completes="cluster"), PRINTS),
    Command("plugin ls", "plugins:listed", PRINTS, client=False),
    Command("plugin start", "plugins:started", PLUGINS_TO_START, client=False, passes_on="flags"),
    Command("plugin stop", "plugins:stopped", PLUGINS, client=False),
    Command("certs ca", "certs:ca", FOLDER, CA_DAYS, FORCE, PRINTS, client=False),
    Command(
        "certs server",
        "certs:server",
        Parameter("name", metavar="NAME"),
        ADDRESSES,
        ALSO_CLIENT,
        FOLDER,
        LEAF_DAYS,
        FORCE,
        PRINTS,
        client=False,
    ),
    Command(
        "certs client",
        "certs:client",
        Parameter("name", metavar="NAME"),
        ROLES,
        FOLDER,
        LEAF_DAYS,
        FORCE,
        PRINTS,
        client=False,
    ),
    Command(
        "certs renew",
        "certs:renew",
        Parameter("names", metavar="[NAME…]", many=True, required=False),
        FOLDER,
        SAME_DAYS,
        PRINTS,
        client=False,
    ),
    Command("certs ls", "certs:listed", FOLDER, CHECK, PRINTS, client=False),
    Command("config check", "config:check", FILES_IF_ANY, PRINTS_WIDE, client=False, settings=True),
    Command("image", "status:image", Parameter("which", choices=("node", "example")), PRINTS),
    Command("serve", "serve:serve", client=False, settings=True),
    Command("systemd-unit", "systemd:systemd_unit", client=False, settings=True),
    Command("down", "down:down", PRINTS, client=False, settings=True),
    Command("version", "status:version", PRINTS),
    Command("completion", "completion:completion", Parameter("shell", choices=("bash", "zsh", "fish")), client=False),
)

SECTIONS = {
    "group": "Look at groups of machines; commit, scale and remove them.",
    "workload": "Look at workloads; submit, scale and remove them.",
    "cluster": "Look at the clusters that workloads run on.",
    "plugin": "Look at plugins that are programs of their own; start and stop them.",
    "certs": "Make, renew and list the certificates of servers and those who use them.",
    "config": "Look at the settings.",
}
"""What stands before a second word, and what its help says."""
