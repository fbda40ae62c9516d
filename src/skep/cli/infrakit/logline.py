"""Lines for stderr as logrus wrote them: what InfraKit's users and their scripts know (infrakit-compat.md 1.2)."""

from __future__ import annotations

import os
import sys
import time

FATAL, WARNING, DEBUG = 1, 3, 5
LEVEL_MAX = 5
LEVEL_DEFAULT = 4
NAMES = {FATAL: "fatal", WARNING: "warning", DEBUG: "debug"}
COLOURS = {FATAL: 31, WARNING: 33, DEBUG: 37}

BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
"""Values of these alone stand without quotes."""
ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


class Log:
    """Writes what is at least as grave as `level`: 0 is silence, 5 is everything."""

    def __init__(self) -> None:
        self.level = LEVEL_DEFAULT

    def set_level(self, level: int) -> None:
        """As `--log` gives it; what is out of range is taken for the nearest that is not."""
        self.level = max(0, min(level, LEVEL_MAX))

    def fatal(self, message: str) -> None:
        self._write(FATAL, message)

    def warning(self, message: str) -> None:
        self._write(WARNING, message)

    def debug(self, message: str) -> None:
        """Never what a message holds: join tokens pass through here."""
        self._write(DEBUG, message)

    def _write(self, level: int, message: str) -> None:
        if level <= self.level:
            sys.stderr.write((_for_terminals if sys.stderr.isatty() else _for_files)(level, message))


def _for_files(level: int, message: str) -> str:
    return f"time={quoted(_now())} level={NAMES[level]} msg={quoted(message)} \n"


def _for_terminals(level: int, message: str) -> str:
    """Control characters stay out of the terminal, whoever worded the message."""
    name = NAMES[level][:4].upper()
    if not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        name = f"\x1b[{COLOURS[level]}m{name}\x1b[0m"
    shown = "".join(one if one.isprintable() or one == "\n" else " " for one in message)
    return f"{name}[0000] {shown:<44} \n"


def _now() -> str:
    """This second by RFC 3339, in local time."""
    zone = time.strftime("%z")
    text = time.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}Z" if zone in {"", "+0000"} else f"{text}{zone[:3]}:{zone[3:]}"


def quoted(text: str) -> str:
    """It as logrus writes a value: quoted as Go's %q does, unless it is plain."""
    if BARE.issuperset(text):
        return text
    return f'"{"".join(map(_character, text))}"'


def _character(one: str) -> str:
    if one in ESCAPES or one.isprintable():
        return ESCAPES.get(one, one)
    number = ord(one)
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
