"""The quick reader of command lines: for those that are written as most are. Anything else is Click's to read.

Click alone takes longer to load than the whole of a command. tests/cli/test_readers.py holds that both read the same.
"""

from __future__ import annotations

from skep.cli.commands import COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skep.cli.parameter import Command, Parameter


class _UnusualError(Exception):
    """It takes Click: for help, for an odd spelling, or to say what is wrong."""


def read(arguments: list[str]) -> tuple[Command, dict[str, Any]] | None:
    """The command and its values; None for what is not plainly right."""
    command = _named(arguments)
    if command is None or command.settings:
        return None
    try:
        passed: dict[str, Any] = {command.passes_on: ()} if command.passes_on else {}
        return command, {**_values(command.parameters, arguments[len(command.path) :]), **passed}
    except (_UnusualError, ValueError):
        return None


def _named(arguments: list[str]) -> Command | None:
    for size in (1, 2):
        path = tuple(arguments[:size])
        for command in COMMANDS:
            if command.path == path:
                return command
    return None


def _values(parameters: tuple[Parameter, ...], words: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {one.name: one.default for one in parameters}
    flags = {flag: one for one in parameters for flag in one.flags}
    texts: list[str] = []
    rest = iter(words)
    for word in rest:
        if word[:1] != "-" or word == "-":
            texts.append(word)
            continue
        flag, attached = _apart(word)
        option = _option(flags, flag)
        if option.switch:
            given[option.name] = _set(attached)
            continue
        value = _value(option, next(rest, "") if attached is None else attached)
        given[option.name] = (*given[option.name], value) if option.many else value
    _place([one for one in parameters if not one.flags], texts, given)
    if any(one.required and given[one.name] in {None, ()} for one in parameters):
        raise _UnusualError
    return given


def _apart(word: str) -> tuple[str, str | None]:
    """The flag, and its value where that is written with it: `--file=x`, `-fx`."""
    if word[:2] == "--":
        flag, equals, value = word.partition("=")
        return flag, value if equals else None
    return word[:2], word[2:] or None


def _set(attached: str | None) -> bool:
    """A switch takes no value; several in one word are Click's to read."""
    if attached is not None:
        raise _UnusualError
    return True


def _option(flags: dict[str, Parameter], word: str) -> Parameter:
    option = flags.get(word)
    if option is None:
        raise _UnusualError
    return option


def _value(parameter: Parameter, text: str) -> Any:
    if not text or (text[0] == "-" and text != "-") or (parameter.choices and text not in parameter.choices):
        raise _UnusualError
    return parameter.convert(text)


def _place(arguments: list[Parameter], texts: list[str], given: dict[str, Any]) -> None:
    """Each argument its text, in order; one that takes many takes all that are left."""
    for one in arguments:
        if one.many:
            given[one.name], texts = tuple(_value(one, text) for text in texts), []
        elif texts:
            given[one.name], texts = _value(one, texts[0]), texts[1:]
    if texts:
        raise _UnusualError
