"""Roll-outs that stand still (semantics.md W49): what fails and what is missing follows the template from before."""

from skep.model.plan import NoteKind
from tests.planning.notation import cattle, managers, numbered, pets, service
from tests.planning.row import Row

N = NoteKind
BY = {"paused": "by ann: to look"}
LATE = {**BY, "withheld": True}

PAUSES = [
    Row("a pause of what is as wanted is no matter", cattle(2, **BY), "m1 m2", ""),
    Row("what waits for its end is told", cattle(2, **LATE), "m1 m2", "", (N.PAUSED,)),
    Row("nobody is rolled while it is paused", cattle(2, **BY), "m1~ m2~", "", (N.PAUSED,)),
    Row("nor those that do not serve", cattle(2, **BY), "m1~! m2", "", (N.PAUSED,)),
    Row("what is missing is made while it is paused", cattle(3, **LATE), "m1 m2", "create Missing", (N.PAUSED,)),
    Row(
        "what is too much goes, that of the roll first",
        cattle(1, 0, 1, **BY),
        "m1~ m2",
        "drain m1 Surplus",
        (N.PAUSED,),
    ),
    Row("the surge of a roll stays while it is paused", cattle(2, **BY), "m1~ m2 m3", "", (N.PAUSED,)),
    Row(
        "the sick are replaced while it is paused",
        cattle(3, **LATE),
        "m1 m2 m3!!",
        "drain m3 Unhealthy, create Missing",
        (N.PAUSED,),
    ),
    Row("what stopped is started, whatever it follows", cattle(2, **BY), "m1~- m2", "start m1 Stopped", (N.PAUSED,)),
    Row("pets are not rolled while it is paused", pets("ab", **BY), "a=m1~ b=m2", "", (N.PAUSED,)),
    Row("and fill their slots", pets("ab", **LATE), "a=m1", "create b Missing", (N.PAUSED,)),
    Row(
        "managers are not rolled while it is paused",
        managers("abcde", **BY),
        "a=m1~ b=m2 c=m3 d=m4 e=m5",
        "",
        (N.PAUSED,),
    ),
    Row("a removed key goes, paused or not", cattle(0, removed=True, **BY), "m1~", "drain m1 Removed"),
    Row("no container is rolled while it is paused", numbered(2, **BY), "1=m1~@a 2=m2~@a", "", (N.PAUSED,)),
    Row(
        "one that ended is made anew while it is paused",
        numbered(3, **BY),
        "1=m1@a 2=m2%@a 3=m3~@a",
        "create 2 Missing @a",
        (N.PAUSED,),
    ),
    Row("and one that is missing, too", numbered(2, **LATE), "1=m1@a", "create 2 Missing @a", (N.PAUSED,)),
    Row(
        "the unhealthy are stopped while it is paused",
        numbered(2, **LATE),
        "1=m1@a 2=m2!@a",
        "stop m2 Unhealthy",
        (N.PAUSED,),
    ),
    Row(
        "what was made for the roll and never ran goes",
        numbered(2, **BY),
        "1=m1@a 2=m2@a 3=m3~-@a",
        "destroy m3 Superseded",
        (N.PAUSED,),
    ),
    Row("a paused service gets another count", service(**BY), "s=s1~", "update s1 Outdated"),
    Row("and its newer template waits", service(**LATE), "s=s1", "", (N.PAUSED,)),
    Row("what was changed by hand of it is set right", service(**LATE), "s=s1d", "update s1 Drifted", (N.PAUSED,)),
]
