"""What a command of `infrakit` is declared with, and what its function gets."""

from __future__ import annotations

from skep.cli.infrakit.failures import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from skep.cli.infrakit.logline import Log
    from skep.cli.infrakit.rpc import Plugin


def _number(text: str, kind: str, signed: bool) -> int:
    try:
        if not text.isascii() or text != text.strip() or (not signed and text[:1] in "+-"):
            raise ValueError
        return int(text, 0 if text.lstrip("+-")[:2].lower() in {"0x", "0o", "0b"} else 10)
    except ValueError:
        raise ValueError(f'strconv.{kind}: parsing "{text}": invalid syntax') from None


def integer(text: str) -> int:
    """A whole number; ValueError in Go's words."""
    return _number(text, "ParseInt", signed=True)


def unsigned(text: str) -> int:
    """A whole number from 0 on; ValueError in Go's words."""
    return _number(text, "ParseUint", signed=False)


def split(text: str) -> tuple[str, ...]:
    """What stands between commas; as CSV, where there are quotes."""
    if '"' not in text:
        return tuple(text.split(",")) if text else ()
    from csv import reader  # noqa: PLC0415 - takes longer to load than all the rest

    return tuple(next(reader([text]), ()))


def switched(text: str) -> bool:
    """As strconv.ParseBool; ValueError in Go's words."""
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


class Flag:
    """An option. kind: as pflag calls what it takes; nothing for a switch. It is given to functions under `name`."""

    def __init__(self, name: str, kind: str, help: str, default: Any = "", short: str = "") -> None:
        self.name, self.kind, self.help, self.default, self.short = name, kind, help, default, short
        self.convert: Callable[[str], Any] = CONVERSIONS[kind]


CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "": switched,
    "string": str,
    "int": integer,
    "uint": unsigned,
    "stringSlice": split,
}


class Command:
    """A command: `group commit`; its function (`module:name` in this package), its arguments by name, its flags.

    counted: whether another number of arguments is wrong usage; InfraKit's listings never looked.
    """

    def __init__(
        self, path: str, function: str, arguments: tuple[str, ...], help: str, *flags: Flag, counted: bool = True
    ) -> None:
        self.path, self.function, self.arguments, self.help = tuple(path.split()), function, arguments, help
        self.flags, self.counted = flags, counted

    def load(self) -> Callable[[Call], None]:
        """The function; imported only now, for no command needs what the others do."""
        module, name = self.function.split(":")
        # The plain import statement's own function: importlib would have to be loaded first.
        function: Callable[[Call], None] = getattr(__import__(f"skep.cli.infrakit.{module}", fromlist=[name]), name)
        return function


class Call:
    """A command line that was read: its arguments, its flags by name, and the log that it asked for."""

    def __init__(self, arguments: list[str], flags: dict[str, Any], log: Log) -> None:
        self.arguments, self.flags, self.log = arguments, flags, log

    def plugin(self, interface: str) -> Plugin:
        """The plugin of `--name`, once it has said that it is one of these. Failure: it is not there, or it is not."""
        from skep.cli.infrakit.discovery import find  # noqa: PLC0415 - not for the commands without a plugin
        from skep.cli.infrakit.rpc import Plugin  # noqa: PLC0415

        plugin = Plugin(find(self.flags["name"]), interface, self.log)
        plugin.shake_hands()
        return plugin

    def tags(self) -> dict[str, str]:
        """`--tags`: a value may hold `=` itself; one that is left out is empty."""
        parts = [one.partition("=") for one in self.flags["tags"]]
        if any(not name for name, _, _ in parts):
            raise Failure("--tags: a tag has to have a name")
        return {name: value for name, _, value in parts}
