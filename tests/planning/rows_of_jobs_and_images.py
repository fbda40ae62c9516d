"""Numbered members: jobs, and images that can't be had."""

from skep.model.plan import NoteKind
from tests.planning.notation import numbered
from tests.planning.row import Row

N = NoteKind

JOBS_AND_IMAGES = [
    Row(
        "what has completed of a job keeps its number (W54)",
        numbered(1, "ab", once=True, done=frozenset("13")),
        "1=m1%@a",
        "create 2 Missing @a",
    ),
    Row(
        "and its last container",
        numbered(0, "ab", once=True, done=frozenset("1")),
        "1=m1%@a 1=m2%@a",
        "destroy m1 Dead",
    ),
    Row(
        "a job that failed as often as it may is left alone (W38)",
        numbered(1, "a", once=True),
        "1=m1%@a",
        "",
        (N.JOB_FAILED,),
        "failed start 1 5 90 m1",
    ),
    Row(
        "where the image could not be had nothing is made before its time, and others go on (W32)",
        numbered(5, "ab"),
        "1=m1@b 2=m2@b",
        "create 3 Missing @b, create 4 Missing @b",
        (N.IMAGE_PULL_FAILED,),
        "failed pull a 1 110, streak 1",
    ),
    Row(
        "then one is tried there, beside the batch of the others (W33)",
        numbered(9, "ab"),
        "1=m1@b 2=m2@b",
        "create 3 Missing @a, create 4 Missing @b, create 5 Missing @b",
        (N.IMAGE_PULL_FAILED,),
        "failed pull a 1 100, streak 1",
    ),
    Row(
        "and no other until it is known how that went",
        numbered(9, "ab"),
        "1=m1@b 2=m2@b",
        "create 4 Missing @b, create 5 Missing @b",
        (N.IMAGE_PULL_FAILED,),
        "failed pull a 1 100, create 3 @a #r, streak 1",
    ),
    Row(
        "where nobody can have it all wait",
        numbered(2, "ab"),
        "",
        "",
        (N.IMAGE_PULL_FAILED,),
        "failed pull a 1 110, failed pull b 1 111",
    ),
    Row(
        "what one engine could not have is no matter once all are there",
        numbered(2, "ab"),
        "1=m1@b 2=m2@b",
        "",
        (),
        "failed pull a 1 110",
    ),
    Row(
        "nothing that serves goes before the new image was had once (F6)",
        numbered(4, "ab", unavailable=1),
        "1=m1~@a 2=m2~@a 3=m3~@b 4=m4~@b",
        "create 5 Outdated @a",
    ),
    Row(
        "nor while it is fetched",
        numbered(4, "ab", unavailable=1),
        "1=m1~@a 2=m2~@a 3=m3~@b 4=m4~@b",
        "",
        (),
        "create 5 @a #r",
    ),
    Row(
        "nor when it could not be",
        numbered(4, "ab", unavailable=1),
        "1=m1~@a 2=m2~@a 3=m3~@b 4=m4~@b",
        "",
        (N.IMAGE_PULL_FAILED,),
        "failed pull a 1 110, failed pull b 1 110",
    ),
    Row(
        "what does not serve goes all the same",
        numbered(4, "ab", unavailable=1),
        "1=m1~@a 2=m2~.@a 3=m3~@b 4=m4~@b",
        "drain m2 Outdated",
        (N.IMAGE_PULL_FAILED,),
        "failed pull a 1 110, failed pull b 1 110",
    ),
    Row(
        "where there is no surge the first goes before it is known",
        numbered(4, "ab", 0, 1),
        "1=m1~@a 2=m2~@a 3=m3~@b 4=m4~@b",
        "drain m4 Outdated",
    ),
]
