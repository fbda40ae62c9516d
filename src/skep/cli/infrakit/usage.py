"""Usage and help, laid out as cobra does."""

from __future__ import annotations

from skep.cli.infrakit.commands import COMMANDS, SECTIONS, inherited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from skep.cli.infrakit.command import Flag
    from skep.cli.infrakit.reading import Line

TITLE = "infrakit cli"
OTHERS = {"version": "Print build version information"}


def help_text(line: Line) -> str:
    """What `--help` prints."""
    return f"{_title(line)}\n\n{usage_text(line)}"


def usage_text(line: Line) -> str:
    """How it is called, what there is below it, and its flags."""
    name = " ".join(("infrakit", *line.path))
    command = line.command
    if command is None:
        parts = [f"Usage:\n  {name} [command]\n", _commands(line.path)]
    else:
        parts = [f"Usage:\n  {' '.join((name, *command.arguments))} [flags]\n"]
    own = command.flags if command else ()
    parts += [_flags("Flags", own), _flags("Global Flags" if own else "Flags", inherited(line.path))]
    if command is None:
        parts.append(f'Use "{name} [command] --help" for more information about a command.\n')
    return "\n".join(part for part in parts if part)


def _title(line: Line) -> str:
    if line.command:
        return line.command.help
    return SECTIONS[line.path[0]][0] if line.path else TITLE


def _commands(path: tuple[str, ...]) -> str:
    if path:
        below = {command.path[1]: command.help for command in COMMANDS if command.path[:1] == path}
    else:
        below = {**{name: title for name, (title, _) in SECTIONS.items()}, **OTHERS}
    return "Available Commands:\n" + "".join(f"  {name:<12}{title}\n" for name, title in sorted(below.items()))


def _flags(title: str, flags: Iterable[Flag]) -> str:
    rows = [(_spelled(flag), _meaning(flag)) for flag in sorted(flags, key=lambda flag: flag.name)]
    width = max((len(spelled) for spelled, _ in rows), default=0)
    return f"{title}:\n" + "".join(f"{spelled:<{width}}   {meaning}\n" for spelled, meaning in rows) if rows else ""


def _spelled(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    return f"  {short}--{flag.name}{f' {flag.kind}' if flag.kind else ''}"


def _meaning(flag: Flag) -> str:
    shown = f'"{flag.default}"' if isinstance(flag.default, str) else str(flag.default)
    return f"{flag.help} (default {shown})" if flag.default else flag.help
