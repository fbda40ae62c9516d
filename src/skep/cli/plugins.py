"""`plugin`: the plugins that are programs of their own."""

# pathlib would take longer to load than all the rest.
# ruff: noqa: PTH103, PTH108, PTH113, PTH118, PTH120, PTH123

from __future__ import annotations

import os
import sys
import time

from skep.cli.failures import Failure
from skep.cli.output import Table, emit, say, show
from skep.cli.plugin_sockets import ANSWERING, STALE, Plugin, every, plugins_folder, socket_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROGRAMS = {"group": "infrakit-group-default", "group-stateless": "infrakit-group-default"}
"""Programs that are not called after the socket that they have unless told (infrakit-compat.md 1.1)."""

START_S = 20.0
"""Ten times as long as a program takes to load on a busy host."""
STOP_S = 15.0
"""InfraKit's programs let calls go on for 10 s once they are told to stop."""
LOOK_S = 0.05

LOGS = "logs"
"""Below the folder of the sockets: a file among them is taken for a broken plugin, a folder is not."""
TAIL_BYTES = 2000


def listed(form: str) -> None:
    """List the plugins that are programs of their own: who answers on each socket, and what it is.

    Their sockets are in the folder that INFRAKIT_PLUGINS_DIR names, else in ~/.infrakit/plugins. What `skep serve`
    has built in needs no socket.

    \b
    Examples:
      skep plugin ls
      skep plugin ls -o json
    """
    folder = plugins_folder()
    found = [one.ask() for one in every(folder)]
    data = [
        {
            "name": one.name,
            "listen": one.address,
            "state": one.state,
            "pid": one.pid,
            "kinds": list(one.kinds),
            "detail": one.detail,
        }
        for one in found
    ]
    emit(data, form, lambda: show(plugins(found), f"There are no plugins in {folder}."))


def plugins(found: Iterable[Plugin]) -> Table:
    """A line for each plugin."""
    rows = tuple(
        (one.name, one.state, str(one.pid or ""), ", ".join(one.kinds), one.address, one.detail) for one in found
    )
    return Table(("NAME", "STATE", "PID", "KINDS", "LISTEN", "DETAIL"), rows)


def started(names: tuple[str, ...], flags: tuple[str, ...]) -> None:
    """Start programs that are plugins, each in the background with a log of its own, and wait until they answer.

    NAME is that of the socket: `infrakit-NAME` is run, and `infrakit-group-default` for `group`. It gets the flags
    behind `--`, and this environment. One that answers already is left as it is.

    \b
    Examples:
      skep plugin start group flavor-vanilla instance-file
      skep plugin start flavor-swarm -- --host tcp://192.168.2.200:4243
    """
    wanted = _checked(names)
    if flags and len(wanted) > 1:
        raise Failure(f"flags are those of one program: start {', '.join(wanted)} one by one")
    if any(flag.partition("=")[0] == "--name" for flag in flags):
        raise Failure("--name is what is started: give it before the flags, as NAME")
    folder = plugins_folder()
    begun = [_Start(folder, name, flags) for name in wanted]
    _all([one.wait for one in begun])


def stopped(names: tuple[str, ...]) -> None:
    """Stop plugins: each gets SIGTERM, and is waited for until its socket is gone.

    A socket that nobody listens on any more is removed.

    \b
    Example:
      skep plugin stop flavor-vanilla instance-file
    """
    folder = plugins_folder()
    _all([lambda name=name: _stop(folder, name) for name in _checked(names)])  # type: ignore[misc]


def _all(acts: Iterable[Callable[[], str]]) -> None:
    """Do them all and tell of each; Failure with what went wrong."""
    faults = []
    for act in acts:
        try:
            say(act())
        except Failure as error:
            faults.append(str(error))
    if faults:
        raise Failure("\n".join(faults))


def _checked(names: Iterable[str]) -> tuple[str, ...]:
    """Each of them once. Failure before anything is done: with one of them nothing can be."""
    wanted = tuple(dict.fromkeys(names))
    wrong = [repr(name) for name in wanted if _is_wrong(name)]
    if wrong:
        raise Failure(f"{', '.join(wrong)} can't be the name of a plugin")
    return wanted


