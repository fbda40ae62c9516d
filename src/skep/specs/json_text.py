"""JSON text to trees: line numbers for faults, the spelling of numbers and strings kept, several documents in a row."""

import json
import re
from bisect import bisect_left

from skep.specs.node import (
    DEPTH_MAX,
    KEY_MAX,
    NODES_MAX,
    Field,
    Node,
    Reading,
    Repeats,
    Shape,
    UnreadableError,
    number_fault,
    string_fault,
)

_SPACE = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"(?:[ \t\r\n]+|(?m:^---[ \t\r]*$))*")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = {"null": Shape.NULL, "true": Shape.BOOL, "false": Shape.BOOL}


def read_json(text: str) -> Reading:
    """All documents of `text`; what follows a mistake of syntax is not read."""
    reading = Reading()
    try:
        _Reader(text, reading).documents()
    except UnreadableError as error:
        reading.faults.append(error.fault)
    return reading


class _Reader:
    """A recursive descent over one text; depth and number of values are bounded."""

    def __init__(self, text: str, reading: Reading) -> None:
        self._text = text
        self._reading = reading
        self._at = 0
        self._count = 0
        self._repeats = Repeats()
        self._ends = [match.start() for match in re.finditer("\n", text)]

    def documents(self) -> None:
        while self._skip(_BETWEEN):
            self._reading.documents.append(self._value(0))

    def _value(self, depth: int) -> Node:
        self._skip(_SPACE)
        line = self._line()
        self._count += 1
        if self._count > NODES_MAX:
            raise UnreadableError(f"a file has at most {NODES_MAX} values", line)
        char = self._text[self._at : self._at + 1]
        if char in ("{", "["):
            if depth >= DEPTH_MAX:
                raise UnreadableError(f"a document has at most {DEPTH_MAX} levels", line)
            return self._object(depth, line) if char == "{" else self._list(depth, line)
        return self._scalar(char, line)

    def _object(self, depth: int, line: int) -> Node:
        fields: list[Field] = []
        self._at += 1
        while not self._closed("}", first=not fields):
            key_line = self._line()
            text, name = self._string()
            self._expect(":")
            if len(name) > KEY_MAX:
                raise UnreadableError(f"a key has at most {KEY_MAX} characters", key_line)
            fields.append(Field(name, text, key_line, self._value(depth + 1)))
        self._repeats.add(fields)
        return Node(Shape.OBJECT, line, fields=tuple(fields))

    def _list(self, depth: int, line: int) -> Node:
        items: list[Node] = []
        self._at += 1
        while not self._closed("]", first=not items):
            items.append(self._value(depth + 1))
        return Node(Shape.LIST, line, items=tuple(items))

    def _scalar(self, char: str, line: int) -> Node:
        if char == '"':
            text, string = self._string()
            return Node(Shape.STRING, line, text, string)
        if match := _NUMBER.match(self._text, self._at):
            self._at = match.end()
            if fault := number_fault(match[0]):
                self._reading.fault(fault, line)
                return Node(Shape.STRING, line, '""')
            return Node(Shape.NUMBER, line, match[0])
        for word, shape in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return Node(shape, line, word)
        raise self._unexpected("a value")

    def _string(self) -> tuple[str, str]:
        """The string as written and its content."""
        match = _STRING.match(self._text, self._at)
        if match is None:
            raise self._unexpected("a string in double quotes")
        try:
            string: str = json.loads(match[0])
        except json.JSONDecodeError as error:
            raise UnreadableError(f"this is not JSON: {error.msg}", self._line()) from error
        if fault := string_fault(string):
            self._reading.fault(fault, self._line())
        self._at = match.end()
        return match[0], string

    def _closed(self, end: str, *, first: bool) -> bool:
        """Step over `end`, or over the comma before the next part."""
        if not first and self._peek() == ",":
            self._at += 1
            self._skip(_SPACE)
            return False
        if self._peek() == end:
            self._at += 1
            return True
        if not first:
            raise self._unexpected(f"a comma or {end}")
        return False

    def _expect(self, char: str) -> None:
        if self._peek() != char:
            raise self._unexpected(char)
        self._at += 1

    def _peek(self) -> str:
        self._skip(_SPACE)
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Step over what `pattern` matches; False at the end of the text."""
        if match := pattern.match(self._text, self._at):
            self._at = match.end()
        return self._at < len(self._text)

    def _line(self) -> int:
        return bisect_left(self._ends, self._at) + 1

    def _unexpected(self, wanted: str) -> UnreadableError:
        char = self._text[self._at : self._at + 1]
        found = repr(char) if char else "the end of the file"
        return UnreadableError(f"this is not JSON: expected {wanted}, found {found}", self._line())
