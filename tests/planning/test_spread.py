"""How evenly a roll of numbered members leaves them on their sources (semantics.md W18, W41)."""

import os
from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from skep.model.plan import REMOVALS, ActionKind
from skep.model.spec import Key, Kind
from skep.model.state import Desired, Health, Ledger, Life, Member, Observed
from skep.planning.planner import plan

EXAMPLES = int(os.environ.get("SKEP_EXAMPLES", "60"))
TURNS_MAX = 400
WEB = Key(Kind.WORKLOAD, "web")


def made(number: int, slot: str | None, source: str, fingerprint: str) -> Member:
    return Member(
        f"m{number}", slot=slot, life=Life.RUNNING, health=Health.HEALTHY, fingerprint=fingerprint, source=source
    )


def rolled(desired: Desired, members: list[Member], rng: Random) -> list[Member]:
    """The members after the roll: some of what is planned is done in each turn, and those that are there grow old."""
    for turn in range(TURNS_MAX):
        todo = plan(desired, Observed(tuple(members)), Ledger(streak=15), 100.0).actions
        if not todo and all(m.well_s > 10.0 for m in members):
            return members
        for number, act in enumerate(todo):
            if rng.random() < 0.3:
                continue
            if act.kind is ActionKind.CREATE:
                members.append(made(1000 * (turn + 1) + number, act.slot, act.source, desired.fingerprint))
            elif act.kind in REMOVALS:
                members = [m for m in members if m.id != act.member]
        members = [replace(m, well_s=m.well_s + rng.choice((0.0, 1.0, 3.0))) for m in members]
    raise AssertionError(f"the roll did not end in {TURNS_MAX} turns")


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    size=st.integers(1, 9),
    engines=st.integers(1, 4),
    surge=st.integers(0, 4),
    unavailable=st.integers(0, 2),
    seed=st.integers(0, 10_000),
    skewed=st.booleans(),
    again=st.booleans(),
)
def test_after_any_roll_the_fullest_source_has_at_most_one_more_than_the_emptiest(
    size: int, engines: int, surge: int, unavailable: int, seed: int, skewed: bool, again: bool
) -> None:
    sources, rng = tuple("abcd"[:engines]), Random(seed)
    desired = Desired(
        WEB,
        2,
        size,
        "new",
        numbered=True,
        sources=sources,
        max_surge=surge,
        max_unavailable=unavailable if surge or unavailable else 1,
    )
    places = [rng.choice(sources) if skewed else sources[n % engines] for n in range(size)]
    members = [replace(made(n, str(n + 1), place, "old"), well_s=60.0) for n, place in enumerate(places)]
    for fingerprint in ("new", "newer") if again else ("new",):
        members = rolled(replace(desired, fingerprint=fingerprint), members, rng)
        count = Counter(m.source for m in members)
        assert sum(count.values()) == size
        assert max(count[s] for s in sources) - min(count[s] for s in sources) <= 1, count
