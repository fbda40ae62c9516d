"""Short notation for members, ledgers and actions, so that a table of plans can be read.

A member is `id` or `slot=id`, followed by marks; members are listed from the oldest to the newest. Without marks it
runs, is healthy and current.

    ~ outdated   - stopped   + pending    x gone, only its membership left     ? its source is silent
    . health not known yet   ! unhealthy for a second    !! unhealthy for long enough to be replaced
    * leader     d drifted   f foreign    u undone by the cluster    ^ current only in what needs a new machine
    % has ended   o only just well   @a on the source a   #r made by request r

A ledger is `create [slot] [@source] #r`, `drain id`, `start id`, … for what is under way,
`failed KIND SUBJECT TIMES RETRY_S [COUNTED]` for what was refused or has ended, `failed pull SOURCE TIMES RETRY_S` for
an image that could not be had, `setbacks SOURCE AT_S …` for a source on which members failed then, `streak N`, and
`progress UPDATED OUTDATED AVAILABLE SINCE_S [complete]`.
An action is `drain m1 Surplus`, `create Missing`, `create a Missing`, `create 3 Missing @a`.
A creation or a failure that ends with ` ~` is of the settled template.
What is silent is a list of sources, `health` or `everything`; `lost:a`, `unlisted:a` and `partitioned` say more.
"""

import re
from dataclasses import replace

from skep.model.plan import Action, ActionKind, Reason
from skep.model.setbacks import Setbacks
from skep.model.spec import Key, Kind
from skep.model.state import (
    EVERYTHING,
    HEALTH,
    Desired,
    Entry,
    Failure,
    Health,
    Ledger,
    Life,
    Limits,
    Member,
    Observed,
    Phase,
    Progress,
    Role,
)

NEW, OLD = "new", "old"
KEEPS = "same-machine"
LIMITS = Limits(parallel=10, unhealthy_after_s=300.0, startup_s=600.0, start_attempts=3)
NUMBERED_LIMITS = Limits(parallel=20, unhealthy_after_s=0.0, restarts_max=5)

_MEMBER = re.compile(
    r"^(?:(?P<slot>\w+)=)?(?P<id>[a-z]+\d+)(?P<marks>[^#@]*)(?:@(?P<source>\w+))?(?:#(?P<request>\w+))?$"
)
_SILENCES = {"everything": EVERYTHING, "health": HEALTH}
_LIVES = {"%": Life.DEAD, "-": Life.STOPPED, "+": Life.PENDING, "x": Life.GONE, "?": Life.UNKNOWN}


def member(text: str, age: int = 0) -> Member:
    """One member; `age` is its place in the list."""
    match = _MEMBER.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no member in this notation")
    marks = match["marks"]
    life = next((life for mark, life in _LIVES.items() if mark in marks), Life.RUNNING)
    health = _health(marks) if life is Life.RUNNING else Health.UNKNOWN
    sick_s = 0.0 if health is Health.HEALTHY else 900.0 if "!!" in marks else 1.0
    return Member(
        id=match["id"],
        slot=match["slot"],
        fingerprint=OLD if "~" in marks or "^" in marks else NEW,
        replace_sha=KEEPS if "^" in marks else "",
        life=life,
        health=health,
        source=match["source"] or "",
        request=match["request"] or "",
        created_s=float(age),
        sick_s=sick_s,
        well_s=0.0 if health is not Health.HEALTHY else 0.5 if "o" in marks else 60.0,
        drift=("images",) if "d" in marks else (),
        rolled_back="u" in marks,
        leader="*" in marks,
        foreign="f" in marks,
    )


def _health(marks: str) -> Health:
    if "!" in marks:
        return Health.UNHEALTHY
    return Health.UNKNOWN if "." in marks else Health.HEALTHY


def observed(text: str, silent: str = "") -> Observed:
    members = tuple(member(word, age) for age, word in enumerate(text.split()))
    words = silent.split()
    lost, unlisted = ({w.split(":")[1] for w in words if w.startswith(f"{what}:")} for what in ("lost", "unlisted"))
    plain = {_SILENCES.get(w, w) for w in words if ":" not in w and w != "partitioned"} | unlisted
    return Observed(members, frozenset(plain), frozenset(unlisted), frozenset(lost), "partitioned" in words)


