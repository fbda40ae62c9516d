"""Flags, environment, file and defaults to one frozen `Settings`. Standard library only: the CLI imports it."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from skep.model.errors import Fault, InvalidError

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `type` is str, int or float; `choices` and `least`/`most` bound what is possible.

    `shown` is the default in words where it depends on the machine; `default` is empty then.
    """

    name: str
    flag: str
    env: str
    type: type[str] | type[int] | type[float]
    default: Value
    unit: str
    reason: str
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = 0
    shown: str = ""

    @property
    def shown_default(self) -> str:
        """The default in words, for help and documentation."""
        return self.shown or str(self.default)


def _setting(name: str, default: Value, unit: str, reason: str, **bounds: Any) -> Setting:
    """A row whose flag and variable follow from its name."""
    return Setting(
        name, f"--{name.replace('_', '-')}", f"SKEP_{name.upper()}", type(default), default, unit, reason, **bounds
    )


DAY_S: Final = 86_400

SETTINGS: Final[tuple[Setting, ...]] = (
    _setting(
        "state_dir",
        "",
        "path",
        "Everything that is kept, 0700. Short, since sockets of machines below it have at most 107 bytes of path.",
        shown="/var/lib/skep for root, else $XDG_STATE_HOME/skep (~/.local/state/skep)",
    ),
    _setting(
        "config", "", "path", "The file of settings; it may be missing unless it is named.", shown="STATE/skep.toml"
    ),
    _setting("socket", "", "path", "Where the API listens, 0600; at most 107 bytes.", shown="STATE/skep.sock"),
    _setting(
        "controller",
        "skep",
        "name",
        "What this controller makes carries the label skep.controller=NAME; it touches nothing else.",
    ),
    _setting(
        "engine",
        "",
        "URL",
        "This host's Docker Engine, unix:///path.",
        shown="DOCKER_HOST, the docker context, or the default socket",
    ),
    _setting(
        "node_image",
        "",
        "image",
        "What machines of the docker plugin run.",
        shown="pulled if a registry answers, else built from this host's engine",
    ),
    _setting(
        "pull_timeout_s",
        5.0,
        "s",
        "How long a registry has to give the node image before one is built: nobody waits for what may not be there.",
        least=0.1,
        most=3600,
    ),
    _setting(
        "resync_s",
        30.0,
        "s",
        "A full look at each key even when no event came, ±10 %: events are lossy (semantics.md W6).",
        least=1,
        most=DAY_S,
    ),
    _setting(
        "poll_s",
        10.0,
        "s",
        "How often plugins without a stream of changes are listed: InfraKit's interval.",
        least=0.1,
        most=DAY_S,
    ),
    _setting(
        "parallel",
        10,
        "actions",
        "Actions at once for one key: SwarmKit takes about ten joins at a time (semantics.md N39).",
        least=1,
        most=500,
    ),
    _setting(
        "drain_wait_s",
        600.0,
        "s",
        "How long the tasks of a node that is removed may take to move (semantics.md N13).",
        least=0,
        most=DAY_S,
    ),
    _setting(
        "engine_timeout_s",
        30.0,
        "s",
        "One call of an engine; a busy one takes seconds. Silence beyond this means unknown, not failed.",
        least=1,
        most=3600,
    ),
    _setting(
        "call_limit",
        0,
        "calls",
        "Calls at once to one engine. An engine on 2 cores is saturated at 4; more only adds waiting.",
        least=0,
        most=1000,
        shown="2 × cores",
    ),
    _setting(
        "log_level",
        "info",
        "",
        "One line per decision that changed something; debug adds every look.",
        choices=("debug", "info", "warning", "error"),
    ),
    _setting(
        "log_format",
        "console",
        "",
        "console for people, json for machines.",
        choices=("console", "json"),
    ),
    _setting(
        "history",
        10,
        "revisions",
        "Revisions kept of each key, to go back to (semantics.md W48).",
        least=1,
        most=1000,
    ),
    _setting(
        "events_kept",
        1000,
        "events",
        "Events in memory for `skep events`; bounded, so that a noisy cluster can't fill it.",
        least=0,
        most=100_000,
    ),
)

