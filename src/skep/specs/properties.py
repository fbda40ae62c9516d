"""A plugin's own Properties: read from the JSON that a spec holds for it, every fault at once with its path.

A plugin describes what it takes as a `Properties` model and calls `read` in its `validate`. The paths of the
faults start at the plugin's properties; who knows where those stand in a document adds the rest with `prefixed`.
"""

from dataclasses import replace

from skep.model.errors import Fault, InvalidError
from skep.model.json import RawJson
from skep.specs.binding import M, Opaque, Properties, RawProperties, Short, bind, prefixed
from skep.specs.json_text import read_json
from skep.specs.node import Node, Shape
from skep.specs.scalars import ByteSize, Duration

__all__ = ["ByteSize", "Duration", "Opaque", "Properties", "RawProperties", "Short", "prefixed", "read"]

_NOTHING = Node(Shape.OBJECT, 0)


def read(properties: RawJson, model: type[M], *, lenient: bool = False) -> M:
    """The typed value of `properties`, null counting as an empty object. InvalidError has every fault.

    `lenient` is for what comes over InfraKit's wire: fields that are not known are ignored (infrakit-compat.md 1.3).
    """
    reading = read_json(properties.decode(errors="surrogateescape"))
    if reading.faults:
        raise InvalidError([replace(fault, line=0) for fault in reading.faults])
    if len(reading.documents) != 1:
        raise InvalidError([Fault("must be one JSON value")])
    (node,) = reading.documents
    bound, faults = bind(_NOTHING if node.shape is Shape.NULL else node, model, lenient=lenient)
    if bound is None:
        raise InvalidError([replace(fault, line=0) for fault in faults])
    return bound