def ledger(text: str, applied: str = "") -> Ledger:
    """Lines separated by commas."""
    lines = [line.split() for line in text.split(",") if line.strip()]
    failures = tuple(_failure(words[1:]) for words in lines if words[0] == "failed")
    entries = tuple(_entry(words) for words in lines if words[0] not in ("failed", "streak", "progress", "setbacks"))
    setbacks = tuple(Setbacks(words[1], tuple(map(float, words[2:]))) for words in lines if words[0] == "setbacks")
    progress = next((_progress(words[1:]) for words in lines if words[0] == "progress"), None)
    streak = next((int(words[1]) for words in lines if words[0] == "streak"), 0)
    return Ledger(entries, failures, applied, streak, progress=progress, setbacks=setbacks)


def _progress(words: list[str]) -> Progress:
    """Of the generation that is wanted; with a fifth word it is complete."""
    updated, outdated, available = map(int, words[:3])
    return Progress(1, updated, outdated, available, float(words[3]), complete=len(words) > 4)


def _entry(words: list[str]) -> Entry:
    kind, rest = ActionKind(words[0]), words[1:]
    request = next((w[1:] for w in rest if w.startswith("#")), "-".join(words))
    source = next((w[1:] for w in rest if w.startswith("@")), "")
    phase = next((Phase(w[1:]) for w in rest if w.startswith("=")), Phase.BEGUN)
    subject = next((w for w in rest if w[0] not in "#@=~"), None)
    if kind is ActionKind.CREATE:
        made_of = OLD if "~" in rest else NEW
        return Entry(request, kind, Reason.MISSING, 1, slot=subject, fingerprint=made_of, phase=phase, source=source)
    return Entry(request, kind, Reason.SURPLUS, 1, member=subject or "")


def _failure(words: list[str]) -> Failure:
    settled, words = "~" in words, [w for w in words if w != "~"]
    kind, subject, count, retry_s = words[:4]
    if kind == "pull":
        failed = Failure(subject, ActionKind.CREATE, int(count), float(retry_s), "manifest unknown", pull=True)
        return replace(failed, settled=settled)
    counted = words[4] if len(words) > 4 else ""
    failed = Failure(
        "" if subject == "any" else subject, ActionKind(kind), int(count), float(retry_s), "refused", counted
    )
    return replace(failed, settled=settled)


def action_text(action: Action) -> str:
    subject = action.member or action.slot or ""
    place = f"@{action.source}" if action.source and action.kind is ActionKind.CREATE else ""
    old = "~" if action.fingerprint == OLD else action.fingerprint
    return " ".join(word for word in (action.kind.value, subject, action.reason.value, place, old) if word)


def cattle(size: int, surge: int = 1, unavailable: int = 0, **other: object) -> Desired:
    """Workers, rolled as N35 says."""
    return _desired(size, None, surge, unavailable, Role.WORKER, other)


def pets(slots: str, unavailable: int = 1, **other: object) -> Desired:
    """Workers with logical IDs: no surge is possible."""
    return _desired(len(slots), tuple(slots), 0, unavailable, Role.WORKER, other)


def managers(slots: str, unavailable: int = 0, **other: object) -> Desired:
    return _desired(len(slots), tuple(slots), 0, unavailable, Role.MANAGER, other)


def manager_cattle(size: int, **other: object) -> Desired:
    """N7: managers without names surge by one."""
    return _desired(size, None, 1, 0, Role.MANAGER, other)


def numbered(size: int, sources: str = "a", surge: int = 1, unavailable: int = 0, **other: object) -> Desired:
    """Containers on plain Engines."""
    other = {"numbered": True, "sources": tuple(sources), "limits": NUMBERED_LIMITS, **other}
    return _desired(size, None, surge, unavailable, None, other, Kind.WORKLOAD)


def service(**other: object) -> Desired:
    return _desired(1, ("s",), 0, 0, None, {"in_place": True, **other}, Kind.WORKLOAD)


def _desired(
    size: int,
    slots: tuple[str, ...] | None,
    surge: int,
    unavailable: int,
    role: Role | None,
    other: dict[str, object],
    kind: Kind = Kind.GROUP,
) -> Desired:
    return Desired(
        key=Key(kind, "k"),
        generation=1,
        size=size,
        fingerprint=NEW,
        slots=slots,
        replace_sha=KEEPS,
        max_surge=surge,
        max_unavailable=unavailable,
        role=role,
        **{"limits": LIMITS, **other},  # type: ignore[arg-type]
    )