SOCKET_PATH_MAX: Final = 107
"""Bytes of a unix socket's path: sun_path has 108, the last a zero."""

_MACHINE_SOCKET: Final = "/m/0123456789ab/e.sock"
"""Below the state directory, the longest path of a socket: the engine of a machine."""

_NAME = re.compile(r"[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """What `skep serve` runs with; docs/settings.md explains each. `engine` and `node_image` are empty to be found."""

    state_dir: Path
    config: Path
    socket: Path
    controller: str
    engine: str
    node_image: str
    pull_timeout_s: float
    resync_s: float
    poll_s: float
    parallel: int
    drain_wait_s: float
    engine_timeout_s: float
    call_limit: int
    log_level: str
    log_format: str
    history: int
    events_kept: int


@dataclass(frozen=True, slots=True)
class _Given:
    """One value as it was given, and where: a flag, a variable or a key of the file."""

    value: object
    place: str
    file: str = ""


def load(
    flags: Mapping[str, str], env: Mapping[str, str], *, uid: int | None = None, cores: int | None = None
) -> Settings:
    """The settings: a flag before the environment before the file before the default.

    `flags` are by setting name, only those that were given; an empty variable counts as not given.
    `uid` and `cores` are this process's own unless told. InvalidError names every fault with the flag,
    variable or file that it came from.
    """
    user = os.getuid() if uid is None else uid
    outer = _from_env(env) | {row.name: _Given(flags[row.name], row.flag) for row in SETTINGS if row.name in flags}
    state_dir = _path(outer.get("state_dir")) or default_state_dir(env, user)
    config = _path(outer.get("config")) or state_dir / "skep.toml"
    inner, faults = _from_file(config, named="config" in outer)
    given = inner | outer
    values = {row.name: _value(row, given.get(row.name), faults) for row in SETTINGS}
    socket = _path(given.get("socket")) or state_dir / "skep.sock"
    faults += _impossible(given, state_dir, socket, str(values["controller"]))
    if faults:
        raise InvalidError(faults)
    values["call_limit"] = values["call_limit"] or 2 * (cores or os.cpu_count() or 1)
    made: dict[str, Any] = {**values, "state_dir": state_dir, "config": config, "socket": socket}
    return Settings(**made)


def default_state_dir(env: Mapping[str, str], uid: int) -> Path:
    """/var/lib/skep for root, else `$XDG_STATE_HOME/skep`."""
    if uid == 0:
        return Path("/var/lib/skep")
    home = Path(env.get("HOME") or "~").expanduser()
    return Path(env.get("XDG_STATE_HOME") or home / ".local" / "state") / "skep"


def _path(given: _Given | None) -> Path | None:
    return Path(given.value).expanduser().absolute() if given and isinstance(given.value, str) and given.value else None


def _from_env(env: Mapping[str, str]) -> dict[str, _Given]:
    """Unknown SKEP_ variables are let be: tools beside skep may have their own."""
    return {row.name: _Given(env[row.env], row.env) for row in SETTINGS if env.get(row.env)}


def _from_file(config: Path, *, named: bool) -> tuple[dict[str, _Given], list[Fault]]:
    try:
        document = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, [Fault("there is no such file", file=str(config))] if named else []
    except (OSError, UnicodeDecodeError) as error:
        return {}, [Fault(f"can't be read: {error}", file=str(config))]
    except tomllib.TOMLDecodeError as error:
        return {}, [Fault(f"is not TOML: {error}", file=str(config))]
    allowed = {row.name for row in SETTINGS} - _BEFORE_THE_FILE
    faults = [_unknown(name, allowed, config) for name in document if name not in allowed]
    return {name: _Given(document[name], name, str(config)) for name in document if name in allowed}, faults


def _unknown(name: str, allowed: set[str], config: Path) -> Fault:
    if name in _BEFORE_THE_FILE:
        return Fault("says where this file is and can't stand in it", name, str(config))
    close = get_close_matches(name.lower().replace("-", "_"), sorted(allowed), n=1)
    return Fault(f"is no setting; did you mean {close[0]}?" if close else "is no setting", name, str(config))


def _value(row: Setting, given: _Given | None, faults: list[Fault]) -> Value:
    """The value in the row's type and within its bounds; the default, and a fault, where it is not."""
    if given is None:
        return row.default
    try:
        value = _typed(row, given)
    except ValueError as error:
        faults.append(Fault(str(error), given.place, given.file))
        return row.default
    if message := _out_of_bounds(row, value):
        faults.append(Fault(message, given.place, given.file))
    return value


def _typed(row: Setting, given: _Given) -> Value:
    """Text from flags and variables is converted; in the file, the type has to be right."""
    words = {str: "text in quotes", int: "a whole number", float: "a number"}[row.type]
    if given.file:
        accepted = (int, float) if row.type is float else (row.type,)
        if isinstance(given.value, bool) or not isinstance(given.value, accepted):
            raise ValueError(f"must be {words}")
    try:
        return row.type(str(given.value))
    except ValueError as error:
        raise ValueError(f'must be {words}, not "{given.value}"') from error


def _out_of_bounds(row: Setting, value: Value) -> str:
    """What is wrong with a value of the right type; empty when nothing is. NaN is within no bounds."""
    if row.choices and value not in row.choices:
        return f'must be one of {", ".join(row.choices)}, not "{value}"'
    if row.most and not (isinstance(value, int | float) and row.least <= value <= row.most):
        return f"must be from {row.least:g} to {row.most:g}{row.unit and ' '}{row.unit}"
    return ""


def _impossible(given: Mapping[str, _Given], state_dir: Path, socket: Path, controller: str) -> list[Fault]:
    """Faults that no bounds in the table can say."""
    faults: list[Fault] = []
    state = len(os.fsencode(state_dir)) + len(_MACHINE_SOCKET)
    if state > SOCKET_PATH_MAX:
        most = SOCKET_PATH_MAX - len(_MACHINE_SOCKET)
        faults.append(_at(given, "state_dir", f"{state_dir} has more than {most} bytes: no room for sockets below it"))
    if len(os.fsencode(socket)) > SOCKET_PATH_MAX:
        faults.append(_at(given, "socket", f"{socket} has more than {SOCKET_PATH_MAX} bytes"))
    if not _NAME.fullmatch(controller):
        faults.append(_at(given, "controller", "has up to 63 letters, digits and, inside, - _ ."))
    return faults


def _at(given: Mapping[str, _Given], name: str, message: str) -> Fault:
    one = given.get(name)
    return Fault(message, one.place if one else name, one.file if one else "")


def documentation() -> str:
    """docs/settings.md: the table as people read it. A test holds the page equal to it."""
    rows = [f"| `{row.name}` | `{row.flag}` | `{row.env}` | {_in_words(row)} | {row.reason} |" for row in SETTINGS]
    return _PAGE + "\n".join(rows) + "\n"


def _in_words(row: Setting) -> str:
    default = row.shown_default if row.shown else f"`{row.default:g}`" if row.type is not str else f"`{row.default}`"
    bounds = f" ({row.least:g} to {row.most:g})" if row.most else ""
    choices = f" ({', '.join(row.choices)})" if row.choices else ""
    return f"{default}{' ' if row.unit in _SPOKEN else ''}{row.unit if row.unit in _SPOKEN else ''}{bounds}{choices}"


_SPOKEN = frozenset({"s"})
"""Units that are written behind a default; the others only say what kind of thing it is."""

_BEFORE_THE_FILE = frozenset({"state_dir", "config"})

_PAGE = """# Settings

`skep serve` takes each setting from, in this order: its flag, its environment variable, the file, the default.
The file is TOML with the names of the first column (`resync_s = 60`); it is `STATE/skep.toml` unless `--config`
says otherwise, where STATE is the state directory. `state_dir` and `config` can't stand in it. An empty variable
counts as not given. What is unknown in the file, has the wrong type or is impossible is refused at start, all of
it at once.

| name | flag | environment | default (limits) | why |
|---|---|---|---|---|
"""
