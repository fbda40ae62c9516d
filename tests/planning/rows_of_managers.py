"""Managers, whose majority is never risked, and services, which are changed in place."""

from skep.model.plan import NoteKind
from tests.planning.notation import NEW, OLD, manager_cattle, managers, service
from tests.planning.row import Row

N = NoteKind
HOLD = "no cluster yet"

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
        (N.ROLL_REFUSED,),
    ),
    Row(
        "nor can one of three give its place to another name: no spare (N4)",
        managers("abd"),
        "a=m1* b=m2 c=m3",
        "",
        (N.ROLL_REFUSED,),
    ),
    Row("while one does not answer, that is in the way and no refusal (N3)", managers("abc"), "a=m1* b=m2~ c=m3!", ""),
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
        "one that is silent holds up all surplus (N3)",
        manager_cattle(5),
        "m1* m2 m3 m4 m5 m6 m7?",
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
    Row("a new generation of a paused revision is tried again", service(), "s=s1!u", "update s1 Outdated"),
    Row("the next revision is applied", service(), "s=s1~u", "update s1 Outdated", applied=OLD),
    Row("a service of an unknown health is updated", service(), "s=s1~.", "update s1 Outdated", silent="health"),
    Row("a second service of the name goes", service(), "s=s1 s=s2", "drain s2 Surplus"),
    Row("a removed service goes", service(removed=True), "s=s1", "drain s1 Removed"),
    Row("a service is not touched while its spec can't be rendered", service(hold=HOLD), "s=s1~", "", (N.HELD,)),
    Row("a service waits for its cluster", service(hold=HOLD), "", "", (N.HELD,)),
]
