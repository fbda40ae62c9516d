"""Roll-outs that stand still (semantics.md W49): which template a paused key follows meanwhile."""

from collections.abc import Sequence
from dataclasses import replace

from skep.control.documents import Pause, SpecDocument, spec_of
from skep.control.retention import revision_at
from skep.control.rollback import sized_like, told_of
from skep.model.spec import WorkloadSpec
from skep.model.state import Desired, Record, Revision
from skep.specs.canonical import to_json


def begin(
    document: SpecDocument, record: Record, who: str, when_s: float, why: str, *, automatic: bool = False
) -> Pause:
    """The pause of a key as it is now."""
    return Pause(
        who,
        when_s,
        why,
        automatic=automatic,
        begun=_spec_at(document.history, record.begun, document.spec),
        settled=_spec_at(document.history, record.settled, document.spec),
    )


def _spec_at(history: Sequence[Revision], generation: int, otherwise: bytes) -> bytes:
    found = revision_at(history, generation)
    return otherwise if found is None or found.removed else found.spec


def paused_by(document: SpecDocument) -> str:
    """Who paused its roll-outs, and why; empty where nobody did."""
    pause = document.paused
    if pause is None:
        return ""
    return f"by {pause.who}: {pause.why}" if pause.why else f"by {pause.who}"


def as_settled(document: SpecDocument) -> SpecDocument:
    """What members that are replaced follow while it is paused: the last template that all of them followed, with the
    count of today. So nothing that fails is replaced by what was being rolled out. What is a job, or was one, follows
    what it has begun: going back and on again would run twice what has completed (W54)."""
    pause = document.paused
    if pause is None:
        return document
    return _with(document, pause.begun if is_job(pause.begun) or is_job(pause.settled) else pause.settled)


def settled_spec(document: SpecDocument, record: Record) -> bytes | None:
    """The newest spec that all members followed, with today's count; None where the history has forgotten it, or it was
    a job: nobody is served by that, and what has completed is not run twice unasked (W54)."""
    found = revision_at(document.history, record.settled)
    if found is None or found.removed or is_job(found.spec):
        return None
    return to_json(sized_like(spec_of(found.spec), spec_of(document.spec)))


def is_job(template: bytes) -> bool:
    """Whether what this spec makes is to end by itself, once."""
    spec = spec_of(template)
    return isinstance(spec, WorkloadSpec) and spec.restart.once


def as_begun(document: SpecDocument) -> SpecDocument:
    """What a service that is changed in place follows while it is paused: the last template that it was given, with the
    count of today. The Swarm carries to its end what it has begun: it can't be told to stand still."""
    return _with(document, document.paused.begun) if document.paused else document


def _with(document: SpecDocument, template: bytes) -> SpecDocument:
    if document.removed:
        return document
    return replace(document, spec=to_json(sized_like(spec_of(template), spec_of(document.spec))))


def standing_still(desired: Desired, document: SpecDocument, followed: SpecDocument, *, waits: bool = False) -> Desired:
    """`desired` was made of `followed`, and `document` is what is asked for. `waits`: so does another image."""
    pause, desired = document.paused, told_of(desired, document)
    if pause is None or document.removed:
        return desired
    withheld = waits or followed.spec != document.spec
    return replace(desired, paused=paused_by(document), withheld=withheld, given_up=pause.automatic)
