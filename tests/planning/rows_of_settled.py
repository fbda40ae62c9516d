"""Numbered members that are missing while a roll has proven nothing (semantics.md W42, W45, W49)."""

from dataclasses import replace

from skep.model.plan import NoteKind
from tests.planning.notation import NUMBERED_LIMITS, OLD, numbered
from tests.planning.row import Row

N = NoteKind
FULL = "streak 15"
LATE = replace(NUMBERED_LIMITS, progress_s=60.0)

OLD_FIRST = [
    Row(
        "an old one that ends in a roll that has proven nothing is made again as it was (W42)",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a 4=m4.@a",
        "create 3 Missing @a ~",
        under_way="failed start 3 1 90 m3 ~",
    ),
    Row(
        "and new as soon as one new one is available",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a 4=m4@a",
        "create 3 Outdated @a",
    ),
    Row(
        "which it is not before it has proven itself (W44)",
        numbered(4, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a 4=m4o@a",
        "create 3 Missing @a ~",
    ),
    Row(
        "of what may be missing none is made as before (W41)",
        numbered(3, "a", 1, 1, settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a 4=m4.@a",
        "create 3 Outdated @a",
    ),
    Row(
        "those that are added to a roll that has proven nothing are old ones first (W45)",
        numbered(8, "a", 2, 2, settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~@a 4=m4.@a 5=m5.@a",
        "create 6 Missing @a ~, create 7 Missing @a ~, create 8 Missing @a ~, create 9 Outdated @a, "
        "create 10 Outdated @a",
        under_way=FULL,
    ),
    Row(
        "what is being made as before counts",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 4=m4.@a",
        "",
        under_way=f"create 3 @a #r ~, {FULL}",
    ),
    Row(
        "and what was and starts yet: it is not removed, though it is old and does not serve",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~.@a 4=m4.@a",
        "",
    ),
    Row(
        "what was made and not started is started",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~-@a 4=m4.@a",
        "start m3 Stopped",
    ),
    Row(
        "beyond what has to serve it goes, as in any roll",
        numbered(3, "a", 1, 1, settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~.@a 4=m4.@a",
        "drain m3 Outdated",
    ),
    Row(
        "what may live on a silent engine is not missing (W35)",
        numbered(3, "ab", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~?@b",
        "create 4 Outdated @a",
        (N.SOURCE_SILENT,),
        silent="b",
    ),
    Row(
        "of too many the new that do not serve go before what is waited for (W18)",
        numbered(2, "a", settled=OLD),
        "1=m1~@a 2=m2~.@a 3=m3.@a 4=m4.@a",
        "drain m4 Surplus",
    ),
]

NEW_ONLY = [
    Row(
        "what never served is mended by the new template, at once",
        numbered(3, "a", settled=OLD),
        "1=m1~%@a 2=m2~!@a 3=m3~%@a",
        "stop m2 Unhealthy, create 1 Missing @a, create 3 Missing @a, create 4 Outdated @a",
        under_way=FULL,
    ),
    Row(
        "unless the roll is late (W46)",
        numbered(3, "a", settled=OLD, limits=LATE),
        "1=m1~%@a 2=m2~%@a 3=m3~%@a 4=m4.@a",
        "create 1 Missing @a ~, create 2 Missing @a ~, create 3 Missing @a ~",
        (N.PROGRESS_DEADLINE_EXCEEDED,),
        f"progress 1 0 3 40, {FULL}",
    ),
    Row("a job never goes back (W54)", numbered(2, "a", settled=OLD, once=True), "1=m1~@a", "create 2 Missing @a"),
    Row(
        "those of a revision that was overtaken are not made again",
        numbered(2, settled="older"),
        "1=m1~@a",
        "create 2 Missing @a",
    ),
    Row(
        "what is paused follows the settled template anyway (W49)",
        numbered(2, "a", settled=OLD, paused="by ann"),
        "1=m1~@a",
        "create 2 Missing @a",
        (N.PAUSED,),
    ),
]

PATIENCE = [
    Row(
        "one that ends again and again as before waits for its time (W30), and its place is held",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a 4=m4.@a",
        "",
        (N.CRASH_LOOPING,),
        f"failed start 3 2 110 m3 ~, {FULL}",
    ),
    Row(
        "a new one does not wait for what ended before the roll",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a 4=m4@a",
        "create 3 Outdated @a",
        (N.RETRIES_EXHAUSTED,),
        f"failed start 3 5 400 m3 ~, {FULL}",
    ),
    Row(
        "new ones that end again and again hold no place of theirs",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2%@a 3=m3~@a 4=m4~%@a",
        "create 4 Missing @a ~",
        (N.CRASH_LOOPING,),
        f"failed start 2 3 110 m2, {FULL}",
    ),
    Row(
        "nor is one made as before in the slot of one",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2%@a 3=m3~@a",
        "create 4 Missing @a ~",
        (N.CRASH_LOOPING,),
        f"failed start 2 3 110 m2, {FULL}",
    ),
    Row(
        "a new image that can't be had holds up no other (W32)",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a",
        "create 3 Missing @a ~",
        (N.IMAGE_PULL_FAILED,),
        f"failed pull a 3 150, {FULL}",
    ),
    Row(
        "but where not even the old one can be had it is waited for",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a",
        "",
        (N.IMAGE_PULL_FAILED,),
        f"failed pull a 3 150 ~, {FULL}",
    ),
    Row(
        "nor does the refusal of a new one (W33)",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a",
        "create 3 Missing @a ~",
        (),
        "failed create any 4 150, failed create a 4 150",
    ),
    Row(
        "but that of an old one does",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~%@a",
        "",
        (N.BACKING_OFF,),
        "failed create any 4 150 ~, failed create a 4 150",
    ),
    Row(
        "the last that ended of each slot is kept, for it tells why",
        numbered(3, "a", settled=OLD),
        "1=m1~@a 2=m2~@a 3=m3~@a 4=m4.@a 5=m5%@a 6=m6%@a 6=m7%@a",
        "destroy m6 Dead",
    ),
]

SETTLED = [*OLD_FIRST, *NEW_ONLY, *PATIENCE]
