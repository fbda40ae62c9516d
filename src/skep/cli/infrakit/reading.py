"""Reads a command line as cobra and pflag do: flags anywhere, `--name x`, `--name=x`, `-q`, and `--` before a rest."""

from __future__ import annotations

from skep.cli.infrakit.commands import COMMANDS, SECTIONS, inherited
from skep.cli.infrakit.failures import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skep.cli.infrakit.command import Command, Flag


class Line:
    """What was written. command: None for a place between commands, at `path`; help: that is what is wanted."""

    def __init__(self, path: tuple[str, ...], command: Command | None) -> None:
        self.path, self.command, self.help = path, command, command is None
        self.arguments: list[str] = []
        self.flags: dict[str, Any] = {}

    @property
    def is_counted(self) -> bool:
        """Whether there are as many arguments as there should be."""
        command = self.command
        return command is None or not command.counted or len(self.arguments) == len(command.arguments)


def read(words: list[str]) -> Line:
    """The command and what it was given. Failure: there is no such command or flag, or a flag's value is none."""
    texts, given = _apart(words)
    line = _placed(texts)
    flags = {flag.name: flag for flag in (*inherited(line.path), *(line.command.flags if line.command else ()))}
    line.flags = {name: flag.default for name, flag in flags.items()}
    for spelled, name, text in given:
        if name not in flags:
            raise Failure(_unknown(spelled))
        value = _value(flags[name], text)
        is_many = flags[name].kind == "stringSlice"
        line.flags[name] = (*line.flags[name], *value) if is_many else value
    line.help = line.help or line.flags["help"]
    return line


def _apart(words: list[str]) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Words that are no flags; and of flags how they are spelled, their names and their values."""
    known = _known()
    texts: list[str] = []
    given: list[tuple[str, str, str]] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            texts.extend(rest)
        elif word[:1] != "-" or word == "-":
            texts.append(word)
        else:
            for spelled, name, value in _flags(word, known):
                kind = known[name]
                text = value if value is not None else _next(spelled, rest) if kind else "true"
                given.append((spelled, name, text))
    return texts, given


def _next(spelled: str, rest: Any) -> str:
    try:
        return str(next(rest))
    except StopIteration:
        raise Failure(f"flag needs an argument: {spelled}") from None


def _flags(word: str, known: dict[str, str]) -> list[tuple[str, str, str | None]]:
    """`--name`, `--name=value`, or the switches behind one `-`."""
    spelled, has, value = word.partition("=")
    if word[:2] == "--":
        name = spelled[2:]
        if name not in known or len(name) < 2:
            raise Failure(_unknown(spelled))
        return [(spelled, name, value if has else None)]
    found: list[tuple[str, str, str | None]] = []
    for one in spelled[1:]:
        if one not in SHORT:
            raise Failure(f"unknown shorthand flag: '{one}' in {word}")
        found.append((f"'{one}' in {word}", SHORT[one], None))
    if has and found:
        found[-1] = (*found[-1][:2], value)
    return found


def _known() -> dict[str, str]:
    """What each flag of any command takes: a name means the same wherever it is."""
    flags = [flag for command in COMMANDS for flag in (*command.flags, *inherited(command.path))]
    return {flag.name: flag.kind for flag in flags}


SHORT = {"q": "quiet", "h": "help"}


def _placed(texts: list[str]) -> Line:
    """The command that the first words name, with the others as its arguments; `help` before it asks for help."""
    wants_help = texts[:1] == ["help"]
    if wants_help:
        texts = texts[1:]
    for size in (1, 2):
        for command in COMMANDS:
            if len(command.path) == size and command.path == tuple(texts[:size]):
                line = Line(command.path, command)
                line.arguments, line.help = texts[size:], wants_help
                return line
    if not texts:
        return Line((), None)
    if texts[0] not in SECTIONS:
        raise Failure(f'unknown command "{texts[0]}" for "infrakit"')
    if len(texts) > 1:
        raise Failure(f'unknown command "{texts[1]}" for "infrakit {texts[0]}"')
    return Line((texts[0],), None)


def _value(flag: Flag, text: str) -> Any:
    try:
        return flag.convert(text)
    except ValueError as error:
        spelled = f"-{flag.short}, --{flag.name}" if flag.short else f"--{flag.name}"
        raise Failure(f'invalid argument "{text}" for "{spelled}" flag: {error}') from error


def _unknown(spelled: str) -> str:
    return f"unknown flag: {spelled}" if spelled[:2] == "--" else f"unknown shorthand flag: {spelled}"
