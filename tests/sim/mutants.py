"""The planner, broken on purpose: each mutant replaces one snippet of its source. A survivor names a missing promise.

A mutant is a whole second copy of skep.planning under a name of its own, so that nothing is patched in the real one.
"""

import importlib.util
import itertools
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import skep.planning
from tests.sim.planner_world import Planner

ORDER = (
    "backoff",
    "quorum",
    "census",
    "settled",
    "pace",
    "setbacks",
    "placement",
    "ends",
    "restarts",
    "managers",
    "draft",
    "victims",
    "slots",
    "rollout",
    "remedy",
    "recheck",
    "planner",
)
"""Each imports only what stands before it."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Mutant:
    """`old` must occur exactly once in `module`; `breaks` is the promise in words.

    `numbered`: it is a promise about containers, and the simulation of engines is asked.
    """

    breaks: str
    module: str
    old: str
    new: str
    numbered: bool = False

    def __str__(self) -> str:
        return self.breaks


class LostSnippetError(AssertionError):
    """The source has moved on: the mutant has to be written again, or is not needed any more."""


def planner_of(mutant: Mutant) -> Planner:
    """The `plan` function of a copy of the planner in which the snippet is replaced."""
    package = f"mutant_planning_{next(_numbers)}"
    root = types.ModuleType(package)
    root.__path__ = []
    sys.modules[package] = root
    for name in ORDER:
        setattr(root, name, _load(package, name, mutant))
    planner: Planner = root.planner.plan
    return planner


def _load(package: str, name: str, mutant: Mutant) -> types.ModuleType:
    source = _source(name)
    if name == mutant.module:
        if source.count(mutant.old) != 1:
            raise LostSnippetError(f"{mutant}: {mutant.old!r} occurs {source.count(mutant.old)} times in {name}.py")
        source = source.replace(mutant.old, mutant.new)
    module = types.ModuleType(f"{package}.{name}")
    sys.modules[module.__name__] = module
    exec(compile(source.replace("skep.planning", package), f"{package}/{name}.py", "exec"), module.__dict__)
    return module


def _source(name: str) -> str:
    spec = importlib.util.find_spec(f"{skep.planning.__name__}.{name}")
    if spec is None or spec.origin is None:
        raise LostSnippetError(f"there is no module {name}")
    return Path(spec.origin).read_text(encoding="utf-8")


def forget() -> None:
    """Remove all mutants from the modules that are loaded."""
    for name in [n for n in sys.modules if n.startswith("mutant_planning_")]:
        del sys.modules[name]


OF_GROUPS = (
    # counting
    Mutant(
        "creations in flight are not counted",
        "draft",
        "len(census.staying) + len(census.creating)",
        "len(census.staying)",
    ),
    Mutant(
        "unknown is taken for absent",
        "census",
        "staying=tuple(m for m in others if m.life not in ENDED)",
        "staying=tuple(m for m in others if m.life not in (*ENDED, Life.UNKNOWN))",
    ),
    Mutant("silence is taken for emptiness", "planner", "if EVERYTHING in observed.silent:", "if False:"),
    Mutant(
        "what is gone is never cleaned up",
        "planner",
        "_NAMED_OR_ALIKE: Sequence[Step] = (\n    _clean_up,\n",
        "_NAMED_OR_ALIKE: Sequence[Step] = (\n",
    ),
    Mutant("nothing is ever filled", "planner", "    _fill_missing,\n", ""),
    Mutant(
        "surplus stays", "planner", "    _remove_surplus,\n    remedy.start_stopped,\n", "    remedy.start_stopped,\n"
    ),
    Mutant(
        "pets are filled although their slot is taken",
        "planner",
        "(*census.staying, *census.leaving, *census.gone)",
        "()",
    ),
    Mutant("creations in flight are forgotten per slot", "planner", "| {e.slot for e in census.creating}", "| set()"),
    Mutant(
        "members are taken in the order in which they were listed",
        "census",
        "sorted(observed.members, key=lambda m: m.id)",
        "list(observed.members)",
    ),
    # victims
    Mutant(
        "the healthy go first",
        "census",
        "        member.health is Health.HEALTHY,\n",
        "        member.health is not Health.HEALTHY,\n",
    ),
    Mutant(
        "outdated ones go first whatever their health",
        "census",
        "    return (\n        LIVES_BY_WORTH[member.life],\n",
        "    return (\n        is_current(desired, member),\n        LIVES_BY_WORTH[member.life],\n",
    ),
    Mutant("the oldest of equals go first", "census", "        -member.created_s,\n", "        member.created_s,\n"),
    Mutant("the leader goes first", "census", "        member.leader,\n", "        not member.leader,\n"),
    Mutant("of duplicates the sick one is kept", "census", "-2 * member.healthy", "2 * member.healthy"),
    Mutant(
        "surplus of unknown health is removed",
        "planner",
        "if member.life is Life.RUNNING and not health_known(draft.census.observed):",
        "if False:",
    ),
    Mutant(
        "surplus is removed below the floor",
        "planner",
        "return rollout.may_leave(draft, member)",
        "return True",
    ),
    # rolls
    Mutant(
        "the surge has no limit",
        "rollout",
        "room = desired.size + desired.max_surge - draft.total",
        "room = desired.size",
    ),
    Mutant(
        "the surge is not used",
        "rollout",
        "room = desired.size + desired.max_surge - draft.total",
        "room = desired.size - draft.total",
    ),
    Mutant(
        "a roll takes the healthy without sparing",
        "rollout",
        "may_leave(draft, member):",
        "True:",
    ),
    Mutant("a roll removes all at once", "rollout", "limit=drains(desired)", "limit=100"),
    Mutant(
        "only the fingerprint is compared",
        "census",
        "return bool(member.replace_sha) and member.replace_sha == desired.replace_sha",
        "return False",
    ),
    Mutant("a roll goes on while healths are unknown", "rollout", "elif not _is_known(draft):", "elif False:"),
    Mutant("the surge outlives the roll", "planner", "min(surge, outdated)", "surge"),
    Mutant(
        "the only manager is rolled",
        "rollout",
        "return desired.role is Role.MANAGER and desired.formed and desired.size == 1",
        "return False",
    ),
    Mutant("a pause is ignored", "rollout", " or desired.paused:", ":"),
    Mutant(
        "nobody is told of a pause",
        "rollout",
        "if desired.paused and (waits or desired.given_up):",
        "if False:",
    ),
    # starts and remedies
    Mutant("nothing is started", "planner", "    remedy.start_stopped,\n", ""),
    Mutant(
        "a hopeless start is tried for ever", "remedy", "failure.count >= census.desired.limits.start_attempts", "False"
    ),
    Mutant(
        "managers are given up like workers",
        "remedy",
        "return not _votes(census.desired) and failure",
        "return failure",
    ),
    Mutant("surplus is started first", "remedy", "return member.id in draft.unwanted and", "return False and"),
    Mutant("the sick are never replaced", "planner", "    remedy.replace_sick,\n", ""),
    Mutant("the sick are replaced at once", "remedy", "member.sick_s >= _patience_s(desired, member)", "True"),
    Mutant(
        "all sick are replaced together",
        "remedy",
        "draft.remove(member, Reason.UNHEALTHY, limit=1)",
        "draft.remove(member, Reason.UNHEALTHY, limit=99)",
    ),
    Mutant("there is no brake", "remedy", "return max(1, desired.size // 3)", "return 99"),
    # back-off, holds, what is under way
    Mutant("back-off is ignored", "draft", "failure is None or failure.retry_s <= self.now_s", "True"),
    Mutant(
        "after a refusal all are tried again",
        "draft",
        "            limit = 1 - self.census.creations\n",
        "            pass\n",
    ),
    Mutant(
        "creations have no limit",
        "draft",
        "if failure or self.creations >= limit:",
        "if failure:",
    ),
    Mutant("what is under way on a member is ignored", "census", "return frozenset(acted_on | ", "return frozenset("),
    Mutant("what is being created is acted on", "census", "if m.request in requests})", "if False})"),
    Mutant(
        "removals under way are forgotten",
        "census",
        "leaving_ids = {e.member for e in ledger.entries if e.kind in REMOVALS}",
        "leaving_ids: set[str] = set()",
    ),
    Mutant("a hold is ignored", "planner", "if empty and desired.hold:", "if False:"),
    Mutant(
        "a removed key is refilled",
        "planner",
        "    if desired.removed:\n        return _REMOVED_NUMBERED if desired.numbered else (_remove_all,)\n",
        "",
    ),
    Mutant("what is not ours is removed", "draft", "if not_ours or unheard", "if unheard"),
    Mutant(
        "an undone revision is applied again and again",
        "planner",
        "return census.desired.in_place and member.rolled_back and",
        "return False and",
    ),
    # managers
    Mutant(
        "two changes to the managers at once", "managers", 'return "another manager change is under way"  # N2', "pass"
    ),
    Mutant(
        "N6 reversed: a successor joins beside the dead",
        "managers",
        "missing = [m.id for m in members if not m.healthy]",
        "missing: list[str] = []",
    ),
    Mutant("no spare is kept", "quorum", "spare = 0 if target == 1 or overridden else 1", "spare = 0"),
    Mutant(
        "a voluntary change while one does not answer", "quorum", "if rest < 1 or reachable < members:", "if rest < 1:"
    ),
    Mutant(
        "the dead are removed without a majority",
        "quorum",
        "return reachable_others >= majority(members - 1)",
        "return True",
    ),
    Mutant("the own machine goes", "draft", "if is_kept(self.census.desired, member) and", "if False and"),
    Mutant("half is a majority", "quorum", "return members // 2 + 1", "return members // 2"),
    Mutant("managers are treated as workers", "managers", "desired.role is not Role.MANAGER or", "True or"),
)
