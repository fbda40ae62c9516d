"""Numbered members: containers on plain Engines."""

from dataclasses import replace

from skep.model.plan import NoteKind
from tests.planning.notation import NUMBERED_LIMITS, numbered
from tests.planning.row import Row

N = NoteKind
ENDED = "failed start 2 1 90 m2"
FULL = "streak 7"

PACE = [
    Row("the first numbered member is made alone (W9)", numbered(10), "", "create 1 Missing @a"),
    Row("not another one while it is being made (W9)", numbered(10), "", "", under_way="create 1 @a #r"),
    Row(
        "after one that went well, two (W9)",
        numbered(10),
        "1=m1@a",
        "create 2 Missing @a, create 3 Missing @a",
        under_way="streak 1",
    ),
    Row(
        "a batch ends before the next one begins (W10)",
        numbered(10),
        "1=m1@a 2=m2@a",
        "",
        under_way="create 3 @a #r, streak 2",
    ),
    Row(
        "after three, four (W9)",
        numbered(10),
        "1=m1@a 2=m2@a 3=m3@a",
        "create 4 Missing @a, create 5 Missing @a, create 6 Missing @a, create 7 Missing @a",
        under_way="streak 3",
    ),
    Row(
        "after seven, all that are left, also beside others",
        numbered(12, limits=replace(NUMBERED_LIMITS, parallel=5)),
        " ".join(f"{n}=m{n}@a" for n in range(1, 8)),
        "create 9 Missing @a, create 10 Missing @a, create 11 Missing @a, create 12 Missing @a",
        under_way=f"create 8 @a #r, {FULL}",
    ),
    Row(
        "after a refusal the whole key waits (W10, F5)",
        numbered(3),
        "1=m1@a",
        "",
        (N.BACKING_OFF,),
        "failed create any 1 101, failed create a 1 110",
    ),
    Row(
        "and then one is tried, whatever went well before (W33)",
        numbered(9),
        "1=m1@a",
        "create 2 Missing @a",
        under_way=f"failed create any 1 100, failed create a 1 110, {FULL}",
    ),
    Row(
        "one at a time after a refusal (W33)",
        numbered(9),
        "1=m1@a",
        "",
        under_way=f"create 2 @a #r, failed create any 1 100, {FULL}",
    ),
    Row(
        "while one source leaves a creation without an answer, others go on (W26)",
        numbered(4, "ab"),
        "1=m1@b",
        "create 3 Missing @b",
        under_way="create 2 @a #r, failed create a 1 101 r",
    ),
    Row(
        "nothing more is asked of a source that leaves a creation without an answer",
        numbered(4),
        "1=m1@a",
        "",
        (N.SOURCE_SILENT,),
        "create 2 @a #r, failed create a 1 90 r",
    ),
]

PLACES = [
    Row("a member is made where the fewest are (N36)", numbered(3, "ab"), "1=m1@a 2=m2@b 7=m3@b", "", ()),
    Row("of equal places the first", numbered(3, "ab"), "1=m1@a 2=m2@b", "create 3 Missing @a"),
    Row(
        "what is drafted counts as well",
        numbered(5, "abc"),
        "1=m1@a",
        "create 2 Missing @b, create 3 Missing @c, create 4 Missing @a, create 5 Missing @b",
        under_way="streak 3",
    ),
    Row(
        "what is under way counts as well",
        numbered(4, "ab"),
        "1=m1@a",
        "create 3 Missing @b, create 4 Missing @b",
        under_way=f"create 2 @a #r, {FULL}",
    ),
    Row("nothing is made on a silent source", numbered(3, "ab"), "1=m1@b 2=m2@b", "create 3 Missing @b", silent="a"),
    Row("nothing is made on a lost source (W35)", numbered(2, "ab"), "1=m1@b", "create 2 Missing @b", silent="lost:a"),
    Row("where all are lost nothing is made", numbered(1), "", "", (N.UNPLACEABLE,), silent="lost:a"),
    Row("where all are silent nothing is made", numbered(1), "", "", (N.SOURCE_SILENT,), silent="a"),
    Row(
        "one that refused a moment ago comes last (W34)",
        numbered(3, "ab"),
        "1=m1@b 2=m2@b",
        "create 3 Missing @b",
        under_way="failed create a 1 110",
    ),
    Row(
        "and is tried again at its time",
        numbered(3, "ab"),
        "1=m1@b 2=m2@b",
        "create 3 Missing @a",
        under_way="failed create a 1 100",
    ),
    Row(
        "a published port is taken once on a source",
        numbered(3, "ab", per_source_max=1),
        "1=m1@a",
        "create 2 Missing @b",
        (N.UNPLACEABLE,),
        FULL,
    ),
    Row(
        "and until its holder is gone",
        numbered(1, "a", 0, 1, per_source_max=1),
        "1=m1~@a",
        "",
        under_way=f"drain m1, {FULL}",
    ),
    Row(
        "also where there is room for a surge",
        numbered(2, "ab", surge=1, per_source_max=1),
        "1=m1@a 2=m2@b",
        "",
        under_way=f"drain m1, {FULL}",
    ),
    Row(
        "what never answered may hold anything that is missed",
        numbered(3, "ab"),
        "1=m1@a 2=m2%@a",
        "",
        (N.SOURCE_SILENT,),
        ENDED,
        silent="unlisted:b",
    ),
    Row(
        "the unknown count as there until their source is lost (W35)",
        numbered(2, "ab"),
        "1=m1@a 2=m2?@b",
        "",
        (),
        "",
        "b",
    ),
    Row(
        "a partition is told, and nobody is replaced for it (W36)",
        numbered(2, "ab"),
        "1=m1?@a 2=m2?@b",
        "",
        (N.PARTITION_SUSPECTED,),
        silent="a b partitioned",
    ),
    Row(
        "what is not where it may be is moved as in a roll (W39)",
        numbered(1, "a"),
        "1=m1@b",
        "create 2 Outdated @a",
    ),
]

