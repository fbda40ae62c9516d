"""Numbered members that have to be well for a while, and rolls that come no closer (semantics.md W44, W46)."""

from dataclasses import replace

from skep.model.plan import NoteKind
from tests.planning.notation import NUMBERED_LIMITS, cattle, numbered, service
from tests.planning.row import Row

N = NoteKind
LATE = (N.PROGRESS_DEADLINE_EXCEEDED,)
MINUTE = replace(NUMBERED_LIMITS, min_ready_s=90.0)
AT_ONCE = replace(NUMBERED_LIMITS, min_ready_s=0.0)
TIMED = replace(NUMBERED_LIMITS, progress_s=60.0)

READY = [
    Row(
        "an old one waits for as long as was asked for (W44)",
        numbered(1, limits=MINUTE),
        "1=m1~@a 2=m2@a",
        "",
    ),
    Row("or not at all", numbered(1, limits=AT_ONCE), "1=m1~@a 2=m2o@a", "drain m1 Outdated"),
    Row(
        "what is too much goes without waiting",
        numbered(1, limits=MINUTE),
        "1=m1@a 2=m2@a",
        "drain m2 Surplus",
    ),
    Row(
        "those of a revision that was overtaken make up for nothing either (W45)",
        numbered(3, "a", 2),
        "1=m1~@a 2=m2~@a 3=m3~@a 4=m4~o@a 5=m5~o@a",
        "drain m5 Outdated, drain m4 Outdated",
    ),
    Row(
        "while nothing new has proven itself, not even an old one that has not (F11)",
        numbered(2, "a", 1),
        "1=m1~o@a 2=m2~o@a 3=m3o@a",
        "",
    ),
]

LATES = [
    Row(
        "a roll that comes no closer is told (W46)",
        numbered(1, limits=TIMED),
        "1=m1~@a 2=m2.@a",
        "",
        LATE,
        "progress 1 1 1 40",
    ),
    Row("and not before", numbered(1, limits=TIMED), "1=m1~@a 2=m2.@a", "", (), "progress 1 1 1 41"),
    Row("nor once it was there", numbered(1, limits=TIMED), "1=m1.@a", "", (), "progress 1 0 1 0 complete"),
    Row("nor where no deadline is kept", numbered(1), "1=m1.@a", ""),
    Row("a report stops nothing", numbered(2, limits=TIMED), "1=m1@a", "create 2 Missing @a", LATE, "progress 1 0 1 0"),
    Row(
        "services are late too",
        service(limits=TIMED),
        "s=s1.",
        "",
        LATE,
        "progress 0 1 0 0",
        applied="new",
    ),
    Row("machines have none", cattle(1), "m1.", ""),
]

TURNS = [
    Row("the next one counts in a while (W44)", numbered(1, limits=MINUTE), "1=m1@a", "", then="in 30 s"),
    Row("and an old one may leave then", numbered(1, limits=MINUTE), "1=m1~@a 2=m2@a", "", then="in 30 s"),
    Row("the first of several is looked at first", numbered(2, limits=MINUTE), "1=m1o@a 2=m2@a", "", then="in 30 s"),
    Row("all count at once where nothing was asked for", numbered(1), "1=m1o@a", "", then="no turn"),
    Row("but to take the place of an old one", numbered(1), "1=m1~@a 2=m2o@a", "", then="in 1.5 s"),
    Row("it may be late (W46)", numbered(1, limits=TIMED), "1=m1.@a", "", (), "progress 1 0 0 90", then="in 50 s"),
    Row("it is late", numbered(1, limits=TIMED), "1=m1.@a", "", LATE, "progress 1 0 0 0", then="no turn"),
    Row("it was there", numbered(1, limits=TIMED), "1=m1@a", "", (), "progress 1 0 1 90 complete", then="no turn"),
]

READINESS = [*READY, *LATES, *TURNS]
