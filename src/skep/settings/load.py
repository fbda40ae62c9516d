"""Flags, environment and file to settings: who wins, and what is refused."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from skep.model.errors import Fault, InvalidError
from skep.settings.clusters import ClusterSources, read_clusters
from skep.settings.given import Given, fault_at
from skep.settings.listening import listening_faults, tls_paths
from skep.settings.table import SETTINGS, SOCKET_PATH_MAX, Setting, Settings, Value
from skep.specs.home_folder import home_folder

_MACHINE_SOCKET: Final = "/m/0123456789ab/e.sock"
"""Below the state directory, the longest path of a socket: the engine of a machine."""

_NAME = re.compile(r"[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


_BEFORE_THE_FILE = frozenset({"state_dir", "config"})


Flags = Mapping[str, str | Sequence[str]]
"""By the names of settings, only those that were given; several words for those that may be repeated."""

_SINGLE: Final = tuple(row for row in SETTINGS if not row.repeated)
_REPEATED: Final = {row.name: row for row in SETTINGS if row.repeated}


def load(flags: Flags, env: Mapping[str, str], *, uid: int | None = None, cores: int | None = None) -> Settings:
    """The settings: a flag before the environment before the file before the default.

    An empty variable counts as not given. `uid` and `cores` are this process's own unless told. InvalidError names
    every fault with the flag, variable or file that it came from.
    """
    user = os.getuid() if uid is None else uid
    outer = _from_env(env) | {row.name: Given(flags[row.name], row.flag) for row in _SINGLE if row.name in flags}
    state_dir = _path(outer.get("state_dir")) or default_state_dir(env, user)
    config = _path(outer.get("config")) or state_dir / "skep.toml"
    inner, faults = _from_file(config, named="config" in outer)
    given = inner | outer
    values = {row.name: _value(row, given.get(row.name), faults) for row in _SINGLE}
    socket = _path(given.get("socket")) or state_dir / "skep.sock"
    faults += _impossible(given, state_dir, socket, values)
    words = {name: _words(row, flags, env) for name, row in _REPEATED.items()}
    clusters = read_clusters(ClusterSources(inner.get("clusters"), words["clusters"], words["cluster_tls"]))
    faults += clusters.faults
    if faults:
        raise InvalidError(faults)
    values["call_limit"] = values["call_limit"] or 2 * (cores or os.cpu_count() or 1)
    made: dict[str, Any] = {**values, **tls_paths(given), "state_dir": state_dir, "config": config, "socket": socket}
    return Settings(**made, clusters=clusters.clusters, cluster_tls=clusters.tls)


def _words(row: Setting, flags: Flags, env: Mapping[str, str]) -> list[Given]:
    """All that was given of a setting that may be repeated, the weaker source first."""
    flagged = flags.get(row.name, ())
    return [
        *(Given(word, row.env) for word in env.get(row.env, "").split()),
        *(Given(word, row.flag) for word in ([flagged] if isinstance(flagged, str) else flagged)),
    ]


def default_state_dir(env: Mapping[str, str], uid: int) -> Path:
    """/var/lib/skep for root, else `$XDG_STATE_HOME/skep`. RefusedError: nothing says where that is, for this user has
    no home folder."""
    if uid == 0:
        return Path("/var/lib/skep")
    if env.get("XDG_STATE_HOME"):
        return Path(env["XDG_STATE_HOME"]) / "skep"
    home = Path(env["HOME"]) if env.get("HOME") else home_folder("--state-dir")
    return home / ".local" / "state" / "skep"


def _path(given: Given | None) -> Path | None:
    return Path(given.value).expanduser().absolute() if given and isinstance(given.value, str) and given.value else None


def _from_env(env: Mapping[str, str]) -> dict[str, Given]:
    """Unknown SKEP_ variables are let be: tools beside skep may have their own."""
    return {row.name: Given(env[row.env], row.env) for row in _SINGLE if env.get(row.env)}


def _from_file(config: Path, *, named: bool) -> tuple[dict[str, Given], list[Fault]]:
    try:
        document = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, [Fault("there is no such file", file=str(config))] if named else []
    except (OSError, UnicodeDecodeError) as error:
        return {}, [Fault(f"can't be read: {error}", file=str(config))]
    except tomllib.TOMLDecodeError as error:
        return {}, [Fault(f"is not TOML: {error}", file=str(config))]
    allowed = ({row.name for row in _SINGLE} | {"clusters"}) - _BEFORE_THE_FILE
    faults = [_unknown(name, allowed, config) for name in document if name not in allowed]
    return {name: Given(document[name], name, str(config)) for name in document if name in allowed}, faults


def _unknown(name: str, allowed: set[str], config: Path) -> Fault:
    if name in _BEFORE_THE_FILE:
        return Fault("says where this file is and can't stand in it", name, str(config))
    if name in _REPEATED:
        return Fault("stands in the tables [clusters.NAME], as cert_path", name, str(config))
    close = get_close_matches(name.lower().replace("-", "_"), sorted(allowed), n=1)
    return Fault(f"is no setting; did you mean {close[0]}?" if close else "is no setting", name, str(config))


def _value(row: Setting, given: Given | None, faults: list[Fault]) -> Value:
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


def _typed(row: Setting, given: Given) -> Value:
    """Text from flags and variables is converted; in the file, the type has to be right."""
    words = {str: "text in quotes", int: "a whole number", float: "a number"}[row.type]
    if given.file:
        accepted = (int, float) if row.type is float else (row.type,)
        if isinstance(given.value, bool) or not isinstance(given.value, accepted):
            raise ValueError(f"must be {words}")
    if "\0" in str(given.value):
        raise ValueError("has a NUL in it, which no path, host or name can have")
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


def _impossible(given: Mapping[str, Given], state_dir: Path, socket: Path, values: Mapping[str, Value]) -> list[Fault]:
    """Faults that no bounds in the table can say."""
    faults: list[Fault] = []
    state = len(os.fsencode(state_dir)) + len(_MACHINE_SOCKET)
    if state > SOCKET_PATH_MAX:
        most = SOCKET_PATH_MAX - len(_MACHINE_SOCKET)
        faults.append(
            fault_at(given, "state_dir", f"{state_dir} has more than {most} bytes: no room for sockets below it")
        )
    if len(os.fsencode(socket)) > SOCKET_PATH_MAX:
        faults.append(fault_at(given, "socket", f"{socket} has more than {SOCKET_PATH_MAX} bytes"))
    if not _NAME.fullmatch(str(values["controller"])):
        faults.append(fault_at(given, "controller", "has up to 63 letters, digits and, inside, - _ ."))
    return [*faults, *listening_faults(given, values)]
