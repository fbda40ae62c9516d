"""YAML 1.2 text to trees: only what JSON can say, with line numbers; aliases are written out, tags refused.

ruamel.yaml gives the events; scalars are resolved here by the core schema of YAML 1.2, so that `yes` is a string
and a number keeps the spelling that JSON allows.
"""

import json
import re
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from skep.model.errors import Fault
from skep.specs.node import (
    DEPTH_MAX,
    KEY_MAX,
    Field,
    Node,
    Reading,
    Repeats,
    Shape,
    UnreadableError,
    scalar_fault,
    string_fault,
)

TEXT_MAX = 256 * 1024
"""Characters in one YAML file. Of ordinary text ruamel reads 270 kB a second; a tag without an end takes 1.3 s at
this length and grows with its square."""

VALUES_MAX = 20_000
"""Values in one YAML file, aliases written out: two groups of the largest size fit, "billion laughs" do not.
ruamel takes some 0.06 ms for each, so the densest file takes 1.3 s; JSON has room for more (NODES_MAX)."""

SHOWN_MAX = 120
"""Characters of what was written that a fault repeats."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {word: name for name in ("true", "false") for word in (name, name.capitalize(), name.upper())}
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"([-+]?)(?:\.([0-9]+)|([0-9]+)(?:\.([0-9]*))?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def read_yaml(text: str) -> Reading:
    """All documents of `text`, empty ones left out; what follows a mistake of syntax is not read."""
    if len(text) > TEXT_MAX:
        return Reading(faults=[Fault(f"a YAML file has at most {TEXT_MAX} characters, not {len(text)}")])
    reading = Reading()
    try:
        _Reader(text, reading).documents()
    except UnreadableError as error:
        reading.faults.append(error.fault)
    return reading


class _Reader:
    """Builds trees from events; depth and number of values are bounded."""

    def __init__(self, text: str, reading: Reading) -> None:
        self._events = _events(text)
        self._reading = reading
        self._count = 0
        self._repeats = Repeats()
        self._anchors: dict[str, Node] = {}

    def documents(self) -> None:
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                self._anchors = {}
                first = next(self._events)
                node = self._node(first, 0)
                if node.shape is not Shape.NULL:
                    self._reading.documents.append(node)

    def _node(self, event: Event, depth: int) -> Node:
        line = _line(event)
        if isinstance(event, AliasEvent):
            return self._alias(event, depth, line)
        if isinstance(event, NodeEvent) and getattr(event, "tag", None):
            self._reading.fault("tags are not supported; for a string, put the value in quotes", line)
        node = self._content(event, depth, line)
        self._counted(1, line)
        if isinstance(event, NodeEvent) and event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: Event, depth: int, line: int) -> Node:
        if isinstance(event, ScalarEvent):
            return self._scalar(event, line)
        if depth >= DEPTH_MAX:
            raise UnreadableError(f"a document has at most {DEPTH_MAX} levels", line)
        if isinstance(event, SequenceStartEvent):
            return Node(Shape.LIST, line, items=tuple(self._items(depth)))
        fields = tuple(self._fields(depth))
        self._repeats.add(fields)
        return Node(Shape.OBJECT, line, fields=fields)

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _fields(self, depth: int) -> Iterator[Field]:
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise UnreadableError("a key must be a string", _line(event))
            key = self._key(event)
            yield Field(
                key, json.dumps(key, ensure_ascii=False), _line(event), self._node(next(self._events), depth + 1)
            )

    def _key(self, event: ScalarEvent) -> str:
        key = str(event.value)
        if key == "<<" and event.style is None:
            self._reading.fault("merge keys (<<) are not part of YAML 1.2; write the fields out", _line(event))
        if len(key) > KEY_MAX:
            raise UnreadableError(f"a key has at most {KEY_MAX} characters", _line(event))
        if fault := string_fault(key):
            self._reading.fault(fault, _line(event))
        return key

    def _alias(self, event: AliasEvent, depth: int, line: int) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise UnreadableError(
                f"the anchor {str(event.anchor)[:SHOWN_MAX]} is not defined above, or holds itself", line
            )
        self._counted(_size(node), line)
        if depth + _height(node) > DEPTH_MAX:
            raise UnreadableError(f"a document has at most {DEPTH_MAX} levels", line)
        return node

    def _scalar(self, event: ScalarEvent, line: int) -> Node:
        text = str(event.value)
        try:
            node = _plain(text, line) if event.style is None else None
        except UnreadableError as error:
            self._reading.faults.append(error.fault)
            return Node(Shape.STRING, line, '""')
        if node is None:
            node = Node(Shape.STRING, line, json.dumps(text, ensure_ascii=False), text)
        if fault := scalar_fault(node):
            self._reading.fault(fault, line)
            return Node(Shape.STRING, line, '""')
        return node

    def _counted(self, nodes: int, line: int) -> None:
        self._count += nodes
        if self._count > VALUES_MAX:
            raise UnreadableError(f"a YAML file has at most {VALUES_MAX} values, aliases written out", line)


def _size(node: Node) -> int:
    children = [*node.items, *(item.node for item in node.fields)]
    return 1 + sum(map(_size, children))


def _height(node: Node) -> int:
    children = [*node.items, *(item.node for item in node.fields)]
    return 1 + max(map(_height, children)) if children else int(node.shape in (Shape.LIST, Shape.OBJECT))


def _plain(text: str, line: int) -> Node | None:
    """The value of a scalar without quotes by the core schema; None for a string."""
    if text in _NULL:
        return Node(Shape.NULL, line, "null")
    if text in _BOOL:
        return Node(Shape.BOOL, line, _BOOL[text])
    number = _number(text, line)
    return Node(Shape.NUMBER, line, number) if number else None


def _number(text: str, line: int) -> str:
    """The number as JSON, as written wherever JSON has that spelling; empty for what is none."""
    if text[:1] not in "+-.0123456789":
        return ""
    if _JSON_NUMBER.fullmatch(text):
        return text
    if _NOT_FINITE.fullmatch(text):
        raise UnreadableError(f"{text} is not a number that JSON has; for a string, put it in quotes", line)
    if _INTEGER.fullmatch(text) and text.lstrip("+-").startswith("0"):
        raise UnreadableError(f"{text} is octal to some and decimal to others; write it as 0o… or in quotes", line)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return str(int(text, 0))
    return _respelled(text)


def _respelled(text: str) -> str:
    match = _FLOAT.fullmatch(text)
    if match is None:
        return ""
    sign, bare_fraction, whole, fraction, exponent = match.groups(default="")
    digits = (whole.lstrip("0") or "0") + (f".{bare_fraction or fraction}" if bare_fraction or fraction else "")
    return f"{'-' if sign == '-' else ''}{digits}{exponent}"


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def _events(text: str) -> Iterator[Event]:
    """The events of ruamel's parser, its errors in our words; its scanner looks ahead by 1,024 characters at most."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        told = " ".join(part for part in (error.context, error.problem) if part)
        raise UnreadableError(f"this is not YAML: {told[:SHOWN_MAX]}", mark.line + 1 if mark else 0) from error
    except (YAMLError, ValueError, OverflowError) as error:
        first = (str(error).strip() or "unreadable").splitlines()[0]
        raise UnreadableError(f"this is not YAML: {first[:SHOWN_MAX]}", 0) from error
