"""Which Vagrant is at work on a machine, on disk: it outlives the process that started it, and holds its own lock."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROCESS = "process"
"""Of the Vagrant that runs in a machine's folder: the boot's id and what /proc/PID/stat said."""

STARTED = r"""
if [ -e /proc/$$/stat ]; then
  (
    umask 077
    read -r boot </proc/sys/kernel/random/boot_id && read -r stat </proc/$$/stat &&
      printf '%s %s\n' "$boot" "$stat" >"$1/process"
  ) || [ "$3" = destroy ] || exit 1
fi
shift
exec "$@"
"""
"""A shell script: FOLDER PROGRAM ARGUMENTS…. The process writes itself down before it becomes the program, so that
there is none that nobody knows, whenever the one that started it dies. Without /proc nothing is written, and a
machine is removed even if nothing can be, as on a full disk."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE, _START = 0, 19
"""Fields of /proc/PID/stat behind the name (proc(5): 3 and 22)."""


@dataclass(frozen=True, slots=True)
class _Process:
    """What tells it from all others: numbers are given anew, but not with the same start within a boot."""

    boot: str
    pid: int
    start: str


def at_work(folder: Path) -> int | None:
    """The process number of the Vagrant that was started in this folder, if it still runs; it leads a process group
    of that number."""
    noted = _parsed(_text(folder / PROCESS))
    if noted is None:
        return None
    stat = _text(Path("/proc") / str(noted.pid) / "stat")
    return noted.pid if _runs(stat) and _parsed(f"{_text(_BOOT_ID).strip()} {stat}") == noted else None


def forget(folder: Path) -> None:
    """Nothing runs in this folder any more."""
    (folder / PROCESS).unlink(missing_ok=True)


def _parsed(text: str) -> _Process | None:
    """None for what is not whole: then no program was started that makes a machine."""
    head, _, rest = text.rpartition(")")
    words, fields = head.split(maxsplit=2), rest.split()
    if len(words) < 3 or not words[1].isdecimal() or len(fields) <= _START:
        return None
    return _Process(words[0], int(words[1]), fields[_START])


def _runs(stat: str) -> bool:
    """Whether it is more than an entry that nobody has asked for yet."""
    fields = stat.rpartition(")")[2].split()
    return bool(fields) and fields[_STATE] not in {"Z", "X"}


def _text(path: Path) -> str:
    """Empty for what is not there, or ends while it is read."""
    with suppress(FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return path.read_text(errors="replace")
    return ""