ENDS = [
    Row(
        "one that ended is made anew in its slot (F1)",
        numbered(3),
        "1=m1@a 2=m2%@a 3=m3@a",
        "create 2 Missing @a",
        (),
        ENDED,
    ),
    Row(
        "slots that ended come before free numbers",
        numbered(3),
        "5=m1@a 4=m2%@a 3=m3%@a",
        "create 3 Missing @a, create 4 Missing @a",
        under_way="streak 1",
    ),
    Row(
        "one that ends again and again waits (W30)",
        numbered(3),
        "1=m1@a 2=m2%@a 3=m3@a",
        "",
        (N.CRASH_LOOPING,),
        "failed start 2 2 110 m2",
    ),
    Row(
        "and no other number is made in its stead",
        numbered(4),
        "1=m1@a 2=m2%@a 3=m3@a",
        "create 4 Missing @a",
        (N.CRASH_LOOPING,),
        f"failed start 2 2 110 m2, {FULL}",
    ),
    Row(
        "until its time has come",
        numbered(3),
        "1=m1@a 2=m2%@a 3=m3@a",
        "create 2 Missing @a",
        (N.CRASH_LOOPING,),
        "failed start 2 4 100 m2",
    ),
    Row(
        "one that ended too often is left alone (W38)",
        numbered(3),
        "1=m1@a 2=m2%@a 3=m3@a",
        "",
        (N.RETRIES_EXHAUSTED,),
        "failed start 2 5 90 m2",
    ),
    Row(
        "that it loops is told while it runs, too",
        numbered(1),
        "1=m1@a",
        "",
        (N.CRASH_LOOPING,),
        "failed start 1 3 90 m9",
    ),
    Row(
        "of the dead the last of each slot is kept",
        numbered(2),
        "1=m1%@a 1=m2%@a 1=m3@a 2=m4@a",
        "destroy m1 Dead",
    ),
    Row("the dead of slots that nobody wants go", numbered(1), "1=m1@a 2=m2%@a", "destroy m2 Dead"),
    Row("a dead one that waits to be followed stays", numbered(2), "1=m1@a 2=m2%@a", "create 2 Missing @a"),
    Row("a dead one stays where its follower is being made", numbered(1), "1=m1%@a", "", under_way="create 1 @a #r"),
    Row("a dead one on a silent source is left", numbered(1, "ab"), "1=m1@a 2=m2%@b", "", silent="b"),
    Row("the unhealthy are stopped, and kept for their logs (W37)", numbered(2), "1=m1@a 2=m2!@a", "stop m2 Unhealthy"),
    Row(
        "all of them at once: there is no brake",
        numbered(3),
        "1=m1!@a 2=m2!@a 3=m3!@a",
        "stop m1 Unhealthy, stop m2 Unhealthy, stop m3 Unhealthy",
    ),
    Row("a stop is not begun twice", numbered(1), "1=m1!@a", "", under_way="stop m1"),
    Row("what only starts is not stopped", numbered(1), "1=m1.@a", ""),
    Row("what was made and not started is started (W28)", numbered(1), "1=m1-@a", "start m1 Stopped"),
    Row(
        "what could not be started ends and is made anew at its time",
        numbered(1),
        "1=m1-@a",
        "destroy m1 Dead",
        (),
        "failed start 1 1 110 m1",
    ),
    Row(
        "nor before it is gone altogether",
        numbered(1),
        "1=m1-@a",
        "",
        under_way="failed start 1 1 90 m1, destroy m1",
    ),
    Row(
        "nor is another number made meanwhile",
        numbered(1),
        "1=m1-@a",
        "",
        (N.CRASH_LOOPING,),
        "failed start 1 2 110 m1, destroy m1",
    ),
    Row(
        "what was made for an older spec is not started",
        numbered(1),
        "1=m1~-@a",
        "destroy m1 Superseded, create 2 Missing @a",
    ),
    Row(
        "a removed key loses its dead as well (W5)",
        numbered(0, removed=True),
        "1=m1@a 2=m2%@a",
        "destroy m2 Removed, drain m1 Removed",
    ),
]

