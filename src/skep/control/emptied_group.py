"""A group with its size at 0: for a group plugin that shall destroy what is left, and make nothing before."""

from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup
from skep.wire.go_decode import GoDecodeError, fields, items, object_of

_NOBODY = RawJson(b'{"Size":0}')


def emptied(group: CommittedGroup) -> CommittedGroup | None:
    """None for one with logical IDs, whose members can't be given up without another hash or another group, and for
    one that makes no sense."""
    try:
        found = fields(group.properties, ("Instance", "Flavor", "Allocation"))
        allocation = fields(found.get("Allocation", NULL), ("LogicalIDs",))
        if items(allocation.get("LogicalIDs"), "", ""):
            return None
    except GoDecodeError:
        return None
    return CommittedGroup(group.id, object_of(**{**found, "Allocation": _NOBODY}))
