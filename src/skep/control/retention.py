"""Which revisions are kept: so many templates, however often the count was changed in between (semantics.md W48)."""

from collections.abc import Collection, Sequence

from skep.control.rollback import same_but_for_count
from skep.model.state import Revision


def kept(history: Sequence[Revision], most: int, needed: Collection[int]) -> tuple[Revision, ...]:
    """Of `history`, newest first, what stays: at most 2 × `most` and those that are `needed`.

    The newest `most` that changed the template, as a Deployment keeps so many ReplicaSets, and as many of those that
    changed no more than the count: one is never dropped for the other. `needed` are generations whose template skep may
    have to go back to (W47, W49); where such a one was not kept, it is the template that it had.
    """
    if len(history) <= most:
        return tuple(history)
    goes_back_to = {found.generation for g in needed if (found := revision_at(history, g))}
    templates, counts, stays = most, most, []
    for revision, before in zip(history, (*history[1:], None), strict=True):
        is_template = _is_template(revision, before)
        has_place = templates > 0 and (is_template or counts > 0)
        if has_place or revision.generation in goes_back_to:
            stays.append(revision)
        templates, counts = templates - is_template, counts - (not is_template)
    return tuple(stays)


def revision_at(history: Sequence[Revision], generation: int) -> Revision | None:
    """The revision of this generation, or of the template that it had; None where neither is kept.

    What is not kept while older ones are changed no more than the count.
    """
    return next((r for r in history if r.generation <= generation), None)


def _is_template(revision: Revision, before: Revision | None) -> bool:
    """Whether it is another than the one `before` it in more than the count, or says what skep did."""
    if before is None or revision.removed or before.removed or revision.automatic:
        return True
    return not same_but_for_count(before.spec, revision.spec)
