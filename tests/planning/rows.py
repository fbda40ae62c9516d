"""What the planner answers, row by row: a world in short notation, and the actions and notes it calls for.

The rows are data, so that the mutants of tests/sim can be run against them as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from skep.model.plan import NoteKind, Plan
from skep.model.state import Desired, Ledger, Observed
from tests.planning.notation import (
    NEW,
    OLD,
    action_text,
    cattle,
    ledger,
    manager_cattle,
    managers,
    observed,
    pets,
    service,
)

Planner = Callable[[Desired, Observed, Ledger, float], Plan]
NOW_S = 100.0


@dataclass(frozen=True)
class Row:
    """`expect` and `notes` are separated by commas; `holds` says why in the words of a rule."""

    holds: str
    desired: Desired
    members: str
    expect: str
    notes: tuple[NoteKind, ...] = ()
    under_way: str = ""
    silent: str = ""
    applied: str = ""

    def __str__(self) -> str:
        return self.holds


@dataclass(frozen=True)
class Answer:
    actions: list[str] = field(default_factory=list)
    notes: list[NoteKind] = field(default_factory=list)


def wanted(row: Row) -> Answer:
    return Answer([part.strip() for part in row.expect.split(",") if part.strip()], sorted(set(row.notes)))


def answer(plan: Planner, row: Row) -> Answer:
    made = plan(row.desired, observed(row.members, row.silent), ledger(row.under_way, row.applied), NOW_S)
    return Answer([action_text(a) for a in made.actions], sorted({n.kind for n in made.notes}))


def wrong_rows(plan: Planner) -> Iterator[Row]:
    """Rows that this planner answers otherwise."""
    return (row for row in ROWS if answer(plan, row) != wanted(row))


N = NoteKind
HOLD = "no cluster yet"

CATTLE = [
    Row("an empty group is filled", cattle(3), "", "create Missing, create Missing, create Missing"),
    Row("what is there and under way counts", cattle(3), "m1", "create Missing", under_way="create #r"),
    Row("a creation whose member was seen counts once", cattle(2), "m1+#r", "create Missing", under_way="create #r"),
    Row("nothing is done where all is well", cattle(2), "m1 m2", ""),
    Row("at most ten are made at once (N39)", cattle(12), "", ", ".join(["create Missing"] * 10)),
    Row(
        "those in flight count against the limit",
        cattle(30),
        "",
        "",
        under_way=", ".join(f"create #r{i}" for i in range(10)),
    ),
    Row("the youngest of equals goes (N34)", cattle(2), "m1 m2 m3", "drain m3 Surplus"),
    Row("one drain at a time (N15)", cattle(1), "m1 m2 m3", "drain m3 Surplus"),
    Row("one drain at a time, also under way (N15)", cattle(1), "m1 m2 m3", "", under_way="drain m3"),
    Row(
        "more at a time where the user allows it", cattle(2, 0, 2), "m1 m2 m3 m4", "drain m4 Surplus, drain m3 Surplus"
    ),
    Row("no healthy one goes before a sick one (W18)", cattle(2), "m1 m2! m3", "drain m2 Surplus"),
    Row(
        "a stopped one goes before a pending one, and that before a sick one",
        cattle(2, 0, 2),
        "m1! m2+ m3-",
        "destroy m3 Surplus",
    ),
    Row("a pending one goes before a sick one", cattle(1, 0, 1), "m1! m2+", "drain m2 Surplus"),
    Row(
        "an outdated one goes before a current one of the same health (W19)",
        cattle(2),
        "m1~ m2 m3 m4",
        "drain m1 Surplus",
    ),
    Row("what stopped and is surplus is not started", cattle(1), "m1 m2- m3-", "destroy m3 Surplus"),
    Row("surplus of unknown health stays", cattle(1), "m1. m2.", "", silent="health"),
    Row("surplus that does not run goes even so", cattle(1), "m1. m2-", "destroy m2 Surplus", silent="health"),
    Row("a sick current one goes before a healthy outdated one", cattle(2), "m1~ m2! m3 m4", "drain m2 Surplus"),
    Row("a half-made member of an old spec is overtaken (W45)", cattle(1, 1), "m1 m2~+ m3", "drain m2 Superseded"),
    Row("what nobody answers for is not surplus", cattle(1), "m1 m2?", "", silent="box"),
    Row("a known one is spared for an unknown one", cattle(2), "m1 m2 m3?", "", silent="box"),
    Row("what stopped is started, not replaced", cattle(2), "m1 m2-", "start m2 Stopped"),
    Row("a start is not begun twice", cattle(2), "m1 m2-", "", under_way="start m2"),
    Row("a start that failed waits", cattle(2), "m1 m2-", "", (N.BACKING_OFF,), "failed start m2 1 120"),
    Row(
        "a start that failed is tried again", cattle(2), "m1 m2-", "start m2 Stopped", under_way="failed start m2 2 100"
    ),
    Row(
        "hopeless starts end, and the place is filled",
        cattle(2),
        "m1 m2-",
        "destroy m2 Dead, create Missing",
        under_way="failed start m2 3 90",
    ),
    Row("what is gone leaves the cluster and is replaced", cattle(2), "m1 m2x", "destroy m2 Dead, create Missing"),
    Row("what is gone is cleaned up once", cattle(2), "m1 m2x", "", under_way="destroy m2, create #r"),
    Row(
        "a creation under way on a member that is gone is let finish",
        cattle(1),
        "m1x#r",
        "create Missing",
        under_way="create #r",
    ),
    Row("drift is mended in place", cattle(2), "m1 m2d", "update m2 Drifted"),
    Row("drift of what does not run waits", cattle(2), "m1 m2+d", ""),
    Row("drift under mending is left", cattle(2), "m1 m2d", "", under_way="update m2"),
    Row("drift that could not be mended waits", cattle(2), "m1 m2d", "", (N.BACKING_OFF,), "failed update m2 1 160"),
    Row("a roll begins with the surge (N35)", cattle(3), "m1~ m2~ m3~", "create Outdated"),
    Row("a roll waits for the surge", cattle(3), "m1~ m2~ m3~ m4+", ""),
    Row(
        "a roll goes on with the youngest, and its place is filled",
        cattle(3),
        "m1~ m2~ m3~ m4",
        "drain m3 Outdated, create Outdated",
    ),
    Row("a roll ends without another creation", cattle(3), "m1~ m2 m3 m4", "drain m1 Outdated"),
    Row(
        "the sick of the old go first and cost nothing (W43)",
        cattle(3),
        "m1~ m2~! m3~",
        "drain m2 Outdated, create Missing, create Outdated",
    ),
    Row(
        "of the sick old ones one at a time goes (N15)",
        cattle(3),
        "m1~! m2~! m3~",
        "drain m2 Outdated, create Missing, create Outdated",
    ),
    Row(
        "with a surge of 2 and 1 unavailable (W41, N = 5)",
        cattle(5, 2, 1),
        "m1~ m2~ m3~ m4~ m5~",
        "drain m5 Outdated, create Missing, create Outdated, create Outdated",
    ),
    Row("none is taken while one is missing anyway", cattle(3, 0, 1), "m1~ m2~ m3+", ""),
    Row("without a surge one goes first", cattle(2, 0, 1), "m1~ m2~", "drain m2 Outdated, create Missing"),
    Row(
        "a spec changed in mid-roll makes the half-done old (W45)",
        cattle(3),
        "m1~ m2~ m3~ m4~+",
        "drain m4 Outdated, create Outdated",
    ),
    Row("a spec changed back takes the new one away", cattle(3), "m1 m2 m3 m4~", "drain m4 Outdated"),
    Row("a change that needs no new machine costs none (W39)", cattle(2), "m1^ m2", ""),
    Row("no roll while healths are unknown", cattle(2), "m1~. m2~.", "", (N.SOURCE_SILENT,), silent="health"),
    Row("no roll while a source is silent", cattle(2), "m1~ m2~?", "", (N.SOURCE_SILENT,), silent="box"),
    Row("no roll where nothing can be made", cattle(2, hold=HOLD), "m1~ m2~", "", (N.HELD,)),
    Row("one that stays sick is replaced (N27)", cattle(3), "m1 m2!! m3", "drain m2 Unhealthy, create Missing"),
    Row("one sick for a moment is left", cattle(3), "m1 m2! m3", ""),
    Row("one that never got well is replaced", cattle(3), "m1 m2+!! m3", "drain m2 Unhealthy, create Missing"),
    Row(
        "too many sick: the fault lies elsewhere (N28)",
        cattle(5),
        "m1!! m2!! m3 m4 m5",
        "",
        (N.REMEDIATION_RESTRICTED,),
    ),
    Row(
        "a third may be sick, and goes one at a time (N29)",
        cattle(6),
        "m1!! m2!! m3 m4 m5 m6",
        "drain m1 Unhealthy, create Missing",
    ),
    Row(
        "a second one waits for the first (N29)",
        cattle(6),
        "m1!! m2!! m3 m4 m5 m6",
        "create Missing",
        under_way="drain m2",
    ),
    Row("none is replaced while nobody knows healths", cattle(3), "m1 m2!! m3", "", silent="health"),
    Row("none is replaced where nothing can be made", cattle(3, hold=HOLD), "m1 m2!! m3", ""),
    Row("nothing is done where nothing is known", cattle(3), "", "", (N.SOURCE_SILENT,), silent="everything"),
    Row("unknown is not absent", cattle(3), "m1 m2? m3?", "", silent="box"),
    Row("what is missing besides the unknown is made", cattle(3), "m1 m2?", "create Missing", silent="box"),
    Row("nothing is made in a hold", cattle(3, hold=HOLD), "m1", "", (N.HELD,)),
    Row("refused creations wait", cattle(3), "m1", "", (N.BACKING_OFF,), "failed create any 1 101"),
    Row("after a refusal one is tried (W33)", cattle(3), "m1", "create Missing", under_way="failed create any 4 99"),
    Row(
        "a removed key is emptied, the gone included (W5)",
        cattle(3, removed=True),
        "m1 m2- m3x",
        "destroy m3 Removed, drain m1 Removed, destroy m2 Removed",
    ),
    Row(
        "what is being made for a removed key is let finish",
        cattle(3, removed=True),
        "m1+#r",
        "",
        under_way="create #r, create #s",
    ),
    Row("a removal waits for a hold", cattle(3, removed=True, hold_removal="workers"), "m1 m2", "", (N.HELD,)),
    Row("a refused removal waits", cattle(1), "m1 m2", "", (N.BACKING_OFF,), "failed drain m2 1 130"),
    Row("what is not ours is adopted before anything else", cattle(1), "m1 m2f", "adopt m2 Drifted"),
    Row(
        "an adoption that failed waits, and is no leave to remove",
        cattle(1),
        "m1 m2f!!",
        "",
        (N.BACKING_OFF,),
        "failed adopt m2 1 130",
    ),
]

PETS = [
    Row("each empty slot is filled", pets("abc"), "a=m1", "create b Missing, create c Missing"),
    Row("a slot under way is not filled again", pets("abc"), "a=m1", "create c Missing", under_way="create b #r"),
    Row("a slot stays taken by what is gone (N6)", pets("ab"), "a=m1 b=m2x", "destroy m2 Dead"),
    Row("a slot stays taken by what is leaving", pets("ab"), "a=m1 b=m2", "", under_way="drain m2"),
    Row("of duplicates the healthy one stays (W24)", pets("ab"), "a=m1! a=m2 b=m3", "drain m1 Surplus"),
    Row("of healthy duplicates the current one stays (W24)", pets("ab"), "a=m1~ a=m2 b=m3", "drain m1 Surplus"),
    Row("of equal duplicates the older one stays (W24)", pets("ab"), "a=m1 a=m2 b=m3", "drain m2 Surplus"),
    Row("a duplicate that nobody answers for is kept", pets("a"), "a=m1 a=m2?", "drain m1 Surplus", silent="box"),
    Row(
        "a slot no longer wanted goes, and its place is filled at once",
        pets("abd"),
        "a=m1 b=m2 c=m3",
        "drain m3 Surplus, create d Missing",
    ),
    Row("two slots changed: one after the other", pets("cd"), "a=m1 b=m2", "drain m2 Surplus, create c Missing"),
    Row("a slot no longer wanted stays while another is missing", pets("abd"), "a=m1 b=m2! c=m3 d=m4+", ""),
    Row("a group that shrinks loses the slot that was taken away", pets("ab"), "a=m1 b=m2 c=m3", "drain m3 Surplus"),
    Row("a roll without surge takes one and fills its slot later", pets("ab"), "a=m1~ b=m2~", "drain m2 Outdated"),
    Row("a roll waits until the slot is filled", pets("ab"), "a=m1~ b=m2+", ""),
    Row("a slot that was emptied is filled with the new spec", pets("ab"), "a=m1~", "create b Missing"),
    Row(
        "refused slots wait, others do not",
        pets("ab"),
        "",
        "create b Missing",
        (N.BACKING_OFF,),
        "failed create a 2 140",
    ),
    Row(
        "hopeless starts of a pet end, and the slot is filled when it is empty",
        pets("ab"),
        "a=m1 b=m2-",
        "destroy m2 Dead",
        under_way="failed start m2 3 90",
    ),
]

MANAGERS = [
    Row(
        "the first manager of a formed cluster is one creation",
        managers("abc"),
        "",
        "create a Missing",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row(
        "before the cluster is formed all may be made",
        managers("abc", formed=False),
        "",
        "create a Missing, create b Missing, create c Missing",
    ),
    Row(
        "one joins at a time, and only to managers that all answer (N2, N3)",
        managers("abc"),
        "a=m1",
        "create b Missing",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row("none joins while one is joining (N2)", managers("abc"), "a=m1 b=m2+", "", (N.WAITING_FOR_QUORUM,)),
    Row(
        "none joins while a change is under way (N2)",
        managers("abc"),
        "a=m1 b=m2",
        "",
        (N.WAITING_FOR_QUORUM,),
        "drain m9",
    ),
    Row("what is dead leaves before its successor joins (N6)", managers("abc"), "a=m1 b=m2 c=m3x", "destroy m3 Dead"),
    Row(
        "no successor joins beside the dead (N6)",
        managers("abcde"),
        "a=m1 b=m2 c=m3 d=m4x",
        "destroy m4 Dead",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row(
        "the dead stay where their removal would cost the majority (4.1)",
        managers("abc"),
        "a=m1 b=m2x c=m3x",
        "",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row(
        "a stopped manager is started, however often that failed",
        managers("abc"),
        "a=m1 b=m2 c=m3-",
        "start m3 Stopped",
        under_way="failed start m3 9 90",
    ),
    Row(
        "all stopped managers are started at once: no membership changes",
        managers("abc"),
        "a=m1- b=m2- c=m3",
        "start m1 Stopped, start m2 Stopped",
    ),
    Row(
        "stopped surplus is started where its vote is needed",
        managers("a"),
        "a=m1 b=m2- c=m3-",
        "start m2 Stopped, start m3 Stopped",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row(
        "a sick manager leaves while the others are a majority (N30)",
        managers("abc"),
        "a=m1 b=m2!! c=m3",
        "drain m2 Unhealthy",
    ),
    Row(
        "a sick manager stays when another does not answer",
        managers("abc"),
        "a=m1 b=m2!! c=m3!",
        "",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row("the only manager is never given up (N30)", managers("a"), "a=m1!!", "", (N.WAITING_FOR_QUORUM,)),
    Row("the only manager that is gone is not removed either", managers("a"), "a=m1x", "", (N.WAITING_FOR_QUORUM,)),
    Row("the only manager is not rolled", managers("a"), "a=m1*~", "", (N.ROLL_REFUSED,)),
    Row("the only manager is not exchanged for another name", managers("b"), "a=m1*", "", (N.WAITING_FOR_QUORUM,)),
    Row(
        "three named managers can't be rolled: no spare (N4)",
        managers("abc"),
        "a=m1* b=m2~ c=m3",
        "",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row(
        "three named managers are rolled where the user takes the risk (N4)",
        managers("abc", 1),
        "a=m1* b=m2~ c=m3",
        "drain m2 Outdated",
    ),
    Row(
        "five named managers are rolled one at a time, the leader last (N7, N8)",
        managers("abcde"),
        "a=m1~ b=m2~ c=m3~ d=m4~ e=m5*~",
        "drain m4 Outdated",
        (),
    ),
    Row(
        "a roll of managers waits for the successor (N3)",
        managers("abcde"),
        "a=m1~ b=m2~ c=m3~ e=m5*~",
        "create d Missing",
        (),
    ),
    Row("managers without names are rolled by adding first (N7)", manager_cattle(3), "m1*~ m2~ m3~", "create Outdated"),
    Row(
        "then one old one leaves, the leader last (N8)",
        manager_cattle(3),
        "m1~ m2~ m3*~ m4",
        "drain m2 Outdated",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row(
        "no roll of managers while one does not answer (N3)",
        manager_cattle(3),
        "m1*~ m2~! m3~ m4",
        "drain m2 Outdated",
        (N.WAITING_FOR_QUORUM,),
    ),
    Row("5 to 3: the first leaves", manager_cattle(3), "m1* m2 m3 m4 m5", "drain m5 Surplus"),
    Row("3 to 1: two are left on the way (N4)", manager_cattle(1), "m1* m2 m3", "drain m3 Surplus"),
    Row(
        "above the only manager there is no surge", manager_cattle(1), "m1~ m2~*", "drain m1 Surplus", (N.ROLL_REFUSED,)
    ),
    Row("3 to 1: and then one", manager_cattle(1), "m1 m2*", "drain m1 Surplus"),
    Row(
        "no manager goes as surplus while another does not answer (N3)",
        manager_cattle(3),
        "m1 m2 m3 m4? m5",
        "",
        (N.WAITING_FOR_QUORUM,),
        silent="box",
    ),
    Row(
        "nothing is changed while nobody knows who answers",
        managers("abc"),
        "a=m1. b=m2. d=m3.",
        "",
        (),
        silent="health",
    ),
    Row(
        "a removed manager group ends altogether (N16)",
        managers("abc", removed=True),
        "a=m1 b=m2 c=m3",
        "drain m1 Removed, drain m2 Removed, drain m3 Removed",
    ),
]

SERVICES = [
    Row("a service is created", service(), "", "create s Missing"),
    Row("an outdated service is updated, not replaced", service(), "s=s1~", "update s1 Outdated"),
    Row("an update is not begun twice", service(), "s=s1~", "", under_way="update s1"),
    Row("a refused update waits", service(), "s=s1~", "", (N.BACKING_OFF,), "failed update s1 1 140"),
    Row("a service whose tasks do not run yet is left", service(), "s=s1!!", ""),
    Row(
        "a revision that the cluster undid is not applied again",
        service(),
        "s=s1~u",
        "",
        (N.REVISION_FAILED,),
        applied=NEW,
    ),
    Row(
        "a revision that the cluster paused has failed too", service(), "s=s1!u", "", (N.REVISION_FAILED,), applied=NEW
    ),
    Row("the next revision is applied", service(), "s=s1~u", "update s1 Outdated", applied=OLD),
    Row("a service of an unknown health is updated", service(), "s=s1~.", "update s1 Outdated", silent="health"),
    Row("a second service of the name goes", service(), "s=s1 s=s2", "drain s2 Surplus"),
    Row("a removed service goes", service(removed=True), "s=s1", "drain s1 Removed"),
    Row("a service is not touched while its spec can't be rendered", service(hold=HOLD), "s=s1~", "", (N.HELD,)),
    Row("a service waits for its cluster", service(hold=HOLD), "", "", (N.HELD,)),
]

ROWS = [*CATTLE, *PETS, *MANAGERS, *SERVICES]
