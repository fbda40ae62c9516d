"""Generators of what the planner may be asked: any members, any ledger that a reconciler could hold, any sane spec."""

from dataclasses import replace

from hypothesis import strategies as st

from skep.model.plan import ActionKind, Reason
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
    Role,
)

NOW_S = 1_000.0
LIMITS = Limits(parallel=3, unhealthy_after_s=60.0, startup_s=120.0, start_attempts=2)
HASHES = (("f1", "s1"), ("f2", "s1"), ("f2", "s2"), ("f3", ""))
"""Fingerprint and replace_sha: the same machine under another spec, another machine, and one without a second hash."""


@st.composite
def desires(draw: st.DrawFn) -> Desired:
    kind = draw(st.sampled_from(["cattle", "pets", "managers", "named managers", "service"]))
    role = Role.MANAGER if "managers" in kind else None if kind == "service" else Role.WORKER
    fingerprint, replace_sha = draw(st.sampled_from(HASHES))
    slots, surge, unavailable = draw(_shape(kind))
    size = len(slots) if slots is not None else draw(st.sampled_from([1, 3, 5]) if role else st.integers(0, 5))
    return Desired(
        key=Key(Kind.WORKLOAD if kind == "service" else Kind.GROUP, "k"),
        generation=draw(st.integers(1, 3)),
        size=size,
        fingerprint=fingerprint,
        replace_sha=replace_sha,
        slots=slots,
        max_surge=surge,
        max_unavailable=unavailable,
        in_place=kind == "service",
        role=role,
        formed=draw(st.booleans()),
        removed=draw(st.sampled_from([False, False, False, True])),
        hold=draw(st.sampled_from(["", "", "", "waiting"])),
        hold_removal=draw(st.sampled_from(["", "", "", "workers"])),
        limits=LIMITS,
    )


def _shape(kind: str) -> st.SearchStrategy[tuple[tuple[str, ...] | None, int, int]]:
    """Slots, surge and unavailable: W41, both are never 0, but for managers, whose 0 leaves it to the quorum."""
    if kind == "service":
        return st.just((("service",), 0, 0))
    if kind == "managers":
        return st.tuples(st.none(), st.just(1), st.integers(0, 1))
    names = st.lists(st.sampled_from("abcde"), unique=True, min_size=1, max_size=5).map(tuple)
    if kind == "named managers":
        odd = names.filter(lambda n: len(n) % 2 == 1)
        return st.tuples(odd, st.just(0), st.integers(0, 1))
    if kind == "pets":
        return st.tuples(names, st.just(0), st.integers(1, 2))
    cattle = st.tuples(st.none(), st.integers(0, 3), st.integers(0, 3))
    return cattle.filter(lambda shape: shape[1] + shape[2] > 0)


@st.composite
def members(draw: st.DrawFn, desired: Desired) -> tuple[Member, ...]:
    return tuple(draw(_member(desired, f"m{number}")) for number in range(draw(st.integers(0, 7))))


@st.composite
def _member(draw: st.DrawFn, desired: Desired, name: str) -> Member:
    life = draw(st.sampled_from([Life.RUNNING] * 4 + [life for life in Life if life is not Life.DEAD]))
    health = draw(st.sampled_from([Health.HEALTHY] * 3 + list(Health))) if life is Life.RUNNING else Health.UNKNOWN
    fingerprint, replace_sha = draw(st.sampled_from(HASHES))
    slots = [*(desired.slots or ()), "z"] if desired.slots is not None else [None]
    return Member(
        id=name,
        slot=draw(st.sampled_from(slots)),
        fingerprint=fingerprint,
        replace_sha=replace_sha,
        life=life,
        health=health,
        request=draw(st.sampled_from(["", f"r{name}"])),
        created_s=float(draw(st.integers(0, 3))),
        sick_s=0.0 if health is Health.HEALTHY else draw(st.sampled_from([1.0, 90.0, 600.0])),
        drift=draw(st.sampled_from([(), (), ("images",)])),
        rolled_back=draw(st.booleans()) if desired.in_place else False,
        leader=draw(st.booleans()),
        foreign=draw(st.sampled_from([False] * 6 + [True])),
    )


