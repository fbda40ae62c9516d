"""`group` and `workload`: what works on one key by its name. Both have the same commands."""

from __future__ import annotations

from skep.cli import tables
from skep.cli.changes import asked, reasoned, report_changes
from skep.cli.exchange import quoted
from skep.cli.failures import Failure
from skep.cli.output import emit, show, show_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from skep.cli.client import Client
    from skep.cli.output import Table
    from skep.cli.state import View


def listed(client: Client, kind: str, form: str) -> None:
    """List all {kind}s.

    \b
    Examples:
      skep {kind} {command}
      skep {kind} {command} -o json
    """
    views = client.get(f"/v1/{kind}s?fresh=true")
    columns = tables.WIDE if form == "wide" else tables.BY_KIND[kind]
    emit(views, form, lambda: show(tables.keys(views, columns), f"There are no {kind}s."))


def described(client: Client, kind: str, name: str, form: str) -> None:
    """Show all about a {kind}.

    Its state and why, its conditions, and each of its members: where and how it is, how often those before it ended and
    why, what comes next and when.

    \b
    Example:
      skep {kind} {command} {name}
    """
    view = client.get(path_of(kind, name))
    emit(view, form, lambda: description(view, show_whole))


def description(view: View, whole: Callable[[Table], list[str]]) -> list[str]:
    """All about one key: `whole` makes lines of a table, with nothing cut."""
    lines = tables.facts(view)
    for table in (tables.conditions(view), tables.replicas(view)):
        lines += ["", *whole(table)] if table.rows else []
    return lines


def inspected(client: Client, kind: str, name: str, form: str) -> None:
    """Print the spec of a {kind} as it was stored.

    \b
    Examples:
      skep {kind} {command} {name}
      skep {kind} {command} {name} -o yaml > {name}.yaml
    """
    emit(client.get(path_of(kind, name) + "/spec"), form, list)


def scaled(client: Client, kind: str, name: str, count: int, why: str, wait: bool, timeout_s: float, form: str) -> None:
    """Change how many members a {kind} has.

    And nothing else of it: also while its roll-outs are paused.

    \b
    Example:
      skep {kind} {command} {name} 3 --wait
    """
    change = client.post(path_of(kind, name) + "/scale", reasoned({"count": count}, why))
    report_changes(client, [change], wait, timeout_s, form, count=True)


def retried(client: Client, kind: str, name: str, why: str, wait: bool, timeout_s: float, form: str) -> None:
    """Try again at once what was given up, or waits ever longer.

    \b
    Example:
      skep {kind} {command} {name} --wait
    """
    report_changes(client, [client.post(asked(path_of(kind, name) + "/retry", why))], wait, timeout_s, form)


def revisions(client: Client, kind: str, name: str, form: str) -> None:
    """List the revisions of a {kind}.

    Newest first: when it was changed, what of it, why and by whom.

    \b
    Example:
      skep {kind} {command} {name}
    """
    found = client.get(path_of(kind, name) + "/history")
    emit(found, form, lambda: show(tables.history(found)))


def paused(client: Client, kind: str, name: str, why: str, form: str) -> None:
    """Stop roll-outs of a {kind}.

    What fails is still replaced, as it was before, and the count can be changed. What is applied meanwhile waits.

    \b
    Example:
      skep {kind} {command} {name} --why "4 looks slow"
    """
    change = client.post(asked(path_of(kind, name) + "/pause", why))
    report_changes(client, [change], False, 0.0, form)


def resumed(client: Client, kind: str, name: str, why: str, wait: bool, timeout_s: float, form: str) -> None:
    """Let roll-outs of a {kind} go on.

    \b
    Example:
      skep {kind} {command} {name} --wait
    """
    report_changes(client, [client.post(asked(path_of(kind, name) + "/resume", why))], wait, timeout_s, form)


def rolled_back(
    client: Client, kind: str, name: str, to: int | None, why: str, wait: bool, timeout_s: float, form: str
) -> None:
    """Make a {kind} as it was in an older revision.

    All of it but the count, which stays as it is now; without --to, as before the last change that was not undone by
    itself. What changes is told. It is a new revision; history tells of the older ones.

    \b
    Examples:
      skep {kind} {command} {name} --wait
      skep {kind} {command} {name} --to 3 --why "4 loses orders"
    """
    change = client.post(path_of(kind, name) + "/rollback", reasoned({} if to is None else {"to": to}, why))
    report_changes(client, [change], wait, timeout_s, form)


def freed(client: Client, kind: str, name: str, why: str, wait: bool, timeout_s: float, form: str) -> None:
    """Forget a {kind} and leave its members as they are.

    Nobody keeps them from then on. Applied again, it goes on with them.

    \b
    Example:
      skep {kind} {command} {name}
    """
    report_changes(client, [client.post(asked(path_of(kind, name) + "/free", why))], wait, timeout_s, form)


def removed(
    client: Client, kind: str, name: str, cascade: bool, why: str, wait: bool, timeout_s: float, form: str
) -> None:
    """Remove a {kind} and all its members.

    \b
    Example:
      skep {kind} {command} {name} --wait
    """
    changes = client.delete(asked(path_of(kind, name), why, "cascade=true" if cascade else ""))
    report_changes(client, changes, wait, timeout_s, form)


def _views(client: Client) -> Iterable[View]:
    status = client.get("/v1/status")
    return (*status["groups"], *status["workloads"])


def full_key(client: Client, text: str) -> str:
    """`workload/web` for `web`, where one key alone has that name; Failure where none has, or two."""
    if "/" in text:
        return whole_key(text)
    found = key_named(_views(client), text)
    if not found:
        raise Failure(f"nothing is named {text}; `skep status` lists all that there is")
    return found


def key_named(views: Iterable[View], name: str) -> str:
    """The key that has this name, empty where none has. Failure: two have."""
    found = [str(view["key"]) for view in views if view["name"] == name]
    if len(found) > 1:
        raise Failure(f"{name} may be {' or '.join(found)}: write which")
    return found[0] if found else ""


def whole_key(text: str) -> str:
    """A key that was written whole; Failure: it is none."""
    kind, _, name = text.partition("/")
    if kind not in {"group", "workload"} or not name:
        raise Failure(f"{text} is no key: write group/ID or workload/NAME")
    return text


def path_of(kind: str, name: str) -> str:
    """Where the API has it. Failure: the name is empty, as that of a variable that is not set."""
    if not name:
        raise Failure(f"the name of the {kind} is empty")
    return f"/v1/{kind}s/{quoted(name)}"