def _is_wrong(name: str) -> bool:
    return name in {"", ".", "..", LOGS} or "/" in name or "\0" in name or name[:1] == "-"


class _Start:
    """A program that was begun, unless its plugin answers already."""

    def __init__(self, folder: str, name: str, flags: tuple[str, ...]) -> None:
        self._folder, self._name, self._flags = folder, name, flags
        self._log = os.path.join(folder, LOGS, f"{name}.log")
        self._before = self._answering()
        self._from, self._pid, self._fault = 0, 0, ""
        if self._before is None:
            try:
                self._begin(_program(name))
            except (Failure, OSError) as error:
                self._fault = f"can't start {name}: {error}"

    def _answering(self) -> Plugin | None:
        found = socket_at(self._folder, self._name)
        return found if found is not None and found.ask().state == ANSWERING else None

    def _begin(self, program: str) -> None:
        """In a session of its own, so that no terminal takes it along; what it says goes to its log."""
        for folder in (self._folder, os.path.dirname(self._log)):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        log = os.open(self._log, flags, 0o600)
        try:
            self._from = os.fstat(log).st_size
            actions = (
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            )
            words = [program, "--name", self._name, *self._flags]
            self._pid = os.posix_spawn(program, words, os.environ, file_actions=actions, setsid=True)
        finally:
            os.close(log)

    def wait(self) -> str:
        """What became of it."""
        if self._fault:
            raise Failure(self._fault)
        if self._before is not None:
            kept = ", with the flags that it was started with" if self._flags else ""
            return f"{self._name} answers already, as process {self._before.pid}{kept}"
        end_s = time.monotonic() + START_S
        while not self._is_ours(self._answering()):
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                raise Failure(f"{self._name} ended before it answered:\n{self._said()}")
            if time.monotonic() > end_s:
                raise Failure(
                    f"{self._name} (process {self._pid}) gives no answer after {START_S:g} s: see {self._log}"
                )
            time.sleep(LOOK_S)
        return f"started {self._name} as process {self._pid}; its log is {self._log}"

    def _is_ours(self, found: Plugin | None) -> bool:
        """Whether who answers is of the session that was begun; one that is hidden from here is taken to be."""
        try:
            return found is not None and (found.pid == 0 or os.getsid(found.pid) == self._pid)
        except ProcessLookupError:
            return False

    def _said(self) -> str:
        """The end of what it wrote into its log."""
        with open(self._log, "rb") as file:
            file.seek(self._from)
            text = file.read().strip()
        return text[-TAIL_BYTES:].decode(errors="replace") or "(it said nothing)"


def _program(name: str) -> str:
    """Its path: beside this one, for they are installed together, else where a shell would find it."""
    program = PROGRAMS.get(name, f"infrakit-{name}")
    folders = [os.path.dirname(sys.executable), *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    for folder in folders:
        path = os.path.join(folder, program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise Failure(f"there is no program {program}")


def _stop(folder: str, name: str) -> str:
    found = socket_at(folder, name)
    if found is None:
        there = ", ".join(one.name for one in every(folder) if one.is_local) or "none"
        raise Failure(f"there is no plugin {name} in {folder}; there are: {there}")
    mark = _mark(found)
    found.ask()
    if found.state == STALE:
        if _mark(found) == mark:
            os.unlink(found.address)
        return f"removed the socket of {name}, on which nobody listened"
    if found.pid <= 0:
        raise Failure(f"who listens on {found.address} is hidden from here: stop it where it runs")
    from signal import SIGTERM  # noqa: PLC0415 - brings much, and a listing needs none of it

    try:
        os.kill(found.pid, SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise Failure(f"you may not stop {name}, process {found.pid}: it is another user's") from error
    end_s = time.monotonic() + STOP_S
    while _mark(found) == mark:
        if time.monotonic() > end_s:
            raise Failure(f"{name}, process {found.pid}, is still there {STOP_S:g} s after it was told to stop")
        time.sleep(LOOK_S)
    return f"stopped {name}, process {found.pid}"


def _mark(plugin: Plugin) -> tuple[int, int]:
    """Another one for another socket at its place; zeros for none."""
    try:
        status = os.lstat(plugin.address)
    except FileNotFoundError:
        return 0, 0
    return status.st_ino, status.st_ctime_ns