@st.composite
def ledgers(draw: st.DrawFn, desired: Desired, there: tuple[Member, ...]) -> Ledger:
    """At most one entry for a member; creations of members that were seen, and of some that were not."""
    entries: list[Entry] = []
    for member in there:
        kind = draw(st.sampled_from([None] * 6 + [k for k in ActionKind if k is not ActionKind.CREATE]))
        if kind is not None:
            entries.append(Entry(f"e{member.id}", kind, Reason.SURPLUS, 1, member.slot, member.id))
        elif member.request and draw(st.booleans()):
            entries.append(Entry(member.request, ActionKind.CREATE, Reason.MISSING, 1, member.slot))
    for number in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        slot = draw(st.sampled_from(desired.slots)) if desired.slots else None
        fingerprint, replace_sha = draw(st.sampled_from(HASHES))
        entries.append(Entry(f"c{number}", ActionKind.CREATE, Reason.MISSING, 1, slot, "", fingerprint, replace_sha))
    subjects = [m.id for m in there] + list(desired.slots or ("",))
    failures = draw(st.lists(_failure(subjects), max_size=3, unique_by=lambda f: (f.subject, f.kind)))
    return Ledger(tuple(entries), tuple(failures), draw(st.sampled_from(["", desired.fingerprint])))


@st.composite
def _failure(draw: st.DrawFn, subjects: list[str]) -> Failure:
    retry_s = draw(st.sampled_from([NOW_S - 1, NOW_S + 10]))
    kind = draw(st.sampled_from(list(ActionKind)))
    return Failure(draw(st.sampled_from(subjects)), kind, draw(st.integers(1, 4)), retry_s, "refused")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Desired, Observed, Ledger]:
    desired = draw(desires())
    there = draw(members(desired))
    silent = draw(
        st.sampled_from([frozenset()] * 5 + [frozenset({HEALTH}), frozenset({EVERYTHING}), frozenset({"box"})])
    )
    if HEALTH in silent:
        there = tuple(replace(m, health=Health.UNKNOWN) for m in there)
    return desired, Observed(() if EVERYTHING in silent else there, silent), draw(ledgers(desired, there))


# --- numbered members -------------------------------------------------------------------------------------------------

SOURCES = ("a", "b", "c")
NUMBERS = ("1", "2", "3", "4", "7")


@st.composite
def numbered_desires(draw: st.DrawFn) -> Desired:
    fingerprint, replace_sha = draw(st.sampled_from(HASHES))
    surge = draw(st.integers(0, 2))
    return Desired(
        key=Key(Kind.WORKLOAD, "k"),
        generation=1,
        size=draw(st.integers(0, 6)),
        fingerprint=fingerprint,
        replace_sha=replace_sha,
        max_surge=surge,
        max_unavailable=draw(st.integers(0 if surge else 1, 2)),
        removed=draw(st.sampled_from([False] * 7 + [True])),
        hold=draw(st.sampled_from([""] * 7 + ["waiting"])),
        limits=replace(LIMITS, parallel=5, unhealthy_after_s=0.0, restarts_max=draw(st.sampled_from([0, 3]))),
        numbered=True,
        sources=draw(st.sampled_from([SOURCES, SOURCES[:2], SOURCES[:1]])),
        per_source_max=draw(st.sampled_from([0, 0, 0, 1])),
    )


@st.composite
def numbered_members(draw: st.DrawFn, silent: frozenset[str]) -> tuple[Member, ...]:
    """Those of a silent source as they were last seen: unknown, but for the dead."""
    found = []
    for number in range(draw(st.integers(0, 7))):
        source = draw(st.sampled_from(SOURCES))
        life = draw(st.sampled_from([Life.RUNNING] * 4 + [Life.DEAD] * 3 + [Life.STOPPED]))
        life = Life.UNKNOWN if source in silent and life is not Life.DEAD else life
        health = draw(st.sampled_from([Health.HEALTHY] * 3 + list(Health)))
        fingerprint, replace_sha = draw(st.sampled_from(HASHES[2:] + HASHES[2:] + HASHES))
        found.append(
            Member(
                id=f"m{number}",
                slot=draw(st.sampled_from(NUMBERS)),
                fingerprint=fingerprint,
                replace_sha=replace_sha,
                life=life,
                health=health if life is Life.RUNNING else Health.UNKNOWN,
                source=source,
                request=draw(st.sampled_from(["", f"rm{number}"])),
                created_s=float(draw(st.integers(0, 3))),
                sick_s=draw(st.sampled_from([0.0, 5.0])),
                well_s=draw(st.sampled_from([0.5, 3.0, 90.0])),
            )
        )
    return tuple(found)


