"""`--wait`: poll until every named key is as wanted, or gone (semantics.md W50, W54)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skep.cli.client import Client
from skep.cli.failures import BrokenOff, Failure, NoServer
from skep.cli.output import age
from skep.cli.progress import Line, Progress, open_progress
from skep.cli.state import state_of

if TYPE_CHECKING:
    from skep.cli.state import View

POLL_S = 0.3
"""Quick enough to seem live; what was not looked at for a second is looked at."""

OUTAGE_S_MAX = 10.0
"""A server that restarts is back by then; after that, waiting on tells nobody anything."""


BRIEF = "for too short a time to be sure of it"
"""As wanted, but what can't run at all is that, too, between its start and its end (W54)."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What `key` shall become: converged at `generation` or later, or gone. `count`: nothing but how many there are was
    changed, which a pause is not in the way of (W49)."""

    key: str
    generation: int
    gone: bool = False
    count: bool = False


GOING = frozenset({"removed", "freed"})
"""Changes after which a key is there no more."""


def goals(changes: Sequence[Mapping[str, Any]], count: bool = False) -> tuple[Goal, ...]:
    """A goal for each change that the server reported. `count`: nothing else was asked for."""
    return tuple(Goal(one["key"], one["generation"], one["change"] in GOING, count) for one in changes)


def wait_for(client: Client, wanted: Sequence[Goal], timeout_s: float) -> None:
    """Return once all goals are met; Failure says what went wrong with which, and why."""
    deadline_s = time.monotonic() + timeout_s
    with open_progress() as progress:
        while True:
            views = _read(client, deadline_s, progress)
            lines = [judge(goal, views.get(goal.key)) for goal in wanted]
            progress.show(lines)
            if all(line.done for line in lines):
                return
            if any(line.failed for line in lines):
                raise Failure(_complaint([line for line in lines if line.failed], "failed"))
            if time.monotonic() >= deadline_s:
                raise Failure(_complaint([one for one in lines if not one.done], f"not done after {age(timeout_s)}"))
            time.sleep(POLL_S)


def judge(goal: Goal, view: View | None) -> Line:
    """How far `goal` is, as a line of progress; a key that is not there has been removed."""
    if view is None:
        return Line(goal.key, "-", "Gone" if goal.gone else "Removed", "", done=goal.gone, failed=not goal.gone)
    state, undone = state_of(view), _undone(goal, view)
    if undone and not goal.gone:
        return Line(goal.key, f"{view['ready']}/{view['desired']}", "RolledBack", undone, failed=True)
    as_paused = state.word == "Paused" and goal.count
    done = (state.word == "Ready" or (as_paused and _is_counted(view))) and view["generation"] >= goal.generation
    done, ready = done and not goal.gone, f"{view['ready']}/{view['desired']}"
    if done and view["unprovenSeconds"]:
        return Line(goal.key, ready, state.word, BRIEF)
    failed = state.final and not (goal.gone or as_paused)
    return Line(goal.key, ready, state.word, state.detail, done=done, failed=failed)


def _is_counted(view: View) -> bool:
    """Whether as many serve as were asked for, whatever template they follow, and nothing is under way."""
    return bool(view["ready"] == view["desired"] >= view["current"]) and not view["doing"]


def _undone(goal: Goal, view: View) -> str:
    """Why what was waited for was undone by a newer generation of skep's own (W47); that one may be Ready by now."""
    if not goal.generation < view["generation"] <= view["observedGeneration"]:
        return ""
    told = (c["message"] for c in view["conditions"] if c["type"] == "RolledBack" and c["status"])
    return next(told, "")


def _read(client: Client, deadline_s: float, progress: Progress) -> dict[str, View]:
    """All keys now; a server that went away is waited for, a little."""
    give_up_s = min(deadline_s, time.monotonic() + OUTAGE_S_MAX)
    while True:
        try:
            return views_of(client)
        except (NoServer, BrokenOff):
            if time.monotonic() >= give_up_s:
                raise
            progress.say(f"no server answers at {client.path}: waiting for it")
            time.sleep(POLL_S)


def first_views(client: Client, timeout_s: float) -> dict[str, View]:
    """All keys, to begin with: a server that starts or restarts just now is waited for as later."""
    try:
        return views_of(client)
    except (NoServer, BrokenOff):
        with open_progress() as progress:
            return _read(client, time.monotonic() + timeout_s, progress)


def views_of(client: Client) -> dict[str, View]:
    """All keys, as they are now."""
    status = client.get("/v1/status?fresh=true")
    return {view["key"]: view for view in (*status["groups"], *status["workloads"])}


def _complaint(lines: Sequence[Line], what: str) -> str:
    return "\n".join(f"{line.key} {what}: {line.text}" for line in lines)
