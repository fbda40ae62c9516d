"""Documents as trees that remember their lines and their spelling; JSON and YAML are read into the same tree."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from skep.model.errors import Fault
from skep.model.json import Json, RawJson

DEPTH_MAX = 64
"""Levels in a document. The deepest InfraKit example has 9; walking a tree of this depth by recursion is safe."""

NODES_MAX = 100_000
"""Values in one file: ten groups of the largest size fit."""

TEXT_MAX = 1024 * 1024
"""Characters in one file: what the values allowed by NODES_MAX need. JSON of this length takes half a second."""

KEY_MAX = 1024
"""Characters in one key: faults below it repeat it. No engine or plugin has names of a tenth of that."""

REPEATED_MAX = 100
"""Keys that are written twice before the rest of a file is not read: each is a fault with a path of its own."""

NUMBER_MAX = 400
"""Characters in one number: the longest float64 written without an exponent has 309 digits before the point."""

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")


class Shape(StrEnum):
    """What a value is, in the words of a fault."""

    NULL = "null"
    BOOL = "true or false"
    NUMBER = "a number"
    STRING = "a string"
    LIST = "a list"
    OBJECT = "an object"


@dataclass(frozen=True, slots=True)
class Node:
    """One value. `text` is its JSON as written, for scalars; `string` is a string's content."""

    shape: Shape
    line: int
    text: str = ""
    string: str = ""
    items: tuple["Node", ...] = ()
    fields: tuple["Field", ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One key of an object with its value; `text` is the key as JSON, as written."""

    name: str
    text: str
    line: int
    node: Node


@dataclass(slots=True)
class Reading:
    """What a reader has made of one file so far; the faults carry no file name yet."""

    documents: list[Node] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, message: str, line: int) -> None:
        self.faults.append(Fault(message, line=line))


class UnreadableError(Exception):
    """The rest of a file can't be read; caught by the readers of this package, never seen outside."""

    def __init__(self, message: str, line: int) -> None:
        self.fault = Fault(message, line=line)
        super().__init__(message)


def number_fault(text: str) -> str:
    """Why the JSON number `text` can't be taken; empty when it can. InfraKit reads all numbers as float64."""
    if len(text) > NUMBER_MAX:
        return f"numbers have at most {NUMBER_MAX} characters"
    if abs(float(text)) == float("inf"):
        return f"{text} is out of the range of numbers"
    return ""


def string_fault(string: str) -> str:
    """Why a string can't be taken; empty when it can."""
    if "\0" in string:
        return "the character \\u0000 is not allowed"
    if not string.isascii() and any("\ud800" <= char <= "\udfff" for char in string):
        return "half a surrogate pair is not a character"
    return ""


class Repeats:
    """Counts the keys of a file that are written twice in their object."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, fields: Sequence[Field]) -> None:
        """UnreadableError when it is enough."""
        repeated = len(fields) - len({item.name for item in fields})
        self._count += repeated
        if repeated and self._count > REPEATED_MAX:
            raise UnreadableError(f"more than {REPEATED_MAX} keys are written twice", fields[-1].line)


def scalar_fault(node: Node) -> str:
    """Why a number or string can't be taken; empty when it can."""
    return number_fault(node.text) if node.shape is Shape.NUMBER else string_fault(node.string)


def raw(node: Node) -> RawJson:
    """The value as JSON without white space, its numbers and strings as written."""
    return RawJson(_text(node).encode())


def _text(node: Node) -> str:
    if node.shape is Shape.OBJECT:
        return "{" + ",".join(f"{item.text}:{_text(item.node)}" for item in node.fields) + "}"
    if node.shape is Shape.LIST:
        return "[" + ",".join(map(_text, node.items)) + "]"
    return node.text


def value(node: Node) -> Json:
    """The plain value; lists become tuples, and of keys that are written twice the last counts."""
    match node.shape:
        case Shape.OBJECT:
            return {item.name: value(item.node) for item in node.fields}
        case Shape.LIST:
            return tuple(map(value, node.items))
        case Shape.STRING:
            return node.string
        case Shape.NUMBER:
            return int(node.text) if INTEGER.fullmatch(node.text) else float(node.text)
        case Shape.BOOL:
            return node.text == "true"
        case Shape.NULL:
            return None


Path = NewType("Path", str)
"""Dotted names with the indices of list items in brackets: `Ports[0].Target`."""

ROOT = Path("")


def under(path: str, part: str | int) -> Path:
    """The path of a field or list item below `path`."""
    if isinstance(part, int):
        return Path(f"{path}[{part}]")
    return Path(f"{path}.{part}" if path else part)


class Lines:
    """Finds the lines of paths in one tree; what it has looked through it remembers, since faults come in thousands."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._children: dict[int, dict[str, tuple[int, Node]]] = {}

    def of(self, path: str) -> int:
        """The line of what `path` names, or of the innermost part of it that is written. Case does not matter."""
        node, line, rest = self._root, self._root.line, path.casefold()
        while found := self._step(node, rest):
            line, node, rest = found
        return line

    def _step(self, node: Node, path: str) -> tuple[int, Node, str] | None:
        """Line and node of the child that `path` begins with, and the rest of it. A label's key may have dots of its
        own: the longest name counts."""
        children = self._named(node)
        for end in reversed(ends(path)):
            if child := children.get(path[:end]):
                return *child, path[end:].removeprefix(".")
        return None

    def _named(self, node: Node) -> dict[str, tuple[int, Node]]:
        """Names as a path spells them; of a key that is written twice the first counts."""
        if id(node) not in self._children:
            named = {f"[{index}]": (item.line, item) for index, item in enumerate(node.items)}
            for item in node.fields:
                named.setdefault(item.name.casefold(), (item.line, item.node))
            self._children[id(node)] = named
        return self._children[id(node)]


def ends(path: str) -> list[int]:
    """Where a name at the start of `path` may end, in order."""
    return [index for index in range(1, len(path)) if path[index] in ".["] + [len(path)] * bool(path)
