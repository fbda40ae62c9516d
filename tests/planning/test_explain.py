"""Plans in English: each closed word has its sentence."""

import pytest

from skep.model.plan import Action, ActionKind, Note, NoteKind, Plan, Reason
from skep.model.spec import Key, Kind
from skep.model.state import Entry, Phase
from skep.planning.explain import explain, explain_action, explain_entry, explain_note
from skep.planning.service import DOUBLED

R, A = Reason, ActionKind


@pytest.mark.parametrize(
    ("kind", "action", "sentence"),
    [
        (Kind.GROUP, Action(A.CREATE, R.MISSING), "create a machine: one is missing"),
        (Kind.GROUP, Action(A.CREATE, R.MISSING, "10.20.0.10"), "create machine 10.20.0.10: one is missing"),
        (Kind.GROUP, Action(A.CREATE, R.OUTDATED), "create a machine: the spec has changed"),
        (Kind.GROUP, Action(A.START, R.STOPPED, None, "m1"), "start machine m1: it does not run"),
        (
            Kind.GROUP,
            Action(A.DRAIN, R.SURPLUS, "a", "m1"),
            "drain and remove machine a (m1): there are more than asked for",
        ),
        (Kind.GROUP, Action(A.DESTROY, R.DEAD, "a", "m1"), "remove machine a (m1): it is gone for good"),
        (
            Kind.GROUP,
            Action(A.UPDATE, R.DRIFTED, None, "m1", ("image web:2",)),
            "update machine m1: it lacks what Images names, or has another build of it (image web:2)",
        ),
        (Kind.GROUP, Action(A.ADOPT, R.DRIFTED, None, "m1"), "adopt machine m1: it is there already, made by others"),
        (
            Kind.WORKLOAD,
            Action(A.UPDATE, R.OUTDATED, "s", "s1", ("Image", "Count")),
            "update service: the spec has changed (Image, Count)",
        ),
        (
            Kind.WORKLOAD,
            Action(A.UPDATE, R.DRIFTED, "service", "s1", (DOUBLED,)),
            "update service: the Swarm left it so (tasks beside others of the same replica)",
        ),
        (
            Kind.WORKLOAD,
            Action(A.UPDATE, R.DRIFTED, "service", "s1", ("Labels", DOUBLED)),
            "update service: it was changed from outside (Labels, tasks beside others of the same replica)",
        ),
        (Kind.WORKLOAD, Action(A.DRAIN, R.REMOVED, None, "s1"), "drain and remove service: its spec was removed"),
        (
            Kind.WORKLOAD,
            Action(A.CREATE, R.MISSING, "3", source="box", fingerprint="f1"),
            "create container 3 on box: one is missing, as before the roll, of which nothing is available yet",
        ),
        (
            Kind.WORKLOAD,
            Action(A.CREATE, R.MISSING, "3", source="box"),
            "create container 3 on box: one is missing",
        ),
        (
            Kind.WORKLOAD,
            Action(A.DESTROY, R.DEAD, "3", "c0ffee" * 10, source="box"),
            "remove container 3 (c0ffeec0ffee) on box: it has ended, and its number has a later one or none",
        ),
        (
            Kind.WORKLOAD,
            Action(A.STOP, R.UNHEALTHY, "3", "c0ffee" * 10, source="box"),
            "stop container 3 (c0ffeec0ffee) on box: it has been unhealthy for too long",
        ),
    ],
)
def test_an_action_is_one_sentence(kind: Kind, action: Action, sentence: str) -> None:
    assert explain_action(kind, action) == sentence


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        (Note(NoteKind.HELD, "", "no manager yet"), "waiting: no manager yet"),
        (Note(NoteKind.BACKING_OFF, "m1", "no space left"), "m1: will be tried again: no space left"),
        (Note(NoteKind.WAITING_FOR_QUORUM, "m2", "only 1 of 3"), "m2: waiting for the managers' quorum: only 1 of 3"),
    ],
)
def test_a_note_names_its_subject_and_the_reason(note: Note, sentence: str) -> None:
    assert explain_note(note) == sentence


def test_a_container_is_told_by_its_whole_name_and_what_helps() -> None:
    note = Note(NoteKind.JOB_FAILED, "1", "exited with code 3")
    told = "it failed and is not tried again until the spec changes, or retry: exited with code 3"
    assert explain_note(note, "batch") == f"batch.1: {told}"
    assert explain_note(Note(NoteKind.JOB_FAILED, "", "exited with code 3"), "batch") == told


def test_an_image_that_could_not_be_had_is_told_with_its_engine_once() -> None:
    socket = "unix:///tmp/e1.sock"
    note = Note(NoteKind.IMAGE_PULL_FAILED, socket, f"could not pull image web:9 on {socket}: manifest unknown")
    assert explain_note(note) == f"{socket}: could not pull image web:9: manifest unknown"


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_of_an_entry_has_words(phase: Phase) -> None:
    text = explain_entry(Kind.GROUP, Entry("r", A.DRAIN, R.SURPLUS, 1, None, "m1", phase=phase))
    assert text.startswith("drain and remove machine m1: ")
    assert not text.endswith(": ")


def test_every_word_of_the_closed_lists_can_be_said() -> None:
    actions = tuple(Action(kind, reason, None, "m1") for kind in A for reason in R)
    notes = tuple(Note(kind) for kind in NoteKind)
    sentences = explain(Plan(Key(Kind.GROUP, "g"), 1, actions, notes))
    assert len(set(sentences)) == len(actions) + len(notes)
