"""What a command is declared with. Both readers of command lines, the quick one and Click, go by these alone."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Parameter:
    """An option, or without flags an argument, that a command gets as `name`. Arguments are required unless told.

    convert: its value of the text; ValueError says what is wrong with that. choices: all that it may be, the first
    is what an option has when it is not given. many: a tuple of them. switch: an option without a value.
    completes: whose names a shell may offer (group, workload, key or cluster).
    """

    def __init__(
        self,
        name: str,
        *flags: str,
        help: str = "",
        metavar: str | None = None,
        convert: Callable[[str], Any] = str,
        choices: tuple[str, ...] = (),
        default: Any = None,
        many: bool = False,
        required: bool | None = None,
        switch: bool = False,
        completes: str = "",
    ) -> None:
        self.name, self.flags, self.help, self.metavar = name, flags, help, metavar
        self.convert, self.choices, self.completes = convert, choices, completes
        self.many, self.switch, self.required = many, switch, not flags if required is None else required
        self.default = () if many else choices[0] if choices and flags else False if switch else default


class Command:
    """A command: what it is called, what it takes, and where its function is (`module:name` in this package).

    fixed: what the function gets besides. client: it also gets a Client. settings: its flags are the server's settings.
    failure_code: what every error of it ends with, where that is not 1, and 2 for wrong usage. passes_on: the function
    gets under this name what follows `--`, as it is written.
    """

    def __init__(
        self,
        path: str,
        function: str,
        *parameters: Parameter,
        fixed: Mapping[str, str] | None = None,
        client: bool = True,
        settings: bool = False,
        failure_code: int | None = None,
        passes_on: str = "",
    ) -> None:
        self.path, self.function, self.fixed = tuple(path.split()), function, dict(fixed or {})
        self.parameters = (*parameters, *CONNECTION) if client else parameters
        self.client, self.settings, self.failure_code = client, settings, failure_code
        self.passes_on = passes_on

    def load(self) -> Callable[..., int | None]:
        """The function; imported only now, for no command needs what the others do. It gives an exit code, or None."""
        module, name = self.function.split(":")
        # The plain import statement's own function: importlib would have to be loaded first.
        function: Callable[..., int | None] = getattr(__import__(f"skep.cli.{module}", fromlist=[name]), name)
        return function


CONNECTION = (
    Parameter("socket", "--socket", metavar="PATH", help="The server's socket. [env: SKEP_SOCKET]"),
    Parameter("state_dir", "--state-dir", metavar="PATH", help="Where it lies. [env: SKEP_STATE_DIR]"),
    Parameter("no_color", "--no-color", switch=True, help="No colours. [env: NO_COLOR]"),
)
