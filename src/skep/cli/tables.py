"""Which columns each thing is shown in. Their names and order are stable: docs/cli.md lists them."""

from __future__ import annotations

from skep.cli.output import Table, age, localised, moment, plain, soon
from skep.cli.state import advice, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from skep.cli.state import View

    Column = tuple[str, Callable[[View], str]]

LEADER = "leader"
"""The detail of the manager that leads its Swarm."""

NAME: Column = ("NAME", lambda view: view["name"])
KIND: Column = ("KIND", lambda view: view["kind"])
ROLE: Column = ("ROLE", lambda view: view["role"])
IMAGE: Column = ("IMAGE", lambda view: view["image"])
CLUSTER: Column = ("CLUSTER", lambda view: view["cluster"])
READY: Column = ("READY", lambda view: f"{view['ready']}/{view['desired']}")
OUTDATED: Column = ("OUTDATED", lambda view: str(view["outdated"]))
GENERATION: Column = ("GENERATION", lambda view: f"{view['observedGeneration']}/{view['generation']}")
STATE: Column = ("STATE", lambda view: state_of(view).word)
DETAIL: Column = ("DETAIL", lambda view: state_of(view).detail)

STATUS = (NAME, KIND, CLUSTER, READY, STATE, DETAIL)
GROUPS = (NAME, ROLE, CLUSTER, READY, OUTDATED, STATE, DETAIL)
WORKLOADS = (NAME, IMAGE, CLUSTER, READY, OUTDATED, STATE, DETAIL)
WIDE = (NAME, KIND, ROLE, IMAGE, CLUSTER, READY, OUTDATED, GENERATION, STATE, DETAIL)
BY_KIND = {"group": GROUPS, "workload": WORKLOADS}


def keys(views: Sequence[View], columns: Sequence[Column]) -> Table:
    """A line for each group or workload."""
    return Table(tuple(name for name, _ in columns), tuple(tuple(cell(view) for _, cell in columns) for view in views))


def members(views: Sequence[View]) -> Table:
    """A line for each member that a listing has: each machine. Those of a workload are told when it is asked for alone,
    for then its cluster is asked; RUNNING counts a machine as one of one."""
    columns = ("MEMBER", "OF", "SLOT", "NODE", "ADDRESS", "LIFE", "HEALTH", "RUNNING", "AGE", "DETAIL")
    rows = [
        (
            member["id"],
            view["name"],
            member["slot"],
            member["node"],
            member["address"],
            member["life"],
            member["health"],
            f"{member['running']}/{member['wanted']}",
            age(member["ageSeconds"]),
            member["doing"] or member["detail"] or ("" if member["current"] else "outdated"),
        )
        for view in views
        for member in view["members"]
    ]
    return Table(columns, tuple(rows))


def replicas(view: View) -> Table:
    """A line for each member, also for those that are missing: how it is, what comes next, what went wrong last."""
    columns = ("SLOT", "MEMBER", "NODE", "ADDRESS", "STATE", "RESTARTS", "AGE", "NEXT", "ERROR")
    rows = tuple(
        (
            member["slot"],
            member["id"],
            member["node"],
            member["address"],
            _condition(member, view["kind"]),
            str(member["restarts"]),
            age(member["ageSeconds"] if member["id"] else -1),
            _next(member, view),
            member["lastError"] or _trouble(member),
        )
        for member in view["members"]
    )
    return Table(columns, rows)


def _trouble(member: View) -> str:
    """Its detail, unless that tells of something good."""
    return "" if member["detail"] == LEADER or member["life"] == "completed" else str(member["detail"])


def _condition(member: View, kind: str) -> str:
    """How it is in a word, and what else is to be known of it in brackets."""
    word, more = member["life"], []
    if word == "running" and member["health"] == "unhealthy":
        word = "unhealthy"
    elif word == "running" and member["health"] == "unknown":
        word = "starting" if kind == "workload" else word
        more += [] if kind == "workload" else ["health unknown"]
    more += ["leader"] if member["detail"] == LEADER else []
    more += [] if member["current"] else ["old"]
    return f"{word} ({', '.join(more)})" if more else word


