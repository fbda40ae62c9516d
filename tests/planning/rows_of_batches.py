"""Numbered members: how many are made at once."""

from dataclasses import replace

from skep.model.plan import NoteKind
from tests.planning.notation import NUMBERED_LIMITS, numbered
from tests.planning.row import Row

N = NoteKind
FULL = "streak 15"

BATCHES = [
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
        "a batch does not wait for starts (W9)",
        numbered(10),
        "1=m1@a 2=m2@a",
        "create 4 Missing @a, create 5 Missing @a, create 6 Missing @a, create 7 Missing @a",
        under_way="create 3 @a #r =created, streak 2",
    ),
    Row(
        "a batch waits for all that are to be made, while others of it start (W10)",
        numbered(10),
        "1=m1@a",
        "",
        under_way="create 2 @a #r =created, create 3 @a #s, streak 1",
    ),
    Row(
        "after a refusal, a start is waited for too (W10)",
        numbered(10),
        "1=m1@a",
        "",
        under_way=f"create 2 @a #r =created, failed create any 1 10, {FULL}",
    ),
    Row(
        "after three, four (W9)",
        numbered(10),
        "1=m1@a 2=m2@a 3=m3@a",
        "create 4 Missing @a, create 5 Missing @a, create 6 Missing @a, create 7 Missing @a",
        under_way="streak 3",
    ),
    Row(
        "after seven, eight (W9, F2)",
        numbered(20),
        " ".join(f"{n}=m{n}@a" for n in range(1, 8)),
        ", ".join(f"create {n} Missing @a" for n in range(8, 16)),
        under_way="streak 7",
    ),
    Row(
        "and not before those are made",
        numbered(20),
        " ".join(f"{n}=m{n}@a" for n in range(1, 8)),
        "",
        under_way="create 8 @a #r, streak 7",
    ),
    Row(
        "after fifteen, all that are left, also beside others",
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
    Row(
        "what is nobody's is adopted, and none is made in its stead (W21)",
        numbered(3, "ab"),
        "1=m1@a 2=m2f@b",
        "adopt m2 Drifted, create 3 Missing @a",
    ),
    Row(
        "while its adoption has to wait it holds its place and is not removed (W21)",
        numbered(1, "ab"),
        "1=m1!f@a",
        "",
        (N.BACKING_OFF,),
        "failed adopt m1 1 130",
    ),
]
