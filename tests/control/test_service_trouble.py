"""What is wrong with a Swarm service, told in the terms in which containers are told of (semantics.md W30, W32)."""

from collections.abc import Sequence

import pytest

from skep.control.service_trouble import Trouble, trouble_of
from skep.model.engine import Task
from skep.model.plan import NoteKind as N

NOW_S, WINDOW_S = 10_000.0, 600.0
NO_IMAGE = "No such image: skep/web:9"
NOWHERE = "no suitable node (insufficient resources on 2 nodes)"
EXIT = "task: non-zero exit (3)"


def task(state: str, error: str = "", ago_s: float = 5.0) -> Task:
    return Task("t", "s1", "n1", 1, state, "running", "", error, "", 0, since_s=NOW_S - ago_s)


ENDED, REJECTED = task("failed", EXIT), task("rejected", NO_IMAGE)
PENDING, COMING, RUNS = task("pending", NOWHERE), task("ready"), task("running")


@pytest.mark.parametrize(
    ("why", "replicas", "kind", "text"),
    [
        ("all is well", [[RUNS]], None, ""),
        ("one ended, which is an accident", [[ENDED, RUNS]], None, EXIT),
        ("it ends again and again", [[ENDED, ENDED, COMING]], N.CRASH_LOOPING, EXIT),
        ("and lives for a moment", [[ENDED, ENDED, RUNS]], N.CRASH_LOOPING, EXIT),
        ("our clock was set back", [[*[task("failed", EXIT, -300.0)] * 2, RUNS]], N.CRASH_LOOPING, EXIT),
        ("it was set back far", [[*[task("failed", EXIT, -7000.0)] * 2, RUNS]], None, EXIT),
        ("that was long ago", [[*[task("failed", EXIT, 700.0)] * 3, RUNS]], None, EXIT),
        ("its image can't be had", [[REJECTED, COMING]], N.IMAGE_PULL_FAILED, NO_IMAGE),
        ("it was got at last", [[REJECTED, RUNS]], None, NO_IMAGE),
        ("no node fits", [[PENDING]], N.UNPLACEABLE, NOWHERE),
        ("it waits its turn", [[task("pending")]], None, ""),
        ("most decide", [[REJECTED, COMING], [ENDED, ENDED], [ENDED, ENDED]], N.CRASH_LOOPING, EXIT),
        (
            "of as many, what has to be mended first",
            [[ENDED, ENDED], [PENDING], [REJECTED]],
            N.IMAGE_PULL_FAILED,
            NO_IMAGE,
        ),
        ("what is over is no part of it", [[ENDED, RUNS], [ENDED, RUNS], [PENDING]], N.UNPLACEABLE, NOWHERE),
        ("nothing was made yet", [], None, ""),
    ],
)
def test_what_befalls_most_replicas_is_told(
    why: str, replicas: Sequence[Sequence[Task]], kind: N | None, text: str
) -> None:
    places = {(slot, ""): tasks for slot, tasks in enumerate(replicas, 1)}
    assert trouble_of(places, NOW_S, WINDOW_S) == Trouble(kind, text)
