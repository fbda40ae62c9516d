"""Which image a tag was fixed to for a revision, and when it is looked at again (semantics.md W40)."""

from collections.abc import Sequence
from dataclasses import replace

from skep.control.documents import SpecDocument
from skep.control.rollback import is_automatic
from skep.model.engine import Image
from skep.model.state import Record
from skep.ports import Engine


def is_awaited(document: SpecDocument, record: Record) -> bool:
    """Whether it was asked to look at the tag again, and nobody has yet. A crash in between forgets neither."""
    return document.resolve > record.resolved


def is_due(document: SpecDocument, record: Record, image: str) -> bool:
    """Whether the tag is to be looked at now. While it is paused, what was asked for waits like a new template."""
    return record.image_spec != image or (document.paused is None and is_awaited(document, record))


def fixed(document: SpecDocument, record: Record, image: str, told: str | None, held: Sequence[Image]) -> Record:
    """The record with what the tag `image` names now.

    told: by digest, as a registry says or those agree that hold it; without one, the tag itself is what containers are
    made of. Looked at again, an image that no registry knows and that was built anew is fixed by its ID, if all that
    hold one hold the same. What nobody can tell stays as it was.
    """
    ids = {one.id for one in held}
    id = ids.pop() if len(ids) == 1 else ""
    done = replace(record, image_spec=image, resolved=document.resolve)
    if told and "@" in told:
        return replace(done, image=told, image_id="")
    if record.image_spec != image:
        return replace(done, image=image, image_id=id)
    if id in ("", record.image_id):
        return done
    name = image_held(image, held)
    return replace(done, image=name, image_id="") if "@" in name else replace(done, image=id, image_id=id)


async def fixed_on_swarm(document: SpecDocument, record: Record, image: str, manager: Engine | None) -> Record:
    """In the first turn that can ask a manager, which asks the registry. It tells what it holds itself, too.

    While it is paused, the image stays that of the template that the Swarm carries to its end (W49).
    """
    if document.paused is None or is_automatic(document) or record.image_spec != image:
        record = fixed_again(document, record, image) or record
    if manager is None or not is_due(document, record, image):
        return record
    told = await manager.resolve_digest(image)
    held = None if told else await manager.image(image)
    return fixed(document, record, image, told, [held] if held else [])


def goes_back(document: SpecDocument) -> bool:
    """Whether what it follows is an older template, whose image is to be the very same again (W40)."""
    return document.paused is not None or is_automatic(document)


def fixed_again(document: SpecDocument, record: Record, image: str) -> Record | None:
    """The record with the image as it was fixed when all members followed it; None where nobody goes back to that.

    If the tag was looked at again since then, that was for the template that waits: it will be once more.
    """
    if not goes_back(document) or record.settled_image_spec != image:
        return None
    before = settled_image(record)
    is_left = document.paused is not None and record.image_spec == image and record.image != before
    return replace(
        record,
        image=before,
        image_spec=image,
        image_id=record.settled_image_id,
        resolved=0 if is_left else record.resolved,
    )


def settled_image(record: Record) -> str:
    """The image as it was when all members followed it. What had no digest was known by its tag: that may name another
    one by now, if it was looked at again."""
    is_moved = is_another(record) and record.settled_image == record.settled_image_spec
    return record.settled_image_id if is_moved and record.settled_image_id else record.settled_image


def is_another(record: Record) -> bool:
    """Whether the tag that all members followed names another image now that it was looked at again."""
    return record.image_spec == record.settled_image_spec and record.image != record.settled_image


def image_held(image: str, held: Sequence[Image]) -> str:
    """The name that all engines can be given at once, as far as what they hold tells; empty where a registry must.

    `name:tag@sha256:…` if all that hold it hold the same and can say which. One that was built or loaded has no digest,
    and must be found by its tag.
    """
    if "@" in image:
        return image
    repository = _repository(image)
    digests = {next((d for d in i.digests if d.partition("@")[0] == repository), "") for i in held}
    if "" in digests:
        return image
    return f"{image}@{digests.pop().partition('@')[2]}" if len(digests) == 1 else ""


def _repository(image: str) -> str:
    """The name without its tag; a colon before the last slash is a registry's port."""
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]
