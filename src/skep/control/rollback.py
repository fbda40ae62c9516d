"""Going back: what an older revision said, with the count of today (semantics.md W48)."""

from dataclasses import replace
from itertools import pairwise
from typing import Literal

from skep.control.documents import SpecDocument, spec_of
from skep.model.errors import NotFoundError, RefusedError
from skep.model.spec import Spec, WorkloadSpec
from skep.model.state import Desired, Revision
from skep.specs.canonical import to_json


def revision_to(document: SpecDocument, generation: int | None) -> Revision:
    """The revision of this number; without one, the newest before that says another thing than the spec of today, its
    count left out, and was not undone by skep or the Swarm. NotFoundError where it is not kept (any more),
    RefusedError where it was a removal."""
    if generation is None:
        return _last_other(document)
    found = next((r for r in document.history if r.generation == generation), None)
    if found is None:
        kept = ", ".join(str(r.generation) for r in document.history)
        raise NotFoundError(f"{document.key} has no revision {generation}; it has {kept}")
    if found.removed:
        raise RefusedError(f"revision {generation} of {document.key} is a removal: there is nothing to go back to")
    return found


def _last_other(document: SpecDocument) -> Revision:
    """What failed, and was undone for it, is gone back to only by its number (W47); so is the same under another count
    that came before it."""
    present, undone = spec_of(document.spec), b""
    for newer, older in pairwise(document.history):
        if older.removed:
            continue
        spec = to_json(sized_like(spec_of(older.spec), present))
        if newer.automatic:
            undone = spec
        if spec == undone:
            continue
        undone = b""
        if spec != document.spec:
            return older
    raise RefusedError(
        f"{document.key} has no older revision that differs in more than the count and was not undone; `--to` names any"
    )


def same_but_for_count(one: bytes, other: bytes) -> bool:
    """Whether two specs, as canonical text, are one template: they differ in no more than the count."""
    return one == other or to_json(sized_like(spec_of(one), spec_of(other))) == other


def is_automatic(document: SpecDocument) -> bool:
    """Whether its newest generation was made by skep, to go back from one that failed (W47)."""
    return bool(document.history) and document.history[0].automatic


def failure_action(document: SpecDocument, spec: WorkloadSpec) -> Literal["", "pause", "rollback"]:
    """What becomes of a roll that fails; empty where it just goes on. What goes back is never rolled back itself."""
    action = spec.updating.failure_action
    if spec.restart.once:
        return ""
    if is_automatic(document):
        return "pause"
    return "" if action is None or action == "continue" else action


def never_again(spec: WorkloadSpec) -> WorkloadSpec:
    """The same for a Swarm that goes back: it shall not go back from that to what has failed (W47)."""
    return replace(spec, updating=replace(spec.updating, failure_action="pause"))


def told_of(desired: Desired, document: SpecDocument) -> Desired:
    """`desired` with the reason for which its generation is one that goes back, if it is."""
    return replace(desired, undone=document.history[0].why) if is_automatic(document) else desired


def sized_like(spec: Spec, present: Spec) -> Spec:
    """`spec` with the count of `present`, as Deployments go back: who scaled since then did it for a reason.

    What was counted in another way then (a group by its Size or its LogicalIDs, a workload globally) keeps its own.
    """
    if isinstance(spec, WorkloadSpec):
        alike = isinstance(present, WorkloadSpec) and spec.mode == present.mode == "replicated"
        return replace(spec, count=present.count) if alike and isinstance(present, WorkloadSpec) else spec
    if isinstance(present, WorkloadSpec):
        return spec
    alike = bool(spec.allocation.logical_ids) == bool(present.allocation.logical_ids)
    return replace(spec, allocation=present.allocation) if alike else spec