@st.composite
def numbered_ledgers(draw: st.DrawFn, desired: Desired, there: tuple[Member, ...]) -> Ledger:
    entries: list[Entry] = []
    for member in there:
        kinds = [ActionKind.DRAIN, ActionKind.DESTROY, ActionKind.START, ActionKind.STOP]
        kind = draw(st.sampled_from([None] * 8 + kinds))
        if kind is not None:
            entries.append(
                Entry(f"e{member.id}", kind, Reason.SURPLUS, 1, member.slot, member.id, source=member.source)
            )
        elif member.request and draw(st.booleans()):
            entries.append(_coming(member.request, member.slot, member.source, desired))
    for number in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        entries.append(_coming(f"c{number}", f"{8 + number}", draw(st.sampled_from(SOURCES)), desired))
    subjects = [*(("", ActionKind.CREATE, "") for _ in range(3))]
    subjects += [(s, ActionKind.CREATE, counted) for s in SOURCES for counted in ("", "c0")]
    subjects += [(n, ActionKind.START, f"m{i}") for i, n in enumerate(NUMBERS) for _ in range(2)]
    subjects += [(m.id, kind, "") for m in there for kind in (ActionKind.DRAIN, ActionKind.STOP, ActionKind.START)]
    failures = draw(st.lists(_numbered_failure(subjects), max_size=4, unique_by=lambda f: (f.subject, f.kind)))
    streak = draw(st.sampled_from([0, 1, 2, 3, 7, 15, 15, 20]))
    return Ledger(tuple(entries), tuple(failures), streak=streak, setbacks=draw(_setbacks()))


def _coming(request: str, slot: str | None, source: str, desired: Desired) -> Entry:
    fingerprint, replace_sha = desired.fingerprint, desired.replace_sha
    return Entry(request, ActionKind.CREATE, Reason.MISSING, 1, slot, "", fingerprint, replace_sha, source=source)


@st.composite
def _setbacks(draw: st.DrawFn) -> tuple[Setbacks, ...]:
    """Those of five are in the way, or not any more (W34)."""
    bad = draw(st.sampled_from([(), (), SOURCES[:1], SOURCES[1:], SOURCES]))
    times = st.sampled_from([(NOW_S - 1,), (NOW_S - 1,) * 5, (NOW_S - 300, *(NOW_S - 1,) * 4)])
    return tuple(Setbacks(source, draw(times)) for source in bad)


@st.composite
def _numbered_failure(draw: st.DrawFn, subjects: list[tuple[str, ActionKind, str]]) -> Failure:
    subject, kind, counted = draw(st.sampled_from(subjects))
    retry_s = draw(st.sampled_from([NOW_S - 1, NOW_S + 10]))
    return Failure(subject, kind, draw(st.integers(1, 4)), retry_s, "refused", counted)


@st.composite
def numbered_worlds(draw: st.DrawFn) -> tuple[Desired, Observed, Ledger]:
    desired = draw(numbered_desires())
    silent = draw(
        st.sampled_from([frozenset()] * 5 + [frozenset({"a"}), frozenset({"a", "b"}), frozenset({EVERYTHING})])
    )
    lost = draw(st.sampled_from([frozenset()] * 4 + [frozenset({"c"})]))
    unlisted = silent & {"a"} if draw(st.integers(0, 3)) == 0 else frozenset()
    there = () if EVERYTHING in silent else draw(numbered_members(silent))
    seen = Observed(tuple(m for m in there if m.source not in lost), silent, unlisted, lost, bool(silent and lost))
    return desired, seen, draw(numbered_ledgers(desired, seen.members))


def any_worlds() -> st.SearchStrategy[tuple[Desired, Observed, Ledger]]:
    """Groups, services and containers."""
    return st.one_of(worlds(), numbered_worlds())
