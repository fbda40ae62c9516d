"""What is wrong with a Swarm service, by the errors of its tasks, in the terms in which containers are told of
(semantics.md W30, W32, W52)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skep.model.engine import Task
from skep.model.plan import NoteKind
from skep.planning.restarts import CRASH_LOOP_ENDS

FAILED = frozenset({"failed", "rejected"})

_NO_IMAGE = re.compile(r"No such image|pull access denied|manifest (for|unknown)|error pulling image", re.IGNORECASE)
"""How engines say of a task that its image could not be had."""

_ORDER = (NoteKind.IMAGE_PULL_FAILED, NoteKind.UNPLACEABLE, NoteKind.CRASH_LOOPING)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`text`: an error, empty where there is none; `kind`: what it means, where it goes on."""

    kind: NoteKind | None
    text: str


def trouble_of(places: Mapping[tuple[int, str], Sequence[Task]], wall_s: float, window_s: float) -> Trouble:
    """What befalls most replicas, or did not long ago. `places` are the tasks of each, the oldest first, of no older
    template; what failed longer ago than `window_s` is no part of a crash loop."""
    now = [found for found in (_of_replica(tasks, wall_s, window_s) for tasks in places.values()) if found.kind]
    if now:
        kinds = Counter(found.kind for found in now)
        worst = max(_ORDER, key=lambda kind: (kinds[kind], -_ORDER.index(kind)))
        return _most([found for found in now if found.kind is worst])
    errors = [t.error for tasks in places.values() for t in tasks if t.error and t.state in FAILED]
    return _most([Trouble(None, error) for error in errors])


def _of_replica(tasks: Sequence[Task], wall_s: float, window_s: float) -> Trouble:
    """The clock of a node may be ahead, and ours be set back."""
    last, failed = tasks[-1], [t for t in tasks if t.state in FAILED and abs(wall_s - t.since_s) < window_s]
    if last.state == "pending" and last.error:
        return Trouble(NoteKind.UNPLACEABLE, last.error)
    if not failed:
        return Trouble(None, "")
    if last.state != "running" and _NO_IMAGE.search(failed[-1].error):
        return Trouble(NoteKind.IMAGE_PULL_FAILED, failed[-1].error)
    return Trouble(NoteKind.CRASH_LOOPING if len(failed) >= CRASH_LOOP_ENDS else None, failed[-1].error)


def _most(found: Sequence[Trouble]) -> Trouble:
    """The most frequent; none of none."""
    return Counter(found).most_common(1)[0][0] if found else Trouble(None, "")