def _is_told(text: str, view: View) -> bool:
    """Whether a condition says the same, but for when it is tried again."""
    bare = text.removeprefix("waiting: ").removeprefix("waits: ")
    return any(bare in one["message"] for one in view["conditions"])


def _next(member: View, view: View) -> str:
    """What is done with it now, and what comes next. What all of them wait for stands in a condition above them."""
    coming = member["next"]
    if coming.startswith("waits: ") and _is_told(coming, view):
        coming = "waits, as told above"
    if coming and member["nextInSeconds"] >= 0:
        coming += f" {soon(member['nextInSeconds'], member['nextAtSeconds'])}"
    return "; ".join(text for text in (member["doing"], coming) if text)


def conditions(view: View) -> Table:
    """A line for each statement about a key."""
    rows = tuple(
        (one["type"], str(one["status"]), one["reason"], moment(one["sinceSeconds"]), localised(one["message"]))
        for one in view["conditions"]
    )
    return Table(("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"), rows)


def facts(view: View) -> list[str]:
    """What `describe` begins with: a name and a value on each line."""
    state = state_of(view)
    pairs = (
        ("Name", view["name"]),
        ("Kind", view["kind"] + (f" ({view['role']})" if view["role"] else "")),
        ("Cluster", view["cluster"]),
        ("Image", view["image"]),
        ("Ready", f"{view['ready']} of {view['desired']} ({view['outdated']} outdated)"),
        ("Generation", f"{view['generation']} (acted on {view['observedGeneration']})"),
        ("Observed", f"{age(view['observedAgeSeconds'])} ago" if view["observedAgeSeconds"] >= 0 else "not yet"),
        ("Endpoints", ", ".join(view["endpoints"])),
        ("State", state.word + (f": {state.detail}" if state.detail else "")),
        ("Paused", view["paused"]),
        ("To do", advice(view)),
        *(("Doing", one) for one in view["doing"]),
        *(("Waiting", one.removeprefix("waiting: ")) for one in view["waiting"] if not _is_told(one, view)),
    )
    return [f"{name + ':':<12}{plain(value)}" for name, value in pairs if value]


def changes(found: Iterable[Mapping[str, Any]]) -> Table:
    """What became of each key's spec."""
    rows = tuple((one["key"], one["change"], str(one["generation"])) for one in found)
    return Table(("KEY", "CHANGE", "GENERATION"), rows)


def plans(found: Iterable[Mapping[str, Any]]) -> Table:
    """A line for each action, then for each note; a key without either has one line of its own."""
    rows: list[tuple[str, ...]] = []
    for plan in found:
        acts = [(one["kind"], one["reason"], one["text"]) for one in plan["actions"]]
        notes = [("note", "", note) for note in plan["notes"]]
        rows += [(plan["key"], plan["change"], *act) for act in (acts + notes) or [("", "", "")]]
    return Table(("KEY", "CHANGE", "ACTION", "REASON", "DETAIL"), tuple(rows))


def history(revisions: Iterable[Mapping[str, Any]]) -> Table:
    """A line for each revision, with what it changed where that is known."""
    rows = tuple(
        (
            str(one["generation"]),
            moment(one["whenSeconds"]),
            "removed" if one["removed"] else plain("; ".join(one["changed"])) or "applied",
            plain(one["why"]),
            one["who"],
        )
        for one in revisions
    )
    return Table(("GENERATION", "WHEN", "CHANGE", "WHY", "WHO"), rows)


def events(found: Iterable[Mapping[str, Any]]) -> Table:
    """A line for each event."""
    rows = tuple((str(e["seq"]), moment(e["atSeconds"]), e["key"], e["reason"], e["message"]) for e in found)
    return Table(("SEQ", "TIME", "KEY", "REASON", "MESSAGE"), rows)