VICTIMS = [
    Row(
        "all that are too many go at once (W12)",
        numbered(1, unavailable=0),
        "1=m1@a 2=m2@a 3=m3@a",
        "drain m3 Surplus, drain m2 Surplus",
    ),
    Row("of the fullest source first (3.4)", numbered(2, "ab"), "1=m1@a 2=m2@a 3=m3@b", "drain m2 Surplus"),
    Row(
        "and so that the spread is kept all the way",
        numbered(3, "ab"),
        "1=m1@a 2=m2@a 3=m3@a 4=m4@b 5=m5@b 6=m6@b",
        "drain m6 Surplus, drain m3 Surplus, drain m5 Surplus",
    ),
    Row("the only just well go before the proven (3.4)", numbered(1), "1=m1o@a 2=m2@a", "drain m1 Surplus"),
    Row(
        "those that ended often go before others (3.4)",
        numbered(1),
        "1=m1@a 2=m2@a",
        "drain m1 Surplus",
        under_way="failed start 1 1 90 m9",
    ),
    Row("a duplicate goes before others (W24)", numbered(2), "1=m1@a 1=m2@a 2=m3@a", "drain m2 Surplus"),
    Row("of duplicates the healthy is kept (W24)", numbered(1), "1=m1.@a 1=m2@a", "drain m1 Surplus"),
    Row(
        "of duplicates the current is kept (W24, F10)",
        numbered(1, surge=0, unavailable=1),
        "1=m1~@a 1=m2@a",
        "drain m1 Surplus",
    ),
    Row("duplicates that are not too many stay", numbered(2), "1=m1@a 1=m2@a", ""),
    Row("no healthy one goes before a sick one (W18), numbered", numbered(1), "1=m1@a 2=m2.@a", "drain m2 Surplus"),
]

ROLLS = [
    Row(
        "the new come first where nothing may be missing (W41)", numbered(2), "1=m1~@a 2=m2~@a", "create 3 Outdated @a"
    ),
    Row("an old one waits until the new one has proven itself (W44)", numbered(1), "1=m1~@a 2=m2o@a", ""),
    Row("and leaves then", numbered(1), "1=m1~@a 2=m2@a", "drain m1 Outdated"),
    Row(
        "what may be missing goes at once (W41)",
        numbered(4, surge=1, unavailable=1),
        "1=m1~@a 2=m2~@a 3=m3~@a 4=m4~@a",
        "drain m4 Outdated, create 5 Missing @a",
    ),
    Row(
        "number and surge together are never exceeded, those on their way out included (W42)",
        numbered(4, surge=1, unavailable=1),
        "1=m1~@a 2=m2~@a 3=m3~@a 4=m4~@a",
        "drain m4 Outdated, create 5 Missing @a",
        under_way=FULL,
    ),
    Row(
        "old ones that serve nobody go at once",
        numbered(2),
        "1=m1~@a 2=m2~.@a",
        "drain m2 Outdated, create 3 Missing @a",
    ),
    Row(
        "a new one that ends again and again takes no second place (W33)",
        numbered(2),
        "1=m1~@a 2=m2~@a 3=m3%@a",
        "",
        (N.CRASH_LOOPING,),
        "failed start 3 2 110 m3",
    ),
    Row(
        "and what waits counts as if it were there (W33)",
        numbered(2),
        "1=m1~@a 3=m3%@a",
        "create 2 Outdated @a",
        (N.CRASH_LOOPING,),
        f"failed start 3 2 110 m3, {FULL}",
    ),
    Row(
        "a silent source does not stop a roll elsewhere",
        numbered(3, "abc"),
        "1=m1~@a 2=m2~@a 3=m3?@b",
        "create 4 Outdated @c",
        silent="b",
    ),
    Row("a hold stops a roll of numbered members", numbered(1, hold="no image"), "1=m1~@a", "", (N.HELD,)),
    Row("a hold fills nothing", numbered(2, hold="no image"), "1=m1@a 2=m2%@a", "", (N.HELD,), ENDED),
]

CONTAINERS = [*PACE, *PLACES, *ENDS, *VICTIMS, *ROLLS]
