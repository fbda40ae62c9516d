"""What Go's encoding/json says about text that is no JSON: InfraKit passed it on (infrakit-compat.md 1.2)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

WHITE = b" \t\r\n"
DIGITS = b"0123456789"
HEXADECIMAL = b"0123456789abcdefABCDEF"
LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
VALUE, KEY = "looking for beginning of value", "looking for beginning of object key string"


class _WrongError(Exception):
    """Found; its text is Go's."""


def syntax_error(text: str) -> str:
    """The first thing that is wrong, or nothing: then it is JSON."""
    scan = _Scan(text.encode(errors="replace"))
    try:
        scan.value()
        scan.white()
        if scan.position < len(scan.raw):
            scan.fail("after top-level value")
    except _WrongError as error:
        return str(error)
    except RecursionError:
        return "exceeded max depth"
    return ""


class _Scan:
    """Go reads bytes, and names the one that it did not expect."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.position = raw, 0

    def fail(self, where: str) -> None:
        raise _WrongError(f"invalid character {_shown(self.look())} {where}")

    def look(self) -> int:
        if self.position >= len(self.raw):
            raise _WrongError("unexpected end of JSON input")
        return self.raw[self.position]

    def white(self) -> None:
        while self.position < len(self.raw) and self.raw[self.position] in WHITE:
            self.position += 1

    def next(self) -> int:
        """The first byte behind white space."""
        self.white()
        return self.look()

    def step(self, allowed: bytes, where: str) -> int:
        found = self.look()
        if found not in allowed:
            self.fail(where)
        self.position += 1
        return found

    def value(self) -> None:
        first = self.next()
        if first == ord("{"):
            self._many(ord("}"), self._pair, "after object key:value pair")
        elif first == ord("["):
            self._many(ord("]"), self.value, "after array element")
        elif first == ord('"'):
            self._string()
        elif first in LITERALS:
            self._literal(LITERALS[first])
        elif first in b"-0123456789":
            self._number()
        else:
            self.fail(VALUE)

    def _many(self, end: int, one: Callable[[], None], where: str) -> None:
        self.position += 1
        if self.next() == end:
            self.position += 1
            return
        while True:
            one()
            self.next()
            if self.step(bytes((ord(","), end)), where) == end:
                return

    def _pair(self) -> None:
        if self.next() != ord('"'):
            self.fail(KEY)
        self._string()
        self.next()
        self.step(b":", "after object key")
        self.value()

    def _string(self) -> None:
        self.position += 1
        while True:
            found = self.look()
            if found < 0x20:
                self.fail("in string literal")
            self.position += 1
            if found == ord('"'):
                return
            if found == ord("\\"):
                self._escape()

    def _escape(self) -> None:
        if self.step(b'bfnrt\\/"u', "in string escape code") == ord("u"):
            for _ in range(4):
                self.step(HEXADECIMAL, "in \\u hexadecimal character escape")

    def _literal(self, word: bytes) -> None:
        self.position += 1
        for one in word[1:]:
            self.step(bytes((one,)), f"in literal {word.decode()} (expecting {_shown(one)})")

    def _number(self) -> None:
        if self.look() == ord("-"):
            self.position += 1
        if self.step(DIGITS, "in numeric literal") != ord("0"):
            self._digits()
        if self._follows(b"."):
            self.step(DIGITS, "after decimal point in numeric literal")
            self._digits()
        if self._follows(b"eE"):
            self._follows(b"+-")
            self.step(DIGITS, "in exponent of numeric literal")
            self._digits()

    def _digits(self) -> None:
        while self._follows(DIGITS):
            pass

    def _follows(self, allowed: bytes) -> bool:
        """Take one of them, if it is there."""
        found = self.position < len(self.raw) and self.raw[self.position] in allowed
        self.position += found
        return found


def _shown(byte: int) -> str:
    """A byte as Go shows it: of a longer character, what its first byte alone would be."""
    if byte in b"'\"":
        return "'\\''" if byte == ord("'") else "'\"'"
    from skep.cli.infrakit.logline import quoted  # noqa: PLC0415 - for faults alone

    return f"'{quoted('/' + chr(byte))[2:-1]}'"
