"""Attachments as flavors take them: disks and the like that outlive the machine, by logical ID or `*` for every one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from skep.model.errors import Fault
from skep.model.machine import Attachment
from skep.specs.properties import Properties

EVERY = "*"


class AttachmentProperties(Properties):
    """Any type is accepted: the instance plugin knows which it can attach."""

    id: str
    type: str


Attachments = Mapping[str, Sequence[AttachmentProperties]]


def attachment_faults(attachments: Attachments, logical_ids: Sequence[str], lenient: bool = False) -> Iterator[Fault]:
    """What is wrong with them for a group of these logical IDs (infrakit-compat.md 4.1).

    `lenient`: what InfraKit has a text for is told as it does, without a path.
    """
    for logical_id, items in attachments.items():
        path = f"Attachments.{logical_id}"
        if logical_id not in (EVERY, *logical_ids):
            yield Fault(
                f"LogicalID {logical_id} used for an attachment but is not in group LogicalIDs", "" if lenient else path
            )
        for index, item in enumerate(items):
            for name, text in (("ID", item.id), ("Type", item.type)):
                if not text:
                    yield Fault("must not be empty", f"{path}[{index}].{name}")
    for id, count in Counter(item.id for items in attachments.values() for item in items if item.id).items():
        if count > 1:
            yield Fault(f"Attachment {id} specified more than once", "" if lenient else "Attachments")


def attachments_of(attachments: Attachments, logical_id: str | None) -> tuple[Attachment, ...]:
    """Those of every member, then those of this one."""
    items = [*attachments.get(EVERY, ()), *attachments.get(logical_id or "", ())]
    return tuple(Attachment(item.id, item.type) for item in items)
