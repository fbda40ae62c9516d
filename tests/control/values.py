"""Short ways to say the values that control works with."""

from skep.control.books import Outcome, Sight
from skep.model.plan import ActionKind, Reason
from skep.model.spec import Key, Kind
from skep.model.state import Desired, Entry, Failure, Health, Ledger, Life, Member, Observed

WORKERS = Key(Kind.GROUP, "workers")
WEB = Key(Kind.WORKLOAD, "web")


def desired(size: int = 3, **more: object) -> Desired:
    return Desired(WORKERS, 1, size, "f1", **more)  # type: ignore[arg-type]


def creation(request: str = "r1", slot: str | None = None, fingerprint: str = "f1", **more: object) -> Entry:
    return Entry(request, ActionKind.CREATE, Reason.MISSING, 1, slot, fingerprint=fingerprint, **more)  # type: ignore[arg-type]


def act(kind: ActionKind, member: str = "m1", request: str = "r1", **more: object) -> Entry:
    return Entry(request, kind, Reason.SURPLUS, 1, member=member, fingerprint="f1", **more)  # type: ignore[arg-type]


def member(id: str = "m1", request: str = "", healthy: bool = True, **more: object) -> Member:
    health = Health.HEALTHY if healthy else Health.UNHEALTHY
    return Member(id, fingerprint="f1", life=more.pop("life", Life.RUNNING), health=health, request=request, **more)  # type: ignore[arg-type]


def failure(kind: ActionKind = ActionKind.CREATE, subject: str = "", count: int = 1, retry_s: float = 50.0) -> Failure:
    return Failure(subject, kind, count, retry_s, "no")


def ledger(*entries: Entry, failures: tuple[Failure, ...] = ()) -> Ledger:
    return Ledger(entries, failures)


def sight(
    *members: Member,
    began_s: float = 100.0,
    running: frozenset[str] = frozenset(),
    outcomes: tuple[Outcome, ...] = (),
    wanted: Desired | None = None,
    silent: frozenset[str] = frozenset(),
) -> Sight:
    return Sight(wanted or desired(), Observed(members, silent), began_s, running, {o.request: o for o in outcomes})
